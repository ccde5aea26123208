//! What the controller knows about configuration keys when it decides about their values.

use std::collections::BTreeMap;

use config::{
    BROKER_DEFINITIONS, BrokerConfig, ConfigType, Definition, DynamicValues, GROUP_DEFINITIONS,
    TOPIC_DEFINITIONS,
};
use io::Io;
use metadata::{
    AlterConfigsReply, AlterConfigsRules, BrokerConfigs, ConfigChange, ConfigResource, Configs,
    Decision, MetadataImage, Refusal, decide_alter_configs,
};
use protocol::Str;
use types::ErrorCode;

use crate::shard::Shard;
use crate::topics::{dynamic_values, texts};

/// Decides which values topics and brokers get.
///
/// # Errors
/// When the request is too large.
pub(super) fn decide<I: Io>(
    shard: &Shard<I>,
    image: &MetadataImage,
    changes: &[ConfigChange],
) -> Result<Decision<AlterConfigsReply>, Refusal> {
    let config = shard.config();
    let written = &shard.view().written;
    let check = |configs: &Configs| {
        let configs = configs.iter().map(|(key, value)| (key, Some(value)));
        check_values(&config, configs)
            .map_err(|message| Refusal::new(ErrorCode::InvalidConfig, message))
    };
    let check_group = |configs: &Configs| {
        let own = configs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let checked = config.group(own).map(drop);
        checked.map_err(|error| Refusal::new(ErrorCode::InvalidConfig, error.0))
    };
    let rules = AlterConfigsRules {
        check_group: &check_group,
        list_default: &list_default,
        check_topic: &check,
        check_broker: &|name, brokers| check_broker(written, name, brokers),
    };
    decide_alter_configs(image, changes, &rules)
}

/// Whether what clients have set fits what is to be written from now on as well as it fits what was written.
///
/// # Errors
/// What does not any more, and why.
pub(super) fn check_reload(
    before: &BrokerConfig,
    after: &BrokerConfig,
    image: &MetadataImage,
) -> Result<(), Refusal> {
    let dynamic = dynamic_values(image.broker_configs(), after.node_id);
    let (_, known) = before.with_dynamic_as_far_as_possible(&dynamic);
    let (_, mut problems) = after.with_dynamic_as_far_as_possible(&dynamic);
    problems.retain(|problem| !known.contains(problem));
    if problems.is_empty() {
        return Ok(());
    }
    let message = format!(
        "what clients have set does not go with it: {}",
        problems.join("; ")
    );
    Err(Refusal::new(ErrorCode::InvalidConfig, message))
}

/// Says in Kafka's words why a topic cannot have a configuration.
pub(super) fn check_topic<'a>(
    config: &BrokerConfig,
    configs: impl IntoIterator<Item = &'a (Str, Option<Str>)>,
) -> Result<(), String> {
    let configs = configs
        .into_iter()
        .map(|(key, value)| (key, value.as_ref()));
    check_values(config, configs)
}

fn check_values<'a>(
    config: &BrokerConfig,
    configs: impl Iterator<Item = (&'a Str, Option<&'a Str>)>,
) -> Result<(), String> {
    let configs = configs.map(|(key, value)| (key.as_str(), value.map(Str::as_str)));
    let checked = config::validate_topic_config(&config.topic_defaults, configs);
    checked.map(drop).map_err(|error| error.0)
}

fn list_default(resource: &ConfigResource, key: &str) -> Option<&'static str> {
    let table = match resource {
        ConfigResource::Topic(_) => TOPIC_DEFINITIONS,
        ConfigResource::Broker(_) => BROKER_DEFINITIONS,
        ConfigResource::Group(_) => GROUP_DEFINITIONS,
    };
    let is_list = |definition: &&Definition| {
        definition.name == key && definition.config_type == ConfigType::List
    };
    let definition = table.iter().find(is_list)?;
    Some(definition.default.unwrap_or(""))
}

/// Checks what one broker would have over what all share, or what all would share under what this one has.
fn check_broker(
    written: &BrokerConfig,
    name: &str,
    brokers: &BrokerConfigs,
) -> Result<(), Refusal> {
    let changed: BTreeMap<String, String> = texts(brokers.get(name));
    let dynamic: DynamicValues = dynamic_values(brokers, written.node_id);
    config::validate_broker_config(written, &changed, dynamic)
        .map_err(|message| Refusal::new(ErrorCode::InvalidRequest, message))
}
