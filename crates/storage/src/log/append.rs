//! Appends: admission, then one synchronous step that changes the log in memory.

use std::cell::RefMut;
use std::rc::Rc;
use std::time::Duration;

use io::sync::Notified;
use io::{ALIGNMENT, Defect, Instant, Io, Task as _, TaskClass, align_down};
use records::{BATCH_HEADER_BYTES, BatchHeader, TimestampType, ValidBatch, set_offset_and_epoch};
use types::{LeaderEpoch, Offset, TimestampMs};

use super::{Log, LogInner, LogState, TailBlock};
use crate::config::Durability;
use crate::error::AppendError;
use crate::producer_state::{BatchMetadata, ProducerBatch, SequenceCheck};
use crate::segment::{BatchExtent, Segment};
use crate::snapshot;
use crate::space::Room;
use crate::staging::Supply;

/// The time between two looks for expired producers, as in Kafka.
const EXPIRE_PRODUCERS_EVERY: Duration = Duration::from_secs(600);

/// Where a batch is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// The broker's timestamp of a batch of LogAppendTime, else [`TimestampMs::NONE`].
    pub append_time: TimestampMs,
    /// The log start offset at the time.
    pub log_start_offset: Offset,
    /// Whether the batch was in the log before: an idempotent producer sent it again.
    pub duplicate: bool,
}

enum Admission {
    Now,
    After(Notified),
}

impl<I: Io> Log<I> {
    /// Waits until a batch of `len_bytes` may be appended: not too much is uncommitted, the disk has room, the tail is
    /// ready. [`Log::append`] may follow once, without an `.await` in between. Whoever waits keeps no place: callers
    /// that need an order queue themselves. Cancellation is free of side effects.
    ///
    /// # Errors
    /// [`AppendError::Fenced`] and [`AppendError::DiskFull`].
    pub async fn admit(&self, len_bytes: usize) -> Result<(), AppendError> {
        loop {
            match self.try_admit(len_bytes)? {
                Admission::Now => return Ok(()),
                Admission::After(progress) => progress.await,
            }
        }
    }

    fn try_admit(&self, len_bytes: usize) -> Result<Admission, AppendError> {
        let inner = &self.inner;
        let mut state = inner.state.borrow_mut();
        state.check_running()?;
        let room = inner.space.room_for(len_bytes);
        let is_stale = inner.space.is_stale(inner.shard.io().now());
        let changed = inner.space.changed.notified();
        inner.shard.measure(&inner.space);
        match room {
            Room::Enough if !state.is_disk_full => {}
            // The operating system refused a write, which is tried again and again.
            Room::Enough => return Err(AppendError::DiskFull),
            Room::Full if !is_stale => {
                inner.space.refuse(len_bytes);
                return Err(AppendError::DiskFull);
            }
            // Nobody is refused because of what was so a while ago.
            Room::Full | Room::Unknown => return Ok(Admission::After(changed)),
        }
        let uncommitted = state.uncommitted_bytes();
        let limit = inner.shard.config().uncommitted_bytes_max as u64;
        if uncommitted > 0 && uncommitted + len_bytes as u64 > limit {
            return Ok(Admission::After(inner.progress.notified()));
        }
        if !inner.shard.has_memory_for(len_bytes) {
            return Ok(Admission::After(inner.shard.shared.written.notified()));
        }
        if state.tail_is_ready() {
            return Ok(Admission::Now);
        }
        let progress = inner.progress.notified();
        if !std::mem::replace(&mut state.tasks.preparing_tail, true) {
            let inner = Rc::clone(inner);
            let prepare = async move { inner.prepare_tail().await };
            self.inner
                .shard
                .io()
                .spawn(TaskClass::Foreground, prepare)
                .detach();
        }
        Ok(Admission::After(progress))
    }

    /// Appends a batch that was validated: `batch` is what is to be stored, `valid.header` its header. It gets the next
    /// offsets and `leader_epoch`; `now` is the wall clock. The batch is in memory then: [`Log::wait_durable`] says when
    /// it is safe. A batch that an idempotent producer repeats is found, not appended.
    ///
    /// # Errors
    /// All of [`AppendError`]; nothing was appended then.
    ///
    /// # Panics
    /// When [`Log::admit`] did not come right before, or `batch` is not the batch of `valid`.
    pub fn append(
        &self,
        batch: &[u8],
        valid: &ValidBatch,
        leader_epoch: LeaderEpoch,
        now: TimestampMs,
    ) -> Result<Appended, AppendError> {
        let header = &valid.header;
        assert!(batch.len() == header.size_bytes, "the batch is whole");
        let mut state = self.inner.state.borrow_mut();
        state.check_running()?;
        if batch.len() > state.config.segment_bytes as usize {
            return Err(AppendError::RecordTooLarge {
                size_bytes: batch.len(),
                limit_bytes: state.config.segment_bytes,
            });
        }
        state.expire_producers(self.inner.shard.io().now(), now);
        let producer = ProducerBatch::of(header);
        if let SequenceCheck::Duplicate(known) = state.producers.check(&producer, now)? {
            return Ok(duplicate(header, &known, state.log_start_offset));
        }
        let stored = BatchHeader {
            base_offset: state.next_offset,
            leader_epoch,
            ..*header
        };
        let appended = Appended {
            base_offset: stored.base_offset,
            last_offset: stored.last_offset(),
            append_time: append_time(header, header.max_timestamp),
            log_start_offset: state.log_start_offset,
            duplicate: false,
        };
        self.inner.put(state, batch, &stored, now);
        Ok(appended)
    }

    /// Appends a batch of another log, which keeps its offsets and its epoch, after [`Log::admit`].
    ///
    /// # Errors
    /// [`AppendError::Fenced`].
    ///
    /// # Panics
    /// When it lies before the end of the log.
    pub(super) fn append_copy(
        &self,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Result<(), AppendError> {
        let state = self.inner.state.borrow_mut();
        state.check_running()?;
        assert!(header.base_offset >= state.next_offset, "offsets rise");
        self.inner.put(state, batch, header, header.max_timestamp);
        Ok(())
    }
}

fn append_time(header: &BatchHeader, timestamp: TimestampMs) -> TimestampMs {
    match header.timestamp_type() {
        TimestampType::LogAppendTime => timestamp,
        TimestampType::CreateTime => TimestampMs::NONE,
    }
}

fn duplicate(header: &BatchHeader, known: &BatchMetadata, log_start_offset: Offset) -> Appended {
    Appended {
        base_offset: known.first_offset(),
        last_offset: known.last_offset,
        append_time: append_time(header, known.timestamp),
        log_start_offset,
        duplicate: true,
    }
}

impl<I: Io> LogState<I> {
    /// Forgets, every now and then, the producers that have been silent for too long.
    fn expire_producers(&mut self, now: Instant, wall_clock: TimestampMs) {
        if now.saturating_since(self.producers_expired) >= EXPIRE_PRODUCERS_EVERY {
            self.producers_expired = now;
            self.producers.expire(wall_clock);
        }
    }

    /// Bytes that nobody was told of yet.
    pub(super) fn uncommitted_bytes(&self) -> u64 {
        let committed = match self.config.durability {
            Durability::Sync => self.totals.durable,
            Durability::Written => self.totals.written,
        };
        self.totals.appended - committed
    }

    /// Whether an append can go on where the last one ended.
    fn tail_is_ready(&self) -> bool {
        let active = self.active();
        let (segment, position) = (active.base_offset, active.size_bytes);
        align_down(position) == position
            || self.staging.ends_at(segment, position)
            || self
                .tail_block
                .as_ref()
                .is_some_and(|block| (block.segment, block.position) == (segment, position))
    }

    fn must_roll(&self, stored: &BatchHeader) -> bool {
        let extent = BatchExtent {
            size_bytes: stored.size_bytes,
            max_timestamp: stored.max_timestamp,
            last_offset: stored.last_offset(),
        };
        self.active().must_roll(&extent, &self.config)
    }

    /// Puts the batch with its new header at the end of the active segment.
    fn copy_in(&mut self, supply: &Supply<'_, I::Buffer>, batch: &[u8], stored: &BatchHeader) {
        let (segment, position) = (self.active().base_offset, self.active().size_bytes);
        if !self.staging.ends_at(segment, position) {
            let block = self.tail_block.take().map(|block| block.bytes);
            let block = if position.is_multiple_of(ALIGNMENT as u64) {
                Vec::new()
            } else {
                block.expect("appends come after admission, which reads the last block")
            };
            self.staging.begin(supply, segment, position, &block);
        }
        self.tail_block = None;
        let (head, records) = batch
            .split_first_chunk::<BATCH_HEADER_BYTES>()
            .expect("a valid batch has a header");
        let mut head = *head;
        set_offset_and_epoch(&mut head, stored.base_offset, stored.leader_epoch);
        self.staging.append(supply, &head);
        self.staging.append(supply, records);
        let interval_bytes = self.config.index_interval_bytes;
        let active = self.active_mut();
        active
            .growing_mut()
            .expect("the active segment grows")
            .observe(stored, position, interval_bytes);
        active.size_bytes += batch.len() as u64;
        self.totals.appended += batch.len() as u64;
        self.next_offset = Offset(stored.last_offset().0 + 1);
        self.last_append = supply.now;
        self.is_changed = true;
        self.epochs_changed |= self.epochs.assign(stored.leader_epoch, stored.base_offset);
    }
}

impl<I: Io> LogInner<I> {
    /// Puts a batch whose offsets and epoch are decided behind the last one, and has it written.
    fn put(
        self: &Rc<Self>,
        mut state: RefMut<'_, LogState<I>>,
        batch: &[u8],
        stored: &BatchHeader,
        now: TimestampMs,
    ) {
        if state.must_roll(stored) {
            self.roll(&mut state);
        }
        let had_chunk = state.staging.memory_bytes() > 0;
        let shard = &self.shard;
        shard.with_supply(|supply| state.copy_in(supply, batch, stored));
        let producer = ProducerBatch::of(stored);
        state.producers.record(&producer, stored.last_offset(), now);
        self.space.appended(batch.len());
        state.unwritten_bytes += batch.len() as u64;
        if I::has_defect(Defect::EarlyWatermark) {
            state.high_watermark = state.next_offset;
            self.committed.notify_all();
        }
        shard.add_unwritten(batch.len() as u64);
        let epochs_changed = state.epochs_changed;
        let unclaimed = state.totals.appended - state.totals.claimed;
        drop(state);
        if !had_chunk {
            shard.tail_begun(self);
        }
        if epochs_changed {
            self.save_epochs();
        }
        if unclaimed >= shard.pace().commit_bytes {
            self.dirty.notify_all();
        }
        self.start_writer();
    }

    /// Begins a new segment; the old one is sealed in the background once everything in it is on disk.
    pub(super) fn roll(self: &Rc<Self>, state: &mut LogState<I>) {
        let end_snapshot = snapshot::encode(&state.producers);
        let mut next_offset = state.next_offset;
        if I::has_defect(Defect::RollOffByOne) {
            next_offset.0 += 1;
        }
        let old = state.active_mut();
        old.end_snapshot = Some(end_snapshot);
        let base_offset = old.base_offset;
        if let Some(indexes) = old.growing_mut() {
            indexes.finish();
        }
        let roll_jitter = self.shard.io().random();
        state.segments.push(Segment::new(next_offset, roll_jitter));
        state.tasks.sealing += 1;
        let inner = Rc::clone(self);
        self.shard
            .io()
            .spawn(TaskClass::Background, async move {
                inner.seal_in_background(base_offset).await;
            })
            .detach();
    }

    /// Gets the head of the block in which the next append begins.
    async fn prepare_tail(self: &Rc<Self>) {
        let (segment, position) = {
            let state = self.state.borrow();
            (state.active().base_offset, state.active().size_bytes)
        };
        let result = self.gather(segment, align_down(position)..position).await;
        let mut state = self.state.borrow_mut();
        state.tasks.preparing_tail = false;
        match result {
            Ok(bytes) => {
                state.tail_block = Some(TailBlock {
                    segment,
                    position,
                    bytes,
                });
                drop(state);
                self.progress.notify_all();
            }
            Err(error) => {
                drop(state);
                self.fence(format!("read its last block: {error}"));
            }
        }
    }
}
