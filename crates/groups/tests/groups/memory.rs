//! All groups together take a bounded number of bytes, and whoever wants more is refused without harm to others.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use groups::{GroupConfig, Reply, Request};
use protocol::Str;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, JoinGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use types::ErrorCode;

use crate::world::World;

pub(crate) const MEMORY_MAX_BYTES: usize = 1_000_000;

/// What one request may add beyond the bound that is checked for a whole batch, or for a rebalance that was begun.
pub(crate) const SLACK_BYTES: usize = 10_000;

pub(crate) const NO_ROOM: ErrorCode = ErrorCode::GroupMaxSizeReached;

/// After this one consumers commit again.
pub(crate) const NO_ROOM_TO_COMMIT: ErrorCode = ErrorCode::CoordinatorLoadInProgress;

pub(crate) fn world() -> World {
    World::new(GroupConfig {
        memory_max_bytes: MEMORY_MAX_BYTES,
        initial_rebalance_delay: Duration::ZERO,
        ..GroupConfig::default()
    })
}

pub(crate) fn join(group_id: &str, metadata_len: usize) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: Str::from(group_id),
        session_timeout_ms: 1_800_000,
        rebalance_timeout_ms: 1_800_000,
        protocol_type: Str::from_static("consumer"),
        protocols: vec![JoinGroupRequestProtocol {
            name: Str::from_static("range"),
            metadata: Bytes::from(vec![0; metadata_len]),
        }],
        ..JoinGroupRequest::default()
    }
}

/// A JoinGroup of the group `g` with the two protocols of Java's default.
pub(crate) fn join_with_both(member_id: &Str, metadata_len: usize) -> Request {
    let mut request = join("g", metadata_len);
    let mut second = request.protocols[0].clone();
    second.name = Str::from_static("cooperative-sticky");
    request.protocols.push(second);
    request.member_id = member_id.clone();
    Request::JoinGroup(request)
}

/// The SyncGroup of the only member of the group `g`.
pub(crate) fn sync(member_id: &Str, generation_id: i32) -> Request {
    Request::SyncGroup(SyncGroupRequest {
        group_id: Str::from_static("g"),
        generation_id,
        member_id: member_id.clone(),
        ..SyncGroupRequest::default()
    })
}

pub(crate) fn commit(group_id: &str, partition: i32, metadata: &str) -> Request {
    Request::OffsetCommit(OffsetCommitRequest {
        group_id: Str::from(group_id),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from_static("t"),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset: 1,
                committed_metadata: Some(Str::from(metadata)),
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    })
}

pub(crate) fn heartbeat(
    group_id: &str,
    member_id: &str,
    names: &[&str],
) -> ConsumerGroupHeartbeatRequest {
    let names = names.iter().map(|name| Str::from(*name)).collect();
    ConsumerGroupHeartbeatRequest {
        group_id: Str::from(group_id),
        member_id: Str::from(member_id),
        member_epoch: 0,
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(names),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

/// Sends a request; what comes of its rebalance happens before the answer is looked at.
pub(crate) fn reply(world: &mut World, version: i16, request: Request) -> Reply {
    let (ticket, mut replies) = world.call("client", version, request);
    replies.extend(world.settle());
    let reply = replies.into_iter().find(|(asked, _)| *asked == ticket);
    reply.expect("nobody else is waited for").1
}

pub(crate) fn error(world: &mut World, version: i16, request: Request) -> ErrorCode {
    let code = match reply(world, version, request) {
        Reply::JoinGroup(response) => response.error_code,
        Reply::SyncGroup(response) => response.error_code,
        Reply::OffsetCommit(response) => response.topics[0].partitions[0].error_code,
        Reply::ConsumerGroupHeartbeat(response) => response.error_code,
        other => unreachable!("nobody asked for {other:?}"),
    };
    ErrorCode::from_code(code).expect("Kafka knows it")
}

pub(crate) fn join_error(world: &mut World, group_id: &str) -> ErrorCode {
    error(world, 5, Request::JoinGroup(join(group_id, 100)))
}

/// Asks for ever new groups until one is refused; returns how many were made.
fn fill(world: &mut World, mut request: impl FnMut(String) -> (i16, Request)) -> usize {
    for number in 0..1_000_000 {
        let (version, request) = request(format!("{number:0>100}"));
        let is_commit = matches!(request, Request::OffsetCommit(_));
        let no_room = if is_commit {
            NO_ROOM_TO_COMMIT
        } else {
            NO_ROOM
        };
        if error(world, version, request) == no_room {
            assert!(world.coordinator.memory_bytes() <= MEMORY_MAX_BYTES + SLACK_BYTES);
            return number;
        }
    }
    unreachable!("nothing was refused");
}

#[test]
fn member_ids_that_nobody_uses_make_way_for_others() {
    let mut world = world();
    for number in 0..10_000 {
        let error = join_error(&mut world, &format!("{number:0>1000}"));
        assert_eq!(error, ErrorCode::MemberIdRequired, "{number}");
        assert!(world.coordinator.memory_bytes() <= MEMORY_MAX_BYTES);
    }
    assert!(world.coordinator.counters().groups_made_way > 9_000);
    // Those that made way are gone from the log, too.
    world.check_replay();
    let newest = join(&format!("{:0>1000}", 9_999), 100);
    let Reply::JoinGroup(given) = reply(&mut world, 5, Request::JoinGroup(newest.clone())) else {
        unreachable!("it was asked for");
    };
    let member_id = given.member_id;
    let again = JoinGroupRequest {
        member_id,
        ..newest
    };
    let (ticket, _) = world.call("client", 5, Request::JoinGroup(again));
    assert!(
        world.is_waiting(ticket),
        "the other id of the group is waited for"
    );
}

#[test]
fn ids_given_out_in_one_group_are_bounded_in_bytes() {
    let mut world = world();
    let mut given = 0;
    while join_error(&mut world, "g") == ErrorCode::MemberIdRequired {
        given += 1;
    }
    assert!((100..10_000).contains(&given), "{given}");
    assert!(world.coordinator.memory_bytes() <= MEMORY_MAX_BYTES);
}

#[test]
fn made_up_groups_of_offsets_lock_out_nobody_but_their_maker() {
    let mut world = world();
    world.client_host = "/10.0.0.1";
    let made = fill(&mut world, |id| (9, commit(&id, 0, "")));
    assert!(made > 50, "{made}");
    let counted = world.coordinator.counters().memory_refusals;
    assert_eq!(counted, 1);
    // It cannot go on by another way either.
    assert_eq!(join_error(&mut world, "x"), NO_ROOM);
    let beat = heartbeat("x", "m", &["t"]);
    let beat = error(&mut world, 1, Request::ConsumerGroupHeartbeat(beat));
    assert_eq!(beat, NO_ROOM);
    // What it has goes on.
    assert_eq!(
        error(&mut world, 9, commit(&format!("{:0>100}", 0), 0, "")),
        ErrorCode::None
    );
    // Others do not notice.
    world.client_host = "/10.0.0.2";
    assert_eq!(join_error(&mut world, "y"), ErrorCode::MemberIdRequired);
    assert_eq!(error(&mut world, 9, commit("z", 0, "")), ErrorCode::None);
    let beat = heartbeat("x", "m", &["t"]);
    let beat = error(&mut world, 1, Request::ConsumerGroupHeartbeat(beat));
    assert_eq!(beat, ErrorCode::None);
}

/// Lets each of so many groups grow until that is refused for the first time.
fn grow(world: &mut World, groups: usize) {
    for partition in 0..24 {
        for number in 0..groups {
            let more = commit(&format!("{number:0>100}"), partition, &"x".repeat(4_000));
            if error(world, 9, more) == NO_ROOM_TO_COMMIT {
                return;
            }
        }
    }
    unreachable!("nothing was refused");
}

#[test]
fn made_up_groups_that_grow_lock_out_nobody_but_their_maker() {
    for is_restarted in [false, true] {
        let mut world = world();
        world.client_host = "/10.0.0.2";
        let consumer = |member: &str| {
            let beat = heartbeat("consumers", member, &["t"]);
            Request::ConsumerGroupHeartbeat(beat)
        };
        assert_eq!(error(&mut world, 1, consumer("m")), ErrorCode::None);
        world.client_host = "/10.0.0.1";
        let made = fill(&mut world, |id| (9, commit(&id, 0, "")));
        grow(&mut world, made);
        let taken = world.coordinator.memory_bytes();
        assert!(taken <= MEMORY_MAX_BYTES / 2 + 2 * SLACK_BYTES, "{taken}");
        if is_restarted {
            world.restart();
            // Its groups are nobody's, until it uses them again.
            grow(&mut world, made);
        }
        let large = commit(&format!("{:0>100}", 0), 23, &"x".repeat(4_000));
        assert_eq!(error(&mut world, 9, large), NO_ROOM_TO_COMMIT);
        // Others do not notice.
        world.client_host = "/10.0.0.2";
        assert_eq!(error(&mut world, 1, consumer("n")), ErrorCode::None);
        let metadata = "x".repeat(4_000);
        for partition in 0..10 {
            let error = error(&mut world, 9, commit("new", partition, &metadata));
            assert_eq!(error, ErrorCode::None);
        }
        assert_eq!(join_error(&mut world, "y"), ErrorCode::MemberIdRequired);
        world.check_replay();
    }
}

#[test]
fn groups_that_exist_grow_into_what_new_ones_do_not_get() {
    let mut world = world();
    assert_eq!(error(&mut world, 9, commit("old", 0, "")), ErrorCode::None);
    // Nearly all is taken, by this coordinator's neighbours.
    world.memory_elsewhere_bytes = MEMORY_MAX_BYTES / 10 * 9;
    assert_eq!(
        error(&mut world, 9, commit("new", 0, "")),
        NO_ROOM_TO_COMMIT
    );
    for partition in 1..20 {
        let error = error(&mut world, 9, commit("old", partition, &"x".repeat(1_000)));
        assert_eq!(error, ErrorCode::None, "{partition}");
    }
}

#[test]
fn without_any_room_what_does_not_grow_goes_on() {
    let mut world = world();
    assert_eq!(error(&mut world, 9, commit("g", 0, "xyz")), ErrorCode::None);
    let member = Request::ConsumerGroupHeartbeat(heartbeat("c", "m", &["t"]));
    assert_eq!(error(&mut world, 1, member), ErrorCode::None);
    world.memory_elsewhere_bytes = MEMORY_MAX_BYTES;
    assert_eq!(error(&mut world, 9, commit("g", 0, "abc")), ErrorCode::None);
    assert_eq!(
        error(&mut world, 9, commit("g", 0, "abcd")),
        NO_ROOM_TO_COMMIT
    );
    assert_eq!(error(&mut world, 9, commit("g", 1, "")), NO_ROOM_TO_COMMIT);
    let another = Request::ConsumerGroupHeartbeat(heartbeat("c", "n", &["t"]));
    assert_eq!(error(&mut world, 1, another), NO_ROOM);
    let more = ConsumerGroupHeartbeatRequest {
        member_epoch: 2,
        ..heartbeat("c", "m", &["t", "u"])
    };
    let more = Request::ConsumerGroupHeartbeat(more);
    assert_eq!(error(&mut world, 1, more), NO_ROOM);
    let beat = ConsumerGroupHeartbeatRequest {
        group_id: Str::from_static("c"),
        member_id: Str::from_static("m"),
        member_epoch: 2,
        rebalance_timeout_ms: -1,
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let beat = Request::ConsumerGroupHeartbeat(beat);
    assert_eq!(error(&mut world, 1, beat), ErrorCode::None);
    world.check_replay();
}

#[test]
fn a_log_that_takes_more_than_is_allowed_is_loaded_whole() {
    let mut world = world();
    world.config.memory_max_bytes = 100_000_000;
    world.coordinator.configure(Rc::new(world.config.clone()));
    for number in 0..2_000 {
        let error = error(&mut world, 9, commit(&format!("{number}"), 0, ""));
        assert_eq!(error, ErrorCode::None);
    }
    world.config.memory_max_bytes = MEMORY_MAX_BYTES;
    world.restart();
    assert_eq!(world.coordinator.census().offsets, 2_000);
    assert!(world.coordinator.memory_bytes() > MEMORY_MAX_BYTES);
    assert_eq!(
        error(&mut world, 9, commit("new", 0, "")),
        NO_ROOM_TO_COMMIT
    );
    assert_eq!(error(&mut world, 9, commit("7", 0, "")), ErrorCode::None);
    // Retention makes room again.
    world.now += Duration::from_secs(8 * 24 * 60 * 60);
    world.settle();
    assert_eq!(world.coordinator.memory_bytes(), 0);
    assert_eq!(error(&mut world, 9, commit("new", 0, "")), ErrorCode::None);
}

#[test]
fn members_of_classic_groups_are_counted_with_all_that_they_say() {
    let mut world = world();
    let mut joined = 0;
    let last = loop {
        // Before version 4 nobody needs an id first.
        let request = join(&format!("{joined}"), 10_000);
        match reply(&mut world, 3, Request::JoinGroup(request)) {
            Reply::JoinGroup(response) if response.error_code == NO_ROOM.code() => break joined,
            _ => joined += 1,
        }
    };
    assert!((10..60).contains(&last), "{last}");
    assert!(world.coordinator.memory_bytes() <= MEMORY_MAX_BYTES + SLACK_BYTES);
}

#[test]
fn assignments_are_refused_when_there_is_no_room_and_the_same_ones_are_not() {
    let mut world = world();
    let Reply::JoinGroup(joined) = reply(&mut world, 3, Request::JoinGroup(join("g", 10))) else {
        unreachable!("it was asked for");
    };
    let sync = |generation_id: i32, len: usize| {
        Request::SyncGroup(SyncGroupRequest {
            group_id: Str::from_static("g"),
            generation_id,
            member_id: joined.member_id.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: joined.member_id.clone(),
                assignment: Bytes::from(vec![7; len]),
            }],
            ..SyncGroupRequest::default()
        })
    };
    let again = |world: &mut World| {
        let again = JoinGroupRequest {
            member_id: joined.member_id.clone(),
            ..join("g", 10)
        };
        match reply(world, 3, Request::JoinGroup(again)) {
            Reply::JoinGroup(joined) => joined.generation_id,
            other => unreachable!("{other:?} was not asked for"),
        }
    };
    let first = sync(joined.generation_id, 5_000);
    assert_eq!(error(&mut world, 4, first), ErrorCode::None);
    world.memory_elsewhere_bytes = MEMORY_MAX_BYTES;
    let generation = again(&mut world);
    let larger = error(&mut world, 4, sync(generation, 6_000));
    assert_eq!(larger, ErrorCode::UnknownServerError);
    let generation = again(&mut world);
    let same = error(&mut world, 4, sync(generation, 5_000));
    assert_eq!(same, ErrorCode::None);
}

#[test]
fn a_target_assignment_without_room_leaves_members_what_they_have() {
    let mut world = world();
    world.create_topic("large", 1_000);
    world.memory_elsewhere_bytes = MEMORY_MAX_BYTES - 200_000;
    let beat = heartbeat("c", "m", &["large"]);
    let Reply::ConsumerGroupHeartbeat(joined) =
        reply(&mut world, 1, Request::ConsumerGroupHeartbeat(beat))
    else {
        unreachable!("it was asked for");
    };
    assert_eq!(joined.error_code, ErrorCode::None.code());
    let assigned = joined.assignment.map(|it| it.topic_partitions.len());
    assert_eq!(assigned, Some(0));
    assert_eq!(world.coordinator.counters().memory_refusals, 1);
    let another = Request::ConsumerGroupHeartbeat(heartbeat("c", "n", &["t"]));
    assert_eq!(error(&mut world, 1, another), NO_ROOM);
}

/// A group whose member `m` got nothing of a large topic for want of memory, which is free again since.
fn without_target() -> World {
    let mut world = world();
    world.create_topic("large", 1_000);
    world.memory_elsewhere_bytes = MEMORY_MAX_BYTES - 200_000;
    let beat = Request::ConsumerGroupHeartbeat(heartbeat("c", "m", &["large"]));
    assert_eq!(error(&mut world, 1, beat), ErrorCode::None);
    assert_eq!(world.coordinator.counters().memory_refusals, 1);
    world.memory_elsewhere_bytes = 0;
    world
}

#[test]
fn who_joins_after_a_while_tries_again_what_did_not_fit() {
    let mut world = without_target();
    let late = Request::ConsumerGroupHeartbeat(heartbeat("c", "n", &["t"]));
    assert_eq!(error(&mut world, 1, late.clone()), NO_ROOM);
    // The member is silent, and its session is not over yet.
    world.now += Duration::from_secs(20);
    world.settle();
    assert_eq!(error(&mut world, 1, late), ErrorCode::None);
    world.check_replay();
}

#[test]
fn a_group_that_is_empty_again_takes_members_whatever_did_not_fit_before() {
    for is_left in [true, false] {
        let mut world = without_target();
        if is_left {
            let leave = ConsumerGroupHeartbeatRequest {
                member_epoch: -1,
                ..heartbeat("c", "m", &[])
            };
            let leave = Request::ConsumerGroupHeartbeat(leave);
            assert_eq!(error(&mut world, 1, leave), ErrorCode::None);
        } else {
            world.now += Duration::from_secs(60);
            world.settle();
        }
        let beat = heartbeat("c", "n", &["large"]);
        let beat = Request::ConsumerGroupHeartbeat(beat);
        let Reply::ConsumerGroupHeartbeat(joined) = reply(&mut world, 1, beat) else {
            unreachable!("it was asked for");
        };
        assert_eq!(joined.error_code, ErrorCode::None.code(), "{joined:?}");
        let topics = joined.assignment.expect("it joins").topic_partitions;
        let assigned: usize = topics.iter().map(|it| it.partitions.len()).sum();
        assert_eq!(assigned, 1_000);
        world.check_replay();
    }
}

#[test]
fn partitions_of_a_member_that_leaves_go_to_the_others_however_full_it_is() {
    let mut world = world();
    let beat = |world: &mut World, member: &str, epoch: i32| {
        let beat = ConsumerGroupHeartbeatRequest {
            member_epoch: epoch,
            topic_partitions: (epoch == 0).then(Vec::new),
            ..heartbeat("c", member, &["t"])
        };
        match reply(world, 1, Request::ConsumerGroupHeartbeat(beat)) {
            Reply::ConsumerGroupHeartbeat(response) => {
                assert_eq!(response.error_code, 0, "{response:?}");
                response.member_epoch
            }
            other => unreachable!("{other:?} was not asked for"),
        }
    };
    let first = beat(&mut world, "m", 0);
    world.now += Duration::from_secs(2);
    beat(&mut world, "n", 0);
    let targets = |world: &mut World| {
        let describe = Request::ConsumerGroupDescribe(Str::from_static("c"));
        let Reply::ConsumerGroupDescribe(group) = reply(world, 1, describe) else {
            unreachable!("it was asked for");
        };
        let members = group.members.iter().map(|member| {
            let topics = member.target_assignment.topic_partitions.iter();
            topics.map(|topic| topic.partitions.len()).sum::<usize>()
        });
        members.collect::<Vec<_>>()
    };
    assert_eq!(targets(&mut world), [12, 12]);
    // Far more than is allowed is taken, by partitions that have come from elsewhere.
    let before = world.coordinator.memory_bytes();
    world.memory_elsewhere_bytes = 2 * MEMORY_MAX_BYTES;
    beat(&mut world, "n", -1);
    world.now += Duration::from_secs(2);
    beat(&mut world, "m", first);
    assert_eq!(targets(&mut world), [24]);
    assert!(world.coordinator.memory_bytes() <= before);
    assert_eq!(world.coordinator.counters().memory_refusals, 0);
    world.check_replay();
}

#[test]
fn members_that_the_log_brought_back_join_as_before_however_full_it_is() {
    let mut world = world();
    let first = join_with_both(&Str::default(), 1_000);
    let Reply::JoinGroup(joined) = reply(&mut world, 3, first) else {
        unreachable!("it was asked for");
    };
    let member_id = joined.member_id;
    let synced = error(&mut world, 4, sync(&member_id, joined.generation_id));
    assert_eq!(synced, ErrorCode::None);
    world.restart();
    world.memory_elsewhere_bytes = MEMORY_MAX_BYTES;
    let large = error(&mut world, 3, join_with_both(&member_id, 3_000));
    assert_eq!(large, NO_ROOM);
    let same = error(&mut world, 3, join_with_both(&member_id, 1_000));
    assert_eq!(same, ErrorCode::None);
    // From then on all of it is known.
    let more = error(&mut world, 3, join_with_both(&member_id, 2_000));
    assert_eq!(more, NO_ROOM);
}

#[test]
fn members_that_are_gone_take_no_memory() {
    let mut world = World::new(GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        ..GroupConfig::default()
    });
    // One lives on in each group, so that the groups do.
    let lives = |world: &mut World| {
        let beat = heartbeat("consumers", "alive", &["t"]);
        let beat = error(world, 1, Request::ConsumerGroupHeartbeat(beat));
        assert_eq!(beat, ErrorCode::None);
    };
    let mut after_rounds = Vec::new();
    for round in 0..5 {
        lives(&mut world);
        for number in 0..50 {
            let beat = heartbeat("consumers", &format!("{round} {number}"), &["t"]);
            let beat = error(&mut world, 1, Request::ConsumerGroupHeartbeat(beat));
            assert_eq!(beat, ErrorCode::None);
            world.call("dies", 3, Request::JoinGroup(join("classic", 1_000)));
            assert_eq!(
                join_error(&mut world, "pending"),
                ErrorCode::MemberIdRequired
            );
        }
        // All sessions end, those of ids that were given out last.
        for _ in 0..200 {
            world.now += Duration::from_secs(20);
            lives(&mut world);
            world.settle();
        }
        after_rounds.push(world.coordinator.memory_bytes());
    }
    assert_eq!(
        after_rounds[1..],
        vec![after_rounds[1]; 4],
        "{after_rounds:?}"
    );
    world.check_replay();
}
