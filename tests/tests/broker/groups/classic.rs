//! Classic groups: members come, take part, leave and vanish.

use std::time::{Duration, Instant};

use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::{JoinGroupRequest, LeaveGroupRequest};
use tests::{Broker, Wire, error_of, temporary_directory};
use types::ErrorCode;

use super::{
    JOIN, coordinator, heartbeat, join, join_request, launch, single_member, sync, sync_request,
    until,
};

#[test]
fn two_members_share_a_generation_and_the_leader_assigns() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    // On two shards there are groups of both.
    for group in ["a", "b", "c", "d"] {
        share(&broker, group);
    }
    assert_eq!(broker.stop().code(), 0);
}

fn share(broker: &Broker, group: &str) {
    let mut first = coordinator(broker, group);
    let mut second = broker.wire();
    let alone = single_member(&mut first, group);
    assert_eq!(alone.generation_id, 1, "{alone:?}");
    // The second waits until the first has joined again, which it learns from its heartbeat.
    let named = second.call(JOIN, &join_request(group, "", 30_000));
    assert_eq!(
        error_of(named.error_code),
        ErrorCode::MemberIdRequired,
        "{named:?}"
    );
    let waiting = second.send_request(JOIN, &join_request(group, &named.member_id, 30_000));
    until("the heartbeat says so", || {
        let code = heartbeat(&mut first, group, &alone.member_id, 1);
        code == ErrorCode::RebalanceInProgress
    });
    let leading = join(&mut first, group, &alone.member_id);
    let following = second.receive::<JoinGroupRequest>(JOIN, waiting);
    assert_eq!((leading.generation_id, following.generation_id), (2, 2));
    assert_eq!(leading.leader, following.leader);
    assert_eq!(leading.members.len() + following.members.len(), 2);
    let (leads, follows) = if leading.leader == leading.member_id {
        ((&mut first, &leading), (&mut second, &following))
    } else {
        ((&mut second, &following), (&mut first, &leading))
    };
    let waiting = follows
        .0
        .send_request(super::SYNC, &sync_request(follows.1, group));
    let own = sync(leads.0, group, leads.1);
    assert_eq!(own.assignment, leads.1.member_id.as_bytes());
    let other = follows
        .0
        .receive::<protocol::messages::SyncGroupRequest>(super::SYNC, waiting);
    assert_eq!(other.assignment, follows.1.member_id.as_bytes());
}

#[test]
fn a_member_that_vanishes_is_given_up_after_its_session() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    let mut wire = coordinator(&broker, "g");
    let named = wire.call(JOIN, &join_request("g", "", 500));
    let joined = wire.call(JOIN, &join_request("g", &named.member_id, 500));
    let synced = sync(&mut wire, "g", &joined);
    assert_eq!(synced.error_code, 0, "{synced:?}");
    let began = Instant::now();
    // A second member need not wait for longer than what is left of the first one's session.
    let second = join(&mut broker.wire(), "g", "");
    assert_eq!(second.error_code, 0, "{second:?}");
    assert_eq!(second.members.len(), 1, "{second:?}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    let late = heartbeat(&mut wire, "g", &joined.member_id, joined.generation_id);
    assert_eq!(late, ErrorCode::UnknownMemberId);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_member_that_leaves_makes_room_at_once() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    let mut wire = coordinator(&broker, "g");
    let joined = single_member(&mut wire, "g");
    assert_eq!(leave(&mut wire, &joined.member_id), ErrorCode::None);
    let code = heartbeat(&mut wire, "g", &joined.member_id, joined.generation_id);
    assert_eq!(code, ErrorCode::UnknownMemberId);
    let next = single_member(&mut wire, "g");
    assert!(next.generation_id > joined.generation_id, "{next:?}");
    assert_eq!(broker.stop().code(), 0);
}

fn leave(wire: &mut Wire, member: &str) -> ErrorCode {
    let request = LeaveGroupRequest {
        group_id: "g".into(),
        members: vec![MemberIdentity {
            member_id: member.into(),
            ..MemberIdentity::default()
        }],
        ..LeaveGroupRequest::default()
    };
    let response = wire.call(5, &request);
    assert_eq!(response.error_code, 0, "{response:?}");
    error_of(response.members[0].error_code)
}

#[test]
fn a_shutdown_does_not_wait_for_a_rebalance() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    let mut first = coordinator(&broker, "g");
    single_member(&mut first, "g");
    let mut second = broker.wire();
    let named = second.call(JOIN, &join_request("g", "", 30_000));
    let waiting = second.send_request(JOIN, &join_request("g", &named.member_id, 30_000));
    let began = Instant::now();
    assert_eq!(broker.stop().code(), 0);
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    let refused = second.receive::<JoinGroupRequest>(JOIN, waiting);
    assert_eq!(error_of(refused.error_code), ErrorCode::NotCoordinator);
}
