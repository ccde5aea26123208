//! Committed offsets: what is committed is fetched, and belongs to a topic, not to a name.

use protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::{
    DeleteGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
};
use tests::{Wire, create_topic, error_of, temporary_directory};
use types::ErrorCode;

use super::{COMMIT, FETCH, commit, commit_request, committed, coordinator, launch, single_member};

#[test]
fn what_is_committed_is_fetched() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 3, &[]);
    for group in ["a", "b", "c", "d"] {
        let mut wire = coordinator(&broker, group);
        assert_eq!(committed(&mut wire, group, "t", 3), [-1, -1, -1]);
        assert_eq!(commit(&mut wire, group, "t", &[5, 6]), [ErrorCode::None; 2]);
        assert_eq!(committed(&mut wire, group, "t", 3), [5, 6, -1]);
    }
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn topics_that_are_not_there_take_no_offsets() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    let mut wire = coordinator(&broker, "g");
    let codes = commit(&mut wire, "g", "unknown", &[5]);
    assert_eq!(codes, [ErrorCode::UnknownTopicOrPartition]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn an_old_generation_commits_nothing() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 1, &[]);
    let mut wire = coordinator(&broker, "g");
    let joined = single_member(&mut wire, "g");
    let mut request = commit_request("g", "t", &[5]);
    request.member_id = joined.member_id.clone();
    request.generation_id_or_member_epoch = joined.generation_id - 1;
    let mut answer = |request: OffsetCommitRequest| {
        let response = wire.call(COMMIT, &request);
        error_of(response.topics[0].partitions[0].error_code)
    };
    assert_eq!(answer(request.clone()), ErrorCode::IllegalGeneration);
    request.generation_id_or_member_epoch = joined.generation_id;
    assert_eq!(answer(request.clone()), ErrorCode::None);
    request.member_id = "somebody-else".into();
    assert_eq!(answer(request), ErrorCode::UnknownMemberId);
    assert_eq!(committed(&mut wire, "g", "t", 1), [5]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_new_topic_of_an_old_name_has_no_offsets() {
    let directory = temporary_directory();
    let launch = launch(directory.path());
    let mut broker = launch.start();
    // Once while the coordinator hears of the deletion, and once across a restart right after it.
    for is_restarted in [false, true] {
        create_topic(&broker, "t", 1, &[]);
        let mut wire = coordinator(&broker, "g");
        assert_eq!(committed(&mut wire, "g", "t", 1), [-1]);
        assert_eq!(commit(&mut wire, "g", "t", &[5]), [ErrorCode::None]);
        broker.client().delete_topic("t").expect("it is there");
        if is_restarted {
            drop(broker);
            broker = launch.start();
        }
    }
    create_topic(&broker, "t", 1, &[]);
    let mut wire = coordinator(&broker, "g");
    assert_eq!(committed(&mut wire, "g", "t", 1), [-1]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn offsets_and_groups_are_deleted_on_demand() {
    let directory = temporary_directory();
    let launch = launch(directory.path());
    let broker = launch.start();
    create_topic(&broker, "t", 2, &[]);
    let mut wire = coordinator(&broker, "g");
    assert_eq!(commit(&mut wire, "g", "t", &[5, 6]), [ErrorCode::None; 2]);
    let request = OffsetDeleteRequest {
        group_id: "g".into(),
        topics: vec![OffsetDeleteRequestTopic {
            name: "t".into(),
            partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
        }],
    };
    let response = wire.call(0, &request);
    assert_eq!(response.error_code, 0, "{response:?}");
    assert_eq!(committed(&mut wire, "g", "t", 2), [-1, 6]);
    let delete = |group: &str| DeleteGroupsRequest {
        groups_names: vec![group.into()],
    };
    assert_eq!(wire.call(2, &delete("g")).results[0].error_code, 0);
    let unknown = wire.call(2, &delete("unknown")).results[0].error_code;
    assert_eq!(error_of(unknown), ErrorCode::GroupIdNotFound);
    drop(broker);
    let broker = launch.start();
    let mut wire = coordinator(&broker, "g");
    assert_eq!(committed(&mut wire, "g", "t", 2), [-1, -1]);
    assert_eq!(broker.stop().code(), 0);
}

/// Asks for all offsets of these groups.
fn fetch_all(wire: &mut Wire, groups: &[String]) -> Vec<OffsetFetchResponseGroup> {
    let groups = groups.iter().map(|group| OffsetFetchRequestGroup {
        group_id: group.as_str().into(),
        topics: None,
        ..OffsetFetchRequestGroup::default()
    });
    let request = OffsetFetchRequest {
        groups: groups.collect(),
        ..OffsetFetchRequest::default()
    };
    wire.call(FETCH, &request).groups
}

#[test]
fn what_is_named_again_and_again_is_answered_once() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 2, &[]);
    let mut wire = coordinator(&broker, "g");
    assert_eq!(commit(&mut wire, "g", "t", &[5, 6]), [ErrorCode::None; 2]);
    let all = fetch_all(&mut wire, &vec!["g".to_owned(); 500]);
    let groups = all.iter().map(|group| group.topics[0].partitions.len());
    assert_eq!(groups.collect::<Vec<_>>(), [2], "{all:?}");

    let named = |partitions: Vec<i32>, times: usize| OffsetFetchRequest {
        group_id: "g".into(),
        topics: Some(vec![
            OffsetFetchRequestTopic {
                name: "t".into(),
                partition_indexes: partitions,
            };
            times
        ]),
        ..OffsetFetchRequest::default()
    };
    let response = wire.call(5, &named(vec![1; 10_000], 5));
    let topics = response.topics.iter();
    let partitions = topics.flat_map(|topic| &topic.partitions);
    let offsets: Vec<i64> = partitions.map(|it| it.committed_offset).collect();
    assert_eq!(offsets, [6]);

    // Far more than there can be are not looked for.
    let response = wire.call(5, &named((0..200_001).collect(), 1));
    assert_eq!(error_of(response.error_code), ErrorCode::InvalidRequest);
    assert_eq!(committed(&mut wire, "g", "t", 2), [5, 6]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn groups_that_would_make_an_answer_too_long_are_asked_for_again() {
    const PARTITIONS: usize = 100;
    const METADATA: usize = 4_000;
    const ANSWER_MAX: usize = 17 << 20;
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 100, &[]);
    let mut wire = coordinator(&broker, "0");
    let groups: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for group in &groups {
        let mut request = commit_request(group, "t", &[5; PARTITIONS]);
        for partition in &mut request.topics[0].partitions {
            partition.committed_metadata = Some("x".repeat(METADATA).into());
        }
        let mut wire = coordinator(&broker, group);
        let response = wire.call(COMMIT, &request);
        let mut partitions = response.topics[0].partitions.iter();
        assert!(partitions.all(|it| it.error_code == 0), "{response:?}");
    }
    let mut left = groups;
    let mut rounds = 0;
    while !left.is_empty() {
        let answers = fetch_all(&mut wire, &left);
        assert_eq!(answers.len(), left.len(), "each has an answer");
        let mut len = 0;
        left.clear();
        for answer in answers {
            match error_of(answer.error_code) {
                ErrorCode::None => {
                    let partitions = &answer.topics[0].partitions;
                    assert_eq!(partitions.len(), PARTITIONS);
                    let metadata = partitions.iter().filter_map(|it| it.metadata.as_ref());
                    len += metadata.map(|it| it.len()).sum::<usize>();
                }
                ErrorCode::CoordinatorLoadInProgress => {
                    left.push(answer.group_id.as_str().to_owned());
                }
                code => unreachable!("{code:?}"),
            }
        }
        assert!((1..ANSWER_MAX).contains(&len), "{len}");
        rounds += 1;
    }
    assert_eq!(rounds, 2);
    assert_eq!(broker.stop().code(), 0);
}
