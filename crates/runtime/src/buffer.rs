//! Aligned memory for direct I/O: what glommio allocates for writes and what its reads return.
//!
//! Lives on the shard that made it. It is never pooled here: [`io::Pool`] reuses chunks.

#![expect(unsafe_code, reason = "implements the aligned memory of the seam")]

use std::ptr::NonNull;
use std::rc::Rc;

use glommio::io::{DmaBuffer, ReadResult};
use io::ALIGNMENT;

/// Aligned memory of a shard. Clones share it.
#[derive(Clone, Debug)]
pub struct Buffer(Memory);

#[derive(Clone, Debug)]
enum Memory {
    /// Allocated by [`Buffer::allocate`], filled here, written to disk.
    Staging(Rc<DmaBuffer>),
    /// Filled by a read and not changed any more.
    Read(ReadResult),
}

impl Buffer {
    /// Allocates `len_bytes` of zeroes; touching them here keeps page faults out of later appends.
    ///
    /// # Panics
    /// When the length is not a non-zero multiple of [`ALIGNMENT`], or not on a shard.
    pub(crate) fn allocate(len_bytes: usize) -> Self {
        assert!(
            len_bytes > 0 && len_bytes.is_multiple_of(ALIGNMENT),
            "file buffers are aligned"
        );
        let mut memory = glommio::allocate_dma_buffer(len_bytes);
        assert!(
            memory.as_ptr().addr().is_multiple_of(ALIGNMENT),
            "glommio aligns its buffers"
        );
        // SAFETY: the buffer was just allocated with `len_bytes` bytes and nobody else knows it; glommio hands it out
        // uninitialised, and the seam promises initialised memory.
        unsafe { memory.as_mut_ptr().write_bytes(0, len_bytes) };
        Self(Memory::Staging(Rc::new(memory)))
    }

    pub(crate) fn from_read(result: ReadResult) -> Self {
        Self(Memory::Read(result))
    }

    /// The memory for a disk write. What a read returned cannot be written in place and is copied.
    pub(crate) fn into_writable(self) -> Rc<DmaBuffer> {
        match self.0 {
            Memory::Staging(memory) => memory,
            Memory::Read(result) => {
                let mut memory = glommio::allocate_dma_buffer(result.len());
                // SAFETY: both sides are `result.len()` bytes long, and the target was just allocated.
                unsafe {
                    memory
                        .as_mut_ptr()
                        .copy_from_nonoverlapping(result.as_ptr(), result.len());
                };
                Rc::new(memory)
            }
        }
    }
}

// SAFETY: the address is that of a heap block which `Rc<DmaBuffer>` or `ReadResult` keeps alive and in place. Staging
// memory is zeroed when it is made, read memory was filled by the kernel up to its length. File operations hold a
// clone of the `Rc` until the kernel is done, so `is_unique` sees them; read memory never claims to be unique.
unsafe impl io::Buffer for Buffer {
    fn as_mut_ptr(&self) -> NonNull<u8> {
        let start = match &self.0 {
            Memory::Staging(memory) => memory.as_ptr(),
            Memory::Read(result) => result.as_ptr(),
        };
        NonNull::new(start.cast_mut()).expect("allocations and empty slices are not null")
    }

    fn is_unique(&self) -> bool {
        match &self.0 {
            Memory::Staging(memory) => Rc::strong_count(memory) == 1,
            Memory::Read(_) => false,
        }
    }

    fn len(&self) -> usize {
        match &self.0 {
            Memory::Staging(memory) => memory.len(),
            Memory::Read(result) => result.len(),
        }
    }
}
