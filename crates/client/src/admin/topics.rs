//! Topics: create, delete, read their configuration; and producer ids.

use protocol::ApiKey;
use protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::describe_configs_request::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use protocol::messages::{CreateTopicsResponse, DeleteTopicsResponse, InitProducerIdRequest};
use types::{ErrorCode, ProducerEpoch, ProducerId, Uuid};

use crate::{Client, ClientError, ResponseFault};

/// Kafka's number for topics among the resources that have a configuration.
const RESOURCE_TOPIC: i8 = 2;

/// Kafka's number for a value that was set on the topic itself.
const SOURCE_TOPIC: i8 = 1;

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

/// One entry of a topic's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfigEntry {
    /// Kafka's name of it.
    pub name: String,
    /// Its value; `None` when the broker keeps it secret.
    pub value: Option<String>,
    /// Whether it was set on the topic itself.
    pub is_set_on_topic: bool,
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
        let outcome = self.with_retries(|client| {
            let connection = client.any()?;
            let version = connection.version_of(ApiKey::DeleteTopics, i16::MAX)?;
            let by_state = version > DELETE_BY_PLAIN_NAMES;
            let response = connection.call(&delete_request(topic, by_state, timeout_ms))?;
            match client.deleted(topic, &response) {
                // Retriable in Kafka's list, for producers that wait for a topic; nobody waits for one to delete.
                Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                    Ok(Err(error))
                }
                other => other.map(Ok),
            }
        });
        self.cluster.forget(topic);
        outcome?
    }

    /// The configuration of a topic, in the broker's order.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn topic_configs(&mut self, topic: &str) -> Result<Vec<TopicConfigEntry>, ClientError> {
        let api = ApiKey::DescribeConfigs.name();
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: RESOURCE_TOPIC,
                resource_name: topic.into(),
                configuration_keys: None,
            }],
            ..DescribeConfigsRequest::default()
        };
        let response = self.call(&request)?;
        let Some(result) = response.results.first() else {
            return Err(self.missing(api, topic));
        };
        ClientError::check(
            api,
            result.error_code,
            result.error_message.as_deref(),
            || format!("of topic {topic}"),
        )?;
        let entries = result.configs.iter().map(|entry| TopicConfigEntry {
            name: entry.name.to_string(),
            value: entry.value.as_deref().map(str::to_owned),
            is_set_on_topic: entry.config_source == SOURCE_TOPIC,
        });
        Ok(entries.collect())
    }

    /// Asks for the identity of an idempotent producer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn init_producer_id(&mut self) -> Result<(ProducerId, ProducerEpoch), ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            // Kafka's clients without a transactional id send the greatest number, too.
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        self.with_retries(|client| {
            let response = client.call_once(&request)?;
            ClientError::check("InitProducerId", response.error_code, None, String::new)?;
            Ok((
                ProducerId(response.producer_id),
                ProducerEpoch(response.producer_epoch),
            ))
        })
    }

    fn created(
        &self,
        topic: &str,
        response: &CreateTopicsResponse,
    ) -> Result<CreatedTopic, ClientError> {
        let api = ApiKey::CreateTopics.name();
        let result = response.topics.iter().find(|result| result.name == topic);
        let result = result.ok_or_else(|| self.missing(api, topic))?;
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
        let result = result.ok_or_else(|| self.missing(api, topic))?;
        let message = result.error_message.as_deref();
        ClientError::check(api, result.error_code, message, || {
            format!("of topic {topic}")
        })
    }

    fn missing(&self, api: &'static str, topic: &str) -> ClientError {
        ClientError::BadResponse {
            address: self.config.bootstrap_servers.join(","),
            api,
            fault: ResponseFault::Missing(format!("topic {topic}")),
        }
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
    CreatableTopic {
        name: topic.name.as_str().into(),
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor: topic.replication_factor.unwrap_or(-1),
        assignments: Vec::new(),
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
