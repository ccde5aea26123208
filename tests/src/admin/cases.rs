//! What is asked. The order matters: later questions meet what earlier ones have made.

use protocol::messages::ListConfigResourcesRequest;

use super::Asker;
use super::brokers::{alter_brokers, alter_others, replace_brokers};
use super::say::{
    APPEND, BROKER, BROKER_LOGGER, CLIENT_METRICS, DELETE, GROUP, SET, SUBTRACT, TOPIC, assigned,
    change, changes, configured, creation, growing, growth, question, replacement, replacements,
    topic,
};
use crate::Wire;

/// Asks everything, except what Kafka never answers (a resource twice in AlterConfigs), of the broker `node_id`, the only one of its cluster, which has none of the topics yet,
/// and tells one line for each answer.
///
/// # Panics
/// When an answer is missing or cannot be read.
pub fn admin_verdicts(wire: Wire, node_id: i32, tell: &mut dyn FnMut(String)) {
    let mut asker = Asker {
        wire,
        tell,
        marks: 0,
    };
    let node = node_id.to_string();
    create_topics(&mut asker, node_id);
    create_partitions(&mut asker, node_id);
    alter_topics(&mut asker);
    replace_topics(&mut asker);
    refuse_shapes(&mut asker);
    alter_brokers(&mut asker, &node);
    replace_brokers(&mut asker, &node);
    alter_others(&mut asker, &node);
    describe(&mut asker, &node);
    list(&mut asker);
}

fn create_topics(asker: &mut Asker<'_>, node: i32) {
    let one = |asker: &mut Asker<'_>, what: &str, topic| {
        asker.create_topics(what, &creation(vec![topic], false));
    };
    let in_short = |configs: &[(&str, Option<&str>)]| {
        let text =
            |(key, value): &(&str, Option<&str>)| format!("{key}={}", value.unwrap_or("null"));
        configs.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    one(asker, "create", topic("plain", 1, 1));
    one(
        asker,
        "create",
        configured(
            "two",
            &[
                ("retention.ms", Some("5000")),
                ("segment.bytes", Some("2097152")),
            ],
        ),
    );
    one(asker, "create again", topic("plain", 1, 1));
    for (index, configs) in BAD_TOPIC_CONFIGS.iter().enumerate() {
        let what = format!("create with {}", in_short(configs));
        one(asker, &what, configured(&format!("bad{index}"), configs));
    }
    let nobody = node + 1;
    for (what, topic) in [
        ("no partitions", topic("bad", 0, 1)),
        ("-2 partitions", topic("bad", -2, 1)),
        ("no replicas", topic("bad", 1, 0)),
        ("three replicas", topic("bad", 1, 3)),
        (
            "an assignment of its own",
            assigned("own", &[(0, &[node]), (1, &[node])]),
        ),
        ("an unknown broker", assigned("bad", &[(0, &[nobody])])),
        ("an empty assignment", assigned("bad", &[(0, &[])])),
        ("a broker twice", assigned("bad", &[(0, &[node, node])])),
        ("a gap", assigned("bad", &[(1, &[node])])),
        (
            "a partition twice",
            assigned("bad", &[(0, &[node]), (0, &[node])]),
        ),
    ] {
        one(asker, &format!("create with {what}:"), topic);
    }
    let mut both = assigned("bad", &[(0, &[node])]);
    both.num_partitions = 1;
    one(asker, "create with assignment and count:", both.clone());
    both.num_partitions = -1;
    both.replication_factor = 1;
    one(asker, "create with assignment and factor:", both);
    let validated = configured("validated", &[("retention.ms", Some("5000"))]);
    asker.create_topics("validate", &creation(vec![validated], true));
    asker.create_topics("validate", &creation(vec![topic("plain", 1, 1)], true));
    let twice = vec![topic("bad", 1, 1), topic("bad", 2, 1)];
    asker.create_topics("create twice", &creation(twice, false));
}

/// Configurations that no topic can have, and some that one might doubt.
const BAD_TOPIC_CONFIGS: &[&[(&str, Option<&str>)]] = &[
    &[("no.such.key", Some("1"))],
    &[("retention.ms", Some("7d"))],
    &[("retention.ms", Some(""))],
    &[("retention.ms", Some("-2"))],
    &[("segment.bytes", Some("1k"))],
    &[("segment.bytes", Some("14"))],
    &[("segment.bytes", Some("2147483648"))],
    &[("retention.ms", None)],
    &[("retention.ms", None), ("segment.ms", None)],
    &[("cleanup.policy", Some("shred"))],
    &[("compression.type", Some("GZIP"))],
    &[("preallocate", Some("maybe"))],
    &[("min.cleanable.dirty.ratio", Some("1.5"))],
    &[("min.cleanable.dirty.ratio", Some("NaN"))],
    &[("min.insync.replicas", Some("0"))],
    &[("max.message.bytes", Some("-1"))],
    &[
        ("min.compaction.lag.ms", Some("20")),
        ("max.compaction.lag.ms", Some("10")),
    ],
    &[("remote.storage.enable", Some("true"))],
    &[("remote.log.copy.disable", Some("true"))],
    &[("remote.log.delete.on.disable", Some("true"))],
    &[
        ("local.retention.ms", Some("20")),
        ("retention.ms", Some("10")),
    ],
    &[("local.retention.bytes", Some("-3"))],
    &[("leader.replication.throttled.replicas", Some("x"))],
    &[("message.timestamp.type", Some("Never"))],
    &[("flush.messages", Some("0"))],
    &[("index.interval.bytes", Some("-1"))],
];

fn create_partitions(asker: &mut Asker<'_>, node: i32) {
    let one = |asker: &mut Asker<'_>, what: &str, topic| {
        asker.create_partitions(what, &growing(vec![topic], false));
    };
    one(asker, "grow to 3", growth("plain", 3, None));
    one(asker, "grow to 3 again", growth("plain", 3, None));
    one(asker, "grow to 2", growth("plain", 2, None));
    one(asker, "grow to 0", growth("plain", 0, None));
    one(asker, "grow to -1", growth("plain", -1, None));
    one(asker, "grow", growth("nowhere", 3, None));
    one(asker, "grow", growth("", 3, None));
    let nobody = node + 1;
    let here: &[i32] = &[node];
    one(
        asker,
        "grow with assignment",
        growth("plain", 4, Some(&[here])),
    );
    one(
        asker,
        "grow with too many assignments",
        growth("plain", 5, Some(&[here, here])),
    );
    one(
        asker,
        "grow with too few assignments",
        growth("plain", 7, Some(&[here])),
    );
    one(
        asker,
        "grow with no assignments",
        growth("plain", 7, Some(&[])),
    );
    one(
        asker,
        "grow to an unknown broker",
        growth("plain", 5, Some(&[&[nobody]])),
    );
    one(asker, "grow to no broker", growth("plain", 5, Some(&[&[]])));
    one(
        asker,
        "grow to a broker twice",
        growth("plain", 5, Some(&[&[node, node]])),
    );
    one(
        asker,
        "grow to two brokers",
        growth("plain", 5, Some(&[&[node, nobody]])),
    );
    let grown = |count| growing(vec![growth("plain", count, None)], true);
    asker.create_partitions("validate 9", &grown(9));
    asker.create_partitions("validate 1", &grown(1));
    let twice = vec![
        growth("plain", 8, None),
        growth("plain", 9, None),
        growth("two", 2, None),
    ];
    asker.create_partitions("grow twice", &growing(twice, false));
    asker.create_partitions("grow nothing", &growing(Vec::new(), false));
}

/// Operations on a topic, one after the other.
const TOPIC_CHANGES: &[&[(i8, &str, Option<&str>)]] = &[
    &[(SET, "retention.ms", Some("60000"))],
    &[
        (SET, "retention.ms", Some("60000")),
        (SET, "segment.ms", Some("1000")),
    ],
    &[(DELETE, "retention.ms", None)],
    &[(DELETE, "retention.ms", None)],
    &[(DELETE, "retention.ms", Some("ignored"))],
    &[(DELETE, "no.such.key", None)],
    &[(SET, "no.such.key", Some("1"))],
    &[(APPEND, "no.such.key", Some("1"))],
    &[(SUBTRACT, "no.such.key", Some("1"))],
    &[(APPEND, "cleanup.policy", Some("compact"))],
    &[(APPEND, "cleanup.policy", Some("compact"))],
    &[(SUBTRACT, "cleanup.policy", Some("delete"))],
    &[(SUBTRACT, "cleanup.policy", Some("shred"))],
    &[(SUBTRACT, "cleanup.policy", Some("compact"))],
    &[(APPEND, "cleanup.policy", Some("shred"))],
    &[(APPEND, "retention.ms", Some("5"))],
    &[(SUBTRACT, "retention.ms", Some("5"))],
    &[(
        APPEND,
        "leader.replication.throttled.replicas",
        Some("0:1,1:1"),
    )],
    &[(
        APPEND,
        "leader.replication.throttled.replicas",
        Some("1:1,2:1"),
    )],
    &[(
        SUBTRACT,
        "leader.replication.throttled.replicas",
        Some("0:1"),
    )],
    &[(9, "retention.ms", Some("5"))],
    &[(SET, "retention.ms", None)],
    &[(SET, "retention.ms", None), (SET, "segment.ms", None)],
    &[(APPEND, "cleanup.policy", None)],
    &[
        (SET, "retention.ms", Some("5")),
        (SET, "retention.ms", Some("6")),
    ],
    &[
        (SET, "retention.ms", Some("5")),
        (DELETE, "retention.ms", None),
    ],
    &[(SET, "retention.ms", Some("7d"))],
    &[(SET, "retention.ms", Some("-2"))],
    &[
        (SET, "min.compaction.lag.ms", Some("20")),
        (SET, "max.compaction.lag.ms", Some("10")),
    ],
    &[(SET, "max.compaction.lag.ms", Some("10"))],
    &[(SET, "min.compaction.lag.ms", Some("20"))],
    &[(DELETE, "max.compaction.lag.ms", None)],
    &[(SET, "remote.storage.enable", Some("true"))],
    &[(SET, "compression.type", Some("rar"))],
    &[(SET, "segment.bytes", Some("  3145728 "))],
    &[],
];

fn alter_topics(asker: &mut Asker<'_>) {
    for operations in TOPIC_CHANGES {
        let what = in_words(operations);
        asker.incremental(
            &what,
            &changes(vec![change(TOPIC, "plain", operations)], false),
        );
    }
    let only = |asker: &mut Asker<'_>, value| {
        let resource = change(TOPIC, "plain", &[(SET, "retention.ms", Some(value))]);
        asker.incremental(&format!("validate {value}"), &changes(vec![resource], true));
    };
    only(asker, "123456");
    only(asker, "7d");
    asker.describe(
        "after changes",
        &question(
            TOPIC,
            "plain",
            Some(&[
                "cleanup.policy",
                "leader.replication.throttled.replicas",
                "retention.ms",
                "segment.ms",
                "segment.bytes",
                "min.compaction.lag.ms",
            ]),
            true,
        ),
    );
}

pub(super) fn in_words(operations: &[(i8, &str, Option<&str>)]) -> String {
    let word = |(operation, key, value): &(i8, &str, Option<&str>)| {
        let verb = ["set", "delete", "append", "subtract"];
        let verb = usize::try_from(*operation)
            .ok()
            .and_then(|index| verb.get(index));
        format!(
            "{} {key}={}",
            verb.unwrap_or(&"do"),
            value.unwrap_or("null")
        )
    };
    operations.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn replace_topics(asker: &mut Asker<'_>) {
    for configs in [
        &[
            ("retention.ms", Some("70000")),
            ("segment.ms", Some("2000")),
        ][..],
        &[("retention.ms", Some("80000"))],
        &[("retention.ms", None)],
        &[("retention.ms", Some("x"))],
        &[("no.such.key", Some("1"))],
        &[("retention.ms", Some("1")), ("retention.ms", Some("2"))],
    ] {
        let word =
            |(key, value): &(&str, Option<&str>)| format!("{key}={}", value.unwrap_or("null"));
        let words: Vec<String> = configs.iter().map(word).collect();
        let what = format!("replace {}", words.join(" "));
        asker.alter(
            &what,
            &replacements(vec![replacement(TOPIC, "two", configs)], false),
        );
    }
    let validated = replacement(TOPIC, "two", &[("segment.ms", Some("9000"))]);
    asker.alter("validate", &replacements(vec![validated], true));
    asker.describe(
        "after replacing",
        &question(
            TOPIC,
            "two",
            Some(&["retention.ms", "segment.ms", "segment.bytes"]),
            true,
        ),
    );
    asker.alter(
        "replace by nothing",
        &replacements(vec![replacement(TOPIC, "two", &[])], false),
    );
    asker.describe(
        "after replacing by nothing",
        &question(TOPIC, "two", Some(&["retention.ms", "segment.bytes"]), true),
    );
    asker.alter(
        "replace",
        &replacements(vec![replacement(TOPIC, "nowhere", &[])], false),
    );
    asker.alter(
        "replace",
        &replacements(vec![replacement(9, "two", &[])], false),
    );
}

/// Requests that are wrong before anything is looked at.
fn refuse_shapes(asker: &mut Asker<'_>) {
    let set: &[(i8, &str, Option<&str>)] = &[(SET, "retention.ms", Some("5"))];
    for (kind, name) in [
        (TOPIC, "nowhere"),
        (TOPIC, ""),
        (TOPIC, "no/such/name"),
        (TOPIC, "__cluster_metadata"),
        (0, "x"),
        (1, "x"),
        (9, "x"),
        (-1, "x"),
    ] {
        asker.incremental("set", &changes(vec![change(kind, name, set)], false));
    }
    let twice = vec![
        change(TOPIC, "plain", set),
        change(TOPIC, "two", set),
        change(TOPIC, "plain", &[(DELETE, "segment.ms", None)]),
    ];
    asker.incremental("set twice", &changes(twice, false));
    let mixed = vec![
        change(TOPIC, "plain", &[(SET, "retention.ms", Some("bad"))]),
        change(TOPIC, "two", &[(SET, "retention.ms", Some("90000"))]),
    ];
    asker.incremental("one bad, one good", &changes(mixed, false));
    asker.incremental("nothing", &changes(Vec::new(), false));
}

fn describe(asker: &mut Asker<'_>, node: &str) {
    asker.describe("describe", &question(TOPIC, "nowhere", None, false));
    asker.describe("describe", &question(TOPIC, "no/such/name", None, false));
    asker.describe("describe", &question(TOPIC, "", None, false));
    asker.describe("describe", &question(BROKER, "77", None, false));
    asker.describe("describe", &question(BROKER, "x", None, false));
    asker.describe("describe", &question(9, "x", None, false));
    asker.describe("describe", &question(0, "x", None, false));
    asker.describe("describe", &question(BROKER_LOGGER, "", None, false));
    asker.describe("describe", &question(BROKER_LOGGER, "77", None, false));
    asker.describe("describe", &question(GROUP, "", None, false));
    asker.describe("describe", &question(CLIENT_METRICS, "", None, false));
    asker.describe("describe", &question(CLIENT_METRICS, "m", None, false));
    asker.describe(
        "describe no key",
        &question(TOPIC, "plain", Some(&["no.such.key"]), false),
    );
    asker.describe("describe", &question(TOPIC, "own", None, false));
    asker.describe("describe in full", &question(TOPIC, "own", None, true));
    let keys: &[&str] = &[
        "log.dirs",
        "listeners",
        "num.partitions",
        "node.id",
        "log.roll.ms",
        "log.roll.hours",
    ];
    asker.describe(
        "describe in full",
        &question(BROKER, node, Some(&keys[2..]), true),
    );
}

fn list(asker: &mut Asker<'_>) {
    let of = |types: &[i8]| ListConfigResourcesRequest {
        resource_types: types.to_vec(),
    };
    asker.list("list v0", 0, &of(&[]));
    for types in [
        &[][..],
        &[TOPIC],
        &[BROKER],
        &[BROKER_LOGGER],
        &[CLIENT_METRICS],
        &[GROUP],
        &[TOPIC, BROKER],
        &[TOPIC, TOPIC],
        &[9],
        &[0],
        &[TOPIC, 9],
    ] {
        asker.list(&format!("list {types:?}"), 1, &of(types));
    }
}
