//! Consumer groups (KIP-848): members heartbeat, the coordinator assigns.
//!
//! A group has an epoch that rises with everything that asks for another assignment, a target assignment that was
//! computed for one of those epochs, and members that are moved towards it at their own heartbeats. Members may speak
//! the classic protocol while a group is upgraded or downgraded.
//!
//! [`state`] is what the log says in [`records`], [`soft`] what it does not; [`heartbeat`], [`classic_member`] and [`fence`]
//! decide on a [`draft`] of it, about who a member can [`claim`] to be among others;
//! [`subscription`] bounds what members say;
//! [`target`] and [`reconcile`] are the two steps of a rebalance; [`convert`] turns groups of one kind into the other.
//!
//! # Invariants
//! - Every decision works on a draft; the group changes when its records are applied.
//! - A request that is refused changes nothing and writes nothing.
//! - A member that is given up is removed with everything that it held, in memory and in the log.
//!
//! Deliberately absent: computing assignments aside (`consumer.assignor.offload.enable`). The assignors are fast
//! enough to run where they are asked for.
//!
//! Source: KIP-848; behaviour of Apache Kafka 4.3.1 where it is silent.

mod check;
mod claim;
mod classic_member;
mod convert;
mod describe;
mod draft;
mod fence;
mod heartbeat;
mod member;
mod names;
mod reconcile;
mod records;
mod regexes;
mod soft;
mod state;
mod subscription;
mod target;

use std::borrow::Cow;
use std::time::Duration;

use protocol::Str;
use types::{ErrorCode, TimestampMs};

use self::draft::Draft;
use self::member::{Member, MemberState};
use self::soft::{Rebalance, Soft};
use self::state::State;
use crate::classic::RetentionFrom;
use crate::context::Instant;
use crate::group::{Group, GroupKind, Turn};
use crate::note::Happened;
use crate::record::GroupRecord;

pub(crate) use classic_member::{heartbeat_classic, join_classic, leave_classic, sync_classic};
pub(crate) use convert::{ClassicMemberView, ClassicView};
pub(crate) use fence::on_deadline;
pub(crate) use heartbeat::heartbeat;
pub(crate) use subscription::NO_ROOM;

/// The members of a consumer group.
#[derive(Debug, Default)]
pub(crate) struct ConsumerGroup {
    state: State,
    soft: Soft,
}

impl ConsumerGroup {
    /// Whether nothing is known of it, durable or soft: members whose records are about to be applied count.
    pub(crate) fn is_vacant(&self) -> bool {
        !self.state.exists && self.soft.is_empty()
    }

    /// How many members it has.
    pub(crate) fn member_count(&self) -> usize {
        self.state.members.iter().count()
    }

    /// Whether it has no members, so that it can be deleted.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.members.is_empty()
    }

    /// Since when it has no members; of one that was loaded without any, since its loading.
    pub(crate) fn empty_since(&self) -> Option<TimestampMs> {
        self.soft.empty_since.filter(|_| self.is_empty())
    }

    /// From when on offsets of topics that nobody subscribes to are kept for the retention time.
    pub(crate) fn retention_from(&self) -> RetentionFrom {
        let since = self.empty_since();
        since.map_or(RetentionFrom::Commit, RetentionFrom::Since)
    }

    /// Bytes that it takes in memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.state.memory_bytes() + self.soft.memory_bytes()
    }

    /// The earliest time at which something may happen on its own.
    pub(crate) fn earliest_deadline(&self) -> Option<Instant> {
        self.soft.earliest()
    }

    /// Changes what is durable. Called for `ConsumerGroup*` records alone; a tombstone of what is not there changes
    /// nothing.
    pub(crate) fn apply(&mut self, record: &GroupRecord) {
        self.state.apply(record);
    }

    /// Whether a member subscribes to the topic, so that its offsets do not expire.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        self.state.is_subscribed(topic)
    }

    /// Records that rebuild what is durable, in an order in which they can be applied.
    pub(crate) fn snapshot(&self, group_id: &Str, records: &mut Vec<GroupRecord>) {
        records.extend(self.state.records(group_id));
    }

    /// Records that delete what is durable.
    pub(crate) fn tombstones(&self, group_id: &Str, records: &mut Vec<GroupRecord>) {
        records.extend(self.state.tombstones(group_id));
    }

    /// Begins its sessions after the log was replayed: every member has a whole session, and who has to give
    /// partitions away the whole of its rebalance timeout.
    pub(crate) fn loaded(&mut self, group_id: &Str, turn: &mut Turn<'_>) {
        let members: Vec<_> = self.state.members.values().cloned().collect();
        for member in members {
            let session = session_timeout(&member, group_id, turn);
            self.soft
                .heard_of(&member.member_id, turn.context.now, session);
            self.watch_revocation(&member, turn);
        }
        self.soft.empty_since = Some(turn.context.wall_clock);
        self.note_deadline(turn);
    }

    /// Gives a member that must give partitions away its time for it, and takes it back from any other. One that speaks the
    /// consumer protocol need not join again, nor fetch its assignment, whatever it spoke before.
    fn watch_revocation(&mut self, member: &Member, turn: &Turn<'_>) {
        let rebalance = (member.state == MemberState::UnrevokedPartitions
            && member.classic.is_none())
        .then(|| {
            let timeout = millis(member.rebalance_timeout_ms);
            (turn.context.now.after(timeout), member.epoch)
        });
        self.soft.change(&member.member_id, |timers| {
            timers.rebalance = rebalance;
            if member.classic.is_none() {
                timers.join = None;
                timers.sync = None;
            }
        });
    }

    /// Notes when a rebalance begins and ends, given what the group is about to be.
    fn watch_rebalance(&mut self, draft: &Draft, turn: &mut Turn<'_>) {
        let now = turn.context.now;
        let rebalance = self.soft.rebalance.take();
        if rebalance.is_none() && draft.epochs_raised == 0 {
            return;
        }
        let known = rebalance
            .as_ref()
            .and_then(|rebalance| rebalance.laggard.as_ref());
        match draft.state.laggard(known) {
            Some(laggard) => {
                let began = rebalance.map_or(now, |rebalance| rebalance.began);
                let laggard = (!laggard.is_empty()).then_some(laggard);
                self.soft.rebalance = Some(Rebalance { began, laggard });
            }
            None if draft.state.members.is_empty() => {}
            None => {
                let began = rebalance.map_or(now, |rebalance| rebalance.began);
                turn.counters.consumer_rebalanced(now.since(began));
            }
        }
    }

    /// Tells the coordinator when to look at the group again.
    fn note_deadline(&self, turn: &mut Turn<'_>) {
        if let Some(at) = self.soft.earliest() {
            turn.wake_at(at);
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: ErrorCode,
    message: Cow<'static, str>,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    fn message(&self) -> Option<Str> {
        (!self.message.is_empty()).then(|| Str::from(&*self.message))
    }
}

/// The consumer group that a group is, if it is one.
fn consumer_of(group: &Group) -> Option<&ConsumerGroup> {
    match &group.kind {
        GroupKind::Consumer(consumer) => Some(consumer),
        GroupKind::Classic(_) => None,
    }
}

/// How long a member may stay silent.
fn session_timeout(member: &Member, group_id: &Str, turn: &Turn<'_>) -> Duration {
    match &member.classic {
        Some(classic) => millis(classic.session_timeout_ms),
        None => turn.config.consumer_group(group_id).session_timeout,
    }
}

/// Milliseconds of the wire; none for negative ones.
fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Hands a draft's records over to be written, unless they do not fit their batches. The group is a consumer group from
/// then on, whatever it was.
fn commit<'a>(
    draft: Draft,
    group: &'a mut Group,
    turn: &mut Turn<'_>,
) -> Result<&'a mut ConsumerGroup, Refusal> {
    if !draft.fits(turn.config.batch_len_max_bytes) {
        return Err(Refusal::new(
            ErrorCode::UnknownServerError,
            "The group's records do not fit one batch of the offsets topic.",
        ));
    }
    if let GroupKind::Classic(classic) = &mut group.kind {
        classic.abandon(turn);
        let mut consumer = ConsumerGroup::default();
        for member in draft.state.members.values() {
            let session = session_timeout(member, &draft.group_id, turn);
            consumer
                .soft
                .heard_of(&member.member_id, turn.context.now, session);
        }
        group.kind = GroupKind::Consumer(consumer);
    }
    let GroupKind::Consumer(consumer) = &mut group.kind else {
        unreachable!("it was just made one");
    };
    consumer.soft.looked.clone_from(&draft.looked);
    if !consumer.is_empty() {
        // Until the last member goes, this is the last time at which there was one.
        consumer.soft.empty_since = Some(turn.context.wall_clock);
    }
    if draft.epochs_raised > 0 {
        let rebalance = Happened::Rebalance {
            generation: draft.state.epoch,
            members: draft.state.members.size(),
            reason: "its members have changed, or the topics that they subscribe to",
        };
        turn.out.note(&draft.group_id, rebalance);
    }
    turn.counters.consumer_rebalances += draft.epochs_raised;
    turn.counters.consumer_partitions_moved += draft.partitions_moved;
    if !draft.records.is_empty() {
        consumer.watch_rebalance(&draft, turn);
    }
    turn.write_all(draft.records, &draft.breaks);
    Ok(consumer)
}
