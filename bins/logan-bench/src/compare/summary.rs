//! Medians of the rounds, and what they are of what the machine itself can do.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Run;
use crate::yardstick::Yardstick;

/// What is compared, and where a run has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pointer: &'static str,
    /// What its unit is of the report's.
    scale: f64,
    kind: Kind,
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Speeds of the machine.
    Throughput,
    /// The disk's own latency.
    Latency,
    /// What one copy and one checksum cost.
    Processor,
    /// Nothing.
    Amount,
}

const fn metric(name: &'static str, pointer: &'static str, kind: Kind) -> Metric {
    Metric {
        name,
        pointer,
        scale: 1.0,
        kind,
    }
}

/// All of them. Of everything but throughput less is better.
pub(crate) const METRICS: [Metric; 16] = [
    metric(
        "produced, MB/s",
        "/produced/mb_per_second",
        Kind::Throughput,
    ),
    metric(
        "produced, requests in all",
        "/produced/requests",
        Kind::Amount,
    ),
    metric("produce p50, ms", "/produced/latency_ms/p50", Kind::Amount),
    metric("produce p99, ms", "/produced/latency_ms/p99", Kind::Latency),
    metric(
        "produce p99.9, ms",
        "/produced/latency_ms/p999",
        Kind::Latency,
    ),
    metric(
        "consumed, MB/s",
        "/consumed/mb_per_second",
        Kind::Throughput,
    ),
    metric(
        "end-to-end p99, ms",
        "/consumed/latency_ms/p99",
        Kind::Amount,
    ),
    metric("commit p99, ms", "/committed/latency_ms/p99", Kind::Amount),
    metric(
        "broker's processor, s/GB",
        "/broker/cpu_seconds_per_gb",
        Kind::Processor,
    ),
    metric(
        "broker's processor, µs a request",
        "/broker/cpu_us_per_request",
        Kind::Amount,
    ),
    metric(
        "broker's instructions, millions a GB",
        "/broker/instructions_per_kb",
        Kind::Amount,
    ),
    Metric {
        scale: 1e-6,
        ..metric(
            "broker's memory at most, MB",
            "/broker/rss_peak_bytes",
            Kind::Amount,
        )
    },
    Metric {
        scale: 1e-6,
        ..metric(
            "broker's disk reads, MB",
            "/broker/disk_read_bytes",
            Kind::Amount,
        )
    },
    metric(
        "harness' processor, s/GB",
        "/own/cpu_seconds_per_gb",
        Kind::Amount,
    ),
    metric(
        "harness into a sink, MB/s",
        "/ceiling/mb_per_second",
        Kind::Throughput,
    ),
    metric("start to first answer, s", "", Kind::Amount),
];

impl Metric {
    /// What a run found.
    pub(crate) fn of(&self, run: &Run) -> Option<f64> {
        if self.pointer.is_empty() {
            return run.seconds_to_first_answer;
        }
        let value = run.report.pointer(self.pointer).and_then(Value::as_f64);
        value.map(|value| value * self.scale)
    }

    /// Whether a greater figure is better; `None` where neither is.
    pub(crate) fn more_is_better(&self) -> Option<bool> {
        match self.name {
            "harness into a sink, MB/s" | "harness' processor, s/GB" => None,
            "produced, requests in all" => Some(true),
            _ => Some(self.kind == Kind::Throughput),
        }
    }

    /// Parts of what the machine can do, in words.
    fn fractions(&self, median: f64, machine: &Yardstick) -> Vec<Fraction> {
        let of = |what, whole: f64| Fraction {
            of: what,
            fraction: median / whole,
        };
        match self.kind {
            Kind::Throughput => vec![
                of("loopback", machine.loopback.mb_per_second),
                of("direct writes", machine.direct_writes.mb_per_second),
                of(
                    "writes with fdatasync",
                    machine.durable_writes.mb_per_second,
                ),
                of("memcpy", machine.memcpy.mb_per_second),
                of("CRC-32C", machine.crc32c.mb_per_second),
            ],
            Kind::Latency => {
                let durable = machine.durable_writes.latency_ms.as_ref();
                let whole = durable.map(|latency| {
                    if self.name.contains("99.9") {
                        latency.p999
                    } else {
                        latency.p99
                    }
                });
                let named = whole.map(|whole| of("a durable write of 256 KiB", whole));
                named.into_iter().collect()
            }
            Kind::Processor => {
                let seconds = |mb_per_second: f64| 1e3 / mb_per_second;
                let copy = seconds(machine.memcpy.mb_per_second);
                let sum = seconds(machine.crc32c.mb_per_second);
                vec![of("one memcpy and one CRC-32C", copy + sum)]
            }
            Kind::Amount => Vec::new(),
        }
    }
}

/// What a figure is of something that the machine itself does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Fraction {
    pub(crate) of: &'static str,
    pub(crate) fraction: f64,
}

/// One metric of one broker in one scenario, over all rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) metric: &'static str,
    pub(crate) broker: String,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) rounds: usize,
    pub(crate) fractions: Vec<Fraction>,
}

impl Row {
    /// The median and what it lies between.
    pub(crate) fn figure(&self) -> String {
        let digits = if self.median >= 100.0 { 0 } else { 3 };
        format!(
            "{:.digits$} ({:.digits$}-{:.digits$})",
            self.median, self.min, self.max
        )
    }

    /// What the median is of what the machine itself can do; empty where it is held against nothing.
    pub(crate) fn of_machine(&self) -> String {
        let parts = self.fractions.iter();
        let parts: Vec<String> = parts
            .map(|part| format!("{:.2} of {}", part.fraction, part.of))
            .collect();
        parts.join(", ")
    }

    pub(crate) fn text(&self) -> String {
        if self.fractions.is_empty() {
            return self.figure();
        }
        format!("{}, {}", self.figure(), self.of_machine())
    }
}

/// The medians, by scenario, metric, and broker in the order of the manifest.
pub(crate) fn medians(runs: &[Run], machine: Option<&Yardstick>) -> Vec<Row> {
    let mut scenarios: Vec<&str> = Vec::new();
    let mut brokers: Vec<&str> = Vec::new();
    let mut found: BTreeMap<(&str, &str, &str), Vec<f64>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.is_complete()) {
        if !scenarios.contains(&run.scenario.as_str()) {
            scenarios.push(&run.scenario);
        }
        if !brokers.contains(&run.broker.as_str()) {
            brokers.push(&run.broker);
        }
        for metric in METRICS {
            if let Some(value) = metric.of(run) {
                let key = (run.scenario.as_str(), metric.name, run.broker.as_str());
                found.entry(key).or_default().push(value);
            }
        }
    }
    let mut rows = Vec::new();
    for scenario in scenarios {
        for metric in METRICS {
            for broker in &brokers {
                if let Some(values) = found.remove(&(scenario, metric.name, *broker)) {
                    let mut row = row((scenario, metric.name, broker), values);
                    row.fractions =
                        machine.map_or_else(Vec::new, |it| metric.fractions(row.median, it));
                    rows.push(row);
                }
            }
        }
    }
    rows
}

fn row((scenario, metric, broker): (&str, &'static str, &str), mut values: Vec<f64>) -> Row {
    values.sort_by(f64::total_cmp);
    Row {
        scenario: scenario.to_owned(),
        metric,
        broker: broker.to_owned(),
        median: median(&values),
        min: values[0],
        max: values[values.len() - 1],
        rounds: values.len(),
        fractions: Vec::new(),
    }
}

/// The middle of at least one value, in ascending order.
fn median(sorted: &[f64]) -> f64 {
    let count = sorted.len();
    f64::midpoint(sorted[(count - 1) / 2], sorted[count / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_rounds_counts() {
        let run = |round, mb: f64| Run {
            round,
            broker: "a".to_owned(),
            scenario: "s".to_owned(),
            seconds_to_first_answer: None,
            report: serde_json::json!({ "produced": { "mb_per_second": mb } }),
        };
        let runs = [run(1, 5.0), run(2, 1.0), run(3, 2.0), run(4, 4.0)];
        let rows = medians(&runs, None);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text(), "3.000 (1.000-5.000)");
        assert_eq!(rows[0].rounds, 4);
    }

    #[test]
    fn what_did_not_go_to_its_end_is_not_counted() {
        let run = Run {
            round: 1,
            broker: "a".to_owned(),
            scenario: "s".to_owned(),
            seconds_to_first_answer: None,
            report: serde_json::json!({ "status": "partial", "produced": { "mb_per_second": 1.0 } }),
        };
        assert!(medians(&[run], None).is_empty());
    }
}
