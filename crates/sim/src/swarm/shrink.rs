//! Making a failing case smaller: fewer rounds, fewer parts, as long as it still fails.

use super::mix::{Mix, Part};
use super::run::{Case, Outcome, mix_rng, run};

/// Leaves out what is not needed for a failure. Tells `progress` of every smaller case that still fails; returns the last.
pub fn shrink(failing: &Case, mut progress: impl FnMut(&Case, &Outcome)) -> Case {
    let mut smallest = Case {
        is_told: false,
        ..failing.clone()
    };
    let mut try_case = |case: Case, smallest: &mut Case| {
        let outcome = run(&case);
        if outcome.verdict.is_err() {
            progress(&case, &outcome);
            *smallest = case;
        }
    };
    for rounds_max in 1..=6 {
        let case = Case {
            rounds_max,
            ..smallest.clone()
        };
        try_case(case, &mut smallest);
        if smallest.rounds_max == rounds_max {
            break;
        }
    }
    for part in drawn_parts(failing) {
        let mut case = smallest.clone();
        if case.without.insert(part) {
            try_case(case, &mut smallest);
        }
    }
    smallest
}

/// The parts that the case consists of.
pub(super) fn drawn_parts(case: &Case) -> Vec<Part> {
    let drawn = Mix::drawn(&mix_rng(case.seed), &case.without, case.rounds_max);
    let parts = Part::ALL.into_iter();
    parts.filter(|part| drawn.has(*part)).collect()
}
