//! Runs a test from many seeds, and from one again.

use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The variable that replays one seed.
pub const SEED_VARIABLE: &str = "LOGAN_SIM_SEED";

/// Runs `test` with every seed of `seeds`, or with the one in `LOGAN_SIM_SEED` alone.
///
/// # Panics
/// When `test` panics; with the seed, and how to replay it. Also when the variable holds no number.
pub fn for_each_seed(seeds: Range<u64>, test: impl Fn(u64)) {
    let replayed = env::var(SEED_VARIABLE).ok().map(|text| {
        text.parse::<u64>()
            .expect("LOGAN_SIM_SEED is an unsigned 64-bit number")
    });
    let seeds = replayed.map_or(seeds, |seed| seed..seed.saturating_add(1));
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without a message");
            let replay = format!("replay with {SEED_VARIABLE}={seed}");
            assert!(
                message.is_empty(),
                "seed {seed} failed ({replay}): {message}"
            );
        }
    }
}
