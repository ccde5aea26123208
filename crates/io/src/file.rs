//! Files for direct, aligned I/O.

use std::future::Future;
use std::io::Result;

use types::TimestampMs;

use crate::Buffer;

/// How [`crate::Io::open`] treats an existing or a missing file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Read and write an existing file.
    Existing,
    /// Read an existing file; writes fail.
    ReadOnly,
    /// Create a file that must not exist.
    CreateNew,
    /// Open a file, creating it when it is missing.
    CreateOrOpen,
}

/// An entry of [`crate::Io::list_dir`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The last component of its path. Names that are not UTF-8 are left out of listings.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Its length in bytes; 0 for a directory.
    pub len_bytes: u64,
    /// When its content was last changed, by the wall clock; [`TimestampMs::NONE`] where that is not known.
    pub modified: TimestampMs,
}

/// An open file. Operations may run concurrently; the caller never lets two writes overlap one block.
///
/// A dropped future does not stop its operation: the buffer stays alive until the kernel is done with it.
/// A handle that is dropped without [`File::close`] is closed in the background.
pub trait File: 'static {
    /// Aligned memory of the implementation.
    type Buffer: Buffer;

    /// Writes the whole of `buffer` at `position`; both the position and the length are multiples of
    /// [`crate::ALIGNMENT`]. Returns the bytes written, which may be fewer when the disk fills up.
    /// The bytes of `buffer` must not change until this completes.
    ///
    /// # Errors
    /// The operating system's; `StorageFull` on a full disk.
    fn write_at(&self, position: u64, buffer: Self::Buffer) -> impl Future<Output = Result<usize>>;

    /// Reads up to `len_bytes` at `position`, both multiples of [`crate::ALIGNMENT`]. The returned buffer is
    /// shorter, or empty, where the file ends.
    ///
    /// # Errors
    /// The operating system's.
    fn read_at(
        &self,
        position: u64,
        len_bytes: usize,
    ) -> impl Future<Output = Result<Self::Buffer>>;

    /// Makes every write that had completed before this call durable, with the length needed to read it back.
    ///
    /// # Errors
    /// The operating system's. After an error the state of every unsynced byte is unknown, and a later success
    /// proves nothing about them.
    fn sync_data(&self) -> impl Future<Output = Result<()>>;

    /// Reserves blocks for `len_bytes` at `position` and extends the length if needed. New bytes read as zero.
    ///
    /// # Errors
    /// `StorageFull` when there is no room; the file is then unchanged or partly extended.
    fn allocate(&self, position: u64, len_bytes: u64) -> impl Future<Output = Result<()>>;

    /// Cuts or extends (with zeroes) the file to `len_bytes`.
    ///
    /// # Errors
    /// The operating system's.
    fn set_len(&self, len_bytes: u64) -> impl Future<Output = Result<()>>;

    /// The length in bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn len_bytes(&self) -> impl Future<Output = Result<u64>>;

    /// Closes the file, waiting for the descriptor to be released.
    ///
    /// # Errors
    /// The operating system's; the descriptor is gone even then.
    fn close(self) -> impl Future<Output = Result<()>>;
}
