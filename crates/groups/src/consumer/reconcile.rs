//! From what a member has to what it is to have, one safe step at a time.
//!
//! A member first gives away what is no longer its own; it is told a smaller assignment and keeps its epoch until it
//! reports that it no longer owns the rest. Then it moves on to the target's epoch and gets what is free. What others
//! hold still it gets later, when they have let go.
//!
//! # Invariants
//! - A partition is in the assignment of one member only, counting those that members have yet to give away.
//! - A member's epoch is never above that of the target assignment.
//!
//! Source: KIP-848, "Reconciliation"; `CurrentAssignmentBuilder` of Apache Kafka 4.3.1.

use std::collections::BTreeSet;

use protocol::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedPartitions;
use types::{ErrorCode, Uuid};

use super::Refusal;
use super::member::{Member, MemberState, PartitionEpochs};
use super::state::State;
use crate::context::Topics;

/// What a member reports to own; `None` if it has nothing new to say.
pub(super) type Owned<'a> = Option<&'a [OwnedPartitions]>;

/// Takes the next step for a member. Returns the member as it is then, or `None` if there is no step to take.
///
/// `subscription_changed` says that what the member subscribes to has changed just now: it gives away at once what
/// it no longer subscribes to, ahead of the next target assignment.
pub(super) fn step(
    state: &State,
    member: &Member,
    owned: Owned<'_>,
    subscription_changed: bool,
    topics: &dyn Topics,
) -> Result<Option<Member>, Refusal> {
    if !subscription_changed && member.is_reconciled_to(state.target_epoch) {
        return Ok(None);
    }
    if !subscription_changed
        && member.state == MemberState::UnrevokedPartitions
        && owns_any(owned, &member.revoking)
    {
        return Ok(None);
    }
    // Of all that it may subscribe to only this matters, and it is little.
    let target = state.targets.get(&*member.member_id);
    let target = target.into_iter().flat_map(|target| target.keys());
    let subscribed: BTreeSet<Uuid> = target
        .chain(member.assigned.keys())
        .copied()
        .filter(|topic| {
            let found = topics.by_id(*topic);
            found.is_some_and(|(name, _)| state.subscribes(member, name))
        })
        .collect();
    let stepper = Stepper {
        state,
        member,
        owned,
        subscribed,
    };
    let next = match member.state {
        MemberState::Stable if member.epoch == state.target_epoch => stepper.narrow(),
        MemberState::UnrevokedPartitions if owns_any(owned, &member.revoking) => stepper.narrow(),
        MemberState::Stable
        | MemberState::UnrevokedPartitions
        | MemberState::UnreleasedPartitions => stepper.advance(),
        MemberState::Unknown => {
            if owned.is_none_or(|owned| !owned.is_empty()) {
                return Err(Refusal::new(
                    ErrorCode::FencedMemberEpoch,
                    "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.",
                ));
            }
            stepper.advance()
        }
    };
    Ok((next != *member).then_some(next))
}

/// Whether a member may own some of these still. Who does not say may own everything.
fn owns_any(owned: Owned<'_>, partitions: &PartitionEpochs) -> bool {
    let Some(owned) = owned else {
        return true;
    };
    owned.iter().any(|topic| {
        partitions.get(&topic.topic_id).is_some_and(|partitions| {
            topic
                .partitions
                .iter()
                .any(|partition| partitions.contains_key(partition))
        })
    })
}

struct Stepper<'a> {
    state: &'a State,
    member: &'a Member,
    owned: Owned<'a>,
    /// Of the topics that it has or is to have, those that it subscribes to.
    subscribed: BTreeSet<Uuid>,
}

impl Stepper<'_> {
    /// Takes away what the member does not subscribe to any more; its epoch stays.
    fn narrow(&self) -> Member {
        let mut next = self.member.clone();
        let (kept, dropped): (PartitionEpochs, PartitionEpochs) = self
            .member
            .assigned
            .clone()
            .into_iter()
            .partition(|(topic, _)| self.subscribed.contains(topic));
        if dropped.is_empty() {
            return next;
        }
        next.advance_to(self.member.epoch);
        next.assigned = kept;
        let mut revoking = self.member.revoking.clone();
        for (topic, partitions) in dropped {
            revoking.entry(topic).or_default().extend(partitions);
        }
        if owns_any(self.owned, &revoking) {
            next.state = MemberState::UnrevokedPartitions;
            next.revoking = revoking;
        }
        next
    }

    /// Towards the target assignment: gives away what is not in it, or else takes what is free of it.
    fn advance(&self) -> Member {
        let mut next = self.member.clone();
        let mut kept = PartitionEpochs::new();
        let mut dropped = PartitionEpochs::new();
        let target = self.state.targets.get(&*self.member.member_id);
        let is_target = |topic: &Uuid, partition: &i32| {
            self.subscribed.contains(topic)
                && target
                    .and_then(|target| target.get(topic))
                    .is_some_and(|partitions| partitions.binary_search(partition).is_ok())
        };
        for (topic, partitions) in &self.member.assigned {
            for (partition, epoch) in partitions {
                let into = if is_target(topic, partition) {
                    &mut kept
                } else {
                    &mut dropped
                };
                into.entry(*topic).or_default().insert(*partition, *epoch);
            }
        }
        if !dropped.is_empty() && owns_any(self.owned, &dropped) {
            next.state = MemberState::UnrevokedPartitions;
            next.advance_to(self.member.epoch);
            next.assigned = kept;
            next.revoking = dropped;
            return next;
        }
        let mut waits = false;
        for (topic, partitions) in target.into_iter().flat_map(|target| target.iter()) {
            if !self.subscribed.contains(topic) {
                continue;
            }
            for partition in partitions {
                if self
                    .member
                    .assigned
                    .get(topic)
                    .is_some_and(|mine| mine.contains_key(partition))
                {
                    continue;
                }
                match self.state.owner(*topic, *partition) {
                    Some(owner) if *owner != self.member.member_id => waits = true,
                    _ => {
                        kept.entry(*topic)
                            .or_default()
                            .insert(*partition, self.state.target_epoch);
                    }
                }
            }
        }
        next.state = if waits {
            MemberState::UnreleasedPartitions
        } else {
            MemberState::Stable
        };
        next.advance_to(self.state.target_epoch);
        next.assigned = kept;
        next.revoking.clear();
        next
    }
}
