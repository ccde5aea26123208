//! Keys in the environment: `LOGAN_` and the key in upper case, with underscores for its dots.
//!
//! A key of Logan's own does not say `LOGAN` twice: `logan.cache.bytes` is `LOGAN_CACHE_BYTES`. Names are made from the
//! keys, never keys from names, so an underscore needs no escape; a test holds all keys to names that differ.
//!
//! Deliberately absent: keys that have no definition here and none in Kafka, which could only be guessed.

use std::ffi::OsString;

use crate::ConfigError;
use crate::broker_keys::BROKER_DEFINITIONS;
use crate::known::{kafka_broker_keys, nearest_of};
use crate::sources::{Origin, Setting, Sources};

/// What every variable of Logan begins with.
const PREFIX: &str = "LOGAN_";

/// Variables of Logan's programs that stand for no key.
const NO_KEYS: &[&str] = &["LOGAN_LOG", "LOGAN_LOG_FORMAT", "LOGAN_BOOTSTRAP_SERVER"];

/// Variables that Kubernetes sets in every container beside a service called `logan`.
const OF_KUBERNETES: &[&str] = &["LOGAN_SERVICE_", "LOGAN_PORT_"];

/// A variable that looks like one of ours and stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownVariable {
    pub(crate) name: String,
    pub(crate) nearest: Option<String>,
}

/// The environment variable that sets a key.
#[must_use]
pub fn variable_of(key: &str) -> String {
    let short = key.strip_prefix("logan.").unwrap_or(key);
    let upper = short.to_ascii_uppercase();
    format!("{PREFIX}{}", upper.replace(['.', '-'], "_"))
}

fn all_keys() -> impl Iterator<Item = &'static str> {
    let own = BROKER_DEFINITIONS.iter().map(|definition| definition.name);
    own.chain(kafka_broker_keys())
}

fn is_foreign(name: &str) -> bool {
    name == "LOGAN_PORT" || OF_KUBERNETES.iter().any(|prefix| name.starts_with(prefix))
}

impl Sources {
    /// Adds what the environment says, over what was read before. Variables that do not begin with `LOGAN_` are not
    /// looked at; those that do and stand for no key become warnings.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Environment`] for a value that is no text.
    pub fn add_environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        let mut ours: Vec<(String, OsString)> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(PREFIX) && !NO_KEYS.contains(&name.as_str()))
            .filter(|(name, _)| !is_foreign(name))
            .collect();
        ours.sort_unstable();
        for (name, value) in ours {
            let Some(key) = all_keys().find(|key| variable_of(key) == name) else {
                let nearest = nearest_of(&name, all_keys().map(variable_of));
                self.unknown_variables
                    .push(UnknownVariable { name, nearest });
                continue;
            };
            let value = value
                .into_string()
                .map_err(|_bytes| ConfigError::Environment { name: name.clone() })?;
            let setting = Setting {
                value: value.trim().to_owned(),
                origin: Origin::Environment(name.into()),
            };
            self.set(key.to_owned(), setting);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use super::{NO_KEYS, all_keys, is_foreign, variable_of};
    use crate::{BrokerConfig, Origin, Sources};

    fn sources(file: &str, variables: &[(&str, &str)]) -> Sources {
        let mut sources = Sources::from_text("f", file).expect("valid text");
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        sources.add_environment(variables).expect("texts");
        sources
    }

    #[test]
    fn every_key_has_a_name_of_its_own() {
        let mut names = BTreeMap::new();
        for key in all_keys() {
            let name = variable_of(key);
            let other = names.insert(name.clone(), key);
            assert!(
                other.is_none_or(|other| other == key),
                "{other:?} and {key}: {name}"
            );
            assert!(
                !NO_KEYS.contains(&name.as_str()) && !is_foreign(&name),
                "{name}"
            );
        }
        assert_eq!(variable_of("log.retention.ms"), "LOGAN_LOG_RETENTION_MS");
        assert_eq!(variable_of("logan.cache.bytes"), "LOGAN_CACHE_BYTES");
        assert_eq!(variable_of("shard.cores"), "LOGAN_SHARD_CORES");
    }

    #[test]
    fn the_environment_beats_the_file_and_an_override_beats_both() {
        let file = "num.partitions=2\nlog.retention.ms=5\nnode.id=1";
        let mut sources = sources(
            file,
            &[("LOGAN_NUM_PARTITIONS", "3"), ("LOGAN_NODE_ID", " 7 ")],
        );
        sources.add_override("num.partitions=4").expect("key=value");
        let config = BrokerConfig::from_sources(&sources).expect("valid values");
        assert_eq!(config.values.num_partitions, 4);
        assert_eq!(config.values.log_retention_ms, Some(5));
        assert_eq!(config.node_id.0, 7);
        let origin = config.origin("node.id");
        assert_eq!(origin, Origin::Environment("LOGAN_NODE_ID".into()));
        assert_eq!(config.warnings, []);
    }

    #[test]
    fn a_variable_without_a_key_is_a_warning_with_the_nearest_name() {
        let sources = sources(
            "a=1",
            &[
                ("LOGAN_LOG", "debug"),
                ("LOGAN_NUM_PARTITION", "3"),
                ("LOGAN_SOMETHING_ENTIRELY_ELSE", ""),
                ("LOGAN_PROCESS_ROLES", "broker"),
                ("LOGAN_NUM_IO_THREADS", "8"),
                ("LOGAN_SERVICE_HOST", "10.0.0.1"),
                ("LOGAN_PORT_9092_TCP_ADDR", "10.0.0.1"),
                ("OTHER", "1"),
            ],
        );
        let config = BrokerConfig::from_sources(&sources).expect("valid values");
        let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[0], "a is no known key (f:1)");
        assert!(
            told[1].starts_with("num.io.threads is not used by Logan: "),
            "{told:?}"
        );
        assert!(
            told[1].ends_with(" (environment variable LOGAN_NUM_IO_THREADS)"),
            "{told:?}"
        );
        assert_eq!(
            told[2],
            "environment variable LOGAN_NUM_PARTITION stands for no key; did you mean LOGAN_NUM_PARTITIONS?"
        );
        assert_eq!(
            told[3],
            "environment variable LOGAN_SOMETHING_ENTIRELY_ELSE stands for no key"
        );
    }

    #[test]
    fn faults_name_the_variable() {
        let faulty = sources("a=1", &[("LOGAN_NUM_PARTITIONS", "0")]);
        let fault = BrokerConfig::from_sources(&faulty).expect_err("impossible");
        assert_eq!(
            fault.to_string(),
            "Invalid value 0 for configuration num.partitions: Value must be at least 1 (environment variable LOGAN_NUM_PARTITIONS)"
        );
        let bytes = OsString::from_vec(vec![0xff]);
        let fault = Sources::empty()
            .add_environment([("LOGAN_NODE_ID".into(), bytes)])
            .expect_err("no text");
        assert_eq!(
            fault.to_string(),
            "environment variable LOGAN_NODE_ID: its value is not UTF-8"
        );
    }
}
