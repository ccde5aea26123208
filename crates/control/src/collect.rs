//! Asking all shards, and putting together what they say.
//!
//! Lives on the control thread. A shard that hangs holds an answer up for [`ANSWER_TIME_MAX`] and hides no other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use types::{Metric, OffsetRow, Sample, Series, Snapshot, Value};

use crate::moments::number;
use crate::{ANSWER_TIME_MAX, Source};

/// Whether a shard has answered in time.
static SHARD_UP: Metric = Metric::gauge(
    "logan_shard_up",
    "1 if the shard has told its numbers in time, else 0; its other metrics are missing then, and so is what is summed over the shards.",
);

/// What one shard has said; `None` when it did not in time.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) shard: u16,
    pub(crate) snapshot: Option<Snapshot>,
}

/// What all shards have said.
#[derive(Debug)]
pub(crate) struct Everything {
    pub(crate) shards: Vec<Told>,
}

/// The name of a metric, and the labels of one of its values.
type Key = (&'static str, Vec<(&'static str, String)>);

/// Samples by metric.
pub(crate) type Samples = Vec<(&'static Metric, Vec<Sample>)>;

/// Asks all at once, then awaits one after the other, all within the same time.
pub(crate) async fn ask(sources: &[Box<dyn Source>], series: Series) -> Everything {
    let deadline = Instant::now() + ANSWER_TIME_MAX;
    let asked = sources.iter().map(|it| (it.shard(), it.ask(series)));
    let asked: Vec<_> = asked.collect();
    let mut shards = Vec::with_capacity(asked.len());
    for (shard, answer) in asked {
        let answer = timeout_at(deadline, answer).await;
        let snapshot = answer.ok().flatten();
        shards.push(Told { shard, snapshot });
    }
    Everything { shards }
}

impl Everything {
    /// What those have said that have answered, with their numbers.
    pub(crate) fn snapshots(&self) -> impl Iterator<Item = (u16, &Snapshot)> {
        let told = self.shards.iter();
        told.filter_map(|it| Some((it.shard, it.snapshot.as_ref()?)))
    }

    /// Whether a shard has not answered. What is summed over the shards is not told then: a counter that falls is one that
    /// has begun anew, to Prometheus, and a gap is a gap.
    pub(crate) fn is_partial(&self) -> bool {
        self.shards.iter().any(|it| it.snapshot.is_none())
    }

    /// Whether there is no log directory that can be used, so that the broker has nothing to serve.
    pub(crate) fn has_no_directory(&self) -> bool {
        let values = |name| {
            let samples = self.snapshots().flat_map(|(_, it)| &it.samples);
            let of_name = samples.filter(move |it| it.metric.name == name);
            of_name.map(|it| matches!(it.value, Value::Count(1..)))
        };
        let mut are_online = values("logan_log_directory_online").peekable();
        are_online.peek().is_some() && are_online.all(|is_online| !is_online)
    }

    /// What of the broker does not work, although its shards answer.
    pub(crate) fn ailments(&self) -> Vec<String> {
        let sum = |name| -> u64 {
            let snapshots = self.snapshots();
            snapshots.map(|(_, it)| number(it, name, None)).sum()
        };
        let counted = [
            ("logan_offline_partitions", "partitions are offline"),
            (
                "logan_fenced_logs",
                "logs are fenced since a write or a sync failed",
            ),
        ];
        let counted = counted.map(|(name, text)| (sum(name), text));
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        let mut ailments: Vec<_> = counted
            .map(|(count, text)| format!("{count} {text}"))
            .collect();
        if sum("logan_metadata_log_failed") > 0 {
            let text = "the metadata log has failed: topics and configurations cannot be changed until the next start";
            ailments.push(text.to_owned());
        }
        ailments
    }

    /// Takes the samples of the shards, and those of the process, by metric in the order of names. Those of summed metrics
    /// are added up over the shards if all have answered; the others get the label `shard`.
    pub(crate) fn take_samples(&mut self, of_process: Vec<Sample>) -> Samples {
        let mut samples = of_process;
        let is_partial = self.is_partial();
        let mut sums: BTreeMap<Key, Sample> = BTreeMap::new();
        for told in &mut self.shards {
            let of_shard = |sample: Sample| sample.with("shard", told.shard.to_string());
            let is_up = u64::from(told.snapshot.is_some());
            samples.push(of_shard(SHARD_UP.is(is_up)));
            let snapshot = told.snapshot.as_mut();
            for sample in snapshot.into_iter().flat_map(|it| it.samples.drain(..)) {
                if !sample.metric.is_summed {
                    samples.push(of_shard(sample));
                    continue;
                }
                if is_partial {
                    continue;
                }
                let key = (sample.metric.name, sample.labels.clone());
                match sums.get_mut(&key) {
                    Some(sum) => sum.value.add(&sample.value),
                    None => drop(sums.insert(key, sample)),
                }
            }
        }
        samples.extend(sums.into_values());
        by_metric(samples)
    }

    /// The high watermarks of all partitions that the shards have told of.
    pub(crate) fn high_watermarks(&self) -> HighWatermarks {
        let mut marks = HighWatermarks::default();
        for (_, snapshot) in self.snapshots() {
            for row in &snapshot.partitions {
                let of_topic = marks.0.entry(Arc::clone(&row.topic)).or_default();
                of_topic.insert(row.partition, row.high_watermark);
            }
        }
        marks
    }
}

/// Where the partitions end for consumers.
#[derive(Debug, Default)]
pub(crate) struct HighWatermarks(HashMap<Arc<str>, HashMap<i32, i64>>);

impl HighWatermarks {
    /// How many records behind a committed offset there are; `None` when the partition is not known, such as one of a
    /// deleted topic.
    pub(crate) fn lag(&self, offset: &OffsetRow) -> Option<u64> {
        let end = self.0.get(&offset.topic)?.get(&offset.partition)?;
        Some(u64::try_from(end.saturating_sub(offset.offset)).unwrap_or(0))
    }
}

fn by_metric(mut samples: Vec<Sample>) -> Samples {
    // A stable order: shards and labels stay as they came.
    samples.sort_by_key(|sample| sample.metric.name);
    let mut metrics: Samples = Vec::new();
    for sample in samples {
        match metrics.last_mut() {
            Some((metric, known)) if metric.name == sample.metric.name => known.push(sample),
            _ => metrics.push((sample.metric, vec![sample])),
        }
    }
    metrics
}

#[cfg(test)]
mod tests {
    use types::PartitionRow;

    use super::*;

    static OPEN: Metric = Metric::gauge("x_open", "Open ones.");
    static ERRORS: Metric = Metric::counter("x_errors", "Errors.").summed();

    fn told(shard: u16, samples: Vec<Sample>) -> Told {
        let snapshot = Snapshot {
            samples,
            ..Snapshot::default()
        };
        Told {
            shard,
            snapshot: Some(snapshot),
        }
    }

    #[test]
    fn summed_metrics_are_added_up_and_others_told_by_shard() {
        let both = |open, errors| vec![OPEN.is(open), ERRORS.is(errors).with("api", "Fetch")];
        let values = |samples: &Samples, name| -> Vec<String> {
            let found = samples.iter().filter(|(metric, _)| metric.name == name);
            let text = |it: &Sample| format!("{:?} {:?}", it.labels, it.value);
            found.flat_map(|(_, it)| it.iter().map(text)).collect()
        };
        let open = [
            "[(\"shard\", \"0\")] Count(1)",
            "[(\"shard\", \"1\")] Count(2)",
        ];
        let shards = || vec![told(0, both(1, 5)), told(1, both(2, 6))];
        let samples = Everything { shards: shards() }.take_samples(Vec::new());
        assert_eq!(
            values(&samples, "x_errors"),
            ["[(\"api\", \"Fetch\")] Count(11)"]
        );
        assert_eq!(values(&samples, "x_open"), open);
        let mut shards = shards();
        shards.push(Told {
            shard: 2,
            snapshot: None,
        });
        let samples = Everything { shards }.take_samples(Vec::new());
        assert_eq!(values(&samples, "x_errors"), [""; 0], "a part is no sum");
        assert_eq!(values(&samples, "x_open"), open);
        let up = values(&samples, "logan_shard_up");
        assert_eq!(up.len(), 3);
        assert!(up[2].ends_with("Count(0)"));
    }

    #[test]
    fn a_group_lags_behind_the_high_watermark_of_whichever_shard() {
        let row = PartitionRow {
            topic: "t".into(),
            partition: 3,
            log_start_offset: 0,
            high_watermark: 10,
            log_end_offset: 12,
            size_bytes: 0,
            segments: 1,
            records_in: 0,
            bytes_in: 0,
            bytes_out: 0,
            is_fenced: false,
        };
        let mut other = told(1, Vec::new());
        let snapshot = other.snapshot.as_mut().expect("it has answered");
        snapshot.partitions.push(row);
        let everything = Everything {
            shards: vec![told(0, Vec::new()), other],
        };
        let marks = everything.high_watermarks();
        let lag = |topic: &str, partition, offset| {
            marks.lag(&OffsetRow {
                topic: topic.into(),
                partition,
                offset,
            })
        };
        assert_eq!(lag("t", 3, 4), Some(6));
        assert_eq!(lag("t", 3, 11), Some(0), "committed beyond the end");
        assert_eq!(lag("t", 4, 0), None);
        assert_eq!(lag("deleted", 3, 0), None);
    }
}
