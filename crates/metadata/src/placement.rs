//! Which shard, which directory and which machine get a new partition: those with the fewest partitions, and of
//! several such the one with the lowest number. The choice depends on the image alone.

use std::collections::BTreeMap;

use types::{NodeId, PartitionIndex, ShardId, Uuid};

use crate::Decision;
use crate::image::MetadataImage;
use crate::record::{MetadataRecord, PartitionChangeRecord, PlacementRecord};

/// The machine that takes decisions about its own shards and directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its node id.
    pub node: NodeId,
    /// How many shards it runs, at least 1.
    pub shards: u16,
    /// The ids of its log directories, at least one.
    pub directories: Vec<Uuid>,
}

/// How many partitions everything has, while a decision adds some.
pub(crate) struct Load {
    shards: Vec<u32>,
    directories: Vec<(Uuid, u32)>,
    machines: BTreeMap<NodeId, u32>,
}

impl Load {
    pub(crate) fn of(image: &MetadataImage, machine: &Machine) -> Self {
        assert!(
            machine.shards > 0 && !machine.directories.is_empty(),
            "a machine has a shard and a directory"
        );
        let mut shards = image.partitions_per_shard.clone();
        // Shards that no longer run get nothing.
        shards.resize(usize::from(machine.shards), 0);
        let mut load = Self {
            shards,
            directories: machine.directories.iter().map(|id| (*id, 0)).collect(),
            machines: image.brokers.keys().map(|node| (*node, 0)).collect(),
        };
        load.count_replicas(image, machine.node);
        load
    }

    fn count_replicas(&mut self, image: &MetadataImage, here: NodeId) {
        // With one machine that has one directory there is nothing to choose.
        if self.machines.len() < 2 && self.directories.len() < 2 {
            return;
        }
        for partition in image.topics().flat_map(|topic| &topic.partitions) {
            for (index, node) in partition.replicas.iter().enumerate() {
                if let Some(count) = self.machines.get_mut(node) {
                    *count += 1;
                }
                let directory = partition.directories.get(index).filter(|_| *node == here);
                if let Some((_, count)) = self
                    .directories
                    .iter_mut()
                    .find(|(id, _)| Some(id) == directory)
                {
                    *count += 1;
                }
            }
        }
    }

    pub(crate) fn choose_shard(&mut self) -> ShardId {
        let least = (0..).zip(&mut self.shards).min_by_key(|(_, count)| **count);
        let (index, count) = least.expect("a machine has at least one shard");
        *count += 1;
        ShardId(index)
    }

    /// Counts a partition on a shard that somebody chose.
    pub(crate) fn take_shard(&mut self, shard: ShardId) -> ShardId {
        if let Some(count) = self.shards.get_mut(usize::from(shard.0)) {
            *count += 1;
        }
        shard
    }

    pub(crate) fn choose_directory(&mut self) -> Uuid {
        let least = self.directories.iter_mut().min_by_key(|(_, count)| *count);
        let (id, count) = least.expect("a machine has at least one directory");
        *count += 1;
        *id
    }

    /// Chooses this many machines, the leader first; there are at least as many.
    pub(crate) fn choose_machines(&mut self, replicas: usize) -> Vec<NodeId> {
        let mut machines: Vec<(u32, NodeId)> = self
            .machines
            .iter()
            .map(|(node, count)| (*count, *node))
            .collect();
        machines.sort_unstable();
        let chosen: Vec<NodeId> = machines
            .into_iter()
            .take(replicas)
            .map(|(_, node)| node)
            .collect();
        for node in &chosen {
            if let Some(count) = self.machines.get_mut(node) {
                *count += 1;
            }
        }
        chosen
    }
}

/// A partition that has to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovedPartition {
    /// Its topic.
    pub topic_id: Uuid,
    /// Its index.
    pub partition: PartitionIndex,
    /// Its new shard.
    pub shard: ShardId,
}

/// Decides, at the start, where the partitions of shards go that no longer run. Their leader epochs rise, so that
/// clients that remember the old shard notice.
///
/// # Panics
///
/// If the machine has no shard or no directory.
#[must_use]
pub fn decide_replacement(
    image: &MetadataImage,
    machine: &Machine,
) -> Decision<Vec<MovedPartition>> {
    let mut load = Load::of(image, machine);
    let mut decision = Decision {
        records: Vec::new(),
        reply: Vec::new(),
    };
    for topic in image.topics() {
        for (partition_id, partition) in (0..).zip(&topic.partitions) {
            if partition.shard.is_none_or(|shard| shard.0 < machine.shards) {
                continue;
            }
            let (topic_id, shard) = (topic.id, load.choose_shard());
            decision
                .records
                .push(MetadataRecord::PartitionChange(PartitionChangeRecord {
                    topic_id,
                    partition_id,
                    leader: partition.leader.0,
                    ..PartitionChangeRecord::default()
                }));
            decision
                .records
                .push(MetadataRecord::Placement(PlacementRecord {
                    topic_id,
                    partition_id,
                    shard,
                }));
            decision.reply.push(MovedPartition {
                topic_id,
                partition: PartitionIndex(partition_id),
                shard,
            });
        }
    }
    decision
}
