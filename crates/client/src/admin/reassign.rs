//! Moving partitions between nodes: Kafka's reassignments. With a shard as a node, a move between shards is one.

use std::collections::BTreeMap;

use protocol::ApiKey;
use protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use protocol::messages::list_partition_reassignments_request::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use types::{NodeId, PartitionIndex};

use crate::{Client, ClientError};

/// A move that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: PartitionIndex,
    /// All nodes that have a copy or get one.
    pub replicas: Vec<NodeId>,
    /// Those that get one.
    pub adding: Vec<NodeId>,
    /// Those that lose theirs.
    pub removing: Vec<NodeId>,
}

impl Client {
    /// Begins to move partitions of a topic to other nodes; `None` takes a move back that is under way. The broker
    /// answers before the moves are done: [`Client::list_reassignments`] shows those that are not.
    ///
    /// # Errors
    /// [`ClientError::Broker`] when any of them is refused: INVALID_REPLICA_ASSIGNMENT for a node that does not
    /// exist, NO_REASSIGNMENT_IN_PROGRESS when there is nothing to take back.
    pub fn reassign(
        &mut self,
        topic: &str,
        moves: &BTreeMap<PartitionIndex, Option<Vec<NodeId>>>,
    ) -> Result<(), ClientError> {
        let api = ApiKey::AlterPartitionReassignments.name();
        let partitions = moves
            .iter()
            .map(|(partition, nodes)| ReassignablePartition {
                partition_index: partition.0,
                replicas: nodes
                    .as_ref()
                    .map(|nodes| nodes.iter().map(|node| node.0).collect()),
            });
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: self.broker_timeout_ms(),
            topics: vec![ReassignableTopic {
                name: topic.into(),
                partitions: partitions.collect(),
            }],
            ..AlterPartitionReassignmentsRequest::default()
        };
        let outcome = self.at_once(|client| {
            let response = client.call_once(&request)?;
            let message = response.error_message.as_deref();
            ClientError::check(api, response.error_code, message, || {
                format!("of topic {topic}")
            })?;
            let mut answers = response.responses.iter().flat_map(|it| &it.partitions);
            answers.try_for_each(|answer| {
                let message = answer.error_message.as_deref();
                ClientError::check(api, answer.error_code, message, || {
                    format!("of {topic}-{}", answer.partition_index)
                })
            })
        });
        self.cluster.forget(topic);
        outcome
    }

    /// The moves that are under way: of the partitions that are named, or all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn list_reassignments(
        &mut self,
        of: Option<(&str, &[PartitionIndex])>,
    ) -> Result<Vec<Reassignment>, ClientError> {
        let api = ApiKey::ListPartitionReassignments.name();
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: self.broker_timeout_ms(),
            topics: of.map(|(topic, partitions)| {
                vec![ListPartitionReassignmentsTopics {
                    name: topic.into(),
                    partition_indexes: partitions.iter().map(|partition| partition.0).collect(),
                }]
            }),
        };
        let response = self.with_retries(|client| {
            let response = client.call_once(&request)?;
            let message = response.error_message.as_deref();
            ClientError::check(api, response.error_code, message, || {
                "of the cluster".to_owned()
            })?;
            Ok(response)
        })?;
        let nodes = |ids: &[i32]| ids.iter().copied().map(NodeId).collect();
        let mut found = Vec::new();
        for topic in &response.topics {
            found.extend(topic.partitions.iter().map(|it| Reassignment {
                topic: topic.name.to_string(),
                partition: PartitionIndex(it.partition_index),
                replicas: nodes(&it.replicas),
                adding: nodes(&it.adding_replicas),
                removing: nodes(&it.removing_replicas),
            }));
        }
        Ok(found)
    }
}
