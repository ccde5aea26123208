//! Committed offsets of one group.

use std::collections::BTreeMap;

use protocol::Str;
use protocol::messages::{OffsetCommitKey, OffsetCommitValue};
use types::Offset;

/// What a group has committed, by topic and partition.
#[derive(Debug, Default)]
pub(crate) struct GroupOffsets {
    topics: BTreeMap<Str, BTreeMap<i32, CommittedOffset>>,
}

/// The committed offset of a partition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommittedOffset {
    /// What the log says.
    pub(crate) value: OffsetCommitValue,
    /// Where it says so.
    pub(crate) record_offset: Offset,
}

impl GroupOffsets {
    /// Whether nothing is committed.
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// What the log says about a partition; `None` deletes it, known or not.
    pub(crate) fn apply(
        &mut self,
        key: &OffsetCommitKey,
        value: Option<&OffsetCommitValue>,
        at: Offset,
    ) {
        match value {
            Some(value) => {
                let committed = CommittedOffset {
                    value: value.clone(),
                    record_offset: at,
                };
                if let Some(partitions) = self.topics.get_mut(&*key.topic) {
                    partitions.insert(key.partition, committed);
                } else {
                    self.topics.insert(
                        key.topic.detached(),
                        BTreeMap::from([(key.partition, committed)]),
                    );
                }
            }
            None => {
                if let Some(partitions) = self.topics.get_mut(&*key.topic) {
                    partitions.remove(&key.partition);
                    if partitions.is_empty() {
                        self.topics.remove(&*key.topic);
                    }
                }
            }
        }
    }
}
