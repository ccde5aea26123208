//! Whether differences of pairs are more than chance.
//!
//! Each pair gives the logarithm of a ratio. If the builds were equal, every one of them could as well have had the other
//! sign: the share of all choices of signs that lead at least as far from zero as what was found is the probability of
//! finding it by chance. No distribution is assumed. Values only.

use crate::load::Chance;

/// With at most this many pairs all choices of signs are tried.
const EXACT_PAIRS_MAX: usize = 14;

/// Otherwise so many random ones.
const DRAWS: u32 = 20_000;

/// Samples for the interval.
const SAMPLES: usize = 4000;

/// What the pairs say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// The second build's figure as a multiple of the first's, by the mean of the logarithms.
    pub(crate) ratio: f64,
    /// The interval of the ratio that holds the confidence that was asked for, by bootstrap.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// One minus the probability of at least such a difference by chance.
    pub(crate) confidence: f64,
}

/// The fewest pairs by which anything can be said with this confidence.
pub(crate) fn pairs_min(confidence: f64) -> u32 {
    // The least probability is that of two of all choices of signs.
    (1..=30)
        .find(|pairs| 2.0 / 2f64.powi(*pairs) <= 1.0 - confidence + 1e-12)
        .map_or(30, i32::unsigned_abs)
}

/// Judges pairs of figures above zero: the first build's, then the second's. `None` without pairs.
pub(crate) fn judge(pairs: &[(f64, f64)], confidence: f64) -> Option<Verdict> {
    let differences: Vec<f64> = pairs
        .iter()
        .filter(|(first, second)| *first > 0.0 && *second > 0.0)
        .map(|(first, second)| (second / first).ln())
        .collect();
    if differences.is_empty() {
        return None;
    }
    let (low, high) = interval(&differences, confidence);
    Some(Verdict {
        ratio: mean(&differences).exp(),
        low: low.exp(),
        high: high.exp(),
        confidence: 1.0 - by_chance(&differences),
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The probability of such a sum, or one farther from zero.
fn by_chance(differences: &[f64]) -> f64 {
    let found = differences.iter().sum::<f64>().abs();
    // What differs by rounding alone is equal.
    let is_as_far = |sum: f64| sum.abs() >= found * (1.0 - 1e-12);
    if differences.len() <= EXACT_PAIRS_MAX {
        let choices = 1u32 << differences.len();
        let as_far = (0..choices).filter(|signs| {
            let signed = differences.iter().enumerate();
            let sum = signed.map(|(at, value)| if signs >> at & 1 == 1 { -value } else { *value });
            is_as_far(sum.sum())
        });
        return as_far.count() as f64 / f64::from(choices);
    }
    let mut chance = Chance::new(1);
    let as_far = (0..DRAWS).filter(|_| {
        let signed = differences.iter();
        let sum = signed.map(|value| {
            if chance.fraction() < 0.5 {
                -value
            } else {
                *value
            }
        });
        is_as_far(sum.sum())
    });
    // What was found is one of the choices.
    (as_far.count() as f64 + 1.0) / (f64::from(DRAWS) + 1.0)
}

/// The interval of the mean, from samples of the pairs with replacement.
fn interval(differences: &[f64], confidence: f64) -> (f64, f64) {
    let count = differences.len();
    let mut chance = Chance::new(2);
    let mut means: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let drawn = (0..count).map(|_| {
                let at = crate::load::whole(chance.fraction() * count as f64);
                differences[usize::try_from(at).unwrap_or(0).min(count - 1)]
            });
            drawn.sum::<f64>() / count as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let outside = (1.0 - confidence) / 2.0;
    let at = |share: f64| {
        let at = crate::load::whole(share * (SAMPLES - 1) as f64);
        means[usize::try_from(at).unwrap_or(0)]
    };
    (at(outside), at(1.0 - outside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_pairs_are_the_fewest_for_a_confidence_of_95_percent() {
        assert_eq!(pairs_min(0.95), 6);
        assert_eq!(pairs_min(0.75), 3);
        let pairs = [(100.0, 110.0); 5];
        let five = judge(&pairs, 0.95).expect("pairs");
        assert!(five.confidence < 0.95, "{five:?}");
    }

    #[test]
    fn a_steady_difference_is_no_chance() {
        let pairs: Vec<(f64, f64)> = (0..8)
            .map(|at| (100.0 + f64::from(at), 110.0 + f64::from(at)))
            .collect();
        let verdict = judge(&pairs, 0.95).expect("pairs");
        // All eight have one sign: two of 256 choices.
        assert!((verdict.confidence - (1.0 - 2.0 / 256.0)).abs() < 1e-9);
        assert!((1.08..1.11).contains(&verdict.ratio), "{verdict:?}");
        assert!(verdict.low > 1.0 && verdict.high < 1.12, "{verdict:?}");
    }

    #[test]
    fn noise_around_nothing_is_chance() {
        let pairs = [
            (100.0, 103.0),
            (100.0, 97.0),
            (100.0, 101.0),
            (100.0, 98.0),
            (100.0, 102.0),
            (100.0, 99.5),
        ];
        let verdict = judge(&pairs, 0.95).expect("pairs");
        assert!(verdict.confidence < 0.5, "{verdict:?}");
        assert!(verdict.low < 1.0 && verdict.high > 1.0, "{verdict:?}");
    }

    #[test]
    fn many_pairs_are_judged_by_random_signs() {
        let steady = vec![(1.0, 1.01); 40];
        assert!(judge(&steady, 0.95).expect("pairs").confidence > 0.999);
        let mixed: Vec<(f64, f64)> = (0..40)
            .map(|at| (1.0, if at % 2 == 0 { 1.01 } else { 1.0 / 1.01 }))
            .collect();
        assert!(judge(&mixed, 0.95).expect("pairs").confidence < 0.2);
    }

    #[test]
    fn figures_of_zero_say_nothing() {
        assert_eq!(judge(&[(0.0, 1.0)], 0.95), None);
    }
}
