//! How much room the file system of a data directory has left for appends.
//!
//! Shared by the logs of one shard whose directories lie in the same data directory. The free space is measured now and
//! then while there are appends; between measurements what is appended is subtracted. A full disk is measured again
//! as long as somebody asks, so appends go on once space returns. Invariant: appends leave the reserve free.
//!
//! It starts no task and does no I/O: [`crate::ShardStorage`] measures.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use io::Instant;
use io::sync::Notify;

/// Bytes appended after which the free space is measured again.
const MEASURE_BYTES: u64 = 16 << 20;

/// The time after which a measurement is stale.
const MEASURE_AFTER: Duration = Duration::from_millis(500);

/// Whether an append fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    Full,
    /// Nothing was measured yet.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    at: Instant,
    free_bytes: u64,
    appended_bytes: u64,
}

/// The room of one data directory.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    pub(crate) data_dir: PathBuf,
    reserve_bytes: u64,
    measured: Cell<Option<Measured>>,
    pub(crate) measuring: Cell<bool>,
    /// A measurement has ended.
    pub(crate) changed: Notify,
}

impl DiskSpace {
    pub(crate) fn new(data_dir: PathBuf, reserve_bytes: u64) -> Self {
        Self {
            data_dir,
            reserve_bytes,
            measured: Cell::new(None),
            measuring: Cell::new(false),
            changed: Notify::new(),
        }
    }

    /// Whether `len_bytes` may be appended.
    pub(crate) fn room_for(&self, len_bytes: usize) -> Room {
        let Some(measured) = self.measured.get() else {
            return Room::Unknown;
        };
        let wanted = measured.appended_bytes + len_bytes as u64;
        if measured.free_bytes.saturating_sub(self.reserve_bytes) >= wanted {
            Room::Enough
        } else {
            Room::Full
        }
    }

    /// Bytes that may be preallocated beyond what is needed at once: a part of what is free.
    pub(crate) fn spare_bytes(&self) -> u64 {
        let free = self
            .measured
            .get()
            .map_or(0, |measured| measured.free_bytes);
        free.saturating_sub(self.reserve_bytes) / 16
    }

    /// Whether it should be measured now.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.measured.get().is_none_or(|measured| {
            measured.appended_bytes >= MEASURE_BYTES
                || now.saturating_since(measured.at) >= MEASURE_AFTER
        })
    }

    pub(crate) fn appended(&self, len_bytes: usize) {
        if let Some(mut measured) = self.measured.get() {
            measured.appended_bytes += len_bytes as u64;
            self.measured.set(Some(measured));
        }
    }

    /// Takes a measurement, or the operating system's word that nothing is free.
    pub(crate) fn set_free(&self, free_bytes: u64, now: Instant) {
        self.measured.set(Some(Measured {
            at: now,
            free_bytes,
            appended_bytes: 0,
        }));
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use io::Instant;

    use super::{DiskSpace, Room};

    #[test]
    fn appends_leave_the_reserve_and_go_on_when_space_returns() {
        let space = DiskSpace::new(PathBuf::new(), 100);
        let start = Instant(0);
        assert_eq!(space.room_for(1), Room::Unknown);
        assert!(space.is_stale(start));
        space.set_free(150, start);
        assert!(!space.is_stale(start));
        assert_eq!(space.room_for(50), Room::Enough);
        assert_eq!(space.room_for(51), Room::Full);
        space.appended(50);
        assert_eq!(space.room_for(1), Room::Full);
        assert!(space.is_stale(start + Duration::from_secs(1)));
        space.set_free(1000, start);
        assert_eq!(space.room_for(900), Room::Enough);
    }
}
