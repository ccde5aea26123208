//! `__consumer_offsets` itself: how it comes to be, and who may write to it.

use protocol::Records;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{
    CreatePartitionsRequest, DescribeConfigsRequest, FindCoordinatorRequest, MetadataRequest,
    ProduceRequest,
};
use records::Compression;
use tests::{Broker, Launch, batch_of, create_topic, error_of, temporary_directory};
use types::ErrorCode;

use super::{commit, committed, coordinator, launch};

const TOPIC: &str = "__consumer_offsets";

#[test]
fn the_topic_of_the_groups_is_made_when_it_is_needed_as_it_is_configured() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("offsets.topic.num.partitions", "5")
        .with("offsets.topic.segment.bytes", "2097152")
        .start();
    assert!(broker.client().describe_topic(TOPIC).is_err());
    drop(coordinator(&broker, "g"));
    let topic = broker.client().describe_topic(TOPIC).expect("it is there");
    assert_eq!(topic.partitions.len(), 5);
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(TOPIC.into()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let response = broker.wire().call(13, &request);
    assert!(response.topics[0].is_internal, "{response:?}");
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: 2,
            resource_name: TOPIC.into(),
            configuration_keys: None,
        }],
        ..DescribeConfigsRequest::default()
    };
    let response = broker.wire().call(4, &request);
    let configs = &response.results[0].configs;
    let value = |key: &str| {
        let config = configs.iter().find(|it| it.name == key)?;
        config.value.as_deref().map(str::to_owned)
    };
    assert_eq!(value("cleanup.policy").as_deref(), Some("compact"));
    assert_eq!(value("segment.bytes").as_deref(), Some("2097152"));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn producers_may_not_write_what_coordinators_write() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    drop(coordinator(&broker, "g"));
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: TOPIC.into(),
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(Records::from(batch_of(Compression::None, &[b"forged"]))),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let response = broker.wire().call(9, &request);
    let answer = &response.responses[0].partition_responses[0];
    assert_eq!(
        error_of(answer.error_code),
        ErrorCode::InvalidTopicException
    );
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn the_number_of_partitions_stays_since_groups_are_found_by_it() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("offsets.topic.num.partitions", "2")
        .start();
    create_topic(&broker, "t", 1, &[]);
    let grow = |count| CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: TOPIC.into(),
            count,
            assignments: None,
        }],
        timeout_ms: 10_000,
        validate_only: false,
    };
    let asked = |count| {
        let response = broker.wire().call(3, &grow(count));
        error_of(response.results[0].error_code)
    };
    assert_eq!(asked(3), ErrorCode::UnknownTopicOrPartition);
    let mut wire = coordinator(&broker, "g");
    assert_eq!(commit(&mut wire, "g", "t", &[5]), [ErrorCode::None]);
    assert_eq!(asked(3), ErrorCode::InvalidPartitions);
    let topic = broker.client().describe_topic(TOPIC).expect("it is there");
    assert_eq!(topic.partitions.len(), 2);
    assert_eq!(committed(&mut wire, "g", "t", 1), [5]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn every_key_has_a_coordinator_and_what_is_no_group_has_none() {
    let directory = temporary_directory();
    for mode in ["single", "per-shard-port"] {
        let broker = Launch::in_directory(&directory.path().join(mode))
            .with("shard.advertise", mode)
            .start();
        let keys: Vec<String> = (0..20).map(|number| format!("group-{number}")).collect();
        let nodes = nodes_of(&broker, &keys);
        let distinct: std::collections::BTreeSet<_> = nodes.iter().collect();
        let expected = if mode == "single" { 1 } else { 2 };
        assert_eq!(distinct.len(), expected, "{mode}: {nodes:?}");
        let request = FindCoordinatorRequest {
            key: "t".into(),
            key_type: 1,
            ..FindCoordinatorRequest::default()
        };
        let response = broker.wire().call(3, &request);
        assert_ne!(response.error_code, 0, "{response:?}");
        assert_eq!(broker.stop().code(), 0);
    }
}

fn nodes_of(broker: &Broker, keys: &[String]) -> Vec<i32> {
    let request = FindCoordinatorRequest {
        coordinator_keys: keys.iter().map(|key| key.as_str().into()).collect(),
        ..FindCoordinatorRequest::default()
    };
    let response = broker.wire().call(4, &request);
    let coordinators = response.coordinators.iter();
    coordinators
        .map(|it| {
            assert_eq!(it.error_code, 0, "{it:?}");
            it.node_id
        })
        .collect()
}
