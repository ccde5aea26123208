//! Committed offsets of one group.
//!
//! An offset belongs to the topic that had its name when it was committed: once the cluster has no topic of that name
//! and id, it is not served, and deleted when the group is looked through next.

mod commit;
mod delete;
mod expiry;
mod fetch;

use std::collections::BTreeMap;

use protocol::Str;
use protocol::messages::{OffsetCommitKey, OffsetCommitValue};
use types::{Offset, TimestampMs, Uuid};

use crate::context::Topics;
use crate::memory::{OFFSET_BYTES, TOPIC_BYTES};
use crate::record::{GroupRecord, NO_TIMESTAMP};

pub(crate) use commit::{NO_ROOM_TO_COMMIT, commit, refuse};
pub(crate) use delete::delete;
pub(crate) use expiry::{expire, forget_deleted_topics};
pub(crate) use fetch::fetch;

/// What a group has committed, by topic and partition. No topic without a partition is in it.
#[derive(Debug, Default)]
pub(crate) struct GroupOffsets {
    topics: BTreeMap<Str, BTreeMap<i32, CommittedOffset>>,
    count: usize,
    /// Bytes of the names of topics and of what clients want to remember.
    text_bytes: usize,
}

/// The committed offset of a partition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommittedOffset {
    /// The next record to consume.
    pub(crate) offset: Offset,
    /// The leader epoch of the last consumed record, or -1.
    pub(crate) leader_epoch: i32,
    /// What the client wants to remember with it.
    pub(crate) metadata: Str,
    /// When it was committed.
    pub(crate) committed_at: TimestampMs,
    /// When it expires, if its commit said so; the group's retention counts otherwise.
    pub(crate) expires_at: Option<TimestampMs>,
    /// The topic; zero if a broker wrote it that knew no topic ids.
    pub(crate) topic_id: Uuid,
}

impl CommittedOffset {
    fn of(value: &OffsetCommitValue) -> Self {
        let expires_at = Some(value.expire_timestamp).filter(|at| *at != NO_TIMESTAMP);
        Self {
            offset: Offset(value.offset),
            leader_epoch: value.leader_epoch,
            metadata: if value.metadata.is_empty() {
                Str::default()
            } else {
                value.metadata.detached()
            },
            committed_at: TimestampMs(value.commit_timestamp),
            expires_at: expires_at.map(TimestampMs),
            topic_id: value.topic_id,
        }
    }

    fn to_value(&self) -> OffsetCommitValue {
        OffsetCommitValue {
            offset: self.offset.0,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata.clone(),
            commit_timestamp: self.committed_at.0,
            expire_timestamp: self.expires_at.map_or(NO_TIMESTAMP, |at| at.0),
            topic_id: self.topic_id,
        }
    }

    /// Whether its topic was deleted, and perhaps made anew.
    fn is_stale(&self, current: Option<Uuid>) -> bool {
        match current {
            Some(id) => !self.topic_id.is_zero() && self.topic_id != id,
            None => true,
        }
    }
}

impl GroupOffsets {
    /// Whether nothing is committed.
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// For how many partitions something is committed.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Bytes that they take in memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.topics.len() * TOPIC_BYTES + self.count * OFFSET_BYTES + self.text_bytes
    }

    /// Bytes by which a commit would make them grow, at most.
    fn growth_bytes(&self, key: &OffsetCommitKey, value: &OffsetCommitValue) -> usize {
        let Some(partitions) = self.topics.get(&key.topic) else {
            return TOPIC_BYTES + key.topic.len() + OFFSET_BYTES + value.metadata.len();
        };
        match partitions.get(&key.partition) {
            Some(committed) => value
                .metadata
                .len()
                .saturating_sub(committed.metadata.len()),
            None => OFFSET_BYTES + value.metadata.len(),
        }
    }

    /// What the log says about a partition; `None` deletes it, known or not.
    pub(crate) fn apply(&mut self, key: &OffsetCommitKey, value: Option<&OffsetCommitValue>) {
        let partitions = self.topics.get_mut(&key.topic);
        match (value, partitions) {
            (Some(value), Some(partitions)) => {
                let before = partitions.insert(key.partition, CommittedOffset::of(value));
                self.count += usize::from(before.is_none());
                self.text_bytes -= before.map_or(0, |before| before.metadata.len());
                self.text_bytes += value.metadata.len();
            }
            (Some(value), None) => {
                let partitions = BTreeMap::from([(key.partition, CommittedOffset::of(value))]);
                self.topics.insert(key.topic.detached(), partitions);
                self.count += 1;
                self.text_bytes += key.topic.len() + value.metadata.len();
            }
            (None, Some(partitions)) => {
                if let Some(before) = partitions.remove(&key.partition) {
                    self.count -= 1;
                    self.text_bytes -= before.metadata.len();
                }
                if partitions.is_empty() {
                    self.topics.remove(&key.topic);
                    self.text_bytes -= key.topic.len();
                }
            }
            (None, None) => {}
        }
    }

    /// Records that commit all of it.
    pub(crate) fn snapshot(&self, group_id: &Str, records: &mut Vec<GroupRecord>) {
        for (topic, partitions) in &self.topics {
            for (partition, committed) in partitions {
                records.push(GroupRecord::OffsetCommit {
                    key: key(group_id, topic, *partition),
                    value: Some(committed.to_value()),
                });
            }
        }
    }

    /// All of it: by topic, the partitions and the next record to consume of each.
    pub(crate) fn committed(&self) -> Vec<(Str, Vec<(i32, Offset)>)> {
        let partitions = |partitions: &BTreeMap<i32, CommittedOffset>| {
            let offsets = partitions.iter();
            offsets.map(|(index, it)| (*index, it.offset)).collect()
        };
        let topics = self.topics.iter();
        topics
            .map(|(topic, it)| (topic.clone(), partitions(it)))
            .collect()
    }

    /// Records that delete all of it.
    pub(crate) fn tombstones(&self, group_id: &Str, records: &mut Vec<GroupRecord>) {
        for (topic, partitions) in &self.topics {
            for partition in partitions.keys() {
                records.push(tombstone(group_id, topic, *partition));
            }
        }
    }

    /// The committed offset of a partition of the topic that has this id now.
    fn get(&self, topic: &Str, partition: i32, current: Option<Uuid>) -> Option<&CommittedOffset> {
        let committed = self.topics.get(topic)?.get(&partition)?;
        (!committed.is_stale(current)).then_some(committed)
    }
}

/// The id that the topic of this name has now.
fn current_id(topics: &dyn Topics, name: &str) -> Option<Uuid> {
    topics.by_name(name).map(|topic| topic.id)
}

fn key(group_id: &Str, topic: &Str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey {
        group: group_id.clone(),
        topic: topic.clone(),
        partition,
    }
}

fn tombstone(group_id: &Str, topic: &Str, partition: i32) -> GroupRecord {
    GroupRecord::OffsetCommit {
        key: key(group_id, topic, partition),
        value: None,
    }
}
