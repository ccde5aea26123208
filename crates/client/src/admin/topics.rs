//! Topics: created and deleted.

use protocol::ApiKey;
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::{CreateTopicsResponse, DeleteTopicsResponse};
use types::{NodeId, Uuid};

use crate::{Client, ClientError};

/// The last version of DeleteTopics that names topics in a plain list.
const DELETE_BY_PLAIN_NAMES: i16 = 5;

/// A topic to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Partitions; the broker's default when `None`.
    pub partitions: Option<i32>,
    /// Copies of each partition; the broker's default when `None`.
    pub replication_factor: Option<i16>,
    /// Keys and values of its configuration.
    pub configs: Vec<(String, String)>,
    /// The nodes of each partition, by index; chosen by the broker when empty. It excludes the two numbers above.
    pub assignments: Vec<Vec<NodeId>>,
}

/// A topic as it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// Its id, where the broker tells.
    pub id: Option<Uuid>,
    /// Partitions, where the broker tells.
    pub partitions: Option<i32>,
    /// Copies of each partition, where the broker tells.
    pub replication_factor: Option<i16>,
}

impl Client {
    /// Creates a topic; with `only_validate`, says what would come of it.
    ///
    /// # Errors
    /// [`ClientError::Broker`] with Kafka's code and the broker's explanation. After a lost connection the request is
    /// repeated, so TOPIC_ALREADY_EXISTS may mean that the first attempt succeeded.
    pub fn create_topic(
        &mut self,
        topic: &NewTopic,
        only_validate: bool,
    ) -> Result<CreatedTopic, ClientError> {
        let request = CreateTopicsRequest {
            topics: vec![creatable(topic)],
            timeout_ms: self.broker_timeout_ms(),
            validate_only: only_validate,
        };
        self.with_retries(|client| {
            let response = client.call_once(&request)?;
            client.created(&topic.name, &response)
        })
    }

    /// Deletes a topic and its records.
    ///
    /// # Errors
    /// [`ClientError::Broker`], with UNKNOWN_TOPIC_OR_PARTITION at once when it does not exist.
    pub fn delete_topic(&mut self, topic: &str) -> Result<(), ClientError> {
        let timeout_ms = self.broker_timeout_ms();
        let outcome = self.at_once(|client| {
            let connection = client.any()?;
            let version = connection.version_of(ApiKey::DeleteTopics, i16::MAX)?;
            let by_state = version > DELETE_BY_PLAIN_NAMES;
            let response = connection.call(&delete_request(topic, by_state, timeout_ms))?;
            client.deleted(topic, &response)
        });
        self.cluster.forget(topic);
        outcome
    }

    fn created(
        &self,
        topic: &str,
        response: &CreateTopicsResponse,
    ) -> Result<CreatedTopic, ClientError> {
        let api = ApiKey::CreateTopics.name();
        let result = response.topics.iter().find(|result| result.name == topic);
        let result = result.ok_or_else(|| self.missing(api, format!("topic {topic}")))?;
        let message = result.error_message.as_deref();
        ClientError::check(api, result.error_code, message, || {
            format!("of topic {topic}")
        })?;
        Ok(CreatedTopic {
            name: topic.to_owned(),
            id: (!result.topic_id.is_zero()).then_some(result.topic_id),
            partitions: (result.num_partitions >= 0).then_some(result.num_partitions),
            replication_factor: (result.replication_factor >= 0)
                .then_some(result.replication_factor),
        })
    }

    fn deleted(&self, topic: &str, response: &DeleteTopicsResponse) -> Result<(), ClientError> {
        let api = ApiKey::DeleteTopics.name();
        let result = response
            .responses
            .iter()
            .find(|result| result.name.as_deref() == Some(topic));
        let result = result.ok_or_else(|| self.missing(api, format!("topic {topic}")))?;
        let message = result.error_message.as_deref();
        ClientError::check(api, result.error_code, message, || {
            format!("of topic {topic}")
        })
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let configs = topic
        .configs
        .iter()
        .map(|(name, value)| CreatableTopicConfig {
            name: name.as_str().into(),
            value: Some(value.as_str().into()),
        });
    let assignments = topic.assignments.iter().zip(0..);
    let assignments = assignments.map(|(nodes, index)| CreatableReplicaAssignment {
        partition_index: index,
        broker_ids: nodes.iter().map(|node| node.0).collect(),
    });
    CreatableTopic {
        name: topic.name.as_str().into(),
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        assignments: assignments.collect(),
        configs: configs.collect(),
    }
}

fn delete_request(topic: &str, by_state: bool, timeout_ms: i32) -> DeleteTopicsRequest {
    let mut request = DeleteTopicsRequest {
        timeout_ms,
        ..DeleteTopicsRequest::default()
    };
    if by_state {
        request.topics = vec![DeleteTopicState {
            name: Some(topic.into()),
            topic_id: Uuid::ZERO,
        }];
    } else {
        request.topic_names = vec![topic.into()];
    }
    request
}
