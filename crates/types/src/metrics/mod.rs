//! Measurements as plain values: what is counted, and how it is described to those who collect it.
//!
//! Shards count for themselves, in cells of their own; only when somebody asks does that become [`Sample`]s and rows of a
//! [`Snapshot`].

mod histogram;
mod snapshot;

use std::time::Duration;

pub use histogram::{Distribution, Histogram};
pub use snapshot::{GroupRow, OffsetRow, PartitionRow, Series, Snapshot, TopicRow};

/// How the values of a metric behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// A state: goes up and down.
    Gauge,
    /// How many took how long.
    Histogram,
}

/// A metric, of which there is one value for each set of labels.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, such as `logan_scrub_bytes`: ASCII letters, digits and underscores, with the unit at the end. Counters get
    /// `_total` appended where they are shown.
    pub name: &'static str,
    /// What it tells, in one sentence.
    pub help: &'static str,
    /// How its values behave.
    pub kind: MetricKind,
    /// Whether the values of all shards are shown as their sum, instead of each with the label `shard`.
    pub is_summed: bool,
}

impl Metric {
    /// A metric that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricKind::Counter)
    }

    /// A metric that goes up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricKind::Gauge)
    }

    /// How long things took, in seconds.
    #[must_use]
    pub const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricKind::Histogram)
    }

    const fn new(name: &'static str, help: &'static str, kind: MetricKind) -> Self {
        Self {
            name,
            help,
            kind,
            is_summed: false,
        }
    }

    /// The same, shown as the sum over all shards: for what would be too many series otherwise.
    #[must_use]
    pub const fn summed(mut self) -> Self {
        self.is_summed = true;
        self
    }

    /// A value of it, without labels.
    #[must_use]
    pub fn is(&'static self, value: u64) -> Sample {
        self.sample(Value::Count(value))
    }

    /// A value of it that is a time, shown in seconds, without labels.
    #[must_use]
    pub fn lasts(&'static self, time: Duration) -> Sample {
        self.sample(Value::Seconds(time))
    }

    /// A value of a histogram, without labels.
    #[must_use]
    pub fn spreads(&'static self, distribution: Distribution) -> Sample {
        self.sample(Value::Distribution(Box::new(distribution)))
    }

    fn sample(&'static self, value: Value) -> Sample {
        Sample {
            metric: self,
            labels: Vec::new(),
            value,
        }
    }
}

/// What a metric has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Count(u64),
    /// A time.
    Seconds(Duration),
    /// Many times.
    Distribution(Box<Distribution>),
}

impl Value {
    /// Adds another value of the same metric. Values of different kinds are never of the same metric: then nothing happens.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(sum), Self::Count(other)) => *sum = sum.saturating_add(*other),
            (Self::Seconds(sum), Self::Seconds(other)) => *sum = sum.saturating_add(*other),
            (Self::Distribution(sum), Self::Distribution(other)) => sum.add(other),
            (Self::Count(_) | Self::Seconds(_) | Self::Distribution(_), _) => {}
        }
    }
}

/// One value at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What it is a value of.
    pub metric: &'static Metric,
    /// Names and values of its labels.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: Value,
}

impl Sample {
    /// The same with one more label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}
