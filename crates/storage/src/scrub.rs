//! The scrubber: re-reads sealed segments in the background, at a bounded rate, and checks every batch.
//!
//! One for each shard. A pass goes over all sealed segments of all logs, one segment of each log in turn, and the next pass
//! follows after a pause that grows while nothing new is sealed. Where it stands is remembered in memory only. Reads are
//! direct and leave nothing in the batch cache. What it finds:
//! - A batch that is no batch, or whose CRC is wrong: the range is remembered and reported ([`crate::DamagedRange`]). It is
//!   forgotten when a later pass finds it intact.
//! - Index files that disagree with the batches: they are written again.
//!
//! It works a slice of CPU time and then lets the reactor poll; it holds a file for one stretch of reading only, so what is
//! deleted meanwhile goes away. A segment that goes, or is replaced, is left alone.
//!
//! Deliberately absent: repair, checking active segments, and reading what is in memory.

mod audit;

use std::io::{Error, ErrorKind};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use io::Io;
use rustc_hash::FxHashMap;
use types::Offset;

use crate::damage::{Bounds, DamagedRange, LineLimit, delimit};
use crate::files::SegmentKey;
use crate::index::{OffsetIndex, TimeIndex};
use crate::log::{Log, LogInner};
use crate::scan::{Check, Scanner, Step};
use crate::segment::SegmentFile;
use crate::shard::ShardStorage;
use audit::IndexAudit;

/// Bytes read before the file is given back and the pace is kept.
const STRETCH_BYTES: u64 = 256 << 10;

/// CPU time after which the reactor polls.
const SLICE: Duration = Duration::from_micros(100);

/// The pause between passes, at first; it doubles while nothing new is sealed.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause between passes.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// How often a rate of 0 is looked at again.
const OFF_FOR: Duration = Duration::from_secs(10);

/// How long a pace is kept before its rate is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Logs looked at between two turns of the reactor.
const LOGS_PER_SLICE: usize = 256;

/// What scrubbing has done and found on a shard since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubTotals {
    /// Completed passes over all logs.
    pub passes: u64,
    /// Segments checked to their end.
    pub segments: u64,
    /// Bytes of segments checked.
    pub bytes: u64,
    /// Batches found intact.
    pub batches: u64,
    /// Damaged ranges found by the scrubber or by readers, each counted once unless it healed in between.
    pub damaged_ranges: u64,
    /// Damaged ranges that are known now.
    pub damaged_now: usize,
    /// Indexes written again because they disagreed with their log.
    pub indexes_rebuilt: u64,
    /// Segments that the disk failed to read.
    pub read_errors: u64,
}

/// The scrubber of one shard.
pub struct Scrubber<I: Io> {
    shard: ShardStorage<I>,
    /// By log, where it goes on in this pass.
    cursors: FxHashMap<u64, Offset>,
    pause: Duration,
    /// Lines about segments that cannot be read.
    lines: LineLimit,
}

/// Where the check of one segment stands.
struct Walk {
    key: SegmentKey,
    bounds: Bounds,
    position: u64,
    next_offset: Offset,
    batches: u64,
    audit: IndexAudit,
    damages: Vec<DamagedRange>,
}

impl<I: Io> std::fmt::Debug for Scrubber<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber")
            .field("logs", &self.cursors.len())
            .field("pause", &self.pause)
            .finish_non_exhaustive()
    }
}

impl<I: Io> Scrubber<I> {
    /// Makes the scrubber of a shard, at the begin of its first pass.
    #[must_use]
    pub fn new(shard: &ShardStorage<I>) -> Self {
        Self {
            cursors: FxHashMap::default(),
            pause: PAUSE_MIN,
            lines: LineLimit::default(),
            shard: shard.clone(),
        }
    }

    /// Scrubs for ever, at most `bytes_per_second()` bytes a second; 0 is not at all. `logs()` names the shard's logs of the
    /// moment. Cancellation leaves nothing half-done but an index that is written again by its next reader.
    pub async fn run(mut self, bytes_per_second: impl Fn() -> u64, logs: impl Fn() -> Vec<Log<I>>) {
        let io = self.shard.io().clone();
        loop {
            io.sleep_until(io.now() + PAUSE_MIN).await;
            if bytes_per_second() == 0 {
                io.sleep_until(io.now() + OFF_FOR).await;
                continue;
            }
            // Also ends the pause when it comes during the pass.
            let sealed = self.shard.shared.sealed.notified();
            self.pass(&bytes_per_second, &logs).await;
            let pause = pin!(io.sleep_until(io.now() + self.pause));
            self.pause = match select(sealed, pause).await {
                Either::Left(_) => PAUSE_MIN,
                Either::Right(_) => (2 * self.pause).min(PAUSE_MAX),
            };
        }
    }

    /// Checks every sealed segment of `logs()` once.
    pub async fn pass(
        &mut self,
        bytes_per_second: &impl Fn() -> u64,
        logs: &impl Fn() -> Vec<Log<I>>,
    ) {
        self.cursors.clear();
        loop {
            let mut has_checked = false;
            for (index, log) in logs().iter().enumerate() {
                if index % LOGS_PER_SLICE == LOGS_PER_SLICE - 1 {
                    self.shard.io().reschedule().await;
                }
                let cursor = self.cursors.get(&log.inner.id).copied();
                let Some(segment) = log.inner.next_sealed(cursor) else {
                    continue;
                };
                has_checked = true;
                self.cursors.insert(log.inner.id, Offset(segment.0 + 1));
                self.check(&log.inner, segment, bytes_per_second).await;
            }
            if !has_checked {
                break;
            }
        }
        self.shard.shared.scrub.borrow_mut().passes += 1;
    }

    async fn check(
        &mut self,
        log: &Rc<LogInner<I>>,
        segment: Offset,
        bytes_per_second: &impl Fn() -> u64,
    ) {
        let key = log.key(segment);
        self.shard.shared.scrubbed.set(Some(key));
        let checked = self.check_segment(log, key, bytes_per_second).await;
        let was_there = self.shard.shared.scrubbed.take() == Some(key);
        match checked {
            // Deleted since it was looked at, or its disk has failed and everybody knows.
            Err(_) if !was_there || log.state.borrow().stop.is_some() => {}
            Err(error) => {
                self.shard.shared.scrub.borrow_mut().read_errors += 1;
                // A disk that fails its reads fails them of every segment that it has.
                if let Some(suppressed) = self.lines.admit(self.shard.io().now()) {
                    let path = log.path(segment, SegmentFile::Log);
                    tracing::error!(path = %path.display(), %error, suppressed, "a segment cannot be read");
                }
            }
            Ok(()) => {}
        }
    }

    async fn check_segment(
        &mut self,
        log: &Rc<LogInner<I>>,
        key: SegmentKey,
        bytes_per_second: &impl Fn() -> u64,
    ) -> Result<(), Error> {
        let Some(bounds) = log.bounds(key.1) else {
            return Ok(());
        };
        let interval_bytes = log.state.borrow().config.index_interval_bytes;
        let found = log.index_files(&bounds).await;
        let mut walk = Walk {
            key,
            bounds,
            position: 0,
            next_offset: key.1,
            batches: 0,
            audit: IndexAudit::new(key.1, interval_bytes, found),
            damages: Vec::new(),
        };
        while walk.position < bounds.size_bytes {
            let begin = walk.position;
            self.stretch(log, &mut walk).await?;
            let read_bytes = walk.position - begin;
            self.shard.shared.scrub.borrow_mut().bytes += read_bytes;
            self.keep_pace(read_bytes, bytes_per_second).await;
            if self.shard.shared.scrubbed.get() != Some(key) || log.state.borrow().stop.is_some() {
                return Ok(());
            }
        }
        self.finish(log, walk).await;
        Ok(())
    }

    /// Checks batches until enough was read.
    async fn stretch(&self, log: &Rc<LogInner<I>>, walk: &mut Walk) -> Result<(), Error> {
        let io = self.shard.io();
        let file = log.file(walk.bounds.segment).await?;
        let mut scanner = Scanner::new(&*file, walk.bounds.size_bytes);
        scanner.seek(walk.position);
        let end = walk.position + STRETCH_BYTES;
        let mut slice = io.now();
        while walk.position < end.min(walk.bounds.size_bytes) {
            match scanner.next(Check::Crc).await? {
                Step::Batch(batch) if walk.bounds.admits(&batch, walk.next_offset) => {
                    walk.audit.observe(&batch.header, batch.position);
                    walk.batches += 1;
                    walk.next_offset = Offset(batch.header.last_offset().0 + 1);
                    walk.position = scanner.position();
                }
                Step::Batch(_) | Step::End | Step::Invalid(_) => {
                    let begin = (walk.position, walk.next_offset);
                    let anchors = walk.audit.anchors();
                    let damage = delimit(io, &mut scanner, &walk.bounds, begin, anchors).await?;
                    walk.take_damage(damage);
                    // Its segment may have gone during the search, and a new one have its name.
                    if self.shard.shared.scrubbed.get() == Some(walk.key) {
                        log.remember_damage(damage);
                    }
                    scanner.seek(walk.position);
                }
            }
            if io.now().saturating_since(slice) > SLICE {
                io.reschedule().await;
                slice = io.now();
            }
        }
        Ok(())
    }

    /// Waits until what was read is paid for, at the rate of each moment: one that was low for a while holds nothing up later.
    async fn keep_pace(&self, read_bytes: u64, bytes_per_second: &impl Fn() -> u64) {
        let io = self.shard.io();
        let mut owed_bytes = read_bytes;
        while owed_bytes > 0 {
            let rate = bytes_per_second();
            let micros = owed_bytes
                .saturating_mul(1_000_000)
                .checked_div(rate)
                .unwrap_or(u64::MAX);
            let pause = Duration::from_micros(micros).min(LOOK_AGAIN);
            io.sleep_until(io.now() + pause).await;
            let paid_bytes = u128::from(rate) * pause.as_micros() / 1_000_000;
            let is_paid = pause < LOOK_AGAIN && rate > 0;
            let left = owed_bytes.saturating_sub(u64::try_from(paid_bytes).unwrap_or(u64::MAX));
            owed_bytes = if is_paid { 0 } else { left };
        }
    }

    /// Draws the conclusions from a segment that was read to its end.
    async fn finish(&self, log: &Rc<LogInner<I>>, walk: Walk) {
        let shared = &self.shard.shared;
        let has_healed = {
            let mut damages = shared.damages.borrow_mut();
            damages.keep_only(walk.key, &walk.damages)
        };
        if has_healed {
            log.forget_cached(walk.key.1);
        }
        {
            let mut totals = shared.scrub.borrow_mut();
            totals.segments += 1;
            totals.batches += walk.batches;
        }
        let Some((indexes, detail)) = walk.audit.verdict() else {
            return;
        };
        let segment = walk.key.1;
        tracing::warn!(dir = %log.dir.display(), %segment, %detail, "index rebuilt");
        let written = log
            .write_index_files(segment, &indexes.offsets, &indexes.times)
            .await;
        shared.indexes.borrow_mut().remove(&walk.key);
        if shared.scrubbed.get() != Some(walk.key) {
            // Replaced meanwhile: these may be the indexes of another file. Whoever needs them builds them.
            log.remove_index_files(segment).await;
            return;
        }
        match written {
            Ok(()) => shared.scrub.borrow_mut().indexes_rebuilt += 1,
            Err(error) => {
                tracing::warn!(dir = %log.dir.display(), %segment, %error, "index not written");
            }
        }
    }
}

impl Walk {
    fn take_damage(&mut self, damage: DamagedRange) {
        self.audit.skip(&damage);
        self.damages.push(damage);
        self.position = damage.end_position;
        self.next_offset = damage.end_offset;
    }
}

impl<I: Io> LogInner<I> {
    /// The first sealed segment that begins at `cursor` or after it.
    fn next_sealed(&self, cursor: Option<Offset>) -> Option<Offset> {
        let state = self.state.borrow();
        if state.stop.is_some() {
            return None;
        }
        let from = cursor.map_or(0, |cursor| {
            state
                .segments
                .partition_point(|segment| segment.base_offset < cursor)
        });
        let sealed = state.segments[from..]
            .iter()
            .find(|segment| segment.growing().is_none());
        sealed.map(|segment| segment.base_offset)
    }

    /// What the index files of a sealed segment say, or why that cannot be known.
    async fn index_files(&self, bounds: &Bounds) -> Result<(OffsetIndex, TimeIndex), String> {
        let path = self.path(bounds.segment, SegmentFile::OffsetIndex);
        let offsets = self.read_index(path).await?;
        let path = self.path(bounds.segment, SegmentFile::TimeIndex);
        let times = self.read_index(path).await?;
        let offsets = OffsetIndex::decode(&offsets, bounds.size_bytes);
        let times = TimeIndex::decode(&times);
        match (offsets, times) {
            (Ok(offsets), Ok(times)) => Ok((offsets, times)),
            (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
        }
    }

    async fn remove_index_files(&self, segment: Offset) {
        for file in [SegmentFile::OffsetIndex, SegmentFile::TimeIndex] {
            let path = self.path(segment, file);
            match self.shard.io().remove_file(&path).await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "index not removed");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
}
