//! The passes over all groups: each gets to its end, whatever else happens.

use std::time::Duration;

use groups::{GroupConfig, Request};
use protocol::Str;
use protocol::messages::OffsetCommitRequest;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use crate::world::World;

/// Many more than one call of a pass looks at.
const GROUPS: usize = 1_000;

/// Calls in which both passes come to their ends, with room to spare: each looks at 64 groups a call.
const CALLS: usize = 4 * GROUPS / 64;

fn commit(world: &mut World, group_id: &str, topic: &'static str) {
    let request = OffsetCommitRequest {
        group_id: Str::from(group_id),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from_static(topic),
            partitions: vec![OffsetCommitRequestPartition::default()],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    world.call("client", 7, Request::OffsetCommit(request));
}

/// A world of many groups, each with an offset of `topic`.
fn world(topic: &'static str) -> World {
    let mut world = World::new(GroupConfig {
        offsets_retention: Duration::from_secs(3),
        offsets_retention_check_interval: Duration::from_secs(1),
        ..GroupConfig::default()
    });
    for group in 0..GROUPS {
        commit(&mut world, &format!("{group:04}"), topic);
    }
    world
}

#[test]
fn offsets_expire_while_topics_change_all_the_time() {
    let mut world = world("t");
    world.now = Duration::from_secs(10);
    for _ in 0..CALLS {
        world.change_topics();
        world.call_on_deadline();
    }
    assert_eq!(world.coordinator.census().offsets, 0);
}

#[test]
fn offsets_of_deleted_topics_go_while_topics_change_all_the_time() {
    let mut world = world("u");
    // Groups that stay, so that a pass has to get beyond them.
    for group in 0..GROUPS {
        commit(&mut world, &format!("{group:04}"), "t");
    }
    world.delete_topic("u");
    for _ in 0..CALLS {
        world.change_topics();
        world.call_on_deadline();
    }
    assert_eq!(world.coordinator.census().offsets, GROUPS);
}

#[test]
fn what_changes_during_a_pass_is_looked_for_once_it_has_ended() {
    let mut world = world("u");
    world.change_topics();
    world.call_on_deadline();
    // The first groups were looked at while the topic was there.
    world.delete_topic("u");
    world.settle();
    assert_eq!(world.coordinator.census().offsets, 0);
    assert!(world.coordinator.next_deadline() > Some(groups::Instant(world.now)));
}
