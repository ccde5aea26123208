//! Compaction: of each key, old records go and the newest stays, at its offset.
//!
//! One [`Cleaner`] a shard works on one log at a time, in the background: it takes what it needs from a shard in slices
//! of about 100 µs, reads and writes no faster than it is told, and holds the memory that it is given, only while it
//! works. A pass over a log:
//! 1. `pass` reads the dirty part, from the first offset that was not cleaned yet, into an `offset_map`. Where the map
//!    is full the pass ends; the next one goes on there.
//! 2. Every segment up to there is written anew without what the map knows a newer record of. Neighbours become one
//!    segment if that is small enough (`groups`).
//! 3. Each new segment takes the place of the old ones (`log/replace.rs`) before the next one is begun, so that a crash
//!    loses no more than work, and a marker that lets an older record go is gone only after that record.
//!
//! # Invariants
//! - Segments that are not sealed, that hold anything at or above the high watermark, or that are younger than
//!   `min.compaction.lag.ms` are neither mapped nor written anew, nor is anything behind one.
//! - The last batch of a new segment stays, if need be without records, so that the segments of a log follow each
//!   other without a gap: recovery can still tell a compacted log from one that has lost something (ADR 0008).
//! - A log with a damaged batch, or whose disk fails, is not cleaned any more, and says why; the others are.
//! - A batch whose records are larger than the cleaner's memory when decompressed stays as it is, and so do all tombstones
//!   behind it: what they delete may be in it.
//!
//! Deliberately absent: retention by time and size; looking for aborted transactions (no `.txnindex` is written yet).
//!
//! Source: `LogCleanerManager` and `Cleaner` of Kafka 4.3.1; KIP-58, KIP-354 (compaction lags), KIP-534.

mod choice;
mod error;
mod filter;
mod groups;
mod offset_map;
mod pace;
mod pass;
mod source;
mod transactions;
mod writer;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use io::Io;
use types::Offset;

use self::choice::Candidate;
use self::error::CleaningError;
use self::offset_map::HashKeys;
use self::pace::Throttle;
use crate::log::Log;
use crate::shard::ShardStorage;

/// What a shard's cleaner may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerConfig {
    /// Bytes of memory for the offsets of keys: this shard's part of `log.cleaner.dedupe.buffer.size`. They are taken only
    /// while a log is cleaned, and only as many as its dirty records can need.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: the part of it that is filled, above 0 and below 1.
    pub load_factor: f64,
    /// Bytes read ahead and collected for a write, together: this shard's part of `log.cleaner.io.buffer.size`. A batch
    /// that is larger is held whole.
    pub io_buffer_bytes: usize,
    /// Bytes of memory for the decompressed records of a batch; what stays of them takes as much again. A batch with more
    /// is not cleaned. It must not be raised for logs that were cleaned with less: tombstones that were kept for the sake of
    /// such a batch would go before the records in it that they delete.
    pub batch_records_bytes_max: usize,
    /// Bytes read and written in a second: this shard's part of `log.cleaner.io.max.bytes.per.second`.
    pub io_bytes_per_second_max: f64,
}

impl Default for CleanerConfig {
    /// Kafka's defaults, for a single shard.
    fn default() -> Self {
        Self {
            dedupe_buffer_bytes: 128 << 20,
            load_factor: 0.9,
            io_buffer_bytes: 512 << 10,
            batch_records_bytes_max: 64 << 20,
            io_bytes_per_second_max: f64::MAX,
        }
    }
}

/// What a pass over a log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleaningReport {
    /// The first offset that had not been cleaned.
    pub first_dirty: Offset,
    /// The first offset that is not cleaned now.
    pub end_offset: Offset,
    /// Bytes of the segments that were written anew.
    pub bytes_before: u64,
    /// Bytes of what took their place.
    pub bytes_after: u64,
    /// Records in them before.
    pub records_before: u64,
    /// Records in them now.
    pub records_after: u64,
    /// Batches that stayed as they were because their records are too large when decompressed.
    pub batches_too_large: u64,
    /// Different keys that the map took.
    pub keys: usize,
    /// Bytes of the map.
    pub map_bytes: usize,
    /// How long it took.
    pub duration: Duration,
}

/// What cleaning has come to on a shard since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanerTotals {
    /// Passes over a log that were completed.
    pub passes: u64,
    /// Bytes of the segments that they wrote anew.
    pub bytes_before: u64,
    /// Bytes of what took their place.
    pub bytes_after: u64,
    /// Records that they left out.
    pub records_removed: u64,
    /// Batches that stayed as they were because their records are too large when decompressed, in all passes.
    pub batches_too_large: u64,
    /// Passes that were put off, for example because the disk was full.
    pub passes_put_off: u64,
    /// Logs that are not cleaned any more, because of damage or of a failing disk.
    pub logs_given_up: u64,
}

impl CleanerTotals {
    fn add(&mut self, report: &CleaningReport) {
        self.passes += 1;
        self.bytes_before += report.bytes_before;
        self.bytes_after += report.bytes_after;
        self.records_removed += report.records_before.saturating_sub(report.records_after);
        self.batches_too_large += report.batches_too_large;
    }
}

/// Cleans the logs of one shard, one at a time.
pub struct Cleaner<I: Io> {
    shard: ShardStorage<I>,
    config: RefCell<CleanerConfig>,
    throttle: Throttle,
    hash_keys: HashKeys,
}

impl<I: Io> std::fmt::Debug for Cleaner<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cleaner")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<I: Io> Cleaner<I> {
    /// Makes the cleaner of a shard.
    #[must_use]
    pub fn new(shard: &ShardStorage<I>, config: CleanerConfig) -> Self {
        let io = shard.io();
        Self {
            hash_keys: HashKeys([io.random(), io.random()]),
            throttle: Throttle::new(config.io_bytes_per_second_max),
            config: RefCell::new(config),
            shard: shard.clone(),
        }
    }

    /// Takes another configuration, which counts from the next pass on; its rate counts at once.
    pub fn configure(&self, config: CleanerConfig) {
        self.throttle.set_rate(config.io_bytes_per_second_max);
        self.config.replace(config);
    }

    /// Makes one pass over the log that needs it most, if one does: whose share of dirty bytes is the largest and above
    /// its `min.cleanable.dirty.ratio`, or that holds dirty records older than its `max.compaction.lag.ms`. When a log
    /// cannot be cleaned now (its disk is full) the next one gets its turn. Cancellation leaves what opening the log
    /// finishes; the log must not be used then.
    pub async fn clean_filthiest(&self, logs: &[Log<I>]) -> Option<CleaningReport> {
        let mut candidates: Vec<Candidate<I>> = Vec::new();
        for log in logs {
            match choice::candidate(&log.inner).await {
                Ok(candidate) => candidates.extend(candidate),
                Err(error) => stop_cleaning(log, &error),
            }
        }
        candidates.sort_by(|left, right| right.ratio().total_cmp(&left.ratio()));
        for candidate in candidates {
            let log = Log {
                inner: Rc::clone(&candidate.log),
            };
            match self.clean(&candidate).await {
                Ok(report) => {
                    self.shard.shared.cleaner.borrow_mut().add(&report);
                    tracing::info!(dir = %log.dir().display(), ?report, "log cleaned");
                    return Some(report);
                }
                Err(error) => stop_cleaning(&log, &error),
            }
        }
        None
    }

    async fn clean(&self, candidate: &Candidate<I>) -> Result<CleaningReport, CleaningError> {
        let log = &candidate.log;
        {
            let mut state = log.state.borrow_mut();
            if state.must_not_clean() {
                return Err(CleaningError::Stopped);
            }
            state.tasks.cleaning = true;
        }
        let config = *self.config.borrow();
        let pass = pass::Pass::new(candidate, config, self.hash_keys, &self.throttle);
        let result = pass.run().await;
        {
            let mut state = log.state.borrow_mut();
            state.tasks.cleaning = false;
            if let Ok(report) = &result {
                state.cleaning.first_dirty = Some(report.end_offset);
            }
        }
        log.progress.notify_all();
        result
    }

    /// The shard's storage that it works on.
    #[must_use]
    pub fn shard(&self) -> &ShardStorage<I> {
        &self.shard
    }
}

/// Says why a log was not cleaned, and keeps it from being tried again if that would be in vain.
fn stop_cleaning<I: Io>(log: &Log<I>, error: &CleaningError) {
    let dir = log.dir().display();
    match error {
        CleaningError::Stopped => tracing::debug!(%dir, "cleaning given up: {error}"),
        CleaningError::DiskFull | CleaningError::Busy(_) => {
            tracing::warn!(%dir, "log not cleaned now: {error}");
            log.inner.shard.shared.cleaner.borrow_mut().passes_put_off += 1;
        }
        CleaningError::Uncleanable(_) => {
            tracing::error!(%dir, "log not cleaned any more: {error}");
            log.inner.shard.shared.cleaner.borrow_mut().logs_given_up += 1;
            log.inner.state.borrow_mut().cleaning.uncleanable = Some(error.to_string());
        }
    }
}
