//! Which request goes where, and what is checked of it before its group is looked at.

use protocol::Str;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, LeaveGroupResponse,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetDeleteResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use types::ErrorCode;

use super::GroupCoordinator;
use crate::classic::ClassicGroup;
use crate::context::{Caller, Context};
use crate::decision::{Decision, Reply, Request};
use crate::group::{Group, GroupKind, Turn};
use crate::{classic, consumer, offsets};

/// The first version of SyncGroup that must name the protocol (KIP-559).
const PROTOCOL_NAME_VERSION: i16 = 5;

impl GroupCoordinator {
    pub(super) fn dispatch(
        &mut self,
        context: &Context<'_>,
        caller: &Caller,
        request: Request,
        out: &mut Decision,
    ) {
        let reply = match request {
            Request::JoinGroup(request) => return self.join(context, caller, &request, out),
            Request::SyncGroup(request) if lacks_protocol(caller, &request) => {
                Reply::SyncGroup(SyncGroupResponse {
                    error_code: ErrorCode::InconsistentGroupProtocol.code(),
                    ..SyncGroupResponse::default()
                })
            }
            Request::SyncGroup(request) => {
                let found = self.of_member(context, out, &request.group_id, |group, turn| {
                    sync_group(group, turn, caller, &request);
                });
                let Err(error) = found else { return };
                Reply::SyncGroup(SyncGroupResponse {
                    error_code: error.code(),
                    ..SyncGroupResponse::default()
                })
            }
            Request::Heartbeat(request) => {
                let found = self.of_member(context, out, &request.group_id, |group, turn| {
                    heartbeat(group, turn, caller, &request);
                });
                let Err(error) = found else { return };
                Reply::Heartbeat(HeartbeatResponse {
                    error_code: error.code(),
                    ..HeartbeatResponse::default()
                })
            }
            Request::LeaveGroup(request) => {
                let found = self.of_member(context, out, &request.group_id, |group, turn| {
                    leave_group(group, turn, caller, &request);
                });
                let Err(error) = found else { return };
                Reply::LeaveGroup(refuse_to_leave(caller, &request, error))
            }
            Request::OffsetCommit(request) => return self.commit(context, caller, &request, out),
            Request::ConsumerGroupHeartbeat(request) => {
                return self.consumer_beat(context, caller, &request, out);
            }
            // Every offset is stable while there are no transactional commits.
            Request::OffsetFetch {
                group,
                require_stable: _,
            } => {
                let known = self.groups.get(&group.group_id);
                Reply::OffsetFetch(offsets::fetch(known, context, caller, &group))
            }
            Request::OffsetDelete(request) => {
                Reply::OffsetDelete(self.delete_offsets(context, &request, out))
            }
            Request::DeleteGroup(id) => Reply::DeleteGroup(self.delete_group(context, &id, out)),
            Request::DescribeGroup(id) => Reply::DescribeGroup(self.describe(caller, &id)),
            Request::ConsumerGroupDescribe(id) => {
                Reply::ConsumerGroupDescribe(self.describe_consumer_group(context, &id))
            }
        };
        out.reply(caller.ticket, reply);
    }

    fn join(
        &mut self,
        context: &Context<'_>,
        caller: &Caller,
        request: &JoinGroupRequest,
        out: &mut Decision,
    ) {
        let session = u64::try_from(request.session_timeout_ms).unwrap_or(0);
        let session = std::time::Duration::from_millis(session);
        let sessions = self.config.session_timeout_min..=self.config.session_timeout_max;
        let error = if request.group_id.is_empty() {
            Some(ErrorCode::InvalidGroupId)
        } else if !sessions.contains(&session) {
            Some(ErrorCode::InvalidSessionTimeout)
        } else {
            let joined =
                self.with_new_group(context, out, (&request.group_id, caller), |group, turn| {
                    join_group(group, turn, caller, request);
                });
            joined.is_none().then_some(ErrorCode::GroupMaxSizeReached)
        };
        if let Some(error) = error {
            let response = classic::refused(request, error, caller);
            out.reply(caller.ticket, Reply::JoinGroup(response));
        }
    }

    /// Works on a group whose member asks.
    ///
    /// # Errors
    /// INVALID_GROUP_ID for the empty id, UNKNOWN_MEMBER_ID for a group that is not there.
    fn of_member(
        &mut self,
        context: &Context<'_>,
        out: &mut Decision,
        id: &Str,
        work: impl FnOnce(&mut Group, &mut Turn<'_>),
    ) -> Result<(), ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let worked = self.with_group(context, out, id, work);
        worked.ok_or(ErrorCode::UnknownMemberId)
    }

    /// The empty id is a group of its own here, which old clients use that assign partitions by hand.
    fn commit(
        &mut self,
        context: &Context<'_>,
        caller: &Caller,
        request: &OffsetCommitRequest,
        out: &mut Decision,
    ) {
        let taken =
            self.with_new_group(context, out, (&request.group_id, caller), |group, turn| {
                offsets::commit(group, turn, caller, request);
            });
        if taken.is_none() {
            let response =
                offsets::refuse(context.topics, caller, request, offsets::NO_ROOM_TO_COMMIT);
            out.reply(caller.ticket, Reply::OffsetCommit(response));
        }
    }

    fn consumer_beat(
        &mut self,
        context: &Context<'_>,
        caller: &Caller,
        request: &ConsumerGroupHeartbeatRequest,
        out: &mut Decision,
    ) {
        let handled =
            self.with_new_group(context, out, (&request.group_id, caller), |group, turn| {
                consumer::heartbeat(group, turn, caller, request);
            });
        if handled.is_none() {
            let response = ConsumerGroupHeartbeatResponse {
                error_code: ErrorCode::GroupMaxSizeReached.code(),
                error_message: Some(Str::from_static(consumer::NO_ROOM)),
                ..ConsumerGroupHeartbeatResponse::default()
            };
            out.reply(caller.ticket, Reply::ConsumerGroupHeartbeat(response));
        }
    }

    fn delete_offsets(
        &mut self,
        context: &Context<'_>,
        request: &OffsetDeleteRequest,
        out: &mut Decision,
    ) -> OffsetDeleteResponse {
        let refuse = |error: ErrorCode| OffsetDeleteResponse {
            error_code: error.code(),
            ..OffsetDeleteResponse::default()
        };
        if request.group_id.is_empty() {
            return refuse(ErrorCode::InvalidGroupId);
        }
        self.with_group(context, out, &request.group_id, |group, turn| {
            offsets::delete(group, turn, request)
        })
        .unwrap_or_else(|| refuse(ErrorCode::GroupIdNotFound))
    }
}

/// JoinGroup, once the group is found or made. An empty consumer group becomes a classic one, unless who joins is
/// refused.
fn join_group(group: &mut Group, turn: &mut Turn<'_>, caller: &Caller, request: &JoinGroupRequest) {
    if let GroupKind::Consumer(members) = &group.kind {
        if !members.is_empty() {
            consumer::join_classic(group, turn, caller, request);
            return;
        }
        // The group changes when the member is taken, and what it was goes before what is written of it.
        let mut classic = ClassicGroup::after(members.empty_since());
        let mut tombstones = Vec::new();
        members.tombstones(&group.id, &mut tombstones);
        let written = turn.out.records.len();
        classic::join(&mut classic, &group.id, turn, caller, request);
        if !classic.is_vacant() {
            turn.out.records.splice(written..written, tombstones);
            group.kind = GroupKind::Classic(classic);
        }
        return;
    }
    let id = group.id.clone();
    if let GroupKind::Classic(classic) = &mut group.kind {
        classic::join(classic, &id, turn, caller, request);
    }
}

/// Whether a SyncGroup does not say which protocol it is about, though its version demands it.
fn lacks_protocol(caller: &Caller, request: &SyncGroupRequest) -> bool {
    caller.version >= PROTOCOL_NAME_VERSION
        && (request.protocol_type.is_none() || request.protocol_name.is_none())
}

fn sync_group(group: &mut Group, turn: &mut Turn<'_>, caller: &Caller, request: &SyncGroupRequest) {
    match &mut group.kind {
        GroupKind::Classic(classic) => classic::sync(classic, &group.id, turn, caller, request),
        GroupKind::Consumer(_) => consumer::sync_classic(group, turn, caller, request),
    }
}

fn heartbeat(group: &mut Group, turn: &mut Turn<'_>, caller: &Caller, request: &HeartbeatRequest) {
    match &mut group.kind {
        GroupKind::Classic(classic) => classic::heartbeat(classic, turn, caller, request),
        GroupKind::Consumer(_) => consumer::heartbeat_classic(group, turn, caller, request),
    }
}

fn leave_group(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &LeaveGroupRequest,
) {
    match &mut group.kind {
        GroupKind::Classic(classic) => classic::leave(classic, &group.id, turn, caller, request),
        GroupKind::Consumer(_) => consumer::leave_classic(group, turn, caller, request),
    }
}

/// The answer of a group that nobody can leave.
fn refuse_to_leave(
    caller: &Caller,
    request: &LeaveGroupRequest,
    error: ErrorCode,
) -> LeaveGroupResponse {
    if error == ErrorCode::UnknownMemberId {
        // A group that is not there has none of these members.
        return classic::respond_to_leave(caller, request, |_member| Err(error));
    }
    LeaveGroupResponse {
        error_code: error.code(),
        ..LeaveGroupResponse::default()
    }
}
