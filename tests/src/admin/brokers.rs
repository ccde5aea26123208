//! What is asked about brokers, and about what is neither topic nor broker.

use super::Asker;
use super::cases::in_words;
use super::say::{
    APPEND, BROKER, BROKER_LOGGER, CLIENT_METRICS, DELETE, GROUP, SET, SUBTRACT, TOPIC, change,
    changes, question, replacement, replacements,
};

/// Operations on the broker itself and on what all brokers share.
const BROKER_CHANGES: &[(i8, &str, Option<&str>)] = &[
    (SET, "log.retention.ms", Some("100000")),
    (SET, "log.segment.bytes", Some("2097152")),
    (SET, "log.segment.bytes", Some("14")),
    (SET, "log.segment.bytes", Some("2m")),
    (SET, "log.cleanup.policy", Some("shred")),
    (APPEND, "log.cleanup.policy", Some("compact")),
    (APPEND, "log.retention.ms", Some("5")),
    (SUBTRACT, "log.cleanup.policy", Some("delete")),
    (DELETE, "log.cleanup.policy", None),
    (SET, "message.max.bytes", Some("2000000")),
    (SET, "message.max.bytes", None),
    (SET, "max.connections", Some("500")),
    (SET, "max.connections.per.ip", Some("100")),
    (
        SET,
        "max.connections.per.ip.overrides",
        Some("127.0.0.1:400"),
    ),
    (SET, "max.connection.creation.rate", Some("10000")),
    (SET, "num.partitions", Some("3")),
    (SET, "node.id", Some("9")),
    (SET, "log.dirs", Some("/tmp")),
    (DELETE, "num.partitions", None),
    (SET, "auto.create.topics.enable", Some("false")),
    (SET, "unclean.leader.election.enable", Some("true")),
    (DELETE, "unclean.leader.election.enable", None),
    (SET, "compression.type", Some("rar")),
    (SET, "compression.type", Some("zstd")),
    (DELETE, "compression.type", None),
    (SET, "producer.id.expiration.ms", Some("3600000")),
    (SET, "producer.id.expiration.ms", Some("0")),
    (SET, "log.cleaner.min.compaction.lag.ms", Some("99")),
    (SET, "log.retention.hours", Some("5")),
    (SET, "leader.replication.throttled.rate", Some("1000")),
    (SET, "follower.replication.throttled.rate", Some("1000")),
    (
        SET,
        "replica.alter.log.dirs.io.max.bytes.per.second",
        Some("-1"),
    ),
    (
        SET,
        "replica.alter.log.dirs.io.max.bytes.per.second",
        Some("1000000"),
    ),
    (9, "log.retention.ms", Some("5")),
];

/// Operations on the broker itself: what is wrong with the value Kafka does not see for all brokers, and then takes no
/// further change of any.
const OWN_CHANGES: &[(i8, &str, Option<&str>)] = &[
    (SET, "max.connections.per.ip.overrides", Some("nonsense")),
    (SET, "log.retention.ms", Some("0")),
    (SET, "log.roll.ms", Some("0")),
];

pub(super) fn alter_brokers(asker: &mut Asker<'_>, node: &str) {
    // Kafka's own tools set this one when they format the storage.
    let shared = change(BROKER, "", &[(SET, "min.insync.replicas", Some("1"))]);
    asker.incremental("set", &changes(vec![shared], false));
    for operation in OWN_CHANGES {
        let what = in_words(&[*operation]);
        asker.incremental(
            &what,
            &changes(vec![change(BROKER, node, &[*operation])], false),
        );
    }
    for name in [node, ""] {
        for operation in BROKER_CHANGES {
            let what = in_words(&[*operation]);
            let resource = change(BROKER, name, &[*operation]);
            asker.incremental(&what, &changes(vec![resource], false));
        }
    }
    for name in ["77", "x", "-1"] {
        let resource = change(BROKER, name, &[(SET, "log.retention.ms", Some("5"))]);
        asker.incremental("set", &changes(vec![resource], false));
    }
    let validated = change(BROKER, "", &[(SET, "log.segment.bytes", Some("4194304"))]);
    asker.incremental("validate", &changes(vec![validated], true));
    let both = vec![
        change(BROKER, "", &[(SET, "log.retention.ms", Some("200000"))]),
        change(BROKER, node, &[(DELETE, "log.retention.ms", None)]),
    ];
    asker.incremental("both", &changes(both, false));
    let keys: &[&str] = &[
        "log.retention.ms",
        "log.segment.bytes",
        "log.cleanup.policy",
        "message.max.bytes",
    ];
    asker.describe("after changes", &question(BROKER, node, Some(keys), true));
    asker.describe("after changes", &question(BROKER, "", None, true));
    asker.describe(
        "after changes",
        &question(
            TOPIC,
            "two",
            Some(&["retention.ms", "segment.bytes", "max.message.bytes"]),
            true,
        ),
    );
}

pub(super) fn replace_brokers(asker: &mut Asker<'_>, node: &str) {
    for (name, configs) in [
        (
            "",
            &[
                ("log.retention.ms", Some("300000")),
                ("min.insync.replicas", Some("1")),
            ][..],
        ),
        ("", &[("log.retention.ms", None)]),
        ("", &[("num.partitions", Some("3"))]),
        (node, &[("log.retention.ms", Some("400000"))]),
        (node, &[("num.partitions", Some("3"))]),
        (node, &[]),
        ("", &[("min.insync.replicas", Some("1"))]),
    ] {
        let word =
            |(key, value): &(&str, Option<&str>)| format!("{key}={}", value.unwrap_or("null"));
        let words: Vec<String> = configs.iter().map(word).collect();
        let what = format!("replace [{}]", words.join(" "));
        asker.alter(
            &what,
            &replacements(vec![replacement(BROKER, name, configs)], false),
        );
    }
    asker.describe("after replacing", &question(BROKER, "", None, true));
    asker.describe(
        "after replacing",
        &question(BROKER, node, Some(&["log.retention.ms"]), true),
    );
}

/// Resources that are neither topics nor brokers.
pub(super) fn alter_others(asker: &mut Asker<'_>, node: &str) {
    let one = |asker: &mut Asker<'_>, kind, name: &str, operation| {
        let what = in_words(&[operation]);
        asker.incremental(
            &what,
            &changes(vec![change(kind, name, &[operation])], false),
        );
    };
    one(
        asker,
        BROKER_LOGGER,
        node,
        (SET, "no.such.logger", Some("INFO")),
    );
    one(
        asker,
        BROKER_LOGGER,
        "",
        (SET, "no.such.logger", Some("INFO")),
    );
    one(
        asker,
        BROKER_LOGGER,
        "77",
        (SET, "no.such.logger", Some("INFO")),
    );
    one(
        asker,
        GROUP,
        "g",
        (SET, "consumer.session.timeout.ms", Some("x")),
    );
    one(asker, GROUP, "g", (SET, "no.such.key", Some("1")));
    one(
        asker,
        GROUP,
        "",
        (SET, "consumer.session.timeout.ms", Some("50000")),
    );
    one(asker, CLIENT_METRICS, "m", (SET, "no.such.key", Some("1")));
    one(
        asker,
        CLIENT_METRICS,
        "",
        (SET, "interval.ms", Some("1000")),
    );
    let logger = replacement(BROKER_LOGGER, node, &[("root", Some("INFO"))]);
    asker.alter("replace", &replacements(vec![logger], false));
}
