//! More partitions for a topic.

use protocol::ApiKey;
use protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use types::NodeId;

use crate::{Client, ClientError};

impl Client {
    /// Raises the number of a topic's partitions to `total`; with `only_validate`, says what would come of it. The new
    /// partitions get the replicas in `assignments`, one entry for each, or what the broker chooses if there are none.
    ///
    /// # Errors
    /// [`ClientError::Broker`], with INVALID_PARTITIONS when there are as many already.
    pub fn create_partitions(
        &mut self,
        topic: &str,
        total: i32,
        assignments: &[Vec<NodeId>],
        only_validate: bool,
    ) -> Result<(), ClientError> {
        let api = ApiKey::CreatePartitions.name();
        let chosen = assignments.iter().map(|nodes| CreatePartitionsAssignment {
            broker_ids: nodes.iter().map(|node| node.0).collect(),
        });
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: topic.into(),
                count: total,
                assignments: (!assignments.is_empty()).then(|| chosen.collect()),
            }],
            timeout_ms: self.broker_timeout_ms(),
            validate_only: only_validate,
        };
        let response = self.at_once(|client| {
            let response = client.call_once(&request)?;
            let result = response.results.iter().find(|result| result.name == topic);
            let result = result.ok_or_else(|| client.missing(api, format!("topic {topic}")))?;
            let message = result.error_message.as_deref();
            ClientError::check(api, result.error_code, message, || {
                format!("of topic {topic}")
            })
        });
        self.cluster.forget(topic);
        response
    }
}
