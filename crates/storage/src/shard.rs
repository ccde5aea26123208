//! What the logs of one shard share: memory, descriptors, loaded indexes, reads in flight.
//!
//! A handle of one shard; it never leaves the shard's thread. It owns no log: logs own it, and it knows those whose
//! tail holds a staging chunk, to take the chunk back when the log idles.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::rc::{Rc, Weak};
use std::time::Duration;

use io::sync::{Notified, Notify};
use io::{Io, OpenMode, Task as _, TaskClass};
use rustc_hash::FxHashMap;

pub use crate::cache::CacheTotals;
use crate::cache::{BatchCache, PieceKey};
use crate::cleaner::CleanerTotals;
use crate::config::StorageConfig;
use crate::damage::Damages;
use crate::disk::DiskTotals;
use crate::files::{FileUse, OpenFiles, SegmentKey};
use crate::index::{OffsetIndex, TimeIndex};
use crate::log::{LogInner, ReadInFlight};
use crate::lru::Lru;
use crate::scrub::ScrubTotals;
use crate::space::DiskSpace;
use crate::staging::{ChunkPools, Supply, class_of};
use crate::trash::Trash;

/// How often an open is tried.
const OPEN_ATTEMPTS_MAX: u32 = 5;

/// The first pause between two tries; it grows by as much each time.
const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// What may change of a [`StorageConfig`] while logs are open; the fields are those of the same names there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Appends are refused when less than this is free on a disk.
    pub disk_reserve_bytes: u64,
    /// How fast the files of what was deleted are removed.
    pub delete_bytes_per_second: u64,
    /// The largest write of a log.
    pub write_bytes: usize,
    /// How long a commit waits for more under sustained load.
    pub commit_window: Duration,
    /// Dirty bytes from which a commit waits no longer.
    pub commit_bytes: u64,
}

/// The storage of one shard. Clones are handles of the same.
pub struct ShardStorage<I: Io> {
    pub(crate) shared: Rc<ShardShared<I>>,
}

pub(crate) struct ShardShared<I: Io> {
    pub(crate) io: I,
    pub(crate) config: StorageConfig,
    pub(crate) pools: ChunkPools<I::Buffer>,
    pub(crate) cache: RefCell<BatchCache>,
    pub(crate) reads: RefCell<FxHashMap<PieceKey, Rc<ReadInFlight>>>,
    pub(crate) indexes: RefCell<Lru<SegmentKey, Rc<LoadedIndexes>>>,
    pub(crate) damages: RefCell<Damages>,
    pub(crate) scrub: RefCell<ScrubTotals>,
    pub(crate) cleaner: RefCell<CleanerTotals>,
    /// The segment that the scrubber reads, until it goes or is replaced.
    pub(crate) scrubbed: Cell<Option<SegmentKey>>,
    /// A segment was sealed.
    pub(crate) sealed: Notify,
    pub(crate) trash: Trash,
    files: OpenFiles<I::File>,
    next_log: Cell<u64>,
    /// Logs whose tail may hold a chunk.
    tails: RefCell<Vec<Weak<LogInner<I>>>>,
    sweeping: Cell<bool>,
    /// Bytes that logs hold in memory only.
    unwritten_bytes: Cell<u64>,
    /// Some of them were written.
    pub(crate) written: Notify,
    /// A log was fenced.
    pub(crate) failed: Notify,
    /// By data directory. There are few.
    spaces: RefCell<Vec<Rc<DiskSpace>>>,
    /// What may change of the configuration while logs are open.
    pace: Cell<Pace>,
}

/// The indexes of a sealed segment.
#[derive(Debug, Default)]
pub(crate) struct LoadedIndexes {
    pub(crate) offsets: OffsetIndex,
    pub(crate) times: TimeIndex,
    /// Whether they were held against the log itself: what cannot be read then is not their fault.
    pub(crate) are_proven: Cell<bool>,
}

/// The memory that a shard's storage holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Chunks and reads that are in tails, in the cache or lent to readers.
    pub lent_bytes: usize,
    /// The part of it that the batch cache keeps.
    pub cache_bytes: usize,
    /// Loaded indexes of sealed segments.
    pub index_bytes: usize,
}

/// Whether a failed open may succeed a little later.
fn may_pass(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
    )
}

impl<I: Io> Clone for ShardStorage<I> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<I: Io> std::fmt::Debug for ShardStorage<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShardStorage")
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}

impl<I: Io> ShardStorage<I> {
    /// Makes the storage of the shard that `io` belongs to.
    #[must_use]
    pub fn new(io: I, config: StorageConfig) -> Self {
        let shared = ShardShared {
            pools: ChunkPools::new(),
            cache: RefCell::new(BatchCache::new(config.cache_bytes)),
            reads: RefCell::default(),
            indexes: RefCell::new(Lru::new(config.index_cache_bytes)),
            damages: RefCell::default(),
            scrub: RefCell::default(),
            cleaner: RefCell::default(),
            scrubbed: Cell::new(None),
            sealed: Notify::new(),
            files: OpenFiles::new(config.open_files_max),
            trash: Trash::default(),
            next_log: Cell::new(0),
            tails: RefCell::default(),
            sweeping: Cell::new(false),
            unwritten_bytes: Cell::new(0),
            written: Notify::new(),
            failed: Notify::new(),
            spaces: RefCell::default(),
            pace: Cell::new(Pace {
                disk_reserve_bytes: config.disk_reserve_bytes,
                delete_bytes_per_second: config.delete_bytes_per_second,
                write_bytes: config.write_bytes,
                commit_window: config.commit_window,
                commit_bytes: config.commit_bytes,
            }),
            io,
            config,
        };
        Self {
            shared: Rc::new(shared),
        }
    }

    /// The seam it works on.
    #[must_use]
    pub fn io(&self) -> &I {
        &self.shared.io
    }

    /// Its configuration as it began; see [`ShardStorage::set_pace`] for what may have changed since.
    #[must_use]
    pub fn config(&self) -> &StorageConfig {
        &self.shared.config
    }

    /// Keeps to another pace from now on: what is under way ends as it began.
    pub fn set_pace(&self, pace: Pace) {
        self.shared.pace.set(pace);
        for space in &*self.shared.spaces.borrow() {
            space.set_reserve(pace.disk_reserve_bytes);
        }
    }

    /// What it keeps to now.
    pub(crate) fn pace(&self) -> Pace {
        self.shared.pace.get()
    }

    /// What the disks have done for it, by data directory.
    #[must_use]
    pub fn disks(&self) -> Vec<DiskTotals> {
        let spaces = self.shared.spaces.borrow();
        spaces.iter().map(|space| space.totals()).collect()
    }

    /// What the batch cache was good for.
    #[must_use]
    pub fn cache_totals(&self) -> CacheTotals {
        self.shared.cache.borrow().totals()
    }

    /// Bytes that its logs hold in memory only.
    #[must_use]
    pub fn unwritten_bytes(&self) -> u64 {
        self.shared.unwritten_bytes.get()
    }

    /// The memory that it holds now.
    #[must_use]
    pub fn memory(&self) -> MemoryUse {
        MemoryUse {
            lent_bytes: self.shared.pools.lent_bytes(),
            cache_bytes: self.shared.cache.borrow().memory_bytes(),
            index_bytes: self.shared.indexes.borrow().weight(),
        }
    }

    /// What the scrubber and readers have found so far.
    #[must_use]
    pub fn scrub_totals(&self) -> ScrubTotals {
        let damaged_now = self.shared.damages.borrow().count();
        ScrubTotals {
            damaged_now,
            ..*self.shared.scrub.borrow()
        }
    }

    /// What cleaning has come to so far.
    #[must_use]
    pub fn cleaner_totals(&self) -> CleanerTotals {
        *self.shared.cleaner.borrow()
    }

    /// Completes when the next log of the shard is fenced.
    #[must_use]
    pub fn log_failed(&self) -> Notified {
        self.shared.failed.notified()
    }

    /// Takes memory back that readers have let go of. Appends and reads do it by the way; this is for idle times.
    pub fn reclaim(&self) {
        self.shared.pools.reclaim();
    }

    /// Allocates `bytes` of staging memory, so that the first appends find it warm.
    pub fn prefill(&self, bytes: usize) {
        let pool = self.shared.pools.up_to(self.pace().write_bytes);
        let count = bytes / pool.chunk_len_bytes();
        pool.prefill(count, |len_bytes| self.shared.io.allocate(len_bytes));
    }

    pub(crate) fn new_log_id(&self) -> u64 {
        let id = self.shared.next_log.get();
        self.shared.next_log.set(id + 1);
        id
    }

    /// What is known of the space of a data directory.
    pub(crate) fn space(&self, data_dir: &Path) -> Rc<DiskSpace> {
        let mut spaces = self.shared.spaces.borrow_mut();
        if let Some(space) = spaces.iter().find(|space| space.data_dir == data_dir) {
            return Rc::clone(space);
        }
        let reserve_bytes = self.pace().disk_reserve_bytes;
        let space = Rc::new(DiskSpace::new(data_dir.to_path_buf(), reserve_bytes));
        spaces.push(Rc::clone(&space));
        space
    }

    /// Measures `space` in the background if that is due.
    pub(crate) fn measure(&self, space: &Rc<DiskSpace>) {
        let io = &self.shared.io;
        if !space.is_stale(io.now()) || space.measuring.replace(true) {
            return;
        }
        let (shard, space) = (self.clone(), Rc::clone(space));
        let measuring = async move {
            let io = &shard.shared.io;
            let free_bytes = match io.free_space_bytes(&space.data_dir).await {
                Ok(free_bytes) => free_bytes,
                Err(error) => {
                    // Writes will say what is wrong with the disk.
                    tracing::warn!(dir = %space.data_dir.display(), %error, "free space is unknown");
                    u64::MAX
                }
            };
            space.measuring.set(false);
            space.set_free(free_bytes, io.now());
        };
        io.spawn(TaskClass::Foreground, measuring).detach();
    }

    /// Whether the logs together may hold `len_bytes` more that are not written. One batch always may.
    pub(crate) fn has_memory_for(&self, len_bytes: usize) -> bool {
        let config = &self.shared.config;
        let bound = config.staging_bytes.max(config.uncommitted_bytes_max) as u64;
        let unwritten = self.shared.unwritten_bytes.get();
        unwritten == 0 || unwritten + len_bytes as u64 <= bound
    }

    pub(crate) fn add_unwritten(&self, len_bytes: u64) {
        let unwritten = &self.shared.unwritten_bytes;
        unwritten.set(unwritten.get() + len_bytes);
    }

    pub(crate) fn remove_unwritten(&self, len_bytes: u64) {
        let unwritten = &self.shared.unwritten_bytes;
        unwritten.set(unwritten.get() - len_bytes);
        self.shared.written.notify_all();
    }

    /// Whether readers may go on pinning whole chunks: not when they, the tails and the cache hold too much.
    pub(crate) fn may_lend(&self) -> bool {
        let config = &self.shared.config;
        let bound = config.cache_bytes + 2 * config.staging_bytes;
        self.shared.pools.lent_bytes() <= bound
    }

    /// Runs `work` with what appends need.
    pub(crate) fn with_supply<T>(&self, work: impl FnOnce(&Supply<'_, I::Buffer>) -> T) -> T {
        let io = &self.shared.io;
        work(&Supply {
            pools: &self.shared.pools,
            allocate: &|len_bytes| io.allocate(len_bytes),
            now: io.now(),
            class_max: class_of(self.pace().write_bytes),
        })
    }

    /// The file of a segment, opened in `mode` unless it is open. An open that fails may only lack descriptors or
    /// memory: it is tried again, a few times, with fewer files kept open.
    pub(crate) async fn file(
        &self,
        key: SegmentKey,
        path: &Path,
        mode: OpenMode,
    ) -> Result<FileUse<I::File>> {
        let io = &self.shared.io;
        for attempt in 1..OPEN_ATTEMPTS_MAX {
            let opened = self.shared.files.get(key, || io.open(path, mode)).await;
            match opened {
                Err(error) if may_pass(&error) => {
                    tracing::warn!(path = %path.display(), %error, "an open is tried again");
                    self.shared.files.shed();
                    io.sleep_until(io.now() + OPEN_AGAIN_AFTER * attempt).await;
                }
                final_result => return final_result,
            }
        }
        self.shared.files.get(key, || io.open(path, mode)).await
    }

    /// Drops what is kept for a segment.
    pub(crate) fn forget_segment(&self, key: SegmentKey) {
        self.shared.files.forget(key);
        self.shared.indexes.borrow_mut().remove(&key);
        self.shared.damages.borrow_mut().keep_only(key, &[]);
        if self.shared.scrubbed.get() == Some(key) {
            self.shared.scrubbed.set(None);
        }
    }

    /// Drops everything that is kept for a segment, in memory too.
    pub(crate) fn forget_pieces(&self, key: SegmentKey) {
        self.forget_segment(key);
        self.shared.cache.borrow_mut().forget_segment(key.0, key.1);
    }

    /// Whether logs may keep the chunk of their tail between appends: not when they and readers hold too much.
    pub(crate) fn may_keep_tails(&self) -> bool {
        let cached = self.shared.cache.borrow().memory_bytes();
        let elsewhere = self.shared.pools.lent_bytes().saturating_sub(cached);
        elsewhere <= self.shared.config.staging_bytes
    }

    /// Notes that the tail of `log` holds a chunk now, and starts the sweep that takes it back one day.
    pub(crate) fn tail_begun(&self, log: &Rc<LogInner<I>>) {
        self.shared.tails.borrow_mut().push(Rc::downgrade(log));
        if !self.shared.sweeping.replace(true) {
            let shard = self.clone();
            self.shared
                .io
                .spawn(TaskClass::Background, async move { shard.sweep().await })
                .detach();
        }
    }

    /// Takes chunks back from idle tails until none holds one. When all tails together hold too much, every tail
    /// whose content is on disk counts as idle.
    async fn sweep(self) {
        loop {
            let io = &self.shared.io;
            io.sleep_until(io.now() + self.shared.config.tail_idle)
                .await;
            let tails = std::mem::take(&mut *self.shared.tails.borrow_mut());
            let held: usize = tails
                .iter()
                .filter_map(Weak::upgrade)
                .map(|log| log.staged_bytes())
                .sum();
            let crowded = held > self.shared.config.staging_bytes;
            let now = io.now();
            for tail in tails {
                let holds = tail
                    .upgrade()
                    .is_some_and(|log| !log.give_tail_back(now, crowded));
                if holds {
                    self.shared.tails.borrow_mut().push(tail);
                }
            }
            self.reclaim();
            if self.shared.tails.borrow().is_empty() {
                self.shared.sweeping.set(false);
                return;
            }
        }
    }
}
