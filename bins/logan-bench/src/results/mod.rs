//! Results: what a run found, as a table, JSON or YAML, and in a file that is whole or not there.

mod file;
mod machine;

use command_line::Section;
use hdrhistogram::{Counter, Histogram};
use serde::Serialize;

pub(crate) use file::write_whole;
pub(crate) use machine::Machine;

use crate::engine::SideStats;
use crate::watch::{Used, per_gb};

/// Percentiles that a distribution is drawn with.
const DRAWN: [f64; 16] = [
    0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999,
    100.0,
];

/// A rate was reached when at most this share of the records was late at the end.
const BEHIND_MAX: f64 = 0.01;

/// Whether a run went to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Complete,
    Partial,
}

/// Everything about one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report<S> {
    pub(crate) version: &'static str,
    pub(crate) status: Status,
    /// Why it is partial.
    pub(crate) reason: Option<String>,
    pub(crate) workload: &'static str,
    pub(crate) started_at: String,
    pub(crate) bootstrap_servers: Vec<String>,
    pub(crate) settings: S,
    pub(crate) machine: Machine,
    /// The time that was measured.
    pub(crate) seconds: f64,
    pub(crate) produced: Option<SideReport>,
    pub(crate) consumed: Option<SideReport>,
    /// Commits of groups: its records are partitions.
    pub(crate) committed: Option<SideReport>,
    pub(crate) connections: Option<ConnectionsReport>,
    pub(crate) own: Own,
    pub(crate) broker: Option<Used>,
    pub(crate) ceiling: Option<Ceiling>,
    pub(crate) read_back: Option<ReadBack>,
}

/// What was found in the topics behind a run, every batch by its checksum.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ReadBack {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) mb_per_second: f64,
}

/// One direction.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SideReport {
    pub(crate) records: u64,
    /// Of record batches as they were on the wire.
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
    pub(crate) records_per_second: f64,
    pub(crate) mb_per_second: f64,
    /// Records that were due and had not been sent at the end: above 0 the rate was too much.
    pub(crate) behind_records: u64,
    pub(crate) latency_ms: Option<Latency>,
    pub(crate) series: Vec<PointReport>,
}

/// A distribution of latencies, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) p9999: f64,
    pub(crate) max: f64,
    /// Pairs of a percentile and its latency.
    pub(crate) distribution: Vec<(f64, f64)>,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct PointReport {
    pub(crate) second: usize,
    pub(crate) records: u64,
    pub(crate) mb: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

/// Opening and using many connections.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ConnectionsReport {
    pub(crate) wanted: u32,
    pub(crate) open: u32,
    pub(crate) seconds_to_open: f64,
    /// Connecting and the handshake.
    pub(crate) open_ms: Option<Latency>,
    /// From when a request was due to its answer.
    pub(crate) request_ms: Option<Latency>,
    pub(crate) broker_bytes_per_connection: Option<f64>,
}

/// What the harness itself took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Own {
    pub(crate) threads: usize,
    pub(crate) cpu_seconds: f64,
    pub(crate) cpu_seconds_per_gb: Option<f64>,
}

/// What the harness reaches when nothing is done with what it sends.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ceiling {
    pub(crate) mb_per_second: f64,
    pub(crate) records_per_second: f64,
    pub(crate) own_cpu_seconds_per_gb: Option<f64>,
}

impl SideReport {
    /// `None` when nothing of the kind was done.
    pub(crate) fn new(stats: &SideStats, seconds: f64) -> Option<Self> {
        if stats.requests == 0 && stats.latency.is_empty() && stats.behind == 0 {
            return None;
        }
        let seconds = seconds.max(f64::EPSILON);
        let series = stats
            .series
            .iter()
            .enumerate()
            .map(|(second, point)| PointReport {
                second,
                records: point.records,
                mb: point.bytes as f64 / 1e6,
                p50_ms: quantile(&point.latency, 0.5),
                p99_ms: quantile(&point.latency, 0.99),
            });
        Some(Self {
            records: stats.records,
            bytes: stats.bytes,
            requests: stats.requests,
            records_per_second: stats.records as f64 / seconds,
            mb_per_second: stats.bytes as f64 / 1e6 / seconds,
            behind_records: stats.behind,
            latency_ms: Latency::new(&stats.latency),
            series: series.collect(),
        })
    }

    /// As commits of groups.
    fn commits(&self) -> Section {
        let mut section = Section::new("Committed");
        let text = format!("{} requests, {} offsets", self.requests, self.records);
        section.row("in all", text);
        if let Some(latency) = &self.latency_ms {
            latency.rows(&mut section, "latency");
        }
        section
    }

    fn section(&self, title: &str) -> Section {
        let mut section = Section::new(title);
        section.row(
            "throughput",
            format!(
                "{:.1} MB/s, {:.0} records/s",
                self.mb_per_second, self.records_per_second
            ),
        );
        section.row(
            "in all",
            format!(
                "{} records, {:.1} MB, {} requests",
                self.records,
                self.bytes as f64 / 1e6,
                self.requests
            ),
        );
        if let Some(latency) = &self.latency_ms {
            latency.rows(&mut section, "latency");
        }
        if self.behind_records > 0 {
            let share = self.behind_records as f64 / (self.records.max(1)) as f64;
            let verdict = if share > BEHIND_MAX {
                ": the rate was not reached"
            } else {
                ""
            };
            let text = format!(
                "{} records were due and not sent at the end{verdict}",
                self.behind_records
            );
            section.row("behind", text);
        }
        section
    }
}

impl Latency {
    /// Of a histogram in microseconds; `None` when it is empty.
    pub(crate) fn new<C: Counter>(histogram: &Histogram<C>) -> Option<Self> {
        let at = |fraction| quantile(histogram, fraction);
        Some(Self {
            count: histogram.len(),
            mean: histogram.mean() / 1000.0,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p99: at(0.99)?,
            p999: at(0.999)?,
            p9999: at(0.9999)?,
            max: millis(histogram.max()),
            distribution: DRAWN
                .iter()
                .filter_map(|percentile| Some((*percentile, at(percentile / 100.0)?)))
                .collect(),
        })
    }

    fn rows(&self, section: &mut Section, name: &str) {
        let text = format!(
            "p50 {:.3}  p90 {:.3}  p99 {:.3}  p99.9 {:.3}  p99.99 {:.3}  max {:.3} ms",
            self.p50, self.p90, self.p99, self.p999, self.p9999, self.max
        );
        section.row(name, text);
    }
}

fn quantile<C: Counter>(histogram: &Histogram<C>, fraction: f64) -> Option<f64> {
    (!histogram.is_empty()).then(|| millis(histogram.value_at_quantile(fraction)))
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

impl Own {
    pub(crate) fn new(threads: usize, cpu_seconds: f64, bytes: u64) -> Self {
        Self {
            threads,
            cpu_seconds,
            cpu_seconds_per_gb: per_gb(cpu_seconds, bytes),
        }
    }
}

impl<S> Report<S> {
    /// The report as people read it.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let mut run = Section::new("Run");
        let end = match &self.reason {
            Some(reason) => format!("PARTIAL: {reason}"),
            None => "complete".to_owned(),
        };
        run.row("workload", self.workload);
        run.row("status", end);
        run.row("measured", format!("{:.1} s", self.seconds));
        run.row("machine", self.machine.line());
        let mut sections = vec![run];
        sections.extend(self.produced.as_ref().map(|side| side.section("Produced")));
        sections.extend(self.consumed.as_ref().map(|side| side.section("Consumed")));
        sections.extend(self.committed.as_ref().map(SideReport::commits));
        sections.extend(self.connections.as_ref().map(ConnectionsReport::section));
        let mut own = Section::new("Harness");
        own.row(
            "processor",
            cpu_line(self.own.cpu_seconds, self.own.cpu_seconds_per_gb),
        );
        own.row("threads", self.own.threads.to_string());
        if let Some(ceiling) = &self.ceiling {
            let cost = cpu_line_per_gb(ceiling.own_cpu_seconds_per_gb);
            own.row(
                "ceiling",
                format!(
                    "{:.1} MB/s, {:.0} records/s into a sink{cost}",
                    ceiling.mb_per_second, ceiling.records_per_second
                ),
            );
        }
        sections.push(own);
        sections.extend(self.read_back.map(ReadBack::section));
        sections.extend(self.broker.as_ref().map(broker_section));
        sections
    }
}

impl ReadBack {
    fn section(self) -> Section {
        let mut section = Section::new("Read back");
        section.row(
            "checksums",
            format!(
                "{} records, {:.1} MB, all right, at {:.1} MB/s",
                self.records,
                self.bytes as f64 / 1e6,
                self.mb_per_second
            ),
        );
        section
    }
}

impl ConnectionsReport {
    fn section(&self) -> Section {
        let mut section = Section::new("Connections");
        section.row(
            "open",
            format!(
                "{} of {} after {:.2} s",
                self.open, self.wanted, self.seconds_to_open
            ),
        );
        if let Some(latency) = &self.open_ms {
            latency.rows(&mut section, "opening");
        }
        if let Some(latency) = &self.request_ms {
            latency.rows(&mut section, "requests");
        }
        if let Some(bytes) = self.broker_bytes_per_connection {
            section.row(
                "memory",
                format!("{:.1} kB of the broker for each", bytes / 1e3),
            );
        }
        section
    }
}

fn broker_section(used: &Used) -> Section {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let mut section = Section::new("Broker");
    section.row(
        "processor",
        cpu_line(used.cpu_seconds, used.cpu_seconds_per_gb),
    );
    if let Some(micros) = used.cpu_us_per_request {
        section.row("each request", format!("{micros:.1} µs of processor"));
    }
    if let Some(count) = used.instructions_per_kb {
        section.row("instructions", format!("{count:.0} millions a GB, its own"));
    }
    section.row(
        "memory",
        format!(
            "{:.1} MB at most, {:.1} MB in the mean",
            mb(used.rss_peak_bytes),
            mb(used.rss_mean_bytes)
        ),
    );
    section.row(
        "disk",
        format!(
            "{:.1} MB read, {:.1} MB written",
            mb(used.disk_read_bytes),
            mb(used.disk_written_bytes)
        ),
    );
    section.row(
        "switches",
        format!(
            "{} voluntary, {} involuntary",
            used.context_switches_voluntary, used.context_switches_involuntary
        ),
    );
    section.row(
        "page faults",
        format!(
            "{} minor, {} major",
            used.page_faults_minor, used.page_faults_major
        ),
    );
    section
}

fn cpu_line(seconds: f64, per_gb: Option<f64>) -> String {
    format!("{seconds:.2} s{}", cpu_line_per_gb(per_gb))
}

fn cpu_line_per_gb(per_gb: Option<f64>) -> String {
    per_gb.map_or_else(String::new, |cost| format!(", {cost:.3} s/GB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Stamp;

    #[test]
    fn a_side_that_did_nothing_has_no_report() {
        assert!(SideReport::new(&SideStats::new(), 1.0).is_none());
    }

    #[test]
    fn rates_and_percentiles_follow_from_the_counts() {
        let mut stats = SideStats::new();
        stats.count(0, 10, 20_000_000);
        stats.latencies(0, 2_000_000, Stamp { first: 0, last: 0 }, 10);
        let side = SideReport::new(&stats, 2.0).expect("something was done");
        assert!((side.mb_per_second - 10.0).abs() < 1e-9);
        assert!((side.records_per_second - 5.0).abs() < 1e-9);
        let latency = side.latency_ms.expect("latencies");
        assert!((latency.p99 - 2.0).abs() < 0.01, "{}", latency.p99);
        assert_eq!(latency.distribution.len(), DRAWN.len());
    }
}
