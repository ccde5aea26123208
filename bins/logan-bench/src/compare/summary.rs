//! Medians of the rounds.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Run;

/// What is compared, and where a run's report has it.
const METRICS: [(&str, &str); 8] = [
    ("produced, MB/s", "/produced/mb_per_second"),
    ("produce p99, ms", "/produced/latency_ms/p99"),
    ("produce p99.9, ms", "/produced/latency_ms/p999"),
    ("consumed, MB/s", "/consumed/mb_per_second"),
    ("end-to-end p99, ms", "/consumed/latency_ms/p99"),
    ("broker's processor, s/GB", "/broker/cpu_seconds_per_gb"),
    ("broker's memory at most, MB", "/broker/rss_peak_bytes"),
    ("harness' processor, s/GB", "/own/cpu_seconds_per_gb"),
];

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
}

impl Row {
    pub(crate) fn text(&self) -> String {
        let digits = if self.median >= 100.0 { 0 } else { 3 };
        format!(
            "{:.digits$} ({:.digits$}-{:.digits$})",
            self.median, self.min, self.max
        )
    }
}

/// The medians, by scenario, metric, and broker in the order of the manifest.
pub(crate) fn medians(runs: &[Run]) -> Vec<Row> {
    let mut scenarios: Vec<&str> = Vec::new();
    let mut brokers: Vec<&str> = Vec::new();
    let mut found: BTreeMap<(&str, &str, &str), Vec<f64>> = BTreeMap::new();
    for run in runs {
        if !scenarios.contains(&run.scenario.as_str()) {
            scenarios.push(&run.scenario);
        }
        if !brokers.contains(&run.broker.as_str()) {
            brokers.push(&run.broker);
        }
        for (metric, pointer) in METRICS {
            if let Some(value) = run.report.pointer(pointer).and_then(Value::as_f64) {
                let scale = if metric.ends_with("at most, MB") {
                    1e-6
                } else {
                    1.0
                };
                let key = (run.scenario.as_str(), metric, run.broker.as_str());
                found.entry(key).or_default().push(value * scale);
            }
        }
    }
    let mut rows = Vec::new();
    for scenario in scenarios {
        for (metric, _) in METRICS {
            for broker in &brokers {
                if let Some(values) = found.remove(&(scenario, metric, *broker)) {
                    rows.push(row((scenario, metric, broker), values));
                }
            }
        }
    }
    rows
}

fn row((scenario, metric, broker): (&str, &'static str, &str), mut values: Vec<f64>) -> Row {
    values.sort_by(f64::total_cmp);
    let rounds = values.len();
    let median = f64::midpoint(values[(rounds - 1) / 2], values[rounds / 2]);
    Row {
        scenario: scenario.to_owned(),
        metric,
        broker: broker.to_owned(),
        median,
        min: values[0],
        max: values[rounds - 1],
        rounds,
    }
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
            seconds_to_first_answer: 0.0,
            report: serde_json::json!({ "produced": { "mb_per_second": mb } }),
        };
        let rows = medians(&[run(1, 5.0), run(2, 1.0), run(3, 2.0), run(4, 4.0)]);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text(), "3.000 (1.000-5.000)");
        assert_eq!(rows[0].rounds, 4);
    }
}
