//! Which shard, which directory and which machine get a new partition: the shard and the machine with the fewest
//! partitions, and of several such the one with the lowest number; the directory with the most free space for each
//! partition that it would then have; and which partitions go elsewhere when the number of shards has changed. The choice
//! depends on the image and on the [`Machine`] alone.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use types::{NodeId, PartitionIndex, ShardId, Uuid};

use crate::Decision;
use crate::image::MetadataImage;
use crate::record::{MetadataRecord, PartitionChangeRecord, PlacementRecord, ShardCountRecord};

/// The machine that takes decisions about its own shards and directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its node id.
    pub node: NodeId,
    /// How many shards it runs, at least 1.
    pub shards: u16,
    /// Its log directories that can be used, at least one.
    pub directories: Vec<MachineDirectory>,
}

/// A log directory of a [`Machine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineDirectory {
    /// Its id.
    pub id: Uuid,
    /// Bytes that new records may take; 0 when nobody knows.
    pub free_bytes: u64,
}

/// A directory and how many partitions it has.
#[derive(Clone, Copy, Debug)]
struct DirectoryLoad {
    directory: MachineDirectory,
    partitions: u32,
}

impl DirectoryLoad {
    /// Whether one more partition is better put here than into `other`: directories of the same size are used alike, and
    /// one with twice the free space gets twice the partitions.
    fn compare(&self, other: &Self) -> Ordering {
        let share = |this: &Self, other: &Self| {
            u128::from(this.directory.free_bytes) * (u128::from(other.partitions) + 1)
        };
        let fewer = other.partitions.cmp(&self.partitions);
        share(self, other).cmp(&share(other, self)).then(fewer)
    }
}

/// How many partitions everything has, while a decision adds some.
pub(crate) struct Load {
    shards: Vec<u32>,
    directories: Vec<DirectoryLoad>,
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
            directories: machine.directories.iter().map(unused).collect(),
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
                if let Some(load) = self
                    .directories
                    .iter_mut()
                    .find(|load| Some(&load.directory.id) == directory)
                {
                    load.partitions += 1;
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
        // Of several that are as good, `min_by` takes the first.
        let best = self.directories.iter_mut().min_by(|a, b| b.compare(a));
        let best = best.expect("a machine has at least one directory");
        best.partitions += 1;
        best.directory.id
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

fn unused(directory: &MachineDirectory) -> DirectoryLoad {
    DirectoryLoad {
        directory: *directory,
        partitions: 0,
    }
}

/// A partition that goes from one shard of this machine to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionMove {
    /// Its topic.
    pub topic_id: Uuid,
    /// Its index.
    pub partition: PartitionIndex,
    /// The shard that owns it.
    pub from: ShardId,
    /// The shard that is to own it.
    pub to: ShardId,
}

impl PartitionMove {
    /// Whether both move one partition.
    #[must_use]
    pub fn is_of_same_partition(&self, other: &Self) -> bool {
        (self.topic_id, self.partition) == (other.topic_id, other.partition)
    }

    /// The records of the move, which belong into one batch. The leader epoch rises, so that clients that remember the
    /// old shard notice.
    #[must_use]
    pub fn records(&self, image: &MetadataImage) -> [MetadataRecord; 2] {
        let leader = image
            .partition(self.topic_id, self.partition)
            .map_or(NodeId::NONE, |partition| partition.leader);
        [
            MetadataRecord::PartitionChange(PartitionChangeRecord {
                topic_id: self.topic_id,
                partition_id: self.partition.0,
                leader: leader.0,
                ..PartitionChangeRecord::default()
            }),
            MetadataRecord::Placement(PlacementRecord {
                topic_id: self.topic_id,
                partition_id: self.partition.0,
                shard: self.to,
            }),
        ]
    }
}

/// Decides, at the start, where partitions go when the machine runs another number of shards than before: those of
/// shards that are gone go to the others, and the others even out how many they have. As few as possible move.
///
/// # Panics
///
/// If the machine has no shard.
#[must_use]
pub fn decide_spread(image: &MetadataImage, machine: &Machine) -> Decision<Vec<PartitionMove>> {
    assert!(machine.shards > 0, "a machine has a shard");
    let is_changed = image.shard_count() != Some(machine.shards);
    let has_lost = image.partitions_per_shard().len() > usize::from(machine.shards);
    if !is_changed && !has_lost {
        return Decision {
            records: Vec::new(),
            reply: Vec::new(),
        };
    }
    let moves = Spread::of(image, machine.shards).moves(image);
    let mut records: Vec<_> = moves.iter().flat_map(|it| it.records(image)).collect();
    if is_changed {
        let shards = machine.shards;
        records.push(MetadataRecord::ShardCount(ShardCountRecord { shards }));
    }
    Decision {
        records,
        reply: moves,
    }
}

/// How many partitions each shard has, and how many it is to have.
struct Spread {
    counts: Vec<u32>,
    targets: Vec<u32>,
}

impl Spread {
    fn of(image: &MetadataImage, shards: u16) -> Self {
        let all: u32 = image.partitions_per_shard().iter().sum();
        let mut counts = image.partitions_per_shard().to_vec();
        counts.resize(usize::from(shards), 0);
        let (each, over) = (all / u32::from(shards), all % u32::from(shards));
        let mut targets = vec![each; counts.len()];
        // What does not divide stays where most are, so that less moves.
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|shard| std::cmp::Reverse(counts[*shard]));
        for (shard, _) in order.into_iter().zip(0..over) {
            targets[shard] += 1;
        }
        Self { counts, targets }
    }

    fn moves(mut self, image: &MetadataImage) -> Vec<PartitionMove> {
        let counts = self.counts.clone();
        let surpluses: Vec<u32> = counts
            .iter()
            .zip(&self.targets)
            .map(|(count, target)| count.saturating_sub(*target))
            .collect();
        let mut seen = vec![0_u32; counts.len()];
        let mut moves = Vec::new();
        for topic in image.topics() {
            for (index, partition) in (0..).zip(&topic.partitions) {
                let Some(from) = partition.shard else {
                    continue;
                };
                let shard = usize::from(from.0);
                let goes = counts.get(shard).is_none_or(|count| {
                    let place = seen[shard];
                    seen[shard] += 1;
                    is_given(place, surpluses[shard], *count)
                });
                if goes {
                    if let Some(count) = self.counts.get_mut(shard) {
                        *count -= 1;
                    }
                    moves.push((topic.id, PartitionIndex(index), from));
                }
            }
        }
        moves
            .into_iter()
            .map(|(topic_id, partition, from)| PartitionMove {
                topic_id,
                partition,
                from,
                to: self.take(),
            })
            .collect()
    }

    /// The shard that lacks most.
    fn take(&mut self) -> ShardId {
        let lacks = |shard: &usize| self.targets[*shard].saturating_sub(self.counts[*shard]);
        let most =
            (0..self.counts.len()).max_by_key(|shard| (lacks(shard), std::cmp::Reverse(*shard)));
        let shard = most.expect("a machine has at least one shard");
        self.counts[shard] += 1;
        ShardId(u16::try_from(shard).expect("shards are numbered in 16 bits"))
    }
}

/// Whether the partition at `place` is one of the `surplus` of `count` that go, which are spread evenly over the topics.
fn is_given(place: u32, surplus: u32, count: u32) -> bool {
    let until = |place: u32| u64::from(place) * u64::from(surplus) / u64::from(count);
    until(place + 1) > until(place)
}
