//! Consumer groups (KIP-848).
//!
//! To be filled in; the signatures are what the coordinator calls.

use protocol::Str;
use protocol::messages::consumer_group_describe_response::DescribedGroup;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    OffsetCommitRequest, SyncGroupRequest, SyncGroupResponse,
};
use types::ErrorCode;

use crate::context::{Caller, Context, Instant};
use crate::decision::Reply;
use crate::group::{Group, Turn};
use crate::record::GroupRecord;

/// The members of a consumer group.
#[derive(Debug, Default)]
pub(crate) struct ConsumerGroup {}

#[expect(
    clippy::unused_self,
    clippy::needless_pass_by_ref_mut,
    reason = "to be filled in"
)]
impl ConsumerGroup {
    /// Whether nothing is known of it, durable or soft.
    pub(crate) fn is_vacant(&self) -> bool {
        true
    }

    /// Whether it has no members, so that it can be deleted.
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    /// Kafka's name of its state.
    pub(crate) fn state_name(&self) -> &'static str {
        "Empty"
    }

    /// The earliest time at which something happens on its own.
    pub(crate) fn earliest_deadline(&self) -> Option<Instant> {
        None
    }

    /// Changes what is durable. Called for `ConsumerGroup*` records alone; a tombstone of what is not there changes
    /// nothing.
    pub(crate) fn apply(&mut self, _record: &GroupRecord) {}

    /// Whether a member subscribes to the topic, so that its offsets do not expire.
    pub(crate) fn is_subscribed(&self, _topic: &str) -> bool {
        false
    }

    /// Whether this commit may be taken.
    pub(crate) fn check_commit(
        &self,
        _request: &OffsetCommitRequest,
        _version: i16,
    ) -> Result<(), ErrorCode> {
        Err(ErrorCode::UnknownMemberId)
    }

    /// Whether this member may fetch the group's offsets.
    pub(crate) fn check_fetch(
        &self,
        _member_id: Option<&str>,
        _member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// Records that rebuild what is durable, in an order in which they can be applied.
    pub(crate) fn snapshot(&self, _group_id: &Str, _records: &mut Vec<GroupRecord>) {}

    /// Records that delete what is durable.
    pub(crate) fn tombstones(&self, _group_id: &Str, _records: &mut Vec<GroupRecord>) {}

    /// What ConsumerGroupDescribe says of it.
    pub(crate) fn describe(&self, group_id: &Str, _context: &Context<'_>) -> DescribedGroup {
        DescribedGroup {
            group_id: group_id.clone(),
            ..DescribedGroup::default()
        }
    }

    /// Begins its sessions after the log was replayed.
    pub(crate) fn loaded(&mut self, _turn: &mut Turn<'_>) {}
}

/// ConsumerGroupHeartbeat. The group may be of any kind; one that did not exist was just made, and is forgotten if it
/// is vacant once the records are applied.
pub(crate) fn heartbeat(
    _group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    _request: &ConsumerGroupHeartbeatRequest,
) {
    let error_code = ErrorCode::UnsupportedVersion.code();
    turn.reply(
        caller,
        Reply::ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse {
            error_code,
            ..ConsumerGroupHeartbeatResponse::default()
        }),
    );
}

/// JoinGroup of a consumer group.
pub(crate) fn join_classic(
    _group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    _request: &JoinGroupRequest,
) {
    let error_code = ErrorCode::InconsistentGroupProtocol.code();
    turn.reply(
        caller,
        Reply::JoinGroup(JoinGroupResponse {
            error_code,
            ..JoinGroupResponse::default()
        }),
    );
}

/// SyncGroup of a consumer group.
pub(crate) fn sync_classic(
    _group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    _request: &SyncGroupRequest,
) {
    let error_code = ErrorCode::UnknownMemberId.code();
    turn.reply(
        caller,
        Reply::SyncGroup(SyncGroupResponse {
            error_code,
            ..SyncGroupResponse::default()
        }),
    );
}

/// Heartbeat of a consumer group's classic member.
pub(crate) fn heartbeat_classic(
    _group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    _request: &HeartbeatRequest,
) {
    let error_code = ErrorCode::UnknownMemberId.code();
    turn.reply(
        caller,
        Reply::Heartbeat(HeartbeatResponse {
            error_code,
            ..HeartbeatResponse::default()
        }),
    );
}

/// LeaveGroup of a consumer group's members, also of those that an administrator removes.
pub(crate) fn leave_classic(
    _group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    _request: &LeaveGroupRequest,
) {
    let error_code = ErrorCode::UnknownMemberId.code();
    turn.reply(
        caller,
        Reply::LeaveGroup(LeaveGroupResponse {
            error_code,
            ..LeaveGroupResponse::default()
        }),
    );
}

/// What is due at `turn.context.now`: sessions, rebalance timeouts, assignments, regular expressions.
pub(crate) fn on_deadline(_group: &mut Group, _turn: &mut Turn<'_>) {}

/// The topics of the cluster have changed.
pub(crate) fn topics_changed(_group: &mut Group, _turn: &mut Turn<'_>) {}
