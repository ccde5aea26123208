//! Runs a test from many seeds, from others, or from one again.

use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The variable that replays one seed.
pub const SEED_VARIABLE: &str = "LOGAN_SIM_SEED";

/// The variable that names other seeds than the test's own, as `1000..2000`.
pub const SEEDS_VARIABLE: &str = "LOGAN_SIM_SEEDS";

/// Runs `test` with every seed of `seeds`, or of `LOGAN_SIM_SEEDS`, or with the one in `LOGAN_SIM_SEED` alone.
///
/// # Panics
/// When `test` panics; with the seed, and how to replay it. Also when a variable holds no seeds.
pub fn for_each_seed(seeds: Range<u64>, test: impl Fn(u64)) {
    let wanted = env::var(SEED_VARIABLE).or_else(|_unset| env::var(SEEDS_VARIABLE));
    let wanted = wanted.ok().map(|text| {
        parse(&text)
            .expect("LOGAN_SIM_SEED is a number, LOGAN_SIM_SEEDS a range such as 1000..2000")
    });
    for seed in wanted.unwrap_or(seeds) {
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

fn parse(text: &str) -> Option<Range<u64>> {
    if let Some((from, to)) = text.split_once("..") {
        return Some(from.parse().ok()?..to.parse().ok()?);
    }
    let seed: u64 = text.parse().ok()?;
    Some(seed..seed.checked_add(1)?)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn one_seed_and_ranges_are_read() {
        assert_eq!(parse("7"), Some(7..8));
        assert_eq!(parse("7..10"), Some(7..10));
        assert_eq!(parse("seven"), None);
        assert_eq!(parse("7.."), None);
    }
}
