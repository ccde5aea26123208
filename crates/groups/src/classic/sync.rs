//! SyncGroup.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::Str;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use types::ErrorCode;

use super::rebalance::{prepare, refuse_syncs};
use super::{ClassicGroup, State};
use crate::context::Caller;
use crate::decision::Reply;
use crate::group::Turn;

/// SyncGroup: the leader brings the assignments, everybody fetches theirs.
pub(crate) fn sync(
    group: &mut ClassicGroup,
    group_id: &Str,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &SyncGroupRequest,
) {
    if let Err(error) = check(group, request) {
        let error_code = error.code();
        let response = SyncGroupResponse {
            error_code,
            ..SyncGroupResponse::default()
        };
        turn.reply(caller, Reply::SyncGroup(response));
        return;
    }
    let id = &request.member_id;
    group.pending_sync.remove(id);
    if group.state == State::Stable {
        let response = synced(group, id);
        turn.reply(caller, Reply::SyncGroup(response));
        return;
    }
    let member = group.members.get_mut(id).expect("was checked");
    if let Some(earlier) = member.awaiting_sync.replace(caller.ticket) {
        // Its client has given up on that request; it must not wait for ever.
        let response = SyncGroupResponse {
            error_code: ErrorCode::RebalanceInProgress.code(),
            ..SyncGroupResponse::default()
        };
        turn.out.reply(earlier, Reply::SyncGroup(response));
    }
    if group.leader.as_ref() == Some(id) {
        assign(group, group_id, turn, request);
    }
}

/// Whether the request is of a member, of this generation, and the group is past its join phase.
fn check(group: &ClassicGroup, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
    if group.state == State::Empty {
        return Err(ErrorCode::UnknownMemberId);
    }
    group.check_member(&request.member_id, request.group_instance_id.as_deref())?;
    if request.generation_id != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    let differs = |theirs: &Option<Str>, ours: &Option<Str>| {
        theirs
            .as_ref()
            .zip(ours.as_ref())
            .is_some_and(|(theirs, ours)| theirs != ours)
    };
    if differs(&request.protocol_type, &group.protocol_type)
        || differs(&request.protocol_name, &group.protocol)
    {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    if group.state == State::PreparingRebalance {
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}

/// Takes over the leader's assignments. Members that it left out get an empty one; assignments of strangers are not
/// looked at.
fn assign(
    group: &mut ClassicGroup,
    group_id: &Str,
    turn: &mut Turn<'_>,
    request: &SyncGroupRequest,
) {
    let assignments: BTreeMap<&Str, &Bytes> = request
        .assignments
        .iter()
        .map(|one| (&one.member_id, &one.assignment))
        .collect();
    let assignment = |id: &Str| {
        assignments
            .get(id)
            .map(|bytes| Bytes::copy_from_slice(bytes))
    };
    let members = group.members.keys();
    let mut owned: BTreeMap<Str, Bytes> = members
        .map(|id| (id.clone(), assignment(id).unwrap_or_default()))
        .collect();
    let record = group.to_record(group_id, |member| {
        owned.get(&member.id).cloned().unwrap_or_default()
    });
    if record.len_bytes_bound() > turn.config.batch_len_max_bytes
        || !turn.has_room_for_members(group.growth_bytes(&record))
    {
        refuse_syncs(group, ErrorCode::UnknownServerError, turn);
        prepare(group, group_id, turn, "the assignment was too large");
        return;
    }
    turn.write(record);
    group.move_to(State::Stable, turn);
    if let Some(began) = group.rebalance_began.take() {
        turn.counters
            .classic_rebalanced(turn.context.now.since(began));
    }
    let ids: Vec<Str> = group.members.keys().cloned().collect();
    for id in &ids {
        let member = group.members.get_mut(id).expect("its id was just read");
        member.assignment = owned.remove(id).unwrap_or_default();
        if let Some(ticket) = member.awaiting_sync.take() {
            let response = synced(group, id);
            turn.out.reply(ticket, Reply::SyncGroup(response));
            group.begin_session(id, turn);
        }
    }
}

/// What a member is assigned.
fn synced(group: &ClassicGroup, member_id: &Str) -> SyncGroupResponse {
    let member = group.members.get(member_id);
    SyncGroupResponse {
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol.clone(),
        assignment: member
            .map(|member| member.assignment.clone())
            .unwrap_or_default(),
        ..SyncGroupResponse::default()
    }
}
