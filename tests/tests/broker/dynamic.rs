//! Values that clients set are in effect when the answer comes, on every shard, and after a restart; and administrators
//! who come at once.

use std::thread;
use std::time::Duration;

use client::{Acks, Client};
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};
use records::Compression;
use tests::{Broker, Launch, Wire, batch_of, create_topic, error_of, temporary_directory, within};
use types::{ErrorCode, PartitionIndex};

const TOPIC: &str = "changing";
pub(crate) const TOPIC_RESOURCE: i8 = 2;
pub(crate) const BROKER_RESOURCE: i8 = 4;
const TIME_MAX: Duration = Duration::from_secs(60);

/// Sets a value, or takes it away.
pub(crate) fn alter(
    wire: &mut Wire,
    (kind, name): (i8, &str),
    key: &str,
    value: Option<&str>,
) -> ErrorCode {
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configs: vec![AlterableConfig {
                name: key.into(),
                config_operation: i8::from(value.is_none()),
                value: value.map(Into::into),
            }],
        }],
        validate_only: false,
    };
    error_of(wire.call(1, &request).responses[0].error_code)
}

/// Whether a batch of 2000 bytes is taken by every partition, which lie on different shards.
fn takes_large(client: &mut Client) -> bool {
    let batch = batch_of(Compression::None, &[&[7; 2000]]);
    let taken: Vec<bool> = (0..2)
        .map(|index| {
            client
                .produce(TOPIC, PartitionIndex(index), &batch, Acks::All)
                .is_ok()
        })
        .collect();
    assert!(
        taken.iter().all(|one| *one == taken[0]),
        "the shards disagree: {taken:?}"
    );
    taken[0]
}

#[test]
fn values_of_topics_and_brokers_are_in_effect_at_once_and_after_a_restart() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path());
    let broker = launch.start();
    create_topic(&broker, TOPIC, 2, &[]);
    let mut client = broker.impatient_client();
    let mut wire = broker.wire();
    let topic = (TOPIC_RESOURCE, TOPIC);
    let (own, all) = ((BROKER_RESOURCE, "0"), (BROKER_RESOURCE, ""));
    for (resource, key, value, expected) in [
        (topic, "max.message.bytes", Some("1000"), false),
        (topic, "max.message.bytes", None, true),
        (all, "message.max.bytes", Some("1000"), false),
        (own, "message.max.bytes", Some("5000"), true),
        (topic, "max.message.bytes", Some("1000"), false),
        (topic, "max.message.bytes", None, true),
        (own, "message.max.bytes", None, false),
    ] {
        assert_eq!(alter(&mut wire, resource, key, value), ErrorCode::None);
        assert_eq!(
            takes_large(&mut client),
            expected,
            "{resource:?} {key}={value:?}"
        );
    }
    assert_eq!(broker.stop().code(), 0);
    let broker = launch.start();
    assert!(!takes_large(&mut broker.impatient_client()));
    let mut wire = broker.wire();
    assert_eq!(
        alter(&mut wire, all, "message.max.bytes", None),
        ErrorCode::None
    );
    assert!(takes_large(&mut broker.impatient_client()));
}

#[test]
fn connection_limits_change_without_a_restart() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    let mut wire = broker.wire();
    let all = (BROKER_RESOURCE, "");
    let is_refused = |broker: &Broker| {
        let mut another = broker.wire();
        let shutdown = another
            .stream()
            .set_read_timeout(Some(Duration::from_millis(300)));
        shutdown.expect("a socket");
        another.is_closed() || {
            another.finish();
            false
        }
    };
    let code = alter(&mut wire, all, "max.connections.per.ip", Some("1"));
    assert_eq!(code, ErrorCode::None);
    assert!(
        within(TIME_MAX, || is_refused(&broker)),
        "nobody is refused"
    );
    let code = alter(&mut wire, all, "max.connections.per.ip", None);
    assert_eq!(code, ErrorCode::None);
    // The router follows within half a second; what is refused before proves nothing.
    let is_served = || {
        let mut another = broker.wire();
        another.send_request(1, &MetadataRequest::default());
        another.frame().is_some()
    };
    assert!(within(TIME_MAX, is_served), "nobody is served");
}

#[test]
fn assignments_to_the_ids_of_shards_choose_the_shard() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("shard.advertise", "per-shard-port")
        .start();
    let mut wire = broker.wire();
    let nodes = [100_000, 100_000, 0];
    let assignments =
        nodes
            .iter()
            .zip(0..)
            .map(|(node, partition_index)| CreatableReplicaAssignment {
                partition_index,
                broker_ids: vec![*node],
            });
    let request = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: TOPIC.into(),
            num_partitions: -1,
            replication_factor: -1,
            assignments: assignments.collect(),
            ..CreatableTopic::default()
        }],
        timeout_ms: 30_000,
        validate_only: false,
    };
    let created = wire.call(7, &request).topics.remove(0);
    assert_eq!(error_of(created.error_code), ErrorCode::None, "{created:?}");
    assert_eq!(leaders(&mut wire), nodes);
    let growth = |node: i32| CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: TOPIC.into(),
            count: 4,
            assignments: Some(vec![
                protocol::messages::create_partitions_request::CreatePartitionsAssignment {
                    broker_ids: vec![node],
                },
            ]),
        }],
        timeout_ms: 30_000,
        validate_only: false,
    };
    let refused = wire.call(3, &growth(200_000)).results.remove(0);
    let code = error_of(refused.error_code);
    assert_eq!(
        code,
        ErrorCode::InvalidReplicaAssignment,
        "there are two shards"
    );
    let grown = wire.call(3, &growth(100_000)).results.remove(0);
    assert_eq!(error_of(grown.error_code), ErrorCode::None, "{grown:?}");
    assert_eq!(leaders(&mut wire), [100_000, 100_000, 0, 100_000]);
    // Every id of a shard names the process.
    let code = alter(
        &mut wire,
        (BROKER_RESOURCE, "100000"),
        "log.retention.ms",
        Some("12345"),
    );
    assert_eq!(code, ErrorCode::None);
    for name in ["0", "100000"] {
        assert_eq!(
            value_of(&mut wire, name, "log.retention.ms").as_deref(),
            Some("12345")
        );
    }
}

/// The nodes that lead the topic's partitions.
fn leaders(wire: &mut Wire) -> Vec<i32> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(TOPIC.into()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let mut partitions = wire.call(9, &request).topics.remove(0).partitions;
    partitions.sort_by_key(|partition| partition.partition_index);
    partitions
        .iter()
        .map(|partition| partition.leader_id)
        .collect()
}

/// The value of a broker's key.
pub(crate) fn value_of(wire: &mut Wire, broker: &str, key: &str) -> Option<String> {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: BROKER_RESOURCE,
            resource_name: broker.into(),
            configuration_keys: Some(vec![key.into()]),
        }],
        ..DescribeConfigsRequest::default()
    };
    let described = wire.call(4, &request).results.remove(0);
    let value = described
        .configs
        .first()
        .and_then(|config| config.value.clone());
    value.map(|value| value.to_string())
}

#[test]
fn of_administrators_at_once_one_adds_the_partitions_and_all_values_are_kept() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 2, &[]);
    let keys = [
        "retention.ms",
        "segment.ms",
        "flush.ms",
        "delete.retention.ms",
    ];
    let codes: Vec<ErrorCode> = thread::scope(|scope| {
        let admins: Vec<_> = keys
            .iter()
            .map(|key| {
                let mut wire = broker.wire();
                scope.spawn(move || {
                    let code = alter(&mut wire, (TOPIC_RESOURCE, TOPIC), key, Some("54321"));
                    assert_eq!(code, ErrorCode::None, "{key}");
                    let request = CreatePartitionsRequest {
                        topics: vec![CreatePartitionsTopic {
                            name: TOPIC.into(),
                            count: 5,
                            assignments: None,
                        }],
                        timeout_ms: 30_000,
                        validate_only: false,
                    };
                    error_of(wire.call(3, &request).results[0].error_code)
                })
            })
            .collect();
        let ended = admins
            .into_iter()
            .map(|admin| admin.join().expect("it ends"));
        ended.collect()
    });
    let made = codes
        .iter()
        .filter(|code| **code == ErrorCode::None)
        .count();
    let late = codes
        .iter()
        .filter(|code| **code == ErrorCode::InvalidPartitions)
        .count();
    assert_eq!((made, late), (1, keys.len() - 1), "{codes:?}");
    let described = broker.client().describe_topic(TOPIC).expect("it is there");
    assert_eq!(described.partitions.len(), 5);
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: TOPIC.into(),
            configuration_keys: Some(keys.iter().map(|key| (*key).into()).collect()),
        }],
        ..DescribeConfigsRequest::default()
    };
    let described = broker.wire().call(4, &request).results.remove(0);
    let values = described
        .configs
        .iter()
        .map(|config| config.value.as_deref());
    assert!(
        values.into_iter().all(|value| value == Some("54321")),
        "{described:?}"
    );
}
