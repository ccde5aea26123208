//! What decisions need to know of the log directories: how much room they have, that their checkpoints are written, and
//! which of them a client has wished for a partition before the partition was there.

use std::collections::BTreeMap;
use std::time::Duration;

use io::{Instant, Io};
use metadata::{Machine, MetadataImage, MetadataRecord, Refusal, validate_topic_name};
use types::{ErrorCode, Uuid};

use super::{Command, Decider};
use crate::shard::lifecycle;

/// Wishes that are remembered; with more the oldest goes.
const WISHES_MAX: usize = 10_000;

/// How long a wish is remembered.
const WISH_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A topic's name and the index of a partition.
type Place = (String, i32);

/// Log directories of partitions that are not there yet. As in Kafka they are in memory only, and a wish counts once. Here
/// it is forgotten after some time, or for newer ones.
#[derive(Debug, Default)]
pub(super) struct WishedDirectories {
    wishes: BTreeMap<Place, Wish>,
    /// Whose turn it is to be forgotten, by number.
    by_age: BTreeMap<u64, Place>,
    count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Wish {
    directory: Uuid,
    number: u64,
    at: Instant,
}

impl WishedDirectories {
    /// Takes note of a wish, the last one for each partition.
    pub(super) fn remember(&mut self, topic: &str, partition: i32, directory: Uuid, now: Instant) {
        if validate_topic_name(topic).is_err() || partition < 0 {
            return;
        }
        let place = (topic.to_owned(), partition);
        self.take(&place);
        self.forget_old(now, WISHES_MAX - 1);
        self.count += 1;
        let number = self.count;
        let wish = Wish {
            directory,
            number,
            at: now,
        };
        self.by_age.insert(number, place.clone());
        self.wishes.insert(place, wish);
    }

    /// Forgets what is too old, and the oldest until no more than `count_max` are left.
    fn forget_old(&mut self, now: Instant, count_max: usize) {
        while let Some((_, oldest)) = self.by_age.first_key_value() {
            let age = now.saturating_since(self.wishes[oldest].at);
            if self.wishes.len() <= count_max && age < WISH_AGE_MAX {
                return;
            }
            self.take(&oldest.clone());
        }
    }

    fn take(&mut self, place: &Place) -> Option<Wish> {
        let wish = self.wishes.remove(place)?;
        self.by_age.remove(&wish.number);
        Some(wish)
    }

    /// Puts new partitions where they were wished, if that directory can be used.
    pub(super) fn fulfil(
        &mut self,
        image: &MetadataImage,
        machine: &Machine,
        records: &mut [MetadataRecord],
        now: Instant,
    ) {
        self.forget_old(now, WISHES_MAX);
        if self.wishes.is_empty() {
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
                    let Some(wish) = self.take(&key) else {
                        continue;
                    };
                    let wished = wish.directory;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes_of(wished: &WishedDirectories) -> Vec<&str> {
        assert_eq!(wished.wishes.len(), wished.by_age.len());
        wished
            .wishes
            .keys()
            .map(|(topic, _)| topic.as_str())
            .collect()
    }

    #[test]
    fn a_wish_is_forgotten_in_time() {
        let mut wished = WishedDirectories::default();
        let begin = Instant(0);
        wished.remember("first", 0, Uuid::ZERO, begin);
        wished.remember("not/possible", 0, Uuid::ZERO, begin);
        let later = begin + WISH_AGE_MAX / 2;
        wished.remember("second", 0, Uuid::ZERO, later);
        assert_eq!(wishes_of(&wished), ["first", "second"]);
        wished.remember("third", 0, Uuid::ZERO, begin + WISH_AGE_MAX);
        assert_eq!(wishes_of(&wished), ["second", "third"]);
    }

    #[test]
    fn a_newer_wish_takes_the_place_of_the_oldest() {
        let mut wished = WishedDirectories::default();
        let now = Instant(0);
        let max = i32::try_from(WISHES_MAX).expect("small");
        for partition in 0..max {
            wished.remember("t", partition, Uuid::ZERO, now);
        }
        // Wished again, it is the newest.
        wished.remember("t", 0, Uuid::ZERO, now);
        wished.remember("t", max, Uuid::ZERO, now);
        assert_eq!(wishes_of(&wished).len(), WISHES_MAX);
        assert!(wished.take(&("t".to_owned(), 1)).is_none());
        assert!(wished.take(&("t".to_owned(), 0)).is_some());
    }
}
