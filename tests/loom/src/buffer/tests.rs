//! Memory that other threads read, and that is written again once they are done.

use std::ptr::NonNull;

use bytes::Bytes;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::memory::{Memory, Slice};

/// Memory, and beside it what loom watches in its place: accesses that are not ordered are found.
struct Watched {
    bytes: Box<[u8; 4]>,
    accesses: std::sync::Arc<UnsafeCell<()>>,
}

fn lend() -> (Arc<Memory<Watched>>, std::sync::Arc<UnsafeCell<()>>) {
    let accesses = std::sync::Arc::new(UnsafeCell::new(()));
    let mut buffer = Watched {
        bytes: Box::new(*b"abcd"),
        accesses: std::sync::Arc::clone(&accesses),
    };
    let start = NonNull::from(&mut *buffer.bytes).cast();
    (Arc::new(Memory::new(start, 4, buffer)), accesses)
}

fn read(slice: &Bytes, accesses: &UnsafeCell<()>) {
    assert_eq!(&slice[..], b"bc");
    accesses.with(|_| ());
}

#[test]
fn memory_is_written_again_after_the_last_look_of_anybody() {
    loom::model(|| {
        let (memory, accesses) = lend();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let slice = Slice::lend(&memory, 1..3);
                let accesses = std::sync::Arc::clone(&accesses);
                thread::spawn(move || {
                    read(&slice, &accesses);
                    drop(slice);
                })
            })
            .collect();
        // As the pool does: it looks now and then, and goes on with other memory while somebody reads.
        let mut lent = Some(memory);
        for _ in 0..2 {
            if let Some(memory) = lent.take() {
                match Memory::into_buffer(memory) {
                    Ok(buffer) => buffer.accesses.with_mut(|_| ()),
                    Err(memory) => lent = Some(memory),
                }
            }
        }
        for reader in readers {
            reader.join().expect("it ends");
        }
        if let Some(memory) = lent {
            let buffer = Memory::into_buffer(memory).ok().expect("nobody reads it");
            buffer.accesses.with_mut(|_| ());
        }
    });
}
