//! What a lane's worker counts: latencies, and how much happened in each second.

use hdrhistogram::Histogram;

use crate::load::{Nanos, Stamp};

/// Latencies are kept from 1 µs to 10 minutes, with three digits.
const LATENCY_MAX_US: u64 = 600_000_000;

/// A point of the series over time covers this much.
pub(crate) const INTERVAL: Nanos = 1_000_000_000;

/// Seconds that a series may have; what comes later is in the totals only.
const INTERVALS_MAX: usize = 24 * 3600;

/// One direction's counts.
#[derive(Clone, Debug)]
pub(crate) struct SideStats {
    /// From when a record was due to its acknowledgement, or to its delivery, in microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) series: Vec<Point>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    /// Records that were due within the window and had not been sent at its end.
    pub(crate) behind: u64,
    /// When the last of it happened.
    pub(crate) last: Nanos,
}

/// One second.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) latency: Histogram<u32>,
}

impl Point {
    fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_US, 2);
        Self {
            records: 0,
            bytes: 0,
            latency: latency.expect("the bounds are right"),
        }
    }
}

impl SideStats {
    pub(crate) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3);
        Self {
            latency: latency.expect("the bounds are right"),
            series: Vec::new(),
            records: 0,
            bytes: 0,
            requests: 0,
            behind: 0,
            last: 0,
        }
    }

    /// Counts what happened at `now`, so long after the window's beginning.
    pub(crate) fn count(&mut self, since_begin: Nanos, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
        self.requests += 1;
        if let Some(point) = self.point(since_begin) {
            point.records += records;
            point.bytes += bytes;
        }
    }

    /// Counts the latencies of `count` records that were due at even distances and happened at `now`.
    pub(crate) fn latencies(&mut self, since_begin: Nanos, now: Nanos, due: Stamp, count: u64) {
        if due.first == due.last {
            self.latency_of(since_begin, now.saturating_sub(due.first), count);
            return;
        }
        let distance = due.last.saturating_sub(due.first) / count.saturating_sub(1).max(1);
        for number in 0..count {
            let at = due.first + distance * number;
            self.latency_of(since_begin, now.saturating_sub(at), 1);
        }
    }

    fn latency_of(&mut self, since_begin: Nanos, latency: Nanos, count: u64) {
        let micros = (latency / 1000).clamp(1, LATENCY_MAX_US);
        self.latency.saturating_record_n(micros, count);
        if let Some(point) = self.point(since_begin) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            point.latency.saturating_record_n(micros, count);
        }
    }

    fn point(&mut self, since_begin: Nanos) -> Option<&mut Point> {
        let at = usize::try_from(since_begin / INTERVAL).ok()?;
        if at >= INTERVALS_MAX {
            return None;
        }
        if self.series.len() <= at {
            self.series.resize_with(at + 1, Point::new);
        }
        self.series.get_mut(at)
    }

    /// Adds another worker's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("equal bounds");
        if self.series.len() < other.series.len() {
            self.series.resize_with(other.series.len(), Point::new);
        }
        for (ours, theirs) in self.series.iter_mut().zip(&other.series) {
            ours.records += theirs.records;
            ours.bytes += theirs.bytes;
            ours.latency.add(&theirs.latency).expect("equal bounds");
        }
        self.records += other.records;
        self.bytes += other.bytes;
        self.requests += other.requests;
        self.behind += other.behind;
        self.last = self.last.max(other.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_due_at_even_distances_have_different_latencies() {
        let mut stats = SideStats::new();
        let due = Stamp {
            first: 0,
            last: 9_000_000,
        };
        stats.latencies(0, 10_000_000, due, 10);
        assert_eq!(stats.latency.len(), 10);
        assert_eq!(stats.latency.min(), 1000);
        assert!(stats.latency.max().abs_diff(10_000) < 20);
    }

    #[test]
    fn seconds_are_counted_apart_and_added_together() {
        let mut one = SideStats::new();
        one.count(0, 5, 500);
        let mut other = SideStats::new();
        other.count(1_500_000_000, 7, 700);
        other.latencies(1_500_000_000, 5000, Stamp { first: 0, last: 0 }, 7);
        one.add(&other);
        assert_eq!((one.records, one.bytes, one.requests), (12, 1200, 2));
        let records: Vec<u64> = one.series.iter().map(|point| point.records).collect();
        assert_eq!(records, [5, 7]);
        assert_eq!(one.series[1].latency.len(), 7);
    }
}
