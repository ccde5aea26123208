//! From spans of requests to OTLP.
//!
//! Names follow OpenTelemetry's conventions for messaging where there are such, else they begin with `logan.`.

use std::time::Duration;

use prost::Message as _;
use types::{RequestSpan, TraceContext};

use super::OtlpSettings;
use super::messages::{
    AnyValue, ExportRequest, KIND_SERVER, KeyValue, Link, Resource, ResourceSpans, STATUS_ERROR,
    Scope, ScopeSpans, Span, Status, Value,
};

/// The flag of the W3C that a trace is recorded.
const SAMPLED: u32 = 1;

/// The body of a request that exports these. `wall_offset_nanos` is the time since 1970 at the zero of the monotonic clock.
pub(super) fn encode(
    settings: &OtlpSettings,
    wall_offset_nanos: u64,
    spans: &[RequestSpan],
) -> Vec<u8> {
    let resource = Resource {
        attributes: vec![
            text("service.name", "logan"),
            text("service.version", settings.version),
            text("service.instance.id", &settings.instance),
        ],
    };
    let scope = Scope {
        name: "logan".to_owned(),
        version: settings.version.to_owned(),
    };
    let spans = spans.iter().map(|it| span(it, wall_offset_nanos));
    let request = ExportRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.collect(),
            }],
        }],
    };
    request.encode_to_vec()
}

fn span(span: &RequestSpan, wall_offset_nanos: u64) -> Span {
    let began = wall_offset_nanos.saturating_add(span.begun_nanos);
    let took = u64::try_from(span.took.as_nanos()).unwrap_or(u64::MAX);
    let status = span.error.map(|error| Status {
        message: error.name().to_owned(),
        code: STATUS_ERROR,
    });
    Span {
        trace_id: span.context.trace_id.to_vec(),
        span_id: span.context.span_id.to_vec(),
        parent_span_id: span.parent.map(|it| it.to_vec()).unwrap_or_default(),
        name: span.api.to_owned(),
        kind: KIND_SERVER,
        start_time_unix_nano: began,
        end_time_unix_nano: began.saturating_add(took),
        attributes: attributes(span),
        links: span.links.iter().map(link).collect(),
        status,
        flags: SAMPLED,
    }
}

fn attributes(span: &RequestSpan) -> Vec<KeyValue> {
    let mut attributes = vec![
        text("messaging.system", "kafka"),
        text("messaging.client.id", &span.client_id),
        text("client.address", &span.peer.ip().to_string()),
        number("client.port", span.peer.port().into()),
        number("logan.api.version", span.version.into()),
        number("logan.correlation.id", span.correlation_id.into()),
        number("logan.shard", span.shard.0.into()),
        number("logan.request.bytes", signed(span.request_bytes)),
        number("logan.response.bytes", signed(span.response_bytes)),
        seconds("logan.queue.seconds", span.queue),
        seconds("logan.local.seconds", span.local),
        seconds("logan.awaited.seconds", span.awaited),
    ];
    let topic = span.topic.as_ref();
    attributes.extend(topic.map(|it| text("messaging.destination.name", it)));
    let partition = span.partition.map(|it| it.to_string());
    attributes.extend(partition.map(|it| text("messaging.destination.partition.id", &it)));
    attributes.extend(span.error.map(|it| text("error.type", it.name())));
    attributes
}

fn link(context: &TraceContext) -> Link {
    Link {
        trace_id: context.trace_id.to_vec(),
        span_id: context.span_id.to_vec(),
        flags: if context.is_sampled { SAMPLED } else { 0 },
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::Text(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::Number(value))
}

fn seconds(key: &str, span: Duration) -> KeyValue {
    attribute(key, Value::Fraction(span.as_secs_f64()))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
