//! A topic's configuration: the broker's defaults, and the topic's own values over them.

use std::collections::BTreeMap;
use std::fmt;

use crate::InvalidValue;
use crate::definition::{BrokerKey, Definition};
use crate::sources::{Origin, Setting};
use crate::topic_keys::{TOPIC_DEFINITIONS, TopicConfig};
use crate::value::{ConfigType, Value};

/// What topics inherit: Kafka's defaults with the broker's own values over them, parsed and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicDefaults {
    /// In the order of [`TOPIC_DEFINITIONS`].
    values: Vec<Value>,
}

/// Why a topic cannot have a configuration: Kafka's sentence, which clients show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TopicConfigError(
    /// The sentence, for example `Invalid value x for configuration segment.bytes: Not a number of type INT`.
    pub String,
);

impl fmt::Display for TopicConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Default for TopicDefaults {
    /// Kafka's own defaults.
    fn default() -> Self {
        Self {
            values: TOPIC_DEFINITIONS
                .iter()
                .map(Definition::default_value)
                .collect(),
        }
    }
}

impl TopicDefaults {
    /// Takes what the broker's file says about the keys behind the topic's keys.
    pub(crate) fn from_settings(
        settings: &BTreeMap<String, Setting>,
    ) -> Result<Self, InvalidValue> {
        let mut defaults = Self::default();
        for (definition, value) in TOPIC_DEFINITIONS.iter().zip(&mut defaults.values) {
            let set = definition
                .broker_keys
                .iter()
                .find_map(|key| Some((key, settings.get(key.name)?)));
            let Some((key, setting)) = set else { continue };
            let text = convert(definition, *key, &setting.value);
            *value = definition
                .parse_for(key.name, &text)
                .map_err(|message| InvalidValue {
                    key: key.name.to_owned(),
                    message,
                    origin: setting.origin.clone(),
                })?;
        }
        let key = "log.cleaner.min.compaction.lag.ms";
        let origin = || {
            settings
                .get(key)
                .map_or(Origin::Default, |setting| setting.origin.clone())
        };
        check_together(&defaults.values).map_err(|error| InvalidValue {
            key: key.to_owned(),
            message: error.0,
            origin: origin(),
        })?;
        Ok(defaults)
    }

    /// The value that a topic inherits for the key at `index` of [`TOPIC_DEFINITIONS`].
    pub(crate) fn value(&self, index: usize) -> &Value {
        &self.values[index]
    }
}

/// Puts a broker key's value into the topic key's unit. Kafka takes every negative retention as unlimited.
fn convert(definition: &Definition, key: BrokerKey, text: &str) -> String {
    let Ok(number) = text.trim().parse::<i64>() else {
        return text.to_owned();
    };
    let converted = number.saturating_mul(key.factor);
    if definition.name == "retention.ms" && converted < 0 {
        "-1".to_owned()
    } else {
        converted.to_string()
    }
}

impl TopicConfig {
    /// Kafka's defaults alone.
    #[must_use]
    pub fn kafka_defaults() -> Self {
        Self::from_values(&TopicDefaults::default().values)
    }

    /// The broker's defaults with a topic's own values over them. A later value of a key beats an earlier one.
    ///
    /// # Errors
    ///
    /// An unknown key, an impossible value, or values that contradict each other, in Kafka's words.
    pub fn from_overrides<'a>(
        defaults: &TopicDefaults,
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TopicConfigError> {
        let mut values = defaults.values.clone();
        for (key, text) in overrides {
            let index = index_of(key)
                .ok_or_else(|| TopicConfigError(format!("Unknown topic config name: {key}")))?;
            values[index] = TOPIC_DEFINITIONS[index]
                .parse(text)
                .map_err(TopicConfigError)?;
        }
        check_together(&values)?;
        Ok(Self::from_values(&values))
    }

    /// The configuration of a topic that exists: the broker's defaults with every own value over them that can be read.
    ///
    /// The values were checked against each other when they were set, but the defaults behind them may have changed since, and
    /// contradict them now. Then both stand, as in Kafka, whose brokers build a `LogConfig` without that check: to fall back to
    /// a default could mean another cleanup policy, and records that are deleted.
    ///
    /// `ignored` is told of each own value that cannot be read, which a version that knew other keys may have left.
    pub fn of_existing<'a>(
        defaults: &TopicDefaults,
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
        mut ignored: impl FnMut(&str, &str),
    ) -> Self {
        let mut values = defaults.values.clone();
        for (key, text) in overrides {
            let parsed = index_of(key)
                .and_then(|index| Some((index, TOPIC_DEFINITIONS[index].parse(text).ok()?)));
            match parsed {
                Some((index, value)) => values[index] = value,
                None => ignored(key, text),
            }
        }
        Self::from_values(&values)
    }
}

/// Checks the configuration that a client wants a topic to have, as Kafka's controller does.
///
/// # Errors
///
/// Kafka's sentence for the fault; the error code is `INVALID_CONFIG`.
///
/// Source: `kafka.server.ControllerConfigurationValidator#validate`.
pub fn validate_topic_config<'a>(
    defaults: &TopicDefaults,
    configs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<TopicConfig, TopicConfigError> {
    let configs: Vec<_> = configs.into_iter().collect();
    let nulls: Vec<&str> = configs
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(key, _)| *key)
        .collect();
    if !nulls.is_empty() {
        let message = format!(
            "Null value not supported for topic configs: {}",
            nulls.join(",")
        );
        return Err(TopicConfigError(message));
    }
    let set: Vec<_> = configs
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    let config = TopicConfig::from_overrides(defaults, set.iter().copied())?;
    match set.into_iter().find_map(refuse_without_effect) {
        Some(message) => Err(TopicConfigError(message)),
        None => Ok(config),
    }
}

/// Values that Kafka takes, and that could have no effect here: nobody shall believe that they have.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("local.retention.bytes", NOT_TIERED),
    ("local.retention.ms", NOT_TIERED),
    ("remote.log.copy.disable", NOT_TIERED),
    ("remote.log.delete.on.disable", NOT_TIERED),
];

const NOT_TIERED: &str = "there is no tiered storage here";

/// Says why a value of a key that nothing acts on is refused, unless it is the key's default.
fn refuse_without_effect((key, text): (&str, &str)) -> Option<String> {
    let (_, why) = WITHOUT_EFFECT.iter().find(|(name, _)| *name == key)?;
    let definition = &TOPIC_DEFINITIONS[index_of(key)?];
    let default = definition.default_value();
    let is_default = definition.parse(text).is_ok_and(|value| value == default);
    (!is_default).then(|| {
        format!("Invalid value {text} for configuration {key}: {why}; leave it at {default}")
    })
}

pub(crate) fn index_of(key: &str) -> Option<usize> {
    TOPIC_DEFINITIONS
        .binary_search_by(|definition| definition.name.cmp(key))
        .ok()
}

/// Source: `org.apache.kafka.storage.internals.log.LogConfig#validateValues` and the checks of tiered storage.
fn check_together(values: &[Value]) -> Result<(), TopicConfigError> {
    let config = TopicConfig::from_values(values);
    let (min, max) = (config.min_compaction_lag_ms, config.max_compaction_lag_ms);
    if min > max {
        let message = format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        );
        return Err(TopicConfigError(message));
    }
    if config.remote_storage_enable {
        let message = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.";
        return Err(TopicConfigError(message.to_owned()));
    }
    Ok(())
}

/// Whether values of this type are hidden from clients. None is yet: there are no passwords.
pub(crate) const fn is_sensitive(_config_type: ConfigType) -> bool {
    false
}
