//! Where partitions lie on disk: the log directories of each node.

use protocol::ApiKey;
use protocol::messages::DescribeLogDirsRequest;
use protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use types::{ErrorCode, NodeId, PartitionIndex};

use crate::{Client, ClientError};

/// A log directory of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    /// Its path on the node's machine.
    pub path: String,
    /// What is wrong with it, such as KAFKA_STORAGE_ERROR for a failed disk.
    pub error: Option<ErrorCode>,
    /// The size of its file system, where the broker tells.
    pub total_bytes: Option<u64>,
    /// What may still be written there, where the broker tells.
    pub usable_bytes: Option<u64>,
    /// The partitions in it.
    pub replicas: Vec<LogDirReplica>,
}

/// A partition in a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirReplica {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: PartitionIndex,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// How many records it lacks, compared with the leader or the directory that it is being moved from.
    pub offset_lag: i64,
    /// Whether this is the copy that replaces the present one when a move between directories is done.
    pub is_future: bool,
}

impl Client {
    /// The log directories of a node with all partitions in them.
    ///
    /// # Errors
    /// [`ClientError`]; a directory that has failed is no error but has one.
    pub fn describe_log_dirs(&mut self, node: NodeId) -> Result<Vec<LogDir>, ClientError> {
        let api = ApiKey::DescribeLogDirs.name();
        let request = DescribeLogDirsRequest { topics: None };
        let response = self.with_retries(|client| {
            let response = client.call_node(node, &request)?;
            ClientError::check(api, response.error_code, None, || format!("of node {node}"))?;
            Ok(response)
        })?;
        Ok(response.results.iter().map(directory).collect())
    }

    /// Begins to move a node's copy of a partition into another of its log directories.
    ///
    /// # Errors
    /// [`ClientError::Broker`], with LOG_DIR_NOT_FOUND for a directory that the node does not have.
    pub fn move_to_log_dir(
        &mut self,
        node: NodeId,
        topic: &str,
        partition: PartitionIndex,
        path: &str,
    ) -> Result<(), ClientError> {
        let api = ApiKey::AlterReplicaLogDirs.name();
        let request = AlterReplicaLogDirsRequest {
            dirs: vec![AlterReplicaLogDir {
                path: path.into(),
                topics: vec![AlterReplicaLogDirTopic {
                    name: topic.into(),
                    partitions: vec![partition.0],
                }],
            }],
        };
        self.at_once(|client| {
            let response = client.call_node(node, &request)?;
            let mut answers = response.results.iter().flat_map(|it| &it.partitions);
            let answer = answers
                .find(|answer| answer.partition_index == partition.0)
                .ok_or_else(|| client.missing(api, format!("{topic}-{partition}")))?;
            ClientError::check(api, answer.error_code, None, || {
                format!("of {topic}-{partition}")
            })
        })
    }
}

fn directory(found: &DescribeLogDirsResult) -> LogDir {
    let mut replicas = Vec::new();
    for topic in &found.topics {
        replicas.extend(topic.partitions.iter().map(|it| LogDirReplica {
            topic: topic.name.to_string(),
            partition: PartitionIndex(it.partition_index),
            size_bytes: u64::try_from(it.partition_size).unwrap_or(0),
            offset_lag: it.offset_lag,
            is_future: it.is_future_key,
        }));
    }
    let error = ErrorCode::from_code(found.error_code).unwrap_or(ErrorCode::UnknownServerError);
    LogDir {
        path: found.log_dir.to_string(),
        error: (error != ErrorCode::None).then_some(error),
        total_bytes: u64::try_from(found.total_bytes).ok(),
        usable_bytes: u64::try_from(found.usable_bytes).ok(),
        replicas,
    }
}
