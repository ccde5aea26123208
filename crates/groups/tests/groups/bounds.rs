//! What clients can make grow has a bound, and bad input gets Kafka's error code.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use groups::{GroupConfig, Reply, Request};
use protocol::Str;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest,
};
use types::ErrorCode;

use crate::world::World;

/// Far more than any group has.
const CLIENTS: usize = 100_000;

fn join(group_id: &str, member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: Str::from(group_id),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: Str::from(member_id),
        protocol_type: Str::from_static("consumer"),
        protocols: vec![JoinGroupRequestProtocol {
            name: Str::from_static("range"),
            metadata: Bytes::from_static(b"subscription"),
        }],
        ..JoinGroupRequest::default()
    }
}

fn commit(group_id: &str, metadata: &str) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: Str::from(group_id),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from_static("t"),
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 0,
                committed_offset: 1,
                committed_metadata: Some(Str::from(metadata)),
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

/// The error of the reply that comes at once, if one comes.
fn ask(world: &mut World, version: i16, request: Request) -> Option<ErrorCode> {
    let (ticket, replies) = world.call("client", version, request);
    let reply = replies
        .into_iter()
        .find(|(answered, _)| *answered == ticket);
    let code = match reply?.1 {
        Reply::JoinGroup(response) => response.error_code,
        Reply::SyncGroup(response) => response.error_code,
        Reply::Heartbeat(response) => response.error_code,
        Reply::LeaveGroup(response) => response.error_code,
        Reply::OffsetCommit(response) => response.topics[0].partitions[0].error_code,
        Reply::OffsetDelete(response) => response.error_code,
        other => unreachable!("nobody asked for {other:?}"),
    };
    ErrorCode::from_code(code)
}

#[test]
fn a_hundred_thousand_members_find_no_room() {
    let mut world = World::new(GroupConfig::default());
    let mut refused = 0;
    for _ in 0..CLIENTS {
        let error = ask(&mut world, 3, Request::JoinGroup(join("g", "")));
        assert!(
            matches!(error, None | Some(ErrorCode::GroupMaxSizeReached)),
            "{error:?}"
        );
        refused += usize::from(error.is_some());
    }
    assert!(refused >= CLIENTS - 10_000, "{refused}");
    // Another group is unharmed.
    assert_eq!(ask(&mut world, 3, Request::JoinGroup(join("h", ""))), None);
    world.now += Duration::from_secs(3);
    assert!(!world.settle().is_empty());
}

#[test]
fn ids_that_are_given_out_and_not_used_are_bounded_and_forgotten() {
    let mut world = World::new(GroupConfig::default());
    let mut given = 0;
    for _ in 0..CLIENTS {
        let error = ask(&mut world, 9, Request::JoinGroup(join("g", "")));
        given += usize::from(error == Some(ErrorCode::MemberIdRequired));
    }
    assert!(given <= 10_000, "{given}");
    world.now += Duration::from_secs(10);
    world.settle();
    let error = ask(&mut world, 9, Request::JoinGroup(join("g", "")));
    assert_eq!(error, Some(ErrorCode::MemberIdRequired));
}

#[test]
fn an_enormous_metadata_string_is_refused() {
    let mut world = World::new(GroupConfig::default());
    let enormous = "ä".repeat(50_000_000);
    let error = ask(&mut world, 9, Request::OffsetCommit(commit("g", &enormous)));
    assert_eq!(error, Some(ErrorCode::OffsetMetadataTooLarge));
    assert_eq!(world.coordinator.group_ids().count(), 0);
}

#[test]
fn enormous_subscriptions_are_refused() {
    let mut world = World::new(GroupConfig::default());
    let mut enormous = join("g", "");
    enormous.protocols[0].metadata = Bytes::from(vec![0; 100_000_000]);
    let error = ask(&mut world, 3, Request::JoinGroup(enormous));
    assert_eq!(error, Some(ErrorCode::GroupMaxSizeReached));
    // Many members with large ones come to the same.
    let mut large = join("g", "");
    large.protocols[0].metadata = Bytes::from(vec![0; 1_000_000]);
    let errors: Vec<_> = (0..20)
        .map(|_| ask(&mut world, 3, Request::JoinGroup(large.clone())))
        .collect();
    assert_eq!(errors[0], None);
    assert_eq!(errors[19], Some(ErrorCode::GroupMaxSizeReached));
}

#[test]
fn assignments_that_do_not_fit_a_batch_are_not_taken() {
    let config = GroupConfig {
        initial_rebalance_delay: Duration::ZERO,
        ..GroupConfig::default()
    };
    let mut world = World::new(config);
    let (_, mut replies) = world.call("a", 3, Request::JoinGroup(join("g", "")));
    replies.extend(world.settle());
    let Some((_, Reply::JoinGroup(joined))) = replies.pop() else {
        unreachable!("the only member joins at once");
    };
    let sync = |len: usize| {
        Request::SyncGroup(SyncGroupRequest {
            group_id: Str::from_static("g"),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            protocol_type: joined.protocol_type.clone(),
            protocol_name: joined.protocol_name.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: joined.member_id.clone(),
                assignment: Bytes::from(vec![7; len]),
            }],
            ..SyncGroupRequest::default()
        })
    };
    let error = ask(&mut world, 5, sync(2_000_000));
    assert_eq!(error, Some(ErrorCode::UnknownServerError));
    // The members are to join again, and may do better.
    assert_eq!(
        ask(&mut world, 5, sync(7)),
        Some(ErrorCode::RebalanceInProgress)
    );
    let again = join("g", &joined.member_id);
    assert_eq!(
        ask(&mut world, 3, Request::JoinGroup(again)),
        Some(ErrorCode::None)
    );
    world.check_replay();
}

#[test]
fn enormous_ids_are_no_harm() {
    let mut world = World::new(GroupConfig::default());
    let long = "x".repeat(32_767);
    let (_, replies) = world.call(&long, 9, Request::JoinGroup(join(&long, "")));
    let [(_, Reply::JoinGroup(response))] = &*replies else {
        unreachable!("a member id is given out at once");
    };
    assert!(response.member_id.len() < 2_000);
    let error = ask(&mut world, 9, Request::OffsetCommit(commit(&long, "")));
    assert_eq!(error, Some(ErrorCode::None));
    world.check_replay();
}

#[test]
fn empty_group_ids_are_refused_where_kafka_refuses_them() {
    let mut world = World::new(GroupConfig::default());
    let requests = [
        Request::JoinGroup(join("", "")),
        Request::SyncGroup(SyncGroupRequest::default()),
        Request::Heartbeat(HeartbeatRequest::default()),
        Request::LeaveGroup(LeaveGroupRequest::default()),
        Request::OffsetDelete(OffsetDeleteRequest::default()),
    ];
    for request in requests {
        assert_eq!(ask(&mut world, 0, request), Some(ErrorCode::InvalidGroupId));
    }
    // Old clients that assign partitions by hand use it.
    let error = ask(&mut world, 2, Request::OffsetCommit(commit("", "")));
    assert_eq!(error, Some(ErrorCode::None));
}

#[test]
fn sessions_outside_of_the_configured_range_are_refused() {
    let mut world = World::new(GroupConfig::default());
    for session_timeout_ms in [-1, 0, 5_999, 1_800_001, i32::MAX] {
        let request = JoinGroupRequest {
            session_timeout_ms,
            ..join("g", "")
        };
        let error = ask(&mut world, 9, Request::JoinGroup(request));
        assert_eq!(
            error,
            Some(ErrorCode::InvalidSessionTimeout),
            "{session_timeout_ms}"
        );
    }
}

#[test]
fn nothing_of_a_frame_is_kept() {
    let mut world = World::new(GroupConfig::default());
    let mut frame = BytesMut::new();
    frame.put_slice(b"gclientconsumerrangesubscription");
    let frame = frame.freeze();
    let text =
        |range: std::ops::Range<usize>| Str::from_utf8(frame.slice(range)).expect("it is ASCII");
    let joining = JoinGroupRequest {
        group_id: text(0..1),
        group_instance_id: Some(text(1..7)),
        protocol_type: text(7..15),
        protocols: vec![JoinGroupRequestProtocol {
            name: text(15..20),
            metadata: frame.slice(20..),
        }],
        ..join("g", "")
    };
    world.call("client", 9, Request::JoinGroup(joining));
    let mut committing = commit("h", "");
    committing.group_id = text(1..7);
    committing.topics[0].partitions[0].committed_metadata = Some(text(20..32));
    world.call("client", 9, Request::OffsetCommit(committing));
    world.now += Duration::from_secs(10);
    world.settle();
    world.written.clear();
    assert_eq!(world.coordinator.group_ids().count(), 2);
    assert!(frame.is_unique());
}

#[test]
fn a_group_that_is_too_large_for_a_new_limit_shrinks() {
    let config = GroupConfig {
        initial_rebalance_delay: Duration::from_secs(1),
        ..GroupConfig::default()
    };
    let mut world = World::new(config);
    for _ in 0..3 {
        ask(&mut world, 3, Request::JoinGroup(join("g", "")));
    }
    let mut replies = Vec::new();
    while replies.is_empty() {
        world.now += Duration::from_secs(1);
        replies = world.settle();
    }
    let leader = replies.iter().find_map(|(_, reply)| match reply {
        Reply::JoinGroup(joined) if !joined.members.is_empty() => Some(joined.clone()),
        _ => None,
    });
    let leader = leader.expect("somebody leads");
    let sync = Request::SyncGroup(SyncGroupRequest {
        group_id: Str::from_static("g"),
        generation_id: leader.generation_id,
        member_id: leader.member_id.clone(),
        protocol_type: leader.protocol_type.clone(),
        protocol_name: leader.protocol_name.clone(),
        ..SyncGroupRequest::default()
    });
    assert_eq!(ask(&mut world, 5, sync), Some(ErrorCode::None));
    world.config.classic_members_max = 2;
    world.restart();
    let census = world.coordinator.census();
    assert_eq!(census.classic["PreparingRebalance"], 1);
    let ids: Vec<Str> = leader
        .members
        .into_iter()
        .map(|member| member.member_id)
        .collect();
    let again = |world: &mut World, id: &str| ask(world, 3, Request::JoinGroup(join("g", id)));
    assert_eq!(again(&mut world, &ids[0]), None);
    assert_eq!(again(&mut world, &ids[1]), None);
    assert_eq!(
        again(&mut world, &ids[2]),
        Some(ErrorCode::GroupMaxSizeReached)
    );
    assert_eq!(world.coordinator.census().classic["CompletingRebalance"], 1);
}

#[test]
fn a_sync_that_does_not_name_its_protocol_is_refused_before_its_group_is_looked_for() {
    let mut world = World::new(GroupConfig::default());
    let named = SyncGroupRequest {
        group_id: Str::from_static("nobody"),
        protocol_type: Some(Str::from_static("consumer")),
        protocol_name: Some(Str::from_static("range")),
        ..SyncGroupRequest::default()
    };
    let without_type = SyncGroupRequest {
        protocol_type: None,
        ..named.clone()
    };
    let without_name = SyncGroupRequest {
        protocol_name: None,
        ..named.clone()
    };
    let mut sync = |version, request: &SyncGroupRequest| {
        ask(&mut world, version, Request::SyncGroup(request.clone()))
    };
    for unnamed in [&without_type, &without_name, &SyncGroupRequest::default()] {
        assert_eq!(sync(5, unnamed), Some(ErrorCode::InconsistentGroupProtocol));
    }
    assert_eq!(sync(5, &named), Some(ErrorCode::UnknownMemberId));
    // Older versions cannot name it.
    assert_eq!(sync(4, &without_name), Some(ErrorCode::UnknownMemberId));
}

#[test]
fn offsets_are_deleted_and_answered_once_however_often_they_are_named() {
    let mut world = World::new(GroupConfig::default());
    ask(&mut world, 2, Request::OffsetCommit(commit("g", "")));
    let name = Str::from_static("t");
    let topic = OffsetDeleteRequestTopic {
        name,
        partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }; 3],
    };
    let request = OffsetDeleteRequest {
        group_id: Str::from_static("g"),
        topics: vec![topic; 4],
    };
    world.written.clear();
    let (_, replies) = world.call("client", 0, Request::OffsetDelete(request));
    let [(_, Reply::OffsetDelete(deleted))] = &*replies else {
        unreachable!("{replies:?}");
    };
    let partitions = deleted.topics.iter().map(|topic| topic.partitions.len());
    assert_eq!(partitions.collect::<Vec<_>>(), [1]);
    assert_eq!(world.written.len(), 1);
}
