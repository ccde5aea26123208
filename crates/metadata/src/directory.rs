//! The log directory of a partition on this machine changes: the record that completes a move.
//!
//! The move itself is done by then. The decision holds only if nothing else has changed the partition since its log came
//! to rest for the move, for the copy would lack what was appended elsewhere in between.

use types::{ErrorCode, PartitionIndex, ShardId, Uuid};

use crate::Decision;
use crate::apply::NO_LEADER_CHANGE;
use crate::error::Refusal;
use crate::image::MetadataImage;
use crate::placement::Machine;
use crate::record::{MetadataRecord, PartitionChangeRecord};

/// A move that waits for its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryChange {
    /// The partition's topic.
    pub topic_id: Uuid,
    /// Its index.
    pub partition: PartitionIndex,
    /// The directory that has the complete copy.
    pub directory: Uuid,
    /// The shard that owned the partition when its log came to rest.
    pub shard: ShardId,
    /// The partition epoch as of then.
    pub partition_epoch: i32,
}

/// Decides whether a partition's log is from now on the one in another directory.
///
/// # Errors
///
/// `UNKNOWN_TOPIC_OR_PARTITION` when the partition is gone, `LOG_DIR_NOT_FOUND` when the directory is not one that can be
/// used, `NOT_LEADER_OR_FOLLOWER` when something has changed the partition meanwhile.
pub fn decide_directory_change(
    image: &MetadataImage,
    machine: &Machine,
    change: &DirectoryChange,
) -> Result<Decision<()>, Refusal> {
    let refuse = |code, message: &str| Err(Refusal::new(code, message));
    let Some(partition) = image.partition(change.topic_id, change.partition) else {
        return refuse(ErrorCode::UnknownTopicOrPartition, "The partition is gone.");
    };
    if !machine
        .directories
        .iter()
        .any(|directory| directory.id == change.directory)
    {
        let message = "The log directory is not online.";
        return refuse(ErrorCode::LogDirNotFound, message);
    }
    let place = partition
        .replicas
        .iter()
        .position(|replica| *replica == machine.node);
    let is_unchanged = partition.shard == Some(change.shard)
        && partition.partition_epoch == change.partition_epoch;
    let Some(place) = place.filter(|_| is_unchanged) else {
        let message = "The partition has changed during the move.";
        return refuse(ErrorCode::NotLeaderOrFollower, message);
    };
    let mut directories = partition.directories.clone();
    directories.resize(partition.replicas.len(), Uuid::ZERO);
    directories[place] = change.directory;
    Ok(Decision {
        records: vec![MetadataRecord::PartitionChange(PartitionChangeRecord {
            topic_id: change.topic_id,
            partition_id: change.partition.0,
            leader: NO_LEADER_CHANGE,
            directories: Some(directories),
            ..PartitionChangeRecord::default()
        })],
        reply: (),
    })
}
