//! Whoever takes the place of a member finds the room that it leaves behind, however full it is.

use std::time::Duration;

use groups::{GroupConfig, Reply, Request};
use protocol::Str;
use protocol::messages::{ConsumerGroupHeartbeatRequest, LeaveGroupRequest};
use types::ErrorCode;

use crate::memory::{
    NO_ROOM, NO_ROOM_TO_COMMIT, commit, error, heartbeat, join_with_both, reply, sync,
};
use crate::world::World;

/// Far less than the groups of these tests take.
const MEMORY_SHORT_BYTES: usize = 1_000;

/// How often offsets are looked through.
const CHECK_INTERVAL: Duration = Duration::from_secs(600);

fn world() -> World {
    World::new(GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        ..GroupConfig::default()
    })
}

/// The broker returns with less memory for groups than they take.
fn shrink(world: &mut World) {
    world.config.memory_max_bytes = MEMORY_SHORT_BYTES;
    world.restart();
}

fn beat(world: &mut World, member: &str, epoch: i32) -> (ErrorCode, i32, usize) {
    let beat = ConsumerGroupHeartbeatRequest {
        member_epoch: epoch,
        topic_partitions: (epoch == 0).then(Vec::new),
        ..heartbeat("c", member, &["t"])
    };
    match reply(world, 1, Request::ConsumerGroupHeartbeat(beat)) {
        Reply::ConsumerGroupHeartbeat(response) => {
            let code = ErrorCode::from_code(response.error_code).expect("Kafka knows it");
            let topics = response.assignment.unwrap_or_default().topic_partitions;
            let assigned = topics.iter().map(|topic| topic.partitions.len()).sum();
            (code, response.member_epoch, assigned)
        }
        other => unreachable!("{other:?} was not asked for"),
    }
}

#[test]
fn the_only_member_of_a_consumer_group_is_replaced() {
    let mut world = world();
    assert_eq!(beat(&mut world, "member-a", 0).2, 24);
    shrink(&mut world);
    assert_eq!(beat(&mut world, "member-a", -1).0, ErrorCode::None);
    let before = world.coordinator.memory_bytes();
    world.now += Duration::from_secs(5);
    let (code, _, assigned) = beat(&mut world, "member-b", 0);
    assert_eq!((code, assigned), (ErrorCode::None, 24));
    assert!(world.coordinator.memory_bytes() <= before);
    // There is room for one.
    assert_eq!(beat(&mut world, "member-c", 0).0, NO_ROOM);
    world.check_replay();
}

#[test]
fn one_of_two_members_of_a_consumer_group_is_replaced() {
    let mut world = world();
    let (_, epoch, _) = beat(&mut world, "member-a", 0);
    world.now += Duration::from_secs(2);
    beat(&mut world, "member-b", 0);
    assert!(beat(&mut world, "member-a", epoch).2 == 12);
    shrink(&mut world);
    assert_eq!(beat(&mut world, "member-a", -1).0, ErrorCode::None);
    world.now += Duration::from_secs(2);
    // The other has everything meanwhile.
    let (code, ..) = beat(&mut world, "member-b", 0);
    assert_eq!(code, ErrorCode::None);
    world.now += Duration::from_secs(2);
    assert_eq!(beat(&mut world, "member-c", 0).0, ErrorCode::None);
    assert_eq!(beat(&mut world, "member-d", 0).0, NO_ROOM);
}

#[test]
fn what_members_leave_behind_is_given_up_after_a_while() {
    let mut world = world();
    let offset = error(&mut world, 8, commit("c", 0, ""));
    assert_eq!(offset, ErrorCode::None);
    let alone = world.coordinator.memory_bytes();
    beat(&mut world, "member-a", 0);
    let together = world.coordinator.memory_bytes();
    assert_eq!(beat(&mut world, "member-a", -1).0, ErrorCode::None);
    assert!(world.coordinator.memory_bytes() > (alone + together) / 2);
    for _ in 0..3 {
        world.now += CHECK_INTERVAL;
        world.settle();
    }
    assert!(world.coordinator.memory_bytes() <= alone + 100);
}

#[test]
fn offsets_get_nothing_of_what_members_leave_behind() {
    let mut world = world();
    beat(&mut world, "member-a", 0);
    shrink(&mut world);
    assert_eq!(beat(&mut world, "member-a", -1).0, ErrorCode::None);
    let offset = error(&mut world, 8, commit("c", 0, ""));
    assert_eq!(offset, NO_ROOM_TO_COMMIT);
}

#[test]
fn a_static_member_that_is_replaced_again_and_again_takes_what_one_takes() {
    let mut world = world();
    let mut beat = |member: &str, epoch: i32| {
        let beat = ConsumerGroupHeartbeatRequest {
            member_epoch: epoch,
            instance_id: Some(Str::from_static("static")),
            topic_partitions: (epoch == 0).then(Vec::new),
            ..heartbeat("c", member, &["t"])
        };
        let code = error(&mut world, 1, Request::ConsumerGroupHeartbeat(beat));
        assert_eq!(code, ErrorCode::None);
        world.coordinator.memory_bytes()
    };
    let first = beat("member-0", 0);
    for number in 0..50 {
        beat(&format!("member-{number}"), -2);
        let bytes = beat(&format!("member-{}", number + 1), 0);
        assert!(bytes < first + 1_000, "{number}: {bytes} after {first}");
    }
}

#[test]
fn who_takes_the_place_of_a_static_member_under_a_longer_id_needs_room_for_that() {
    let mut world = world();
    let joining = |member: &str, epoch: i32| {
        Request::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest {
            member_epoch: epoch,
            instance_id: Some(Str::from_static("static")),
            topic_partitions: (epoch == 0).then(Vec::new),
            ..heartbeat("c", member, &["t"])
        })
    };
    assert_eq!(
        error(&mut world, 1, joining("member-0", 0)),
        ErrorCode::None
    );
    shrink(&mut world);
    assert_eq!(
        error(&mut world, 1, joining("member-0", -2)),
        ErrorCode::None
    );
    let long = "m".repeat(10_000);
    assert_eq!(error(&mut world, 1, joining(&long, 0)), NO_ROOM);
    assert_eq!(
        error(&mut world, 1, joining("member-1", 0)),
        ErrorCode::None
    );
    world.check_replay();
}

#[test]
fn the_only_member_of_a_classic_group_is_replaced() {
    let mut world = world();
    let joining = |world: &mut World, member_id: &Str| match reply(
        world,
        5,
        join_with_both(member_id, 100),
    ) {
        Reply::JoinGroup(joined) => joined,
        other => unreachable!("{other:?} was not asked for"),
    };
    let given = joining(&mut world, &Str::default()).member_id;
    let joined = joining(&mut world, &given);
    let synced = error(&mut world, 4, sync(&given, joined.generation_id));
    assert_eq!(synced, ErrorCode::None);
    shrink(&mut world);
    let leave = LeaveGroupRequest {
        group_id: Str::from_static("g"),
        member_id: given,
        ..LeaveGroupRequest::default()
    };
    reply(&mut world, 0, Request::LeaveGroup(leave));
    let given = joining(&mut world, &Str::default());
    assert_eq!(given.error_code, ErrorCode::MemberIdRequired.code());
    let joined = joining(&mut world, &given.member_id);
    assert_eq!(joined.error_code, ErrorCode::None.code());
}

#[test]
fn who_is_refused_makes_no_loaded_group_its_own() {
    let mut world = world();
    for group in 0..20 {
        let offset = error(
            &mut world,
            8,
            commit(&format!("{group}"), 0, &"m".repeat(4_000)),
        );
        assert_eq!(offset, ErrorCode::None);
    }
    let taken = world.coordinator.memory_bytes();
    world.config.memory_max_bytes = 2 * taken;
    world.restart();
    // A stranger knocks at all of them.
    world.client_host = "/127.0.0.9";
    for group in 0..20 {
        let Request::OffsetCommit(mut request) = commit(&format!("{group}"), 0, "") else {
            unreachable!("it is one");
        };
        request.generation_id_or_member_epoch = 7;
        let refused = error(&mut world, 8, Request::OffsetCommit(request));
        assert_ne!(refused, ErrorCode::None);
    }
    // What is its own it may use all the same.
    let own = error(&mut world, 8, commit("own", 0, &"m".repeat(4_000)));
    assert_eq!(own, ErrorCode::None);
    world.client_host = "/127.0.0.1";
    for partition in 1..4 {
        let offset = error(&mut world, 8, commit("0", partition, ""));
        assert_eq!(offset, ErrorCode::None);
    }
}
