//! Configurations that cannot be: the broker ends with exit code 2 before it touches anything, and says which key is
//! wrong and what would be right.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

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
    ("logan.inbox.credits", "65537", "no more than 65536"),
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
        ("4000-4001", "CPU 4000 does not exist; this machine has"),
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

#[test]
fn a_port_in_use_is_named() {
    let directory = temporary_directory();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let launch = Launch::in_directory(directory.path());
    for (key, value) in [
        ("listeners", format!("PLAINTEXT://{address}")),
        ("logan.metrics.listener", address.clone()),
        ("logan.admin.listener", address.clone()),
    ] {
        let ended = launch.clone().with(key, value).fail();
        let said = ended.last_words();
        assert_eq!(ended.code(), 1, "{said}");
        assert!(said.contains(&address) && said.contains("in use"), "{said}");
    }
    assert_eq!(launch.start().stop().code(), 0, "another port will do");
}

#[test]
fn a_file_that_is_none_is_named_before_anything_is_touched() {
    let directory = temporary_directory();
    let file = directory.path().join("server.properties");
    let named = format!("configuration file {}", file.display());
    for (bytes, reason) in [
        (&b"# all of it is a comment\n"[..], "comments only"),
        (b"log.dirs=\x01", "line 1 has the byte 0x01"),
        (b"num.partitions=1\n\nnode.id=\\u00", ":3: "),
    ] {
        fs::write(&file, bytes).expect("a file");
        let ended = Launch::of_file(&file).fail();
        let said = ended.last_words();
        assert_eq!(ended.code(), 2, "{said}");
        assert!(said.contains(&named) && said.contains(reason), "{said}");
    }
    // What even root cannot read.
    let ended = Launch::of_file(directory.path()).fail();
    assert_eq!(ended.code(), 2);
    assert!(ended.last_words().contains("directory"), "{}", ended.log);
    // Who may read everything reads it all the same.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("it is ours");
    if fs::read(&file).is_err() {
        let ended = Launch::of_file(&file).fail();
        assert_eq!(ended.code(), 2);
        assert!(
            ended.last_words().contains("Permission denied"),
            "{}",
            ended.log
        );
    }
    fs::remove_file(&file).expect("it is ours");
    let ended = Launch::of_file(&file).fail();
    assert_eq!(ended.code(), 2);
    assert!(ended.last_words().contains("No such file"), "{}", ended.log);
}

#[test]
fn the_environment_beats_the_file_and_an_override_beats_the_environment() {
    let directory = temporary_directory();
    let file = directory.path().join("server.properties");
    let data = directory.path().join("data");
    let text = format!(
        "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs={}\nlogan.cache.bytes=33554432\n\
         logan.staging.memory.bytes=16777216\nnum.partitions=2\ndefault.replication.factor=2\n",
        data.display()
    );
    fs::write(&file, text).expect("a file");
    let broker = Launch::of_file(&file)
        .with("message.max.bytes", "3000")
        .with_environment("LOGAN_MESSAGE_MAX_BYTES", "4000")
        .with_environment("LOGAN_DEFAULT_REPLICATION_FACTOR", "1")
        .with_environment("LOGAN_NUM_PARTITION", "9")
        .start();
    let mut wire = broker.wire();
    let mut value = |key: &str| crate::dynamic::value_of(&mut wire, "0", key);
    assert_eq!(value("message.max.bytes").as_deref(), Some("3000"));
    assert_eq!(value("default.replication.factor").as_deref(), Some("1"));
    assert_eq!(value("num.partitions").as_deref(), Some("2"));
    broker.expect_log("environment variable LOGAN_NUM_PARTITION stands for no key; did you mean LOGAN_NUM_PARTITIONS?");
    assert_eq!(broker.stop().code(), 0);
}
