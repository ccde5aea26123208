//! A shard's view of the cluster: the image, and the configurations parsed from it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use config::{
    BrokerConfig, CompressionType, Durability, DynamicValues, ProduceValidation, TimestampType,
    TopicConfig,
};
use metadata::{BrokerConfigs, Configs, MetadataImage, PartitionImage, TopicImage};
use protocol::Str;
use records::{Compression, CompressionLevels, ProduceRules, ValidationLevel};
use rpds::HashTrieMap;
use storage::LogConfig;
use types::{DurationMs, NodeId, PartitionIndex, ShardId, Uuid};

use crate::message::PartitionKey;

/// Records of a batch may be this many times larger than `max.message.bytes` when decompressed...
const DECOMPRESSED_RATIO_MAX: usize = 128;

/// ... but need not be refused below this size.
const DECOMPRESSED_MIN_MAX_BYTES: usize = 64 << 20;

/// What a topic's configuration means here.
#[derive(Clone, Debug)]
pub(crate) struct TopicSettings {
    pub(crate) rules: ProduceRules,
    pub(crate) log: LogConfig,
    pub(crate) is_append_time: bool,
    /// `min.insync.replicas`.
    pub(crate) in_sync_min: usize,
}

/// The image with parsed configurations; replaced as a whole.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) image: Arc<MetadataImage>,
    /// The broker's configuration: what is written, and what clients have set over it.
    pub(crate) config: Rc<BrokerConfig>,
    /// What is written alone.
    pub(crate) written: Arc<BrokerConfig>,
    /// Shared with the views before it, as far as it is the same.
    settings: HashTrieMap<Uuid, Rc<TopicSettings>>,
    /// Those of topics without values of their own, once there was one.
    plain: OnceCell<Rc<TopicSettings>>,
}

impl View {
    /// Parses what is new in `image`: the topics that changed, or all of them if the broker's configuration did, or if
    /// `previous` lies too far back to know. `written` is the broker's configuration without what clients have set.
    pub(crate) fn new(
        image: Arc<MetadataImage>,
        previous: Option<&Self>,
        written: &Arc<BrokerConfig>,
    ) -> Self {
        let previous = previous.filter(|previous| {
            Arc::ptr_eq(&previous.written, written)
                && previous.image.broker_configs() == image.broker_configs()
        });
        let mut view = match previous {
            Some(previous) => Self {
                image,
                config: Rc::clone(&previous.config),
                written: Arc::clone(written),
                settings: previous.settings.clone(),
                plain: previous.plain.clone(),
            },
            None => Self {
                config: Rc::new(effective(written, &image)),
                written: Arc::clone(written),
                image,
                settings: HashTrieMap::default(),
                plain: OnceCell::new(),
            },
        };
        let candidates = match previous {
            Some(previous) => view.candidates(previous),
            None => view.image.topics().map(|topic| topic.id).collect(),
        };
        for id in candidates {
            view.parse(id, previous);
        }
        view
    }

    /// Brings the settings of a topic to what the image says.
    fn parse(&mut self, id: Uuid, previous: Option<&Self>) {
        let Some(topic) = self.image.topic(id) else {
            self.settings.remove_mut(&id);
            return;
        };
        let before = previous.and_then(|previous| previous.image.topic(id));
        if before.is_some_and(|before| before.configs == topic.configs) {
            return;
        }
        let settings = if topic.configs.is_empty() {
            // Most topics have no values of their own: they share what is parsed once.
            let plain = || Rc::new(settings_of(topic, &self.config));
            Rc::clone(self.plain.get_or_init(plain))
        } else {
            Rc::new(settings_of(topic, &self.config))
        };
        self.settings.insert_mut(id, settings);
    }

    /// Every topic that may differ from what it was in `previous`, and few others.
    fn candidates(&self, previous: &Self) -> BTreeSet<Uuid> {
        let is_configured_alike = Rc::ptr_eq(&self.config, &previous.config);
        let changed = self
            .image
            .topics_changed_since(previous.image.end_offset())
            .filter(|_| is_configured_alike);
        changed.unwrap_or_else(|| {
            let topics = self.image.topics().chain(previous.image.topics());
            topics.map(|topic| topic.id).collect()
        })
    }

    /// Whether a topic and its settings are what they were in `previous`. Costs a few look-ups, whatever the topic's size.
    fn has_same(&self, previous: &Self, id: Uuid) -> bool {
        let topics = self.image.topic(id).zip(previous.image.topic(id));
        let settings = self.settings.get(&id).zip(previous.settings.get(&id));
        topics.is_some_and(|(topic, old)| Arc::ptr_eq(topic, old))
            && settings.is_some_and(|(settings, old)| Rc::ptr_eq(settings, old))
    }

    /// The topics that are new, changed or gone since `previous`, with how many partitions they have or had.
    pub(crate) fn changed_since(&self, previous: &Self) -> Vec<(Uuid, usize)> {
        let partitions = |view: &Self, id| view.image.topic(id).map_or(0, |it| it.partitions.len());
        let candidates = self.candidates(previous).into_iter();
        candidates
            .filter(|id| !self.has_same(previous, *id))
            .map(|id| (id, partitions(self, id).max(partitions(previous, id))))
            .collect()
    }

    /// The topic's parsed configuration.
    pub(crate) fn settings(&self, topic: Uuid) -> Option<&Rc<TopicSettings>> {
        self.settings.get(&topic)
    }

    /// The cluster's id as text.
    pub(crate) fn cluster_id(&self) -> Str {
        self.image
            .cluster_id()
            .unwrap_or(Uuid::ZERO)
            .to_string()
            .into()
    }

    /// A topic by name, or by id where the name is empty.
    pub(crate) fn topic(&self, name: &Str, id: Uuid) -> Option<&Arc<TopicImage>> {
        if name.is_empty() {
            self.image.topic(id)
        } else {
            self.image.topic_named(name)
        }
    }

    /// The shard that owns a partition.
    pub(crate) fn owner(&self, key: PartitionKey) -> Option<ShardId> {
        self.partition(key)?.shard
    }

    /// A partition.
    pub(crate) fn partition(&self, key: PartitionKey) -> Option<&PartitionImage> {
        self.image
            .partition(key.topic_id, PartitionIndex(key.index))
    }
}

/// The broker's configuration with what clients have set over it.
fn effective(written: &BrokerConfig, image: &MetadataImage) -> BrokerConfig {
    let dynamic = dynamic_values(image.broker_configs(), written.node_id);
    // The controller checked them; a file that changed since may contradict them.
    let (config, problems) = written.with_dynamic_as_far_as_possible(&dynamic);
    for problem in problems {
        tracing::error!("a value that was set while brokers ran does not apply: {problem}");
    }
    config
}

/// What clients have set for all brokers, and for this one.
pub(crate) fn dynamic_values(brokers: &BrokerConfigs, node: NodeId) -> DynamicValues {
    DynamicValues {
        cluster: texts(brokers.get("")),
        broker: texts(brokers.get(node.to_string().as_str())),
    }
}

/// Keys and values as the configuration takes them.
pub(crate) fn texts(configs: Option<&Configs>) -> BTreeMap<String, String> {
    let configs = configs.into_iter().flatten();
    let text = |text: &Str| text.as_str().to_owned();
    configs
        .map(|(key, value)| (text(key), text(value)))
        .collect()
}

fn settings_of(topic: &TopicImage, config: &BrokerConfig) -> TopicSettings {
    let overrides = topic
        .configs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let ignored = |key: &str, value: &str| {
        tracing::warn!(topic = %topic.name, key, value, "a topic's value cannot be read: the default applies");
    };
    let parsed = TopicConfig::of_existing(&config.topic_defaults, overrides, ignored);
    let level = match config.values.logan_produce_validation {
        ProduceValidation::Full => ValidationLevel::Full,
        ProduceValidation::Header => ValidationLevel::Header,
    };
    TopicSettings {
        rules: rules(&parsed, level),
        log: log_config(&parsed),
        in_sync_min: usize::try_from(parsed.min_insync_replicas).unwrap_or(0),
        is_append_time: parsed.message_timestamp_type == TimestampType::LogAppendTime,
    }
}

fn rules(config: &TopicConfig, level: ValidationLevel) -> ProduceRules {
    let batch_size_max_bytes = usize::try_from(config.max_message_bytes).unwrap_or(0);
    ProduceRules {
        level,
        batch_size_max_bytes,
        timestamp_type: match config.message_timestamp_type {
            TimestampType::CreateTime => records::TimestampType::CreateTime,
            TimestampType::LogAppendTime => records::TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        requires_keys: config.cleanup_policy.compact,
        compression: match config.compression_type {
            CompressionType::Producer => None,
            CompressionType::Uncompressed => Some(Compression::None),
            CompressionType::Gzip => Some(Compression::Gzip),
            CompressionType::Snappy => Some(Compression::Snappy),
            CompressionType::Lz4 => Some(Compression::Lz4),
            CompressionType::Zstd => Some(Compression::Zstd),
        },
        levels: CompressionLevels {
            gzip: config.compression_gzip_level,
            lz4: config.compression_lz4_level,
            zstd: config.compression_zstd_level,
        },
        allows_zstd: true,
        decompressed_max_bytes: batch_size_max_bytes
            .saturating_mul(DECOMPRESSED_RATIO_MAX)
            .max(DECOMPRESSED_MIN_MAX_BYTES),
    }
}

/// What storage needs of a topic's configuration.
pub(crate) fn log_config(config: &TopicConfig) -> LogConfig {
    let bytes = |value: i32| u32::try_from(value).unwrap_or(0);
    LogConfig {
        segment_bytes: bytes(config.segment_bytes),
        segment_ms: DurationMs(config.segment_ms),
        segment_index_bytes: bytes(config.segment_index_bytes),
        index_interval_bytes: bytes(config.index_interval_bytes),
        durability: match config.durability {
            Durability::Sync => storage::Durability::Sync,
            Durability::Written => storage::Durability::Written,
        },
        flush_messages: config.flush_messages,
        flush_ms: DurationMs(config.flush_ms),
        segment_jitter_ms: DurationMs(config.segment_jitter_ms),
        deletes: config.cleanup_policy.delete,
        compacts: config.cleanup_policy.compact,
        retention_ms: DurationMs(config.retention_ms),
        retention_bytes: config.retention_bytes,
        file_delete_delay_ms: DurationMs(config.file_delete_delay_ms),
        min_cleanable_dirty_ratio: config.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: DurationMs(config.min_compaction_lag_ms),
        max_compaction_lag_ms: DurationMs(config.max_compaction_lag_ms),
        delete_retention_ms: DurationMs(config.delete_retention_ms),
        preallocate: config.preallocate,
    }
}

#[cfg(test)]
mod tests {
    use config::{BrokerConfig, Effect, Sources, TOPIC_DEFINITIONS};
    use metadata::{Configs, TopicImage};
    use types::Uuid;

    use super::settings_of;

    /// Another value than the default, for each key that something here acts on.
    const OTHERS: &[(&str, &str)] = &[
        ("cleanup.policy", "compact"),
        ("compression.gzip.level", "1"),
        ("compression.lz4.level", "1"),
        ("compression.type", "zstd"),
        ("compression.zstd.level", "1"),
        ("delete.retention.ms", "1"),
        ("file.delete.delay.ms", "1"),
        ("flush.messages", "1"),
        ("flush.ms", "1"),
        ("index.interval.bytes", "1"),
        ("logan.durability", "written"),
        ("max.compaction.lag.ms", "1"),
        ("max.message.bytes", "1"),
        ("message.timestamp.after.max.ms", "1"),
        ("message.timestamp.before.max.ms", "1"),
        ("message.timestamp.type", "LogAppendTime"),
        ("min.cleanable.dirty.ratio", "0.1"),
        ("min.compaction.lag.ms", "1"),
        ("min.insync.replicas", "2"),
        ("preallocate", "true"),
        ("retention.bytes", "1"),
        ("retention.ms", "1"),
        ("segment.bytes", "2097152"),
        ("segment.index.bytes", "8"),
        ("segment.jitter.ms", "1"),
        ("segment.ms", "1"),
    ];

    /// Keys that no setting comes from: a partition has one replica, and no other to elect; and what is throttled is asked of
    /// the image itself whenever a log is copied (`shard::throttle`).
    const NO_SETTINGS: [&str; 3] = [
        "unclean.leader.election.enable",
        "follower.replication.throttled.replicas",
        "leader.replication.throttled.replicas",
    ];

    fn settings(configs: Configs) -> String {
        let topic = TopicImage {
            id: Uuid::ZERO,
            name: "t".into(),
            partitions: Vec::new(),
            configs,
        };
        let config = BrokerConfig::from_sources(&Sources::empty()).expect("the defaults");
        format!("{:?}", settings_of(&topic, &config))
    }

    #[test]
    fn a_default_that_contradicts_an_own_value_takes_no_other_one_away() {
        let topic = TopicImage {
            id: Uuid::ZERO,
            name: "t".into(),
            partitions: Vec::new(),
            configs: Configs::from([
                ("cleanup.policy".into(), "compact".into()),
                ("max.compaction.lag.ms".into(), "1000".into()),
                ("key.of.another.version".into(), "1".into()),
            ]),
        };
        let longer = "log.cleaner.min.compaction.lag.ms=2000";
        let sources = Sources::from_text("server.properties", longer).expect("a line");
        let config = BrokerConfig::from_sources(&sources).expect("the defaults and a lag");
        let log = settings_of(&topic, &config).log;
        assert!(log.compacts && !log.deletes, "{log:?}");
        assert_eq!(log.min_compaction_lag_ms.0, 2000);
        assert_eq!(log.max_compaction_lag_ms.0, 1000);
    }

    #[test]
    fn every_key_reaches_what_acts_on_it() {
        let default = settings(Configs::new());
        for (key, value) in OTHERS {
            let own = settings(Configs::from([((*key).into(), (*value).into())]));
            assert_ne!(own, default, "{key} is ignored");
        }
        for definition in TOPIC_DEFINITIONS {
            let is_tried = OTHERS.iter().any(|(key, _)| *key == definition.name);
            let has_setting = !NO_SETTINGS.contains(&definition.name);
            let acts = definition.effect == Effect::Honoured && has_setting;
            assert_eq!(is_tried, acts, "{}", definition.name);
        }
    }
}
