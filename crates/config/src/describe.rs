//! What `DescribeConfigs` and `CreateTopics` answer about keys.
//!
//! Source: `kafka.server.ConfigHelper` and `kafka.server.DynamicBrokerConfig#brokerConfigSynonyms`.

use std::collections::BTreeMap;

use crate::broker::BrokerConfig;
use crate::broker_keys::BROKER_DEFINITIONS;
use crate::definition::Definition;
use crate::sources::Origin;
use crate::topic::is_sensitive;
use crate::topic_keys::TOPIC_DEFINITIONS;
use crate::value::ConfigType;

/// Where a value comes from, with the number that `DescribeConfigs` carries.
///
/// Source: `org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    /// Set for the topic.
    DynamicTopicConfig = 1,
    /// Set for this broker while it runs.
    DynamicBrokerConfig = 2,
    /// Set for all brokers while they run.
    DynamicDefaultBrokerConfig = 3,
    /// Written in `server.properties` or an override.
    StaticBrokerConfig = 4,
    /// Nobody set it.
    DefaultConfig = 5,
    /// Set for the group.
    DynamicGroupConfig = 8,
}

impl ConfigSource {
    /// The number in a response.
    #[must_use]
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// A key of the broker with the value that counts.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The key.
    pub definition: &'static Definition,
    /// Its value; `None` where there is none.
    pub value: Option<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// A key as `DescribeConfigs` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: &'static str,
    /// The value in force; `None` where there is none, or where it is a secret.
    pub value: Option<String>,
    /// Whether a change needs a restart.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value is a secret.
    pub is_sensitive: bool,
    /// All places that set the key or one that stands behind it, strongest first.
    pub synonyms: Vec<ConfigSynonym>,
    /// The type of the values.
    pub config_type: ConfigType,
    /// A sentence about the key.
    pub documentation: &'static str,
}

/// A place that sets a key or one that stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key that is set there.
    pub name: &'static str,
    /// Its value as written.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

impl BrokerConfig {
    /// Every key of a topic with these own values, in the order of their names. Own values that are no longer
    /// possible are shown as they were written.
    #[must_use]
    pub fn describe_topic<'a>(
        &self,
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<ConfigEntry> {
        let overrides: BTreeMap<&str, &str> = overrides.into_iter().collect();
        let entry = |(index, definition): (usize, &'static Definition)| {
            let own = overrides.get(definition.name).copied();
            let value = match own.map(|text| (text, definition.parse(text))) {
                Some((_, Ok(value))) => value.to_string(),
                Some((text, Err(_))) => text.to_owned(),
                None => self.topic_defaults.value(index).to_string(),
            };
            let mut synonyms = self.synonyms_behind(definition);
            if own.is_some() {
                let source = ConfigSource::DynamicTopicConfig;
                synonyms.insert(
                    0,
                    ConfigSynonym {
                        name: definition.name,
                        value: Some(value.clone()),
                        source,
                    },
                );
            }
            let source = synonyms
                .first()
                .map_or(ConfigSource::DefaultConfig, |synonym| synonym.source);
            ConfigEntry::of(definition, Some(value), source, synonyms)
        };
        TOPIC_DEFINITIONS.iter().enumerate().map(entry).collect()
    }

    /// Every key of this broker, in the order of their names.
    #[must_use]
    pub fn describe_broker(&self) -> Vec<ConfigEntry> {
        let entry = |definition: &'static Definition| {
            let synonyms = self.synonyms(definition.name, &equivalents(definition.name));
            let own = self.settings.get(definition.name);
            let value = match own.map(|setting| (setting, definition.parse(&setting.value))) {
                Some((_, Ok(value))) => Some(value.to_string()),
                Some((setting, Err(_))) => Some(setting.value.clone()),
                None => definition
                    .default
                    .map(|_| definition.default_value().to_string()),
            };
            let source = synonyms
                .first()
                .map_or(ConfigSource::DefaultConfig, |synonym| synonym.source);
            ConfigEntry::of(definition, value, source, synonyms)
        };
        BROKER_DEFINITIONS.iter().map(entry).collect()
    }

    /// Every key of this broker with the value in force and where that stands, in the order of their names.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        let effective = |definition: &'static Definition| {
            let own = self.settings.get(definition.name);
            let value = own.map(|setting| {
                let parsed = definition.parse(&setting.value);
                parsed.map_or_else(|_| setting.value.clone(), |value| value.to_string())
            });
            Effective {
                definition,
                value: value.or_else(|| definition.default.map(str::to_owned)),
                origin: self.origin(definition.name),
            }
        };
        BROKER_DEFINITIONS.iter().map(effective).collect()
    }

    /// The keys that clients have set for all brokers, in the order of their names.
    #[must_use]
    pub fn describe_cluster(&self) -> Vec<ConfigEntry> {
        let entry = |definition: &'static Definition| {
            let value = self.dynamic.cluster.get(definition.name)?;
            let names = equivalents(definition.name);
            let mut synonyms = self.synonyms(definition.name, &names);
            synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBrokerConfig);
            let source = ConfigSource::DynamicDefaultBrokerConfig;
            Some(ConfigEntry::of(
                definition,
                Some(value.clone()),
                source,
                synonyms,
            ))
        };
        BROKER_DEFINITIONS.iter().filter_map(entry).collect()
    }

    pub(crate) fn synonyms_behind(&self, topic: &Definition) -> Vec<ConfigSynonym> {
        match topic.broker_keys.first() {
            None => Vec::new(),
            Some(first) => self.synonyms(first.name, &equivalents(first.name)),
        }
    }

    /// Kafka's order: what is set or written for the key and its equivalents, then their defaults. It drops all entries
    /// before the first one of the key's own name, so `retention.ms` has none if only `log.retention.hours` is set.
    fn synonyms(&self, name: &str, names: &[&'static str]) -> Vec<ConfigSynonym> {
        let dynamic = [
            (&self.dynamic.broker, ConfigSource::DynamicBrokerConfig),
            (
                &self.dynamic.cluster,
                ConfigSource::DynamicDefaultBrokerConfig,
            ),
        ];
        let dynamic = dynamic.into_iter().flat_map(|(values, source)| {
            names.iter().filter_map(move |name| {
                let value = Some(values.get(*name)?.clone());
                Some(ConfigSynonym {
                    name,
                    value,
                    source,
                })
            })
        });
        let written = names.iter().filter_map(|name| {
            let value = Some(self.written.get(*name)?.value.clone());
            Some(ConfigSynonym {
                name,
                value,
                source: ConfigSource::StaticBrokerConfig,
            })
        });
        let defaults = names.iter().filter_map(|name| {
            let definition = BROKER_DEFINITIONS
                .iter()
                .find(|definition| definition.name == *name)?;
            let value = Some(definition.default?.to_owned());
            Some(ConfigSynonym {
                name,
                value,
                source: ConfigSource::DefaultConfig,
            })
        });
        dynamic
            .chain(written)
            .chain(defaults)
            .skip_while(|synonym| synonym.name != name)
            .collect()
    }
}

impl ConfigEntry {
    pub(crate) fn of(
        definition: &'static Definition,
        value: Option<String>,
        source: ConfigSource,
        synonyms: Vec<ConfigSynonym>,
    ) -> Self {
        Self {
            name: definition.name,
            value,
            read_only: definition.update.is_read_only(),
            source,
            is_sensitive: is_sensitive(definition.config_type),
            synonyms,
            config_type: definition.config_type,
            documentation: definition.documentation,
        }
    }
}

/// The keys that set one thing in different units or under an older name, strongest first.
fn equivalents(name: &str) -> Vec<&'static str> {
    const FAMILIES: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        &[
            "log.retention.ms",
            "log.retention.minutes",
            "log.retention.hours",
        ],
    ];
    if let Some(family) = FAMILIES.iter().find(|family| family.contains(&name)) {
        return family.to_vec();
    }
    BROKER_DEFINITIONS
        .iter()
        .map(|definition| definition.name)
        .filter(|known| *known == name)
        .collect()
}
