//! Memory that is lent to other threads in slices, and goes back to its owner once none of them is left.
//!
//! What is shared is a count of references and bytes that do not change while anybody has some. The tests in `tests/loom` compile
//! this file with loom's [`Arc`], and go through what threads may see of each other.

use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::NonNull;

use bytes::Bytes;

use super::Arc;

/// Memory that is lent out in slices.
pub(super) struct Memory<B> {
    pub(super) start: NonNull<u8>,
    pub(super) len: usize,
    /// Touched on the owner's thread only.
    pub(super) buffer: ManuallyDrop<B>,
}

// SAFETY: other threads hold `Memory` only inside `Slice`, which reads published bytes through `start` and never
// touches `buffer`; `Memory` has no destructor, so dropping the last reference elsewhere does not touch it either.
unsafe impl<B> Send for Memory<B> {}
// SAFETY: as for `Send`; published bytes never change, so shared reads do not race.
unsafe impl<B> Sync for Memory<B> {}

impl<B> Memory<B> {
    /// The `len` bytes at `start`, which `buffer` keeps alive and in place.
    pub(super) fn new(start: NonNull<u8>, len: usize, buffer: B) -> Self {
        Self {
            start,
            len,
            buffer: ManuallyDrop::new(buffer),
        }
    }

    /// The buffer, if no slice is left; what was read through slices was read before. On the owner's thread only.
    pub(super) fn into_buffer(memory: Arc<Self>) -> Result<B, Arc<Self>> {
        Arc::try_unwrap(memory).map(|memory| ManuallyDrop::into_inner(memory.buffer))
    }
}

/// A published range, as the owner of a [`Bytes`].
pub(super) struct Slice<B> {
    memory: Arc<Memory<B>>,
    range: Range<usize>,
}

impl<B> AsRef<[u8]> for Slice<B> {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `range` lies within the memory and was published when the slice was made, so it is initialised.
        let first = unsafe { self.memory.start.add(self.range.start) };
        // SAFETY: as above; published bytes never change while a reference to the memory exists.
        unsafe { std::slice::from_raw_parts(first.as_ptr(), self.range.len()) }
    }
}

impl<B: 'static> Slice<B> {
    /// # Panics
    /// When `range` does not lie within the memory.
    pub(super) fn lend(memory: &Arc<Memory<B>>, range: Range<usize>) -> Bytes {
        assert!(
            range.start <= range.end && range.end <= memory.len,
            "slices lie within their memory"
        );
        if range.is_empty() {
            return Bytes::new();
        }
        Bytes::from_owner(Self {
            memory: Arc::clone(memory),
            range,
        })
    }
}
