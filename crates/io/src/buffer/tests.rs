//! Behaviour of pools and chunks on plain memory.

#![expect(unsafe_code, reason = "a test double of aligned memory")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::rc::Rc;

use super::{ALIGNMENT, Buffer, Pool, align_down, align_up};

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

#[derive(Clone)]
struct PlainBuffer(Rc<Block>);

impl PlainBuffer {
    fn new(len: usize) -> Self {
        let layout = Layout::from_size_align(len, ALIGNMENT).expect("a small aligned size");
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).expect("memory for a test");
        Self(Rc::new(Block { start, layout }))
    }
}

// SAFETY: the block is zeroed memory of `len` bytes that lives as long as any clone, and no other code writes to it.
unsafe impl Buffer for PlainBuffer {
    fn is_unique(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }

    fn as_mut_ptr(&self) -> NonNull<u8> {
        self.0.start
    }

    fn len(&self) -> usize {
        self.0.layout.size()
    }
}

#[test]
fn alignment_rounds_both_ways() {
    assert_eq!(
        [align_down(0), align_down(4095), align_down(4096)],
        [0, 0, 4096]
    );
    assert_eq!([align_up(0), align_up(1), align_up(4096)], [0, 4096, 4096]);
}

#[test]
fn a_slice_keeps_its_bytes_while_the_writer_goes_on() {
    let pool = Pool::new(ALIGNMENT, 4);
    let mut writer = pool.chunk(PlainBuffer::new);
    assert_eq!(writer.append(b"hello", |bytes| bytes[0] = b'H'), 5);
    let slice = writer.slice(0..5);
    assert_eq!(writer.append(&[7; 10_000], |_| ()), ALIGNMENT - 5);
    assert_eq!(&slice[..], b"Hello");
    assert_eq!(writer.full_buffer().as_slice()[5], 7);
}

#[test]
fn slices_outlive_the_writer_on_other_threads() {
    let pool = Pool::new(ALIGNMENT, 4);
    let mut writer = pool.chunk(PlainBuffer::new);
    writer.append(b"record", |_| ());
    let slice = writer.slice(1..4);
    drop(writer);
    let text = std::thread::spawn(move || slice.to_vec())
        .join()
        .expect("no panic");
    assert_eq!(text, b"eco");
    pool.reclaim(8);
    assert_eq!(pool.lent_bytes(), 0);
}

#[test]
fn memory_is_reused_only_when_the_last_slice_is_gone() {
    let pool = Pool::new(ALIGNMENT, 4);
    let mut writer = pool.chunk(PlainBuffer::new);
    writer.append(b"x", |_| ());
    let first = writer.memory.start;
    let slice = writer.slice(0..1);
    drop(writer);
    let second = pool.chunk(PlainBuffer::new);
    assert_ne!(second.memory.start, first);
    drop(slice);
    let third = pool.chunk(PlainBuffer::new);
    assert_eq!(third.memory.start, first);
}

#[test]
fn memory_is_not_reused_while_a_write_holds_it() {
    let pool = Pool::new(ALIGNMENT, 4);
    let mut writer = pool.chunk(PlainBuffer::new);
    writer.append(&[1; ALIGNMENT], |_| {});
    let written = writer.full_buffer();
    drop(writer);
    pool.reclaim(usize::MAX);
    let mut next = pool.chunk(PlainBuffer::new);
    next.append(&[2; ALIGNMENT], |_| {});
    assert_eq!(written.as_slice(), [1; ALIGNMENT]);
}

#[test]
fn a_slice_outlives_its_pool() {
    let pool = Pool::new(ALIGNMENT, 1);
    let mut buffer = PlainBuffer::new(ALIGNMENT);
    buffer.as_mut_slice()[..3].copy_from_slice(b"abc");
    let slice = pool.share(buffer, 0..3);
    drop(pool);
    assert_eq!(&slice[..], b"abc");
}
