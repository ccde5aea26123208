//! Removing files that nobody needs any more, without the disk's other users noticing.
//!
//! One task of each shard, alive only while there is something to remove. Freeing the blocks of a large file takes the
//! file system's journal, and with it every sync of that disk, a while; so a large file is cut slice by slice from its
//! end, with a pause after each, and its name goes last. All of it happens on the helper threads, at a bounded rate.
//!
//! What is in here has lost its place already: it has a name that a start recognises (`.deleted`, `-delete`) or lies below
//! the log's start, so whatever a crash leaves of it is removed after the next start. A reader that still has the file
//! open finds it shorter, never changed.
//!
//! Deliberately absent: waiting for readers. Who may still need a file is given time by the delay that it comes with.
//!
//! Source: the measurements of ADR 0007.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::select;
use io::sync::Notify;
use io::{File as _, Instant, Io, OpenMode, Task as _, TaskClass};

use crate::shard::ShardStorage;

/// How much of a file is freed at once: some 0.2 ms of the file system's time, less than a sync takes itself.
pub(crate) const SLICE_BYTES: u64 = 1 << 20;

/// What the removal of a name counts for at least, in bytes: it costs the journal something too.
const NAME_COST_BYTES: u64 = 1 << 20;

/// How often the removal of one thing is tried before it is left to the next start.
const ATTEMPTS_MAX: u32 = 5;

/// The pause before the second try; it grows by as much each time.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Things that wait at the same time. More are left to the next start, which finds them by their names.
const WAITING_MAX: usize = 100_000;

/// Something that is to be removed.
#[derive(Debug)]
struct Discarded {
    path: PathBuf,
    attempts: u32,
}

/// What one shard has to remove, by when.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    waiting: RefCell<BTreeMap<(Instant, u64), Discarded>>,
    /// Distinguishes what is due at the same time.
    count: Cell<u64>,
    is_emptied: Cell<bool>,
    arrived: Notify,
}

impl Trash {
    fn add(&self, due: Instant, discarded: Discarded) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= WAITING_MAX {
            return false;
        }
        let number = self.count.get();
        self.count.set(number + 1);
        waiting.insert((due, number), discarded);
        true
    }

    fn next_due(&self) -> Option<Instant> {
        let waiting = self.waiting.borrow();
        waiting.first_key_value().map(|((due, _), _)| *due)
    }

    fn take(&self, now: Instant) -> Option<Discarded> {
        let mut waiting = self.waiting.borrow_mut();
        let first = waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

impl<I: Io> ShardStorage<I> {
    /// Removes a file, or a directory of files, in the background, `delay` from now at the earliest.
    pub(crate) fn discard(&self, path: PathBuf, delay: Duration) {
        let due = self.io().now() + delay;
        let discarded = Discarded { path, attempts: 0 };
        self.discard_at(due, discarded);
    }

    /// As [`ShardStorage::discard`], for what an earlier run has left.
    pub(crate) fn discard_at_once(&self, path: PathBuf) {
        self.discard(path, Duration::ZERO);
    }

    /// How many files and directories wait to be removed.
    #[must_use]
    pub fn discarded_count(&self) -> usize {
        let trash = &self.shared.trash;
        trash.waiting.borrow().len() + usize::from(trash.is_emptied.get())
    }

    fn discard_at(&self, due: Instant, discarded: Discarded) {
        let trash = &self.shared.trash;
        if !trash.add(due, discarded) {
            tracing::warn!("too much waits to be removed: some of it is left to the next start");
            return;
        }
        trash.arrived.notify_all();
        if !trash.is_emptied.replace(true) {
            let shard = self.clone();
            let emptying = async move { shard.empty_trash().await };
            self.io().spawn(TaskClass::Background, emptying).detach();
        }
    }

    async fn empty_trash(self) {
        let io = self.io();
        let trash = &self.shared.trash;
        loop {
            let arrived = trash.arrived.notified();
            let Some(due) = trash.next_due() else {
                trash.is_emptied.set(false);
                return;
            };
            let Some(discarded) = trash.take(io.now()) else {
                let due = std::pin::pin!(io.sleep_until(due));
                select(due, arrived).await;
                continue;
            };
            if let Err(error) = self.remove(&discarded.path).await {
                self.try_again(discarded, &error);
            }
        }
    }

    fn try_again(&self, discarded: Discarded, error: &std::io::Error) {
        let path = discarded.path.display();
        let attempts = discarded.attempts + 1;
        if attempts >= ATTEMPTS_MAX {
            tracing::error!(%path, %error, "cannot be removed: left to the next start");
            return;
        }
        tracing::warn!(%path, %error, "not removed yet");
        let due = self.io().now() + AGAIN_AFTER * attempts;
        let discarded = Discarded {
            attempts,
            ..discarded
        };
        self.discard_at(due, discarded);
    }

    /// Removes a file or a directory of files.
    async fn remove(&self, path: &Path) -> Result<()> {
        let io = self.io();
        let entries = match io.list_dir(path).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return self.remove_slowly(path).await;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            self.remove_slowly(&path.join(&entry.name)).await?;
        }
        io.remove_dir(path).await
    }

    async fn remove_slowly(&self, path: &Path) -> Result<()> {
        let io = self.io();
        let mut charged_bytes = NAME_COST_BYTES;
        match self.cut_to_slice(path).await {
            Ok(rest_bytes) => charged_bytes = charged_bytes.max(rest_bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            // Then it goes in one piece.
            Err(error) => tracing::debug!(path = %path.display(), %error, "not cut in slices"),
        }
        match io.remove_file(path).await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.pause_after(charged_bytes).await;
        Ok(())
    }

    /// Cuts a file from its end until no more than a slice is left. Returns what is left.
    async fn cut_to_slice(&self, path: &Path) -> Result<u64> {
        let file = self.io().open(path, OpenMode::Existing).await?;
        let mut len_bytes = file.len_bytes().await?;
        while len_bytes > SLICE_BYTES {
            len_bytes -= SLICE_BYTES;
            file.set_len(len_bytes).await?;
            self.pause_after(SLICE_BYTES).await;
        }
        file.close().await?;
        Ok(len_bytes)
    }

    /// Waits for as long as freeing `bytes` may take at the rate that is allowed.
    async fn pause_after(&self, bytes: u64) {
        let io = self.io();
        let rate = self.pace().delete_bytes_per_second;
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
        let pause = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        io.sleep_until(io.now() + pause).await;
    }
}
