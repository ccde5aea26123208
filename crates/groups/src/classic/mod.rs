//! Classic groups: JoinGroup, SyncGroup, Heartbeat and LeaveGroup.
//!
//! What the log says of a group ([`ClassicGroup::durable`]) is kept beside what its members are doing now. The former
//! changes through [`ClassicGroup::apply`] alone and is all that a restart keeps; the latter changes with requests and
//! deadlines, and is derived from the former by [`ClassicGroup::restore`] when the coordinator is loaded.
//!
//! # Invariants
//! - In Stable, members, generation, protocol and assignments are what the log says.
//! - Every waiting JoinGroup or SyncGroup is answered once: when the phase ends, or when its member is removed,
//!   replaced, or asks again.
//! - `supported` counts, for each protocol, the members that support it; `awaiting_join` counts members that wait.
//! - A group in PreparingRebalance has a join deadline, one in CompletingRebalance a sync deadline.
//!
//! Source: KIP-62, KIP-134, KIP-345, KIP-394, KIP-559, KIP-814; `ClassicGroup` of Apache Kafka 4.3.1.

mod convert;
mod heartbeat;
mod join;
mod leave;
mod member;
mod pending;
mod protocols;
mod rebalance;
mod roster;
mod sync;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use protocol::Str;
use protocol::messages::group_metadata_value::MemberMetadata;
use protocol::messages::{GroupMetadataKey, GroupMetadataValue, OffsetCommitRequest};
use types::{ErrorCode, TimestampMs};

use crate::context::{Caller, Instant};
use crate::group::Turn;
use crate::memory::{CLASSIC_MEMBERS_BYTES, ITEM_BYTES};
use crate::record::GroupRecord;

pub(crate) use heartbeat::heartbeat;
pub(crate) use join::{KNOWN_MEMBER_ID_VERSION, join, refused};
pub(crate) use leave::{BATCHED_LEAVE_VERSION, leave, respond as respond_to_leave};
use member::Member;
pub use member::join_group_error;
pub(crate) use member::{in_version, rebalance_timeout_ms};
use pending::PendingIds;
pub(crate) use rebalance::on_deadline;
pub(crate) use sync::sync;
pub(crate) use view::RetentionFrom;

/// The protocol type of consumers.
pub(crate) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// How long a member that just joined may wait for its first rebalance, whatever its session timeout.
///
/// Source: `group.coordinator`'s `CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`.
const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Sessions end at multiples of this.
const SESSION_GRAIN: Duration = Duration::from_millis(10);

/// The shortest time that members get for a phase of a rebalance, whatever they ask for. With none at all, a group
/// whose static members are all away would begin its join phase anew in an endless loop.
const REBALANCE_TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Members of one group, whatever `group.max.size` says. A group's record must fit one batch, so far fewer would fail
/// at their first SyncGroup; this keeps the way there bounded.
const MEMBERS_MAX: usize = 10_000;

/// Members of one group that were given an id and have not come back with it.
const PENDING_MEMBERS_MAX: usize = 10_000;

/// What the protocols of all members of a group may take, in batches of the log. Only one protocol of each reaches the
/// log, in one batch.
const PROTOCOLS_LEN_MAX_BATCHES: usize = 8;

/// Where a group is. Kafka's Dead does not occur: a group that is deleted is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// No members; perhaps offsets.
    #[default]
    Empty,
    /// Members are to join, again or for the first time.
    PreparingRebalance,
    /// All have joined, and the leader's assignment is awaited.
    CompletingRebalance,
    /// Members have their assignments.
    Stable,
}

impl State {
    /// Kafka's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// When the phase in which members join ends at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JoinDeadline {
    /// The first rebalance of an empty group: whenever members were added it is put off by `delay`, as long as
    /// `remaining` lasts.
    Initial {
        at: Instant,
        delay: Duration,
        remaining: Duration,
    },
    /// Any other: dynamic members that have not joined by then are removed.
    Rebalance { at: Instant },
}

impl JoinDeadline {
    fn at(self) -> Instant {
        match self {
            Self::Initial { at, .. } | Self::Rebalance { at } => at,
        }
    }
}

/// The members of a classic group.
#[derive(Debug, Default)]
pub(crate) struct ClassicGroup {
    /// What the log says; `None` if nothing was written, or a tombstone.
    durable: Option<GroupMetadataValue>,
    durable_bytes: usize,
    state: State,
    previous_state: Option<State>,
    state_since: Option<TimestampMs>,
    generation: i32,
    protocol_type: Option<Str>,
    protocol: Option<Str>,
    leader: Option<Str>,
    members: BTreeMap<Str, Member>,
    /// Member ids by instance id.
    static_members: BTreeMap<Str, Str>,
    pending: PendingIds,
    /// Members that have not sent SyncGroup in this generation.
    pending_sync: BTreeSet<Str>,
    supported: BTreeMap<Str, usize>,
    awaiting_join: usize,
    protocols_len_bytes: usize,
    /// Bytes that the members take, roughly, what they are assigned not included.
    members_bytes: usize,
    /// What consumers subscribe to; `None` if that is not known.
    subscribed_topics: Option<BTreeSet<Str>>,
    subscribed_bytes: usize,
    new_member_added: bool,
    /// When members were told to join, until they have their assignments.
    rebalance_began: Option<Instant>,
    join_deadline: Option<JoinDeadline>,
    sync_deadline: Option<Instant>,
}

impl ClassicGroup {
    /// Whether nothing is known of it.
    pub(crate) fn is_vacant(&self) -> bool {
        self.durable.is_none()
            && self.state == State::Empty
            && self.members.is_empty()
            && self.pending.is_empty()
    }

    /// Whether it has neither members nor ids that were given out, so that it may be deleted on its own account.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Empty && self.pending.is_empty()
    }

    /// How many members it has.
    pub(crate) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is in it, whoever was given an id.
    pub(crate) fn has_no_members(&self) -> bool {
        self.state == State::Empty && self.members.is_empty()
    }

    /// Bytes that it takes in memory, roughly. Members have what the log says that they are assigned.
    pub(crate) fn memory_bytes(&self) -> usize {
        let some = if self.members.is_empty() {
            0
        } else {
            CLASSIC_MEMBERS_BYTES
        };
        some + self.members_bytes
            + 2 * self.durable_bytes
            + self.subscribed_bytes
            + self.pending.memory_bytes()
    }

    /// Bytes by which a record with assignments lets it grow.
    fn growth_bytes(&self, record: &GroupRecord) -> usize {
        match record {
            GroupRecord::GroupMetadata {
                value: Some(value), ..
            } => 2 * durable_bytes(value).saturating_sub(self.durable_bytes),
            _ => 0,
        }
    }

    /// What the log says about the group from now on.
    pub(crate) fn apply(&mut self, value: Option<&GroupMetadataValue>) {
        self.durable = value.map(detached);
        self.durable_bytes = value.map_or(0, durable_bytes);
    }

    /// The record that rebuilds what the log says, if it says anything.
    pub(crate) fn snapshot(&self, group_id: &Str, records: &mut Vec<GroupRecord>) {
        if let Some(value) = &self.durable {
            let value = Some(value.clone());
            records.push(metadata_record(group_id, value));
        }
    }

    /// The record that deletes the group.
    pub(crate) fn tombstones(&self, group_id: &Str, records: &mut Vec<GroupRecord>) {
        if self.durable.is_some() {
            records.push(metadata_record(group_id, None));
        }
    }

    /// Makes the group what the log says of it: Empty without members, else Stable with sessions that begin now.
    /// Whatever was soft is gone; nobody may be waiting.
    pub(crate) fn restore(&mut self, value: &GroupMetadataValue, turn: &mut Turn<'_>) {
        *self = Self {
            durable: self.durable.take(),
            durable_bytes: self.durable_bytes,
            state_since: Some(TimestampMs(value.current_state_timestamp))
                .filter(|since| *since != TimestampMs::NONE),
            generation: value.generation,
            protocol_type: Some(value.protocol_type.clone()).filter(|kind| !kind.is_empty()),
            protocol: value.protocol.clone(),
            leader: value.leader.clone(),
            ..Self::default()
        };
        let protocol = value.protocol.clone().unwrap_or_default();
        for metadata in &value.members {
            let member = Member::restored(metadata, &protocol);
            // A log may name one twice that no coordinator of ours has written. As in Kafka, the last one is it.
            self.make_place(&member, turn);
            self.insert(member);
        }
        let leads = |leader: &Str| self.members.contains_key(leader);
        self.leader = value.leader.clone().filter(leads);
        self.leader = self
            .leader
            .take()
            .or_else(|| self.members.keys().next().cloned());
        if !self.members.is_empty() {
            self.state = State::Stable;
        }
        self.update_subscribed_topics();
        let ids: Vec<Str> = self.members.keys().cloned().collect();
        for id in &ids {
            self.begin_session(id, turn);
        }
    }

    /// Begins sessions after the log was replayed. A group with more members than are allowed by now rebalances, so
    /// that it shrinks.
    pub(crate) fn loaded(&mut self, group_id: &Str, turn: &mut Turn<'_>) {
        let Some(durable) = self.durable.clone() else {
            return;
        };
        self.restore(&durable, turn);
        if self.members.len() > members_max(turn) {
            rebalance::prepare(self, group_id, turn, "more members than are allowed");
        }
    }

    /// Whether this commit may be taken.
    pub(crate) fn check_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        if generation < 0 && self.state == State::Empty {
            // Assigned by hand: nobody but the caller knows whether it is right.
            return Ok(());
        }
        let instance_id = request.group_instance_id.as_deref();
        if generation < 0 && request.member_id.is_empty() && instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.check_member(&request.member_id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.state == State::CompletingRebalance {
            // The member knows the new generation, but not what it is assigned.
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    /// A commit that was taken shows that its member lives.
    pub(crate) fn committed(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        if matches!(self.state, State::Stable | State::PreparingRebalance) {
            self.begin_session(member_id, turn);
        }
    }

    /// Whether a member of this id, and of this instance id if it has one, is there.
    fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if *current != *member_id => {
                    return Err(ErrorCode::FencedInstanceId);
                }
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(ErrorCode::UnknownMemberId)
        }
    }

    /// Begins a member's session anew.
    fn begin_session(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get_mut(member_id) {
            let ends = session_end(turn, member.session_timeout());
            member.session_ends = Some(ends);
            turn.wake_at(ends);
        }
    }

    /// The longest rebalance timeout of its members.
    fn rebalance_timeout(&self) -> Duration {
        let longest = self
            .members
            .values()
            .map(|member| member.rebalance_timeout_ms);
        member::span_ms(longest.max().unwrap_or(0)).max(REBALANCE_TIMEOUT_MIN)
    }

    fn move_to(&mut self, state: State, turn: &Turn<'_>) {
        self.previous_state = Some(self.state);
        self.state = state;
        self.state_since = Some(turn.context.wall_clock);
    }

    /// The record of the group with these assignments.
    fn to_record(&self, group_id: &Str, assignment: impl Fn(&Member) -> Bytes) -> GroupRecord {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = self.members.values();
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_since.unwrap_or(TimestampMs::NONE).0,
            members: members
                .map(|member| member.to_record(&protocol, assignment(member)))
                .collect(),
        };
        metadata_record(group_id, Some(value))
    }
}

/// When a session of this length ends that begins now. Rounding it up lets many members that began it one after the
/// other be looked at together.
fn session_end(turn: &Turn<'_>, span: Duration) -> Instant {
    let Instant(end) = turn.context.now.after(span);
    let beyond = end.as_nanos() % SESSION_GRAIN.as_nanos();
    let beyond = Duration::from_nanos(u64::try_from(beyond).unwrap_or(0));
    if beyond.is_zero() {
        Instant(end)
    } else {
        Instant(end.saturating_add(SESSION_GRAIN.saturating_sub(beyond)))
    }
}

/// How many members a group may have.
pub(crate) fn members_max(turn: &Turn<'_>) -> usize {
    turn.config.classic_members_max.min(MEMBERS_MAX)
}

/// The record that brings a group into the log before it has members. One that [takes the place of
/// another](ClassicGroup::after) goes on being empty since then.
fn first_record(group: &ClassicGroup, group_id: &Str, now: TimestampMs) -> GroupRecord {
    let value = GroupMetadataValue {
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol: None,
        leader: None,
        current_state_timestamp: group.state_since.unwrap_or(now).0,
        ..GroupMetadataValue::default()
    };
    metadata_record(group_id, Some(value))
}

fn metadata_record(group_id: &Str, value: Option<GroupMetadataValue>) -> GroupRecord {
    let group = group_id.clone();
    GroupRecord::GroupMetadata {
        key: GroupMetadataKey { group },
        value,
    }
}

/// The same in memory of its own: a record that was read is a slice of its batch.
fn detached(value: &GroupMetadataValue) -> GroupMetadataValue {
    let text = |text: &Option<Str>| text.as_ref().map(Str::detached);
    let members = value.members.iter().map(|member| MemberMetadata {
        member_id: member.member_id.detached(),
        group_instance_id: text(&member.group_instance_id),
        client_id: member.client_id.detached(),
        client_host: member.client_host.detached(),
        subscription: Bytes::copy_from_slice(&member.subscription),
        assignment: Bytes::copy_from_slice(&member.assignment),
        ..*member
    });
    GroupMetadataValue {
        protocol_type: value.protocol_type.detached(),
        protocol: text(&value.protocol),
        leader: text(&value.leader),
        members: members.collect(),
        ..*value
    }
}

/// Bytes that a record takes in memory, roughly; no less than its members' assignments.
fn durable_bytes(value: &GroupMetadataValue) -> usize {
    let members = value.members.iter().map(|member| {
        ITEM_BYTES
            + member.member_id.len()
            + member.group_instance_id.as_ref().map_or(0, |id| id.len())
            + member.client_id.len()
            + member.client_host.len()
            + member.subscription.len()
            + member.assignment.len()
    });
    ITEM_BYTES + value.protocol_type.len() + members.sum::<usize>()
}

/// The most bytes of a client id that go into a member id: with the rest it must fit Kafka's strings.
const MEMBER_ID_PREFIX_MAX_BYTES: usize = 1_024;

/// A new member's id: its instance id or else its client id, and something random.
pub(crate) fn new_member_id(caller: &Caller, instance_id: Option<&Str>, turn: &Turn<'_>) -> Str {
    let prefix = instance_id.map_or(&*caller.client_id, |id| &**id);
    let cut = prefix.floor_char_boundary(MEMBER_ID_PREFIX_MAX_BYTES);
    let (prefix, _rest) = prefix.split_at(cut);
    let [a, b, c, d, e, f, g, h, rest @ ..] = turn.context.random.0;
    let tail = rest.map(|byte| format!("{byte:02x}"));
    let [i, j, node @ ..] = &tail;
    Str::from(format!(
        "{prefix}-{a:02x}{b:02x}{c:02x}{d:02x}-{e:02x}{f:02x}-{g:02x}{h:02x}-{i}{j}-{}",
        node.concat()
    ))
}
