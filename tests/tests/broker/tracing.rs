//! Spans of the real broker's requests, at a collector.

#[path = "../../../crates/control/tests/collector/mod.rs"]
mod collector;

use std::path::Path;

use bytes::Bytes;
use client::{Acks, FetchLimits};
use collector::{Answer, Collector, attribute};
use records::{BatchBuilder, Compression, NewRecord};
use tests::{Broker, create_topic, temporary_directory};
use types::{Offset, PartitionIndex};

use crate::metrics::{await_total, launch};

const TOPIC: &str = "traced";
const FIRST: PartitionIndex = PartitionIndex(0);

/// A batch whose first record carries the context of this trace.
fn batch_in_trace(codec: Compression, trace: u8, flags: &str) -> Bytes {
    let traceparent = format!("00-{}-00f067aa0ba902b7-{flags}", hex(trace));
    let header: (&[u8], Option<&[u8]>) = (b"traceparent", Some(traceparent.as_bytes()));
    let mut builder = BatchBuilder::new(codec);
    for headers in [&[header][..], &[]] {
        builder.push(&NewRecord {
            timestamp: types::TimestampMs(1_700_000_000_000),
            key: None,
            value: Some(b"value"),
            headers,
        });
    }
    builder.build().expect("codecs work in memory").into()
}

/// The trace that has this byte 16 times.
fn hex(trace: u8) -> String {
    format!("{trace:02x}").repeat(16)
}

/// A broker with a topic that exports a span of each request.
fn traced(directory: &Path, collector: &Collector) -> Broker {
    let broker = launch(directory)
        .with("shard.advertise", "single")
        .with("logan.tracing.otlp.endpoint", collector.endpoint())
        .with("logan.tracing.otlp.sample.ratio", "1")
        .start();
    create_topic(&broker, TOPIC, 1, &[]);
    broker
}

#[test]
fn requests_are_spans_of_the_traces_that_their_records_belong_to() {
    let collector = Collector::start(|_| Answer::ok());
    let directory = temporary_directory();
    let broker = traced(directory.path(), &collector);
    let mut client = broker.client();
    let mut produce = |batch: &Bytes| {
        let produced = client.produce(TOPIC, FIRST, batch, Acks::All);
        produced.expect("it is taken");
    };
    let codecs = [
        (1, Compression::None),
        (2, Compression::Zstd),
        (3, Compression::Gzip),
    ];
    for (trace, codec) in codecs {
        produce(&batch_in_trace(codec, trace, "01"));
    }
    // Whoever began this one does not record it; the one behind it is recorded again.
    produce(&batch_in_trace(Compression::None, 4, "00"));
    produce(&batch_in_trace(Compression::None, 5, "01"));
    let parent = [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
    for trace in [1, 2, 3, 5] {
        let span = collector.await_span("Produce", |it| it.trace_id == [trace; 16]);
        assert_eq!(span.parent_span_id, parent);
        let topic = attribute(&span.attributes, "messaging.destination.name");
        assert_eq!(topic.as_deref(), Some(TOPIC));
        let took = span.end_time_unix_nano - span.start_time_unix_nano;
        assert!(took > 0, "{span:?}");
    }
    let spans = collector.spans();
    assert!(spans.iter().all(|it| it.trace_id != [4; 16]), "{spans:?}");
    let fetched = client.fetch(TOPIC, FIRST, Offset(0), FetchLimits::default());
    fetched.expect("what was written can be read");
    // The records stay in their traces; the fetch has one of its own, with links.
    let span = collector.await_span("Fetch", |it| !it.links.is_empty());
    assert_eq!(span.links[0].trace_id, [1; 16]);
    assert!(span.parent_span_id.is_empty());
    let request = &collector.exported()[0];
    assert_eq!(request.path, "/v1/traces");
    assert_eq!(request.content_type, "application/x-protobuf");
    await_total(&broker, "logan_trace_spans_total", |it| it >= 6);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_collector_that_says_nothing_is_noticed_by_nobody_else() {
    let collector = Collector::start(|_| Answer::Silence);
    let directory = temporary_directory();
    let broker = traced(directory.path(), &collector);
    let mut client = broker.client();
    let batch = batch_in_trace(Compression::None, 1, "01");
    client
        .produce(TOPIC, FIRST, &batch, Acks::All)
        .expect("it is taken");
    collector.await_span("Produce", |_| true);
    // More than wait for the exporter, which waits for the collector.
    for _ in 0..6_000 {
        client.list_topics().expect("it answers");
    }
    await_total(&broker, "logan_trace_spans_dropped_total", |it| it > 0);
    broker.expect_log("cannot export spans");
    // Neither does the end wait for it.
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn nothing_is_traced_unless_it_is_asked_for() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("logan.tracing.otlp.sample.ratio", "1")
        .start();
    create_topic(&broker, TOPIC, 1, &[]);
    let document = crate::metrics::metrics(&broker);
    assert!(!document.contains("logan_trace_spans"), "{document}");
    assert_eq!(broker.stop().code(), 0);
    let ended = launch(directory.path())
        .with("logan.tracing.otlp.endpoint", "https://127.0.0.1:4318")
        .fail();
    assert!(
        ended.log.contains("logan.tracing.otlp.endpoint"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("there is no TLS here"), "{}", ended.log);
}
