//! Group coordinators of the real broker: what members, committers and administrators are answered, across kills and
//! under bad input.

mod bad_input;
mod batches;
mod classic;
mod crossing;
mod damage;
mod forge;
mod forgeries;
mod keys;
mod memory;
mod moves;
mod offsets;
mod restarts;
mod retention;
mod topic;
pub(crate) mod versions;

use std::time::Duration;

use bytes::Bytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
    SyncGroupResponse,
};
use tests::{Broker, Launch, Wire, error_of, within};
use types::ErrorCode;

/// The versions that these tests speak where the version does not matter.
const JOIN: i16 = 9;
const SYNC: i16 = 5;
const HEARTBEAT: i16 = 4;
const COMMIT: i16 = 9;
const FETCH: i16 = 9;

/// The protocol of all members here.
const PROTOCOL: &str = "range";

/// A broker whose shards are one node: requests cross from one to the other.
fn launch(directory: &std::path::Path) -> Launch {
    Launch::in_directory(directory)
        .with("shard.advertise", "single")
        .with("group.min.session.timeout.ms", "100")
}

/// Waits until a condition holds, on however slow a machine.
fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(Duration::from_secs(60), condition), "{what}");
}

/// A connection to a group's coordinator, once there is one.
pub(crate) fn coordinator(broker: &Broker, group: &str) -> Wire {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![group.into()],
        ..FindCoordinatorRequest::default()
    };
    let mut wire = broker.wire();
    let response = wire.call(6, &request);
    assert_eq!(response.coordinators[0].error_code, 0, "{response:?}");
    until("the coordinator is loaded", || {
        let request = DescribeGroupsRequest {
            groups: vec![group.into()],
            include_authorized_operations: false,
        };
        let code = error_of(wire.call(5, &request).groups[0].error_code);
        code != ErrorCode::CoordinatorLoadInProgress
    });
    wire
}

fn join_request(group: &str, member: &str, session_timeout_ms: i32) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms,
        rebalance_timeout_ms: 60_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: PROTOCOL.into(),
            metadata: Bytes::from_static(b"subscription"),
        }],
        ..JoinGroupRequest::default()
    }
}

/// A session that outlasts any test, on however slow a machine.
const LONG_MS: i32 = 1_800_000;

/// Joins a group for long; a member without an id gets one first (KIP-394).
fn join(wire: &mut Wire, group: &str, member: &str) -> JoinGroupResponse {
    let response = wire.call(JOIN, &join_request(group, member, LONG_MS));
    if error_of(response.error_code) != ErrorCode::MemberIdRequired {
        return response;
    }
    wire.call(JOIN, &join_request(group, &response.member_id, LONG_MS))
}

fn sync_request(joined: &JoinGroupResponse, group: &str) -> SyncGroupRequest {
    let is_leader = joined.leader == joined.member_id;
    let members = joined.members.iter().filter(|_| is_leader);
    SyncGroupRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        group_instance_id: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some(PROTOCOL.into()),
        assignments: members
            .map(|member| SyncGroupRequestAssignment {
                member_id: member.member_id.clone(),
                assignment: Bytes::copy_from_slice(member.member_id.as_bytes()),
            })
            .collect(),
    }
}

/// Takes part in a generation; a leader gives each member its own id as its assignment.
fn sync(wire: &mut Wire, group: &str, joined: &JoinGroupResponse) -> SyncGroupResponse {
    wire.call(SYNC, &sync_request(joined, group))
}

pub(crate) fn heartbeat(wire: &mut Wire, group: &str, member: &str, generation: i32) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: group.into(),
        generation_id: generation,
        member_id: member.into(),
        group_instance_id: None,
    };
    error_of(wire.call(HEARTBEAT, &request).error_code)
}

/// A group of one member, which is stable when this returns.
pub(crate) fn single_member(wire: &mut Wire, group: &str) -> JoinGroupResponse {
    let joined = join(wire, group, "");
    assert_eq!(joined.error_code, 0, "{joined:?}");
    let synced = sync(wire, group, &joined);
    assert_eq!(synced.error_code, 0, "{synced:?}");
    joined
}

fn commit_request(group: &str, topic: &str, offsets: &[i64]) -> OffsetCommitRequest {
    let partitions = (0..).zip(offsets);
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: topic.into(),
            partitions: partitions
                .map(|(partition_index, offset)| OffsetCommitRequestPartition {
                    partition_index,
                    committed_offset: *offset,
                    ..OffsetCommitRequestPartition::default()
                })
                .collect(),
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    }
}

/// Commits offsets of the first partitions as nobody's member; the code of each.
pub(crate) fn commit(wire: &mut Wire, group: &str, topic: &str, offsets: &[i64]) -> Vec<ErrorCode> {
    let response = wire.call(COMMIT, &commit_request(group, topic, offsets));
    let topics = response.topics.iter();
    let partitions = topics.flat_map(|topic| &topic.partitions);
    partitions.map(|it| error_of(it.error_code)).collect()
}

/// The committed offsets of the first partitions; -1 where there is none.
pub(crate) fn committed(wire: &mut Wire, group: &str, topic: &str, partitions: i32) -> Vec<i64> {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: topic.into(),
                partition_indexes: (0..partitions).collect(),
                ..OffsetFetchRequestTopics::default()
            }]),
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    };
    let response = wire.call(FETCH, &request);
    assert_eq!(response.groups[0].error_code, 0, "{response:?}");
    let topics = response.groups[0].topics.iter();
    let partitions = topics.flat_map(|topic| &topic.partitions);
    partitions.map(|it| it.committed_offset).collect()
}
