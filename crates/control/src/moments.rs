//! What the status page remembers: the last two moments that it was shown, and the rates of the last few minutes.
//!
//! Lives on the control thread. Shards are asked only while somebody looks at the page, at most every
//! [`MOMENT_INTERVAL`], however many look.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use types::{PartitionRow, Snapshot, Value};

use crate::collect::Everything;

/// The shortest time between two moments.
pub(crate) const MOMENT_INTERVAL: Duration = Duration::from_secs(1);

/// Moments further apart than this have no rates between them: nobody has looked for a while.
const GAP_MAX: Duration = Duration::from_secs(30);

/// How many points the charts have.
const POINTS_MAX: usize = 120;

/// Everything at one moment.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) everything: Everything,
}

/// Rates at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Point {
    pub(crate) bytes_in: f64,
    pub(crate) bytes_out: f64,
    pub(crate) requests: f64,
    /// Of each shard, by its number, which part of the time it was busy; nothing of one that was silent.
    pub(crate) busy: Vec<Option<f64>>,
}

/// The last moments.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    previous: Option<Arc<Moment>>,
    current: Option<Arc<Moment>>,
    points: VecDeque<Point>,
}

/// What a page is made of.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) current: Arc<Moment>,
    previous: Option<Arc<Moment>>,
    pub(crate) points: Vec<Point>,
}

impl Moments {
    /// Whether the last moment is recent enough to be shown once more.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|it| now.saturating_duration_since(it.at) < MOMENT_INTERVAL)
    }

    /// Takes the next moment.
    pub(crate) fn push(&mut self, at: Instant, everything: Everything) {
        let moment = Arc::new(Moment { at, everything });
        self.previous = self.current.replace(Arc::clone(&moment));
        let is_gap = |before: &Arc<Moment>| at.saturating_duration_since(before.at) > GAP_MAX;
        if self.previous.as_ref().is_some_and(is_gap) {
            self.previous = None;
            self.points.clear();
        }
        if let Some(previous) = &self.previous {
            if self.points.len() == POINTS_MAX {
                self.points.pop_front();
            }
            self.points.push_back(point(previous, &moment));
        }
    }

    /// What there is to show, once there was a moment.
    pub(crate) fn view(&self) -> Option<View> {
        Some(View {
            current: Arc::clone(self.current.as_ref()?),
            previous: self.previous.clone(),
            points: self.points.iter().cloned().collect(),
        })
    }
}

impl View {
    /// The partitions through which most went between the two moments, with bytes in and out per second.
    pub(crate) fn hot_partitions(&self, count_max: usize) -> Vec<(u16, PartitionRow, f64, f64)> {
        let Some(previous) = &self.previous else {
            return Vec::new();
        };
        let seconds = seconds_between(previous, &self.current);
        let mut before: HashMap<(u16, &str, i32), &PartitionRow> = HashMap::new();
        for (shard, snapshot) in previous.everything.snapshots() {
            let rows = snapshot.partitions.iter();
            before.extend(rows.map(|row| ((shard, &*row.topic, row.partition), row)));
        }
        let mut hot: Vec<_> = Vec::new();
        for (shard, snapshot) in self.current.everything.snapshots() {
            for row in &snapshot.partitions {
                // What has just come has counted since.
                let before = before.get(&(shard, &*row.topic, row.partition));
                let since = |now: u64, of: fn(&PartitionRow) -> u64| {
                    rate(now.saturating_sub(before.map_or(0, |it| of(it))), seconds)
                };
                let bytes_in = since(row.bytes_in, |it| it.bytes_in);
                let bytes_out = since(row.bytes_out, |it| it.bytes_out);
                if bytes_in + bytes_out > 0.0 {
                    hot.push((shard, row, bytes_in, bytes_out));
                }
            }
        }
        hot.sort_by(|left, right| (right.2 + right.3).total_cmp(&(left.2 + left.3)));
        hot.truncate(count_max);
        let owned = hot.into_iter();
        owned
            .map(|(shard, row, bytes_in, bytes_out)| (shard, row.clone(), bytes_in, bytes_out))
            .collect()
    }
}

fn point(previous: &Moment, current: &Moment) -> Point {
    let seconds = seconds_between(previous, current);
    let mut point = Point {
        busy: vec![None; current.everything.shards.len()],
        ..Point::default()
    };
    for (shard, snapshot) in current.everything.snapshots() {
        let mut before = previous.everything.snapshots();
        let Some((_, before)) = before.find(|(it, _)| *it == shard) else {
            continue;
        };
        let since =
            |of: fn(&Snapshot) -> u64| rate(of(snapshot).saturating_sub(of(before)), seconds);
        point.bytes_in += since(|it| it.topics.iter().map(|row| row.bytes_in).sum());
        point.bytes_out += since(|it| it.topics.iter().map(|row| row.bytes_out).sum());
        point.requests += since(|it| number(it, "logan_requests", None));
        let busy = since(|it| number(it, "logan_shard_busy_seconds", None));
        if let Some(of_shard) = point.busy.get_mut(usize::from(shard)) {
            *of_shard = Some((busy / 1e9).min(1.0));
        }
    }
    point
}

/// The sum of a metric's values that have this value of any label; times count in nanoseconds.
pub(crate) fn number(snapshot: &Snapshot, name: &str, label: Option<&str>) -> u64 {
    let samples = snapshot.samples.iter();
    let wanted = samples.filter(|sample| {
        let mut labels = sample.labels.iter();
        sample.metric.name == name && label.is_none_or(|label| labels.any(|(_, it)| it == label))
    });
    let values = wanted.map(|sample| match &sample.value {
        Value::Count(count) => *count,
        Value::Seconds(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
        Value::Distribution(times) => times.count(),
    });
    values.sum()
}

fn seconds_between(previous: &Moment, current: &Moment) -> f64 {
    let between = current.at.saturating_duration_since(previous.at);
    between.as_secs_f64().max(0.001)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rates are shown with three digits"
)]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[cfg(test)]
mod tests {
    use types::TopicRow;

    use super::*;
    use crate::collect::Told;

    fn everything(bytes: u64) -> Everything {
        let row = PartitionRow {
            topic: "t".into(),
            partition: 0,
            log_start_offset: 0,
            high_watermark: 0,
            log_end_offset: 0,
            size_bytes: 0,
            segments: 1,
            records_in: 0,
            bytes_in: bytes,
            bytes_out: 0,
            is_fenced: false,
        };
        let topic = TopicRow {
            topic: "t".into(),
            batches_in: 0,
            records_in: 0,
            bytes_in: bytes,
            bytes_out: 0,
        };
        let snapshot = Snapshot {
            topics: vec![topic],
            partitions: vec![row],
            ..Snapshot::default()
        };
        Everything {
            shards: vec![Told {
                shard: 0,
                snapshot: Some(snapshot),
            }],
        }
    }

    #[test]
    fn rates_are_what_has_come_between_two_moments() {
        let mut moments = Moments::default();
        let start = Instant::now();
        assert!(!moments.is_fresh(start));
        moments.push(start, everything(100));
        assert!(moments.is_fresh(start));
        moments.push(start + Duration::from_secs(2), everything(700));
        let view = moments.view().expect("there were moments");
        assert!((view.points[0].bytes_in - 300.0).abs() < 0.01);
        let hot = view.hot_partitions(5);
        assert!((hot[0].2 - 300.0).abs() < 0.01);
        // Nobody has looked for a while.
        moments.push(start + Duration::from_secs(200), everything(900));
        let view = moments.view().expect("there were moments");
        assert!(view.points.is_empty() && view.hot_partitions(5).is_empty());
    }

    #[test]
    fn a_silent_shard_does_not_lend_its_place_to_another() {
        let mut moments = Moments::default();
        let start = Instant::now();
        for second in 0..2 {
            let mut everything = everything(second);
            everything.shards[0].shard = 1;
            let silent = Told {
                shard: 0,
                snapshot: None,
            };
            everything.shards.insert(0, silent);
            moments.push(start + Duration::from_secs(second), everything);
        }
        let view = moments.view().expect("there were moments");
        assert_eq!(view.points[0].busy, [None, Some(0.0)]);
    }

    #[test]
    fn the_charts_are_bounded() {
        let mut moments = Moments::default();
        let start = Instant::now();
        for second in 0..POINTS_MAX as u64 + 50 {
            moments.push(start + Duration::from_secs(second), everything(second));
        }
        let view = moments.view().expect("there were moments");
        assert_eq!(view.points.len(), POINTS_MAX);
    }
}
