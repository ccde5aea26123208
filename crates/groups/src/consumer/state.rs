//! What the log says about a consumer group.
//!
//! The maps share their unchanged parts with their clones, so that a decision works on a [`Draft`] of the state that
//! costs nothing to make: each record is applied to the draft as it is written, and the next step looks at the result.
//!
//! # Invariants
//! - The counts are those of the members, and `owners` names for each partition the one member that holds it.
//! - State changes through [`State::apply`] alone, on whose order nothing depends but what the log itself orders.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::Str;
use protocol::messages::consumer_group_target_assignment_member_value::TopicPartition as TargetPartitions;
use protocol::messages::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
};
use rpds::RedBlackTreeMap;
use types::Uuid;

use super::member::Member;
use super::soft::Looked;
use crate::assignor::Assignment;
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
    /// How many members subscribe by each name, by each expression, ask for each assignor, know each classic protocol.
    pub(super) names: Map<Str, usize>,
    pub(super) regexes: Map<Str, usize>,
    assignors: Map<Str, usize>,
    classic_protocols: Map<Str, usize>,
    pub(super) classic_members: usize,
    /// Bytes that all members take in memory, roughly.
    pub(super) members_len_bytes: usize,
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
            names: Map::new(),
            regexes: Map::new(),
            assignors: Map::new(),
            classic_protocols: Map::new(),
            classic_members: 0,
            members_len_bytes: 0,
            resolved: Map::new(),
        }
    }
}

impl State {
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
        self.names.contains_key(topic)
            || self.regexes.keys().any(|regex| {
                self.resolved
                    .get(regex)
                    .is_some_and(|resolved| resolved.topics.iter().any(|name| &**name == topic))
            })
    }

    /// All names that members subscribe to, also of topics that do not exist.
    pub(super) fn subscribed_names(&self) -> BTreeSet<&Str> {
        let resolved = self
            .regexes
            .keys()
            .filter_map(|regex| self.resolved.get(regex))
            .flat_map(|resolved| &resolved.topics);
        self.names.keys().chain(resolved).collect()
    }

    /// The names that one member subscribes to.
    pub(super) fn names_of<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a Str> {
        let resolved = member
            .regex()
            .and_then(|regex| self.resolved.get(&**regex))
            .into_iter()
            .flat_map(|resolved| &resolved.topics);
        member.names.iter().chain(resolved)
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
                Some(value) => {
                    self.change_member(&key.member_id, |member| member.apply_metadata(value));
                }
                None => self.remove_member(&key.member_id),
            },
            GroupRecord::ConsumerGroupCurrentMemberAssignment { key, value } => match value {
                Some(value) => {
                    self.change_member(&key.member_id, |member| member.apply_assignment(value));
                }
                None => {
                    if self.members.contains_key(&*key.member_id) {
                        self.change_member(&key.member_id, Member::clear_assignment);
                    }
                }
            },
            GroupRecord::ConsumerGroupTargetAssignmentMember { key, value } => match value {
                Some(value) => {
                    let target = Rc::new(target_of(value));
                    self.targets.insert_mut(key.member_id.detached(), target);
                }
                None => {
                    self.targets.remove_mut(&*key.member_id);
                }
            },
            GroupRecord::ConsumerGroupTargetAssignmentMetadata { value, .. } => {
                let value = value.as_ref();
                self.target_epoch = value.map_or(0, |value| value.assignment_epoch);
                self.target_timestamp = value.map_or(0, |value| value.assignment_timestamp);
            }
            GroupRecord::ConsumerGroupRegularExpression { key, value } => match value {
                Some(value) => {
                    let resolved = ConsumerGroupRegularExpressionValue {
                        topics: value.topics.iter().map(Str::detached).collect(),
                        version: value.version,
                        timestamp: value.timestamp,
                    };
                    self.resolved
                        .insert_mut(key.regular_expression.detached(), Rc::new(resolved));
                }
                None => {
                    self.resolved.remove_mut(&*key.regular_expression);
                }
            },
            // What versions before 4.1 wrote is replaced by the hash.
            GroupRecord::ConsumerGroupPartitionMetadata { .. }
            | GroupRecord::OffsetCommit { .. }
            | GroupRecord::GroupMetadata { .. } => {}
        }
    }

    fn change_member(&mut self, member_id: &Str, change: impl FnOnce(&mut Member)) {
        let old = self.members.get(&**member_id).map(Rc::clone);
        let mut member = old
            .as_deref()
            .cloned()
            .unwrap_or_else(|| Member::new(member_id.detached()));
        change(&mut member);
        if let Some(old) = old {
            self.discount(&old);
        }
        self.count(&member);
        self.members
            .insert_mut(member.member_id.clone(), Rc::new(member));
    }

    fn remove_member(&mut self, member_id: &str) {
        if let Some(member) = self.members.get(member_id).map(Rc::clone) {
            self.discount(&member);
            self.members.remove_mut(member_id);
        }
    }

    fn count(&mut self, member: &Member) {
        self.members_len_bytes += member.len_bytes();
        if let Some(instance_id) = &member.instance_id {
            self.statics
                .insert_mut(instance_id.clone(), member.member_id.clone());
        }
        for held in member.held() {
            self.owners.insert_mut(held, member.member_id.clone());
        }
        for name in &member.names {
            increment(&mut self.names, name);
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

    fn discount(&mut self, member: &Member) {
        self.members_len_bytes -= member.len_bytes();
        let is_mine = |owner: Option<&Str>| owner == Some(&member.member_id);
        if let Some(instance_id) = &member.instance_id
            && is_mine(self.statics.get(&**instance_id))
        {
            self.statics.remove_mut(&**instance_id);
        }
        for held in member.held() {
            if is_mine(self.owners.get(&held)) {
                self.owners.remove_mut(&held);
            }
        }
        for name in &member.names {
            decrement(&mut self.names, name);
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

    /// Records that rebuild this state, in the order in which Kafka writes those of a group that it converts.
    pub(super) fn records(&self, group_id: &Str) -> Vec<GroupRecord> {
        if !self.exists {
            return Vec::new();
        }
        let mut records: Vec<GroupRecord> = self
            .members
            .values()
            .map(|member| member.metadata_record(group_id))
            .collect();
        records.push(epoch_record(group_id, self.epoch, self.metadata_hash));
        records.extend(self.resolved.iter().map(|(regex, resolved)| {
            regex_record(
                group_id,
                regex,
                Some(ConsumerGroupRegularExpressionValue::clone(resolved)),
            )
        }));
        records.extend(
            self.targets
                .iter()
                .map(|(member_id, target)| target_record(group_id, member_id, Some(target))),
        );
        records.push(target_epoch_record(
            group_id,
            self.target_epoch,
            self.target_timestamp,
        ));
        records.extend(
            self.members
                .values()
                .map(|member| member.assignment_record(group_id)),
        );
        records
    }

    /// Records that delete this state, in Kafka's order.
    pub(super) fn tombstones(&self, group_id: &Str) -> Vec<GroupRecord> {
        if !self.exists {
            return Vec::new();
        }
        let mut records = Vec::new();
        records.extend(
            self.members
                .keys()
                .map(|member_id| assignment_tombstone(group_id, member_id)),
        );
        records.extend(
            self.targets
                .keys()
                .map(|member_id| target_record(group_id, member_id, None)),
        );
        records.push(GroupRecord::ConsumerGroupTargetAssignmentMetadata {
            key: ConsumerGroupTargetAssignmentMetadataKey {
                group_id: group_id.clone(),
            },
            value: None,
        });
        records.extend(
            self.members
                .keys()
                .map(|member_id| metadata_tombstone(group_id, member_id)),
        );
        records.extend(
            self.resolved
                .keys()
                .map(|regex| regex_record(group_id, regex, None)),
        );
        records.push(GroupRecord::ConsumerGroupPartitionMetadata {
            key: ConsumerGroupPartitionMetadataKey {
                group_id: group_id.clone(),
            },
            value: None,
        });
        records.push(GroupRecord::ConsumerGroupMetadata {
            key: ConsumerGroupMetadataKey {
                group_id: group_id.clone(),
            },
            value: None,
        });
        records
    }
}

/// What a decision would make of a group, and the records that say so.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) group_id: Str,
    pub(super) state: State,
    pub(super) looked: Looked,
    pub(super) records: Vec<GroupRecord>,
    /// How often the group epoch was raised, and how many partitions have another owner to come.
    pub(super) epochs_raised: u64,
    pub(super) partitions_moved: u64,
}

impl Draft {
    pub(super) fn new(group_id: &Str, state: &State, looked: &Looked) -> Self {
        Self {
            group_id: group_id.clone(),
            state: state.clone(),
            looked: looked.clone(),
            records: Vec::new(),
            epochs_raised: 0,
            partitions_moved: 0,
        }
    }

    /// Writes a record, and goes on as if it had been applied.
    pub(super) fn write(&mut self, record: GroupRecord) {
        self.state.apply(&record);
        self.records.push(record);
    }

    /// Raises the group epoch.
    pub(super) fn bump_epoch(&mut self, metadata_hash: i64) {
        let epoch = self.state.epoch.saturating_add(1);
        self.epochs_raised += 1;
        self.write(epoch_record(&self.group_id, epoch, metadata_hash));
    }

    /// Removes a member, in Kafka's order of records.
    pub(super) fn remove_member(&mut self, member_id: &Str) {
        let group_id = self.group_id.clone();
        self.write(assignment_tombstone(&group_id, member_id));
        self.write(target_record(&group_id, member_id, None));
        self.write(metadata_tombstone(&group_id, member_id));
    }

    /// What a new group epoch adds to a batch, at most.
    pub(super) fn epoch_len_bytes_bound(&self) -> usize {
        epoch_record(&self.group_id, 0, 0).len_in_batch_bytes_bound()
    }

    /// What removing a member adds to a batch, at most: its tombstones, and that of its expression.
    pub(super) fn removal_len_bytes_bound(&self, member: &Member) -> usize {
        let (group_id, member_id) = (&self.group_id, &member.member_id);
        let regex = member.regex();
        let records = [
            Some(assignment_tombstone(group_id, member_id)),
            Some(target_record(group_id, member_id, None)),
            Some(metadata_tombstone(group_id, member_id)),
            regex.map(|regex| regex_record(group_id, regex, None)),
        ];
        let records = records.iter().flatten();
        records.map(GroupRecord::len_in_batch_bytes_bound).sum()
    }
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

pub(super) fn epoch_record(group_id: &Str, epoch: i32, metadata_hash: i64) -> GroupRecord {
    GroupRecord::ConsumerGroupMetadata {
        key: ConsumerGroupMetadataKey {
            group_id: group_id.clone(),
        },
        value: Some(ConsumerGroupMetadataValue {
            epoch,
            metadata_hash,
        }),
    }
}

pub(super) fn target_epoch_record(
    group_id: &Str,
    assignment_epoch: i32,
    assignment_timestamp: i64,
) -> GroupRecord {
    GroupRecord::ConsumerGroupTargetAssignmentMetadata {
        key: ConsumerGroupTargetAssignmentMetadataKey {
            group_id: group_id.clone(),
        },
        value: Some(ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch,
            assignment_timestamp,
        }),
    }
}

pub(super) fn target_record(
    group_id: &Str,
    member_id: &Str,
    target: Option<&Assignment>,
) -> GroupRecord {
    GroupRecord::ConsumerGroupTargetAssignmentMember {
        key: ConsumerGroupTargetAssignmentMemberKey {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
        },
        value: target.map(|target| ConsumerGroupTargetAssignmentMemberValue {
            topic_partitions: target
                .iter()
                .map(|(topic_id, partitions)| TargetPartitions {
                    topic_id: *topic_id,
                    partitions: partitions.clone(),
                })
                .collect(),
        }),
    }
}

pub(super) fn regex_record(
    group_id: &Str,
    regex: &Str,
    value: Option<ConsumerGroupRegularExpressionValue>,
) -> GroupRecord {
    GroupRecord::ConsumerGroupRegularExpression {
        key: ConsumerGroupRegularExpressionKey {
            group_id: group_id.clone(),
            regular_expression: regex.clone(),
        },
        value,
    }
}

fn assignment_tombstone(group_id: &Str, member_id: &Str) -> GroupRecord {
    GroupRecord::ConsumerGroupCurrentMemberAssignment {
        key: ConsumerGroupCurrentMemberAssignmentKey {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
        },
        value: None,
    }
}

fn metadata_tombstone(group_id: &Str, member_id: &Str) -> GroupRecord {
    GroupRecord::ConsumerGroupMemberMetadata {
        key: ConsumerGroupMemberMetadataKey {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
        },
        value: None,
    }
}
