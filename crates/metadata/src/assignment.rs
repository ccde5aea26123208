//! Replicas that clients choose themselves, and the records of new partitions.
//!
//! Source: `org.apache.kafka.controller.ReplicationControlManager#validateManualPartitionAssignment`.

use std::collections::BTreeSet;

use types::{ErrorCode, NodeId, ShardId, Uuid};

use crate::error::Refusal;
use crate::image::MetadataImage;
use crate::placement::{Load, Machine};
use crate::record::{MetadataRecord, PartitionRecord, PlacementRecord};

/// The replicas that a client chose for a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManualAssignment {
    /// The machines, the preferred leader first. An id of one of a machine's shards has become the machine's by now.
    pub brokers: Vec<i32>,
    /// The shard of this machine that was meant, if an id named one.
    pub shard: Option<ShardId>,
}

/// Where a new partition goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) replicas: Vec<NodeId>,
    /// The shard of this machine; the least loaded one where nobody chose.
    pub(crate) shard: Option<ShardId>,
}

impl Assignment {
    /// On these machines; the shard does not matter.
    pub(crate) fn on(replicas: Vec<NodeId>) -> Self {
        Self {
            replicas,
            shard: None,
        }
    }
}

/// Checks a chosen assignment. `factor` is the number of replicas that other partitions of the topic have.
///
/// # Errors
/// `INVALID_REPLICA_ASSIGNMENT` with Kafka's sentence.
pub(crate) fn check_manual(
    image: &MetadataImage,
    machine: &Machine,
    manual: &ManualAssignment,
    factor: Option<usize>,
) -> Result<Assignment, Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    let brokers = &manual.brokers;
    if brokers.is_empty() {
        let message = "The manual partition assignment includes an empty replica list.";
        return refuse(message.to_owned());
    }
    let mut sorted = brokers.clone();
    sorted.sort_unstable();
    let mut seen = BTreeSet::new();
    for broker in sorted {
        if image.broker(NodeId(broker)).is_none() {
            return refuse(format!(
                "The manual partition assignment includes broker {broker}, but no such broker is registered."
            ));
        }
        if !seen.insert(broker) {
            return refuse(format!(
                "The manual partition assignment includes the broker {broker} more than once."
            ));
        }
    }
    if let Some(factor) = factor.filter(|factor| *factor != brokers.len()) {
        return refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with previous partitions, which have {factor} replica(s).",
            brokers.len()
        ));
    }
    // A shard that does not run cannot be named: its id is no broker's.
    let shard = manual.shard.filter(|shard| shard.0 < machine.shards);
    Ok(Assignment {
        replicas: brokers.iter().copied().map(NodeId).collect(),
        shard,
    })
}

/// The records of a new partition: Kafka's, and its placement if this machine is a replica.
pub(crate) fn partition_records(
    topic_id: Uuid,
    partition_id: i32,
    assignment: &Assignment,
    machine: &Machine,
    load: &mut Load,
) -> impl Iterator<Item = MetadataRecord> + use<> {
    let replicas = &assignment.replicas;
    let directories = replicas.iter().map(|node| {
        if *node == machine.node {
            load.choose_directory()
        } else {
            Uuid::ZERO
        }
    });
    let directories = directories.collect();
    let ids: Vec<i32> = replicas.iter().map(|node| node.0).collect();
    let partition = MetadataRecord::Partition(PartitionRecord {
        partition_id,
        topic_id,
        leader: ids.first().copied().unwrap_or(-1),
        isr: ids.clone(),
        replicas: ids,
        leader_epoch: 0,
        partition_epoch: 0,
        directories,
        ..PartitionRecord::default()
    });
    let placement = replicas.contains(&machine.node).then(|| {
        let shard = match assignment.shard {
            Some(shard) => load.take_shard(shard),
            None => load.choose_shard(),
        };
        MetadataRecord::Placement(PlacementRecord {
            topic_id,
            partition_id,
            shard,
        })
    });
    std::iter::once(partition).chain(placement)
}
