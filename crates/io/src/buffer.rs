//! Aligned memory, staging chunks and the slices that are lent from them.
//!
//! A [`Pool`] belongs to one shard. It makes [`ChunkWriter`]s: memory of fixed capacity that is filled once,
//! front to back. What has been published never changes, so it can be written to disk, cached and sent to
//! clients at the same time; [`Bytes`] slices of it travel to other shards without a copy.
//!
//! # Why lending is sound
//! - A writer is the only one that touches bytes beyond the published length, and slices never reach beyond it.
//! - The memory itself is released or reused by its pool alone, on the pool's thread, once no slice is left.
//!   A pool that goes away before its slices leaks their memory; that happens only when the process ends.

#![expect(
    unsafe_code,
    reason = "aligned memory is shared between writers, disks, caches and clients without copies"
)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

mod heap;
mod memory;

pub use heap::HeapBuffer;

use memory::{Memory, Slice};

/// File positions, lengths and buffer addresses are multiples of this many bytes.
pub const ALIGNMENT: usize = 4096;

/// How many lent chunks an allocation checks for reuse.
const RECLAIM_SCAN_MAX: usize = 8;

/// The largest multiple of [`ALIGNMENT`] that is at most `value`.
#[must_use]
pub const fn align_down(value: u64) -> u64 {
    value & !(ALIGNMENT as u64 - 1)
}

/// The smallest multiple of [`ALIGNMENT`] that is at least `value`.
///
/// # Panics
/// When the result would not fit 64 bits.
#[must_use]
pub const fn align_up(value: u64) -> u64 {
    align_down(
        value
            .checked_add(ALIGNMENT as u64 - 1)
            .expect("file positions are far below 2^64"),
    )
}

/// Aligned memory of an [`crate::Io`] implementation. Clones share the memory.
///
/// # Safety
/// [`Buffer::as_mut_ptr`] returns the same address for the life of the buffer and all its clones; `len` bytes there
/// are initialised, readable and writable. [`Buffer::is_unique`] is false while a clone, or a file operation that
/// was given one, is alive. The implementation itself never writes there once a read has completed.
pub unsafe trait Buffer: Clone + 'static {
    /// The start of the memory.
    fn as_mut_ptr(&self) -> NonNull<u8>;

    /// Whether no clone of it is alive.
    fn is_unique(&self) -> bool;

    /// The usable length in bytes. For a finished read it is what was read.
    fn len(&self) -> usize;

    /// Whether [`Buffer::len`] is 0, as after a read at the end of a file.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content.
    fn as_slice(&self) -> &[u8] {
        // SAFETY: the implementer promises `len` initialised bytes at this address while `self` lives. Writers need
        // the sole clone: `as_mut_slice` asserts it, and `Pool::chunk` asserts it before a chunk is filled.
        unsafe { std::slice::from_raw_parts(self.as_mut_ptr().as_ptr(), self.len()) }
    }

    /// The content, to be filled before a write.
    ///
    /// # Panics
    /// When a clone is alive.
    fn as_mut_slice(&mut self) -> &mut [u8] {
        assert!(self.is_unique(), "shared bytes never change");
        // SAFETY: as for `as_slice`; this is the only clone and it is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr().as_ptr(), self.len()) }
    }
}

/// The memory of one shard that is or may be lent. Clones are handles of the same pool.
pub struct Pool<B: Buffer> {
    shared: Rc<PoolShared<B>>,
}

struct PoolShared<B: Buffer> {
    chunk_len_bytes: usize,
    free_chunks_max: usize,
    free: RefCell<Vec<B>>,
    lent: RefCell<VecDeque<Arc<Memory<B>>>>,
    lent_bytes: Cell<usize>,
}

impl<B: Buffer> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<B: Buffer> std::fmt::Debug for Pool<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("chunk_len_bytes", &self.shared.chunk_len_bytes)
            .field("lent_bytes", &self.shared.lent_bytes.get())
            .finish_non_exhaustive()
    }
}

impl<B: Buffer> Pool<B> {
    /// Makes a pool of chunks of `chunk_len_bytes` that keeps at most `free_chunks_max` unused ones.
    ///
    /// # Panics
    /// When the length is not a non-zero multiple of [`ALIGNMENT`].
    #[must_use]
    pub fn new(chunk_len_bytes: usize, free_chunks_max: usize) -> Self {
        assert!(
            chunk_len_bytes > 0 && chunk_len_bytes.is_multiple_of(ALIGNMENT),
            "chunks are aligned"
        );
        Self {
            shared: Rc::new(PoolShared {
                chunk_len_bytes,
                free_chunks_max,
                free: RefCell::default(),
                lent: RefCell::default(),
                lent_bytes: Cell::new(0),
            }),
        }
    }

    /// The capacity of its chunks in bytes.
    #[must_use]
    pub fn chunk_len_bytes(&self) -> usize {
        self.shared.chunk_len_bytes
    }

    /// Bytes of memory in writers, caches and slices, as of the last [`Pool::reclaim`].
    #[must_use]
    pub fn lent_bytes(&self) -> usize {
        self.shared.lent_bytes.get()
    }

    /// Adds unused chunks until there are `count`, so that the first appends find warm memory.
    pub fn prefill(&self, count: usize, mut allocate: impl FnMut(usize) -> B) {
        let mut free = self.shared.free.borrow_mut();
        while free.len() < count.min(self.shared.free_chunks_max) {
            free.push(allocate(self.shared.chunk_len_bytes));
        }
    }

    /// A writer for an empty chunk, reused if one is free, else from `allocate` (which gets the length in bytes).
    ///
    /// # Panics
    /// When `allocate` returns another length, or memory that is shared.
    pub fn chunk(&self, allocate: impl FnOnce(usize) -> B) -> ChunkWriter<B> {
        self.reclaim(RECLAIM_SCAN_MAX);
        let reused = self.shared.free.borrow_mut().pop();
        let buffer = reused.unwrap_or_else(|| allocate(self.shared.chunk_len_bytes));
        assert!(
            buffer.len() == self.shared.chunk_len_bytes,
            "chunks of a pool are of one size"
        );
        assert!(
            buffer.is_unique(),
            "nobody else looks at what is being written"
        );
        let memory = self.track(buffer);
        ChunkWriter {
            memory,
            published: 0,
            stays: PhantomData,
        }
    }

    /// Shares a finished read. The slice keeps the whole of `buffer` alive.
    ///
    /// # Panics
    /// When `range` does not lie within the buffer.
    pub fn share(&self, buffer: B, range: Range<usize>) -> Bytes {
        self.reclaim(RECLAIM_SCAN_MAX);
        let memory = self.track(buffer);
        Slice::lend(&memory, range)
    }

    /// Checks up to `scan_max` lent chunks, oldest first, and takes back those that nobody uses any more.
    pub fn reclaim(&self, scan_max: usize) {
        let mut lent = self.shared.lent.borrow_mut();
        for _ in 0..scan_max.min(lent.len()) {
            let Some(memory) = lent.pop_front() else {
                return;
            };
            match Memory::into_buffer(memory) {
                Ok(buffer) => {
                    self.shared
                        .lent_bytes
                        .set(self.shared.lent_bytes.get() - buffer.len());
                    self.take_back(buffer);
                }
                Err(memory) => lent.push_back(memory),
            }
        }
    }

    fn take_back(&self, buffer: B) {
        let mut free = self.shared.free.borrow_mut();
        // A write that outlived its chunk may still hold the memory: such a buffer is not reused.
        if buffer.len() == self.shared.chunk_len_bytes
            && free.len() < self.shared.free_chunks_max
            && buffer.is_unique()
        {
            free.push(buffer);
        }
    }

    fn track(&self, buffer: B) -> Arc<Memory<B>> {
        let (start, len) = (buffer.as_mut_ptr(), buffer.len());
        let memory = Arc::new(Memory::new(start, len, buffer));
        self.shared
            .lent_bytes
            .set(self.shared.lent_bytes.get() + memory.len);
        self.shared.lent.borrow_mut().push_back(Arc::clone(&memory));
        memory
    }
}

/// Fills one chunk, front to back. It stays on the shard of its pool: [`ChunkWriter::full_buffer`] clones a buffer that need not
/// be one for other threads.
///
/// ```compile_fail,E0277
/// fn elsewhere<B: io::Buffer>(writer: io::ChunkWriter<B>) {
///     std::thread::spawn(move || drop(writer));
/// }
/// ```
pub struct ChunkWriter<B: Buffer> {
    memory: Arc<Memory<B>>,
    published: usize,
    /// What it holds is sent to other threads in slices alone.
    stays: PhantomData<Rc<B>>,
}

impl<B: Buffer> std::fmt::Debug for ChunkWriter<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkWriter")
            .field("published", &self.published)
            .field("capacity", &self.memory.len)
            .finish_non_exhaustive()
    }
}

impl<B: Buffer> ChunkWriter<B> {
    /// The chunk's size in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.memory.len
    }

    /// Bytes that are final.
    #[must_use]
    pub fn published(&self) -> usize {
        self.published
    }

    /// Bytes that still fit.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.memory.len - self.published
    }

    /// Copies the head of `source` in, lets `patch` change the copy, and publishes it. Returns how much of
    /// `source` fitted.
    pub fn append(&mut self, source: &[u8], patch: impl FnOnce(&mut [u8])) -> usize {
        let taken = source.len().min(self.remaining());
        if taken == 0 {
            return 0;
        }
        // SAFETY: `published + taken` lies within the memory.
        let first = unsafe { self.memory.start.add(self.published) };
        // SAFETY: bytes from `published` on belong to this writer alone: no slice reaches them, and a disk write of
        // this chunk starts only when it is full. `source` is ordinary memory that cannot overlap them.
        let target = unsafe { std::slice::from_raw_parts_mut(first.as_ptr(), taken) };
        target.copy_from_slice(&source[..taken]);
        patch(target);
        self.published += taken;
        taken
    }

    /// A slice of what is published; it keeps the chunk alive and may travel to other shards.
    ///
    /// # Panics
    /// When `range` reaches beyond what is published.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Bytes {
        assert!(range.end <= self.published, "only published bytes are lent");
        Slice::lend(&self.memory, range)
    }

    /// What is published, to be read on this shard.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: published bytes are initialised and never change; `self` keeps the memory alive.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr(), self.published) }
    }

    /// The whole chunk's memory for a disk write without a copy.
    ///
    /// # Panics
    /// When the chunk is not full: a write must not race with later appends.
    #[must_use]
    pub fn full_buffer(&self) -> B {
        assert!(
            self.remaining() == 0,
            "only a full chunk is written in place"
        );
        B::clone(&self.memory.buffer)
    }
}

impl<B: Buffer> Drop for PoolShared<B> {
    fn drop(&mut self) {
        for memory in self.lent.get_mut().drain(..) {
            drop(Memory::into_buffer(memory));
        }
    }
}

#[cfg(test)]
mod tests;
