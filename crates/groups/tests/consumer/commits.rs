//! Offsets of consumer groups: who may commit and fetch them, and how long they are kept.

use std::time::Duration;

use groups::{GroupConfig, GroupRecord, Reply, Request};
use protocol::Str;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::{JoinGroupRequest, OffsetCommitRequest};
use types::ErrorCode;

use super::world::{GROUP, World, beat, code, join, owned};

fn commit(
    world: &mut World,
    version: i16,
    member_id: &str,
    epoch: i32,
    partition: i32,
) -> ErrorCode {
    let topic_id = world.cluster_topic("orders");
    let request = OffsetCommitRequest {
        group_id: Str::from_static(GROUP),
        generation_id_or_member_epoch: epoch,
        member_id: Str::from(member_id),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from_static("orders"),
            topic_id,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset: 42,
                ..OffsetCommitRequestPartition::default()
            }],
        }],
        ..OffsetCommitRequest::default()
    };
    match world.ask(version, Request::OffsetCommit(request)) {
        Reply::OffsetCommit(response) => code(response.topics[0].partitions[0].error_code),
        other => unreachable!("a commit is answered as such, not {other:?}"),
    }
}

fn fetch(world: &mut World, member_id: Option<&str>, epoch: i32) -> ErrorCode {
    let request = Request::OffsetFetch {
        group: OffsetFetchRequestGroup {
            group_id: Str::from_static(GROUP),
            member_id: member_id.map(Str::from),
            member_epoch: epoch,
            topics: None,
        },
        require_stable: false,
    };
    match world.ask(9, request) {
        Reply::OffsetFetch(group) => code(group.error_code),
        other => unreachable!("a fetch is answered as such, not {other:?}"),
    }
}

#[test]
fn a_commit_must_come_from_a_member_at_its_epoch() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    for version in [9, 10] {
        assert_eq!(commit(&mut world, version, "a", 2, 0), ErrorCode::None);
        assert_eq!(
            commit(&mut world, version, "a", 3, 0),
            ErrorCode::StaleMemberEpoch
        );
        assert_eq!(
            commit(&mut world, version, "b", 2, 0),
            ErrorCode::UnknownMemberId
        );
        assert_eq!(
            commit(&mut world, version, "", -1, 0),
            ErrorCode::UnknownMemberId
        );
    }
    assert_eq!(
        commit(&mut world, 8, "a", 2, 0),
        ErrorCode::UnsupportedVersion
    );
    assert_eq!(world.error(beat("a", -1)), ErrorCode::None);
    assert_eq!(
        commit(&mut world, 9, "", -1, 0),
        ErrorCode::None,
        "nobody is a member"
    );
}

#[test]
fn a_late_commit_is_taken_for_what_the_member_has_still() {
    let mut world = World::new();
    let topic = world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    world.heartbeat(join("b", &["orders"]));
    world.heartbeat(beat("a", 2));
    let mut done = beat("a", 2);
    done.topic_partitions = owned(topic, &[0]);
    assert_eq!(world.heartbeat(done).member_epoch, 3);
    world.heartbeat(beat("b", 3));
    // The reply with epoch 2 is on its way: what it has had since epoch 1 it may commit under that.
    assert_eq!(commit(&mut world, 9, "a", 2, 0), ErrorCode::None);
    // What it gave away may have been read on by the other.
    assert_eq!(
        commit(&mut world, 9, "a", 2, 1),
        ErrorCode::StaleMemberEpoch
    );
    // And what the other got at epoch 2 it never had before.
    assert_eq!(
        commit(&mut world, 9, "b", 2, 1),
        ErrorCode::StaleMemberEpoch
    );
    assert_eq!(commit(&mut world, 9, "b", 3, 1), ErrorCode::None);
    world.restart();
    assert_eq!(commit(&mut world, 9, "a", 2, 0), ErrorCode::None);
    assert_eq!(
        commit(&mut world, 9, "a", 2, 1),
        ErrorCode::StaleMemberEpoch
    );
}

#[test]
fn a_member_fetches_offsets_at_its_epoch_and_an_administrator_at_none() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    assert_eq!(fetch(&mut world, None, -1), ErrorCode::None);
    assert_eq!(fetch(&mut world, Some("a"), 2), ErrorCode::None);
    assert_eq!(fetch(&mut world, Some("a"), 0), ErrorCode::StaleMemberEpoch);
    assert_eq!(fetch(&mut world, Some("b"), 2), ErrorCode::UnknownMemberId);
}

/// A group whose member has just committed. Offsets are kept for a minute, and looked at this often.
fn committed(offsets_retention_check_interval: Duration) -> World {
    let config = GroupConfig {
        offsets_retention: Duration::from_secs(60),
        offsets_retention_check_interval,
        ..GroupConfig::default()
    };
    let mut world = World::with(config);
    world.topic("orders", 1);
    world.restart();
    world.heartbeat(join("a", &["orders"]));
    assert_eq!(commit(&mut world, 9, "a", 2, 0), ErrorCode::None);
    world
}

#[test]
fn offsets_of_a_group_that_is_idle_but_subscribed_are_kept() {
    let mut world = committed(Duration::from_secs(10));
    for _ in 0..60 {
        world.pass(Duration::from_secs(5));
        world.heartbeat(beat("a", 2));
    }
    assert!(
        !has_expired(&world),
        "five minutes without a commit, but with a member"
    );
    assert_eq!(world.error(beat("a", -1)), ErrorCode::None);
    world.pass(Duration::from_secs(50));
    assert!(
        !has_expired(&world),
        "the time begins when the last one leaves"
    );
    // Nothing but its loading tells then when a group was in use last.
    world.restart();
    world.pass(Duration::from_secs(50));
    assert!(!has_expired(&world));
    world.pass(Duration::from_secs(50));
    assert!(has_expired(&world));
}

/// A group whose only member has left 10 seconds ago, 110 seconds after it committed; offsets are kept for 60.
fn left_a_moment_ago() -> World {
    let mut world = committed(Duration::from_secs(1));
    for _ in 0..10 {
        world.pass(Duration::from_secs(10));
        world.heartbeat(beat("a", 2));
    }
    assert_eq!(world.error(beat("a", -1)), ErrorCode::None);
    world.pass(Duration::from_secs(10));
    world
}

fn has_expired(world: &World) -> bool {
    let mut log = world.log.iter();
    log.any(|record| matches!(record, GroupRecord::OffsetCommit { value: None, .. }))
}

/// A JoinGroup in a version that is told its id first.
fn classic_join(world: &mut World, request: JoinGroupRequest) -> ErrorCode {
    let request = JoinGroupRequest {
        group_id: Str::from_static(GROUP),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: Str::from_static("consumer"),
        ..request
    };
    match world.ask(4, Request::JoinGroup(request)) {
        Reply::JoinGroup(response) => code(response.error_code),
        other => unreachable!("a join is answered as such, not {other:?}"),
    }
}

fn range() -> Vec<JoinGroupRequestProtocol> {
    vec![JoinGroupRequestProtocol {
        name: Str::from_static("range"),
        ..JoinGroupRequestProtocol::default()
    }]
}

#[test]
fn a_join_that_is_refused_leaves_an_empty_consumer_group_as_it_is() {
    let mut world = left_a_moment_ago();
    let before = (world.log.len(), world.coordinator.memory_bytes());
    let without_protocols = JoinGroupRequest::default();
    assert_eq!(
        classic_join(&mut world, without_protocols),
        ErrorCode::InconsistentGroupProtocol
    );
    let unknown = JoinGroupRequest {
        member_id: Str::from_static("a"),
        protocols: range(),
        ..JoinGroupRequest::default()
    };
    assert_eq!(
        classic_join(&mut world, unknown),
        ErrorCode::UnknownMemberId
    );
    assert_eq!(world.state(), "Empty");
    let after = (world.log.len(), world.coordinator.memory_bytes());
    assert_eq!(after, before);
    world.pass(Duration::from_secs(40));
    assert!(!has_expired(&world), "its members left 50 seconds ago");
    world.pass(Duration::from_secs(11));
    assert!(has_expired(&world));
    world.check_replay();
}

#[test]
fn who_was_given_an_id_and_does_not_come_back_takes_no_offsets_of_an_empty_consumer_group() {
    for restarts in [false, true] {
        let mut world = left_a_moment_ago();
        let new = JoinGroupRequest {
            protocols: range(),
            ..JoinGroupRequest::default()
        };
        assert_eq!(classic_join(&mut world, new), ErrorCode::MemberIdRequired);
        world.check_replay();
        if restarts {
            world.restart();
        }
        world.pass(Duration::from_secs(40));
        assert!(!has_expired(&world), "its members left 50 seconds ago");
        world.pass(Duration::from_secs(11));
        assert!(has_expired(&world));
        world.check_replay();
    }
}
