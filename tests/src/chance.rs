//! Chance that can be repeated.

/// A sequence of numbers that its seed decides.
///
/// Source: the SplitMix64 generator of Steele, Lea and Flood (2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence of the seed that the environment variable `name` holds, or else of another one in each process;
    /// with the seed, to be told when something fails.
    #[must_use]
    pub fn from_environment(name: &str) -> (Self, u64) {
        let seed = number_from_environment(name).unwrap_or_else(|| u64::from(std::process::id()));
        (Self::new(seed), seed)
    }

    /// The next number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Yes or no.
    pub fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// The number in an environment variable, if there is one.
#[must_use]
pub fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
