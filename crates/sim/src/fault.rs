//! Faults of a simulated disk.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;

/// What a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Opening or creating a file.
    Open,
    /// Reading, also whole files.
    Read,
    /// Writing, also whole files. Each sector of a write that fails may or may not have been written.
    Write,
    /// Syncing a file. What it covered survives a power cut in part, and no later sync changes that.
    Sync,
    /// Syncing a directory; as for files.
    SyncDirectory,
    /// Reserving room, cutting and extending.
    Resize,
    /// Making, renaming and removing names, and listing them.
    Names,
}

impl Operation {
    /// The least and the greatest time that it takes.
    pub(crate) fn latency_ns(self) -> (u64, u64) {
        match self {
            Self::Open | Self::Names => (5 * MICROSECOND, 60 * MICROSECOND),
            Self::Read | Self::Write => (10 * MICROSECOND, 400 * MICROSECOND),
            Self::Resize => (10 * MICROSECOND, 200 * MICROSECOND),
            Self::Sync | Self::SyncDirectory => (100 * MICROSECOND, 3 * MILLISECOND),
        }
    }
}

/// Makes operations of one kind fail, on paths that contain a text.
#[derive(Clone, Debug)]
pub struct Fault {
    operation: Operation,
    path_part: String,
    spared: u32,
    times: u32,
    error: ErrorKind,
}

impl Fault {
    /// Every `operation` on any path fails with an error of the device.
    #[must_use]
    pub fn new(operation: Operation) -> Self {
        Self {
            operation,
            path_part: String::new(),
            spared: 0,
            times: u32::MAX,
            error: ErrorKind::Other,
        }
    }

    /// Only paths that contain `path_part`.
    #[must_use]
    pub fn on(mut self, path_part: &str) -> Self {
        path_part.clone_into(&mut self.path_part);
        self
    }

    /// The first `spared` operations that match succeed.
    #[must_use]
    pub fn after(mut self, spared: u32) -> Self {
        self.spared = spared;
        self
    }

    /// Only `times` operations fail.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// The error instead of one of the device.
    #[must_use]
    pub fn error(mut self, error: ErrorKind) -> Self {
        self.error = error;
        self
    }

    pub(crate) fn strike(&mut self, operation: Operation, path: &Path) -> Result<()> {
        let matches = operation == self.operation
            && path.to_string_lossy().contains(&self.path_part)
            && self.times > 0;
        if !matches {
            return Ok(());
        }
        if self.spared > 0 {
            self.spared -= 1;
            return Ok(());
        }
        self.times -= 1;
        let what = format!("injected: {operation:?} of {}", path.display());
        Err(Error::new(self.error, what))
    }
}
