//! What the log says about a consumer group.
//!
//! The maps share their unchanged parts with their clones, so that a decision works on a [draft](super::draft) of the state
//! that costs nothing to make: each record is applied to the draft as it is written, and the next step looks at the result.
//!
//! # Invariants
//! - The counts are those of the members, and `owners` names for each partition the one member that holds it.
//! - State changes through [`State::apply`] alone, on whose order nothing depends but what the log itself orders.

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::Str;
use protocol::messages::{
    ConsumerGroupMemberMetadataValue, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberValue,
};
use rpds::RedBlackTreeMap;
use types::Uuid;

use super::member::Member;
use super::names::{NameLists, Names};
use crate::assignor::Assignment;
use crate::memory::{HELD_BYTES, ITEM_BYTES, TARGET_BYTES, TARGET_PARTITION_BYTES};
use crate::record::GroupRecord;

type Map<K, V> = RedBlackTreeMap<K, V>;

/// The epoch of a group that nothing has happened to, as in Kafka since 4.1: its first member is assigned even if it
/// subscribes to nothing.
const FIRST_EPOCH: i32 = 1;

/// The durable state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// Whether the log says anything about the group.
    pub(super) exists: bool,
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    /// The group epoch that the target assignment was made for.
    pub(super) target_epoch: i32,
    /// When, in milliseconds since the Unix epoch; 0 if never.
    pub(super) target_timestamp: i64,
    pub(super) members: Map<Str, Rc<Member>>,
    pub(super) targets: Map<Str, Rc<Assignment>>,
    /// Member ids by instance id.
    statics: Map<Str, Str>,
    owners: Map<(Uuid, i32), Str>,
    /// The topics that members name.
    pub(super) names: NameLists,
    /// How many members subscribe by each expression, ask for each assignor, know each classic protocol.
    pub(super) regexes: Map<Str, usize>,
    assignors: Map<Str, usize>,
    classic_protocols: Map<Str, usize>,
    pub(super) classic_members: usize,
    /// Bytes that all members take in memory, roughly, without what they are assigned and the topics that they name.
    members_len_bytes: usize,
    /// Bytes that the target assignment takes, and what members hold.
    targets_bytes: usize,
    held_bytes: usize,
    /// Bytes that `resolved` takes.
    resolved_bytes: usize,
    /// What expressions stand for.
    pub(super) resolved: Map<Str, Rc<ConsumerGroupRegularExpressionValue>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            exists: false,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            target_epoch: 0,
            target_timestamp: 0,
            members: Map::new(),
            targets: Map::new(),
            statics: Map::new(),
            owners: Map::new(),
            names: NameLists::default(),
            regexes: Map::new(),
            assignors: Map::new(),
            classic_protocols: Map::new(),
            classic_members: 0,
            members_len_bytes: 0,
            targets_bytes: 0,
            held_bytes: 0,
            resolved_bytes: 0,
            resolved: Map::new(),
        }
    }
}

impl State {
    /// Bytes that it takes in memory, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        self.members_bytes() + self.targets_bytes + self.held_bytes + self.resolved_bytes
    }

    /// Bytes of that which members take, and the topics that they name.
    pub(super) fn members_bytes(&self) -> usize {
        self.members_len_bytes + self.names.bytes()
    }

    /// Bytes of that which targets and partitions that are held take.
    pub(super) fn assigned_bytes(&self) -> usize {
        self.targets_bytes + self.held_bytes
    }

    pub(super) fn member(&self, member_id: &str) -> Option<&Rc<Member>> {
        self.members.get(member_id)
    }

    /// The member that has this instance id.
    pub(super) fn static_member(&self, instance_id: &str) -> Option<&Rc<Member>> {
        self.members.get(&**self.statics.get(instance_id)?)
    }

    /// The member that holds a partition.
    pub(super) fn owner(&self, topic: Uuid, partition: i32) -> Option<&Str> {
        self.owners.get(&(topic, partition))
    }

    /// Whether some member subscribes to the topic, by name or by an expression.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        self.names.contains(topic)
            || self.regexes.keys().any(|regex| {
                self.resolved
                    .get(regex)
                    .is_some_and(|resolved| has(&resolved.topics, topic))
            })
    }

    /// All names that members subscribe to, also of topics that do not exist, in ascending order.
    pub(super) fn subscribed_names(&self) -> Vec<&Str> {
        let resolved = self
            .regexes
            .keys()
            .filter_map(|regex| self.resolved.get(regex))
            .flat_map(|resolved| &resolved.topics);
        let mut names: Vec<&Str> = self.names.iter().chain(resolved).collect();
        // Runs that are in order already are found: without expressions it is one.
        names.sort();
        names.dedup();
        names
    }

    /// Pairs of members and topics that they subscribe to, which an assignment has to look at; none where all subscribe to
    /// the same.
    pub(super) fn pairs(&self) -> usize {
        let by_regex = self.regexes.iter().map(|(regex, members)| {
            let resolved = self.resolved.get(regex.as_str());
            let all = *members == self.members.size();
            (
                resolved.map_or(0, |resolved| members * resolved.topics.len()),
                all,
            )
        });
        let (by_regex, all): (Vec<usize>, Vec<bool>) = by_regex.unzip();
        if self.names.lists() <= 1 && all.iter().all(|all| *all) {
            return 0;
        }
        self.names.mentions() + by_regex.iter().sum::<usize>()
    }

    /// What the expression of a member stands for, in ascending order.
    pub(super) fn resolved_of(&self, member: &Member) -> &[Str] {
        let resolved = member.regex().and_then(|regex| self.resolved.get(&**regex));
        resolved.map_or(&[], |resolved| &resolved.topics)
    }

    /// Whether one member subscribes to the topic of this name.
    pub(super) fn subscribes(&self, member: &Member, topic: &str) -> bool {
        member.names.has(topic) || has(self.resolved_of(member), topic)
    }

    /// A member that does not have yet what it is to have, `known` first; an empty id if that is being worked out
    /// still. `None` if the group is at rest.
    pub(super) fn laggard(&self, known: Option<&Str>) -> Option<Str> {
        if self.members.is_empty() {
            return None;
        }
        if self.epoch > self.target_epoch {
            return Some(Str::default());
        }
        let known = known.and_then(|known| self.members.get(&**known));
        known
            .into_iter()
            .chain(self.members.values())
            .find(|member| !member.is_reconciled_to(self.target_epoch))
            .map(|member| member.member_id.clone())
    }

    /// The assignor that most members ask for; the first by name of those with equally many.
    pub(super) fn preferred_assignor(&self) -> Option<&Str> {
        let most = *self.assignors.values().max()?;
        self.assignors
            .iter()
            .find(|(_, count)| **count == most)
            .map(|(name, _)| name)
    }

    /// Whether a member with these classic protocols, of which one is enough, can be together with the others.
    pub(super) fn supports_classic<'a>(
        &self,
        mut protocols: impl Iterator<Item = &'a Str>,
    ) -> bool {
        if self.members.is_empty() {
            return protocols.next().is_some();
        }
        protocols.any(|name| {
            self.classic_protocols.get(&**name).copied().unwrap_or(0) == self.classic_members
        })
    }

    /// Takes over a record. A tombstone of what is not there changes nothing.
    pub(super) fn apply(&mut self, record: &GroupRecord) {
        self.exists |= !record.is_tombstone();
        match record {
            GroupRecord::ConsumerGroupMetadata { value, .. } => match value {
                Some(value) => {
                    self.epoch = value.epoch;
                    self.metadata_hash = value.metadata_hash;
                }
                None => *self = Self::default(),
            },
            GroupRecord::ConsumerGroupMemberMetadata { key, value } => match value {
                Some(value) => self.set_subscription(&key.member_id, value),
                None => self.remove_member(&key.member_id),
            },
            GroupRecord::ConsumerGroupCurrentMemberAssignment { key, value } => match value {
                Some(value) => {
                    self.set_assignment(&key.member_id, |member| member.apply_assignment(value));
                }
                None => {
                    if self.members.contains_key(&*key.member_id) {
                        self.set_assignment(&key.member_id, Member::clear_assignment);
                    }
                }
            },
            GroupRecord::ConsumerGroupTargetAssignmentMember { key, value } => {
                self.set_target(&key.member_id, value.as_ref().map(target_of));
            }
            GroupRecord::ConsumerGroupTargetAssignmentMetadata { value, .. } => {
                let value = value.as_ref();
                self.target_epoch = value.map_or(0, |value| value.assignment_epoch);
                self.target_timestamp = value.map_or(0, |value| value.assignment_timestamp);
            }
            GroupRecord::ConsumerGroupRegularExpression { key, value } => {
                self.set_resolved(&key.regular_expression, value.as_ref());
            }
            // What versions before 4.1 wrote is replaced by the hash.
            GroupRecord::ConsumerGroupPartitionMetadata { .. }
            | GroupRecord::OffsetCommit { .. }
            | GroupRecord::GroupMetadata { .. } => {}
        }
    }

    fn set_target(&mut self, member_id: &Str, target: Option<Assignment>) {
        if let Some(before) = self.targets.get(&**member_id) {
            self.targets_bytes -= target_bytes(member_id, before);
            self.targets.remove_mut(&**member_id);
        }
        if let Some(target) = target {
            self.targets_bytes += target_bytes(member_id, &target);
            self.targets
                .insert_mut(member_id.detached(), Rc::new(target));
        }
    }

    fn set_resolved(&mut self, regex: &Str, value: Option<&ConsumerGroupRegularExpressionValue>) {
        if let Some(before) = self.resolved.get(&**regex) {
            self.resolved_bytes -= resolved_bytes(regex, &before.topics);
            self.resolved.remove_mut(&**regex);
        }
        if let Some(value) = value {
            let mut topics: Vec<Str> = value.topics.iter().map(Str::detached).collect();
            topics.sort_unstable();
            let resolved = ConsumerGroupRegularExpressionValue {
                topics,
                version: value.version,
                timestamp: value.timestamp,
            };
            self.resolved_bytes += resolved_bytes(regex, &resolved.topics);
            self.resolved
                .insert_mut(regex.detached(), Rc::new(resolved));
        }
    }

    /// Changes what a member says. What it holds is left alone.
    fn set_subscription(&mut self, member_id: &Str, value: &ConsumerGroupMemberMetadataValue) {
        // Before the old list goes: most names are in both.
        let names = self.names.add(&Names::of(&value.subscribed_topic_names));
        let old = self.members.get(&**member_id).map(Rc::clone);
        let mut member = old
            .as_deref()
            .cloned()
            .unwrap_or_else(|| Member::new(member_id.detached()));
        member.apply_metadata(value, names);
        if let Some(old) = old {
            self.names.remove(&old.names);
            self.discount(&old);
        }
        self.count(&member);
        self.members
            .insert_mut(member.member_id.clone(), Rc::new(member));
    }

    /// Changes what a member holds, and nothing else: it happens at heartbeats.
    fn set_assignment(&mut self, member_id: &Str, change: impl FnOnce(&mut Member)) {
        let mut member = match self.members.get(&**member_id).map(Rc::clone) {
            Some(old) => {
                self.let_go(&old);
                Member::clone(&old)
            }
            None => {
                let mut member = Member::new(member_id.detached());
                member.names = self.names.add(&member.names);
                self.count(&member);
                member
            }
        };
        change(&mut member);
        for held in member.held() {
            self.held_bytes += HELD_BYTES;
            self.owners.insert_mut(held, member.member_id.clone());
        }
        self.members
            .insert_mut(member.member_id.clone(), Rc::new(member));
    }

    fn remove_member(&mut self, member_id: &str) {
        if let Some(member) = self.members.get(member_id).map(Rc::clone) {
            self.names.remove(&member.names);
            self.discount(&member);
            self.let_go(&member);
            self.members.remove_mut(member_id);
        }
    }

    fn count(&mut self, member: &Member) {
        self.members_len_bytes += member.len_bytes();
        if let Some(instance_id) = &member.instance_id {
            self.statics
                .insert_mut(instance_id.clone(), member.member_id.clone());
        }
        if let Some(regex) = member.regex() {
            increment(&mut self.regexes, regex);
        }
        if let Some(assignor) = &member.assignor {
            increment(&mut self.assignors, assignor);
        }
        if let Some(classic) = &member.classic {
            self.classic_members += 1;
            for protocol in &classic.supported_protocols {
                increment(&mut self.classic_protocols, &protocol.name);
            }
        }
    }

    fn let_go(&mut self, member: &Member) {
        for held in member.held() {
            self.held_bytes -= HELD_BYTES;
            if self.owners.get(&held) == Some(&member.member_id) {
                self.owners.remove_mut(&held);
            }
        }
    }

    fn discount(&mut self, member: &Member) {
        self.members_len_bytes -= member.len_bytes();
        let is_mine = |owner: Option<&Str>| owner == Some(&member.member_id);
        if let Some(instance_id) = &member.instance_id
            && is_mine(self.statics.get(&**instance_id))
        {
            self.statics.remove_mut(&**instance_id);
        }
        if let Some(regex) = member.regex() {
            decrement(&mut self.regexes, regex);
        }
        if let Some(assignor) = &member.assignor {
            decrement(&mut self.assignors, assignor);
        }
        if let Some(classic) = &member.classic {
            self.classic_members -= 1;
            for protocol in &classic.supported_protocols {
                decrement(&mut self.classic_protocols, &protocol.name);
            }
        }
    }
}

/// Whether an ascending list has a name.
fn has(names: &[Str], name: &str) -> bool {
    let found = names.binary_search_by(|known| known.as_str().cmp(name));
    found.is_ok()
}

fn increment(counts: &mut Map<Str, usize>, key: &Str) {
    let count = counts.get(&**key).copied().unwrap_or(0) + 1;
    counts.insert_mut(key.clone(), count);
}

fn decrement(counts: &mut Map<Str, usize>, key: &Str) {
    match counts.get(&**key).copied().unwrap_or(0) {
        0 | 1 => {
            counts.remove_mut(&**key);
        }
        count => counts.insert_mut(key.clone(), count - 1),
    }
}

/// Bytes that a member's target assignment takes, roughly.
fn target_bytes(member_id: &str, target: &Assignment) -> usize {
    let partitions: usize = target.values().map(Vec::len).sum();
    TARGET_BYTES + member_id.len() + partitions * TARGET_PARTITION_BYTES
}

/// The same with what holding its partitions takes.
pub(super) fn assigned_bytes(member_id: &str, target: &Assignment) -> usize {
    let partitions: usize = target.values().map(Vec::len).sum();
    target_bytes(member_id, target) + partitions * HELD_BYTES
}

/// Bytes that an expression and what it stands for take, roughly.
pub(super) fn resolved_bytes(regex: &str, topics: &[Str]) -> usize {
    let names = topics.iter().map(|name| ITEM_BYTES + name.len());
    ITEM_BYTES + regex.len() + names.sum::<usize>()
}

fn target_of(value: &ConsumerGroupTargetAssignmentMemberValue) -> Assignment {
    let mut target: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    for topic in &value.topic_partitions {
        let partitions = target.entry(topic.topic_id).or_default();
        partitions.extend_from_slice(&topic.partitions);
        partitions.sort_unstable();
        partitions.dedup();
    }
    target.retain(|_, partitions| !partitions.is_empty());
    target
}
