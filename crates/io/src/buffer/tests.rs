//! Behaviour of pools and chunks on heap memory.

use super::{ALIGNMENT, Buffer, HeapBuffer, Pool, align_down, align_up};

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
    let mut writer = pool.chunk(HeapBuffer::new);
    assert_eq!(writer.append(b"hello", |bytes| bytes[0] = b'H'), 5);
    let slice = writer.slice(0..5);
    assert_eq!(writer.append(&[7; 10_000], |_| ()), ALIGNMENT - 5);
    assert_eq!(&slice[..], b"Hello");
    assert_eq!(writer.full_buffer().as_slice()[5], 7);
}

#[test]
fn slices_outlive_the_writer_on_other_threads() {
    let pool = Pool::new(ALIGNMENT, 4);
    let mut writer = pool.chunk(HeapBuffer::new);
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
    let mut writer = pool.chunk(HeapBuffer::new);
    writer.append(b"x", |_| ());
    let first = writer.memory.start;
    let slice = writer.slice(0..1);
    drop(writer);
    let second = pool.chunk(HeapBuffer::new);
    assert_ne!(second.memory.start, first);
    drop(slice);
    let third = pool.chunk(HeapBuffer::new);
    assert_eq!(third.memory.start, first);
}

#[test]
fn memory_is_not_reused_while_a_write_holds_it() {
    let pool = Pool::new(ALIGNMENT, 4);
    let mut writer = pool.chunk(HeapBuffer::new);
    writer.append(&[1; ALIGNMENT], |_| {});
    let written = writer.full_buffer();
    drop(writer);
    pool.reclaim(usize::MAX);
    let mut next = pool.chunk(HeapBuffer::new);
    next.append(&[2; ALIGNMENT], |_| {});
    assert_eq!(written.as_slice(), [1; ALIGNMENT]);
}

#[test]
fn a_slice_outlives_its_pool() {
    let pool = Pool::new(ALIGNMENT, 1);
    let mut buffer = HeapBuffer::new(ALIGNMENT);
    buffer.as_mut_slice()[..3].copy_from_slice(b"abc");
    let slice = pool.share(buffer, 0..3);
    drop(pool);
    assert_eq!(&slice[..], b"abc");
}

#[test]
#[should_panic(expected = "nobody else looks at what is being written")]
fn memory_that_somebody_else_has_is_no_chunk() {
    let memory = HeapBuffer::new(ALIGNMENT);
    let pool = Pool::new(ALIGNMENT, 1);
    drop(pool.chunk(|_| memory.clone()));
}
