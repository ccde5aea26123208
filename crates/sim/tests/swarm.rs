//! Whole brokers under random load and random faults: some fixed seeds, some fresh ones, those that once failed, and the
//! deliberate defects.

use std::cell::Cell;
use std::env;
use std::hash::{BuildHasher as _, RandomState};

use io::Defect;
use sim::for_each_seed;
use sim::swarm::{Case, Outcome, parse, print, run};

/// Seeds that run each time.
const FIXED: u64 = 4;
/// Seeds within which each defect is to be noticed.
const DEFECT_SEEDS: u64 = 60;
/// The variable that says how many seeds to run that nobody has run before; none without it.
const FRESH_VARIABLE: &str = "LOGAN_SIM_FRESH";

fn must_hold(case: &Case) -> Outcome {
    let outcome = run(case);
    let line = print(case);
    assert_eq!(
        outcome.verdict,
        Ok(()),
        "replay with: cargo run --release -p sim -- run --seed \"{line}\" --trace"
    );
    outcome
}

#[test]
fn a_case_replays_exactly() {
    for seed in [3, 4] {
        let hashes = [(); 2].map(|()| run(&Case::new(seed)).trace_hash);
        assert_eq!(hashes[0], hashes[1], "seed {seed}");
    }
}

#[test]
fn fixed_seeds_hold_and_count() {
    let counting = Cell::new(0);
    for_each_seed(0..FIXED, |seed| {
        let outcome = must_hold(&Case::new(seed));
        counting.set(counting.get() + u64::from(outcome.counts()));
    });
    assert!(counting.get() > 0, "something happens in them");
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever reads the log can replay them")]
fn fresh_seeds_hold() {
    let count = env::var(FRESH_VARIABLE).ok();
    let count: u64 = count.and_then(|text| text.parse().ok()).unwrap_or(0);
    // The one place where the outside world decides: which seeds these are.
    let first = RandomState::new().hash_one(0_u8) >> 24;
    println!("fresh seeds {first}..{}", first + count);
    for seed in first..first + count {
        must_hold(&Case::new(seed));
    }
}

#[test]
fn cases_that_once_failed_hold() {
    for line in include_str!("seeds.txt").lines() {
        let case = parse(line).expect("a line as the program prints it");
        if let Some(case) = case {
            must_hold(&case);
        }
    }
}

#[test]
fn every_deliberate_defect_is_noticed() {
    for defect in Defect::ALL {
        let noticed = (0..DEFECT_SEEDS).any(|seed| {
            let case = Case {
                defect: Some(defect),
                ..Case::new(seed)
            };
            run(&case).verdict.is_err()
        });
        assert!(noticed, "{} is not noticed", defect.name());
    }
}
