//! A bounded ring of small entries that one thread writes, and any other may read at any time, without locks.
//!
//! Each slot is a sequence lock: a stamp, and the words of an entry. The writer clears the stamp, writes the words, and
//! stamps them with the number of the entry. A reader looks at the stamp before and after it reads the words; where both are
//! the same, so are the words those of that entry:
//! - The first look has `Acquire` and sees a stamp that was stored with `Release`, so the words of that entry are visible.
//! - A word of a later entry was stored behind a `Release` fence behind the clearing of the stamp. If the reader has read such
//!   a word, its `Acquire` fence makes the clearing visible to its second look, which then differs from the first: numbers of
//!   entries never come again.
//!
//! All are atomics, so that there are no data races; on x86 every store of the writer is a plain one. A reader never makes the
//! writer wait, and neither allocates. `tests/ring.rs` holds this against every interleaving of a small ring.

use std::cell::Cell;

use super::atomic::{Arc, AtomicU64, Ordering, fence};

/// An entry with its number; they are counted from 1.
pub(crate) type Numbered<const WORDS: usize> = (u64, [u64; WORDS]);

/// A slot; of seven words it fills a line of the cache.
#[repr(align(64))]
#[derive(Debug)]
struct Slot<const WORDS: usize> {
    /// The number of the entry, 0 while there is none.
    stamp: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// What readers hold.
#[derive(Debug)]
pub(crate) struct Ring<const WORDS: usize> {
    slots: Box<[Slot<WORDS>]>,
}

/// What the one thread holds that writes.
#[derive(Debug)]
pub(crate) struct RingWriter<const WORDS: usize> {
    ring: Arc<Ring<WORDS>>,
    written: Cell<u64>,
}

/// Makes a ring of at least so many entries, at least one: a power of two.
pub(crate) fn ring<const WORDS: usize>(
    entries_min: usize,
) -> (RingWriter<WORDS>, Arc<Ring<WORDS>>) {
    let slots = (0..entries_min.max(1).next_power_of_two()).map(|_| Slot {
        stamp: AtomicU64::new(0),
        words: std::array::from_fn(|_| AtomicU64::new(0)),
    });
    let ring = Arc::new(Ring {
        slots: slots.collect(),
    });
    let writer = RingWriter {
        ring: Arc::clone(&ring),
        written: Cell::new(0),
    };
    (writer, ring)
}

impl<const WORDS: usize> RingWriter<WORDS> {
    /// Puts an entry in the place of the oldest one.
    #[inline]
    pub(crate) fn write(&self, words: [u64; WORDS]) {
        let slots = &self.ring.slots;
        let before = self.written.get();
        let number = before + 1;
        self.written.set(number);
        // The number of slots is a power of two; the lower bits are what counts.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the upper bits are masked away"
        )]
        let slot = &slots[before as usize & (slots.len() - 1)];
        slot.stamp.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        for (place, word) in slot.words.iter().zip(words) {
            place.store(word, Ordering::Relaxed);
        }
        slot.stamp.store(number, Ordering::Release);
    }
}

impl<const WORDS: usize> Ring<WORDS> {
    /// The entries that are there, oldest first. Those that are overwritten meanwhile are left out.
    pub(crate) fn read(&self) -> Vec<Numbered<WORDS>> {
        let mut entries: Vec<_> = self.slots.iter().filter_map(Slot::read).collect();
        entries.sort_unstable_by_key(|(number, _)| *number);
        entries
    }
}

impl<const WORDS: usize> Slot<WORDS> {
    fn read(&self) -> Option<Numbered<WORDS>> {
        let number = self.stamp.load(Ordering::Acquire);
        if number == 0 {
            return None;
        }
        let words = std::array::from_fn(|at| self.words[at].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        (self.stamp.load(Ordering::Relaxed) == number).then_some((number, words))
    }
}
