//! Values that a running broker is given: some over all brokers, some over this one alone.
//!
//! They lie over what the file says, the broker's own over the shared ones, as in Kafka. A set of them is checked as a
//! whole before it is accepted; values that a later start with another file makes impossible are left out with a
//! warning, so that a broker always starts.
//!
//! Source: `kafka.server.DynamicBrokerConfig`, KIP-226.

use std::collections::BTreeMap;

use crate::broker::{BrokerConfig, Hosts};
use crate::broker_keys::BROKER_DEFINITIONS;
use crate::definition::{Definition, UpdateMode};
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
        match self.with_dynamic(kept) {
            Ok(config) => (config, problems),
            Err(error) => {
                problems.push(error.to_string());
                let none = self.with_dynamic(DynamicValues::default());
                (none.unwrap_or_else(|_| self.clone()), problems)
            }
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
        Some(definition) => definition.update == UpdateMode::Restart,
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
    match warn_about(key, &Origin::Cluster) {
        Warning::NotUsed { .. } => format!("{key} is not used by Logan"),
        _ => match nearest(key) {
            Some(nearest) => format!("Unknown broker config name: {key}; did you mean {nearest}?"),
            None => format!("Unknown broker config name: {key}"),
        },
    }
}
