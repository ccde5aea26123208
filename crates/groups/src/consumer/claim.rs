//! Who a member says that it is: finding it, fencing it, and letting it take a static member's place.
//!
//! Source: KIP-848, "Static membership"; `getOrMaybeSubscribeStaticConsumerMember` and
//! `throwIfConsumerGroupMemberEpochIsInvalid` of Apache Kafka 4.3.1.

use std::rc::Rc;

use protocol::Str;
use types::ErrorCode;

use super::draft::Draft;
use super::member::{JOIN_EPOCH, Member, STATIC_LEAVE_EPOCH};
use super::reconcile::Owned;
use super::records::target_record;
use super::state::State;
use super::{Refusal, consumer_of};
use crate::group::{Group, Turn};

/// How many heartbeats a static member may miss before another may have its instance id. Kafka waits for the end of
/// the session, and clients give up when they are told so.
const MISSED_HEARTBEATS_MAX: u32 = 2;

/// Who a member says that it is, and how far it believes to be.
pub(super) struct Claim<'a> {
    pub(super) member_id: &'a Str,
    pub(super) instance_id: Option<&'a Str>,
    pub(super) epoch: i32,
    pub(super) owned: Owned<'a>,
    /// Whether it may be new.
    pub(super) joins: bool,
    /// Whether it speaks the classic protocol, which knows no epochs of members.
    pub(super) speaks_classic: bool,
}

impl Claim<'_> {
    /// The member, new if need be; and the id of the member that it replaces, if it does.
    pub(super) fn member(
        &self,
        draft: &mut Draft,
        group: &Group,
        turn: &Turn<'_>,
    ) -> Result<(Rc<Member>, Option<Str>), Refusal> {
        match self.instance_id {
            Some(instance_id) => self.static_member(instance_id, draft, group, turn),
            None => Ok((self.dynamic_member(draft)?, None)),
        }
    }

    fn dynamic_member(&self, draft: &Draft) -> Result<Rc<Member>, Refusal> {
        match draft.state.member(self.member_id) {
            Some(member) => {
                if !self.joins {
                    self.check_epoch(member)?;
                }
                Ok(Rc::clone(member))
            }
            None if self.joins => Ok(Rc::new(Member::new(self.member_id.detached()))),
            None => Err(unknown_member(&draft.group_id, self.member_id)),
        }
    }

    fn static_member(
        &self,
        instance_id: &Str,
        draft: &mut Draft,
        group: &Group,
        turn: &Turn<'_>,
    ) -> Result<(Rc<Member>, Option<Str>), Refusal> {
        if !self.joins {
            let member = existing_static_member(&draft.state, instance_id, self.member_id)?;
            if !self.speaks_classic {
                self.check_epoch(&member)?;
            }
            return Ok((member, None));
        }
        let Some(existing) = draft.state.static_member(instance_id).map(Rc::clone) else {
            return Ok((self.dynamic_member(draft)?, None));
        };
        if existing.member_id == *self.member_id {
            return Ok((existing, None));
        }
        if !self.speaks_classic && !is_released(&existing, group, turn) {
            return Err(Refusal::new(
                ErrorCode::UnreleasedInstanceId,
                format!(
                    "Static member {} with instance id {} cannot join the group because the instance id is owned by {} member.",
                    self.member_id.as_str(),
                    instance_id.as_str(),
                    existing.member_id.as_str()
                ),
            ));
        }
        let mut successor = Member::clone(&existing);
        successor.member_id = self.member_id.detached();
        successor.epoch = JOIN_EPOCH;
        successor.previous_epoch = 0;
        let target = draft.state.targets.get(&*existing.member_id).map(Rc::clone);
        let group_id = draft.group_id.clone();
        draft.remove_member(&existing.member_id);
        draft.write(successor.metadata_record(&group_id));
        let target = target.unwrap_or_default();
        draft.write(target_record(
            &group_id,
            &successor.member_id,
            Some(&target),
        ));
        draft.write(successor.assignment_record(&group_id));
        Ok((Rc::new(successor), Some(existing.member_id.clone())))
    }

    /// A member may be one epoch behind, if the last reply never reached it and it owns nothing that it should not.
    fn check_epoch(&self, member: &Member) -> Result<(), Refusal> {
        if self.epoch == JOIN_EPOCH || self.epoch == member.epoch {
            return Ok(());
        }
        if self.epoch > member.epoch {
            return Err(Refusal::new(
                ErrorCode::FencedMemberEpoch,
                format!(
                    "The consumer group member has a greater member epoch ({}) than the one known by the group coordinator ({}). The member must abandon all its partitions and rejoin.",
                    self.epoch, member.epoch
                ),
            ));
        }
        let owns_only_its_own = self.owned.is_some_and(|owned| {
            owned.iter().all(|topic| {
                member.assigned.get(&topic.topic_id).is_some_and(|mine| {
                    topic
                        .partitions
                        .iter()
                        .all(|partition| mine.contains_key(partition))
                })
            })
        });
        if self.epoch == member.previous_epoch && owns_only_its_own {
            return Ok(());
        }
        Err(Refusal::new(
            ErrorCode::FencedMemberEpoch,
            format!(
                "The consumer group member has a smaller member epoch ({}) than the one known by the group coordinator ({}). The member must abandon all its partitions and rejoin.",
                self.epoch, member.epoch
            ),
        ))
    }
}

/// Whether another may have a static member's instance id: it left for a while, speaks the classic protocol, or was
/// not heard of when it should have been.
fn is_released(member: &Member, group: &Group, turn: &Turn<'_>) -> bool {
    if member.epoch == STATIC_LEAVE_EPOCH || member.classic.is_some() {
        return true;
    }
    let patience = turn.config.consumer_group(&group.id).heartbeat_interval * MISSED_HEARTBEATS_MAX;
    consumer_of(group)
        .and_then(|consumer| consumer.soft.seen(&member.member_id))
        .is_some_and(|seen| turn.context.now.since(seen) > patience)
}

pub(super) fn existing_member(
    state: &State,
    group_id: &Str,
    member_id: &Str,
) -> Result<Rc<Member>, Refusal> {
    state
        .member(member_id)
        .map(Rc::clone)
        .ok_or_else(|| unknown_member(group_id, member_id))
}

fn unknown_member(group_id: &Str, member_id: &Str) -> Refusal {
    Refusal::new(
        ErrorCode::UnknownMemberId,
        format!(
            "Member {} is not a member of group {}.",
            member_id.as_str(),
            group_id.as_str()
        ),
    )
}

/// The static member of this instance id, if the caller is that member.
pub(super) fn existing_static_member(
    state: &State,
    instance_id: &Str,
    member_id: &Str,
) -> Result<Rc<Member>, Refusal> {
    let Some(member) = state.static_member(instance_id) else {
        return Err(Refusal::new(
            ErrorCode::UnknownMemberId,
            format!("Instance id {} is unknown.", instance_id.as_str()),
        ));
    };
    if member.member_id != *member_id {
        return Err(Refusal::new(
            ErrorCode::FencedInstanceId,
            format!(
                "Static member {} with instance id {} was fenced by member {}.",
                member_id.as_str(),
                instance_id.as_str(),
                member.member_id.as_str()
            ),
        ));
    }
    Ok(Rc::clone(member))
}
