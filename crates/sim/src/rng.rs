//! Random numbers that are a function of the seed.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): small, fast, and streams
//! for different purposes can be forked, so that drawing more for one purpose leaves the others as they were.

use std::cell::Cell;

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of random numbers.
#[derive(Debug)]
pub struct Rng {
    state: Cell<u64>,
}

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: Cell::new(seed),
        }
    }

    /// A stream of its own that depends on this one's seed and on `purpose`, and on nothing drawn so far by others.
    #[must_use]
    pub fn fork(seed: u64, purpose: u64) -> Self {
        Self::new(mix(seed ^ mix(purpose.wrapping_add(GOLDEN_GAMMA))))
    }

    /// As [`Rng::fork`], for a purpose of several words: other words, or the same in another order, are another stream.
    pub(crate) fn fork_for<const N: usize>(seed: u64, purpose: [u64; N]) -> Self {
        let fold = |hash: u64, word: u64| mix(hash.wrapping_add(GOLDEN_GAMMA) ^ word);
        Self::fork(seed, purpose.into_iter().fold(0, fold))
    }

    /// 64 random bits.
    pub fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(GOLDEN_GAMMA);
        self.state.set(state);
        mix(state)
    }

    /// A number below `bound`; the bias is far below what a test could see.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing lies below zero");
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).expect("the upper half of a 128-bit product")
    }

    /// An index into something of `len` elements.
    ///
    /// # Panics
    /// When `len` is 0.
    pub fn index(&self, len: usize) -> usize {
        let bound = u64::try_from(len).expect("lengths fit 64 bits");
        usize::try_from(self.below(bound)).expect("below a usize")
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `numerator` times out of `denominator`.
    pub fn chance(&self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// A number from 1 to `high` whose magnitude, not its value, is evenly spread: small ones are frequent.
    ///
    /// # Panics
    /// When `high` is 0.
    pub fn magnitude(&self, high: u64) -> u64 {
        let bits = u64::from(64 - high.leading_zeros());
        let limit = 1_u64.checked_shl(u32::try_from(self.between(1, bits)).expect("at most 64"));
        self.between(1, limit.unwrap_or(u64::MAX).min(high))
    }
}

/// SplitMix64's output function; also good as a hash of one word.
#[must_use]
pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first outputs for seed 1234567, as in the reference implementation's test vectors.
        let rng = Rng::new(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_order_of_words_makes_a_difference() {
        let mut first = BTreeSet::new();
        for (a, b) in (0..20).flat_map(|a| (0..20).map(move |b| (a, b))) {
            assert!(first.insert(Rng::fork_for(1, [a, b]).next()), "{a} {b}");
        }
    }

    #[test]
    fn bounds_are_kept() {
        let rng = Rng::new(1);
        for _ in 0..1000 {
            assert!(rng.below(3) < 3);
            assert!((5..=7).contains(&rng.between(5, 7)));
            assert!((1..=100).contains(&rng.magnitude(100)));
            assert_eq!(rng.magnitude(1), 1);
        }
    }
}
