//! Consumers of several leaders, some of which fail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use client::{Client, ClientConfig, ClientError, Consumer, FetchLimits};
use protocol::messages::FetchRequest;
use protocol::messages::fetch_response::PartitionData;
use protocol::{ApiKey, Records};
use types::{ErrorCode, Offset, PartitionIndex};

use crate::broker::{Asked, Reply, TOPIC, batch, bind, config, fetched, metadata, serve};

/// Long enough for any poll; none is meant to wait for its end.
const POLL: Duration = Duration::from_secs(10);

/// A consumer of the topic's first partitions from their beginning.
fn consumer(config: ClientConfig, partitions: i32) -> Consumer {
    let client = Client::connect(config).expect("a broker");
    let mut consumer = Consumer::new(client, FetchLimits::default());
    for partition in 0..partitions {
        consumer.assign(TOPIC, PartitionIndex(partition), Offset(0));
    }
    consumer
}

/// The partitions and offsets that a fetch request asks for.
fn wanted(asked: &Asked) -> BTreeMap<i32, i64> {
    let request: FetchRequest = asked.message();
    let partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| (partition.partition, partition.fetch_offset))
        .collect()
}

/// One record at the beginning of each partition that was asked for, and nothing behind it.
fn one_record_each(asked: &Asked) -> Reply {
    let answers = wanted(asked).into_iter().map(|(partition, offset)| {
        let records = (offset == 0).then(|| Records::from(batch(b"v")));
        PartitionData {
            partition_index: partition,
            high_watermark: 1,
            records,
            ..PartitionData::default()
        }
    });
    asked.reply(&fetched(answers.collect()))
}

fn refusal(partition: i32, code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: partition,
        error_code: code.code(),
        ..PartitionData::default()
    }
}

/// Polls once; the partitions whose records came.
fn poll(consumer: &mut Consumer) -> Result<Vec<i32>, ClientError> {
    let mut seen = Vec::new();
    consumer.poll(POLL, |fetched, _| {
        seen.push(fetched.partition.0);
        ControlFlow::Continue(())
    })?;
    Ok(seen)
}

#[test]
fn a_leader_that_answers_is_not_held_up_by_one_that_waits() {
    let ((quick, quick_at), (slow, slow_at)) = (bind(), bind());
    let nodes = [(1, quick_at), (2, slow_at)];
    serve(quick, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&nodes, &[(2, 0), (1, 0)])),
        _ => one_record_each(asked),
    });
    let (release, released) = channel();
    serve(slow, move |asked| {
        // As a long poll that ends when something has been written.
        let () = released.recv().expect("the test goes on");
        one_record_each(asked)
    });
    let mut consumer = consumer(config(quick_at), 2);
    assert_eq!(poll(&mut consumer).expect("the quick one"), [1]);
    release.send(()).expect("the broker waits");
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen = poll(&mut consumer).expect("the slow one");
    }
    assert_eq!(seen, [0]);
}

#[test]
fn a_leader_that_is_gone_does_not_keep_the_others_from_being_read() {
    let ((gone, gone_at), (there, there_at)) = (bind(), bind());
    drop(gone);
    let nodes: [(i32, SocketAddr); 2] = [(1, gone_at), (2, there_at)];
    serve(there, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&nodes, &[(1, 0), (2, 0)])),
        _ => one_record_each(asked),
    });
    let mut consumer = consumer(config(there_at), 2);
    assert_eq!(poll(&mut consumer).expect("the other one"), [1]);
    // With nothing else to read, the error is told when the time for retries is over.
    consumer.unassign(TOPIC, PartitionIndex(1));
    let error = loop {
        if let Err(error) = poll(&mut consumer) {
            break error;
        }
    };
    assert!(matches!(error, ClientError::Connect { .. }), "{error}");
}

#[test]
fn a_broker_that_says_nothing_is_given_up() {
    let (listener, at) = bind();
    serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        _ => Reply::Nothing,
    });
    let impatient = ClientConfig {
        request_timeout: Duration::from_millis(50),
        ..config(at)
    };
    let mut consumer = consumer(impatient, 1);
    let begun = Instant::now();
    let error = loop {
        let polled = consumer.poll(Duration::from_millis(20), |_, _| ControlFlow::Continue(()));
        if let Err(error) = polled {
            break error;
        }
    };
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    assert!(begun.elapsed() < POLL, "{:?}", begun.elapsed());
}

#[test]
fn an_offset_out_of_range_is_told_behind_the_records_of_other_partitions() {
    let (listener, at) = bind();
    serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0), (1, 0)])),
        _ => {
            let records = Some(Records::from(batch(b"v")));
            asked.reply(&fetched(vec![
                refusal(0, ErrorCode::OffsetOutOfRange),
                PartitionData {
                    partition_index: 1,
                    high_watermark: 1,
                    records,
                    ..PartitionData::default()
                },
            ]))
        }
    });
    let mut consumer = consumer(config(at), 2);
    assert_eq!(poll(&mut consumer).expect("records first"), [1]);
    let error = poll(&mut consumer).expect_err("then the error");
    assert_eq!(error.code(), Some(ErrorCode::OffsetOutOfRange));
    assert!(error.to_string().contains("t-0 at offset 0"), "{error}");
}

#[test]
fn an_answer_to_an_offset_that_was_left_is_passed_over() {
    let (listener, at) = bind();
    let (asked_once, was_asked) = channel();
    let (release, released) = channel();
    serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        _ => {
            asked_once
                .send(wanted(asked)[&0])
                .expect("the test listens");
            let () = released.recv().expect("the test goes on");
            one_record_each(asked)
        }
    });
    let mut consumer = consumer(config(at), 1);
    let nothing = consumer.poll(Duration::from_millis(1), |_, _| ControlFlow::Continue(()));
    assert_eq!(nothing.expect("it only waits").records, 0);
    assert_eq!(was_asked.recv().expect("a request"), 0);
    // One record lies at offset 0; the consumer goes elsewhere before the answer comes.
    consumer.assign(TOPIC, PartitionIndex(0), Offset(7));
    release.send(()).expect("the broker waits");
    release.send(()).expect("the broker waits");
    assert_eq!(poll(&mut consumer).expect("an old answer"), [0; 0]);
    assert_eq!(poll(&mut consumer).expect("an empty one"), [0; 0]);
    assert_eq!(was_asked.recv().expect("a request"), 7);
}
