//! What a topic inherits, what it may say itself, and how Kafka's words refuse the rest.

use config::{
    BrokerConfig, CleanupPolicy, CompressionType, ConfigSource, Durability, Sources, TimestampType,
    TopicConfig, TopicDefaults, validate_topic_config,
};
use proptest::prelude::{any, prop, proptest};

fn broker(text: &str) -> BrokerConfig {
    let sources = Sources::from_text("server.properties", text).expect("valid text");
    BrokerConfig::from_sources(&sources).expect("valid values")
}

fn refused(configs: &[(&str, Option<&str>)]) -> String {
    validate_topic_config(&TopicDefaults::default(), configs.iter().copied())
        .expect_err("impossible")
        .to_string()
}

#[test]
fn a_topic_without_own_values_has_kafkas_defaults() {
    let config = TopicConfig::kafka_defaults();
    assert_eq!(
        config.cleanup_policy,
        CleanupPolicy {
            delete: true,
            compact: false
        }
    );
    assert_eq!(config.compression_type, CompressionType::Producer);
    assert_eq!(config.message_timestamp_type, TimestampType::CreateTime);
    assert_eq!(config.durability, Durability::Sync);
    assert_eq!(
        (config.segment_bytes, config.segment_ms),
        (1 << 30, 604_800_000)
    );
    assert_eq!(
        (config.flush_ms, config.retention_ms),
        (i64::MAX, 604_800_000)
    );
}

#[test]
fn broker_values_are_inherited_in_the_topics_units() {
    let inherited = |text: &str| {
        TopicConfig::from_overrides(&broker(text).topic_defaults, []).expect("no own values")
    };
    assert_eq!(inherited("log.roll.hours=2").segment_ms, 7_200_000);
    assert_eq!(inherited("log.roll.hours=2\nlog.roll.ms=5").segment_ms, 5);
    assert_eq!(inherited("log.retention.minutes=3").retention_ms, 180_000);
    assert_eq!(inherited("log.retention.hours=-7").retention_ms, -1);
    assert_eq!(inherited("log.flush.scheduler.interval.ms=9").flush_ms, 9);
    assert_eq!(inherited("message.max.bytes=77").max_message_bytes, 77);
    assert_eq!(
        inherited("logan.durability=written").durability,
        Durability::Written
    );
}

#[test]
fn own_values_beat_inherited_ones() {
    let defaults = broker("log.segment.bytes=2000000").topic_defaults;
    let own = [
        ("segment.bytes", "3000000"),
        ("cleanup.policy", "compact, delete"),
    ];
    let config = TopicConfig::from_overrides(&defaults, own).expect("possible");
    assert_eq!(config.segment_bytes, 3_000_000);
    assert_eq!(
        config.cleanup_policy,
        CleanupPolicy {
            delete: true,
            compact: true
        }
    );
    assert!(
        !TopicConfig::from_overrides(&defaults, [("cleanup.policy", "")])
            .expect("Kafka permits it")
            .cleanup_policy
            .delete
    );
}

/// The sentences were taken from `LogConfig#validate` of Kafka 4.3.1.
#[test]
fn impossible_values_are_refused_in_kafkas_words() {
    for (key, value, expected) in [
        (
            "segment.bytes",
            "x",
            "Invalid value x for configuration segment.bytes: Not a number of type INT",
        ),
        (
            "segment.bytes",
            "",
            "Invalid value  for configuration segment.bytes: Not a number of type INT",
        ),
        (
            "segment.bytes",
            "10",
            "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            "segment.bytes",
            "99999999999",
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
        ),
        (
            "compression.type",
            "GZIP",
            "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "cleanup.policy",
            "foo",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "cleanup.policy",
            "compact,",
            "Configuration 'cleanup.policy' values must not be empty.",
        ),
        (
            "preallocate",
            "yes",
            "Invalid value yes for configuration preallocate: Expected value to be either true or false",
        ),
        (
            "min.cleanable.dirty.ratio",
            "2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "min.cleanable.dirty.ratio",
            "0,5",
            "Invalid value 0,5 for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            "compression.zstd.level",
            "23",
            "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22",
        ),
        (
            "retention.ms",
            "-2",
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        ),
        (
            "max.message.bytes",
            "0x10",
            "Invalid value 0x10 for configuration max.message.bytes: Not a number of type INT",
        ),
        (
            "leader.replication.throttled.replicas",
            "none",
            "Invalid value [none] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        ("nosuch", "1", "Unknown topic config name: nosuch"),
        (
            "remote.storage.enable",
            "true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
        ),
    ] {
        assert_eq!(refused(&[(key, Some(value))]), expected);
    }
    assert_eq!(
        refused(&[
            ("min.compaction.lag.ms", Some("10")),
            ("max.compaction.lag.ms", Some("5"))
        ]),
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"
    );
    assert_eq!(
        refused(&[("a", None), ("segment.ms", None)]),
        "Null value not supported for topic configs: a,segment.ms"
    );
}

#[test]
fn what_kafka_accepts_is_accepted() {
    for (key, value) in [
        ("segment.bytes", " 2097152 "),
        ("max.message.bytes", "+5"),
        ("preallocate", "TRUE"),
        ("cleanup.policy", "compact,compact"),
        ("retention.bytes", "-5"),
        ("leader.replication.throttled.replicas", "*"),
        ("leader.replication.throttled.replicas", "0:1,1:2"),
        ("compression.gzip.level", "-1"),
    ] {
        let verdict = validate_topic_config(&TopicDefaults::default(), [(key, Some(value))]);
        assert!(verdict.is_ok(), "{key}={value}: {verdict:?}");
    }
}

#[test]
fn describing_a_topic_shows_where_values_come_from() {
    let config = broker("log.segment.bytes=2000000\nlog.retention.hours=1");
    let entries = config.describe_topic([("max.message.bytes", " 5")]);
    let entry = |name: &str| entries.iter().find(|entry| entry.name == name).expect(name);
    let sources = |name: &str| {
        entry(name)
            .synonyms
            .iter()
            .map(|synonym| (synonym.name, synonym.source))
            .collect::<Vec<_>>()
    };

    assert_eq!(entry("max.message.bytes").value.as_deref(), Some("5"));
    assert_eq!(
        sources("max.message.bytes"),
        [
            ("max.message.bytes", ConfigSource::DynamicTopicConfig),
            ("message.max.bytes", ConfigSource::DefaultConfig),
        ]
    );
    assert_eq!(
        entry("segment.bytes").source,
        ConfigSource::StaticBrokerConfig
    );
    assert_eq!(entry("segment.bytes").value.as_deref(), Some("2000000"));
    assert_eq!(
        sources("segment.bytes"),
        [
            ("log.segment.bytes", ConfigSource::StaticBrokerConfig),
            ("log.segment.bytes", ConfigSource::DefaultConfig),
        ]
    );
    // Kafka's own oddity: a value that comes from another unit's key is described without a source.
    assert_eq!(entry("retention.ms").value.as_deref(), Some("3600000"));
    assert_eq!(
        (entry("retention.ms").source, sources("retention.ms")),
        (ConfigSource::DefaultConfig, vec![])
    );
    assert!(
        entries
            .iter()
            .all(|entry| !entry.read_only && !entry.is_sensitive)
    );
}

proptest! {
    #[test]
    fn no_value_of_any_key_panics(index in any::<prop::sample::Index>(), value in any::<String>()) {
        let definition = &config::TOPIC_DEFINITIONS[index.index(config::TOPIC_DEFINITIONS.len())];
        drop(validate_topic_config(&TopicDefaults::default(), [(definition.name, Some(value.as_str()))]));
        let definition = &config::BROKER_DEFINITIONS[index.index(config::BROKER_DEFINITIONS.len())];
        let mut sources = Sources::empty();
        if definition.name != "max.connections.per.ip.overrides" && sources.add_override(&format!("{}={value}", definition.name)).is_ok() {
            drop(BrokerConfig::from_sources(&sources).map(|config| config.describe_broker()));
        }
    }
}
