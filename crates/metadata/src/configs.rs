//! Deciding about configuration values of topics and brokers.
//!
//! What keys mean is the caller's business: it says which keys hold lists, and judges what a resource would have. A
//! request changes several resources, each wholly or not at all, and all that can be changed in one batch.
//!
//! Source: `org.apache.kafka.controller.ConfigurationControlManager`, whose sentences these are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::Str;
use rustc_hash::{FxHashMap, FxHashSet};
use types::ErrorCode;

use crate::Decision;
use crate::create::{PARTITIONS_PER_REQUEST_MAX, excessive, excessive_batch};
use crate::error::Refusal;
use crate::image::{Configs, MetadataImage};
use crate::record::{
    ConfigRecord, MetadataRecord, RESOURCE_BROKER, RESOURCE_GROUP, RESOURCE_TOPIC, STRING_BYTES_MAX,
};

/// The bytes of keys and values that one request may name; a decision is not interrupted, so its work has a bound.
pub const CONFIG_BYTES_PER_REQUEST_MAX: usize = 2 << 20;

/// What has a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigResource {
    /// A topic.
    Topic(Str),
    /// A machine by its node id, or all of them by the empty name.
    Broker(Str),
    /// A group, whether it exists or not.
    Group(Str),
}

impl ConfigResource {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Str {
        match self {
            Self::Topic(name) | Self::Broker(name) | Self::Group(name) => name,
        }
    }

    fn record_type(&self) -> i8 {
        match self {
            Self::Topic(_) => RESOURCE_TOPIC,
            Self::Broker(_) => RESOURCE_BROKER,
            Self::Group(_) => RESOURCE_GROUP,
        }
    }
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    /// Gives it this value.
    Set(Str),
    /// Takes the resource's own value away.
    Delete,
    /// Adds to its list what is not there yet.
    Append(Str),
    /// Takes out of its list what is there.
    Subtract(Str),
}

impl ConfigOperation {
    fn value(&self) -> Option<&Str> {
        match self {
            Self::Set(value) | Self::Append(value) | Self::Subtract(value) => Some(value),
            Self::Delete => None,
        }
    }
}

/// What to do with a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The resource.
    pub resource: ConfigResource,
    /// The keys, none of them twice.
    pub operations: Vec<(Str, ConfigOperation)>,
    /// Whether values of keys that are not named are taken away, as the older AlterConfigs does.
    pub replaces: bool,
}

/// All brokers' values by name; those that all share have the empty one.
pub type BrokerConfigs = BTreeMap<Str, Configs>;

/// What the broker brings to a change of configurations.
#[derive(Clone, Copy)]
pub struct AlterConfigsRules<'a> {
    /// The default of a key whose values are lists; `None` for all others.
    pub list_default: &'a dyn Fn(&ConfigResource, &str) -> Option<&'static str>,
    /// Judges what a topic would have.
    pub check_topic: &'a dyn Fn(&Configs) -> Result<(), Refusal>,
    /// Judges what a group would have.
    pub check_group: &'a dyn Fn(&Configs) -> Result<(), Refusal>,
    /// Judges what the broker of this name would have, together with what all others have.
    pub check_broker: &'a dyn Fn(&str, &BrokerConfigs) -> Result<(), Refusal>,
}

impl fmt::Debug for AlterConfigsRules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlterConfigsRules").finish_non_exhaustive()
    }
}

/// The verdict on every change of a request, in its order.
pub type AlterConfigsReply = Vec<Result<(), Refusal>>;

/// Decides on a request. For one that only wants to validate, the caller drops the records.
///
/// # Errors
///
/// `POLICY_VIOLATION` for all resources if the request is too large.
pub fn decide_alter_configs(
    image: &MetadataImage,
    changes: &[ConfigChange],
    rules: &AlterConfigsRules<'_>,
) -> Result<Decision<AlterConfigsReply>, Refusal> {
    excessive_request(changes)?;
    let repeated = repeated(changes);
    let mut brokers = image.broker_configs.clone();
    let mut records = Vec::new();
    let reply = changes
        .iter()
        .map(|change| {
            if repeated.contains(&change.resource) {
                let message = "Each resource must appear at most once.";
                return Err(Refusal::new(ErrorCode::InvalidRequest, message));
            }
            let current = current(image, &brokers, &change.resource);
            let next = next(current, change, rules)?;
            let changed = records_between(current, &next, &change.resource);
            match &change.resource {
                ConfigResource::Topic(name) => {
                    (rules.check_topic)(&next)?;
                    if image.topic_named(name).is_none() {
                        let message = format!("The topic '{}' does not exist.", &**name);
                        return Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message));
                    }
                }
                ConfigResource::Group(_) => (rules.check_group)(&next)?,
                ConfigResource::Broker(name) => {
                    let mut after = brokers.clone();
                    after.insert(name.clone(), next);
                    (rules.check_broker)(name, &after)?;
                    brokers = after;
                }
            }
            records.extend(changed);
            Ok(())
        })
        .collect();
    excessive_batch(&records)?;
    Ok(Decision { records, reply })
}

/// Refuses requests whose decision would take long, whatever would come of it.
fn excessive_request(changes: &[ConfigChange]) -> Result<(), Refusal> {
    let operations = changes.iter().flat_map(|change| &change.operations);
    let bytes = operations
        .clone()
        .map(|(key, operation)| key.len() + operation.value().map_or(0, |value| value.len()));
    let is_excessive = operations.count().max(changes.len()) > PARTITIONS_PER_REQUEST_MAX
        || bytes.sum::<usize>() > CONFIG_BYTES_PER_REQUEST_MAX;
    if is_excessive {
        return Err(excessive());
    }
    Ok(())
}

fn repeated(changes: &[ConfigChange]) -> BTreeSet<&ConfigResource> {
    let mut seen = BTreeSet::new();
    let resources = changes.iter().map(|change| &change.resource);
    resources
        .filter(|resource| !seen.insert(*resource))
        .collect()
}

/// A resource without values.
static NOTHING: Configs = Configs::new();

fn current<'a>(
    image: &'a MetadataImage,
    brokers: &'a BrokerConfigs,
    resource: &ConfigResource,
) -> &'a Configs {
    let configs = match resource {
        ConfigResource::Topic(name) => image.topic_named(name).map(|topic| &topic.configs),
        ConfigResource::Broker(name) => brokers.get(name),
        ConfigResource::Group(name) => image.group_configs.get(name),
    };
    configs.unwrap_or(&NOTHING)
}

/// What the resource would have.
fn next(
    current: &Configs,
    change: &ConfigChange,
    rules: &AlterConfigsRules<'_>,
) -> Result<Configs, Refusal> {
    let mut next = if change.replaces {
        Configs::new()
    } else {
        current.clone()
    };
    let mut seen = BTreeSet::new();
    for (key, operation) in &change.operations {
        if !seen.insert(key) {
            let message = "Error due to duplicate config keys";
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
        let list = |verb: &str| {
            let default = (rules.list_default)(&change.resource, key).ok_or_else(|| {
                Refusal::new(ErrorCode::InvalidConfig, no_list(change, verb, key))
            })?;
            Ok(parts(current.get(key).map_or(default, |value| value)))
        };
        let value = match operation {
            ConfigOperation::Set(value) => value.clone(),
            ConfigOperation::Delete => {
                next.remove(key);
                continue;
            }
            ConfigOperation::Append(added) => {
                let mut items = list("APPEND")?;
                let mut present: FxHashSet<&str> = items.iter().copied().collect();
                items.extend(added.split(',').filter(|item| present.insert(item)));
                items.join(",").into()
            }
            ConfigOperation::Subtract(taken) => {
                let mut items = list("SUBTRACT")?;
                // Each takes out one of its kind.
                let mut left: FxHashMap<&str, usize> = FxHashMap::default();
                for item in taken.split(',') {
                    *left.entry(item).or_default() += 1;
                }
                items.retain(|item| match left.get_mut(item) {
                    Some(count) if *count > 0 => {
                        *count -= 1;
                        false
                    }
                    _ => true,
                });
                items.join(",").into()
            }
        };
        check_lengths(key, &value)?;
        next.insert(key.clone(), value);
    }
    Ok(next)
}

fn no_list(change: &ConfigChange, verb: &str, key: &str) -> String {
    match change.resource {
        ConfigResource::Topic(_) | ConfigResource::Group(_) => {
            format!("Can't {verb} to key {key} because its type is not LIST.")
        }
        ConfigResource::Broker(_) => {
            let verb = verb.to_lowercase();
            format!("Config value {verb} is not allowed for config key: {key}")
        }
    }
}

fn parts(list: &str) -> Vec<&str> {
    list.split(',').filter(|item| !item.is_empty()).collect()
}

/// Refuses strings that no metadata record can hold.
fn check_lengths(key: &Str, value: &Str) -> Result<(), Refusal> {
    let longest = key.len().max(value.len());
    if longest <= STRING_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "A configuration key or value has {longest} bytes; {STRING_BYTES_MAX} is the most."
    );
    Err(Refusal::new(ErrorCode::InvalidConfig, message))
}

/// The records that make the one of the other.
fn records_between(
    current: &Configs,
    next: &Configs,
    resource: &ConfigResource,
) -> Vec<MetadataRecord> {
    let record = |key: &Str, value: Option<&Str>| {
        MetadataRecord::Config(ConfigRecord {
            resource_type: resource.record_type(),
            resource_name: resource.name().clone(),
            name: key.clone(),
            value: value.cloned(),
        })
    };
    let set = next
        .iter()
        .filter(|(key, value)| current.get(*key) != Some(*value))
        .map(|(key, value)| record(key, Some(value)));
    let removed = current
        .keys()
        .filter(|key| !next.contains_key(*key))
        .map(|key| record(key, None));
    set.chain(removed).collect()
}
