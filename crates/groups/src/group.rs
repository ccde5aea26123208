//! One group of any kind: its offsets, and its members if it has any.
//!
//! A group that has committed offsets but neither members nor a record of its own is what Kafka calls a simple
//! group; here it is a classic group that nothing was written about.

use protocol::Str;

use crate::classic::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, RetentionFrom};
use crate::config::GroupConfig;
use crate::consumer::ConsumerGroup;
use crate::context::{Caller, Context, Instant};
use crate::counters::Counters;
use crate::decision::{Decision, Reply};
use crate::memory::{Entry, GROUP_BYTES};
use crate::offsets::GroupOffsets;
use crate::record::GroupRecord;

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its id.
    pub(crate) id: Str,
    /// What it has committed.
    pub(crate) offsets: GroupOffsets,
    /// Its members.
    pub(crate) kind: GroupKind,
    /// When it is looked at next; an entry of the coordinator's deadlines. Never later than its first deadline.
    pub(crate) wake_at: Option<Instant>,
    /// What the coordinator's account knows of it.
    pub(crate) entry: Entry,
}

/// The members of a group, by the protocol that they speak.
#[derive(Debug)]
pub(crate) enum GroupKind {
    /// JoinGroup and SyncGroup, or no members at all.
    Classic(ClassicGroup),
    /// KIP-848. Its members may speak the classic protocol while it is being upgraded.
    Consumer(ConsumerGroup),
}

impl Default for GroupKind {
    fn default() -> Self {
        Self::Classic(ClassicGroup::default())
    }
}

impl Group {
    /// A group of which nothing is known yet.
    pub(crate) fn new(id: Str, entry: Entry) -> Self {
        Self {
            id,
            offsets: GroupOffsets::default(),
            kind: GroupKind::default(),
            wake_at: None,
            entry,
        }
    }

    /// Bytes that it takes in memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        GROUP_BYTES + self.id.len() + self.offsets.memory_bytes() + self.members_bytes()
    }

    /// Bytes of that which its members take.
    pub(crate) fn members_bytes(&self) -> usize {
        match &self.kind {
            GroupKind::Classic(classic) => classic.memory_bytes(),
            GroupKind::Consumer(consumer) => consumer.memory_bytes(),
        }
    }

    /// Whether it has neither members nor offsets, so that nobody misses anything without it.
    pub(crate) fn has_nothing_to_lose(&self) -> bool {
        self.offsets.is_empty()
            && match &self.kind {
                GroupKind::Classic(classic) => classic.has_no_members(),
                GroupKind::Consumer(consumer) => consumer.is_empty(),
            }
    }

    /// Whether nothing is left of it, so that it need not be remembered.
    pub(crate) fn is_vacant(&self) -> bool {
        self.offsets.is_empty()
            && match &self.kind {
                GroupKind::Classic(classic) => classic.is_vacant(),
                GroupKind::Consumer(consumer) => consumer.is_vacant(),
            }
    }

    /// Kafka's name of its state.
    pub(crate) fn state_name(&self) -> &'static str {
        match &self.kind {
            GroupKind::Classic(classic) => classic.state_name(),
            GroupKind::Consumer(consumer) => consumer.state_name(),
        }
    }

    /// Kafka's name of its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match &self.kind {
            GroupKind::Classic(_) => "classic",
            GroupKind::Consumer(_) => "consumer",
        }
    }

    /// Its type and, so far as it is known without looking at its members, its state.
    pub(crate) fn census_kind(&self) -> (&'static str, &'static str) {
        let state = match &self.kind {
            GroupKind::Classic(classic) => classic.state_name(),
            GroupKind::Consumer(consumer) => consumer.census_state_name(),
        };
        (self.type_name(), state)
    }

    /// Its protocol type; empty if it only has offsets.
    pub(crate) fn protocol_type(&self) -> Str {
        match &self.kind {
            GroupKind::Classic(classic) => classic.protocol_type(),
            GroupKind::Consumer(_) => Str::from_static(CONSUMER_PROTOCOL_TYPE),
        }
    }

    /// Whether a member subscribes to the topic, so that its offsets are kept.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        match &self.kind {
            GroupKind::Classic(classic) => classic.is_subscribed(topic),
            GroupKind::Consumer(consumer) => consumer.is_subscribed(topic),
        }
    }

    /// From when on offsets of topics that nobody subscribes to are kept for the retention time.
    pub(crate) fn retention_from(&self) -> RetentionFrom {
        match &self.kind {
            GroupKind::Classic(classic) => classic.retention_from(),
            GroupKind::Consumer(consumer) => consumer.retention_from(),
        }
    }

    /// Records that delete all but its offsets.
    pub(crate) fn tombstones(&self, records: &mut Vec<GroupRecord>) {
        match &self.kind {
            GroupKind::Classic(classic) => classic.tombstones(&self.id, records),
            GroupKind::Consumer(consumer) => consumer.tombstones(&self.id, records),
        }
    }

    /// The earliest time at which something happens on its own.
    pub(crate) fn earliest_deadline(&self) -> Option<Instant> {
        match &self.kind {
            GroupKind::Classic(classic) => classic.earliest_deadline(),
            GroupKind::Consumer(consumer) => consumer.earliest_deadline(),
        }
    }
}

/// One call's work on one group: what it may look at, and what it decides.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    /// Time, randomness and topics.
    pub(crate) context: &'a Context<'a>,
    /// The configuration.
    pub(crate) config: &'a GroupConfig,
    /// What is decided.
    pub(crate) out: &'a mut Decision,
    /// What is counted.
    pub(crate) counters: &'a mut Counters,
    /// Bytes that the group may take more than it does, and of those that members have left behind, which are for members.
    pub(crate) room_bytes: usize,
    pub(crate) left_bytes: usize,
    /// The earliest deadline that this call has set.
    pub(crate) wake_at: Option<Instant>,
}

impl Turn<'_> {
    /// Notes that the group has a deadline at `at`. Every deadline that is set must be noted, one that is taken back
    /// or moved further away need not.
    pub(crate) fn wake_at(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Whether the group may grow by so many bytes, which are taken then. A request whose growth may not be is counted.
    pub(crate) fn has_room_for(&mut self, bytes: usize) -> bool {
        let left_bytes = self.room_bytes.checked_sub(bytes);
        self.counters.memory_refusals += u64::from(left_bytes.is_none());
        self.room_bytes = left_bytes.unwrap_or(self.room_bytes);
        left_bytes.is_some()
    }

    /// The same of its members, and what they are assigned: they may have what others have left behind.
    pub(crate) fn has_room_for_members(&mut self, bytes: usize) -> bool {
        let left_bytes = self.left_bytes.min(bytes);
        let fits = self.has_room_for(bytes - left_bytes);
        self.left_bytes -= if fits { left_bytes } else { 0 };
        fits
    }

    /// Writes a record.
    pub(crate) fn write(&mut self, record: GroupRecord) {
        self.out.records.push(record);
    }

    /// Writes records, of which further batches begin at these indexes.
    pub(crate) fn write_all(&mut self, records: Vec<GroupRecord>, breaks: &[usize]) {
        let first = self.out.records.len();
        let breaks = breaks.iter().map(|at| first + at);
        self.out.breaks.extend(breaks);
        self.out.records.extend(records);
    }

    /// Answers a request, once what was written is durable.
    pub(crate) fn reply(&mut self, caller: &Caller, reply: Reply) {
        self.out.reply(caller.ticket, reply);
    }
}
