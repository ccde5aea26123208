//! Values that brokers are given while they run: what they lie over, how they are described, which are refused.

use std::collections::BTreeMap;

use config::{
    BrokerConfig, ConfigEntry, ConfigSource, DynamicValues, Sources, TopicConfig,
    validate_broker_config,
};

fn written(text: &str) -> BrokerConfig {
    let sources = Sources::from_text("server.properties", text).expect("it can be read");
    BrokerConfig::from_sources(&sources).expect("it is possible")
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn dynamic(cluster: &[(&str, &str)], broker: &[(&str, &str)]) -> DynamicValues {
    DynamicValues {
        cluster: values(cluster),
        broker: values(broker),
    }
}

fn entry(entries: Vec<ConfigEntry>, name: &str) -> ConfigEntry {
    let mut found = entries.into_iter().filter(|entry| entry.name == name);
    found.next().expect("it is described")
}

#[test]
fn a_brokers_own_value_lies_over_the_shared_one_and_that_over_the_file() {
    let file = written("message.max.bytes=100\nmin.insync.replicas=4\ncompression.type=zstd");
    let config = file
        .with_dynamic(dynamic(
            &[("message.max.bytes", "200"), ("min.insync.replicas", "5")],
            &[("message.max.bytes", "300")],
        ))
        .expect("possible");
    let topic = TopicConfig::from_overrides(&config.topic_defaults, []).expect("possible");
    assert_eq!(topic.max_message_bytes, 300);
    assert_eq!(topic.min_insync_replicas, 5);
    assert_eq!(topic.compression_type.name(), "zstd");
    let described = entry(config.describe_broker(), "message.max.bytes");
    assert_eq!(described.value.as_deref(), Some("300"));
    assert_eq!(described.source, ConfigSource::DynamicBrokerConfig);
    let synonyms: Vec<_> = described
        .synonyms
        .iter()
        .map(|synonym| {
            (
                synonym.value.as_deref().unwrap_or(""),
                synonym.source.code(),
            )
        })
        .collect();
    assert_eq!(
        synonyms,
        [("300", 2), ("200", 3), ("100", 4), ("1048588", 5)]
    );
    let described = entry(config.describe_topic([]), "min.insync.replicas");
    assert_eq!(described.source, ConfigSource::DynamicDefaultBrokerConfig);
}

#[test]
fn only_what_clients_set_is_described_for_all_brokers() {
    let config = written("num.partitions=3")
        .with_dynamic(dynamic(
            &[("log.retention.ms", "5")],
            &[("log.roll.ms", "6")],
        ))
        .expect("possible");
    let described = config.describe_cluster();
    assert_eq!(described.len(), 1);
    assert_eq!(described[0].name, "log.retention.ms");
    assert_eq!(described[0].synonyms.len(), 1);
}

#[test]
fn a_dynamic_retention_in_milliseconds_beats_written_hours() {
    let config = written("log.retention.hours=1")
        .with_dynamic(dynamic(&[("log.retention.ms", "7")], &[]))
        .expect("possible");
    let topic = TopicConfig::from_overrides(&config.topic_defaults, []).expect("possible");
    assert_eq!(topic.retention_ms, 7);
}

#[test]
fn impossible_values_are_refused_with_the_key() {
    let file = written("");
    for (key, value, part) in [
        (
            "num.partitions",
            "3",
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        (
            "listeners",
            "PLAINTEXT://:1",
            "Cannot update these configs dynamically: [listeners]",
        ),
        // Kafka's, which Logan does not have: fixed in Kafka too, and not.
        (
            "broker.session.timeout.ms",
            "3",
            "Cannot update these configs dynamically",
        ),
        ("num.io.threads", "3", "num.io.threads is not used by Logan"),
        ("log.retention.mss", "3", "did you mean log.retention.ms?"),
        ("log.segment.bytes", "2m", "Not a number of type INT"),
        ("log.segment.bytes", "14", "Value must be at least 1048576"),
        ("log.retention.ms", "0", "greater than or equal to 1"),
        (
            "log.cleaner.min.compaction.lag.ms",
            "9223372036854775807",
            "",
        ),
        (
            "max.connections.per.ip.overrides",
            "a-host:5",
            "host names are resolved at the start",
        ),
        ("max.connections", "0", "nobody could connect"),
        ("max.connections", "1", ""),
    ] {
        let changed = values(&[(key, value)]);
        let verdict = validate_broker_config(&file, &changed, dynamic(&[], &[(key, value)]));
        if part.is_empty() {
            assert_eq!(verdict, Ok(()), "{key}={value}");
        } else {
            let problem = verdict.expect_err("impossible");
            assert!(problem.contains(part), "{key}={value}: {problem}");
        }
    }
}

#[test]
fn values_that_contradict_those_of_the_other_layer_are_refused() {
    let changed = values(&[("log.cleaner.min.compaction.lag.ms", "20")]);
    let both = DynamicValues {
        cluster: values(&[("log.cleaner.max.compaction.lag.ms", "10")]),
        broker: changed.clone(),
    };
    let problem = validate_broker_config(&written(""), &changed, both).expect_err("impossible");
    assert!(
        problem.contains("min.compaction.lag.ms (20) > max.compaction.lag.ms (10)"),
        "{problem}"
    );
}

#[test]
fn a_broker_starts_whatever_was_set_before() {
    let set = dynamic(
        &[("log.segment.bytes", "1"), ("message.max.bytes", "77")],
        &[("no.such.key", "1")],
    );
    let (config, problems) = written("").with_dynamic_as_far_as_possible(&set);
    assert_eq!(config.values.message_max_bytes, 77);
    assert_eq!(config.values.log_segment_bytes, 1_073_741_824);
    assert_eq!(problems.len(), 2, "{problems:?}");
    // Each alone is possible, not both.
    let set = dynamic(
        &[("log.cleaner.max.compaction.lag.ms", "10")],
        &[("log.cleaner.min.compaction.lag.ms", "20")],
    );
    let (config, problems) = written("message.max.bytes=5").with_dynamic_as_far_as_possible(&set);
    assert_eq!(config.values.message_max_bytes, 5);
    assert_eq!(config.values.log_cleaner_min_compaction_lag_ms, 0);
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_file_that_contradicts_one_value_takes_no_other_one_away() {
    let file = written("log.cleaner.max.compaction.lag.ms=500");
    let set = dynamic(
        &[
            ("log.cleaner.min.compaction.lag.ms", "1000"),
            ("log.retention.ms", "-1"),
        ],
        &[("message.max.bytes", "7")],
    );
    let (config, problems) = file.with_dynamic_as_far_as_possible(&set);
    let topic = TopicConfig::from_overrides(&config.topic_defaults, []).expect("possible");
    assert_eq!((topic.retention_ms, topic.max_message_bytes), (-1, 7));
    assert_eq!(
        (topic.min_compaction_lag_ms, topic.max_compaction_lag_ms),
        (0, 500)
    );
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("log.cleaner.min.compaction.lag.ms=1000 is left out"));
}

#[test]
fn values_that_are_possible_only_together_stay_together() {
    let file = written("log.cleaner.max.compaction.lag.ms=500");
    // By itself, and so at first, the shorter lag is beyond the file's longer one.
    let lags = [
        ("log.cleaner.min.compaction.lag.ms", "1000"),
        ("log.cleaner.max.compaction.lag.ms", "2000"),
    ];
    let impossible = ("log.segment.byte", "7");
    let set = dynamic(&[lags[0], impossible], &[lags[1]]);
    let (config, problems) = file.with_dynamic_as_far_as_possible(&set);
    let topic = TopicConfig::from_overrides(&config.topic_defaults, []).expect("possible");
    assert_eq!(
        (topic.min_compaction_lag_ms, topic.max_compaction_lag_ms),
        (1000, 2000)
    );
    assert_eq!(problems.len(), 1, "{problems:?}");
}
