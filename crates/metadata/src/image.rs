//! The metadata image: what is known after the records so far. [`MetadataImage::apply`] alone changes it.
//!
//! An image is plain data: the broker keeps it behind an `Arc`, gives every shard a handle, and swaps handles when a
//! decision has become durable. Images share what they have in common, so a decision costs what it changes, however many topics
//! there are.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasherDefault;
use std::ops::Bound;
use std::sync::Arc;

use protocol::Str;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use rustc_hash::FxHasher;
use types::{LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerId, ShardId, Uuid};

use crate::changes::RecentChanges;
use crate::record::RegisterBrokerRecord;

/// Configuration values by key, as clients wrote them.
pub type Configs = BTreeMap<Str, Str>;

/// Everything that the metadata log says, up to [`MetadataImage::end_offset`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataImage {
    pub(crate) cluster_id: Option<Uuid>,
    pub(crate) topic_ids: RedBlackTreeMapSync<Str, Uuid>,
    pub(crate) topics: HashTrieMapSync<Uuid, Arc<TopicImage>, BuildHasherDefault<FxHasher>>,
    pub(crate) brokers: BTreeMap<NodeId, Arc<RegisterBrokerRecord>>,
    /// By node id, or by "" for all brokers.
    pub(crate) broker_configs: BTreeMap<Str, Configs>,
    /// By group id.
    pub(crate) group_configs: BTreeMap<Str, Configs>,
    pub(crate) features: BTreeMap<Str, i16>,
    pub(crate) next_producer_id: i64,
    pub(crate) partitions_per_shard: Vec<u32>,
    pub(crate) shard_count: Option<u16>,
    pub(crate) end_offset: i64,
    pub(crate) topics_version: TopicsVersion,
    pub(crate) changes: RecentChanges,
}

/// How often topics have come, gone or grown in this process. It says nothing about the cluster: images that came to the
/// same state on different ways are equal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TopicsVersion(pub(crate) u64);

impl PartialEq for TopicsVersion {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// A topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicImage {
    /// Its id; no other topic ever has it.
    pub id: Uuid,
    /// Its name.
    pub name: Str,
    /// Its partitions, by index, at least one once its records have all been applied.
    pub partitions: Vec<PartitionImage>,
    /// Its own configuration values, as clients wrote them.
    pub configs: Configs,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionImage {
    /// The machines that hold it, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those of them that are in sync.
    pub isr: Vec<NodeId>,
    /// The log directory that holds it on each of `replicas`, in their order.
    pub directories: Vec<Uuid>,
    /// The machine that leads it, or [`NodeId::NONE`].
    pub leader: NodeId,
    /// How often leadership has moved, between machines or between shards.
    pub leader_epoch: LeaderEpoch,
    /// How often anything about the partition has changed.
    pub partition_epoch: i32,
    /// The shard of this machine that owns its log; `None` if this machine is no replica.
    pub shard: Option<ShardId>,
}

impl MetadataImage {
    /// An image of no records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The offset after the last record applied; the next record has this one.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        Offset(self.end_offset)
    }

    /// A number that grows whenever a topic comes, goes or gets partitions, and with nothing else. Only good for comparing
    /// images of one process.
    #[must_use]
    pub fn topics_version(&self) -> u64 {
        self.topics_version.0
    }

    /// The topics that have come, gone, or changed in anything since the image whose end was `offset`; `None` if that is too long
    /// ago to be known. Only good for comparing images of one process.
    #[must_use]
    pub fn topics_changed_since(&self, offset: Offset) -> Option<BTreeSet<Uuid>> {
        let is_earlier = offset.0 <= self.end_offset;
        self.changes.since(offset).filter(|_| is_earlier)
    }

    /// The cluster's id, once the log has been bootstrapped.
    #[must_use]
    pub fn cluster_id(&self) -> Option<Uuid> {
        self.cluster_id
    }

    /// The topic of this id.
    #[must_use]
    pub fn topic(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.topics.get(&id)
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic_named(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(self.topic_ids.get(name)?)
    }

    /// A partition of the topic of this id.
    #[must_use]
    pub fn partition(&self, id: Uuid, index: PartitionIndex) -> Option<&PartitionImage> {
        self.topics.get(&id)?.partition(index)
    }

    /// All topics, in the order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topic_ids.values().filter_map(|id| self.topics.get(id))
    }

    /// The topics named `name` and after, in the order of their names.
    pub fn topics_from<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = &'a Arc<TopicImage>> + use<'a> {
        let range = (Bound::Included(Str::from(name)), Bound::Unbounded);
        self.topic_ids
            .range(range)
            .filter_map(|(_, id)| self.topics.get(id))
    }

    /// How many topics there are.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.size()
    }

    /// The brokers, in the order of their ids.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<RegisterBrokerRecord>> {
        self.brokers.values()
    }

    /// The broker of this id.
    #[must_use]
    pub fn broker(&self, node: NodeId) -> Option<&Arc<RegisterBrokerRecord>> {
        self.brokers.get(&node)
    }

    /// What brokers have been given while they run: by node id, and by the empty name for all of them.
    #[must_use]
    pub fn broker_configs(&self) -> &BTreeMap<Str, Configs> {
        &self.broker_configs
    }

    /// What groups have been given, by their ids; a group of that id need not exist.
    #[must_use]
    pub fn group_configs(&self) -> &BTreeMap<Str, Configs> {
        &self.group_configs
    }

    /// The finalised features with their levels; none has level 0.
    pub fn features(&self) -> impl Iterator<Item = (&Str, i16)> {
        self.features.iter().map(|(name, level)| (name, *level))
    }

    /// The level of a finalised feature, 0 if it is not finalised.
    #[must_use]
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// The first producer id that belongs to no block yet.
    #[must_use]
    pub fn next_producer_id(&self) -> ProducerId {
        ProducerId(self.next_producer_id)
    }

    /// How many shards this machine ran when its partitions were spread last; `None` if that was never noted.
    #[must_use]
    pub fn shard_count(&self) -> Option<u16> {
        self.shard_count
    }

    /// How many partitions each shard of this machine owns; shards after the last one named own none.
    #[must_use]
    pub fn partitions_per_shard(&self) -> &[u32] {
        &self.partitions_per_shard
    }
}

impl TopicImage {
    /// The partition of this index.
    #[must_use]
    pub fn partition(&self, index: PartitionIndex) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(index.0).ok()?)
    }
}
