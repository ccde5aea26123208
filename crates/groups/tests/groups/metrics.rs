//! What a coordinator counts.

use std::time::Duration;

use groups::{GroupConfig, Happened, Note, Reply, Request};
use protocol::Str;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, SyncGroupRequest,
};

use crate::world::World;

fn commit(world: &mut World, group_id: &'static str, partitions: i32) {
    let partitions = (0..partitions).map(|partition_index| OffsetCommitRequestPartition {
        partition_index,
        ..OffsetCommitRequestPartition::default()
    });
    let request = OffsetCommitRequest {
        group_id: Str::from_static(group_id),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from_static("t"),
            partitions: partitions.collect(),
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    world.call("client", 9, Request::OffsetCommit(request));
}

/// A member of group `g` joins; the first one after a second, when the rebalance ends.
fn join(world: &mut World) -> JoinGroupResponse {
    let request = JoinGroupRequest {
        group_id: Str::from_static("g"),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: Str::from_static("consumer"),
        protocols: vec![JoinGroupRequestProtocol::default()],
        ..JoinGroupRequest::default()
    };
    let (ticket, _) = world.call("client", 3, Request::JoinGroup(request));
    world.now += Duration::from_secs(1);
    let replies = world.settle();
    let reply = replies
        .into_iter()
        .find(|(answered, _)| *answered == ticket);
    match reply {
        Some((_, Reply::JoinGroup(response))) => response,
        other => unreachable!("the member has joined: {other:?}"),
    }
}

fn world() -> World {
    World::new(GroupConfig {
        initial_rebalance_delay: Duration::from_secs(1),
        ..GroupConfig::default()
    })
}

#[test]
fn groups_are_counted_by_state_and_offsets_once() {
    let mut world = world();
    commit(&mut world, "h", 3);
    commit(&mut world, "h", 2);
    join(&mut world);
    let census = world.coordinator.census();
    assert_eq!(census.offsets, 3);
    assert_eq!(census.classic["Empty"], 1);
    assert_eq!(census.classic["CompletingRebalance"], 1);
    assert!(census.consumer.is_empty());
}

#[test]
fn rebalances_are_timed_from_the_first_join_to_the_assignment() {
    let mut world = world();
    let joined = join(&mut world);
    world.now += Duration::from_millis(500);
    let sync = SyncGroupRequest {
        group_id: Str::from_static("g"),
        generation_id: joined.generation_id,
        member_id: joined.member_id,
        protocol_type: joined.protocol_type,
        protocol_name: joined.protocol_name,
        ..SyncGroupRequest::default()
    };
    assert_eq!(world.coordinator.counters().classic_rebalances, 0);
    world.call("client", 5, Request::SyncGroup(sync));
    let counters = world.coordinator.counters();
    assert_eq!(counters.classic_rebalances, 1);
    assert_eq!(
        counters.classic_rebalance_time,
        Duration::from_millis(1_500)
    );
    assert_eq!(
        counters.classic_rebalance_time_max,
        Duration::from_millis(1_500)
    );
    // Its session ends.
    world.now += Duration::from_secs(10);
    world.settle();
    assert_eq!(world.coordinator.counters().classic_sessions_expired, 1);
}

#[test]
fn who_misses_a_rebalance_is_counted() {
    let mut world = world();
    join(&mut world);
    // Another one comes, and the first does not join again within its rebalance timeout, nor sends a heartbeat; the
    // newcomer is removed as well once its own session is over.
    let long_session = JoinGroupRequest {
        group_id: Str::from_static("g"),
        session_timeout_ms: 600_000,
        rebalance_timeout_ms: 5_000,
        protocol_type: Str::from_static("consumer"),
        protocols: vec![JoinGroupRequestProtocol::default()],
        ..JoinGroupRequest::default()
    };
    world.call("client", 3, Request::JoinGroup(long_session));
    world.now += Duration::from_secs(10);
    world.settle();
    assert_eq!(world.coordinator.counters().classic_sessions_expired, 1);
    // Now it has joined, and does not sync.
    world.now += Duration::from_secs(5);
    world.settle();
    assert_eq!(world.coordinator.counters().classic_rebalances_missed, 1);
}

#[test]
fn offsets_are_counted_when_they_come_and_go() {
    let mut world = world();
    commit(&mut world, "h", 3);
    commit(&mut world, "h", 2);
    assert_eq!(world.coordinator.counters().offsets_committed, 5);
    world.delete_topic("t");
    world.settle();
    assert_eq!(world.coordinator.counters().offsets_of_deleted_topics, 3);
    world.create_topic("t", 3);
    commit(&mut world, "h", 1);
    world.now += Duration::from_secs(8 * 24 * 60 * 60);
    world.settle();
    assert_eq!(world.coordinator.counters().offsets_expired, 1);
}

#[test]
fn what_becomes_of_a_group_is_noted() {
    let mut world = world();
    join(&mut world);
    world.now += Duration::from_secs(11);
    world.settle();
    commit(&mut world, "g", 1);
    world.call("client", 1, Request::DeleteGroup(Str::from_static("g")));
    let notes: Vec<Note> = world.notes.drain(..).collect();
    assert!(notes.iter().all(|note| note.group == "g"), "{notes:?}");
    let what: Vec<&Happened> = notes.iter().map(|note| &note.what).collect();
    assert!(
        matches!(
            what.as_slice(),
            [
                Happened::Rebalance {
                    generation: 0,
                    members: 1,
                    reason: "a member joins"
                },
                Happened::Removed { .. },
                ..,
                Happened::Deleted,
            ]
        ),
        "{what:?}"
    );
}
