//! Values that a running broker is given: some over all brokers, some over this one alone.
//!
//! They lie over what the file says, the broker's own over the shared ones, as in Kafka. A set of them is checked as a
//! whole before it is accepted; values that a later start with another file makes impossible are left out, those alone,
//! with an error in the log, so that a broker always starts.
//!
//! Source: `kafka.server.DynamicBrokerConfig`, KIP-226.

use std::collections::BTreeMap;

use crate::broker::{BrokerConfig, Hosts};
use crate::broker_keys::BROKER_DEFINITIONS;
use crate::definition::Definition;
use crate::known::{is_dynamic_in_kafka, nearest, warn_about};
use crate::sources::{Origin, Setting};
use crate::{ConfigError, Warning};

/// What was set while brokers ran, by key, as clients wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicValues {
    /// For all brokers.
    pub cluster: BTreeMap<String, String>,
    /// For this broker, over `cluster`.
    pub broker: BTreeMap<String, String>,
}

impl DynamicValues {
    fn sets(&self, key: &str) -> bool {
        self.cluster.contains_key(key) || self.broker.contains_key(key)
    }

    /// The values that count, over those that are written.
    pub(crate) fn over(&self, written: &BTreeMap<String, Setting>) -> BTreeMap<String, Setting> {
        let mut settings = written.clone();
        let layers = [
            (&self.cluster, Origin::Cluster),
            (&self.broker, Origin::Broker),
        ];
        for (values, origin) in layers {
            for (key, value) in values {
                let setting = Setting {
                    value: value.clone(),
                    origin: origin.clone(),
                };
                settings.insert(key.clone(), setting);
            }
        }
        settings
    }
}

impl BrokerConfig {
    /// The configuration with these values over what was written. It must be called on a configuration without any.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with every impossible value.
    pub fn with_dynamic(&self, dynamic: DynamicValues) -> Result<Self, ConfigError> {
        let key = "max.connections.per.ip.overrides";
        // A shard asks, and must not wait for a name server.
        let hosts = if dynamic.sets(key) {
            Hosts::Refuse
        } else {
            Hosts::Known(&self.connections_per_ip)
        };
        Self::build(self.written.clone(), dynamic, hosts)
    }

    /// As [`BrokerConfig::with_dynamic`], leaving out what is impossible, with the reason for each.
    #[must_use]
    pub fn with_dynamic_as_far_as_possible(&self, dynamic: &DynamicValues) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut keep = |values: &BTreeMap<String, String>| {
            let mut kept = BTreeMap::new();
            for (key, value) in values {
                let single = BTreeMap::from([(key.clone(), value.clone())]);
                match check_keys(&single) {
                    Ok(()) => {
                        kept.insert(key.clone(), value.clone());
                    }
                    Err(problem) => problems.push(problem),
                }
            }
            kept
        };
        let kept = DynamicValues {
            cluster: keep(&dynamic.cluster),
            broker: keep(&dynamic.broker),
        };
        if let Ok(config) = self.with_dynamic(kept.clone()) {
            return (config, problems);
        }
        let (kept, contradictions) = self.without_contradictions(kept);
        problems.extend(contradictions);
        let config = self.with_dynamic(kept);
        (config.unwrap_or_else(|_| self.clone()), problems)
    }

    /// The values that agree with each other and with what is written, and why the others do not. A value is left out for
    /// itself alone: one that has nothing to do with a contradiction, how long records are kept for example, stays.
    fn without_contradictions(&self, values: DynamicValues) -> (DynamicValues, Vec<String>) {
        let layer = |values, is_broker| {
            let values = BTreeMap::into_iter(values);
            values.map(move |(key, value): (String, String)| (is_broker, key, value))
        };
        let mut waiting: Vec<_> = layer(values.cluster, false)
            .chain(layer(values.broker, true))
            .collect();
        let mut kept = DynamicValues::default();
        loop {
            let mut left_out = Vec::new();
            let mut problems = Vec::new();
            let count = waiting.len();
            for (is_broker, key, value) in waiting {
                let mut tried = kept.clone();
                let layer = if is_broker {
                    &mut tried.broker
                } else {
                    &mut tried.cluster
                };
                layer.insert(key.clone(), value.clone());
                match self.with_dynamic(tried.clone()) {
                    Ok(_) => kept = tried,
                    Err(error) => {
                        problems.push(format!("{key}={value} is left out: {error}"));
                        left_out.push((is_broker, key, value));
                    }
                }
            }
            // A value may be possible only beside one that came later.
            if left_out.len() == count || left_out.is_empty() {
                return (kept, problems);
            }
            waiting = left_out;
        }
    }
}

/// Checks what clients want brokers to have: `changed` is the whole set that is being changed, one of the two of
/// `dynamic`.
///
/// # Errors
///
/// Kafka's sentence for the fault, where Kafka has one; the error code is `INVALID_REQUEST`.
pub fn validate_broker_config(
    config: &BrokerConfig,
    changed: &BTreeMap<String, String>,
    dynamic: DynamicValues,
) -> Result<(), String> {
    check_keys(changed)?;
    check_lockout(changed)?;
    config
        .with_dynamic(dynamic)
        .map(drop)
        .map_err(|error| match error {
            ConfigError::Invalid(invalid) => {
                let own = invalid
                    .iter()
                    .find(|fault| changed.contains_key(&fault.key));
                own.or(invalid.first())
                    .map_or_else(String::new, |fault| fault.message.clone())
            }
            other => other.to_string(),
        })
}

/// Refuses what nobody could take back, since nobody could connect any more and what clients set beats the file.
fn check_lockout(values: &BTreeMap<String, String>) -> Result<(), String> {
    let key = "max.connections";
    let count = values.get(key).and_then(|value| value.trim().parse().ok());
    if count == Some(0) {
        return Err(format!(
            "Invalid value 0 for configuration {key}: nobody could connect to change it again; stop the broker instead"
        ));
    }
    Ok(())
}

fn check_keys(values: &BTreeMap<String, String>) -> Result<(), String> {
    let is_static = |key: &&String| match definition(key) {
        Some(definition) => definition.update.is_read_only(),
        None => is_dynamic_in_kafka(key) == Some(false),
    };
    let fixed: Vec<&str> = values
        .keys()
        .filter(is_static)
        .map(String::as_str)
        .collect();
    if !fixed.is_empty() {
        return Err(format!(
            "Cannot update these configs dynamically: [{}]",
            fixed.join(", ")
        ));
    }
    for (key, value) in values {
        match definition(key) {
            Some(definition) => drop(definition.parse(value)?),
            None => return Err(unknown(key)),
        }
    }
    Ok(())
}

fn definition(key: &str) -> Option<&'static Definition> {
    let index = BROKER_DEFINITIONS.binary_search_by(|definition| definition.name.cmp(key));
    index.ok().map(|index| &BROKER_DEFINITIONS[index])
}

/// Why a key that has no definition is refused.
fn unknown(key: &str) -> String {
    match warn_about(key, &Origin::Cluster, false) {
        Warning::NotUsed { reason, .. } => format!("{key} is not used by Logan: {reason}"),
        _ => match nearest(key) {
            Some(nearest) => format!("Unknown broker config name: {key}; did you mean {nearest}?"),
            None => format!("Unknown broker config name: {key}"),
        },
    }
}
