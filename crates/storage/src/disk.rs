//! What a shard asks of the disk of a data directory, and how long the disk takes.
//!
//! Plain cells on the shard's thread; logs add to them beside each operation, none of which takes less than microseconds.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use io::Io;
use types::{Distribution, Histogram};

/// Operations of one kind.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    times: Histogram,
    bytes: Cell<u64>,
    failed: Cell<u64>,
    under_way: Cell<u64>,
}

/// What has become of operations of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationTotals {
    /// How long those took that have ended, well or not.
    pub times: Distribution,
    /// The bytes of those that ended well.
    pub bytes: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that have begun and not ended.
    pub under_way: u64,
}

/// An operation that has begun. One whose future is dropped ends then, uncounted.
pub(crate) struct Operation<'a>(&'a Operations);

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        let under_way = &self.0.under_way;
        under_way.set(under_way.get() - 1);
    }
}

impl Operations {
    /// Carries out an operation on `bytes` bytes, and counts it.
    ///
    /// # Errors
    /// Those of the operation.
    pub(crate) async fn count<I: Io, T>(
        &self,
        io: &I,
        bytes: usize,
        operation: impl Future<Output = std::io::Result<T>>,
    ) -> std::io::Result<T> {
        self.under_way.set(self.under_way.get() + 1);
        let began = io.now();
        let under_way = Operation(self);
        let result = operation.await;
        drop(under_way);
        self.note(io.now().saturating_since(began), bytes, result.is_ok());
        result
    }

    fn note(&self, time: Duration, bytes: usize, is_ok: bool) {
        self.times.note(time);
        if is_ok {
            self.bytes.set(self.bytes.get() + bytes as u64);
        } else {
            self.failed.set(self.failed.get() + 1);
        }
    }

    fn totals(&self) -> OperationTotals {
        OperationTotals {
            times: self.times.distribution(),
            bytes: self.bytes.get(),
            failed: self.failed.get(),
            under_way: self.under_way.get(),
        }
    }
}

/// The disk under one data directory, as one shard uses it for its logs.
#[derive(Debug, Default)]
pub(crate) struct DiskUse {
    /// Writes of the tails of logs.
    pub(crate) writes: Operations,
    /// Syncs of segments.
    pub(crate) syncs: Operations,
    /// Reads of cells for clients, the cleaner and the scrubber not included.
    pub(crate) reads: Operations,
    /// Logs that were fenced.
    pub(crate) fences: Cell<u64>,
    /// Those of them that are still there.
    pub(crate) fenced: Cell<u64>,
}

/// What the disk under a data directory has done for a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskTotals {
    /// The data directory.
    pub data_dir: PathBuf,
    /// Writes of record batches.
    pub writes: OperationTotals,
    /// Syncs of segments.
    pub syncs: OperationTotals,
    /// Reads for consumers.
    pub reads: OperationTotals,
    /// Logs that were stopped since a write or a sync failed, or their disk as a whole.
    pub fences: u64,
    /// Those of them that are there, and take nothing: neither deleted since nor given up with their directory.
    pub fenced: u64,
    /// Free bytes, as of the last measurement; `None` before the first append.
    pub free_bytes: Option<u64>,
    /// Whether appends are refused for want of space.
    pub is_full: bool,
}

impl DiskUse {
    pub(crate) fn totals(
        &self,
        data_dir: PathBuf,
        free_bytes: Option<u64>,
        is_full: bool,
    ) -> DiskTotals {
        DiskTotals {
            data_dir,
            writes: self.writes.totals(),
            syncs: self.syncs.totals(),
            reads: self.reads.totals(),
            fences: self.fences.get(),
            fenced: self.fenced.get(),
            free_bytes,
            is_full,
        }
    }
}
