//! The phases of a rebalance, and what happens when a deadline passes.

use std::time::Duration;

use protocol::Str;
use protocol::messages::join_group_response::JoinGroupResponseMember;
use protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use types::ErrorCode;

use super::{ClassicGroup, JoinDeadline, State};
use crate::context::Instant;
use crate::decision::Reply;
use crate::group::Turn;
use crate::note::Happened;

/// Why members are removed.
const SILENT: &str = "it was not heard of for its session";
const NO_JOIN: &str = "it did not join again in time";
const NO_SYNC: &str = "members did not fetch their assignment in time";

/// Begins a rebalance if the group can begin one, or else ends its join phase if nobody is to be waited for.
pub(super) fn prepare_or_complete(
    group: &mut ClassicGroup,
    group_id: &Str,
    turn: &mut Turn<'_>,
    reason: &'static str,
) {
    if group.state == State::PreparingRebalance {
        maybe_complete(group, group_id, turn);
    } else {
        prepare(group, group_id, turn, reason);
    }
}

/// Begins a rebalance: members are to join again.
pub(super) fn prepare(
    group: &mut ClassicGroup,
    group_id: &Str,
    turn: &mut Turn<'_>,
    reason: &'static str,
) {
    let rebalance = Happened::Rebalance {
        generation: group.generation,
        members: group.members.len(),
        reason,
    };
    turn.out.note(group_id, rebalance);
    if group.state == State::CompletingRebalance {
        refuse_syncs(group, ErrorCode::RebalanceInProgress, turn);
    }
    group.pending_sync.clear();
    group.sync_deadline = None;
    group.rebalance_began.get_or_insert(turn.context.now);
    let is_initial = group.state == State::Empty;
    group.move_to(State::PreparingRebalance, turn);
    if is_initial {
        let delay = turn.config.initial_rebalance_delay;
        let remaining = group.rebalance_timeout().saturating_sub(delay);
        await_initial_joins(group, delay, remaining, turn);
    } else if group.has_all_joined() {
        complete(group, group_id, turn);
    } else {
        await_joins(group, turn);
    }
}

/// Ends the join phase if nobody is to be waited for. The first rebalance of an empty group waits for its delay.
pub(super) fn maybe_complete(group: &mut ClassicGroup, group_id: &Str, turn: &mut Turn<'_>) {
    if group.state == State::PreparingRebalance
        && group.previous_state != Some(State::Empty)
        && group.has_all_joined()
    {
        complete(group, group_id, turn);
    }
}

/// Ends the join phase: whoever has not joined is removed, and the next generation begins.
fn complete(group: &mut ClassicGroup, group_id: &Str, turn: &mut Turn<'_>) {
    group.join_deadline = None;
    let absent = group.members.values().filter(|member| {
        // Static members keep their places until their sessions end (KIP-345).
        member.awaiting_join.is_none() && member.instance_id.is_none()
    });
    let absent: Vec<Str> = absent.map(|member| member.id.clone()).collect();
    for id in &absent {
        give_up(group, group_id, id, NO_JOIN, turn);
        turn.counters.classic_rebalances_missed += 1;
    }
    if group.members.is_empty() {
        become_empty(group, group_id, turn);
    } else if group.elect_joined_leader() {
        begin_generation(group, turn);
    } else {
        // Static members alone, and none is back yet.
        await_joins(group, turn);
    }
}

/// Nobody is left.
fn become_empty(group: &mut ClassicGroup, group_id: &Str, turn: &mut Turn<'_>) {
    next_generation(group);
    group.rebalance_began = None;
    group.protocol = None;
    group.update_subscribed_topics();
    group.move_to(State::Empty, turn);
    let record = group.to_record(group_id, |member| member.assignment.clone());
    turn.write(record);
}

/// All have joined: they learn the generation, and the leader who is there.
fn begin_generation(group: &mut ClassicGroup, turn: &mut Turn<'_>) {
    next_generation(group);
    group.protocol = group.select_protocol();
    group.update_subscribed_topics();
    group.move_to(State::CompletingRebalance, turn);
    let ids: Vec<Str> = group.members.keys().cloned().collect();
    group.pending_sync = ids.iter().cloned().collect();
    for id in &ids {
        let response = joined(group, id);
        group.complete_join(id, response, turn);
        group.begin_session(id, turn);
        if let Some(member) = group.members.get_mut(id) {
            member.is_new = false;
        }
    }
    let ends = turn.context.now.after(group.rebalance_timeout());
    group.sync_deadline = Some(ends);
    turn.wake_at(ends);
}

/// Generations are numbered from 1, again after the last that a message can carry.
fn next_generation(group: &mut ClassicGroup) {
    group.generation = group.generation.checked_add(1).unwrap_or(1);
}

/// What a member learns when it has joined: the leader, who everybody is and what they said.
pub(super) fn joined(group: &ClassicGroup, member_id: &Str) -> JoinGroupResponse {
    let members = if group.leader.as_ref() == Some(member_id) {
        group_members(group)
    } else {
        Vec::new()
    };
    JoinGroupResponse {
        generation_id: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol.clone(),
        leader: group.leader.clone().unwrap_or_default(),
        member_id: member_id.clone(),
        members,
        ..JoinGroupResponse::default()
    }
}

/// Everybody, with what they said under the chosen protocol.
fn group_members(group: &ClassicGroup) -> Vec<JoinGroupResponseMember> {
    let protocol = group.protocol.clone().unwrap_or_default();
    let members = group.members.values();
    members
        .map(|member| JoinGroupResponseMember {
            member_id: member.id.clone(),
            group_instance_id: member.instance_id.clone(),
            metadata: member.metadata(&protocol),
        })
        .collect()
}

/// Forgets the assignments, and answers all that wait for one with an error.
pub(super) fn refuse_syncs(group: &mut ClassicGroup, error: ErrorCode, turn: &mut Turn<'_>) {
    let ids: Vec<Str> = group.members.keys().cloned().collect();
    for id in &ids {
        let member = group.members.get_mut(id).expect("its id was just read");
        member.assignment.clear();
        if let Some(ticket) = member.awaiting_sync.take() {
            let response = SyncGroupResponse {
                error_code: error.code(),
                ..SyncGroupResponse::default()
            };
            turn.out.reply(ticket, Reply::SyncGroup(response));
            group.begin_session(id, turn);
        }
    }
}

fn await_joins(group: &mut ClassicGroup, turn: &mut Turn<'_>) {
    let at = turn.context.now.after(group.rebalance_timeout());
    group.join_deadline = Some(JoinDeadline::Rebalance { at });
    turn.wake_at(at);
}

fn await_initial_joins(
    group: &mut ClassicGroup,
    delay: Duration,
    remaining: Duration,
    turn: &mut Turn<'_>,
) {
    let at = turn.context.now.after(delay);
    group.new_member_added = false;
    group.join_deadline = Some(JoinDeadline::Initial {
        at,
        delay,
        remaining,
    });
    turn.wake_at(at);
}

/// Removes a member that holds the others up.
fn give_up(
    group: &mut ClassicGroup,
    group_id: &Str,
    member_id: &Str,
    reason: &'static str,
    turn: &mut Turn<'_>,
) {
    let member = member_id.clone();
    turn.out
        .note(group_id, Happened::Removed { member, reason });
    group.remove(member_id, turn);
}

/// Moves a group on whose members were not heard of in time.
pub(super) fn after_removal(group: &mut ClassicGroup, group_id: &Str, turn: &mut Turn<'_>) {
    match group.state {
        State::Stable | State::CompletingRebalance => {
            prepare(
                group,
                group_id,
                turn,
                "members were not heard of for their session",
            );
        }
        State::PreparingRebalance => {
            if group.has_all_joined() {
                complete(group, group_id, turn);
            }
        }
        State::Empty => {}
    }
}

/// What is due at `turn.context.now`.
pub(crate) fn on_deadline(group: &mut ClassicGroup, group_id: &Str, turn: &mut Turn<'_>) {
    let now = turn.context.now;
    expire_pending(group, group_id, now, turn);
    expire_sessions(group, group_id, now, turn);
    expire_syncs(group, group_id, now, turn);
    expire_joins(group, group_id, now, turn);
}

/// Forgets ids whose owners did not come back with them.
fn expire_pending(group: &mut ClassicGroup, group_id: &Str, now: Instant, turn: &mut Turn<'_>) {
    let some_expired = group.pending.expire(now);
    if some_expired && group.state == State::PreparingRebalance {
        after_removal(group, group_id, turn);
    }
}

/// Removes members that were not heard of in time.
fn expire_sessions(group: &mut ClassicGroup, group_id: &Str, now: Instant, turn: &mut Turn<'_>) {
    let due = |ends: Option<Instant>| ends.is_some_and(|ends| ends <= now);
    let expired: Vec<Str> = group
        .members
        .values()
        .filter(|member| due(member.session_ends))
        .map(|member| member.id.clone())
        .collect();
    let mut removed = false;
    for id in &expired {
        let member = group.members.get_mut(id).expect("its id was just read");
        let waits = member.awaiting_join.is_some() || member.awaiting_sync.is_some();
        if waits && !member.is_new {
            // It has done its part; its session begins anew with the answer.
            member.session_ends = None;
        } else {
            give_up(group, group_id, id, SILENT, turn);
            turn.counters.classic_sessions_expired += 1;
            removed = true;
        }
    }
    if removed {
        after_removal(group, group_id, turn);
    }
}

/// Removes members that have joined and then did not fetch their assignment.
fn expire_syncs(group: &mut ClassicGroup, group_id: &Str, now: Instant, turn: &mut Turn<'_>) {
    if group.sync_deadline.is_none_or(|at| at > now) {
        return;
    }
    group.sync_deadline = None;
    let absent = std::mem::take(&mut group.pending_sync);
    for id in &absent {
        give_up(group, group_id, id, NO_SYNC, turn);
        turn.counters.classic_rebalances_missed += 1;
    }
    if !absent.is_empty() {
        prepare(group, group_id, turn, NO_SYNC);
    }
}

/// Ends the join phase, or puts its end off while members keep coming into a group that was empty.
fn expire_joins(group: &mut ClassicGroup, group_id: &Str, now: Instant, turn: &mut Turn<'_>) {
    let Some(deadline) = group.join_deadline.filter(|deadline| deadline.at() <= now) else {
        return;
    };
    match deadline {
        JoinDeadline::Initial {
            delay, remaining, ..
        } if group.new_member_added && !remaining.is_zero() => {
            let next = turn.config.initial_rebalance_delay.min(remaining);
            await_initial_joins(group, next, remaining.saturating_sub(delay), turn);
        }
        JoinDeadline::Initial { .. } | JoinDeadline::Rebalance { .. } => {
            complete(group, group_id, turn);
        }
    }
}

impl ClassicGroup {
    /// The earliest time at which something happens on its own.
    pub(crate) fn earliest_deadline(&self) -> Option<Instant> {
        let sessions = self
            .members
            .values()
            .filter_map(|member| member.session_ends);
        sessions
            .chain(self.pending.ends())
            .chain(self.join_deadline.map(JoinDeadline::at))
            .chain(self.sync_deadline)
            .min()
    }
}
