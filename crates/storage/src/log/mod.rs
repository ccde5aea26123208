//! The log of one partition: its handle, its state and who waits for what.
//!
//! Lives on one shard. The state is a plain value behind a `RefCell` that is never borrowed across an `.await`.
//! Appends change it at once and in memory; two tasks that exist only while there is work carry it to disk:
//! the writer and the syncer ([`commit`]). Invariants:
//! - `log start <= high watermark <= written <= log end` and `durable <= written`, in offsets.
//! - The segments are never empty and rise in base offset; the last one is active.
//! - Once stopped (fenced or closed) a log never moves again.
//!
//! Deliberately absent: replication, transactions' coordination. Compaction is [`crate::cleaner`]'s.

mod append;
mod commit;
mod damaged;
mod found;
mod future;
mod handover;
mod lifecycle;
mod listing;
mod lookup;
mod open;
mod pieces;
pub(crate) mod read;
mod recover;
pub(crate) mod replace;
pub(crate) mod retention;
mod salvage;
mod seal;
mod unfinished;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use io::sync::{Notified, Notify};
use io::{Instant, Io, OpenMode};
use types::{Event, LeaderEpoch, LogName, Offset, PartitionIndex, ShortName, Uuid};

pub use append::Appended;
pub use future::{future_name, parse_future_name};
pub use lookup::TimestampOffset;
pub use open::LastKnown;
pub(crate) use pieces::ReadInFlight;
pub use read::{FetchData, ReadRequest};
pub use replace::CleaningPause;

use crate::cache::Piece;
use crate::config::{Durability, LogConfig};
use crate::epochs::LeaderEpochs;
use crate::error::Fenced;
use crate::files::FileUse;
use crate::producer_state::{ActiveProducer, ProducerStates};
use crate::segment::{Segment, SegmentFile, file_path};
use crate::shard::ShardStorage;
use crate::space::DiskSpace;
use crate::staging::{Retired, Staging};

/// Which partition a log belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogIdentity {
    /// The topic's name.
    pub topic: Rc<str>,
    /// The partition.
    pub partition: PartitionIndex,
    /// The topic's id.
    pub topic_id: Uuid,
}

impl LogIdentity {
    /// What the flight recorder calls it.
    #[must_use]
    pub fn log_name(&self) -> LogName {
        LogName {
            topic: ShortName::new(&self.topic),
            partition: self.partition,
        }
    }
}

/// Where a log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFacts {
    /// [`Log::log_start_offset`]
    pub log_start_offset: Offset,
    /// [`Log::high_watermark`]
    pub high_watermark: Offset,
    /// [`Log::log_end_offset`]
    pub log_end_offset: Offset,
    /// [`Log::size_bytes`]
    pub size_bytes: u64,
    /// [`Log::segment_count`]
    pub segments: usize,
    /// Whether it was stopped by a failed write or sync.
    pub is_fenced: bool,
}

/// The log of one partition. Clones are handles of the same log.
pub struct Log<I: Io> {
    pub(crate) inner: Rc<LogInner<I>>,
}

pub(crate) struct LogInner<I: Io> {
    pub(crate) shard: ShardStorage<I>,
    /// Distinguishes logs in what the shard shares; never reused.
    pub(crate) id: u64,
    pub(crate) identity: LogIdentity,
    pub(crate) dir: PathBuf,
    pub(crate) space: Rc<DiskSpace>,
    pub(crate) state: RefCell<LogState<I>>,
    /// Something written, durable or sealed, the tail became ready, or the log stopped: for its own tasks.
    pub(crate) progress: Notify,
    /// The high watermark moved, or will not move for now: for those who wait for a commit.
    pub(crate) committed: Notify,
    /// Enough is dirty to be written without waiting for more.
    pub(crate) dirty: Notify,
}

/// Why a log takes no more appends.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// A write or a sync failed: nothing moves any more.
    Fenced(Fenced),
    /// It is closed or being closed: what was appended is still carried to disk.
    Closed,
    /// It is deleted: nothing moves any more.
    Deleted,
}

pub(crate) struct LogState<I: Io> {
    pub(crate) config: LogConfig,
    pub(crate) segments: Vec<Segment>,
    pub(crate) staging: Staging<I::Buffer>,
    pub(crate) log_start_offset: Offset,
    pub(crate) next_offset: Offset,
    pub(crate) written_offset: Offset,
    pub(crate) durable_offset: Offset,
    pub(crate) high_watermark: Offset,
    pub(crate) epochs: LeaderEpochs,
    /// Whether the leader epoch checkpoint is older than `epochs`.
    pub(crate) epochs_changed: bool,
    pub(crate) producers: ProducerStates,
    /// When expired ones were last looked for.
    pub(crate) producers_expired: Instant,
    /// Whether closing has anything to write.
    pub(crate) is_changed: bool,
    pub(crate) stop: Option<Stop>,
    /// Whether it is among the fenced logs that its disk counts.
    pub(crate) is_counted_fenced: bool,
    pub(crate) totals: Totals,
    pub(crate) tasks: Tasks,
    /// The head of the block in which the next append begins, when no chunk holds it.
    pub(crate) tail_block: Option<TailBlock>,
    /// The part of the shard's unwritten bytes that is this log's.
    pub(crate) unwritten_bytes: u64,
    /// A write waits for space on the disk.
    pub(crate) is_disk_full: bool,
    /// Somebody asked for a sync of everything written.
    pub(crate) flush_wanted: bool,
    pub(crate) last_append: Instant,
    pub(crate) hints: read::Hints,
    pub(crate) cleaning: replace::Cleaning,
}

/// Which of the tasks of a log are alive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) writing: bool,
    pub(crate) syncing: bool,
    pub(crate) preparing_tail: bool,
    pub(crate) flush_timer: bool,
    pub(crate) saving_epochs: bool,
    pub(crate) cleaning: bool,
    pub(crate) sealing: usize,
    pub(crate) removing: bool,
}

impl Tasks {
    /// Whether none is that touches the files of segments.
    pub(crate) fn are_done(&self) -> bool {
        let busy = self.writing || self.syncing || self.saving_epochs || self.cleaning;
        !busy && self.sealing == 0 && !self.removing
    }
}

/// The bytes of a block of a segment before `position`.
#[derive(Clone, Debug)]
pub(crate) struct TailBlock {
    pub(crate) segment: Offset,
    pub(crate) position: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Bytes appended, claimed by writes, written and durable since the log was opened. They only rise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) appended: u64,
    pub(crate) claimed: u64,
    pub(crate) written: u64,
    pub(crate) durable: u64,
}

impl<I: Io> Clone for Log<I> {
    fn clone(&self) -> Self {
        Self {
            inner: Rc::clone(&self.inner),
        }
    }
}

impl<I: Io> std::fmt::Debug for Log<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.inner.state.borrow();
        f.debug_struct("Log")
            .field("dir", &self.inner.dir)
            .field("log_start_offset", &state.log_start_offset)
            .field("high_watermark", &state.high_watermark)
            .field("log_end_offset", &state.next_offset)
            .finish_non_exhaustive()
    }
}

impl<I: Io> Log<I> {
    /// Which partition this is.
    #[must_use]
    pub fn identity(&self) -> &LogIdentity {
        &self.inner.identity
    }

    /// The shard's storage that it belongs to.
    #[must_use]
    pub fn shard(&self) -> &ShardStorage<I> {
        &self.inner.shard
    }

    /// Where its files are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Where it stands, all at once.
    #[must_use]
    pub fn facts(&self) -> LogFacts {
        let state = self.inner.state.borrow();
        LogFacts {
            log_start_offset: state.log_start_offset,
            high_watermark: state.high_watermark,
            log_end_offset: state.next_offset,
            size_bytes: state.segments.iter().map(|it| it.size_bytes).sum(),
            segments: state.segments.len(),
            is_fenced: matches!(state.stop, Some(Stop::Fenced(_))),
        }
    }

    /// The offset of its first record, or of the next one when it is empty.
    #[must_use]
    pub fn log_start_offset(&self) -> Offset {
        self.inner.state.borrow().log_start_offset
    }

    /// The offset that the next record gets.
    #[must_use]
    pub fn log_end_offset(&self) -> Offset {
        self.inner.state.borrow().next_offset
    }

    /// Below it everything survives a power loss.
    #[must_use]
    pub fn durable_end_offset(&self) -> Offset {
        self.inner.state.borrow().durable_offset
    }

    /// Below it everything is acknowledged and may be consumed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.inner.state.borrow().high_watermark
    }

    /// Below it no transaction is open. As long as there is no transaction coordinator, the high watermark.
    #[must_use]
    pub fn last_stable_offset(&self) -> Offset {
        self.high_watermark()
    }

    /// From here a recovery after a crash scans; what the recovery-point checkpoint is to hold.
    #[must_use]
    pub fn recovery_point(&self) -> Offset {
        let state = self.inner.state.borrow();
        let active = state.active().base_offset;
        let unsealed = state
            .segments
            .iter()
            .find(|segment| segment.base_offset < active && segment.growing().is_some());
        unsealed.map_or(state.durable_offset, |segment| {
            segment.base_offset.min(state.durable_offset)
        })
    }

    /// A copy of the leader epochs and where they begin.
    #[must_use]
    pub fn leader_epochs(&self) -> LeaderEpochs {
        self.inner.state.borrow().epochs.clone()
    }

    /// The newest leader epoch, [`LeaderEpoch::NONE`] when there is none.
    #[must_use]
    pub fn latest_leader_epoch(&self) -> LeaderEpoch {
        self.inner.state.borrow().epochs.latest()
    }

    /// Kafka's answer to `OffsetForLeaderEpoch`, with the high watermark as the end of the latest epoch.
    #[must_use]
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> (LeaderEpoch, Offset) {
        let state = self.inner.state.borrow();
        state.epochs.end_offset_for(epoch, state.high_watermark)
    }

    /// The epoch of the record at `offset`.
    #[must_use]
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.inner.state.borrow().epochs.epoch_for_offset(offset)
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let state = self.inner.state.borrow();
        state
            .segments
            .iter()
            .map(|segment| segment.size_bytes)
            .sum()
    }

    /// How many segments it has.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.inner.state.borrow().segments.len()
    }

    /// How many idempotent producers it remembers.
    #[must_use]
    pub fn producer_count(&self) -> usize {
        self.inner.state.borrow().producers.len()
    }

    /// The idempotent producers that it remembers, by id.
    #[must_use]
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        self.inner.state.borrow().producers.active()
    }

    /// Whether it failed or was closed, and so accepts nothing more.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.inner.state.borrow().stop.is_some()
    }

    /// Why it accepts nothing more, if so.
    ///
    /// # Errors
    /// [`Fenced`], with the reason.
    pub fn check_running(&self) -> Result<(), Fenced> {
        self.inner.state.borrow().check_running()
    }

    /// Stops the log for good, as after a failed write: its disk has failed under somebody else.
    pub fn fence(&self, reason: impl Into<String>) {
        self.inner.fence(reason.into());
    }

    /// A waiter for the next move of the high watermark or the log start offset, or for the log's stop. Make it, check
    /// the condition, then await it.
    #[must_use]
    pub fn watch_high_watermark(&self) -> Notified {
        self.inner.committed.notified()
    }

    /// Waits until the high watermark reaches `end_offset`: everything below it is as durable as the topic demands.
    /// Cancellation is free of side effects.
    ///
    /// # Errors
    /// [`Fenced`] when the log stops before, or when it waits for space on the disk: then the records may become
    /// durable later.
    pub async fn wait_durable(&self, end_offset: Offset) -> Result<(), Fenced> {
        loop {
            let committed = {
                let state = self.inner.state.borrow();
                if state.high_watermark >= end_offset {
                    return Ok(());
                }
                state.check_committing()?;
                self.inner.committed.notified()
            };
            committed.await;
        }
    }
}

impl<I: Io> LogState<I> {
    pub(crate) fn check_running(&self) -> Result<(), Fenced> {
        match &self.stop {
            None => Ok(()),
            Some(Stop::Fenced(fenced)) => Err(fenced.clone()),
            Some(Stop::Closed) => Err(Fenced::new("it is closed")),
            Some(Stop::Deleted) => Err(Fenced::new("it is deleted")),
        }
    }

    /// Whether what was appended still gets to disk.
    pub(crate) fn check_committing(&self) -> Result<(), Fenced> {
        match &self.stop {
            None | Some(Stop::Closed) if self.is_disk_full => {
                Err(Fenced::without_room("its disk is full"))
            }
            None | Some(Stop::Closed) => Ok(()),
            Some(Stop::Fenced(_) | Stop::Deleted) => self.check_running(),
        }
    }

    /// Whether a task of this log is to end without finishing its work.
    pub(crate) fn is_halted(&self) -> bool {
        matches!(self.stop, Some(Stop::Fenced(_) | Stop::Deleted))
    }

    /// Whether its topic has gone.
    pub(crate) fn is_deleted(&self) -> bool {
        matches!(self.stop, Some(Stop::Deleted))
    }

    /// Moves the high watermark to where the durability of the topic allows it. Returns whether it moved.
    pub(crate) fn advance_high_watermark(&mut self) -> bool {
        let allowed = match self.config.durability {
            Durability::Sync => self.durable_offset,
            Durability::Written => self.written_offset,
        };
        let moves = self.high_watermark < allowed;
        self.high_watermark = self.high_watermark.max(allowed);
        moves
    }

    pub(crate) fn active(&self) -> &Segment {
        self.segments.last().expect("there is always a segment")
    }

    pub(crate) fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("there is always a segment")
    }

    pub(crate) fn segment(&self, base_offset: Offset) -> Option<&Segment> {
        let index = self.segment_index(base_offset)?;
        Some(&self.segments[index])
    }

    pub(crate) fn segment_mut(&mut self, base_offset: Offset) -> Option<&mut Segment> {
        let index = self.segment_index(base_offset)?;
        Some(&mut self.segments[index])
    }

    fn segment_index(&self, base_offset: Offset) -> Option<usize> {
        self.segments
            .binary_search_by_key(&base_offset, |segment| segment.base_offset)
            .ok()
    }

    /// The index of the segment that holds `offset`, or the first one.
    pub(crate) fn segment_for(&self, offset: Offset) -> usize {
        let after = self
            .segments
            .partition_point(|segment| segment.base_offset <= offset);
        after.saturating_sub(1)
    }
}

impl<I: Io> LogInner<I> {
    /// Stops the log for good after a failed write or sync.
    pub(crate) fn fence(&self, reason: String) {
        {
            let mut state = self.state.borrow_mut();
            if state.is_halted() {
                return;
            }
            tracing::error!(dir = %self.dir.display(), %reason, "log fenced");
            let io = self.shard.io();
            let log = self.identity.log_name();
            io.record_now(Event::LogFenced { log });
            state.stop = Some(Stop::Fenced(Fenced::new(reason)));
            let disk = &self.space.disk;
            disk.fences.set(disk.fences.get() + 1);
            disk.fenced.set(disk.fenced.get() + 1);
            state.is_counted_fenced = true;
            self.has_written(&mut state, u64::MAX);
        }
        self.notify_all();
        self.shard.shared.failed.notify_all();
    }

    /// Gives back what the log counts for in the shard's unwritten bytes, at most `len_bytes`.
    pub(crate) fn has_written(&self, state: &mut LogState<I>, len_bytes: u64) {
        let len_bytes = len_bytes.min(state.unwritten_bytes);
        state.unwritten_bytes -= len_bytes;
        self.shard.remove_unwritten(len_bytes);
    }

    /// Wakes everybody who waits for anything of this log.
    pub(crate) fn notify_all(&self) {
        self.progress.notify_all();
        self.committed.notify_all();
        self.dirty.notify_all();
    }

    /// The path of a file of a segment.
    pub(crate) fn path(&self, base_offset: Offset, file: SegmentFile) -> PathBuf {
        file_path(&self.dir, base_offset, file)
    }

    /// The log file of a segment. Nobody may wait for a second one while holding it.
    pub(crate) async fn file(&self, base_offset: Offset) -> std::io::Result<FileUse<I::File>> {
        let _names = self.use_names(base_offset).await;
        let path = self.path(base_offset, SegmentFile::Log);
        let key = self.key(base_offset);
        self.shard.file(key, &path, OpenMode::Existing).await
    }

    /// Bytes of memory in its tail.
    pub(crate) fn staged_bytes(&self) -> usize {
        self.state.borrow().staging.memory_bytes()
    }

    /// Gives the tail's chunk to the cache when the log is idle, or at once when memory is short. Returns whether
    /// the tail holds no memory now.
    pub(crate) fn give_tail_back(&self, now: Instant, crowded: bool) -> bool {
        let mut state = self.state.borrow_mut();
        let quiet = now.saturating_since(state.last_append) >= self.shard.config().tail_idle;
        if state.tasks.writing || !(quiet || crowded) {
            return false;
        }
        state.staging.retire_tail(|retired| self.cache(retired))
    }

    /// Keeps what leaves the tail for readers that lag a little.
    pub(crate) fn cache(&self, retired: Retired) {
        let piece = Piece {
            start: retired.start,
            bytes: retired.bytes,
            verified: None,
        };
        let mut cache = self.shard.shared.cache.borrow_mut();
        cache.insert(self.id, retired.segment, piece, retired.memory_bytes);
    }
}

impl<I: Io> Drop for LogInner<I> {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        if state.is_counted_fenced {
            let fenced = &self.space.disk.fenced;
            fenced.set(fenced.get() - 1);
        }
        self.shard.remove_unwritten(state.unwritten_bytes);
        self.forget();
    }
}
