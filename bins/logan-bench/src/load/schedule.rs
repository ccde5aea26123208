//! When records are due: an open loop follows a plan, however long answers take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Nanos, whole};

/// Records or bytes a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amount {
    value: f64,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Records,
    Bytes,
}

/// How much is sent a second.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rate {
    /// As much as the broker takes: a closed loop.
    Max,
    Fixed(Amount),
    /// From the first to the second over the time of the run.
    Ramp(Amount, Amount),
    /// Each for an equal share of the time of the run.
    Steps(Vec<Amount>),
}

/// The times at which records are due.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Spans one after the other; the last one goes on for ever.
    spans: Vec<Span>,
}

/// A time in which the rate stays or moves steadily.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Where it begins, in seconds.
    begin: f64,
    /// How long it lasts, in seconds.
    length: f64,
    /// Records that were due before it.
    before: f64,
    /// Records a second at its beginning and at its end.
    rates: (f64, f64),
}

impl Rate {
    /// The plan for records of `record_bytes` in the mean. The warm-up runs at the first rate. `None` for a closed loop.
    pub(crate) fn plan(&self, record_bytes: f64, warmup: Duration, run: Duration) -> Option<Plan> {
        let rate = |amount: Amount| match amount.unit {
            Unit::Records => amount.value,
            Unit::Bytes => amount.value / record_bytes,
        };
        let moves: Vec<(f64, f64)> = match self {
            Self::Max => return None,
            Self::Fixed(amount) => vec![(rate(*amount), rate(*amount))],
            Self::Ramp(from, to) => vec![(rate(*from), rate(*to))],
            Self::Steps(steps) => steps
                .iter()
                .map(|step| (rate(*step), rate(*step)))
                .collect(),
        };
        let first = moves[0].0;
        let mut spans = vec![Span {
            begin: 0.0,
            length: warmup.as_secs_f64(),
            before: 0.0,
            rates: (first, first),
        }];
        let length = run.as_secs_f64() / moves.len() as f64;
        for rates in moves {
            let last = spans[spans.len() - 1];
            spans.push(Span {
                begin: last.begin + last.length,
                length,
                before: last.before + last.records(),
                rates,
            });
        }
        Some(Plan { spans })
    }
}

impl Span {
    /// Records due in it.
    fn records(&self) -> f64 {
        self.length * f64::midpoint(self.rates.0, self.rates.1)
    }

    /// When, after its beginning, so many of its records are due, in seconds.
    fn time_of(&self, records: f64) -> f64 {
        let (from, to) = self.rates;
        let slope = (to - from) / self.length;
        if self.length <= 0.0 || slope.abs() < f64::EPSILON {
            return records / from;
        }
        // from t + slope t² / 2 = records
        let root = (from * from + 2.0 * slope * records).max(0.0).sqrt();
        2.0 * records / (from + root)
    }
}

impl Plan {
    /// When the record of this number is due.
    pub(crate) fn due(&self, number: u64) -> Nanos {
        let number = number as f64;
        let at = self.spans.partition_point(|span| span.before <= number);
        let span = &self.spans[at.saturating_sub(1)];
        let seconds = span.begin + span.time_of(number - span.before);
        whole(seconds * 1e9)
    }

    /// How many records are due before this time.
    pub(crate) fn due_before(&self, time: Nanos) -> u64 {
        let (mut low, mut high) = (0, 1u64 << 50);
        while low < high {
            let middle = u64::midpoint(low, high);
            if self.due(middle) < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [
            ("GiB", 1024.0 * 1024.0 * 1024.0),
            ("MiB", 1024.0 * 1024.0),
            ("KiB", 1024.0),
            ("GB", 1e9),
            ("MB", 1e6),
            ("kB", 1e3),
        ];
        let text = text.trim();
        let found = units
            .iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
        let (digits, factor, unit) = match found {
            Some((digits, factor)) => (digits, factor, Unit::Bytes),
            None => (text, 1.0, Unit::Records),
        };
        let value = digits.trim().replace('_', "").parse::<f64>().ok();
        let value = value.filter(|value| value.is_finite() && *value > 0.0);
        value
            .map(|value| Self {
                value: value * factor,
                unit,
            })
            .ok_or_else(|| {
                "a rate is a number of records a second, or of bytes as in 50MB".to_owned()
            })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Records => write!(f, "{}", self.value),
            Unit::Bytes => write!(f, "{}MB", self.value / 1e6),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            // -1 is how kafka-producer-perf-test says it.
            None if matches!(text, "max" | "-1") => Ok(Self::Max),
            None => text.parse().map(Self::Fixed),
            Some(("ramp", range)) => {
                let (from, to) = range
                    .split_once('-')
                    .ok_or("write ramp:1000-50000 or ramp:1MB-50MB")?;
                Ok(Self::Ramp(from.parse()?, to.parse()?))
            }
            Some(("steps", steps)) => {
                let steps: Result<Vec<Amount>, String> = steps.split(',').map(str::parse).collect();
                Ok(Self::Steps(steps?))
            }
            Some(_) => Err("write max, 50000, 50MB, ramp:1000-50000 or steps:1000,5000".to_owned()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Fixed(amount) => amount.fmt(f),
            Self::Ramp(from, to) => write!(f, "ramp:{from}-{to}"),
            Self::Steps(steps) => {
                let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
                write!(f, "steps:{}", steps.join(","))
            }
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rate: &str) -> Plan {
        let rate: Rate = rate.parse().expect(rate);
        let seconds = Duration::from_secs;
        rate.plan(100.0, seconds(1), seconds(10)).expect("open")
    }

    #[test]
    fn rates_are_written_as_they_are_read() {
        for text in ["max", "1000", "50MB", "ramp:1000-5000", "steps:1000,2000"] {
            assert_eq!(text.parse::<Rate>().expect(text).to_string(), text);
        }
        for wrong in ["", "0", "-5", "ramp:5", "steps:", "10 parsecs", "inf"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        let closed = Rate::Max.plan(1.0, Duration::ZERO, Duration::ZERO);
        assert!(closed.is_none());
    }

    #[test]
    fn records_are_due_at_even_distances() {
        let plan = plan("1000");
        assert_eq!(plan.due(0), 0);
        assert_eq!(plan.due(5), 5_000_000);
        assert_eq!(plan.due(20_000), 20_000_000_000, "beyond the end, too");
        assert_eq!(plan.due_before(2_000_000_000), 2000);
    }

    #[test]
    fn bytes_count_by_the_mean_record() {
        assert_eq!(plan("1MB").due(10_000), 1_000_000_000);
    }

    #[test]
    fn a_ramp_rises_steadily_behind_the_warm_up() {
        let plan = plan("ramp:1000-3000");
        assert_eq!(plan.due(1000), 1_000_000_000);
        // 2,000 a second in the mean, for ten seconds.
        let end = plan.due(21_000).abs_diff(11_000_000_000);
        assert!(end < 1000, "{end}");
        // After half of the time: 1,500 a second in the mean.
        let half = plan.due(1000 + 7500).abs_diff(6_000_000_000);
        assert!(half < 1000, "{half}");
    }

    #[test]
    fn steps_share_the_time() {
        let plan = plan("steps:1000,2000");
        assert_eq!(plan.due(6000), 6_000_000_000);
        assert_eq!(plan.due(16_000), 11_000_000_000);
    }
}
