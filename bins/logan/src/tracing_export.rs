//! From the shards to the exporter of spans: a mailbox that all shards share.

use std::time::Duration;

use anyhow::{Context as _, Result};
use config::BrokerConfig;
use control::{OtlpExporter, OtlpSettings, SpanSource};
use io::Io as _;
use runtime::{GlommioIo, Receiver, Sender};
use types::RequestSpan;

/// Spans that wait for the exporter; shards drop what does not fit.
const SPANS_MAX: usize = 4096;

/// The exporter's end.
struct Spans(Receiver<RequestSpan>);

impl SpanSource for Spans {
    fn next(&mut self, wait: Duration) -> Option<RequestSpan> {
        self.0.wait_for(wait)
    }
}

/// Starts the exporter if there is to be one, with the shards' end.
///
/// # Errors
/// When there can be no thread.
pub(crate) fn start(
    config: &BrokerConfig,
    cluster_id: &str,
) -> Result<Option<(Sender<RequestSpan>, OtlpExporter)>> {
    let Some(endpoint) = &config.values.logan_tracing_otlp_endpoint else {
        return Ok(None);
    };
    let settings = OtlpSettings {
        endpoint: endpoint.clone(),
        version: env!("CARGO_PKG_VERSION"),
        instance: format!("{cluster_id}-{}", config.node_id.0),
        monotonic_nanos: || runtime::monotonic_now().0,
    };
    let (sender, receiver) = GlommioIo::mailbox(SPANS_MAX);
    let exporter = OtlpExporter::start(settings, Spans(receiver));
    let exporter = exporter.context("start the exporter of spans")?;
    let ratio = config.values.logan_tracing_otlp_sample_ratio;
    tracing::info!(endpoint, ratio, "spans of requests are exported");
    Ok(Some((sender, exporter)))
}
