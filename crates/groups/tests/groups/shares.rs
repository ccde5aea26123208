//! Whose a group is that the log brought back: who has something written about it first, and nobody before.

use groups::Request;
use protocol::Str;
use protocol::messages::OffsetCommitRequest;
use types::ErrorCode;

use crate::memory::{
    MEMORY_MAX_BYTES, NO_ROOM, SLACK_BYTES, commit, error, heartbeat, join_error, world,
};
use crate::world::World;

/// Groups of two addresses, together more than half of what there is, after a restart: they are nobody's.
fn loaded_groups() -> (World, Vec<String>) {
    let mut world = world();
    let mut groups = Vec::new();
    for host in ["/10.0.0.1", "/10.0.0.2"] {
        world.client_host = host;
        for number in 0..5 {
            let id = format!("{host} {number}");
            for partition in 0..10 {
                let more = commit(&id, partition, &"x".repeat(4_000));
                assert_eq!(error(&mut world, 9, more), ErrorCode::None);
            }
            groups.push(id);
        }
    }
    let taken = world.coordinator.memory_bytes();
    let more_than_half = MEMORY_MAX_BYTES / 100 * 55;
    let range = MEMORY_MAX_BYTES / 100 * 45..more_than_half;
    assert!(range.contains(&taken), "{taken}");
    world.memory_elsewhere_bytes = more_than_half - taken;
    world.restart();
    (world, groups)
}

#[test]
fn a_stranger_who_is_refused_makes_no_group_its_own() {
    let (mut world, groups) = loaded_groups();
    world.client_host = "/10.0.0.9";
    for id in &groups {
        let Request::OffsetCommit(request) = commit(id, 20, "") else {
            unreachable!("it was just made");
        };
        let stranger = OffsetCommitRequest {
            generation_id_or_member_epoch: 3,
            member_id: Str::from_static("stranger"),
            ..request
        };
        let refused = error(&mut world, 9, Request::OffsetCommit(stranger));
        assert_eq!(refused, ErrorCode::UnknownMemberId);
        // It is given an id, as long as it may have more, and does not come back with it.
        join_error(&mut world, id);
    }
    for id in &groups {
        let (host, _) = id.split_once(' ').expect("it begins with its maker");
        world.client_host = if host == "/10.0.0.1" {
            "/10.0.0.1"
        } else {
            "/10.0.0.2"
        };
        let more = error(&mut world, 9, commit(id, 20, ""));
        assert_eq!(more, ErrorCode::None, "{id}");
        assert_eq!(join_error(&mut world, id), ErrorCode::MemberIdRequired);
        let beat = Request::ConsumerGroupHeartbeat(heartbeat("consumers", host, &["t"]));
        assert_eq!(error(&mut world, 1, beat), ErrorCode::None);
    }
    world.check_replay();
}

#[test]
fn ids_given_out_in_groups_that_are_nobodys_are_of_who_asks_for_them() {
    let (mut world, groups) = loaded_groups();
    world.client_host = "/10.0.0.9";
    let before = world.coordinator.memory_bytes();
    // In turns, until each group refuses.
    let mut refused = 0;
    for round in 0..100_000 {
        let error = join_error(&mut world, &groups[round % groups.len()]);
        refused = if error == NO_ROOM { refused + 1 } else { 0 };
        if refused == groups.len() {
            break;
        }
    }
    assert_eq!(refused, groups.len(), "nothing was refused");
    let room = MEMORY_MAX_BYTES - world.memory_elsewhere_bytes - before;
    let taken = world.coordinator.memory_bytes() - before;
    assert!(taken <= room / 2 + SLACK_BYTES, "{taken} of {room}");
    for id in &groups {
        world.client_host = "/10.0.0.1";
        let more = error(&mut world, 9, commit(id, 20, ""));
        assert_eq!(more, ErrorCode::None, "{id}");
    }
}
