//! The flight recorder's ring under every interleaving of a writer and a reader, and every order that the memory model
//! permits: what is read is what was written, whole.

/// What the ring is made of here: the checker's own.
mod atomic {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}

#[path = "../src/recorder/ring.rs"]
mod ring;

use loom::thread;
use ring::ring;

/// Entries that tell their own number, twice.
const WORDS: usize = 2;

fn check(entries_min: usize, written: u64) {
    // The checker follows each thread through at most so many interruptions, which is enough to tear an entry in any way.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let (writer, ring) = ring::<WORDS>(entries_min);
        let reader = thread::spawn(move || {
            for (number, words) in ring.read() {
                assert_eq!(words, [number; WORDS], "an entry is torn");
            }
            ring
        });
        for number in 1..=written {
            writer.write([number; WORDS]);
        }
        let ring = reader.join().expect("the reader finds whole entries");
        let entries_max = entries_min.max(1).next_power_of_two();
        let kept = u64::try_from(entries_max).expect("few").min(written);
        let numbers: Vec<u64> = ring.read().iter().map(|(number, _)| *number).collect();
        let expected: Vec<u64> = (written - kept + 1..=written).collect();
        assert_eq!(numbers, expected, "the last ones are kept");
    });
}

#[test]
fn a_slot_that_is_written_again_is_never_read_in_parts() {
    check(1, 3);
}

#[test]
fn the_last_entries_are_kept() {
    check(2, 3);
}
