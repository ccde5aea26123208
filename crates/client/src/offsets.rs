//! Offsets by position and by time.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ApiKey;
use protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use types::{ErrorCode, NodeId, Offset, PartitionIndex, TimestampMs};

use crate::retry::Backoff;
use crate::{Client, ClientError, ResponseFault};

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first record that is there.
    Earliest,
    /// The end: the offset that the next record gets.
    Latest,
    /// The record with the greatest timestamp.
    MaxTimestamp,
    /// The first record that is not older than this.
    AtOrAfter(TimestampMs),
}

/// An offset that a broker named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset, or `None` when no record is that young.
    pub offset: Option<Offset>,
    /// The record's timestamp, where a record was looked for.
    pub timestamp: Option<TimestampMs>,
}

impl OffsetSpec {
    /// The number in the request. Source: KIP-79, KIP-734.
    fn timestamp(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::AtOrAfter(timestamp) => timestamp.0,
        }
    }
}

type Listed = BTreeMap<PartitionIndex, ListedOffset>;

/// What became of each partition.
type Answers = BTreeMap<PartitionIndex, Result<ListedOffset, ClientError>>;

impl Client {
    /// Looks up an offset in each of the partitions, with one request for each leader.
    ///
    /// # Errors
    /// [`ClientError`] when any partition has none to tell.
    pub fn list_offsets(
        &mut self,
        topic: &str,
        partitions: &[PartitionIndex],
        spec: OffsetSpec,
    ) -> Result<BTreeMap<PartitionIndex, ListedOffset>, ClientError> {
        let mut wanted: BTreeSet<_> = partitions.iter().copied().collect();
        let mut listed = Listed::new();
        let mut backoff = Backoff::new(self.config.retry);
        while !wanted.is_empty() {
            match self.list_once(topic, &wanted, spec, &mut listed) {
                Ok(()) => {}
                Err(error) if error.is_retriable() => {
                    if error.is_stale_metadata() {
                        self.cluster.forget(topic);
                    }
                    if !backoff.pause() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            wanted.retain(|partition| !listed.contains_key(partition));
        }
        Ok(listed)
    }

    /// As [`Client::list_offsets`], but a partition that has none to tell keeps nothing from the others. What may pass is
    /// asked for again; a log that its broker cannot use is not, as it stays away for long.
    pub fn list_offsets_each(
        &mut self,
        topic: &str,
        partitions: &[PartitionIndex],
        spec: OffsetSpec,
    ) -> BTreeMap<PartitionIndex, Result<ListedOffset, ClientError>> {
        let mut wanted: BTreeSet<_> = partitions.iter().copied().collect();
        let mut answers = Answers::new();
        let mut backoff = Backoff::new(self.config.retry);
        while !wanted.is_empty() {
            answers.extend(self.ask_each(topic, &wanted, spec));
            wanted.retain(|partition| {
                matches!(answers.get(partition), Some(Err(error)) if error.is_retriable()
                    && error.code() != Some(ErrorCode::KafkaStorageError))
            });
            if wanted.is_empty() || !backoff.pause() {
                break;
            }
            self.cluster.forget(topic);
        }
        answers
    }

    /// Asks every leader once.
    fn ask_each(
        &mut self,
        topic: &str,
        wanted: &BTreeSet<PartitionIndex>,
        spec: OffsetSpec,
    ) -> Answers {
        let mut answers = Answers::new();
        let mut by_leader: BTreeMap<NodeId, Vec<PartitionIndex>> = BTreeMap::new();
        for partition in wanted {
            match self.leader(topic, *partition) {
                Ok(leader) => by_leader.entry(leader.node).or_default().push(*partition),
                Err(error) => {
                    answers.insert(*partition, Err(error));
                }
            }
        }
        for (node, partitions) in by_leader {
            match self.list_at(node, topic, &partitions, spec) {
                Ok(found) => answers.extend(found),
                Err(error) => {
                    let failed = |it| (it, Err(unanswered(topic, it, &error)));
                    answers.extend(partitions.into_iter().map(failed));
                }
            }
        }
        answers
    }

    /// Asks every leader once; what it says is in `listed`, also when another one fails.
    fn list_once(
        &mut self,
        topic: &str,
        wanted: &BTreeSet<PartitionIndex>,
        spec: OffsetSpec,
        listed: &mut Listed,
    ) -> Result<(), ClientError> {
        let mut by_leader: BTreeMap<NodeId, Vec<PartitionIndex>> = BTreeMap::new();
        for partition in wanted {
            let leader = self.leader(topic, *partition)?;
            by_leader.entry(leader.node).or_default().push(*partition);
        }
        let mut outcome = Ok(());
        for (node, partitions) in by_leader {
            match self.list_at(node, topic, &partitions, spec) {
                Ok(answers) => {
                    for (partition, answer) in answers {
                        let taken = answer.map(|found| listed.insert(partition, found));
                        outcome = outcome.and(taken.map(drop));
                    }
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    fn list_at(
        &mut self,
        node: NodeId,
        topic: &str,
        partitions: &[PartitionIndex],
        spec: OffsetSpec,
    ) -> Result<Answers, ClientError> {
        let api = ApiKey::ListOffsets.name();
        let response = self.call_node(node, &request(topic, partitions, spec))?;
        let mut found = Answers::new();
        let answers = response.topics.iter().flat_map(|topic| &topic.partitions);
        for answer in answers {
            let partition = PartitionIndex(answer.partition_index);
            if !partitions.contains(&partition) {
                continue;
            }
            let checked = ClientError::check(api, answer.error_code, None, || {
                format!("of {topic}-{partition}")
            });
            let answer = checked.map(|()| listed(answer.offset, answer.timestamp));
            found.insert(partition, answer);
        }
        if found.len() < partitions.len() {
            let fault = ResponseFault::Missing(format!("a partition of {topic}"));
            return Err(self.node(node)?.bad_response(api, fault));
        }
        Ok(found)
    }
}

/// The error of one of several partitions whose leader has not answered.
fn unanswered(topic: &str, partition: PartitionIndex, error: &ClientError) -> ClientError {
    ClientError::Broker {
        api: ApiKey::ListOffsets.name(),
        subject: format!("of {topic}-{partition}"),
        code: match error.is_connection() {
            true => ErrorCode::NetworkException,
            false => error.code().unwrap_or(ErrorCode::UnknownServerError),
        },
        message: Some(error.to_string()),
    }
}

fn listed(offset: i64, timestamp: i64) -> ListedOffset {
    ListedOffset {
        offset: (offset >= 0).then_some(Offset(offset)),
        timestamp: (timestamp >= 0).then_some(TimestampMs(timestamp)),
    }
}

fn request(topic: &str, partitions: &[PartitionIndex], spec: OffsetSpec) -> ListOffsetsRequest {
    ListOffsetsRequest {
        replica_id: NodeId::NONE.0,
        topics: vec![ListOffsetsTopic {
            name: topic.into(),
            partitions: partitions
                .iter()
                .map(|partition| ListOffsetsPartition {
                    partition_index: partition.0,
                    timestamp: spec.timestamp(),
                    ..ListOffsetsPartition::default()
                })
                .collect(),
        }],
        ..ListOffsetsRequest::default()
    }
}
