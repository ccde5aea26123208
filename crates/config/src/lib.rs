//! `server.properties` and topic configuration, typed.
//!
//! [`Sources`] collects what was written and where; [`BrokerConfig::from_sources`] makes an immutable snapshot of it,
//! or says every fault at once; [`TopicConfig`] puts a topic's own values over the broker's defaults. All keys stand
//! in two tables, from which the typed structs, the checks, `DescribeConfigs` and the reference for people follow.
//! [`BrokerConfig::reloaded`] says what a changed file means for a broker that runs. The crate reads files and resolves
//! host names when it is asked to, on the main thread; its values are plain data that live on any core.
//!
//! It deliberately logs nothing (warnings are values) and watches no files.

mod broker;
mod broker_keys;
mod definition;
mod describe;
mod dynamic;
mod environment;
mod error;
mod file;
mod group_keys;
mod kinds;
mod known;
mod listener;
mod measured;
pub mod properties;
mod reference;
mod reload;
mod sources;
mod topic;
mod topic_keys;
mod unused;
mod value;

pub use broker::BrokerConfig;
pub use broker_keys::{BROKER_DEFINITIONS, BrokerValues};
pub use definition::{BrokerKey, Definition, Effect, UpdateMode, Validator};
pub use describe::{ConfigEntry, ConfigSource, ConfigSynonym, Effective};
pub use dynamic::{DynamicValues, validate_broker_config};
pub use environment::variable_of;
pub use error::{ConfigError, InvalidValue};
pub use file::{FILE_LEN_MAX_BYTES, read_text};
pub use group_keys::{GROUP_DEFINITIONS, GroupConfigError, GroupValues};
pub use kinds::{
    CleanupPolicy, CompressionType, Durability, GroupMigration, ProduceValidation, SHARDS_MAX,
    ShardAdvertise, ShardCores, TimestampType,
};
pub use known::Warning;
pub use known::nearest;
pub use listener::{Endpoint, Listener};
pub use measured::{MEASURED_FILE, MEASURED_KEYS, measured_text};
pub use reference::reference;
pub use reload::{Change, Reloaded};
pub use sources::{Origin, Setting, Sources};
pub use topic::{TopicConfigError, TopicDefaults, validate_topic_config};
pub use topic_keys::{TOPIC_DEFINITIONS, TopicConfig};
pub use value::{ConfigType, Value};
