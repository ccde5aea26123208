//! Random numbers of a shard, from the operating system.

#![expect(unsafe_code, reason = "calls getrandom")]

use std::cell::RefCell;

/// `getrandom` delivers up to this many bytes without interruption.
const BATCH_LEN_BYTES: usize = 256;
const WORD_LEN_BYTES: usize = size_of::<u64>();

/// Hands out the operating system's random bits, fetched in batches.
#[derive(Debug)]
pub(crate) struct Entropy {
    batch: RefCell<Batch>,
}

#[derive(Debug)]
struct Batch {
    bytes: [u8; BATCH_LEN_BYTES],
    used_bytes: usize,
}

impl Entropy {
    pub(crate) fn new() -> Self {
        Self {
            batch: RefCell::new(Batch {
                bytes: [0; BATCH_LEN_BYTES],
                used_bytes: BATCH_LEN_BYTES,
            }),
        }
    }

    pub(crate) fn next(&self) -> u64 {
        let mut batch = self.batch.borrow_mut();
        if batch.used_bytes == BATCH_LEN_BYTES {
            fill(&mut batch.bytes);
            batch.used_bytes = 0;
        }
        let start = batch.used_bytes;
        batch.used_bytes += WORD_LEN_BYTES;
        let word = batch.bytes[start..start + WORD_LEN_BYTES]
            .try_into()
            .expect("the slice is one word long");
        u64::from_ne_bytes(word)
    }
}

fn fill(bytes: &mut [u8; BATCH_LEN_BYTES]) {
    // SAFETY: the pointer and the length describe `bytes`, which is borrowed exclusively.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), BATCH_LEN_BYTES, 0) };
    assert!(
        usize::try_from(got) == Ok(BATCH_LEN_BYTES),
        "getrandom delivers 256 bytes once the system is up"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_within_and_across_batches() {
        let entropy = Entropy::new();
        let mut numbers: Vec<u64> = (0..3 * BATCH_LEN_BYTES / WORD_LEN_BYTES)
            .map(|_| entropy.next())
            .collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }
}
