//! Leaders that move, connections that break, brokers that refuse: what the client does about it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{
    Acks, Client, ClientError, Consumer, FetchLimits, Producer, ProducerConfig, ResponseFault,
};
use protocol::messages::fetch_response::{
    LeaderIdAndEpoch as FetchLeader, NodeEndpoint as FetchEndpoint, PartitionData,
};
use protocol::messages::produce_response::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use protocol::messages::{FetchResponse, InitProducerIdResponse, ProduceRequest, ProduceResponse};
use protocol::{ApiKey, Records};
use records::BatchHeader;
use types::{ErrorCode, Offset, PartitionIndex};

use crate::broker::{Asked, Reply, TOPIC, batch, bind, config, fetched, metadata, record, serve};

const PARTITION: PartitionIndex = PartitionIndex(0);

fn produced(answer: PartitionProduceResponse) -> ProduceResponse {
    ProduceResponse {
        responses: vec![TopicProduceResponse {
            topic_id: types::Uuid([7; 16]),
            partition_responses: vec![answer],
            ..TopicProduceResponse::default()
        }],
        ..ProduceResponse::default()
    }
}

fn at_offset(base_offset: i64) -> ProduceResponse {
    produced(PartitionProduceResponse {
        base_offset,
        ..PartitionProduceResponse::default()
    })
}

fn refused(code: ErrorCode) -> ProduceResponse {
    produced(PartitionProduceResponse {
        error_code: code.code(),
        ..PartitionProduceResponse::default()
    })
}

/// The batch of a produce request.
fn batch_of(asked: &Asked) -> BatchHeader {
    let mut request: ProduceRequest = asked.message();
    let partition = &mut request.topic_data[0].partition_data[0];
    let records = partition.records.take().expect("records").into_bytes();
    BatchHeader::parse(&records).expect("a batch")
}

#[test]
fn a_leader_that_a_produce_response_names_is_followed_without_asking_for_metadata() {
    let ((old, old_at), (new, new_at)) = (bind(), bind());
    let old = serve(old, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, old_at)], &[(1, 4)])),
        _ => {
            let mut moved = produced(PartitionProduceResponse {
                error_code: ErrorCode::NotLeaderOrFollower.code(),
                current_leader: LeaderIdAndEpoch {
                    leader_id: 2,
                    leader_epoch: 5,
                },
                ..PartitionProduceResponse::default()
            });
            moved.node_endpoints = vec![NodeEndpoint {
                node_id: 2,
                host: "127.0.0.1".into(),
                port: i32::from(new_at.port()),
                rack: None,
            }];
            asked.reply(&moved)
        }
    });
    let new = serve(new, |asked| asked.reply(&at_offset(42)));
    let mut client = Client::connect(config(old_at)).expect("a broker");
    let outcome = client.produce(TOPIC, PARTITION, &batch(b"v"), Acks::All);
    let base_offset = outcome.expect("the new leader takes it").base_offset;
    assert_eq!(base_offset, Some(Offset(42)));
    let (old, new) = (old.lock().expect("done"), new.lock().expect("done"));
    assert_eq!(*old, [ApiKey::Metadata, ApiKey::Produce]);
    assert_eq!(*new, [ApiKey::Produce]);
}

#[test]
fn a_leader_that_a_fetch_response_names_is_followed_by_the_consumer() {
    let ((old, old_at), (new, new_at)) = (bind(), bind());
    let old = serve(old, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, old_at)], &[(1, 4)])),
        _ => {
            let mut moved = fetched(vec![PartitionData {
                error_code: ErrorCode::NotLeaderOrFollower.code(),
                current_leader: FetchLeader {
                    leader_id: 2,
                    leader_epoch: 5,
                },
                ..PartitionData::default()
            }]);
            moved.node_endpoints = vec![FetchEndpoint {
                node_id: 2,
                host: "127.0.0.1".into(),
                port: i32::from(new_at.port()),
                rack: None,
            }];
            asked.reply(&moved)
        }
    });
    serve(new, |asked| {
        let records = Records::from(batch(b"from the new leader"));
        asked.reply(&fetched(vec![PartitionData {
            high_watermark: 1,
            records: Some(records),
            ..PartitionData::default()
        }]))
    });
    let client = Client::connect(config(old_at)).expect("a broker");
    let mut consumer = Consumer::new(client, FetchLimits::default());
    consumer.assign(TOPIC, PARTITION, Offset(0));
    let mut values = Vec::new();
    while values.is_empty() {
        let polled = consumer.poll(Duration::from_secs(1), |_, record| {
            values.push(record.value.map(<[u8]>::to_vec));
            std::ops::ControlFlow::Break(())
        });
        polled.expect("moving is no error");
    }
    assert_eq!(values, [Some(b"from the new leader".to_vec())]);
    assert_eq!(consumer.position(TOPIC, PARTITION), Some(Offset(1)));
    let old = old.lock().expect("done");
    assert_eq!(*old, [ApiKey::Metadata, ApiKey::Fetch]);
}

#[test]
fn batches_that_a_broken_connection_took_along_are_sent_again_in_order() {
    let (listener, at) = bind();
    let stored = Arc::new(Mutex::new(Vec::new()));
    let for_broker = Arc::clone(&stored);
    let mut requests = 0;
    let log = serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        ApiKey::InitProducerId => asked.reply(&InitProducerIdResponse {
            producer_id: 9,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        }),
        _ => {
            requests += 1;
            if requests == 3 {
                return Reply::Close;
            }
            let batch = batch_of(asked);
            let mut stored = for_broker.lock().expect("one thread");
            // As a broker does: a batch is taken if it is the next one, known if it is older, refused if it is newer.
            let next = i32::try_from(stored.len()).expect("a few");
            let response = match batch.base_sequence {
                sequence if sequence == next => at_offset(i64::from(next)),
                sequence if sequence < next => refused(ErrorCode::DuplicateSequenceNumber),
                _ => refused(ErrorCode::OutOfOrderSequenceNumber),
            };
            if batch.base_sequence == next {
                stored.push(batch.base_sequence);
            }
            asked.reply(&response)
        }
    });
    let client = Client::connect(config(at)).expect("a broker");
    let one_record_a_batch = ProducerConfig {
        batch_max_bytes: 1,
        ..ProducerConfig::default()
    };
    let mut producer = Producer::new(client, one_record_a_batch).expect("a good configuration");
    for value in 0..8_u8 {
        let sent = producer.send(TOPIC, Some(PARTITION), &record(&[value]));
        sent.expect("the failure is recovered from");
    }
    producer.flush().expect("all is well in the end");
    assert_eq!(*stored.lock().expect("done"), [0, 1, 2, 3, 4, 5, 6, 7]);
    let (_, _, totals) = producer.totals().next().expect("one partition");
    assert_eq!((totals.records, totals.batches), (8, 8));
    let log = log.lock().expect("done");
    let identities = log.iter().filter(|key| **key == ApiKey::InitProducerId);
    assert_eq!(identities.count(), 1);
}

#[test]
fn a_lost_batch_is_reported_once_and_the_producer_goes_on_with_a_new_identity() {
    let (listener, at) = bind();
    let mut identity = 0;
    let mut refusals = vec![ErrorCode::MessageTooLarge];
    serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        ApiKey::InitProducerId => {
            identity += 1;
            asked.reply(&InitProducerIdResponse {
                producer_id: identity,
                ..InitProducerIdResponse::default()
            })
        }
        _ => {
            let batch = batch_of(asked);
            if let Some(code) = refusals.pop() {
                return asked.reply(&refused(code));
            }
            assert_eq!((batch.producer_id.0, batch.base_sequence), (2, 0));
            asked.reply(&at_offset(0))
        }
    });
    let client = Client::connect(config(at)).expect("a broker");
    let mut producer = Producer::new(client, ProducerConfig::default()).expect("a good one");
    let mut send = |value| {
        producer
            .send(TOPIC, Some(PARTITION), &record(value))
            .expect("it is only buffered");
        producer.flush()
    };
    let error = send(b"large").expect_err("it is refused");
    assert_eq!(error.code(), Some(ErrorCode::MessageTooLarge));
    send(b"small").expect("it is taken");
}

#[test]
fn an_error_that_does_not_pass_is_reported_when_the_time_is_over() {
    let (listener, at) = bind();
    let log = serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        _ => asked.reply(&refused(ErrorCode::NotEnoughReplicas)),
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    let begun = Instant::now();
    let error = client
        .produce(TOPIC, PARTITION, &batch(b"v"), Acks::All)
        .expect_err("it never passes");
    assert_eq!(error.code(), Some(ErrorCode::NotEnoughReplicas));
    let policy = client.config().retry;
    assert!(begun.elapsed() >= policy.total_max, "it gave up early");
    // Pauses grow to 10 ms, so 300 ms hold about 35 attempts.
    assert!(log.lock().expect("done").len() < 60, "it did not pause");
}

#[test]
fn a_partition_that_a_response_leaves_out_is_a_bad_response() {
    let (listener, at) = bind();
    serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        ApiKey::Fetch => asked.reply(&FetchResponse::default()),
        _ => asked.reply(&ProduceResponse::default()),
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    let is_missing = |error: ClientError| {
        matches!(
            error,
            ClientError::BadResponse {
                fault: ResponseFault::Missing(_),
                ..
            }
        )
    };
    let produced = client.produce(TOPIC, PARTITION, &batch(b"v"), Acks::All);
    assert!(produced.is_err_and(is_missing));
    let fetched = client.fetch(TOPIC, PARTITION, Offset(0), FetchLimits::default());
    assert!(fetched.is_err_and(is_missing));
}

#[test]
fn a_partition_that_does_not_exist_is_told_at_once() {
    let (listener, at) = bind();
    let log = serve(listener, move |asked| {
        asked.reply(&metadata(&[(1, at)], &[(1, 0)]))
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    let error = client
        .fetch(TOPIC, PartitionIndex(7), Offset(0), FetchLimits::default())
        .expect_err("there is one partition");
    assert_eq!(
        error.to_string(),
        "topic t has 1 partitions, so there is no partition 7"
    );
    assert_eq!(log.lock().expect("done").len(), 2);
}

#[test]
fn nothing_is_waited_for_without_acks() {
    let (listener, at) = bind();
    serve(listener, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        _ => Reply::Nothing,
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    let outcome = client.produce(TOPIC, PARTITION, &batch(b"v"), Acks::None);
    assert_eq!(outcome.expect("it is sent").base_offset, None);
}

#[test]
fn a_topic_that_is_gone_is_not_listed_from_memory() {
    let (listener, at) = bind();
    let mut requests = 0;
    serve(listener, move |asked| {
        let mut response = metadata(&[(1, at)], &[(1, 0)]);
        requests += 1;
        if requests > 2 {
            response.topics.clear();
        }
        asked.reply(&response)
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    assert_eq!(client.list_topics().expect("the broker answers").len(), 1);
    assert_eq!(client.list_topics().expect("the broker answers"), []);
}
