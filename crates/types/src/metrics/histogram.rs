//! How long things took, counted in buckets.
//!
//! A [`Histogram`] belongs to one thread: noting a time is a search among [`BUCKETS`] numbers and two additions to plain
//! cells. A [`Distribution`] is what it had counted at one moment.

use std::cell::Cell;
use std::time::Duration;

/// The upper ends of the buckets, in nanoseconds: 1, 2.5 and 5 times the powers of ten from 25 µs to 10 s. Buckets for
/// all, so that the times of different things can be compared and added.
const BOUNDS_NANOS: [u64; BUCKETS] = [
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// How many bounded buckets there are; one more has what is longer.
const BUCKETS: usize = 18;

/// Times, counted on one thread.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [Cell<u64>; BUCKETS + 1],
    sum_nanos: Cell<u64>,
}

impl Histogram {
    /// Counts a time.
    pub fn note(&self, time: Duration) {
        let nanos = nanos(time);
        let bucket = BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
        let count = &self.counts[bucket];
        count.set(count.get() + 1);
        let sum = self.sum_nanos.get();
        self.sum_nanos.set(sum.saturating_add(nanos));
    }

    /// What was counted so far.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        Distribution {
            counts: self.counts.each_ref().map(Cell::get),
            sum_nanos: self.sum_nanos.get(),
        }
    }
}

/// Times that were counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    counts: [u64; BUCKETS + 1],
    sum_nanos: u64,
}

impl Distribution {
    /// Times that were counted in buckets of other sizes, of each the upper end and how many: each time counts as long as
    /// that.
    pub fn of_ends(ends: impl IntoIterator<Item = (Duration, u64)>, sum: Duration) -> Self {
        let mut counts = [0; BUCKETS + 1];
        for (end, count) in ends {
            let nanos = nanos(end);
            let bucket = BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
            counts[bucket] += count;
        }
        Self {
            counts,
            sum_nanos: nanos(sum),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long they are together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos)
    }

    /// The buckets, shortest first: the upper end in seconds, infinite for the last, and how many are in it, without those
    /// of the buckets before.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let ends = BOUNDS_NANOS
            .iter()
            .map(|nanos| Duration::from_nanos(*nanos).as_secs_f64());
        let ends = ends.chain([f64::INFINITY]);
        ends.zip(self.counts)
    }

    /// The upper end of the bucket below which the given per mille of the times lie, at most 10 s; zero when there are none.
    #[must_use]
    pub fn percentile(&self, per_mille: u64) -> Duration {
        let wanted = self.count().saturating_mul(per_mille).div_ceil(1000);
        let mut seen = 0;
        for (count, bound) in self.counts.iter().zip(BOUNDS_NANOS) {
            seen += count;
            if seen >= wanted {
                let is_empty = seen == 0;
                return Duration::from_nanos(if is_empty { 0 } else { bound });
            }
        }
        Duration::from_nanos(BOUNDS_NANOS[BUCKETS - 1])
    }

    /// Adds the times of another one.
    pub fn add(&mut self, other: &Self) {
        for (count, other) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(other);
        }
        self.sum_nanos = self.sum_nanos.saturating_add(other.sum_nanos);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_into_the_bucket_whose_end_it_does_not_pass() {
        let histogram = Histogram::default();
        histogram.note(Duration::ZERO);
        histogram.note(Duration::from_micros(25));
        histogram.note(Duration::from_nanos(25_001));
        histogram.note(Duration::from_secs(11));
        let counted = histogram.distribution();
        let buckets: Vec<_> = counted.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(buckets, [(25e-6, 2), (50e-6, 1), (f64::INFINITY, 1)]);
        assert_eq!(counted.count(), 4);
        assert_eq!(counted.sum(), Duration::from_nanos(11_000_050_001));
    }

    #[test]
    fn percentiles_are_ends_of_buckets() {
        let mut counted = Distribution::default();
        assert_eq!(counted.percentile(990), Duration::ZERO);
        let histogram = Histogram::default();
        for _ in 0..99 {
            histogram.note(Duration::from_micros(30));
        }
        histogram.note(Duration::from_millis(3));
        counted.add(&histogram.distribution());
        assert_eq!(counted.percentile(500), Duration::from_micros(50));
        assert_eq!(counted.percentile(990), Duration::from_micros(50));
        assert_eq!(counted.percentile(1000), Duration::from_millis(5));
    }

    #[test]
    fn endless_times_overflow_nothing() {
        let histogram = Histogram::default();
        histogram.note(Duration::MAX);
        histogram.note(Duration::MAX);
        let mut counted = histogram.distribution();
        counted.add(&histogram.distribution());
        assert_eq!(counted.count(), 4);
        assert_eq!(counted.percentile(1), Duration::from_secs(10));
    }
}
