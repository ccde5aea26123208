//! The tables of keys agree with what Kafka 4.3.1 says about its own.

use config::{
    BROKER_DEFINITIONS, ConfigType, Definition, TOPIC_DEFINITIONS, UpdateMode, Validator,
};

const KAFKA_KEYS: &str = include_str!("../kafka-4.3.1-keys.txt");

/// Keys of which Logan says something else than Kafka, with the field and the reason.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    (
        "node.id",
        "default",
        "Kafka has none; one broker needs no id of its own choice",
    ),
    (
        "log.dir",
        "default",
        "Kafka's /tmp/kafka-logs does not survive a restart of the machine",
    ),
    (
        "controller.listener.names",
        "default",
        "Kafka demands one; Logan has no such listeners",
    ),
    (
        "process.roles",
        "default",
        "Kafka demands one; Logan always runs a whole broker",
    ),
    (
        "listeners",
        "update",
        "sockets are opened once, before shards know where they listen",
    ),
    (
        "listener.security.protocol.map",
        "update",
        "it goes with listeners",
    ),
    (
        "socket.receive.buffer.bytes",
        "validator",
        "Kafka accepts -5 and means -1",
    ),
    (
        "socket.send.buffer.bytes",
        "validator",
        "Kafka accepts -5 and means -1",
    ),
];

struct KafkaKey {
    scope: &'static str,
    name: &'static str,
    fields: [(&'static str, String); 4],
}

fn kafka_keys() -> Vec<KafkaKey> {
    let keys = KAFKA_KEYS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&'static str> = line.split('|').collect();
            let [scope, name, config_type, default, validator, update] = fields[..] else {
                unreachable!("six fields in every line: {line}")
            };
            let default = match config_type {
                "LIST" => default.trim_matches(['[', ']']).replace(", ", ","),
                _ => default.to_owned(),
            };
            // Kafka's text for the same rule.
            let validator = validator
                .replace("...,1]", "...,1.0]")
                .replace("[0,...,1.0]", "[0.0,...,1.0]");
            KafkaKey {
                scope,
                name,
                fields: [
                    ("type", config_type.to_owned()),
                    ("default", default),
                    ("validator", validator),
                    ("update", update.to_owned()),
                ],
            }
        });
    keys.collect()
}

fn describe_validator(definition: &Definition) -> String {
    match &definition.validator {
        Validator::Between(min, i64::MAX) => format!("[{min},...]"),
        Validator::Between(min, max) => format!("[{min},...,{max}]"),
        Validator::BetweenDouble(min, max) => format!("[{min:?},...,{max:?}]"),
        Validator::BetweenOrMinusOne(min, max) => format!("[{min},...,{max}] or -1"),
        Validator::OneOf(texts) | Validator::ListOf(texts) => format!("[{}]", texts.join(", ")),
        Validator::OneOfAnyCase(texts) => format!("(case insensitive) [{}]", texts.join(", ")),
        Validator::Custom(_) => "[partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned(),
        Validator::Any | Validator::NotEmpty => "null".to_owned(),
    }
}

fn describe(definition: &Definition) -> [(&'static str, String); 4] {
    [
        ("type", definition.config_type.name().to_owned()),
        ("default", definition.default.unwrap_or("null").to_owned()),
        ("validator", describe_validator(definition)),
        (
            "update",
            // Kafka reads its file once; what Logan reads anew is read-only for clients of both.
            match definition.update {
                UpdateMode::Restart | UpdateMode::Reload => "restart",
                UpdateMode::Dynamic => "dynamic",
            }
            .to_owned(),
        ),
    ]
}

fn is_own(name: &str) -> bool {
    name.starts_with("logan.") || name.starts_with("shard.") || name.starts_with("log.scrub.")
}

#[test]
fn every_definition_says_what_kafka_says() {
    let kafka = kafka_keys();
    let scopes = [("broker", BROKER_DEFINITIONS), ("topic", TOPIC_DEFINITIONS)];
    for (scope, definition) in scopes
        .iter()
        .flat_map(|(scope, table)| table.iter().map(move |row| (scope, row)))
    {
        let key = kafka
            .iter()
            .find(|key| key.scope == *scope && key.name == definition.name);
        let Some(key) = key else {
            assert!(
                is_own(definition.name),
                "{scope} key {} is neither Kafka's nor named as Logan's",
                definition.name
            );
            continue;
        };
        for ((field, expected), (_, actual)) in key.fields.iter().zip(describe(definition)) {
            let deviates = DEVIATIONS
                .iter()
                .any(|(name, of, _)| (name, of) == (&key.name, field));
            assert_eq!(
                *expected != actual,
                deviates,
                "{} {field}: Kafka {expected}, Logan {actual}",
                key.name
            );
        }
    }
}

#[test]
fn every_public_topic_key_of_kafka_is_defined() {
    for key in kafka_keys()
        .iter()
        .filter(|key| key.scope == "topic" && !key.name.starts_with("internal."))
    {
        assert!(
            TOPIC_DEFINITIONS
                .iter()
                .any(|definition| definition.name == key.name),
            "{}",
            key.name
        );
    }
}

#[test]
fn tables_are_sorted_and_their_defaults_are_valid() {
    for table in [BROKER_DEFINITIONS, TOPIC_DEFINITIONS] {
        assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
        for definition in table {
            let value = definition.default_value();
            assert_eq!(
                value.to_string(),
                definition.default.unwrap_or(""),
                "{}",
                definition.name
            );
            assert!(
                definition.documentation.ends_with('.'),
                "{}",
                definition.name
            );
        }
    }
}

#[test]
fn topic_keys_take_their_defaults_from_broker_keys_of_equal_default_and_type() {
    for topic in TOPIC_DEFINITIONS {
        for (index, key) in topic.broker_keys.iter().enumerate() {
            let broker = BROKER_DEFINITIONS
                .iter()
                .find(|definition| definition.name == key.name);
            let broker = broker.unwrap_or_else(|| unreachable!("{} is defined", key.name));
            let scaled = broker.default.map(|default| match default.parse::<i64>() {
                Ok(number) => number.saturating_mul(key.factor).to_string(),
                Err(_) => default.to_owned(),
            });
            let is_last = index + 1 == topic.broker_keys.len();
            assert_eq!(
                scaled.as_deref(),
                if is_last { topic.default } else { None },
                "{}",
                topic.name
            );
            assert!(
                broker.config_type == topic.config_type || broker.config_type == ConfigType::Int
            );
        }
    }
}
