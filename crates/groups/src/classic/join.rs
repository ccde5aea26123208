//! JoinGroup.

use protocol::Str;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use types::ErrorCode;

use super::member::{AwaitingJoin, Member, in_version, span_ms};
use super::rebalance::{joined, maybe_complete, prepare, prepare_or_complete};
use super::roster::refusal;
use super::{
    ClassicGroup, NEW_MEMBER_JOIN_TIMEOUT, PENDING_MEMBERS_MAX, PROTOCOLS_LEN_MAX_BATCHES, State,
    first_record, members_max, new_member_id, session_end,
};
use crate::context::Caller;
use crate::decision::Reply;
use crate::group::Turn;
use crate::memory::{CLASSIC_MEMBERS_BYTES, ITEM_BYTES, MEMBER_BYTES, PROTOCOL_BYTES};

/// The first version in which a dynamic member must come back with the id that it is given (KIP-394).
pub(crate) const KNOWN_MEMBER_ID_VERSION: i16 = 4;

/// The first version that tells a leader that it need not assign (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// One JoinGroup on one group.
struct Join<'a> {
    group_id: &'a Str,
    caller: &'a Caller,
    request: &'a JoinGroupRequest,
}

/// JoinGroup. The group may have been made for it; it is vacant afterwards if the member was refused.
pub(crate) fn join(
    group: &mut ClassicGroup,
    group_id: &Str,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &JoinGroupRequest,
) {
    let join = Join {
        group_id,
        caller,
        request,
    };
    let first = group.is_vacant().then(|| {
        let now = turn.context.wall_clock;
        first_record(group, group_id, now)
    });
    match join.check(group, turn) {
        Ok(()) if request.member_id.is_empty() => join.newcomer(group, turn),
        Ok(()) => join.known(group, turn),
        Err((member_id, error)) => join.refuse(member_id, error, turn),
    }
    // Groups that have made way for it have left records, too.
    let is_written = turn.out.records.iter().any(|it| it.group_id() == group_id);
    if let Some(first) = first.filter(|_| !group.is_vacant() && !is_written) {
        turn.write(first);
    }
}

/// Why the others agree anew when a static member comes back.
const STATIC_BACK: &str = "a static member is back and changes the group";

/// What an id that is given out has beyond what the client calls itself: a dash and a UUID.
const MEMBER_ID_SUFFIX_BYTES: usize = 37;

/// As many protocols of the length that is known may a member have that the log brought back; clients have one or two.
const RESTORED_PROTOCOLS: usize = 4;

impl Join<'_> {
    /// What holds for newcomers and members alike. An error comes with the member id that goes with it.
    fn check(&self, group: &mut ClassicGroup, turn: &mut Turn<'_>) -> Result<(), (Str, ErrorCode)> {
        let request = self.request;
        if group.is_vacant() && !request.member_id.is_empty() {
            return Err((request.member_id.clone(), ErrorCode::UnknownMemberId));
        }
        if !group.has_room_for(&request.member_id, members_max(turn)) {
            group.remove(&request.member_id, turn);
            // Perhaps it was the last that the others waited for.
            maybe_complete(group, self.group_id, turn);
            return Err((Str::default(), ErrorCode::GroupMaxSizeReached));
        }
        if !group.supports(request) {
            return Err((
                request.member_id.clone(),
                ErrorCode::InconsistentGroupProtocol,
            ));
        }
        let theirs: usize = request
            .protocols
            .iter()
            .map(|one| one.name.len() + one.metadata.len())
            .sum();
        let ours = group
            .members
            .get(&request.member_id)
            .map_or(0, Member::protocols_len_bytes);
        let total = group.protocols_len_bytes - ours + theirs;
        let total_max = turn
            .config
            .batch_len_max_bytes
            .saturating_mul(PROTOCOLS_LEN_MAX_BATCHES);
        if total > total_max
            || group.pending.len() >= PENDING_MEMBERS_MAX && request.member_id.is_empty()
        {
            return Err((Str::default(), ErrorCode::GroupMaxSizeReached));
        }
        if !turn.has_room_for_members(self.growth_bytes(group, theirs)) {
            return Err((Str::default(), ErrorCode::GroupMaxSizeReached));
        }
        Ok(())
    }

    /// Bytes by which the request lets the group grow, at most, given what its protocols take: the member as it is now,
    /// and as the log will have it.
    fn growth_bytes(&self, group: &ClassicGroup, protocols_bytes: usize) -> usize {
        let request = self.request;
        let instance_id = request.group_instance_id.as_ref();
        let id = if request.member_id.is_empty() {
            instance_id.and_then(|id| group.static_members.get(id))
        } else {
            Some(&request.member_id)
        };
        if let Some(known) = id.and_then(|id| group.members.get(id)) {
            // Whoever joins as before is not to be refused because the log does not know all that it says.
            let times = if known.is_restored {
                RESTORED_PROTOCOLS
            } else {
                1
            };
            return (2 * protocols_bytes).saturating_sub(2 * times * known.protocols_len_bytes());
        }
        let instance_id_bytes = instance_id.map_or(0, |id| id.len());
        let texts = self.caller.client_id.len() + self.caller.client_host.len();
        let is_pending = group.pending.contains(&request.member_id);
        // An id begins with what the client calls itself.
        let id_bytes = if is_pending {
            request.member_id.len()
        } else {
            MEMBER_ID_SUFFIX_BYTES + instance_id_bytes.max(self.caller.client_id.len())
        };
        let first = if group.members.is_empty() {
            CLASSIC_MEMBERS_BYTES
        } else {
            0
        };
        let member = first + MEMBER_BYTES + 2 * (id_bytes + instance_id_bytes) + texts;
        let protocols = request.protocols.len() * PROTOCOL_BYTES + protocols_bytes;
        // One of them.
        let metadata = request.protocols.iter().map(|one| one.metadata.len());
        let durable = id_bytes + instance_id_bytes + texts + metadata.max().unwrap_or(0);
        let growth = member + protocols + 2 * (ITEM_BYTES + durable);
        growth - if is_pending { ITEM_BYTES + id_bytes } else { 0 }
    }

    /// A member without an id.
    fn newcomer(&self, group: &mut ClassicGroup, turn: &mut Turn<'_>) {
        let instance_id = self.request.group_instance_id.as_ref();
        let new_id = new_member_id(self.caller, instance_id, turn);
        let current = instance_id
            .and_then(|id| group.static_members.get(id))
            .cloned();
        if let Some(old_id) = current {
            self.replace_static(group, &old_id, &new_id, turn);
        } else if instance_id.is_none() && self.caller.version >= KNOWN_MEMBER_ID_VERSION {
            let ends = session_end(turn, span_ms(self.request.session_timeout_ms));
            group.pending.insert(new_id.clone(), ends);
            turn.wake_at(ends);
            self.refuse(new_id, ErrorCode::MemberIdRequired, turn);
        } else {
            self.add(group, new_id, turn);
        }
    }

    /// A member with an id.
    fn known(&self, group: &mut ClassicGroup, turn: &mut Turn<'_>) {
        let id = &self.request.member_id;
        let instance_id = self.request.group_instance_id.as_deref();
        if group.pending.contains(id) {
            if instance_id.is_some() {
                // Ids are given out to dynamic members alone. Kafka fails here, with this code.
                self.refuse(Str::default(), ErrorCode::UnknownServerError, turn);
            } else {
                self.add(group, id.detached(), turn);
            }
            return;
        }
        if let Err(error) = group.check_member(id, instance_id) {
            self.refuse(id.clone(), error, turn);
            return;
        }
        let repeats = group
            .members
            .get(id)
            .is_some_and(|member| member.matches(&self.request.protocols));
        let is_leader = group.leader.as_ref() == Some(id);
        match group.state {
            // The response to its last JoinGroup was lost.
            State::CompletingRebalance if repeats => self.answer(joined(group, id), turn),
            // A follower that lost its assignment, not one that wants to change anything.
            State::Stable if repeats && !is_leader => self.answer(joined(group, id), turn),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                group.update(id, self.request, AwaitingJoin::of(self.caller), turn);
                prepare_or_complete(group, self.group_id, turn, "a member joins again");
            }
            State::Empty => self.refuse(id.clone(), ErrorCode::UnknownMemberId, turn),
        }
    }

    /// Adds a member, and lets it wait for the others.
    fn add(&self, group: &mut ClassicGroup, id: Str, turn: &mut Turn<'_>) {
        if group.members.is_empty() {
            group.protocol_type = Some(self.request.protocol_type.detached());
        }
        if group.state == State::PreparingRebalance && group.previous_state == Some(State::Empty) {
            group.new_member_added = true;
        }
        let mut member = Member::joining(id, self.caller, self.request);
        member.awaiting_join = Some(AwaitingJoin::of(self.caller));
        let ends = session_end(turn, NEW_MEMBER_JOIN_TIMEOUT);
        member.session_ends = Some(ends);
        turn.wake_at(ends);
        group.insert(member);
        prepare_or_complete(group, self.group_id, turn, "a member joins");
    }

    /// A static member came back without its id: it takes its old place, and whoever else claims it is fenced. If
    /// nothing changes for the others, they do not notice.
    fn replace_static(
        &self,
        group: &mut ClassicGroup,
        old_id: &Str,
        new_id: &Str,
        turn: &mut Turn<'_>,
    ) {
        let leader_before = group.leader.clone().unwrap_or_default();
        group.replace(old_id, new_id, turn);
        group.update(new_id, self.request, AwaitingJoin::of(self.caller), turn);
        group.begin_session(new_id, turn);
        match group.state {
            State::Stable if group.select_protocol() == group.protocol => {
                let record = group.to_record(self.group_id, |member| member.assignment.clone());
                if record.len_bytes_bound() > turn.config.batch_len_max_bytes {
                    prepare(group, self.group_id, turn, STATIC_BACK);
                    return;
                }
                turn.write(record);
                let response = self.rejoined(group, new_id, leader_before);
                group.complete_join(new_id, response, turn);
            }
            State::Stable | State::CompletingRebalance => {
                prepare(group, self.group_id, turn, STATIC_BACK)
            }
            State::PreparingRebalance => maybe_complete(group, self.group_id, turn),
            State::Empty => unreachable!("an empty group has no static members"),
        }
    }

    /// What a static member learns that is back without a rebalance. An older leader must not assign, so it is told
    /// that its former self leads; a newer one is told outright.
    fn rejoined(&self, group: &ClassicGroup, id: &Str, leader_before: Str) -> JoinGroupResponse {
        if self.caller.version >= SKIP_ASSIGNMENT_VERSION {
            let skip_assignment = group.leader.as_ref() == Some(id);
            JoinGroupResponse {
                skip_assignment,
                ..joined(group, id)
            }
        } else {
            JoinGroupResponse {
                leader: leader_before,
                members: Vec::new(),
                ..joined(group, id)
            }
        }
    }

    fn refuse(&self, member_id: Str, error: ErrorCode, turn: &mut Turn<'_>) {
        self.answer(refusal(member_id, error), turn);
    }

    fn answer(&self, response: JoinGroupResponse, turn: &mut Turn<'_>) {
        let response = in_version(response, self.caller.version);
        turn.reply(self.caller, Reply::JoinGroup(response));
    }
}

/// The response to a JoinGroup that is refused without a look at its group.
pub(crate) fn refused(
    request: &JoinGroupRequest,
    error: ErrorCode,
    caller: &Caller,
) -> JoinGroupResponse {
    let response = refusal(request.member_id.clone(), error);
    in_version(response, caller.version)
}
