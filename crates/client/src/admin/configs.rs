//! Configurations of topics and brokers: read, set, taken back.

use std::fmt;

use protocol::ApiKey;
use protocol::messages::describe_configs_request::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use types::NodeId;

use crate::{Client, ClientError};

/// Something that has a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigResource {
    /// A topic by its name.
    Topic(String),
    /// A group by its id.
    Group(String),
    /// One broker.
    Broker(NodeId),
    /// What all brokers share unless one of them has a value of its own.
    BrokerDefault,
}

/// Where a value comes from, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic,
    /// Set on the group.
    Group,
    /// Set on this broker while it runs.
    Broker,
    /// Set for all brokers while they run.
    BrokerDefault,
    /// Written in the broker's configuration file.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// A number that this client does not know.
    Other(i8),
}

/// One key of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Kafka's name of it.
    pub name: String,
    /// Its value; `None` when there is none, or when the broker keeps it secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether only a restart changes it.
    pub is_read_only: bool,
    /// Whether the value is a secret.
    pub is_sensitive: bool,
    /// Every place that says something about the key, the strongest first; empty unless they were asked for.
    pub synonyms: Vec<ConfigSynonym>,
    /// A few words about the key, where they were asked for and the broker has some.
    pub documentation: Option<String>,
}

/// A place that says something about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key's name in that place.
    pub name: String,
    /// Its value there.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

/// How much a description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigDetail {
    /// Names, values and sources.
    Values,
    /// Also every place that sets a key, and what the key means.
    Everything,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// Gives it a value.
    Set(String, String),
    /// Takes the value back: the next weaker source counts again.
    Delete(String),
    /// Adds values to a list.
    Append(String, String),
    /// Removes values from a list.
    Subtract(String, String),
}

impl ConfigResource {
    /// Kafka's numbers of the kinds. Source: `org.apache.kafka.common.config.ConfigResource.Type`, 4.3.1.
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Group(_) => 32,
            Self::Broker(_) | Self::BrokerDefault => 4,
        }
    }

    /// The name in requests.
    fn name(&self) -> String {
        match self {
            Self::Topic(name) | Self::Group(name) => name.clone(),
            Self::Broker(node) => node.to_string(),
            Self::BrokerDefault => String::new(),
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Broker(node) => write!(f, "broker {node}"),
            Self::BrokerDefault => f.write_str("the brokers' default"),
        }
    }
}

impl ConfigSource {
    /// Source: `org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigSource`, 4.3.1.
    fn from_code(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 => Self::Broker,
            3 => Self::BrokerDefault,
            4 => Self::StaticBroker,
            5 => Self::Default,
            8 => Self::Group,
            other => Self::Other(other),
        }
    }
}

impl ConfigChange {
    /// The key that is changed.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Set(name, _)
            | Self::Delete(name)
            | Self::Append(name, _)
            | Self::Subtract(name, _) => name,
        }
    }

    /// Source: `org.apache.kafka.clients.admin.AlterConfigOp.OpType`, 4.3.1.
    fn alterable(&self) -> AlterableConfig {
        let (operation, name, value) = match self {
            Self::Set(name, value) => (0, name, Some(value)),
            Self::Delete(name) => (1, name, None),
            Self::Append(name, value) => (2, name, Some(value)),
            Self::Subtract(name, value) => (3, name, Some(value)),
        };
        AlterableConfig {
            name: name.as_str().into(),
            config_operation: operation,
            value: value.map(|value| value.as_str().into()),
        }
    }
}

impl Client {
    /// The configuration of a resource, in the broker's order.
    ///
    /// # Errors
    /// [`ClientError`]: the resource does not exist, or may not be read.
    pub fn describe_configs(
        &mut self,
        resource: &ConfigResource,
        detail: ConfigDetail,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let api = ApiKey::DescribeConfigs.name();
        let is_everything = detail == ConfigDetail::Everything;
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: resource.kind(),
                resource_name: resource.name().into(),
                configuration_keys: None,
            }],
            include_synonyms: is_everything,
            include_documentation: is_everything,
        };
        let mut response = self.with_retries(|client| match resource {
            // Only the broker itself knows its own configuration.
            ConfigResource::Broker(node) => client.call_node(*node, &request),
            ConfigResource::Topic(_) | ConfigResource::Group(_) | ConfigResource::BrokerDefault => {
                client.call_once(&request)
            }
        })?;
        let Some(result) = response.results.pop() else {
            return Err(self.missing(api, resource.to_string()));
        };
        let message = result.error_message.as_deref();
        ClientError::check(api, result.error_code, message, || format!("of {resource}"))?;
        Ok(result.configs.iter().map(entry).collect())
    }

    /// Changes keys of a resource, all of them or none; with `only_validate`, says what would come of it.
    ///
    /// # Errors
    /// [`ClientError::Broker`] with the broker's explanation.
    pub fn alter_configs(
        &mut self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        only_validate: bool,
    ) -> Result<(), ClientError> {
        let api = ApiKey::IncrementalAlterConfigs.name();
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: resource.kind(),
                resource_name: resource.name().into(),
                configs: changes.iter().map(ConfigChange::alterable).collect(),
            }],
            validate_only: only_validate,
        };
        let response = self.with_retries(|client| match resource {
            ConfigResource::Broker(node) => client.call_node(*node, &request),
            ConfigResource::Topic(_) | ConfigResource::Group(_) | ConfigResource::BrokerDefault => {
                client.call_once(&request)
            }
        })?;
        let Some(result) = response.responses.first() else {
            return Err(self.missing(api, resource.to_string()));
        };
        let message = result.error_message.as_deref();
        ClientError::check(api, result.error_code, message, || format!("of {resource}"))
    }
}

fn entry(found: &DescribeConfigsResourceResult) -> ConfigEntry {
    let synonyms = found.synonyms.iter().map(|synonym| ConfigSynonym {
        name: synonym.name.to_string(),
        value: synonym.value.as_deref().map(str::to_owned),
        source: ConfigSource::from_code(synonym.source),
    });
    ConfigEntry {
        name: found.name.to_string(),
        value: found.value.as_deref().map(str::to_owned),
        source: ConfigSource::from_code(found.config_source),
        is_read_only: found.read_only,
        is_sensitive: found.is_sensitive,
        synonyms: synonyms.collect(),
        documentation: found.documentation.as_deref().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_carry_kafkas_operations() {
        let name = || "retention.ms".to_owned();
        let changes = [
            ConfigChange::Set(name(), "1".to_owned()),
            ConfigChange::Delete(name()),
            ConfigChange::Append(name(), "1".to_owned()),
            ConfigChange::Subtract(name(), "1".to_owned()),
        ];
        for (change, operation) in changes.iter().zip(0..) {
            let said = change.alterable();
            assert_eq!(said.config_operation, operation);
            assert_eq!(said.name, "retention.ms");
            assert_eq!(said.value.is_none(), operation == 1);
        }
    }

    #[test]
    fn the_brokers_default_is_the_broker_without_a_name() {
        let default = ConfigResource::BrokerDefault;
        let broker = ConfigResource::Broker(NodeId(7));
        assert_eq!((default.kind(), default.name().as_str()), (4, ""));
        assert_eq!((broker.kind(), broker.name().as_str()), (4, "7"));
    }
}
