//! `__consumer_offsets`: its name, how it is made, and which of its partitions a group belongs to.
//!
//! Plain functions, and the one step that creates the topic when it is first needed.
//!
//! Source: `org.apache.kafka.common.internals.Topic`, `GroupCoordinatorService.partitionFor` and
//! `GroupCoordinatorService.groupMetadataTopicConfigs` of Kafka 4.3.1.

use config::BrokerConfig;
use io::Io;
use metadata::NewTopic;
use protocol::Str;
use types::{ErrorCode, Uuid};

use crate::controller::{Command, CommandResult, random_uuid};
use crate::message::PartitionKey;
use crate::shard::Shard;

/// The topic that holds the state of all groups.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The topics that only brokers write.
const INTERNAL_TOPICS: [&str; 3] = [OFFSETS_TOPIC, "__transaction_state", "__share_group_state"];

/// Whether clients may not write to this topic.
pub(crate) fn is_internal(topic: &str) -> bool {
    INTERNAL_TOPICS.contains(&topic)
}

/// The topic as it is created.
pub(crate) fn new_offsets_topic(config: &BrokerConfig, machines: usize, id: Uuid) -> NewTopic {
    let values = &config.values;
    let own = |key: &'static str, value: String| (Str::from_static(key), Some(value.into()));
    let machines = i16::try_from(machines).unwrap_or(i16::MAX);
    NewTopic {
        name: Str::from_static(OFFSETS_TOPIC),
        id,
        partitions: values.offsets_topic_num_partitions,
        // Kafka waits for as many brokers; one machine shall not wait for ever.
        replication_factor: values.offsets_topic_replication_factor.min(machines),
        assignments: Vec::new(),
        configs: vec![
            own("cleanup.policy", "compact".to_owned()),
            own("compression.type", "producer".to_owned()),
            own(
                "segment.bytes",
                values.offsets_topic_segment_bytes.to_string(),
            ),
        ],
    }
}

/// The partition that holds a group's state, of so many.
pub(crate) fn partition_of(group: &str, partitions: i32) -> i32 {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // Java has no positive counterpart of the smallest number, and Kafka takes it as 0.
    hash.checked_abs().unwrap_or(0) % partitions
}

impl<I: Io> Shard<I> {
    /// Where the state of a group is, if the topic exists.
    pub(crate) fn group_partition(&self, group: &str) -> Option<PartitionKey> {
        let view = self.view();
        let topic = view.image.topic_named(OFFSETS_TOPIC)?;
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        (partitions > 0).then(|| PartitionKey {
            topic_id: topic.id,
            index: partition_of(group, partitions),
        })
    }

    /// Where the state of a group is; creates the topic if need be.
    ///
    /// # Errors
    /// COORDINATOR_NOT_AVAILABLE when it cannot be created.
    pub(crate) async fn require_group_partition(
        &self,
        group: &str,
    ) -> Result<PartitionKey, ErrorCode> {
        if let Some(key) = self.group_partition(group) {
            return Ok(key);
        }
        self.create_offsets_topic().await;
        self.group_partition(group)
            .ok_or(ErrorCode::CoordinatorNotAvailable)
    }

    async fn create_offsets_topic(&self) {
        let machines = self.view().image.brokers().count();
        let topic = new_offsets_topic(&self.config(), machines, random_uuid(&self.io));
        let command = Command::CreateTopics {
            topics: vec![topic],
            validate_only: false,
        };
        let refusal = match self.decide(command).await {
            CommandResult::CreatedTopics(verdicts) => verdicts.into_iter().find_map(Result::err),
            CommandResult::Refused(refusal) => Some(refusal),
            _ => None,
        };
        // Another request may have been faster.
        let failure = refusal.filter(|it| it.code != ErrorCode::TopicAlreadyExists);
        if let Some(refusal) = failure
            && self.log_limit.admit(self.io.now())
        {
            tracing::error!(topic = OFFSETS_TOPIC, reason = %refusal.message, "cannot create a topic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    #[test]
    fn groups_belong_to_the_partitions_that_kafka_gives_them() {
        // What Java's String.hashCode gives, made positive, modulo 50.
        let table = [
            ("", 0),
            ("a", 47),
            ("test-group", 12),
            // Its hash is the smallest number there is.
            ("polygenelubricants", 0),
        ];
        for (group, partition) in table {
            assert_eq!(partition_of(group, 50), partition, "{group}");
        }
    }

    #[test]
    fn one_partition_holds_every_group() {
        for group in ["", "a", "gr\u{fc}ppe", "\u{1f980}"] {
            assert_eq!(partition_of(group, 1), 0, "{group}");
        }
    }
}
