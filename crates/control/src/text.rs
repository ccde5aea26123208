//! Samples as text, in the two formats that Prometheus reads: its own, and OpenMetrics.
//!
//! Who asks says in `Accept` what it reads; they differ in how counters are described and in the end of the document. Lives
//! on the control thread. Ten thousand partitions are some hundred thousand lines: nothing is allocated for a line.
//!
//! Source: Prometheus' "Exposition formats" (text format 0.0.4), OpenMetrics 1.0.0.

use std::fmt::Write as _;

use types::{Distribution, Metric, MetricKind, Value};

/// A format of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' text format, which every tool reads.
    Prometheus,
    /// What Prometheus asks for by default.
    OpenMetrics,
}

impl Format {
    /// The format for a request's `Accept`.
    pub(crate) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A value of a label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Label<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(i64),
}

/// A document that is being written. Each metric is begun once, and all its samples follow.
#[derive(Debug)]
pub(crate) struct Document {
    format: Format,
    text: String,
    /// From this length on rows are left out.
    bytes_max: usize,
    rows_left_out: u64,
}

/// The samples of one metric.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    document: &'a mut Document,
    metric: &'static Metric,
}

impl Document {
    /// An empty one, with room for as much as is expected, which takes rows up to a length.
    pub(crate) fn new(format: Format, bytes_expected: usize, bytes_max: usize) -> Self {
        Self {
            format,
            text: String::with_capacity(bytes_expected.min(bytes_max)),
            bytes_max,
            rows_left_out: 0,
        }
    }

    /// How many rows did not fit.
    pub(crate) fn rows_left_out(&self) -> u64 {
        self.rows_left_out
    }

    /// Describes a metric.
    pub(crate) fn metric(&mut self, metric: &'static Metric) -> Family<'_> {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let is_suffixed = metric.kind == MetricKind::Counter && self.format == Format::Prometheus;
        let suffix = if is_suffixed { "_total" } else { "" };
        let name = metric.name;
        self.push(format_args!("# HELP {name}{suffix} "));
        escape_into(
            &mut self.text,
            metric.help,
            self.format == Format::OpenMetrics,
        );
        self.push(format_args!("\n# TYPE {name}{suffix} {kind}\n"));
        Family {
            document: self,
            metric,
        }
    }

    /// The text.
    pub(crate) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn push(&mut self, what: std::fmt::Arguments<'_>) {
        self.text.write_fmt(what).expect("text takes text");
    }
}

impl Family<'_> {
    /// Writes a value.
    pub(crate) fn value(&mut self, labels: &[(&str, Label<'_>)], value: &Value) {
        match value {
            Value::Count(count) => self.count(labels, *count),
            Value::Seconds(time) => {
                self.begin(self.suffix(), labels, None);
                self.document
                    .push(format_args!(" {}\n", time.as_secs_f64()));
            }
            Value::Distribution(times) => self.distribution(labels, times),
        }
    }

    /// Writes a number.
    pub(crate) fn count(&mut self, labels: &[(&str, Label<'_>)], count: u64) {
        self.begin(self.suffix(), labels, None);
        self.document.push(format_args!(" {count}\n"));
    }

    /// Writes a number of one of many rows, if there is room for it.
    pub(crate) fn row(&mut self, labels: &[(&str, Label<'_>)], count: u64) {
        if self.document.text.len() < self.document.bytes_max {
            self.count(labels, count);
        } else {
            self.document.rows_left_out += 1;
        }
    }

    fn suffix(&self) -> &'static str {
        match self.metric.kind {
            MetricKind::Counter => "_total",
            MetricKind::Gauge | MetricKind::Histogram => "",
        }
    }

    fn distribution(&mut self, labels: &[(&str, Label<'_>)], times: &Distribution) {
        let mut below = 0;
        for (end, count) in times.buckets() {
            below += count;
            self.begin("_bucket", labels, Some(end));
            self.document.push(format_args!(" {below}\n"));
        }
        self.begin("_sum", labels, None);
        let sum = times.sum().as_secs_f64();
        self.document.push(format_args!(" {sum}\n"));
        self.begin("_count", labels, None);
        self.document.push(format_args!(" {below}\n"));
    }

    fn begin(&mut self, suffix: &str, labels: &[(&str, Label<'_>)], end: Option<f64>) {
        let name = self.metric.name;
        self.document.push(format_args!("{name}{suffix}"));
        if labels.is_empty() && end.is_none() {
            return;
        }
        let mut before = '{';
        for (label, value) in labels {
            self.document.push(format_args!("{before}{label}=\""));
            match value {
                Label::Text(text) => escape_into(&mut self.document.text, text, true),
                Label::Number(number) => self.document.push(format_args!("{number}")),
            }
            self.document.text.push('"');
            before = ',';
        }
        match end {
            Some(end) if end.is_finite() => {
                self.document.push(format_args!("{before}le=\"{end:?}\""));
            }
            Some(_) => self.document.push(format_args!("{before}le=\"+Inf\"")),
            None => {}
        }
        self.document.text.push('}');
    }
}

/// Adds text with what would end it escaped. Quotes in help texts are escaped in OpenMetrics only.
fn escape_into(to: &mut String, text: &str, escapes_quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '"' if escapes_quotes => to.push_str("\\\""),
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use types::Histogram;

    use super::*;

    static BYTES: Metric = Metric::counter("x_bytes", "Bytes.");
    static OPEN: Metric = Metric::gauge("x_open", "Open \"ones\".");
    static TIMES: Metric = Metric::histogram("x_seconds", "Times.");
    static BUSY: Metric = Metric::counter("x_busy_seconds", "Busy.");

    fn document(format: Format) -> String {
        let mut document = Document::new(format, 0, usize::MAX);
        let mut family = document.metric(&BYTES);
        family.count(&[("shard", Label::Number(0))], 7);
        let mut family = document.metric(&OPEN);
        family.count(&[], 3);
        let labels = [
            ("directory", Label::Text("a\"b\\c\nd")),
            ("shard", Label::Number(1)),
        ];
        family.count(&labels, 4);
        let mut family = document.metric(&BUSY);
        family.value(&[], &Value::Seconds(Duration::from_millis(1500)));
        document.finish()
    }

    #[test]
    fn a_metric_is_described_once_and_has_a_line_for_each_set_of_labels() {
        let expected = "\
# HELP x_bytes Bytes.
# TYPE x_bytes counter
x_bytes_total{shard=\"0\"} 7
# HELP x_open Open \\\"ones\\\".
# TYPE x_open gauge
x_open 3
x_open{directory=\"a\\\"b\\\\c\\nd\",shard=\"1\"} 4
# HELP x_busy_seconds Busy.
# TYPE x_busy_seconds counter
x_busy_seconds_total 1.5
# EOF
";
        assert_eq!(document(Format::OpenMetrics), expected);
    }

    #[test]
    fn in_prometheus_own_format_counters_are_described_by_the_names_of_their_samples() {
        let text = document(Format::Prometheus);
        assert!(text.contains("# TYPE x_bytes_total counter\n"), "{text}");
        assert!(text.contains("# HELP x_open Open \"ones\".\n"), "{text}");
        assert!(!text.contains("# EOF"), "{text}");
    }

    #[test]
    fn buckets_have_all_that_is_shorter() {
        let histogram = Histogram::default();
        histogram.note(Duration::from_millis(1));
        histogram.note(Duration::from_millis(2));
        histogram.note(Duration::from_secs(60));
        let mut document = Document::new(Format::OpenMetrics, 0, usize::MAX);
        let value = Value::Distribution(Box::new(histogram.distribution()));
        let mut family = document.metric(&TIMES);
        family.value(&[("api", Label::Text("Fetch"))], &value);
        let text = document.finish();
        for line in [
            "x_seconds_bucket{api=\"Fetch\",le=\"0.0005\"} 0\n",
            "x_seconds_bucket{api=\"Fetch\",le=\"0.001\"} 1\n",
            "x_seconds_bucket{api=\"Fetch\",le=\"10.0\"} 2\n",
            "x_seconds_bucket{api=\"Fetch\",le=\"+Inf\"} 3\n",
            "x_seconds_sum{api=\"Fetch\"} 60.003\n",
            "x_seconds_count{api=\"Fetch\"} 3\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn who_asks_says_what_it_reads() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("*/*"), Format::Prometheus);
        assert_eq!(Format::accepted(""), Format::Prometheus);
    }

    #[test]
    fn rows_that_do_not_fit_are_counted() {
        let mut document = Document::new(Format::Prometheus, 0, 200);
        let mut family = document.metric(&OPEN);
        for row in 0..100 {
            family.row(&[("row", Label::Number(row))], 1);
        }
        let left_out = document.rows_left_out();
        assert!((80..100).contains(&left_out), "{left_out}");
        let text = document.finish();
        assert_eq!(text.lines().count() as u64, 2 + 100 - left_out);
        assert!(text.len() < 240, "{}", text.len());
    }
}
