//! Whole brokers under random load and random faults: some fixed seeds, some fresh ones, those that once failed, and the
//! deliberate defects.

use std::cell::Cell;
use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use io::Defect;
use sim::for_each_seed;
use sim::swarm::{Case, Outcome, parse, print, run};

/// Seeds that run each time.
const FIXED: u64 = 4;
/// Seeds within which each defect is to be noticed.
const DEFECT_SEEDS: u64 = 60;
/// The variable that says for how many seconds to run seeds that nobody has run before; none without it.
const FRESH_VARIABLE: &str = "LOGAN_SIM_FRESH_SECONDS";
/// Threads that run fresh seeds.
const FRESH_THREADS: u64 = 2;

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
    let seconds = env::var(FRESH_VARIABLE).ok();
    let seconds: u64 = seconds.and_then(|text| text.parse().ok()).unwrap_or(0);
    // The one place where the outside world decides: which seeds these are, and how many.
    let first = RandomState::new().hash_one(0_u8) >> 24;
    let (began, next) = (Instant::now(), AtomicU64::new(first));
    let work = || {
        while began.elapsed() < Duration::from_secs(seconds) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            println!("fresh seed {seed}");
            must_hold(&Case::new(seed));
        }
    };
    thread::scope(|scope| {
        for _ in 0..FRESH_THREADS {
            scope.spawn(work);
        }
    });
    println!("fresh seeds {first}..{}", next.into_inner());
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
