//! Small requests that ask for much: the answer stays within bounds, and says why.

use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::{
    AlterPartitionReassignmentsRequest, DescribeConfigsRequest, ElectLeadersRequest,
};
use tests::{Launch, Neighbour, error_of, temporary_directory};
use types::ErrorCode;

/// Longer than any topic's name may be.
const LONG_NAME_BYTES: usize = 32_000;

/// What a sentence about one partition may have.
const SENTENCE_BYTES_MAX: usize = 400;

/// The most partitions that a request may name, as in Kafka's controller.
const PARTITIONS_MAX: i32 = 10_000;

#[test]
fn sentences_about_many_partitions_do_not_repeat_an_endless_name() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    let neighbour = Neighbour::beside(&broker);
    let name = "x".repeat(LONG_NAME_BYTES);
    let mut wire = broker.wire();
    for (count, code) in [
        (PARTITIONS_MAX, ErrorCode::None),
        (PARTITIONS_MAX + 1, ErrorCode::PolicyViolation),
    ] {
        let request = ElectLeadersRequest {
            topic_partitions: Some(vec![TopicPartitions {
                topic: name.as_str().into(),
                partitions: (0..count).collect(),
            }]),
            timeout_ms: 1000,
            ..ElectLeadersRequest::default()
        };
        let response = wire.call(2, &request);
        assert_eq!(error_of(response.error_code), code);
        let results = response.replica_election_results.iter();
        for result in results.flat_map(|topic| &topic.partition_result) {
            assert_eq!(
                error_of(result.error_code),
                ErrorCode::UnknownTopicOrPartition
            );
            let message = result.error_message.as_ref().expect("a reason");
            assert!(message.len() < SENTENCE_BYTES_MAX);
        }

        let partition = |partition_index| ReassignablePartition {
            partition_index,
            replicas: Some(vec![0]),
        };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: 1000,
            topics: vec![ReassignableTopic {
                name: name.as_str().into(),
                partitions: (0..count).map(partition).collect(),
            }],
            ..AlterPartitionReassignmentsRequest::default()
        };
        let response = wire.call(1, &request);
        assert_eq!(error_of(response.error_code), code);
        for result in response
            .responses
            .iter()
            .flat_map(|topic| &topic.partitions)
        {
            assert_eq!(
                error_of(result.error_code),
                ErrorCode::UnknownTopicOrPartition
            );
            let message = result.error_message.as_ref().expect("a reason");
            assert!(message.len() < SENTENCE_BYTES_MAX);
        }
    }
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_broker_is_described_once_however_its_number_is_written() {
    const GROUP: i8 = 32;
    const BROKER: i8 = 4;
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    let neighbour = Neighbour::beside(&broker);
    let describe = |kind: i8, names: &[String]| {
        let resource = |name: &String| DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.as_str().into(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: names.iter().map(resource).collect(),
            ..DescribeConfigsRequest::default()
        };
        let results = broker.wire().call(4, &request).results;
        let results = results
            .iter()
            .map(|it| (error_of(it.error_code), !it.configs.is_empty()));
        results.collect::<Vec<_>>()
    };
    let (described, refused) = ((ErrorCode::None, true), (ErrorCode::InvalidRequest, false));
    let names = ["0", "00", "+0", "-0", ""].map(str::to_owned);
    // Nothing is set for all brokers.
    let expected = [
        described,
        refused,
        refused,
        refused,
        (ErrorCode::None, false),
    ];
    assert_eq!(describe(BROKER, &names), expected);

    let groups: Vec<String> = (0..=10_000).map(|number| format!("g{number}")).collect();
    let results = describe(GROUP, &groups);
    assert_eq!(results.iter().filter(|it| **it == refused).count(), 1);
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}
