//! What a shard tells of itself at one moment.
//!
//! What there is much of, partitions and committed offsets, are rows of plain numbers: a shard fills ten thousand of them in
//! a few milliseconds, and whoever shows them makes text of them on a thread of its own.

use std::sync::Arc;

use super::Sample;

/// What of the much is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// A series for each topic.
    pub topics: bool,
    /// Some for each partition.
    pub partitions: bool,
    /// Some for each group, and for each partition for which it has committed an offset.
    pub groups: bool,
}

impl Series {
    /// All of it.
    pub const ALL: Self = Self {
        topics: true,
        partitions: true,
        groups: true,
    };
}

/// What a shard has to tell.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Of the shard itself.
    pub samples: Vec<Sample>,
    /// What it has done for each topic, if that was asked for.
    pub topics: Vec<TopicRow>,
    /// The partitions that it owns, if they were asked for.
    pub partitions: Vec<PartitionRow>,
    /// The groups that it coordinates, if they were asked for.
    pub groups: Vec<GroupRow>,
    /// Rows that are left out since there are too many.
    pub rows_left_out: u64,
}

/// What a shard has done for a topic since it began; partitions that came and went are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRow {
    /// The topic.
    pub topic: Arc<str>,
    /// Batches appended.
    pub batches_in: u64,
    /// Records appended.
    pub records_in: u64,
    /// Bytes appended.
    pub bytes_in: u64,
    /// Bytes handed to consumers.
    pub bytes_out: u64,
}

/// A partition. What it counts, it counts since it came to its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRow {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its number.
    pub partition: i32,
    /// The offset of its first record.
    pub log_start_offset: i64,
    /// Below it everything is acknowledged.
    pub high_watermark: i64,
    /// The offset of its next record.
    pub log_end_offset: i64,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// How many segments it has.
    pub segments: u64,
    /// Records appended.
    pub records_in: u64,
    /// Bytes appended.
    pub bytes_in: u64,
    /// Bytes handed to consumers.
    pub bytes_out: u64,
    /// Whether its log has failed.
    pub is_fenced: bool,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Its id.
    pub group: String,
    /// `classic` or `consumer`.
    pub protocol: &'static str,
    /// Kafka's name of its state.
    pub state: &'static str,
    /// How many members it has.
    pub members: u64,
    /// What it has committed.
    pub offsets: Vec<OffsetRow>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetRow {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The next record to consume.
    pub offset: i64,
}
