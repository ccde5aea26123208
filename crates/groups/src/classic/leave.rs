//! LeaveGroup.

use protocol::Str;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use types::ErrorCode;

use super::rebalance::{maybe_complete, prepare};
use super::{ClassicGroup, State};
use crate::context::Caller;
use crate::decision::Reply;
use crate::group::Turn;
use crate::note::Happened;

/// Why a member is removed, and the others agree anew.
const LEFT: &str = "a member has left";

/// The first version that names several members.
pub(crate) const BATCHED_LEAVE_VERSION: i16 = 3;

/// LeaveGroup: members leave, or an administrator removes static ones by their instance ids.
pub(crate) fn leave(
    group: &mut ClassicGroup,
    group_id: &Str,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &LeaveGroupRequest,
) {
    let mut someone_left = false;
    let response = respond(caller, request, |member| {
        let member = remove(group, member, turn)?;
        let reason = LEFT;
        turn.out
            .note(group_id, Happened::Removed { member, reason });
        someone_left = true;
        Ok(())
    });
    turn.reply(caller, Reply::LeaveGroup(response));
    if !someone_left {
        return;
    }
    match group.state {
        State::Stable | State::CompletingRebalance => prepare(group, group_id, turn, LEFT),
        State::PreparingRebalance => maybe_complete(group, group_id, turn),
        State::Empty => {}
    }
}

fn remove(
    group: &mut ClassicGroup,
    member: &MemberIdentity,
    turn: &mut Turn<'_>,
) -> Result<Str, ErrorCode> {
    let instance_id = member.group_instance_id.as_deref();
    let id = if member.member_id.is_empty() {
        let current = instance_id.and_then(|id| group.static_members.get(id));
        current.cloned().ok_or(ErrorCode::UnknownMemberId)?
    } else {
        if !group.pending.contains(&member.member_id) {
            group.check_member(&member.member_id, instance_id)?;
        }
        member.member_id.clone()
    };
    group.remove(&id, turn);
    Ok(id)
}

/// The response to a LeaveGroup, in the form of its version, of what happens to each of its members.
pub(crate) fn respond(
    caller: &Caller,
    request: &LeaveGroupRequest,
    mut leave: impl FnMut(&MemberIdentity) -> Result<(), ErrorCode>,
) -> LeaveGroupResponse {
    if caller.version < BATCHED_LEAVE_VERSION {
        let member = MemberIdentity {
            member_id: request.member_id.clone(),
            ..MemberIdentity::default()
        };
        let error = leave(&member).err().unwrap_or(ErrorCode::None);
        return LeaveGroupResponse {
            error_code: error.code(),
            ..LeaveGroupResponse::default()
        };
    }
    let members = request.members.iter().map(|member| MemberResponse {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        error_code: leave(member).err().unwrap_or(ErrorCode::None).code(),
    });
    LeaveGroupResponse {
        members: members.collect(),
        ..LeaveGroupResponse::default()
    }
}
