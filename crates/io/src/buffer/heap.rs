//! Aligned memory from the ordinary heap, for implementations without a kernel ring of their own.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::rc::Rc;

use super::{ALIGNMENT, Buffer};

/// Zeroed heap memory, aligned to [`ALIGNMENT`]. Clones share it.
#[derive(Clone, Debug)]
pub struct HeapBuffer {
    block: Rc<Block>,
    len: usize,
}

#[derive(Debug)]
struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block came from `alloc_zeroed` with this layout and is freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl HeapBuffer {
    /// Allocates `len_bytes` of zeroes.
    ///
    /// # Panics
    /// When the length does not fit the address space.
    #[must_use]
    pub fn new(len_bytes: usize) -> Self {
        // An allocation of nothing has no address of its own.
        let layout = Layout::from_size_align(len_bytes.max(1), ALIGNMENT)
            .expect("buffers are far smaller than the address space");
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        Self {
            block: Rc::new(Block { start, layout }),
            len: len_bytes,
        }
    }
}

// SAFETY: the block is zeroed memory of at least `len` bytes that lives as long as any clone, at one address; nothing
// here writes to it after it was made, and clones are counted by the `Rc`.
unsafe impl Buffer for HeapBuffer {
    fn as_mut_ptr(&self) -> NonNull<u8> {
        self.block.start
    }

    fn is_unique(&self) -> bool {
        Rc::strong_count(&self.block) == 1
    }

    fn len(&self) -> usize {
        self.len
    }
}
