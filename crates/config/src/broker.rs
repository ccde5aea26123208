//! The configuration of a broker: an immutable snapshot, checked as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use types::NodeId;

use crate::broker_keys::{BROKER_DEFINITIONS, BrokerValues};
use crate::definition::{Definition, Effect};
use crate::dynamic::DynamicValues;
use crate::group_keys;
use crate::kinds::ShardAdvertise;
use crate::known::{Warning, warn_about};
use crate::listener::{self, Fault, Listener};
use crate::sources::{Origin, Setting, Sources};
use crate::topic::TopicDefaults;
use crate::value::Value;
use crate::{ConfigError, InvalidValue};

/// Unknown keys for which the nearest name is looked for: a file with more of them is no configuration, and comparing each
/// with every name takes its time.
const SUGGESTIONS_MAX: usize = 100;

const INBOX_CAPACITY: &str = "logan.inbox.capacity";

/// The largest `node.id` with which no shard's id is another machine's.
const NODE_ID_MAX: i32 = 99_999;

/// A broker's configuration. It never changes; values that clients set make another one.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Every key by its own name.
    pub values: BrokerValues,
    /// `node.id`, or `broker.id` where only that is set.
    pub node_id: NodeId,
    /// The listeners that are opened, at least one, with what clients are told about each.
    pub listeners: Vec<Listener>,
    /// `log.dirs`, or `log.dir` where that is not set; at least one.
    pub log_dirs: Vec<PathBuf>,
    /// `max.connections.per.ip.overrides`, host names resolved.
    pub connections_per_ip: BTreeMap<IpAddr, i32>,
    /// What topics inherit.
    pub topic_defaults: TopicDefaults,
    /// What should be logged at the start.
    pub warnings: Vec<Warning>,
    /// What was written, for `DescribeConfigs`.
    pub(crate) written: BTreeMap<String, Setting>,
    /// What clients have set since.
    pub(crate) dynamic: DynamicValues,
    /// What counts of both.
    pub(crate) settings: BTreeMap<String, Setting>,
}

impl BrokerConfig {
    /// Parses and checks everything that was written.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with every impossible value.
    pub fn from_sources(sources: &Sources) -> Result<Self, ConfigError> {
        let mut written = sources.settings.clone();
        adopt_broker_id(&mut written);
        let mut config = Self::build(written, DynamicValues::default(), Hosts::Resolve)?;
        config.warnings = warnings(sources, &config.values);
        Ok(config)
    }

    /// Puts dynamic values over written ones; without warnings.
    pub(crate) fn build(
        written: BTreeMap<String, Setting>,
        dynamic: DynamicValues,
        hosts: Hosts<'_>,
    ) -> Result<Self, ConfigError> {
        let settings = dynamic.over(&written);
        let (parsed, invalid) = parse_all(&settings);
        let values = BrokerValues::from_values(&parsed);
        let resolved = Resolved::of(&values, &settings, hosts, invalid);
        let resolved = resolved.map_err(ConfigError::Invalid)?;
        Ok(Self {
            node_id: NodeId(values.node_id),
            listeners: resolved.listeners,
            log_dirs: values
                .log_dirs
                .as_ref()
                .unwrap_or(&values.log_dir)
                .iter()
                .map(PathBuf::from)
                .collect(),
            connections_per_ip: resolved.connections_per_ip,
            topic_defaults: resolved.topic_defaults,
            warnings: Vec::new(),
            values,
            written,
            dynamic,
            settings,
        })
    }

    /// `logan.cache.bytes` in bytes, given what the machine has.
    #[must_use]
    pub fn cache_bytes(&self, machine_memory_bytes: u64) -> u64 {
        u64::try_from(self.values.logan_cache_bytes).unwrap_or(machine_memory_bytes / 4)
    }

    /// `connections.max.idle.ms`, or `None` if idle connections stay open.
    #[must_use]
    pub fn idle_limit(&self) -> Option<std::time::Duration> {
        u64::try_from(self.values.connections_max_idle_ms)
            .ok()
            .map(std::time::Duration::from_millis)
    }

    /// `logan.shutdown.timeout.ms`.
    #[must_use]
    pub fn shutdown_timeout(&self) -> std::time::Duration {
        let millis = u64::try_from(self.values.logan_shutdown_timeout_ms);
        std::time::Duration::from_millis(millis.unwrap_or(0))
    }

    /// The limit of connections from this address.
    #[must_use]
    pub fn connections_limit(&self, address: IpAddr) -> i32 {
        let limit = self.connections_per_ip.get(&address.to_canonical());
        limit.copied().unwrap_or(self.values.max_connections_per_ip)
    }

    /// Checks what depends on how many shards there are: an inbox must hold every request that the credits of the
    /// other shards permit, or full inboxes could wait for each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] naming `logan.inbox.capacity` or `node.id`.
    pub fn check_shards(&self, shards: usize) -> Result<(), ConfigError> {
        if self.values.shard_advertise != ShardAdvertise::Single && self.node_id.0 > NODE_ID_MAX {
            let message = format!(
                "must be at most {NODE_ID_MAX} where shards are advertised as nodes, whose ids are 100,000 apart; or set shard.advertise=single"
            );
            return Err(ConfigError::Invalid(vec![locate(
                ("node.id", message),
                &self.settings,
            )]));
        }
        let (needed, credits) = (self.inbox_needed(shards), self.values.logan_inbox_credits);
        if self.inbox_capacity(shards) >= needed {
            return Ok(());
        }
        let message = format!(
            "must be at least {needed}: {credits} (logan.inbox.credits) for each of the {} other shards",
            shards.saturating_sub(1)
        );
        Err(ConfigError::Invalid(vec![locate(
            (INBOX_CAPACITY, message),
            &self.settings,
        )]))
    }

    /// How many messages an inbox holds where there are so many shards: `logan.inbox.capacity`. Where it is not set, many
    /// shards make it larger, so that beside all requests there is half as much room for long polls.
    #[must_use]
    pub fn inbox_capacity(&self, shards: usize) -> usize {
        let capacity = usize::try_from(self.values.logan_inbox_capacity).unwrap_or(0);
        if self.settings.contains_key(INBOX_CAPACITY) {
            return capacity;
        }
        let needed = self.inbox_needed(shards);
        capacity.max(needed.saturating_add(needed / 2))
    }

    /// The requests that the credits of all other shards permit.
    fn inbox_needed(&self, shards: usize) -> usize {
        let credits = usize::try_from(self.values.logan_inbox_credits).unwrap_or(0);
        credits.saturating_mul(shards.saturating_sub(1))
    }

    /// Where the value of a key was written.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.settings
            .get(key)
            .map_or(Origin::Default, |setting| setting.origin.clone())
    }
}

/// Kafka lets the old name stand for the new one.
fn adopt_broker_id(settings: &mut BTreeMap<String, Setting>) {
    if let (Some(setting), None) = (settings.get("broker.id"), settings.get("node.id")) {
        let setting = setting.clone();
        settings.insert("node.id".to_owned(), setting);
    }
}

/// The values of all keys in the order of the table, and what is wrong with those that are defaults for that reason.
fn parse_all(settings: &BTreeMap<String, Setting>) -> (Vec<Value>, Vec<InvalidValue>) {
    let mut invalid = Vec::new();
    let mut parse = |definition: &Definition| {
        let Some(setting) = settings.get(definition.name) else {
            return definition.default_value();
        };
        definition.parse(&setting.value).unwrap_or_else(|message| {
            invalid.push(InvalidValue {
                key: definition.name.to_owned(),
                message,
                origin: setting.origin.clone(),
            });
            definition.default_value()
        })
    };
    let values = BROKER_DEFINITIONS.iter().map(&mut parse).collect();
    (values, invalid)
}

/// What several keys say together.
struct Resolved {
    listeners: Vec<Listener>,
    connections_per_ip: BTreeMap<IpAddr, i32>,
    topic_defaults: TopicDefaults,
}

impl Resolved {
    fn of(
        values: &BrokerValues,
        settings: &BTreeMap<String, Setting>,
        hosts: Hosts<'_>,
        invalid: Vec<InvalidValue>,
    ) -> Result<Self, Vec<InvalidValue>> {
        let located = |fault: Fault| locate(fault, settings);
        let mut faults = invalid;
        if faults.is_empty() {
            // Held against a value that is not the one that was meant, another could seem wrong.
            faults.extend(cross_checks(values, settings).into_iter().map(located));
        }
        // The key's own fault says it better.
        let mut add = |fault: InvalidValue| {
            if faults.iter().all(|known| known.key != fault.key) {
                faults.push(fault);
            }
        };
        let listeners = listener::resolve(values).map_err(|fault| add(located(fault)));
        let overrides = connection_overrides(values, hosts).map_err(|fault| add(located(fault)));
        let defaults = TopicDefaults::from_settings(settings).map_err(&mut add);
        match (listeners, overrides, defaults) {
            (Ok(listeners), Ok(connections_per_ip), Ok(topic_defaults)) if faults.is_empty() => {
                Ok(Self {
                    listeners,
                    connections_per_ip,
                    topic_defaults,
                })
            }
            _ => Err(faults),
        }
    }
}

/// Source: `kafka.server.KafkaConfig#validateValues`.
fn cross_checks(values: &BrokerValues, settings: &BTreeMap<String, Setting>) -> Vec<Fault> {
    let mut faults = Vec::new();
    if settings.contains_key("broker.id") && values.broker_id != values.node_id {
        faults.push((
            "broker.id",
            format!(
                "You must set `node.id` to the same value as `broker.id`, not {} and {}",
                values.node_id, values.broker_id
            ),
        ));
    }
    if values.log_roll_ms.is_some_and(|roll_ms| roll_ms < 1) {
        faults.push((
            "log.roll.ms",
            "log.roll.ms must be greater than or equal to 1".to_owned(),
        ));
    }
    if values
        .log_roll_jitter_ms
        .is_some_and(|jitter_ms| jitter_ms < 0)
    {
        faults.push((
            "log.roll.jitter.ms",
            "log.roll.jitter.ms must be greater than or equal to 0".to_owned(),
        ));
    }
    let retentions = [
        ("log.retention.ms", values.log_retention_ms),
        (
            "log.retention.minutes",
            values.log_retention_minutes.map(i64::from),
        ),
        (
            "log.retention.hours",
            Some(i64::from(values.log_retention_hours)),
        ),
    ];
    // Only the strongest that is set counts, and there is always one: the hours have a default.
    if let Some((key, Some(0))) = retentions
        .into_iter()
        .find(|(_, retention)| retention.is_some())
    {
        faults.push((
            key,
            format!("{key} must be unlimited (-1) or, greater than or equal to 1"),
        ));
    }
    if values.log_cleaner_dedupe_buffer_size <= 1 << 20 {
        faults.push((
            "log.cleaner.dedupe.buffer.size",
            "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned(),
        ));
    }
    if values.max_connections_per_ip == 0 && values.max_connections_per_ip_overrides.is_empty() {
        faults.push(("max.connections.per.ip", "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.".to_owned()));
    }
    faults.extend(group_keys::cross_checks(values));
    let mut seen = BTreeSet::new();
    let (key, log_dirs) = match &values.log_dirs {
        Some(log_dirs) => ("log.dirs", log_dirs),
        None => ("log.dir", &values.log_dir),
    };
    if let Some(twice) = log_dirs
        .iter()
        .find(|log_dir| !seen.insert(log_dir.trim_end_matches('/')))
    {
        faults.push((
            key,
            format!("{twice} is named twice; each directory must be named once"),
        ));
    }
    if i64::from(values.message_max_bytes) > values.logan_staging_memory_bytes {
        let message = format!(
            "must be at least message.max.bytes, which is {}",
            values.message_max_bytes
        );
        faults.push(("logan.staging.memory.bytes", message));
    }
    faults
}

/// What to do about host names in `max.connections.per.ip.overrides`.
#[derive(Clone, Copy)]
pub(crate) enum Hosts<'a> {
    /// Ask for their addresses, which may take its time.
    Resolve,
    /// Refuse them: whoever asks must not wait.
    Refuse,
    /// The addresses are known already.
    Known(&'a BTreeMap<IpAddr, i32>),
}

fn connection_overrides(
    values: &BrokerValues,
    hosts: Hosts<'_>,
) -> Result<BTreeMap<IpAddr, i32>, Fault> {
    let key = "max.connections.per.ip.overrides";
    if let Hosts::Known(overrides) = hosts {
        return Ok(overrides.clone());
    }
    let mut overrides = BTreeMap::new();
    for entry in values
        .max_connections_per_ip_overrides
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let wrong = || {
            (
                key,
                format!("Expected address:count for {entry}, an IPv6 address as [::1]:count"),
            )
        };
        let (host, count) = entry.rsplit_once(':').ok_or_else(wrong)?;
        let count: i32 = count.trim().parse().ok().ok_or_else(wrong)?;
        let host = host.trim();
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if inner.is_none() && host.contains(':') {
            return Err(wrong());
        }
        let host = inner.unwrap_or(host);
        if count < 0 || host.is_empty() {
            return Err(wrong());
        }
        for address in resolve_host(host, hosts).map_err(|problem| (key, problem))? {
            overrides.insert(address.to_canonical(), count);
        }
    }
    Ok(overrides)
}

fn resolve_host(host: &str, hosts: Hosts<'_>) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    if !matches!(hosts, Hosts::Resolve) {
        return Err(format!(
            "Expected an address for {host}: host names are resolved at the start only"
        ));
    }
    let addresses = (host, 0).to_socket_addrs();
    let addresses =
        addresses.map_err(|error| format!("Host {host} cannot be resolved: {error}"))?;
    Ok(addresses.map(|address| address.ip()).collect())
}

/// Says where the value stands that a fault is about.
fn locate((key, problem): Fault, settings: &BTreeMap<String, Setting>) -> InvalidValue {
    let setting = settings.get(key);
    let definition = BROKER_DEFINITIONS
        .iter()
        .find(|definition| definition.name == key);
    let default = definition.and_then(|definition| definition.default);
    let value = setting.map_or(default.unwrap_or(""), |setting| setting.value.as_str());
    InvalidValue {
        key: key.to_owned(),
        message: format!("Invalid value {value} for configuration {key}: {problem}"),
        origin: setting.map_or(Origin::Default, |setting| setting.origin.clone()),
    }
}

fn warnings(sources: &Sources, values: &BrokerValues) -> Vec<Warning> {
    let mut warnings = sources.warnings();
    warnings.extend(warnings_of_roles(sources, values));
    warnings
}

impl Sources {
    /// What should be said about what is written, whatever its values are.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut suggestions_left = SUGGESTIONS_MAX;
        let keys = self.settings.iter();
        let keys = keys.filter_map(|(key, setting)| {
            let warning = warning_of_key(key, setting, suggestions_left > 0)?;
            suggestions_left = suggestions_left.saturating_sub(usize::from(warning.is_unknown()));
            Some(warning)
        });
        let shadowed = self.shadowed.iter();
        let shadowed = shadowed.map(|(key, setting)| Warning::Shadowed {
            key: key.clone(),
            origin: setting.origin.clone(),
        });
        let variables = self.unknown_variables.iter();
        let variables = variables.map(|variable| Warning::UnknownVariable {
            name: variable.name.clone(),
            nearest: variable.nearest.clone(),
        });
        let unmeasured = self.unmeasured.iter();
        let unmeasured = unmeasured.map(|it| Warning::Unmeasured {
            path: it.path.clone(),
            problem: it.problem.clone(),
        });
        keys.chain(shadowed)
            .chain(variables)
            .chain(unmeasured)
            .collect()
    }
}

fn warning_of_key(key: &str, setting: &Setting, suggests: bool) -> Option<Warning> {
    let origin = &setting.origin;
    let mut definitions = BROKER_DEFINITIONS.iter();
    match definitions.find(|definition| definition.name == key) {
        Some(definition) if definition.effect == Effect::Stored => Some(Warning::Stored {
            key: key.to_owned(),
            origin: origin.clone(),
        }),
        Some(_) => None,
        None => Some(warn_about(key, origin, suggests)),
    }
}

/// What becomes of the listeners of Kafka's controllers.
fn warnings_of_roles(sources: &Sources, values: &BrokerValues) -> Vec<Warning> {
    if listener::is_controller_alone(values) {
        let origin = sources.settings.get("process.roles");
        return vec![Warning::ControllerOnly {
            listeners: values.listeners.join(", "),
            origin: origin.map_or(Origin::Default, |setting| setting.origin.clone()),
        }];
    }
    let named = values.controller_listener_names.iter();
    let named = named.map(|listener| Warning::ControllerListener {
        listener: listener.clone(),
    });
    named.collect()
}
