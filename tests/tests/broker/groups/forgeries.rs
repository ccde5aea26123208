//! What no client sends: metadata without end, crowds of members, assignments and claims that are made up.

use bytes::{BufMut as _, Bytes, BytesMut};
use protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, DescribeGroupsRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use tests::{Broker, Wire, create_topic, error_of, temporary_directory};
use types::{ErrorCode, Uuid};

use super::{
    LONG_MS, SYNC, commit, committed, coordinator, heartbeat, join, join_request, launch,
    single_member, sync_request, until,
};

/// The version of JoinGroup in which a member needs no id first.
const JOIN_AT_ONCE: i16 = 3;

/// The version of LeaveGroup in which a member leaves alone.
const LEAVE_ALONE: i16 = 2;

/// The version of the heartbeats of consumer groups.
const CONSUMER: i16 = 1;

/// Members that want to join one group.
const CROWD: usize = 30_000;

/// Requests that are sent before their answers are read.
const PIPELINED: usize = 100;

/// Memory that a broker never needs here, whatever it is sent: its budget for requests is 128 MiB.
const MEMORY_MAX_BYTES: u64 = 400 << 20;

/// An OffsetCommit of version 8 with metadata of this length, without its size.
fn commit_with_metadata(len: u32) -> Bytes {
    let mut frame = BytesMut::with_capacity(usize::try_from(len).expect("it fits") + 128);
    let string = |frame: &mut BytesMut, text: &str| {
        frame.put_u8(u8::try_from(text.len() + 1).expect("short"));
        frame.put_slice(text.as_bytes());
    };
    // Header: key, version, correlation id, no client id, no tags.
    frame.put_i16(8);
    frame.put_i16(8);
    frame.put_i32(0);
    frame.put_i16(-1);
    frame.put_u8(0);
    string(&mut frame, "g");
    frame.put_i32(-1);
    string(&mut frame, "");
    frame.put_u8(0);
    // One topic with one partition.
    frame.put_u8(2);
    string(&mut frame, "t");
    frame.put_u8(2);
    frame.put_i32(0);
    frame.put_i64(5);
    frame.put_i32(-1);
    let mut rest = len + 1;
    while rest >= 0x80 {
        frame.put_u8(u8::try_from(rest & 0x7f).expect("7 bits") | 0x80);
        rest >>= 7;
    }
    frame.put_u8(u8::try_from(rest).expect("7 bits"));
    frame.put_bytes(b'm', usize::try_from(len).expect("it fits"));
    // Tags of the partition, the topic and the request.
    frame.put_bytes(0, 3);
    frame.freeze()
}

/// The member of another group goes on as if nothing had happened.
fn expect_unharmed(bystander: &mut Wire, joined: &JoinGroupResponse) {
    let code = heartbeat(bystander, "other", &joined.member_id, joined.generation_id);
    assert_eq!(code, ErrorCode::None);
}

#[test]
fn metadata_of_100_megabytes_ends_its_connection_alone() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 1, &[]);
    drop(coordinator(&broker, "g"));
    let mut bystander = coordinator(&broker, "other");
    let joined = single_member(&mut bystander, "other");
    // What the frame is made of is right: a short one is taken.
    let mut wire = broker.wire();
    wire.send_frame(&commit_with_metadata(4));
    assert!(wire.frame().is_some());
    assert_eq!(committed(&mut bystander, "g", "t", 1), [5]);
    for _ in 0..3 {
        let mut wire = broker.wire();
        let frame = commit_with_metadata(100_000_000);
        let size = i32::try_from(frame.len()).expect("below the limit");
        wire.offer(&size.to_be_bytes());
        wire.offer(&frame);
        // No string of the protocol is longer than 32,767 bytes; Kafka ends the connection as well.
        wire.expect_closed();
    }
    assert_eq!(commit(&mut bystander, "g", "t", &[6]), [ErrorCode::None]);
    expect_unharmed(&mut bystander, &joined);
    let peak = broker.memory_peak_bytes();
    assert!(peak < MEMORY_MAX_BYTES, "{peak} bytes");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn the_empty_group_takes_commits_and_no_members() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    create_topic(&broker, "t", 1, &[]);
    let mut wire = broker.wire();
    until("the coordinator is there", || {
        commit(&mut wire, "", "t", &[5]) == [ErrorCode::None]
    });
    assert_eq!(committed(&mut wire, "", "t", 1), [5]);
    let joined = join(&mut wire, "", "");
    assert_eq!(error_of(joined.error_code), ErrorCode::InvalidGroupId);
    let request = consumer_heartbeat("", "AAAAAAAAAAAAAAAAAAAAAA", 0);
    let refused = wire.call(CONSUMER, &request);
    assert_eq!(error_of(refused.error_code), ErrorCode::InvalidRequest);
    assert_eq!(broker.stop().code(), 0);
}

fn members_of(wire: &mut Wire, group: &str) -> usize {
    let describe = DescribeGroupsRequest {
        groups: vec![group.into()],
        include_authorized_operations: false,
    };
    wire.call(5, &describe).groups[0].members.len()
}

#[test]
fn a_crowd_in_one_group_finds_no_room_and_harms_nobody_else() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("offsets.topic.num.partitions", "1")
        .with("group.max.size", "100")
        .with("group.consumer.max.size", "100")
        // Nobody is given up meanwhile, on however slow a machine.
        .with("group.consumer.max.session.timeout.ms", "1800000")
        .with("group.consumer.session.timeout.ms", "1800000")
        .start();
    create_topic(&broker, "t", 1, &[]);
    let mut bystander = coordinator(&broker, "other");
    let joined = single_member(&mut bystander, "other");
    let mut wire = broker.wire();
    let mut taken = 0;
    for first in (0..CROWD).step_by(PIPELINED) {
        let sent: Vec<i32> = (first..first + PIPELINED)
            .map(|number| {
                let request = consumer_heartbeat("consumers", &format!("member-{number}"), 0);
                wire.send_request(CONSUMER, &request)
            })
            .collect();
        for id in sent {
            let response = wire.receive::<ConsumerGroupHeartbeatRequest>(CONSUMER, id);
            match error_of(response.error_code) {
                ErrorCode::None => taken += 1,
                code => assert_eq!(code, ErrorCode::GroupMaxSizeReached, "{response:?}"),
            }
        }
        expect_unharmed(&mut bystander, &joined);
    }
    assert_eq!(taken, 100);
    // Of classic members the first leads; those that wait for it to join again, or to leave, keep their connections.
    let mut leader = broker.wire();
    let first = leader.call(JOIN_AT_ONCE, &join_request("classics", "", LONG_MS));
    assert_eq!(first.error_code, 0, "{first:?}");
    let mut crowd: Vec<(Wire, i32)> = (0..200)
        .map(|_| {
            let mut wire = broker.wire();
            let request = join_request("classics", "", LONG_MS);
            let sent = wire.send_request(JOIN_AT_ONCE, &request);
            (wire, sent)
        })
        .collect();
    until("as many have come as there is room for", || {
        members_of(&mut wire, "classics") > 100
    });
    let leave = LeaveGroupRequest {
        group_id: "classics".into(),
        member_id: first.member_id,
        ..LeaveGroupRequest::default()
    };
    assert_eq!(leader.call(LEAVE_ALONE, &leave).error_code, 0);
    let mut refused = 0;
    for (wire, sent) in &mut crowd {
        let response = wire.receive::<JoinGroupRequest>(JOIN_AT_ONCE, *sent);
        match error_of(response.error_code) {
            ErrorCode::GroupMaxSizeReached => refused += 1,
            code => assert_eq!(code, ErrorCode::None, "{response:?}"),
        }
    }
    // Kafka's rule counts who waits for the rebalance: a hundred do beside the leader.
    assert_eq!(refused, 100);
    expect_unharmed(&mut bystander, &joined);
    let peak = broker.memory_peak_bytes();
    assert!(peak < MEMORY_MAX_BYTES, "{peak} bytes");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_leader_that_makes_members_up_assigns_to_those_that_there_are() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    let mut wire = coordinator(&broker, "g");
    let joined = join(&mut wire, "g", "");
    let made_up = (0..1_000).map(|number| SyncGroupRequestAssignment {
        member_id: format!("nobody-{number}").as_str().into(),
        assignment: Bytes::from_static(&[0xff; 64]),
    });
    let mut request = sync_request(&joined, "g");
    request.assignments.extend(made_up);
    request.assignments[0].assignment = Bytes::from_static(b"no assignment of any protocol");
    let synced = wire.call(SYNC, &request);
    assert_eq!(synced.error_code, 0, "{synced:?}");
    assert_eq!(synced.assignment, request.assignments[0].assignment);
    // One that is no leader, or of no generation, assigns nothing.
    let foreign = SyncGroupRequest {
        generation_id: joined.generation_id + 1,
        ..request.clone()
    };
    let refused = wire.call(SYNC, &foreign);
    assert_eq!(error_of(refused.error_code), ErrorCode::IllegalGeneration);
    let code = heartbeat(&mut wire, "g", &joined.member_id, joined.generation_id);
    assert_eq!(code, ErrorCode::None);
    assert_eq!(broker.stop().code(), 0);
}

fn consumer_heartbeat(group: &str, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    let joins = epoch == 0;
    ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: member.into(),
        member_epoch: epoch,
        rebalance_timeout_ms: if joins { 60_000 } else { -1 },
        subscribed_topic_names: joins.then(|| vec!["t".into()]),
        topic_partitions: joins.then(Vec::new),
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn partitions_of(response: &ConsumerGroupHeartbeatResponse) -> Vec<i32> {
    let topics = response
        .assignment
        .iter()
        .flat_map(|it| &it.topic_partitions);
    topics.flat_map(|topic| topic.partitions.clone()).collect()
}

fn topic_id(broker: &Broker) -> Uuid {
    broker.client().describe_topic("t").expect("it is there").id
}

#[test]
fn partitions_that_a_consumer_only_claims_stay_with_their_owner() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("group.consumer.assignment.interval.ms", "0")
        .start();
    create_topic(&broker, "t", 4, &[]);
    let owned = |topic_id, partitions: &[i32]| TopicPartitions {
        topic_id,
        partitions: partitions.to_vec(),
    };
    let id = topic_id(&broker);
    let mut wire = coordinator(&broker, "g");
    let first = wire.call(CONSUMER, &consumer_heartbeat("g", "owner", 0));
    assert_eq!(partitions_of(&first), [0, 1, 2, 3], "{first:?}");
    let mut joining = consumer_heartbeat("g", "liar", 0);
    joining.topic_partitions = Some(vec![owned(id, &[0, 1, 2, 3])]);
    let refused = wire.call(CONSUMER, &joining);
    assert_eq!(error_of(refused.error_code), ErrorCode::InvalidRequest);
    let second = wire.call(CONSUMER, &consumer_heartbeat("g", "liar", 0));
    assert_eq!(second.error_code, 0, "{second:?}");
    assert_eq!(partitions_of(&second), [0; 0], "{second:?}");
    let claims = [
        vec![owned(id, &[0, 1, 2, 3])],
        vec![owned(id, &[-1, 4, i32::MAX, i32::MIN])],
        vec![owned(Uuid([9; 16]), &[0]), owned(Uuid::ZERO, &[0])],
        vec![owned(id, &[0; 10_000])],
        (0..10_000).map(|_| owned(id, &[0, 1])).collect(),
    ];
    for claim in claims {
        let mut request = consumer_heartbeat("g", "liar", second.member_epoch);
        request.topic_partitions = Some(claim);
        let response = wire.call(CONSUMER, &request);
        assert_eq!(partitions_of(&response), [0; 0], "{response:?}");
    }
    // The owner gives two of them away when it hears of it, and keeps the others.
    let told = wire.call(
        CONSUMER,
        &consumer_heartbeat("g", "owner", first.member_epoch),
    );
    assert_eq!(partitions_of(&told).len(), 2, "{told:?}");
    assert_eq!(broker.stop().code(), 0);
}
