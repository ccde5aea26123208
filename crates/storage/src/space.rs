//! How much room the file system of a data directory has left for appends.
//!
//! Shared by the logs of one shard whose directories lie in the same data directory. The free space is measured now and
//! then while there are appends; between measurements what is appended is subtracted. A full disk is measured again
//! as long as somebody asks, before anybody is refused because of an old measurement, so appends go on once space returns.
//! The begin and the end of such a time are logged, once for each shard that meets it. Invariant: appends leave the reserve
//! free.
//!
//! It starts no task and does no I/O: [`crate::ShardStorage`] measures.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use io::Instant;
use io::sync::Notify;

use crate::disk::{DiskTotals, DiskUse};
use crate::group_sync::GroupSync;

/// Bytes appended after which the free space is measured again.
const MEASURE_BYTES: u64 = 16 << 20;

/// The time after which a measurement is stale.
const MEASURE_AFTER: Duration = Duration::from_millis(500);

/// Free space beyond what was refused from which a disk counts as full no more.
const RECOVERED_BYTES: u64 = 1 << 20;

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
    reserve_bytes: Cell<u64>,
    measured: Cell<Option<Measured>>,
    pub(crate) measuring: Cell<bool>,
    /// The bytes that an append wanted which was refused, until there is room for as much and more.
    refused_bytes: Cell<Option<u64>>,
    /// A measurement has ended.
    pub(crate) changed: Notify,
    /// Makes the names of new logs durable.
    pub(crate) names: GroupSync,
    /// What the disk is asked for.
    pub(crate) disk: DiskUse,
}

impl DiskSpace {
    pub(crate) fn new(data_dir: PathBuf, reserve_bytes: u64) -> Self {
        Self {
            data_dir,
            reserve_bytes: Cell::new(reserve_bytes),
            measured: Cell::new(None),
            measuring: Cell::new(false),
            refused_bytes: Cell::new(None),
            changed: Notify::new(),
            names: GroupSync::default(),
            disk: DiskUse::default(),
        }
    }

    /// Keeps another reserve from now on.
    pub(crate) fn set_reserve(&self, reserve_bytes: u64) {
        self.reserve_bytes.set(reserve_bytes);
    }

    /// Whether `len_bytes` may be appended.
    pub(crate) fn room_for(&self, len_bytes: usize) -> Room {
        let Some(measured) = self.measured.get() else {
            return Room::Unknown;
        };
        let wanted = measured.appended_bytes + len_bytes as u64;
        if measured.free_bytes.saturating_sub(self.reserve_bytes.get()) >= wanted {
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
        free.saturating_sub(self.reserve_bytes.get()) / 16
    }

    /// What the disk has done.
    pub(crate) fn totals(&self) -> DiskTotals {
        let free_bytes = self.measured.get().map(|measured| measured.free_bytes);
        self.disk
            .totals(self.data_dir.clone(), free_bytes, self.is_full())
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

    /// Whether appends have been refused for want of space, and it has not returned.
    pub(crate) fn is_full(&self) -> bool {
        self.refused_bytes.get().is_some()
    }

    /// Notes that an append of `len_bytes` is refused, and says so if it is the first one.
    pub(crate) fn refuse(&self, len_bytes: usize) {
        if self.is_full() {
            return;
        }
        self.refused_bytes.set(Some(len_bytes as u64));
        let measured = self.measured.get();
        let free_bytes = measured.map_or(0, |measured| measured.free_bytes);
        tracing::error!(dir = %self.data_dir.display(), free_bytes, reserve_bytes = self.reserve_bytes.get(),
            "the disk is full up to its reserve (logan.disk.reserve.bytes): appends are refused until space returns");
    }

    /// Takes a measurement, or the operating system's word that nothing is free.
    pub(crate) fn set_free(&self, free_bytes: u64, now: Instant) {
        self.measured.set(Some(Measured {
            at: now,
            free_bytes,
            appended_bytes: 0,
        }));
        let usable_bytes = free_bytes.saturating_sub(self.reserve_bytes.get());
        let refused = self.refused_bytes.get();
        if refused.is_some_and(|refused| usable_bytes >= refused.saturating_add(RECOVERED_BYTES)) {
            self.refused_bytes.set(None);
            tracing::info!(dir = %self.data_dir.display(), free_bytes, "the disk has room again: appends are taken");
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use io::Instant;

    use super::{DiskSpace, RECOVERED_BYTES, Room};

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
        space.set_reserve(101);
        assert_eq!(space.room_for(900), Room::Full);
    }

    #[test]
    fn a_disk_is_full_from_the_first_refusal_until_there_is_room_for_more_than_that() {
        let space = DiskSpace::new(PathBuf::new(), 100);
        space.set_free(150, Instant(0));
        assert!(!space.is_full());
        space.refuse(60);
        assert!(space.is_full());
        space.set_free(160, Instant(0));
        assert!(space.is_full(), "the next one would fill it again");
        space.set_free(160 + RECOVERED_BYTES, Instant(0));
        assert!(!space.is_full());
    }
}
