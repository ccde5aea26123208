//! The registry of a coordinator's groups, and who handles what.
//!
//! Deadlines are kept for whole groups: [`Group::wake_at`] may be too early, which costs a look, and never too late.

mod administration;
mod deadlines;
mod dispatch;
mod facts;
mod listing;
mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::Str;

use crate::config::GroupConfig;
use crate::consumer::ConsumerGroup;
use crate::context::{Caller, Context, Instant};
use crate::counters::Counters;
use crate::decision::{Decision, Request};
use crate::group::{Group, GroupKind, Turn};
use crate::memory::{Account, Entry, MemoryShares};
use crate::record::GroupRecord;
use deadlines::Sweep;

pub use facts::GroupFacts;
pub use listing::{GroupFilter, ListedPart};

/// The state of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct GroupCoordinator {
    config: Rc<GroupConfig>,
    groups: BTreeMap<Str, Group>,
    /// When which group is looked at: its [`Group::wake_at`].
    deadlines: BTreeSet<(Instant, Str)>,
    /// What the groups take in memory.
    account: Account,
    counters: Counters,
    /// Offsets that have expired.
    retention: Sweep,
    /// Topics that have come, gone or grown.
    topics: Sweep,
    /// Which of the two goes on next if both are due.
    is_turn_of_retention: bool,
}

/// How many groups of which kind there are, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Classic groups and those that only have offsets, by Kafka's names of their states.
    pub classic: BTreeMap<&'static str, usize>,
    /// Consumer groups, by Kafka's names of their states.
    pub consumer: BTreeMap<&'static str, usize>,
    /// Partitions for which an offset is committed.
    pub offsets: usize,
}

impl GroupCoordinator {
    /// A coordinator of an empty log. With a log that is not empty: [`GroupCoordinator::apply`] of all its records,
    /// then [`GroupCoordinator::loaded`]; `loaded` also of an empty one, and only then anything else.
    #[must_use]
    pub fn new(config: GroupConfig) -> Self {
        Self::beside(Rc::new(config), MemoryShares::default())
    }

    /// The same, of one that shares its configuration with others, and its bound of memory with those that have these
    /// shares.
    #[must_use]
    pub fn beside(config: Rc<GroupConfig>, shares: MemoryShares) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            account: Account::new(shares),
            counters: Counters::default(),
            retention: Sweep::default(),
            topics: Sweep::default(),
            is_turn_of_retention: false,
        }
    }

    /// Decides about a request. The reply may come with this decision or, for one that waits, with a later one; in the
    /// end every request gets one.
    pub fn decide(&mut self, context: &Context<'_>, caller: &Caller, request: Request) -> Decision {
        let mut decision = Decision::default();
        self.dispatch(context, caller, request, &mut decision);
        decision
    }

    /// Changes durable state. The host applies the records of each decision at once, in order, and at loading those
    /// of the newest snapshot and then of the log behind it. Tombstones of what is not there change nothing.
    pub fn apply(&mut self, record: &GroupRecord) {
        self.apply_all(std::slice::from_ref(record));
    }

    /// Does what [`GroupCoordinator::apply`] would do with one record after the other. Records of one group in a row
    /// share the look-up of their group, which is what loading a million of them is made of.
    pub fn apply_all(&mut self, records: &[GroupRecord]) {
        let mut left = records;
        while let Some((first, others)) = left.split_first() {
            let id = first.group_id();
            if !self.groups.contains_key(id) {
                if first.is_tombstone() {
                    left = others;
                    continue;
                }
                // Whoever made it is not known any more; whoever uses it next will count as that.
                self.insert(id, Entry::default());
            }
            let Some(group) = self.groups.get_mut(id) else {
                return;
            };
            let (applied, is_vacant) = group.apply_run(left);
            self.account.settle(group);
            left = left.get(applied..).unwrap_or_default();
            if is_vacant {
                self.forget(id);
            }
        }
    }

    /// The longest batch that it may have written, in bytes; decisions that only delete need not keep to it.
    #[must_use]
    pub fn batch_len_max_bytes(&self) -> usize {
        self.config.batch_len_max_bytes
    }

    /// Holds groups to another configuration from now on. Sessions that run keep their length.
    pub fn configure(&mut self, config: Rc<GroupConfig>) {
        self.config = config;
    }

    /// All groups, also those that have nothing but offsets, in ascending order.
    pub fn group_ids(&self) -> impl Iterator<Item = &Str> {
        self.groups.keys()
    }

    /// Records that rebuild what is durable of a group, its offsets included, in an order in which they can be
    /// applied; none for a group that is not there.
    #[must_use]
    pub fn snapshot_of(&self, group_id: &str) -> Vec<GroupRecord> {
        let mut records = Vec::new();
        if let Some(group) = self.groups.get(group_id) {
            match &group.kind {
                GroupKind::Classic(classic) => classic.snapshot(&group.id, &mut records),
                GroupKind::Consumer(consumer) => consumer.snapshot(&group.id, &mut records),
            }
            group.offsets.snapshot(&group.id, &mut records);
        }
        records
    }

    /// What was done since this coordinator was made.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes that all groups take in memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.account.used_bytes()
    }

    /// How many groups there are. It takes no longer the more there are.
    #[must_use]
    pub fn census(&self) -> Census {
        let mut census = Census {
            offsets: self.account.offsets(),
            ..Census::default()
        };
        for ((kind, state), count) in self.account.kinds() {
            let states = if kind == "classic" {
                &mut census.classic
            } else {
                &mut census.consumer
            };
            states.insert(state, count);
        }
        census
    }

    /// Works on a group, if it is there.
    fn with_group<R>(
        &mut self,
        context: &Context<'_>,
        out: &mut Decision,
        id: &Str,
        work: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        self.with_group_for(context, out, (id, &Str::default()), work)
    }

    /// The same for this user.
    fn with_group_for<R>(
        &mut self,
        context: &Context<'_>,
        out: &mut Decision,
        (id, user): (&Str, &Str),
        work: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let room_bytes = self.room_bytes(context);
        let group = self.groups.get_mut(id)?;
        let room_bytes = self.account.growth_bytes(&group.entry, user, room_bytes);
        let mut turn = Turn {
            context,
            config: &self.config,
            out,
            counters: &mut self.counters,
            room_bytes,
            left_bytes: group.entry.left_bytes(),
            wake_at: None,
        };
        let written = turn.out.records.len();
        let result = work(group, &mut turn);
        let wake_at = turn.wake_at;
        self.account.settle(group);
        let records = out.records.iter().skip(written);
        let begins = records.into_iter().any(|record| !record.is_tombstone());
        if group.is_vacant() && !begins {
            self.forget(id);
        } else if let Some(at) = wake_at
            && group.wake_at.is_none_or(|earlier| at < earlier)
        {
            if let Some(earlier) = group.wake_at.replace(at) {
                self.deadlines.remove(&(earlier, group.id.clone()));
            }
            self.deadlines.insert((at, group.id.clone()));
        }
        Some(result)
    }

    /// Works on a group, which is made for this caller if it is not there, and forgotten again if nothing came of it.
    /// `None` if there is no room for it.
    fn with_new_group<R>(
        &mut self,
        context: &Context<'_>,
        out: &mut Decision,
        (id, caller): (&Str, &Caller),
        work: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        if self.groups.contains_key(id) {
            self.make_room(context, out, (id, &caller.client_host));
        } else if self.admit(context, out, id, &caller.client_host) {
            self.insert(id, Entry::of(&caller.client_host));
        } else {
            self.counters.memory_refusals += 1;
            return None;
        }
        let written = out.records.len();
        let used_bytes = self.groups.get(id).map(|group| group.entry.used_bytes());
        let result = self.with_group_for(context, out, (id, &caller.client_host), work);
        let records = out.records.get(written..).unwrap_or_default();
        self.adopt((id, used_bytes), &caller.client_host, records);
        result
    }

    fn insert(&mut self, id: &Str, entry: Entry) {
        let id = id.detached();
        let mut group = Group::new(id.clone(), entry);
        self.account.settle(&mut group);
        self.groups.insert(id, group);
    }

    /// Forgets a group and its deadline.
    fn forget(&mut self, id: &Str) {
        let Some(group) = self.groups.remove(id) else {
            return;
        };
        self.account.forget(&group);
        if let Some(at) = group.wake_at {
            self.deadlines.remove(&(at, group.id));
        }
    }
}

impl Group {
    /// Applies the records at the beginning that are its own, up to the one that leaves nothing of it. Returns how many,
    /// and whether nothing is left.
    fn apply_run(&mut self, records: &[GroupRecord]) -> (usize, bool) {
        for (index, record) in records.iter().enumerate() {
            if *record.group_id() != self.id {
                return (index, false);
            }
            self.apply(record);
            if self.is_vacant() {
                return (index + 1, true);
            }
        }
        (records.len(), false)
    }

    /// Changes what is durable.
    fn apply(&mut self, record: &GroupRecord) {
        match (record, &mut self.kind) {
            (GroupRecord::OffsetCommit { key, value }, _) => {
                self.offsets.apply(key, value.as_ref())
            }
            (GroupRecord::GroupMetadata { value, .. }, GroupKind::Classic(classic)) => {
                classic.apply(value.as_ref());
            }
            // An upgrade's tombstone, met after its decision has made the group one of consumers.
            (GroupRecord::GroupMetadata { value: None, .. }, GroupKind::Consumer(_)) => {}
            (GroupRecord::GroupMetadata { value, .. }, GroupKind::Consumer(_)) => {
                self.kind = GroupKind::default();
                if let GroupKind::Classic(classic) = &mut self.kind {
                    classic.apply(value.as_ref());
                }
            }
            (record, GroupKind::Consumer(consumer)) => {
                consumer.apply(record);
                if consumer.is_vacant() {
                    self.kind = GroupKind::default();
                }
            }
            // A downgrade's tombstones, met after its decision has made the group a classic one.
            (record, GroupKind::Classic(_)) if record.is_tombstone() => {}
            (record, GroupKind::Classic(_)) => {
                let mut consumer = ConsumerGroup::default();
                consumer.apply(record);
                self.kind = GroupKind::Consumer(consumer);
            }
        }
    }
}
