//! Administrative requests: which node they go to, what is tried again, and what is told of each partition.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Client, ClientConfig, ClientError, ConfigDetail, ConfigResource, RetryPolicy};
use protocol::ApiKey;
use protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use protocol::messages::describe_configs_response::DescribeConfigsResult;
use protocol::messages::{DeleteRecordsRequest, DescribeConfigsResponse, FindCoordinatorResponse};
use types::{ErrorCode, NodeId, Offset, PartitionIndex};

use crate::broker::{Asked, Reply, TOPIC, bind, config, metadata, serve};

/// An answer about every partition that was asked for.
fn deleted(asked: &Asked, outcome: impl Fn(i32) -> (i64, ErrorCode)) -> Reply {
    let request: DeleteRecordsRequest = asked.message();
    let partitions = request.topics[0].partitions.iter().map(|partition| {
        let (low_watermark, code) = outcome(partition.partition_index);
        DeleteRecordsPartitionResult {
            partition_index: partition.partition_index,
            low_watermark,
            error_code: code.code(),
        }
    });
    asked.reply(&DeleteRecordsResponse {
        throttle_time_ms: 0,
        topics: vec![DeleteRecordsTopicResult {
            name: TOPIC.into(),
            partitions: partitions.collect(),
        }],
    })
}

fn before(offset: i64) -> BTreeMap<PartitionIndex, Option<Offset>> {
    let partitions = [PartitionIndex(0), PartitionIndex(1)];
    partitions.map(|it| (it, Some(Offset(offset)))).into()
}

#[test]
fn records_are_deleted_at_the_leader_of_each_partition_wherever_it_moves() {
    let ((one, one_at), (two, two_at)) = (bind(), bind());
    let nodes = [(1, one_at), (2, two_at)];
    let mut metadata_answers = 0;
    let one = serve(one, move |asked| match asked.key {
        ApiKey::Metadata => {
            metadata_answers += 1;
            // Partition 1 moves behind the client's back.
            let of_second = if metadata_answers == 1 { 1 } else { 2 };
            asked.reply(&metadata(&nodes, &[(1, 0), (of_second, 0)]))
        }
        _ => deleted(asked, |partition| match partition {
            0 => (7, ErrorCode::None),
            _ => (-1, ErrorCode::NotLeaderOrFollower),
        }),
    });
    let two = serve(two, |asked| deleted(asked, |_| (9, ErrorCode::None)));
    let mut client = Client::connect(config(one_at)).expect("a broker");
    let outcomes = client.delete_records(TOPIC, &before(9)).expect("leaders");
    let begins: Vec<_> = outcomes
        .into_values()
        .map(|outcome| outcome.expect("both moved").0)
        .collect();
    assert_eq!(begins, [7, 9]);
    let of_records = |log: &[ApiKey]| {
        let wanted = log.iter().filter(|key| **key == ApiKey::DeleteRecords);
        wanted.count()
    };
    assert_eq!(of_records(&one.lock().expect("done")), 1, "not again");
    assert_eq!(of_records(&two.lock().expect("done")), 1);
}

#[test]
fn a_partition_that_refuses_does_not_hide_the_others() {
    let (node, at) = bind();
    serve(node, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0), (1, 0)])),
        _ => deleted(asked, |partition| match partition {
            0 => (5, ErrorCode::None),
            _ => (-1, ErrorCode::OffsetOutOfRange),
        }),
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    let outcomes = client.delete_records(TOPIC, &before(5)).expect("a leader");
    assert_eq!(outcomes[&PartitionIndex(0)].as_ref().ok(), Some(&Offset(5)));
    let refused = outcomes[&PartitionIndex(1)].as_ref().expect_err("refused");
    assert_eq!(refused.code(), Some(ErrorCode::OffsetOutOfRange));
    assert!(refused.to_string().contains("t-1"), "{refused}");
}

#[test]
fn a_brokers_configuration_is_asked_for_at_that_broker() {
    let ((one, one_at), (two, two_at)) = (bind(), bind());
    let one = serve(one, move |asked| {
        asked.reply(&metadata(&[(1, one_at), (2, two_at)], &[(1, 0)]))
    });
    let two = serve(two, |asked| {
        asked.reply(&DescribeConfigsResponse {
            results: vec![DescribeConfigsResult::default()],
            ..DescribeConfigsResponse::default()
        })
    });
    let mut client = Client::connect(config(one_at)).expect("a broker");
    let resource = ConfigResource::Broker(NodeId(2));
    let entries = client.describe_configs(&resource, ConfigDetail::Values);
    assert_eq!(entries.expect("an answer"), []);
    assert_eq!(*one.lock().expect("done"), [ApiKey::Metadata]);
    assert_eq!(*two.lock().expect("done"), [ApiKey::DescribeConfigs]);
}

#[test]
fn an_answer_that_leaves_the_resource_out_is_no_answer() {
    let (node, at) = bind();
    serve(node, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        _ => asked.reply(&DescribeConfigsResponse::default()),
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    let topic = ConfigResource::Topic(TOPIC.to_owned());
    let outcome = client.describe_configs(&topic, ConfigDetail::Everything);
    assert!(matches!(outcome, Err(ClientError::BadResponse { .. })));
}

#[test]
fn a_topic_that_does_not_exist_is_not_waited_for() {
    let (node, at) = bind();
    let log = serve(node, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&[(1, at)], &[(1, 0)])),
        _ => asked.reply(&DeleteTopicsResponse {
            responses: vec![DeletableTopicResult {
                name: Some("gone".into()),
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
                ..DeletableTopicResult::default()
            }],
            ..DeleteTopicsResponse::default()
        }),
    });
    let mut client = Client::connect(config(at)).expect("a broker");
    let refused = client.delete_topic("gone").expect_err("it is not there");
    assert_eq!(refused.code(), Some(ErrorCode::UnknownTopicOrPartition));
    let asked = log.lock().expect("done");
    assert_eq!(*asked, [ApiKey::Metadata, ApiKey::DeleteTopics]);
}

#[test]
fn a_group_is_asked_about_where_it_is_coordinated_by_then() {
    let ((one, one_at), (two, two_at)) = (bind(), bind());
    let nodes = [(1, one_at), (2, two_at)];
    let answer = |asked: &Asked, code: ErrorCode| {
        asked.reply(&DeleteGroupsResponse {
            results: vec![DeletableGroupResult {
                group_id: "g".into(),
                error_code: code.code(),
            }],
            ..DeleteGroupsResponse::default()
        })
    };
    let mut found = 0;
    let one = serve(one, move |asked| match asked.key {
        ApiKey::Metadata => asked.reply(&metadata(&nodes, &[(1, 0)])),
        ApiKey::FindCoordinator => {
            found += 1;
            asked.reply(&FindCoordinatorResponse {
                node_id: if found == 1 { 1 } else { 2 },
                ..FindCoordinatorResponse::default()
            })
        }
        _ => answer(asked, ErrorCode::NotCoordinator),
    });
    let two = serve(two, move |asked| answer(asked, ErrorCode::None));
    let config = config(one_at);
    let patient = ClientConfig {
        retry: RetryPolicy {
            total_max: Duration::from_secs(60),
            ..config.retry
        },
        ..config
    };
    let mut client = Client::connect(patient).expect("a broker");
    client.delete_group("g").expect("the second one has it");
    let asked_one = one.lock().expect("done").clone();
    let wanted = asked_one.iter().filter(|key| **key == ApiKey::DeleteGroups);
    assert_eq!(wanted.count(), 1, "{asked_one:?}");
    assert_eq!(*two.lock().expect("done"), [ApiKey::DeleteGroups]);
}
