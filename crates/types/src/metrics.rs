//! Measurements as plain values: what is counted, and how it is described to those who collect it.
//!
//! Shards count for themselves, in cells of their own; only when somebody asks does that become [`Sample`]s.

/// How the values of a metric behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// A state: goes up and down.
    Gauge,
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
}

impl Metric {
    /// A metric that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind: MetricKind::Counter,
        }
    }

    /// A metric that goes up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind: MetricKind::Gauge,
        }
    }

    /// A value of it, without labels.
    #[must_use]
    pub fn is(&'static self, value: u64) -> Sample {
        Sample {
            metric: self,
            labels: Vec::new(),
            value,
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
    pub value: u64,
}

impl Sample {
    /// The same with one more label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}
