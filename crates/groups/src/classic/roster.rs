//! Who is in a classic group: adding, removing and replacing members, and answering those that wait.

use protocol::Str;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupResponse};
use types::ErrorCode;

use super::member::{AwaitingJoin, Member, in_version};
use super::pending::PendingIds;
use super::{ClassicGroup, State};
use crate::decision::Reply;
use crate::group::Turn;

impl ClassicGroup {
    /// Adds a member that is not there yet.
    ///
    /// # Panics
    ///
    /// If a member of its id or of its instance id is there.
    pub(super) fn insert(&mut self, member: Member) {
        if let Some(instance_id) = &member.instance_id {
            let before = self
                .static_members
                .insert(instance_id.clone(), member.id.clone());
            assert!(before.is_none(), "two members of one instance id");
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.pending.remove(&member.id);
        self.count(&member);
        let before = self.members.insert(member.id.clone(), member);
        assert!(before.is_none(), "two members of one id");
    }

    /// Takes the ids back that were given out and not used.
    pub(crate) fn forget_ids_given_out(&mut self) {
        self.pending = PendingIds::default();
    }

    /// Removes whoever has the id or the instance id of this member.
    pub(super) fn make_place(&mut self, member: &Member, turn: &mut Turn<'_>) {
        self.remove(&member.id, turn);
        let instance_id = member.instance_id.as_ref();
        let same = instance_id.and_then(|id| self.static_members.get(id).cloned());
        if let Some(id) = same {
            self.remove(&id, turn);
        }
    }

    /// Removes a member or an id that was given out; one that waits is told that it is unknown, and may join anew.
    pub(super) fn remove(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        self.pending.remove(member_id);
        self.pending_sync.remove(member_id);
        let Some(mut member) = self.members.remove(member_id) else {
            return;
        };
        self.discount(&member);
        answer_both(
            &mut member,
            &Str::default(),
            ErrorCode::UnknownMemberId,
            turn,
        );
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        if self.leader.as_ref() == Some(&member.id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Gives a static member's place to a new id. The old one is fenced, and so is whoever waits under it.
    ///
    /// # Panics
    ///
    /// If the old id is no member.
    pub(super) fn replace(&mut self, old_id: &Str, new_id: &Str, turn: &mut Turn<'_>) {
        let mut member = self
            .members
            .remove(old_id)
            .expect("the roster names members alone");
        self.discount(&member);
        answer_both(&mut member, old_id, ErrorCode::FencedInstanceId, turn);
        if self.leader.as_ref() == Some(&member.id) {
            self.leader = Some(new_id.clone());
        }
        if self.pending_sync.remove(old_id) {
            self.pending_sync.insert(new_id.clone());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members
                .insert(instance_id.clone(), new_id.clone());
        }
        member.id = new_id.clone();
        member.is_new = false;
        self.count(&member);
        self.members.insert(new_id.clone(), member);
    }

    /// Takes over what a member's JoinGroup says, and lets it wait.
    ///
    /// # Panics
    ///
    /// If it is no member.
    pub(super) fn update(
        &mut self,
        member_id: &str,
        request: &JoinGroupRequest,
        waiting: AwaitingJoin,
        turn: &mut Turn<'_>,
    ) {
        let mut member = self
            .members
            .remove(member_id)
            .expect("checked by the caller");
        self.discount(&member);
        if let Some(earlier) = member.awaiting_join.replace(waiting) {
            // Its client has given up on that request; it must not wait for ever.
            answer(earlier, &member.id, ErrorCode::RebalanceInProgress, turn);
        }
        member.update(request);
        self.count(&member);
        self.members.insert(member.id.clone(), member);
    }

    /// Answers a member's JoinGroup, if it waits.
    pub(super) fn complete_join(
        &mut self,
        member_id: &str,
        response: JoinGroupResponse,
        turn: &mut Turn<'_>,
    ) {
        let Some(member) = self.members.get_mut(member_id) else {
            return;
        };
        if let Some(waiting) = member.awaiting_join.take() {
            self.awaiting_join -= 1;
            let reply = Reply::JoinGroup(in_version(response, waiting.version));
            turn.out.reply(waiting.ticket, reply);
        }
    }

    /// Whether nobody is to be waited for.
    pub(super) fn has_all_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending.is_empty()
    }

    /// Makes somebody who has joined the leader, if the leader has not. `false` if nobody has.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let has_joined = |id: &Str| {
            let member = self.members.get(id);
            member.is_some_and(|member| member.awaiting_join.is_some())
        };
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self
            .members
            .values()
            .find(|member| member.awaiting_join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(id) => {
                self.leader = Some(id);
                true
            }
            None => false,
        }
    }

    /// Whether a joining member finds room: Kafka's rule for `group.max.size`.
    pub(super) fn has_room_for(&self, member_id: &str, members_max: usize) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join < members_max
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.members.len() < members_max
            }
        }
    }

    fn count(&mut self, member: &Member) {
        for protocol in &member.protocols {
            match self.supported.get_mut(&protocol.name) {
                Some(count) => *count += 1,
                None => {
                    self.supported.insert(protocol.name.clone(), 1);
                }
            }
        }
        self.protocols_len_bytes += member.protocols_len_bytes();
        self.members_bytes += member.memory_bytes();
        self.awaiting_join += usize::from(member.awaiting_join.is_some());
    }

    fn discount(&mut self, member: &Member) {
        for protocol in &member.protocols {
            let count = self.supported.get_mut(&protocol.name).expect("was counted");
            *count -= 1;
            if *count == 0 {
                self.supported.remove(&protocol.name);
            }
        }
        self.protocols_len_bytes -= member.protocols_len_bytes();
        self.members_bytes -= member.memory_bytes();
        self.awaiting_join -= usize::from(member.awaiting_join.is_some());
    }
}

/// Answers whatever a member waits for with an error.
pub(super) fn answer_both(
    member: &mut Member,
    shown_id: &Str,
    error: ErrorCode,
    turn: &mut Turn<'_>,
) {
    if let Some(waiting) = member.awaiting_join.take() {
        answer(waiting, shown_id, error, turn);
    }
    if let Some(ticket) = member.awaiting_sync.take() {
        let response = SyncGroupResponse {
            error_code: error.code(),
            ..SyncGroupResponse::default()
        };
        turn.out.reply(ticket, Reply::SyncGroup(response));
    }
}

/// Answers a JoinGroup with an error.
fn answer(waiting: AwaitingJoin, member_id: &Str, error: ErrorCode, turn: &mut Turn<'_>) {
    let response = refusal(member_id.clone(), error);
    let reply = Reply::JoinGroup(in_version(response, waiting.version));
    turn.out.reply(waiting.ticket, reply);
}

/// A JoinGroup's refusal.
pub(super) fn refusal(member_id: Str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: error.code(),
        member_id,
        protocol_name: None,
        protocol_type: None,
        ..JoinGroupResponse::default()
    }
}
