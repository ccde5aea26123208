//! Samples as OpenMetrics' text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode as encode_registry;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use types::{Metric, MetricKind, Sample};

/// The media type of [`encode`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The samples, each metric with its description once.
pub(crate) fn encode(samples: Vec<Sample>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot::new(samples)));
    let mut text = String::new();
    encode_registry(&mut text, &registry).expect("text takes text");
    text
}

/// The samples of a moment, by metric.
#[derive(Debug)]
struct Snapshot(Vec<(&'static Metric, Vec<Sample>)>);

impl Snapshot {
    fn new(mut samples: Vec<Sample>) -> Self {
        // A stable order: shards and labels stay as they came.
        samples.sort_by_key(|sample| sample.metric.name);
        let mut metrics: Vec<(&'static Metric, Vec<Sample>)> = Vec::new();
        for sample in samples {
            match metrics.last_mut() {
                Some((metric, known)) if metric.name == sample.metric.name => known.push(sample),
                _ => metrics.push((sample.metric, vec![sample])),
            }
        }
        Self(metrics)
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, samples) in &self.0 {
            let kind = match metric.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
            };
            let mut of_metric = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for sample in samples {
                let of_sample = of_metric.encode_family(&sample.labels)?;
                match metric.kind {
                    MetricKind::Counter => ConstCounter::new(sample.value).encode(of_sample)?,
                    MetricKind::Gauge => {
                        let value = i64::try_from(sample.value).unwrap_or(i64::MAX);
                        ConstGauge::new(value).encode(of_sample)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BYTES: Metric = Metric::counter("x_bytes", "Bytes.");
    static OPEN: Metric = Metric::gauge("x_open", "Open ones.");

    #[test]
    fn a_metric_is_described_once_and_has_a_line_for_each_set_of_labels() {
        let samples = vec![
            OPEN.is(3).with("shard", "0"),
            BYTES.is(7).with("shard", "0"),
            OPEN.is(4).with("directory", "a\"b").with("shard", "1"),
        ];
        let expected = "\
# HELP x_bytes Bytes.
# TYPE x_bytes counter
x_bytes_total{shard=\"0\"} 7
# HELP x_open Open ones.
# TYPE x_open gauge
x_open{shard=\"0\"} 3
x_open{directory=\"a\\\"b\",shard=\"1\"} 4
# EOF
";
        assert_eq!(encode(samples), expected);
    }

    #[test]
    fn nothing_to_tell_is_an_empty_document() {
        assert_eq!(encode(Vec::new()), "# EOF\n");
    }
}
