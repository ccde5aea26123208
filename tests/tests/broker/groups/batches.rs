//! How long the batches are that coordinators write: as long as the topic takes them, whatever it is told meanwhile.

use protocol::messages::{DeleteGroupsRequest, OffsetCommitRequest};
use tests::{Wire, create_topic, error_of, temporary_directory};
use types::ErrorCode;

use super::{COMMIT, commit_request, committed, coordinator, join, launch};
use crate::dynamic::{TOPIC_RESOURCE, alter};

const TOPIC: &str = "__consumer_offsets";

/// Commits one offset of each of these partitions; the codes that were met.
fn commit_of(wire: &mut Wire, group: &str, partitions: std::ops::Range<i32>) -> Vec<ErrorCode> {
    let offsets = vec![7; partitions.len()];
    let mut request: OffsetCommitRequest = commit_request(group, "t", &offsets);
    for partition in &mut request.topics[0].partitions {
        partition.partition_index += partitions.start;
    }
    let response = wire.call(COMMIT, &request);
    let mut codes: Vec<ErrorCode> = response.topics[0]
        .partitions
        .iter()
        .map(|partition| error_of(partition.error_code))
        .collect();
    codes.dedup();
    codes
}

#[test]
fn a_group_whose_tombstones_are_longer_than_a_segment_is_deleted_beside_others_that_live_on() {
    const PARTITIONS: i32 = 1_000;
    let directory = temporary_directory();
    let launch = launch(directory.path())
        .with("offsets.topic.num.partitions", "1")
        .with("offsets.topic.segment.bytes", "1048576");
    let broker = launch.start();
    create_topic(&broker, "t", PARTITIONS, &[]);
    let long_id = "g".repeat(2_000);
    let mut wire = coordinator(&broker, &long_id);
    let beside = join(&mut wire, "beside", "").member_id;
    assert!(!beside.is_empty());
    for begin in (0..PARTITIONS).step_by(250) {
        let codes = commit_of(&mut wire, &long_id, begin..begin + 250);
        assert_eq!(codes, [ErrorCode::None]);
    }
    let request = DeleteGroupsRequest {
        groups_names: vec![long_id.as_str().into()],
    };
    let deleted = wire.call(2, &request).results[0].error_code;
    assert_eq!(error_of(deleted), ErrorCode::None);
    let left = committed(&mut wire, &long_id, "t", PARTITIONS);
    assert!(left.iter().all(|offset| *offset == -1), "{left:?}");
    drop(broker);
    let broker = launch.start();
    let mut wire = coordinator(&broker, &long_id);
    let left = committed(&mut wire, &long_id, "t", PARTITIONS);
    assert!(left.iter().all(|offset| *offset == -1), "{left:?}");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn batches_are_as_long_as_the_topic_takes_them_now() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 200, &[]);
    let group = "g".repeat(1_000);
    let mut wire = coordinator(&broker, &group);
    assert_eq!(commit_of(&mut wire, &group, 0..100), [ErrorCode::None]);
    let topic = (TOPIC_RESOURCE, TOPIC);
    let mut set = |value| {
        let code = alter(&mut wire, topic, "max.message.bytes", value);
        assert_eq!(code, ErrorCode::None);
        commit_of(&mut wire, &group, 100..200)
    };
    assert_eq!(set(Some("20000")), [ErrorCode::InvalidCommitOffsetSize]);
    assert_eq!(set(Some("400000")), [ErrorCode::None]);
    assert_eq!(broker.stop().code(), 0);
}
