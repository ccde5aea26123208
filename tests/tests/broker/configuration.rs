//! Configurations that cannot be: the broker ends with exit code 2 before it touches anything, and says which key is
//! wrong and what would be right.

use tests::{Launch, temporary_directory};

/// A key, an impossible value, and what the message says besides both.
const IMPOSSIBLE: &[(&str, &str, &str)] = &[
    ("num.partitions", "0", "Value must be at least 1"),
    ("num.partitions", "many", "Not a number of type INT"),
    ("node.id", "-5", "Value must be at least 0"),
    ("log.segment.bytes", "14", "Value must be at least 1048576"),
    (
        "socket.request.max.bytes",
        "1e9",
        "Not a number of type INT",
    ),
    (
        "socket.request.max.bytes",
        "99999999999",
        "Not a number of type INT",
    ),
    (
        "auto.create.topics.enable",
        "maybe",
        "Expected value to be either true or false",
    ),
    ("compression.type", "rar", "zstd, lz4, snappy, gzip"),
    ("logan.durability", "sometimes", "sync, written"),
    ("logan.produce.validation", "no", "full, header"),
    ("shard.advertise", "both", "single, per-shard"),
    ("shard.cores", "0", "from 1 to"),
    ("shard.cores", "two", "must be auto"),
    ("shard.cores", "1-", "such as 0-3,6"),
    (
        "logan.staging.memory.bytes",
        "1024",
        "Value must be at least 4194304",
    ),
    (
        "message.max.bytes",
        "2147483647",
        "at least message.max.bytes",
    ),
    ("logan.inbox.credits", "65536", "at least 65536"),
    ("listeners", "127.0.0.1:9092", "127.0.0.1:9092"),
    ("listeners", "PLAINTEXT://127.0.0.1:99999", "99999"),
    ("listeners", "", "listeners"),
    (
        "advertised.listeners",
        "PLAINTEXT://0.0.0.0:9092",
        "0.0.0.0",
    ),
    (
        "max.connections.per.ip",
        "0",
        "max.connections.per.ip.overrides",
    ),
    (
        "max.connections.per.ip.overrides",
        "localhost",
        "address:count",
    ),
    ("log.dirs", "/a,/a", "named twice"),
    ("log.retention.ms", "0", "greater than or equal to 1"),
];

#[test]
fn an_impossible_value_is_named_with_what_would_be_right() {
    let directory = temporary_directory();
    let data = directory.path().join("data");
    for (key, value, right) in IMPOSSIBLE {
        let ended = Launch::in_directory(&data).with(key, *value).fail();
        let said = ended.last_words();
        assert_eq!(ended.code(), 2, "{key}={value}: {said}");
        assert!(said.contains(key), "{key}={value}: {said}");
        assert!(said.contains(right), "{key}={value}: {said}");
        let origins = ["(--override)", "(default)", "(built-in "];
        assert!(origins.iter().any(|origin| said.contains(origin)), "{said}");
    }
    assert!(
        !data.exists(),
        "a broker that refuses makes no data directory"
    );
}

#[test]
fn all_impossible_values_are_named_at_once() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path());
    let ended = launch
        .with("num.partitions", "0")
        .with("node.id", "x")
        .fail();
    assert_eq!(ended.code(), 2);
    for key in ["num.partitions", "node.id"] {
        assert!(ended.log.contains(key), "{}", ended.log);
    }
}

#[test]
fn an_unknown_key_is_a_warning() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("num.partition", "3")
        .start();
    broker.expect_log("num.partition");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn cores_that_the_machine_does_not_have_are_named() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path());
    for (cores, right) in [
        ("4000-4001", "among those that this process may use"),
        ("0,0", "once only"),
    ] {
        let ended = launch.clone().with("shard.cores", cores).fail();
        assert_eq!(ended.code(), 2, "{}", ended.log);
        let said = ended.last_words();
        assert!(
            said.contains("shard.cores") && said.contains(right),
            "{said}"
        );
    }
}

#[test]
fn a_listener_that_would_need_tls_is_refused() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path());
    let ended = launch.with("listeners", "SSL://127.0.0.1:0").fail();
    assert_eq!(ended.code(), 2, "{}", ended.log);
    let said = ended.last_words();
    for part in [
        "configuration listeners",
        "Listener SSL",
        "map it to PLAINTEXT",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
