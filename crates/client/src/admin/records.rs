//! Deleting records: moving the beginning of partitions.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ApiKey;
use protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use types::{NodeId, Offset, PartitionIndex};

use crate::retry::Backoff;
use crate::{Client, ClientError};

/// Kafka's number for "everything that can be consumed".
const HIGH_WATERMARK: i64 = -1;

type Outcomes = BTreeMap<PartitionIndex, Result<Offset, ClientError>>;

impl Client {
    /// Deletes the records before an offset of each partition, or all that can be consumed where there is `None`. The
    /// outcome of each is where it begins from now on.
    ///
    /// # Errors
    /// [`ClientError`] when the topic cannot be asked about at all; what a leader says about a partition is that
    /// partition's outcome, such as OFFSET_OUT_OF_RANGE, or POLICY_VIOLATION for a topic that is compacted only.
    pub fn delete_records(
        &mut self,
        topic: &str,
        before: &BTreeMap<PartitionIndex, Option<Offset>>,
    ) -> Result<BTreeMap<PartitionIndex, Result<Offset, ClientError>>, ClientError> {
        let mut wanted: BTreeSet<_> = before.keys().copied().collect();
        let mut outcomes = Outcomes::new();
        let mut backoff = Backoff::new(self.config.retry);
        loop {
            let asked = self.delete_once(topic, &wanted, before, &mut outcomes);
            let is_again = |outcome: Option<&Result<Offset, ClientError>>| match outcome {
                None => true,
                Some(outcome) => outcome.as_ref().is_err_and(ClientError::is_retriable),
            };
            wanted.retain(|partition| is_again(outcomes.get(partition)));
            match asked {
                Err(error) if !error.is_retriable() => return Err(error),
                _ if wanted.is_empty() => return Ok(outcomes),
                asked => {
                    self.cluster.forget(topic);
                    if !backoff.pause() {
                        return asked.map(|()| outcomes);
                    }
                }
            }
        }
    }

    /// Asks every leader once; what it says is in `outcomes`, also when another one fails.
    fn delete_once(
        &mut self,
        topic: &str,
        wanted: &BTreeSet<PartitionIndex>,
        before: &BTreeMap<PartitionIndex, Option<Offset>>,
        outcomes: &mut Outcomes,
    ) -> Result<(), ClientError> {
        let mut by_leader: BTreeMap<NodeId, Vec<DeleteRecordsPartition>> = BTreeMap::new();
        for partition in wanted {
            let leader = self.leader(topic, *partition)?;
            let offset = before.get(partition).copied().flatten();
            by_leader
                .entry(leader.node)
                .or_default()
                .push(DeleteRecordsPartition {
                    partition_index: partition.0,
                    offset: offset.map_or(HIGH_WATERMARK, |offset| offset.0),
                });
        }
        let mut outcome = Ok(());
        for (node, partitions) in by_leader {
            let asked = self.delete_at(node, topic, partitions, outcomes);
            outcome = outcome.and(asked);
        }
        outcome
    }

    fn delete_at(
        &mut self,
        node: NodeId,
        topic: &str,
        partitions: Vec<DeleteRecordsPartition>,
        outcomes: &mut Outcomes,
    ) -> Result<(), ClientError> {
        let api = ApiKey::DeleteRecords.name();
        let asked: BTreeSet<_> = partitions
            .iter()
            .map(|partition| PartitionIndex(partition.partition_index))
            .collect();
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: topic.into(),
                partitions,
            }],
            timeout_ms: self.broker_timeout_ms(),
        };
        let response = self.call_node(node, &request)?;
        let mut missing = asked.clone();
        for answer in response.topics.iter().flat_map(|topic| &topic.partitions) {
            let partition = PartitionIndex(answer.partition_index);
            if !asked.contains(&partition) {
                continue;
            }
            missing.remove(&partition);
            let checked = ClientError::check(api, answer.error_code, None, || {
                format!("of {topic}-{partition}")
            });
            outcomes.insert(partition, checked.map(|()| Offset(answer.low_watermark)));
        }
        match missing.first() {
            None => Ok(()),
            Some(partition) => Err(self.missing(api, format!("{topic}-{partition}"))),
        }
    }
}
