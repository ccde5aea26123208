//! The keys of a group (resources of type GROUP): those that this broker acts on, and what their values may be.
//!
//! Kafka has more of them, for share groups and streams groups, which do not exist here.
//!
//! Source: `org.apache.kafka.coordinator.group.GroupConfig` of Kafka 4.3.1; the sentences are its own.

use std::collections::BTreeMap;

use crate::broker::BrokerConfig;
use crate::broker_keys::BrokerValues;
use crate::definition::{Definition, at_least, keys};
use crate::describe::{ConfigEntry, ConfigSource, ConfigSynonym};
use crate::listener::Fault;
use crate::value::Value;

keys! {
    /// The configuration of one consumer group: the broker's values with the group's own over them.
    pub struct GroupValues from GROUP_DEFINITIONS;
    "consumer.assignment.interval.ms" => consumer_assignment_interval_ms: i32 = Some("1000"), at_least(0), Dynamic, Honoured,
        ["group.consumer.assignment.interval.ms" * 1], "The shortest time between two assignments of a consumer group.";
    "consumer.heartbeat.interval.ms" => consumer_heartbeat_interval_ms: i32 = Some("5000"), at_least(1), Dynamic, Honoured,
        ["group.consumer.heartbeat.interval.ms" * 1], "The heartbeat interval of the members of a consumer group.";
    "consumer.session.timeout.ms" => consumer_session_timeout_ms: i32 = Some("45000"), at_least(1), Dynamic, Honoured,
        ["group.consumer.session.timeout.ms" * 1], "The time without a heartbeat after which a member of a consumer group is given up.";
}

/// Why a group cannot have a configuration: Kafka's sentence, which clients show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GroupConfigError(
    /// The sentence.
    pub String,
);

impl BrokerConfig {
    /// What a consumer group with these own values is held to. The error code for an impossible one is `INVALID_CONFIG`.
    ///
    /// # Errors
    ///
    /// An unknown key, an impossible value, or one beyond the limits that the broker sets.
    pub fn group<'a>(
        &self,
        own: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<GroupValues, GroupConfigError> {
        let mut values = self.inherited();
        for (key, text) in own {
            let index = GROUP_DEFINITIONS
                .iter()
                .position(|definition| definition.name == key)
                .ok_or_else(|| GroupConfigError(format!("Unknown group config name: {key}")))?;
            values[index] = GROUP_DEFINITIONS[index]
                .parse(text)
                .map_err(GroupConfigError)?;
        }
        let group = GroupValues::from_values(&values);
        self.check_group(&group)?;
        Ok(group)
    }

    /// What a consumer group without own values is held to.
    #[must_use]
    pub fn group_defaults(&self) -> GroupValues {
        GroupValues::from_values(&self.inherited())
    }

    /// What groups inherit, in the order of [`GROUP_DEFINITIONS`].
    fn inherited(&self) -> Vec<Value> {
        let values = &self.values;
        let inherited = [
            values.group_consumer_assignment_interval_ms,
            values.group_consumer_heartbeat_interval_ms,
            values.group_consumer_session_timeout_ms,
        ];
        inherited.map(|value| Value::Integer(value.into())).to_vec()
    }

    fn check_group(&self, group: &GroupValues) -> Result<(), GroupConfigError> {
        let values = &self.values;
        let (heartbeat, session) = (
            group.consumer_heartbeat_interval_ms,
            group.consumer_session_timeout_ms,
        );
        let ranges = [
            (
                "heartbeat.interval",
                heartbeat,
                values.group_consumer_min_heartbeat_interval_ms,
                values.group_consumer_max_heartbeat_interval_ms,
            ),
            (
                "session.timeout",
                session,
                values.group_consumer_min_session_timeout_ms,
                values.group_consumer_max_session_timeout_ms,
            ),
            (
                "assignment.interval",
                group.consumer_assignment_interval_ms,
                values.group_consumer_min_assignment_interval_ms,
                values.group_consumer_max_assignment_interval_ms,
            ),
        ];
        for (key, value, min, max) in ranges {
            let (bound, relation) = if value < min {
                ("min", "greater")
            } else if value > max {
                ("max", "less")
            } else {
                continue;
            };
            return Err(GroupConfigError(format!(
                "consumer.{key}.ms must be {relation} than or equal to group.consumer.{bound}.{key}.ms"
            )));
        }
        if session <= heartbeat {
            let message =
                "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms";
            return Err(GroupConfigError(message.to_owned()));
        }
        Ok(())
    }

    /// Every key of a group with these own values, in the order of their names.
    #[must_use]
    pub fn describe_group<'a>(
        &self,
        own: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<ConfigEntry> {
        let own: BTreeMap<&str, &str> = own.into_iter().collect();
        let entry = |(definition, inherited): (&'static Definition, Value)| {
            let set = own.get(definition.name).map(|text| (*text).to_owned());
            let mut synonyms = self.synonyms_behind(definition);
            if let Some(value) = &set {
                synonyms.insert(
                    0,
                    ConfigSynonym {
                        name: definition.name,
                        value: Some(value.clone()),
                        source: ConfigSource::DynamicGroupConfig,
                    },
                );
            }
            let source = synonyms
                .first()
                .map_or(ConfigSource::DefaultConfig, |synonym| synonym.source);
            ConfigEntry::of(
                definition,
                Some(set.unwrap_or(inherited.to_string())),
                source,
                synonyms,
            )
        };
        let inherited = self.inherited();
        GROUP_DEFINITIONS.iter().zip(inherited).map(entry).collect()
    }
}

/// What the broker's keys about groups must be together; the sentences are Kafka's where it has one.
///
/// Source: `org.apache.kafka.coordinator.group.GroupCoordinatorConfig`.
pub(crate) fn cross_checks(values: &BrokerValues) -> Vec<Fault> {
    let ranges = [
        (
            "heartbeat.interval",
            values.group_consumer_min_heartbeat_interval_ms,
            values.group_consumer_heartbeat_interval_ms,
            values.group_consumer_max_heartbeat_interval_ms,
        ),
        (
            "session.timeout",
            values.group_consumer_min_session_timeout_ms,
            values.group_consumer_session_timeout_ms,
            values.group_consumer_max_session_timeout_ms,
        ),
        (
            "assignment.interval",
            values.group_consumer_min_assignment_interval_ms,
            values.group_consumer_assignment_interval_ms,
            values.group_consumer_max_assignment_interval_ms,
        ),
    ];
    let mut faults = Vec::new();
    for (key, min, value, max) in ranges {
        let own = match key {
            "heartbeat.interval" => "group.consumer.heartbeat.interval.ms",
            "session.timeout" => "group.consumer.session.timeout.ms",
            _ => "group.consumer.assignment.interval.ms",
        };
        if max < min {
            let message = format!(
                "group.consumer.max.{key}.ms must be greater than or equal to group.consumer.min.{key}.ms"
            );
            faults.push((own, message));
        } else if value < min {
            let message =
                format!("{own} must be greater than or equal to group.consumer.min.{key}.ms");
            faults.push((own, message));
        } else if value > max {
            let message =
                format!("{own} must be less than or equal to group.consumer.max.{key}.ms");
            faults.push((own, message));
        }
    }
    if values.group_consumer_heartbeat_interval_ms >= values.group_consumer_session_timeout_ms {
        let message = "group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms";
        faults.push(("group.consumer.heartbeat.interval.ms", message.to_owned()));
    }
    if values.group_max_session_timeout_ms < values.group_min_session_timeout_ms {
        let message = "group.max.session.timeout.ms must be greater than or equal to group.min.session.timeout.ms";
        faults.push(("group.max.session.timeout.ms", message.to_owned()));
    }
    if !(0..=4).contains(&values.offsets_topic_compression_codec) {
        let key = "offsets.topic.compression.codec";
        let message = format!(
            "Unknown compression type id: {}",
            values.offsets_topic_compression_codec
        );
        faults.push((key, message));
    }
    faults
}

#[cfg(test)]
mod tests {
    use crate::{BrokerConfig, ConfigSource, Sources};

    fn config() -> BrokerConfig {
        BrokerConfig::from_sources(&Sources::empty()).expect("the defaults")
    }

    #[test]
    fn a_groups_own_values_lie_over_the_brokers() {
        let own = [("consumer.session.timeout.ms", "50000")];
        let group = config().group(own).expect("it is within the limits");
        assert_eq!(group.consumer_session_timeout_ms, 50_000);
        assert_eq!(group.consumer_heartbeat_interval_ms, 5_000);
        let described = config().describe_group(own);
        let sources: Vec<_> = described.iter().map(|entry| entry.source).collect();
        let default = ConfigSource::DefaultConfig;
        assert_eq!(
            sources,
            [default, default, ConfigSource::DynamicGroupConfig]
        );
    }

    #[test]
    fn the_limits_of_groups_are_those_of_the_brokers_keys() {
        let table = [
            ("session.timeout", "min", "45000", "46000"),
            ("session.timeout", "max", "60000", "59000"),
            ("heartbeat.interval", "min", "5000", "5001"),
            ("heartbeat.interval", "max", "15000", "14000"),
            ("assignment.interval", "min", "0", "1"),
            ("assignment.interval", "max", "15000", "14000"),
        ];
        for (key, bound, limit, tighter) in table {
            let mut sources = Sources::empty();
            let text = format!("group.consumer.{bound}.{key}.ms={tighter}");
            // The broker's own value must lie within its own limits.
            let own = format!("group.consumer.{key}.ms={tighter}");
            for text in [text, own] {
                sources.add_override(&text).expect("a key and a value");
            }
            let strict = BrokerConfig::from_sources(&sources).expect("it is possible");
            let own = format!("consumer.{key}.ms");
            let own = [(own.as_str(), limit)];
            assert!(config().group(own).is_ok(), "{own:?}");
            assert!(strict.group(own).is_err(), "{own:?} {bound}");
        }
    }

    #[test]
    fn impossible_values_of_groups_are_refused_in_kafkas_words() {
        let table = [
            (
                "consumer.session.timeout.ms",
                "44999",
                "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
            ),
            (
                "consumer.heartbeat.interval.ms",
                "15001",
                "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
            ),
            (
                "consumer.assignment.interval.ms",
                "-1",
                "Invalid value -1 for configuration consumer.assignment.interval.ms: Value must be at least 0",
            ),
            (
                "share.session.timeout.ms",
                "50000",
                "Unknown group config name: share.session.timeout.ms",
            ),
        ];
        for (key, value, message) in table {
            let refused = config().group([(key, value)]).map_err(|error| error.0);
            assert_eq!(refused, Err(message.to_owned()), "{key}={value}");
        }
    }
}
