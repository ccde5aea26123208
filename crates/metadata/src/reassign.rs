//! Deciding about moves of partitions and about elections of leaders.
//!
//! A replica is a machine here. What a client calls a node may be a shard of a machine; the broker says which, since it
//! gave the shards their ids.
//!
//! Source: `ReplicationControlManager.alterPartitionReassignments` and `electLeaders` of Kafka 4.3.1; KIP-455,
//! KIP-460, KIP-860.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;
use types::{ErrorCode, NodeId, PartitionIndex, ShardId, Uuid};

use crate::error::Refusal;
use crate::image::{MetadataImage, PartitionImage};
use crate::placement::PartitionMove;
use crate::topic_name::shown;

/// How many partitions change their shard in one step: each waits for the slowest of them.
pub const MOVES_AT_ONCE: usize = 16;

/// A replica as a client named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetReplica {
    /// The id that the client wrote.
    pub named: NodeId,
    /// What it stands for; `None` if there is no such node.
    pub place: Option<ReplicaPlace>,
}

/// Where a replica is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaPlace {
    /// The machine.
    pub machine: NodeId,
    /// The shard of this machine, where the client named one; else any will do.
    pub shard: Option<ShardId>,
}

/// What is wanted of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// The topic's name.
    pub topic: Str,
    /// The partition.
    pub partition: PartitionIndex,
    /// Where its replicas are to be; `None` takes a move back that is under way.
    pub replicas: Option<Vec<TargetReplica>>,
}

/// What is decided about several reassignments.
#[derive(Clone, Debug, PartialEq)]
pub struct ReassignmentReply {
    /// For each of them, in order, whether it is accepted.
    pub verdicts: Vec<Result<(), Refusal>>,
    /// What has to move, with the place in `verdicts`.
    pub moves: Vec<(usize, PartitionMove)>,
}

/// What is decided about one of them.
#[derive(Clone, Copy)]
struct Decided {
    partition: (Uuid, PartitionIndex),
    /// `None` if it is where it is wanted.
    moved: Option<PartitionMove>,
}

/// Decides which partitions move. Writing their records and carrying them out is the caller's, some at a time. A partition
/// that is named several times moves once, to where it is named last.
///
/// Moves between machines are not known yet: a replica list names this one machine, as one of its shards or as a whole.
#[must_use]
pub fn decide_reassignment(
    image: &MetadataImage,
    wanted: &[Reassignment],
    allows_factor_change: bool,
) -> ReassignmentReply {
    let mut reply = ReassignmentReply {
        verdicts: Vec::with_capacity(wanted.len()),
        moves: Vec::new(),
    };
    // What is wanted last of a partition counts, as if each were a request of its own.
    let mut last: BTreeMap<(Uuid, PartitionIndex), Option<(usize, PartitionMove)>> =
        BTreeMap::new();
    for (place, reassignment) in wanted.iter().enumerate() {
        let decided = decide_one(image, reassignment, allows_factor_change);
        if let Ok(Decided { partition, moved }) = decided {
            last.insert(partition, moved.map(|moved| (place, moved)));
        }
        reply.verdicts.push(decided.map(drop));
    }
    reply.moves = last.into_values().flatten().collect();
    reply.moves.sort_unstable_by_key(|(place, _)| *place);
    reply
}

fn decide_one(
    image: &MetadataImage,
    wanted: &Reassignment,
    allows_factor_change: bool,
) -> Result<Decided, Refusal> {
    let unknown = |message| Refusal::new(ErrorCode::UnknownTopicOrPartition, message);
    let Some(topic) = image.topic_named(&wanted.topic) else {
        let message = format!("Unable to find a topic named {}.", shown(&wanted.topic));
        return Err(unknown(message));
    };
    let Some(partition) = topic.partition(wanted.partition) else {
        let message = format!(
            "Unable to find partition {}:{}.",
            &*wanted.topic, wanted.partition.0
        );
        return Err(unknown(message));
    };
    let Some(replicas) = &wanted.replicas else {
        // A move is done when it is answered.
        let message = "No partition reassignment is in progress.";
        return Err(Refusal::new(ErrorCode::NoReassignmentInProgress, message));
    };
    let places = check_replicas(replicas)?;
    if !allows_factor_change && replicas.len() != partition.replicas.len() {
        let message = format!(
            "The replication factor is changed from {} to {}",
            partition.replicas.len(),
            replicas.len()
        );
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    }
    let target = check_machines(&places)?;
    Ok(Decided {
        partition: (topic.id, wanted.partition),
        moved: moved(partition, target).map(|(from, to)| PartitionMove {
            topic_id: topic.id,
            partition: wanted.partition,
            from,
            to,
        }),
    })
}

fn check_replicas(replicas: &[TargetReplica]) -> Result<Vec<ReplicaPlace>, Refusal> {
    let refuse = |message: String| Refusal::new(ErrorCode::InvalidReplicaAssignment, message);
    if replicas.is_empty() {
        let message = "The manual partition assignment includes an empty replica list.";
        return Err(refuse(message.to_owned()));
    }
    let mut seen = BTreeSet::new();
    let mut places = Vec::with_capacity(replicas.len());
    for replica in replicas {
        let named = replica.named;
        let place = replica.place.ok_or_else(|| {
            // -1 - k is shard k for every client.
            refuse(match -1 - named.0 {
                shard @ 0.. => format!(
                    "The manual partition assignment includes shard {shard}, but no such shard runs."
                ),
                _ => format!(
                    "The manual partition assignment includes broker {named}, but no such broker is registered."
                ),
            })
        })?;
        if !seen.insert(named) {
            return Err(refuse(format!(
                "The manual partition assignment includes the broker {named} more than once."
            )));
        }
        places.push(place);
    }
    Ok(places)
}

/// One replica for each machine; there is one machine.
fn check_machines(places: &[ReplicaPlace]) -> Result<ReplicaPlace, Refusal> {
    match places {
        [place] => Ok(*place),
        _ => {
            let message = "The manual partition assignment names several shards of one machine, which share its fate and cannot be replicas of each other.";
            Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message))
        }
    }
}

fn moved(partition: &PartitionImage, target: ReplicaPlace) -> Option<(ShardId, ShardId)> {
    let (from, to) = (partition.shard?, target.shard?);
    (from != to).then_some((from, to))
}

/// Takes the moves that can be carried out together from `waiting`, at most [`MOVES_AT_ONCE`]: no shard of them both
/// gains and loses a partition, so that every shard can be told in one order, and no partition is among them twice.
pub fn next_moves(waiting: &mut Vec<(usize, PartitionMove)>) -> Vec<(usize, PartitionMove)> {
    let (mut gaining, mut losing) = (BTreeSet::new(), BTreeSet::new());
    let mut next: Vec<(usize, PartitionMove)> = Vec::new();
    waiting.retain(|(place, moved)| {
        let fits = next.len() < MOVES_AT_ONCE
            && !gaining.contains(&moved.from)
            && !losing.contains(&moved.to)
            && !next
                .iter()
                .any(|(_, other)| other.is_of_same_partition(moved));
        if fits {
            gaining.insert(moved.to);
            losing.insert(moved.from);
            next.push((*place, *moved));
        }
        !fits
    });
    next
}

/// Decides about the election of one partition's leader.
///
/// # Errors
///
/// Kafka's codes: a partition that has the leader it is to have needs no election.
pub fn decide_election(
    image: &MetadataImage,
    topic: &str,
    partition: PartitionIndex,
    is_preferred: bool,
) -> Result<(), Refusal> {
    let Some(known) = image.topic_named(topic) else {
        let message = format!("No such topic as {}", shown(topic));
        return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message));
    };
    let Some(found) = known.partition(partition) else {
        let message = format!("No such partition as {topic}-{}", partition.0);
        return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message));
    };
    let has_leader = found.leader != NodeId::NONE;
    let has_preferred = has_leader && found.replicas.first() == Some(&found.leader);
    let refusal = match (is_preferred, has_leader, has_preferred) {
        (true, _, true) | (false, true, _) => Refusal::new(
            ErrorCode::ElectionNotNeeded,
            "Leader election not needed for topic partition.",
        ),
        (true, _, false) => Refusal::new(
            ErrorCode::PreferredLeaderNotAvailable,
            "The preferred leader was not available.",
        ),
        (false, false, _) => Refusal::new(
            ErrorCode::EligibleLeadersNotAvailable,
            "Eligible topic partition leaders are not available.",
        ),
    };
    Err(refusal)
}
