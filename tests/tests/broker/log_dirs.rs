//! What a broker tells of its log directories, of the producers that its logs remember, and of quotas.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use client::{Acks, Client, ClientError};
use protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult,
};
use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::{
    AlterReplicaLogDirsRequest, DescribeClientQuotasRequest, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeProducersRequest,
};
use records::{BatchBuilder, Compression, NewRecord};
use tests::{Broker, Launch, Wire, batch_of, create_topic, error_of, temporary_directory};
use types::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs};

const TOPIC: &str = "kept";
const PARTITIONS: i32 = 4;
const LAST_VERSION: i16 = 5;

/// Asks for all logs, for one that is there, and for one that is not.
pub(crate) fn ask_directories(mut wire: Wire, known: &str, version: i16) {
    for topics in [None, Some(vec![named(known), named("unknown")])] {
        let response = wire.call(version, &DescribeLogDirsRequest { topics });
        let [directory] = response.results.as_slice() else {
            unreachable!("one directory is described: v{version}: {response:?}");
        };
        assert_eq!(directory.error_code, 0, "v{version}");
        assert!(!directory.topics.is_empty(), "v{version}");
        assert_eq!(directory.usable_bytes > 0, version >= 4, "v{version}");
    }
}

/// Wishes a log to where it is, and to where it cannot be.
pub(crate) fn ask_to_move(mut wire: Wire, known: &str, version: i16) {
    let here = described_by(&mut wire).results[0]
        .log_dir
        .as_str()
        .to_owned();
    let wishes = [
        (here.as_str(), known, ErrorCode::None),
        ("/no/such/directory", known, ErrorCode::LogDirNotFound),
        (&here, "unknown", ErrorCode::UnknownTopicOrPartition),
    ];
    for (path, topic, expected) in wishes {
        let response = wire.call(version, &wish_of(topic, 0, path));
        let code = error_of(response.results[0].partitions[0].error_code);
        assert_eq!(code, expected, "v{version}: {path} {topic}");
    }
}

fn wish_of(topic: &str, partition: i32, path: &str) -> AlterReplicaLogDirsRequest {
    AlterReplicaLogDirsRequest {
        dirs: vec![AlterReplicaLogDir {
            path: path.into(),
            topics: vec![AlterReplicaLogDirTopic {
                name: topic.into(),
                partitions: vec![partition],
            }],
        }],
    }
}

/// Wishes a log into another directory.
///
/// # Errors
/// When the broker does not answer.
pub(crate) fn wish(
    client: &mut Client,
    topic: &str,
    partition: i32,
    path: &Path,
) -> Result<ErrorCode, ClientError> {
    let path = path.to_str().expect("a path of the tests");
    let response = client.call(&wish_of(topic, partition, path))?;
    Ok(error_of(response.results[0].partitions[0].error_code))
}

/// Where a log is; `None` when it is nowhere.
///
/// # Errors
/// When the broker does not answer.
pub(crate) fn place_of(
    client: &mut Client,
    topic: &str,
    partition: i32,
) -> Result<Option<PathBuf>, ClientError> {
    let response = client.call(&DescribeLogDirsRequest { topics: None })?;
    let holds = |directory: &&DescribeLogDirsResult| {
        let topics = directory.topics.iter().filter(|it| it.name == *topic);
        let mut logs = topics.flat_map(|topic| &topic.partitions);
        logs.any(|log| log.partition_index == partition && !log.is_future_key)
    };
    let place = response.results.iter().find(holds);
    Ok(place.map(|directory| PathBuf::from(directory.log_dir.as_str())))
}

/// Asks for the producers of a topic that is there, and of two that cannot be.
pub(crate) fn ask_producers(mut wire: Wire, known: &str, version: i16) {
    let topics = [known, "unknown", "no/topic"].map(|name| TopicRequest {
        name: name.into(),
        partition_indexes: vec![0, 99, 0],
    });
    let request = DescribeProducersRequest {
        topics: topics.to_vec(),
    };
    let response = wire.call(version, &request);
    let codes: Vec<Vec<_>> = response
        .topics
        .iter()
        .map(|topic| {
            let codes = topic.partitions.iter().map(|it| error_of(it.error_code));
            codes.collect()
        })
        .collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let expected = [
        [ErrorCode::None, unknown, ErrorCode::InvalidRequest],
        [unknown; 3],
        [ErrorCode::InvalidTopicException; 3],
    ];
    assert_eq!(codes, expected, "v{version}");
}

/// Asks for the quotas of everybody, and with a filter that makes no sense.
pub(crate) fn ask_quotas(mut wire: Wire, version: i16) {
    let filter = |kind: &str| DescribeClientQuotasRequest {
        components: vec![ComponentData {
            entity_type: kind.into(),
            match_type: 2,
            r#match: None,
        }],
        strict: false,
    };
    let response = wire.call(version, &filter("user"));
    assert_eq!(response.error_code, 0, "v{version}");
    assert_eq!(response.entries, Some(Vec::new()), "v{version}");
    let refused = wire.call(version, &filter(""));
    let code = error_of(refused.error_code);
    assert_eq!(code, ErrorCode::InvalidRequest, "v{version}");
    assert_eq!(refused.entries, None, "v{version}");
}

fn named(topic: &str) -> DescribableLogDirTopic {
    DescribableLogDirTopic {
        topic: topic.into(),
        partitions: vec![0],
    }
}

/// What the broker says of all its directories.
pub(crate) fn described(broker: &Broker) -> DescribeLogDirsResponse {
    described_by(&mut broker.wire())
}

fn described_by(wire: &mut Wire) -> DescribeLogDirsResponse {
    let request = DescribeLogDirsRequest { topics: None };
    wire.call(LAST_VERSION, &request)
}

/// Where each log of a topic lies, with what is said of it.
pub(crate) fn logs(
    broker: &Broker,
    topic: &str,
) -> BTreeMap<(i32, bool), (String, DescribeLogDirsPartition)> {
    let mut found = BTreeMap::new();
    for directory in described(broker).results {
        for described in directory.topics.into_iter().filter(|it| it.name == *topic) {
            for partition in described.partitions {
                let key = (partition.partition_index, partition.is_future_key);
                let log = (directory.log_dir.as_str().to_owned(), partition);
                assert_eq!(found.insert(key, log), None, "a log is named twice");
            }
        }
    }
    found
}

fn produce_each(broker: &Broker) -> usize {
    let batch = batch_of(Compression::None, &[&[0; 1000]]);
    let mut client = broker.client();
    for partition in 0..PARTITIONS {
        let partition = PartitionIndex(partition);
        client
            .produce(TOPIC, partition, &batch, Acks::All)
            .expect("there is room");
    }
    batch.len()
}

#[test]
fn every_log_is_named_once_with_its_size() {
    for advertise in ["single", "per-shard"] {
        let directory = temporary_directory();
        let paths = ["one", "two"].map(|name| directory.path().join(name));
        let broker = Launch::in_directories(&[&paths[0], &paths[1]])
            .with("shard.advertise", advertise)
            .start();
        create_topic(&broker, TOPIC, PARTITIONS, &[]);
        let size_bytes = produce_each(&broker);
        let logs = logs(&broker, TOPIC);
        assert_eq!(logs.len(), 4, "{advertise}: {logs:?}");
        for (log_dir, log) in logs.values() {
            assert!(paths.iter().any(|path| path == Path::new(log_dir)));
            assert_eq!(
                log.partition_size,
                i64::try_from(size_bytes).expect("small")
            );
            assert_eq!(log.offset_lag, 0);
        }
        let used: Vec<_> = paths
            .iter()
            .map(|path| {
                logs.values()
                    .filter(move |(log_dir, _)| path == Path::new(log_dir))
            })
            .map(Iterator::count)
            .collect();
        assert_eq!(used, [2, 2], "equally free directories are used alike");
        assert_eq!(broker.stop().code(), 0);
    }
}

#[test]
fn producers_are_described_as_their_partitions_remember_them() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, PARTITIONS, &[]);
    let mut client = broker.client();
    let (id, epoch) = client.init_producer_id().expect("there are ids");
    for partition in 0..PARTITIONS {
        let batch = idempotent(id, epoch, 3 + partition);
        client
            .produce(TOPIC, PartitionIndex(partition), &batch, Acks::All)
            .expect("it is the first");
    }
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: TOPIC.into(),
            partition_indexes: (0..PARTITIONS).collect(),
        }],
    };
    let check = |broker: &Broker| {
        let response = broker.wire().call(0, &request);
        for (partition, described) in (0..).zip(&response.topics[0].partitions) {
            let [producer] = described.active_producers.as_slice() else {
                unreachable!("one producer is remembered: {described:?}");
            };
            assert_eq!(producer.producer_id, id.0);
            assert_eq!(producer.producer_epoch, i32::from(epoch.0));
            assert_eq!(producer.last_sequence, 2 + partition);
            assert!(producer.last_timestamp >= 1_700_000_000_000);
            assert_eq!(producer.coordinator_epoch, -1);
            assert_eq!(producer.current_txn_start_offset, -1);
        }
    };
    check(&broker);
    assert_eq!(broker.stop().code(), 0);
    check(&Launch::in_directory(directory.path()).start());
}

/// The first batch of a producer, with `count` records.
fn idempotent(id: ProducerId, epoch: ProducerEpoch, count: i32) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Compression::None).producer(id, epoch, 0);
    for _ in 0..count {
        builder.push(&NewRecord {
            timestamp: TimestampMs(1_700_000_000_000),
            key: None,
            value: Some(b"value"),
            headers: &[],
        });
    }
    builder.build().expect("nothing is compressed").into()
}
