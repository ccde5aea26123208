//! The seam between Logan and the machine: files, streams, clock, tasks and mailboxes.
//!
//! Everything below the Kafka protocol that could differ between a real machine and a simulated one goes
//! through the traits of this crate. Two implementations exist: `runtime` (glommio, one executor per pinned
//! core) and `sim` (one thread, virtual clock, seeded order, a disk that can lose what was not synced).
//!
//! # Invariants
//! - An [`Io`] handle belongs to one shard and never leaves its thread: nothing here is `Send` except
//!   [`Io::Socket`], mailbox senders and the messages themselves, and [`bytes::Bytes`] lent by a [`Pool`].
//! - Dispatch is static. No trait here is made into an object.
//! - File buffers are owned and aligned to [`ALIGNMENT`]; they move into an operation and live until it completes,
//!   even when the future that waits for it is dropped.
//! - No method blocks the calling thread.
//!
//! Deliberately absent: buffered files, memory maps, shared state, locks.

pub mod buffer;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contain;
mod defect;
mod file;
mod mailbox;
mod stream;
pub mod sync;
mod task;

use std::future::Future;
use std::io::Result;
use std::path::Path;

pub use buffer::{ALIGNMENT, Buffer, ChunkWriter, HeapBuffer, Pool, align_down, align_up};
pub use clock::Instant;
pub use defect::Defect;
pub use file::{DirEntry, File, OpenMode};
pub use mailbox::{Full, Receiver, Sender};
pub use stream::{ReadHalf, Stream, WriteHalf, write_all};
pub use task::{Elapsed, Task, TaskClass, Usage, timeout};
use types::{Event, TimestampMs};

/// One shard's access to the machine. Clones are cheap handles of the same shard.
pub trait Io: Clone + 'static {
    /// Aligned memory that files read into and write from.
    type Buffer: Buffer;
    /// An open file.
    type File: File<Buffer = Self::Buffer>;
    /// An accepted or outgoing connection on this shard.
    type Stream: Stream<Socket = Self::Socket>;
    /// A connection between two shards: what the router hands over, and what a migrating connection becomes.
    type Socket: Send + 'static;
    /// A spawned task; dropping it cancels the task.
    type Task: Task;
    /// The sending side of a mailbox.
    type Sender<T: Send + 'static>: Sender<T>;
    /// The receiving side of a mailbox.
    type Receiver<T: Send + 'static>: Receiver<T>;

    /// Makes a bounded mailbox. Any thread may send; one shard receives.
    fn mailbox<T: Send + 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    /// Whether the code under test is to behave as if it had this mistake: for the simulator alone, which shows so that its
    /// checks notice mistakes. Every other implementation leaves this as it is.
    #[must_use]
    fn has_defect(_defect: Defect) -> bool {
        false
    }

    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// The wall clock, which may jump in either direction.
    fn wall_clock(&self) -> TimestampMs;

    /// 64 random bits. Under simulation they are a function of the seed.
    fn random(&self) -> u64;

    /// How much of its core the shard has used so far; zero where that is not measured.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Notes in the shard's flight recorder, if it has one, what has happened at this time. Costs nanoseconds.
    fn record(&self, _at: Instant, _event: Event) {}

    /// The same with the time of this moment.
    fn record_now(&self, _event: Event) {}

    /// Completes at or after `deadline`. Cancellation is free of side effects.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()>;

    /// Lets the reactor poll its rings before this task runs on. A task that has used its share of time
    /// (about 100 µs) waits here; a mere yield would starve sockets and disks.
    fn reschedule(&self) -> impl Future<Output = ()>;

    /// Starts `task` on this shard. Dropping the returned handle cancels it; see [`Task::detach`].
    fn spawn(&self, class: TaskClass, task: impl Future<Output = ()> + 'static) -> Self::Task;

    /// Runs `work`, which may compute for milliseconds and does no I/O, on another thread. Cancellation does not stop it.
    ///
    /// # Errors
    /// `Other` when `work` panicked, or the process is ending.
    fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T>>;

    /// Allocates aligned memory of `len_bytes`, a non-zero multiple of [`ALIGNMENT`], for file operations.
    /// The content is unspecified but initialised.
    fn allocate(&self, len_bytes: usize) -> Self::Buffer;

    /// Takes over a connection that the router or another shard handed over.
    ///
    /// # Errors
    /// When the descriptor cannot be registered with this shard's reactor.
    fn adopt(&self, socket: Self::Socket) -> Result<Self::Stream>;

    /// Opens a file for direct, aligned I/O.
    ///
    /// # Errors
    /// The operating system's: `NotFound`, `AlreadyExists` ([`OpenMode::CreateNew`]), `PermissionDenied`, and so on.
    fn open(&self, path: &Path, mode: OpenMode) -> impl Future<Output = Result<Self::File>>;

    /// Creates a directory and its missing parents. An existing one is no error.
    ///
    /// # Errors
    /// The operating system's.
    fn create_dir_all(&self, path: &Path) -> impl Future<Output = Result<()>>;

    /// Lists a directory, sorted by name.
    ///
    /// # Errors
    /// The operating system's.
    fn list_dir(&self, path: &Path) -> impl Future<Output = Result<Vec<DirEntry>>>;

    /// Lists a directory as [`Io::list_dir`] does, together with the content of the files that `pick` names by their index
    /// in the list, as far as they are at most `len_max_bytes` long and can be read. One step for what opening thousands of
    /// directories would otherwise take several each.
    ///
    /// # Errors
    /// The operating system's, when the directory cannot be listed.
    fn read_dir(
        &self,
        path: &Path,
        pick: fn(&[DirEntry]) -> Vec<usize>,
        len_max_bytes: usize,
    ) -> impl Future<Output = Result<Vec<(DirEntry, Option<Vec<u8>>)>>> {
        async move {
            let entries = self.list_dir(path).await?;
            let picked = pick(&entries);
            let mut found: Vec<_> = entries.into_iter().map(|entry| (entry, None)).collect();
            for index in picked {
                let path = path.join(&found[index].0.name);
                found[index].1 = self.read_file(&path, len_max_bytes).await.ok();
            }
            Ok(found)
        }
    }

    /// Makes creations, renames and removals in a directory durable.
    ///
    /// # Errors
    /// The operating system's. After an error nothing may be assumed durable.
    fn sync_dir(&self, path: &Path) -> impl Future<Output = Result<()>>;

    /// Renames a file or directory, replacing an existing file. Durable after [`Io::sync_dir`] of the parents.
    ///
    /// # Errors
    /// The operating system's.
    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = Result<()>>;

    /// Removes a file.
    ///
    /// # Errors
    /// The operating system's; `NotFound` when it is not there.
    fn remove_file(&self, path: &Path) -> impl Future<Output = Result<()>>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// The operating system's.
    fn remove_dir(&self, path: &Path) -> impl Future<Output = Result<()>>;

    /// Reads a small file whole (checkpoints, snapshots, indexes at start-up).
    ///
    /// # Errors
    /// The operating system's, and `InvalidData` when the file is longer than `len_max_bytes`.
    fn read_file(&self, path: &Path, len_max_bytes: usize)
    -> impl Future<Output = Result<Vec<u8>>>;

    /// Replaces a small file so that after a crash either the old or the new content is there: writes
    /// `<path>.tmp`, syncs it, renames it over `path` and syncs the directory.
    ///
    /// # Errors
    /// The operating system's. The old content is intact unless the directory sync failed.
    fn replace_file(&self, path: &Path, content: Vec<u8>) -> impl Future<Output = Result<()>>;

    /// Replaces small files of one directory, each as [`Io::replace_file`] does, with one sync of the directory for all. A
    /// crash may leave some of them replaced and others not.
    ///
    /// # Errors
    /// The operating system's; some of the files may be replaced then.
    fn replace_files(
        &self,
        directory: &Path,
        files: Vec<(String, Vec<u8>)>,
    ) -> impl Future<Output = Result<()>> {
        async move {
            for (name, content) in files {
                self.replace_file(&directory.join(name), content).await?;
            }
            Ok(())
        }
    }

    /// Bytes that an unprivileged process may still allocate on the file system of `path`.
    ///
    /// # Errors
    /// The operating system's.
    fn free_space_bytes(&self, path: &Path) -> impl Future<Output = Result<u64>>;

    /// Bytes of the whole file system of `path`.
    ///
    /// # Errors
    /// The operating system's.
    fn total_space_bytes(&self, path: &Path) -> impl Future<Output = Result<u64>>;
}
