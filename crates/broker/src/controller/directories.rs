//! What decisions need to know of the log directories: how much room they have, that their checkpoints are written, and
//! which of them a client has wished for a partition before the partition was there.

use std::collections::BTreeMap;

use io::Io;
use metadata::{Machine, MetadataImage, MetadataRecord, Refusal, validate_topic_name};
use types::{ErrorCode, Uuid};

use super::{Command, Decider};
use crate::shard::lifecycle;

/// Wishes that are remembered; more are not.
const WISHES_MAX: usize = 10_000;

/// Log directories of partitions that are not there yet. As in Kafka they are in memory only, and a wish counts once.
#[derive(Debug, Default)]
pub(super) struct WishedDirectories(BTreeMap<(String, i32), Uuid>);

impl WishedDirectories {
    /// Takes note of a wish, the last one for each partition.
    pub(super) fn remember(&mut self, topic: &str, partition: i32, directory: Uuid) {
        let is_possible = validate_topic_name(topic).is_ok() && partition >= 0;
        let key = (topic.to_owned(), partition);
        if is_possible && (self.0.len() < WISHES_MAX || self.0.contains_key(&key)) {
            self.0.insert(key, directory);
        }
    }

    /// Puts new partitions where they were wished, if that directory can be used.
    pub(super) fn fulfil(
        &mut self,
        image: &MetadataImage,
        machine: &Machine,
        records: &mut [MetadataRecord],
    ) {
        if self.0.is_empty() {
            return;
        }
        let mut topic = (Uuid::ZERO, String::new());
        for record in records {
            match record {
                MetadataRecord::Topic(created) => {
                    topic = (created.topic_id, created.name.as_str().to_owned());
                }
                MetadataRecord::Partition(partition) => {
                    if topic.0 != partition.topic_id {
                        let known = image.topic(partition.topic_id);
                        let name = known.map(|topic| topic.name.as_str().to_owned());
                        topic = (partition.topic_id, name.unwrap_or_default());
                    }
                    let key = (topic.1.clone(), partition.partition_id);
                    let Some(wished) = self.0.remove(&key) else {
                        continue;
                    };
                    let place = partition
                        .replicas
                        .iter()
                        .position(|it| *it == machine.node.0);
                    let is_online = machine.directories.iter().any(|it| it.id == wished);
                    if let Some(place) = place.filter(|_| is_online) {
                        partition.directories[place] = wished;
                    }
                }
                _ => {}
            }
        }
    }
}

impl<I: Io> Decider<I> {
    /// Brings what the decision needs to know of the log directories up to date.
    pub(super) async fn look_at_directories(&mut self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::CreateTopics { .. } | Command::CreatePartitions { .. } => {}
            // The checkpoints have to know the copy before the metadata does, or a crash would lose its log start.
            Command::ChangeDirectory(change) => {
                let mut all = self.shard.setup.directories.iter();
                let target = all.position(|it| it.id == change.directory);
                let saved = lifecycle::checkpoint_now(&self.shard).await;
                if !target.is_some_and(|index| saved.has(index)) {
                    let message = "The checkpoints cannot be written.";
                    return Err(Refusal::new(ErrorCode::OperationNotAttempted, message));
                }
            }
            _ => return Ok(()),
        }
        let mut directories = self.shard.measured_directories().await;
        let all = &self.shard.setup.directories;
        directories.retain(|measured| {
            let index = all.iter().position(|it| it.id == measured.id);
            index.is_none_or(|index| !self.has_foreign_checkpoints(index))
        });
        // Without any, the metadata log has failed too, and refuses.
        if !directories.is_empty() {
            self.machine.directories = directories;
        }
        Ok(())
    }
}
