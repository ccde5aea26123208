//! Why keys of Kafka mean nothing here.
//!
//! Every broker key of Kafka 4.3.1 either has a definition or matches a row (a test holds it), and so do those that Kafka
//! has removed and that older files still set.

/// What has no counterpart, and why. A pattern that ends in `*` stands for every key that begins so; the longest one
/// counts.
const REASONS: &[(&[&str], &str)] = &[
    (
        &[
            "broker.heartbeat.interval.ms",
            "broker.session.timeout.ms",
            "controlled.shutdown.*",
            "controller.*",
            "early.start.listeners",
            "initial.broker.registration.timeout.ms",
            "internal.metadata.*",
            "log.dir.failure.timeout.ms",
            "metadata.*",
            "server.max.startup.time.ms",
        ],
        "each broker keeps its metadata itself, in the first log directory, and there are no controllers beside it",
    ),
    (
        &[
            "background.threads",
            "group.coordinator.background.threads",
            "group.coordinator.threads",
            "log.cleaner.threads",
            "num.io.threads",
            "num.network.threads",
            "num.recovery.threads.per.data.dir",
            "num.replica.alter.log.dirs.threads",
            "share.coordinator.threads",
        ],
        "each core runs one shard, which does it all; shard.cores says which cores",
    ),
    (
        &[
            "authorizer.class.name",
            "connection.failed.authentication.delay.ms",
            "connections.max.reauth.ms",
            "delegation.token.*",
            "password.encoder.*",
            "principal.builder.class",
            "sasl.*",
            "security.*",
            "ssl.*",
        ],
        "this version has neither encryption nor authentication nor authorization: whoever can connect may do everything",
    ),
    (
        &["follower.fetch.last.tiered.offset.enable", "remote.*"],
        "there is no tiered storage",
    ),
    (&["group.share.*", "share.*"], "there are no share groups"),
    (&["group.streams.*"], "there are no streams groups"),
    (
        &[
            "add.partitions.to.txn.*",
            "transaction.*",
            "transactional.*",
        ],
        "there are no transactions yet",
    ),
    (
        &[
            "alter.log.dirs.replication.quota.*",
            "auto.leader.rebalance.enable",
            "inter.broker.listener.name",
            "leader.imbalance.*",
            "num.replica.fetchers",
            "replica.*",
            "replication.quota.*",
            "request.timeout.ms",
            "security.inter.broker.protocol",
            "socket.connection.setup.*",
            "unclean.leader.election.interval.ms",
        ],
        "there is one machine, which talks to no other",
    ),
    (
        &["client.quota.callback.class", "quota.*"],
        "there are no quotas of clients",
    ),
    (
        &["*.purgatory.purge.interval.requests"],
        "a request that waits is forgotten when it is answered, there is nothing to purge",
    ),
    (
        &[
            "auto.include.jmx.reporter",
            "kafka.metrics.*",
            "metric.*",
            "metrics.*",
            "telemetry.*",
        ],
        "metrics are served at logan.metrics.listener",
    ),
    (
        &[
            "alter.config.policy.class.name",
            "config.providers",
            "create.topic.policy.class.name",
            "security.providers",
        ],
        "there are no plug-ins in Java",
    ),
    (
        &["cordoned.log.dirs"],
        "a log directory cannot be closed to new partitions yet",
    ),
    (
        &[
            "group.coordinator.append.linger.ms",
            "group.coordinator.cached.buffer.max.bytes",
            "offsets.commit.*",
            "offsets.load.buffer.size",
        ],
        "what groups decide shares syncs without waiting for more of it, in buffers of a fixed size",
    ),
    (
        &[
            "group.coordinator.new.enable",
            "group.coordinator.rebalance.protocols",
        ],
        "groups of both protocols are always there",
    ),
    (
        &["log.flush.start.offset.checkpoint.interval.ms"],
        "it is written with the recovery points, every log.flush.offset.checkpoint.interval.ms",
    ),
    (
        &["log.initial.task.delay.ms"],
        "the tasks of logs begin when their own intervals say so",
    ),
    (
        &["producer.id.expiration.check.interval.ms"],
        "a producer that has expired is forgotten when its partition is next written to",
    ),
    (
        &["queued.max.request.bytes"],
        "logan.request.memory.bytes bounds the memory of requests",
    ),
    (&["unstable.*"], "what is advertised is what is implemented"),
    (
        &["listener.name.*"],
        "a listener has no configuration of its own: its key without the prefix counts for all",
    ),
    (
        &[
            "advertised.host.name",
            "advertised.port",
            "broker.id.generation.enable",
            "control.plane.listener.name",
            "host.name",
            "inter.broker.protocol.version",
            "log.message.downconversion.enable",
            "log.message.format.version",
            "log.message.timestamp.difference.max.ms",
            "port",
            "quota.consumer.default",
            "quota.producer.default",
            "reserved.broker.max.id",
            "zookeeper.*",
        ],
        "Kafka has removed it",
    ),
];

/// Why nothing here acts on a key, if it is one that Kafka has or had.
pub(crate) fn reason(key: &str) -> Option<&'static str> {
    let patterns = REASONS
        .iter()
        .flat_map(|(patterns, reason)| patterns.iter().map(move |pattern| (*pattern, *reason)));
    patterns
        .filter(|(pattern, _)| matches(pattern, key))
        .max_by_key(|(pattern, _)| pattern.len())
        .map(|(_, reason)| reason)
}

fn matches(pattern: &str, key: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => key.ends_with(end),
        (None, Some(begin)) => key.starts_with(begin),
        (None, None) => key == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::{REASONS, matches, reason};
    use crate::broker_keys::BROKER_DEFINITIONS;
    use crate::known::kafka_broker_keys;

    fn is_defined(key: &str) -> bool {
        BROKER_DEFINITIONS
            .iter()
            .any(|definition| definition.name == key)
    }

    #[test]
    fn every_key_of_kafka_has_a_definition_or_a_reason() {
        let without: Vec<&str> = kafka_broker_keys()
            .filter(|key| !is_defined(key) && reason(key).is_none())
            .collect();
        assert_eq!(without, Vec::<&str>::new());
    }

    #[test]
    fn the_longest_pattern_counts() {
        let one_machine = reason("replica.lag.time.max.ms");
        assert!(one_machine.is_some());
        assert_eq!(reason("security.inter.broker.protocol"), one_machine);
        assert_ne!(reason("security.providers"), reason("security.protocol"));
        assert_eq!(reason("zookeeper.connect"), Some("Kafka has removed it"));
        assert_eq!(reason("num.partitions"), None);
        assert_eq!(reason("no.such.key"), None);
    }

    #[test]
    fn every_row_stands_for_a_key_that_has_no_definition() {
        let removed = REASONS.last().expect("there are rows").0;
        for pattern in REASONS.iter().flat_map(|(patterns, _)| patterns.iter()) {
            let is_of_kafka =
                kafka_broker_keys().any(|key| matches(pattern, key) && !is_defined(key));
            let was_of_kafka = removed.contains(pattern)
                || [
                    "auto.include.",
                    "group.coordinator.new.",
                    "password.encoder.",
                    "listener.name.",
                ]
                .iter()
                .any(|begin| pattern.starts_with(begin));
            assert!(is_of_kafka || was_of_kafka, "{pattern}");
        }
    }
}
