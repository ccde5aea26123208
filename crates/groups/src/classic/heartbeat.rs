//! Heartbeat.

use protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use types::ErrorCode;

use super::{ClassicGroup, State};
use crate::context::Caller;
use crate::decision::Reply;
use crate::group::Turn;

/// Heartbeat: the member lives, and learns whether it is to join again.
pub(crate) fn heartbeat(
    group: &mut ClassicGroup,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &HeartbeatRequest,
) {
    let error = beat(group, turn, request).err();
    let response = HeartbeatResponse {
        error_code: error.unwrap_or(ErrorCode::None).code(),
        ..HeartbeatResponse::default()
    };
    turn.reply(caller, Reply::Heartbeat(response));
}

fn beat(
    group: &mut ClassicGroup,
    turn: &mut Turn<'_>,
    request: &HeartbeatRequest,
) -> Result<(), ErrorCode> {
    group.check_member(&request.member_id, request.group_instance_id.as_deref())?;
    if request.generation_id != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    group.begin_session(&request.member_id, turn);
    if group.state == State::PreparingRebalance {
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}
