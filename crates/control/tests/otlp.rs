//! What a collector gets, and what becomes of spans when it is gone, slow or of another mind.

mod collector;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use collector::{Answer, Collector, attribute};
use control::{OtlpExporter, OtlpSettings, SpanSource};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use types::{ErrorCode, RequestSpan, Sample, ShardId, TraceContext, Value};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Queue(Receiver<RequestSpan>);

impl SpanSource for Queue {
    fn next(&mut self, wait: Duration) -> Option<RequestSpan> {
        self.0.recv_timeout(wait).ok()
    }
}

fn export_to(endpoint: String) -> (Sender<RequestSpan>, OtlpExporter) {
    let (sender, receiver) = channel();
    let settings = OtlpSettings {
        endpoint,
        version: "1.2.3",
        instance: "cluster-7".to_owned(),
        monotonic_nanos: || 5_000_000_000,
    };
    let exporter = OtlpExporter::start(settings, Queue(receiver)).expect("a thread");
    (sender, exporter)
}

fn context(number: u8) -> TraceContext {
    TraceContext {
        trace_id: [number; 16],
        span_id: [number; 8],
        is_sampled: true,
    }
}

fn span(correlation_id: i32) -> RequestSpan {
    RequestSpan {
        context: context(1),
        parent: Some([9; 8]),
        links: vec![context(2)],
        api: "Produce",
        version: 12,
        correlation_id,
        client_id: "app".into(),
        peer: "192.0.2.1:4321".parse().expect("an address"),
        shard: ShardId(3),
        begun_nanos: 4_000_000_000,
        took: Duration::from_millis(5),
        queue: Duration::from_millis(1),
        local: Duration::from_millis(1),
        awaited: Duration::from_millis(3),
        request_bytes: 700,
        response_bytes: 60,
        topic: Some("orders".into()),
        partition: Some(4),
        error: Some(ErrorCode::NotLeaderOrFollower),
    }
}

/// A counter by its name, and where it has a label by that.
fn count(exporter: &OtlpExporter, name: &str, label: &str) -> u64 {
    let is_it = |it: &Sample| {
        let has_label = it.labels.iter().any(|(_, value)| value == label);
        it.metric.name == name && (label.is_empty() || has_label)
    };
    let found = exporter.counts().samples().into_iter().find(is_it);
    match found.expect("there is one").value {
        Value::Count(count) => count,
        other => unreachable!("{other:?}"),
    }
}

fn await_count(exporter: &OtlpExporter, name: &str, label: &str, wanted: u64) {
    let deadline = Instant::now() + PATIENCE;
    while count(exporter, name, label) < wanted {
        assert!(
            Instant::now() < deadline,
            "{name} {label} stays below {wanted}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(count(exporter, name, label), wanted, "{name} {label}");
}

#[test]
fn a_collector_understands_what_it_gets() {
    let collector = Collector::start(|_| Answer::ok());
    let (sender, exporter) = export_to(collector.endpoint());
    sender.send(span(7)).expect("it listens");
    let got = collector.await_span("Produce", |_| true);
    assert_eq!(got.trace_id, [1; 16]);
    assert_eq!(got.span_id, [1; 8]);
    assert_eq!(got.parent_span_id, [9; 8]);
    assert_eq!(got.kind, SpanKind::Server as i32);
    assert_eq!(got.links.len(), 1);
    assert_eq!(got.links[0].trace_id, [2; 16]);
    assert_eq!(got.end_time_unix_nano - got.start_time_unix_nano, 5_000_000);
    // The monotonic clock stands at 5 s, and the request began a second before.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = since.expect("after 1970").as_nanos();
    let ago = now - u128::from(got.start_time_unix_nano);
    assert!((1_000_000_000..70_000_000_000).contains(&ago), "{ago}");
    let status = got.status.clone().expect("an error");
    assert_eq!(status.message, "NOT_LEADER_OR_FOLLOWER");
    for (key, value) in [
        ("messaging.system", "kafka"),
        ("messaging.destination.name", "orders"),
        ("messaging.destination.partition.id", "4"),
        ("messaging.client.id", "app"),
        ("client.address", "192.0.2.1"),
        ("client.port", "4321"),
        ("logan.correlation.id", "7"),
        ("logan.shard", "3"),
        ("logan.awaited.seconds", "0.003"),
        ("error.type", "NOT_LEADER_OR_FOLLOWER"),
    ] {
        assert_eq!(
            attribute(&got.attributes, key).as_deref(),
            Some(value),
            "{key}"
        );
    }
    let request = &collector.exported()[0];
    assert_eq!(request.path, "/v1/traces");
    assert_eq!(request.content_type, "application/x-protobuf");
    let resource = request.body.resource_spans[0].resource.clone();
    let resource = resource.expect("a resource").attributes;
    assert_eq!(
        attribute(&resource, "service.name").as_deref(),
        Some("logan")
    );
    let instance = attribute(&resource, "service.instance.id");
    assert_eq!(instance.as_deref(), Some("cluster-7"));
    await_count(&exporter, "logan_otlp_spans_exported", "", 1);
}

#[test]
fn a_collector_that_is_busy_is_asked_again() {
    let collector = Collector::start(|request| match request {
        0 => Answer::Status("503 Service Unavailable\r\nRetry-After: 0", Vec::new()),
        1 => Answer::Status("429 Too Many Requests\r\nRetry-After: 0", Vec::new()),
        _ => Answer::ok(),
    });
    let (sender, exporter) = export_to(collector.endpoint());
    sender.send(span(1)).expect("it listens");
    await_count(&exporter, "logan_otlp_spans_exported", "", 1);
    assert_eq!(count(&exporter, "logan_otlp_requests_failed", ""), 2);
    assert_eq!(collector.exported().len(), 3);
}

#[test]
fn a_collector_that_refuses_is_not_asked_again() {
    let collector = Collector::start(|request| match request {
        0 => Answer::Status("400 Bad Request", Vec::new()),
        _ => Answer::ok(),
    });
    let (sender, exporter) = export_to(collector.endpoint());
    sender.send(span(1)).expect("it listens");
    await_count(&exporter, "logan_otlp_spans_dropped", "failed", 1);
    sender.send(span(2)).expect("it listens");
    await_count(&exporter, "logan_otlp_spans_exported", "", 1);
    let spans = collector.spans();
    let ids = spans
        .iter()
        .map(|it| attribute(&it.attributes, "logan.correlation.id"));
    assert_eq!(ids.flatten().collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn spans_that_a_collector_does_not_want_are_counted() {
    let answer = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 1,
            error_message: "too old".to_owned(),
        }),
    };
    let body = answer.encode_to_vec();
    let collector = Collector::start(move |_| Answer::Status("200 OK", body.clone()));
    let (sender, exporter) = export_to(collector.endpoint());
    sender.send(span(1)).expect("it listens");
    await_count(&exporter, "logan_otlp_spans_dropped", "rejected", 1);
}

#[test]
fn nobody_waits_for_a_collector_that_is_gone() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let (sender, exporter) = export_to(endpoint);
    sender.send(span(1)).expect("it listens");
    let deadline = Instant::now() + PATIENCE;
    while count(&exporter, "logan_otlp_requests_failed", "") == 0 {
        assert!(Instant::now() < deadline, "it never tries");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(exporter);
}

#[test]
fn the_end_does_not_wait_for_a_collector_that_says_nothing() {
    let collector = Collector::start(|_| Answer::Silence);
    let (sender, exporter) = export_to(collector.endpoint());
    sender.send(span(1)).expect("it listens");
    collector.await_span("Produce", |_| true);
    let began = Instant::now();
    drop(exporter);
    // Less than a request may take, with much room for a busy machine.
    assert!(began.elapsed() < control::REQUEST_TIME_MAX);
}

#[test]
fn the_last_spans_are_sent_before_the_end() {
    let collector = Collector::start(|_| Answer::ok());
    let (sender, exporter) = export_to(collector.endpoint());
    for id in 0..2000 {
        sender.send(span(id)).expect("it listens");
    }
    drop(exporter);
    // On a busy machine they are still on their way.
    let deadline = Instant::now() + PATIENCE;
    while collector.spans().len() < 2000 {
        assert!(Instant::now() < deadline, "{}", collector.spans().len());
        std::thread::sleep(Duration::from_millis(10));
    }
}
