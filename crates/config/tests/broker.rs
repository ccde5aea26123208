//! What a broker makes of its file and its overrides.

use config::{
    BrokerConfig, ConfigError, ConfigSource, Listener, Origin, ShardCores, Sources, Warning,
    properties,
};

fn load(text: &str) -> Result<BrokerConfig, ConfigError> {
    BrokerConfig::from_sources(&Sources::from_text("server.properties", text)?)
}

fn valid(text: &str) -> BrokerConfig {
    load(text).unwrap_or_else(|error| unreachable!("{text}: {error}"))
}

fn fault(text: &str) -> String {
    load(text).expect_err(text).to_string()
}

fn shown(listener: &Listener) -> (String, Option<String>) {
    (
        listener.bind.to_string(),
        listener.advertised.as_ref().map(ToString::to_string),
    )
}

#[test]
fn a_start_without_a_file_is_safe_on_a_laptop() {
    let config =
        BrokerConfig::from_sources(&Sources::development()).expect("the embedded text is valid");
    assert_eq!(
        config.listeners.iter().map(shown).collect::<Vec<_>>(),
        [(
            "PLAINTEXT://127.0.0.1:9092".to_owned(),
            Some("PLAINTEXT://127.0.0.1:9092".to_owned())
        )]
    );
    assert_eq!(config.log_dirs, [std::path::PathBuf::from("./logan-data")]);
    assert_eq!(config.values.logan_cache_bytes, 33_554_432);
    assert_eq!(config.values.shard_cores, ShardCores::Auto);
    assert_eq!(config.warnings, []);
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = valid("");
    assert_eq!(config.node_id.0, 0);
    assert_eq!(config.values.num_partitions, 1);
    assert_eq!(config.values.message_max_bytes, 1_048_588);
    assert_eq!(config.listeners[0].bind.to_string(), "PLAINTEXT://:9092");
    assert_eq!(config.cache_bytes(8 << 30), 2 << 30);
    assert_eq!(config.origin("num.partitions"), Origin::Default);
}

#[test]
fn an_override_beats_the_file_and_a_later_line_an_earlier_one() {
    let mut sources = Sources::from_text("f", "num.partitions=2\nnum.partitions=3\nnode.id=5")
        .expect("valid text");
    sources.add_override("node.id = 7").expect("key=value");
    let config = BrokerConfig::from_sources(&sources).expect("valid values");
    assert_eq!((config.values.num_partitions, config.node_id.0), (3, 7));
    assert_eq!(config.origin("node.id"), Origin::Override);
    assert_eq!(config.origin("num.partitions"), Origin::File("f".into(), 2));
    let shadowed = Warning::Shadowed {
        key: "num.partitions".to_owned(),
        origin: Origin::File("f".into(), 1),
    };
    assert_eq!(config.warnings, [shadowed]);
}

#[test]
fn an_override_needs_a_key_and_an_equals_sign() {
    for argument in ["num.partitions", "=3", ""] {
        let fault = Sources::empty()
            .add_override(argument)
            .expect_err(argument)
            .to_string();
        assert_eq!(
            fault,
            format!(
                "--override {argument}: expected key=value, for example --override num.partitions=4"
            )
        );
    }
}

#[test]
fn impossible_values_name_key_value_place_and_remedy() {
    for (text, expected) in [
        (
            "num.partitions=0",
            "Invalid value 0 for configuration num.partitions: Value must be at least 1",
        ),
        (
            "message.max.bytes=abc",
            "Invalid value abc for configuration message.max.bytes: Not a number of type INT",
        ),
        (
            "message.max.bytes=1k",
            "Invalid value 1k for configuration message.max.bytes: Not a number of type INT",
        ),
        (
            "message.max.bytes=2147483648",
            "Invalid value 2147483648 for configuration message.max.bytes: Not a number of type INT",
        ),
        (
            "auto.create.topics.enable=1",
            "Invalid value 1 for configuration auto.create.topics.enable: Expected value to be either true or false",
        ),
        (
            "compression.type=x",
            "Invalid value x for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "log.dirs=",
            "Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value",
        ),
        (
            "log.dirs=a,,b",
            "Configuration 'log.dirs' values must not be empty.",
        ),
        (
            "node.id=-1",
            "Invalid value -1 for configuration node.id: Value must be at least 0",
        ),
        (
            "log.roll.ms=0",
            "Invalid value 0 for configuration log.roll.ms: log.roll.ms must be greater than or equal to 1",
        ),
        (
            "log.retention.hours=0",
            "Invalid value 0 for configuration log.retention.hours: log.retention.hours must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            "max.connections.per.ip=0",
            "Invalid value 0 for configuration max.connections.per.ip: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        ),
        (
            "max.connections.per.ip.overrides=::1",
            "Invalid value ::1 for configuration max.connections.per.ip.overrides: Expected address:count for ::1, an IPv6 address as [::1]:count",
        ),
        (
            "max.connections.per.ip.overrides=127.0.0.1:x",
            "Invalid value 127.0.0.1:x for configuration max.connections.per.ip.overrides: Expected address:count for 127.0.0.1:x, an IPv6 address as [::1]:count",
        ),
        (
            "log.flush.interval.ms=-3",
            "Invalid value -3 for configuration log.flush.interval.ms: Value must be at least 0",
        ),
        (
            "shard.cores=none",
            "Invalid value none for configuration shard.cores: shard.cores must be auto, a number of shards from 1 to 1024, a list of cores such as 0-3,6 (a single core: 6-6), or NUMA nodes such as nodes:0-1",
        ),
        (
            "logan.durability=fast",
            "Invalid value fast for configuration logan.durability: String must be one of: sync, written",
        ),
    ] {
        assert_eq!(
            fault(&format!("\n{text}")),
            format!("{expected} (server.properties:2)")
        );
    }
}

#[test]
fn memory_that_can_never_suffice_is_refused() {
    assert_eq!(
        fault("message.max.bytes=90000000"),
        "Invalid value 67108864 for configuration logan.staging.memory.bytes: must be at least message.max.bytes, which is 90000000 (default)"
    );
    let config = valid("logan.inbox.capacity=128\nlogan.inbox.credits=64");
    assert!(config.check_shards(3).is_ok());
    assert_eq!(
        config.check_shards(4).expect_err("too small").to_string(),
        "Invalid value 128 for configuration logan.inbox.capacity: must be at least 192: 64 (logan.inbox.credits) for each of the 3 other shards (server.properties:1)"
    );
}

#[test]
fn the_default_inbox_holds_the_requests_of_any_number_of_shards() {
    let config = valid("");
    assert_eq!(config.inbox_capacity(2), 4096);
    for shards in [96, 128, 1024] {
        assert!(config.check_shards(shards).is_ok(), "{shards}");
        assert_eq!(config.inbox_capacity(shards), 96 * (shards - 1));
    }
}

#[test]
fn a_value_of_the_wrong_type_hides_no_other_fault() {
    let told = fault("num.partitions=abc\nlisteners=FOO\nlog.roll.ms=0");
    for key in ["num.partitions", "listeners", "log.roll.ms"] {
        assert_eq!(
            told.matches(&format!("configuration {key}:")).count(),
            1,
            "{key}: {told}"
        );
    }
}

#[test]
fn all_faults_are_told_at_once() {
    assert_eq!(
        fault("num.partitions=0\nfetch.max.bytes=1").lines().count(),
        2
    );
    assert_eq!(fault("log.roll.ms=0\nlisteners=x").lines().count(), 2);
    assert!(fault("log.dirs=a,b,a/").contains("a/ is named twice"));
}

#[test]
fn a_file_that_is_missing_or_no_properties_file_is_named() {
    let missing = Sources::from_file(std::path::Path::new("no/such/file"))
        .expect_err("missing")
        .to_string();
    assert!(
        missing.starts_with("read configuration file no/such/file: "),
        "{missing}"
    );
    assert!(fault("a=1\n\\uxyz=1").starts_with("configuration file server.properties:2: "));
}

#[test]
fn broker_id_stands_for_node_id() {
    assert_eq!(valid("broker.id=4").node_id.0, 4);
    assert_eq!(valid("broker.id=4\nnode.id=4").node_id.0, 4);
    assert_eq!(
        fault("broker.id=4\nnode.id=5"),
        "Invalid value 4 for configuration broker.id: You must set `node.id` to the same value as `broker.id`, not 5 and 4 (server.properties:1)"
    );
}

#[test]
fn listeners_are_paired_with_what_clients_are_told() {
    let config = valid(
        "listeners=inner://[::1]:9092,OUTER://0.0.0.0:0\nadvertised.listeners=outer://broker.example:19092\n\
         listener.security.protocol.map=INNER:PLAINTEXT,OUTER:PLAINTEXT,TLS:SSL",
    );
    assert_eq!(
        config.listeners.iter().map(shown).collect::<Vec<_>>(),
        [
            ("INNER://[::1]:9092".to_owned(), None),
            (
                "OUTER://0.0.0.0:0".to_owned(),
                Some("OUTER://broker.example:19092".to_owned())
            ),
        ]
    );
}

#[test]
fn kafkas_own_server_properties_opens_the_broker_listener_only() {
    let config = valid(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n\
         advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
         num.network.threads=3\nnum.io.threads=8\nlog.dirs=data\noffsets.topic.replication.factor=1\n",
    );
    assert_eq!(config.listeners.len(), 1);
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(
            |told| told.starts_with("num.io.threads is not used by Logan: ")
                && told.ends_with(" (server.properties:9)")
        ),
        "{told:?}"
    );
    assert!(
        told.contains(
            &"listener CONTROLLER is for Kafka's controllers and is not opened".to_owned()
        ),
        "{told:?}"
    );
}

#[test]
fn impossible_listeners_say_what_would_be_right() {
    for (text, expected) in [
        ("listeners=foo", "Unable to parse foo to a broker endpoint"),
        ("listeners=PLAINTEXT://::1:9092", "an IPv6 address as [::1]"),
        (
            "listeners=PLAINTEXT://h:99999",
            "must be a number from 0 to 65535",
        ),
        (
            "listeners=PLAINTEXT://:1,PLAINTEXT://:2",
            "PLAINTEXT is named twice",
        ),
        (
            "listeners=A://:1,B://:1\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
            "1 is used twice",
        ),
        (
            "listeners=B://:1",
            "No security protocol defined for listener B; add B:PLAINTEXT",
        ),
        (
            "listeners=SSL://:1",
            "Listener SSL would speak SSL, which this version of Logan does not",
        ),
        (
            "listener.security.protocol.map=PLAINTEXT",
            "PLAINTEXT must be a listener and its protocol",
        ),
        (
            "listener.security.protocol.map=PLAINTEXT:FOO",
            "Invalid security protocol `FOO`",
        ),
        (
            "listeners=PLAINTEXT://0.0.0.0:1",
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0",
        ),
        (
            "advertised.listeners=X://h:1",
            "listener X is not among listeners",
        ),
        (
            "listeners=C://:1\ncontroller.listener.names=C",
            "there must be a listener",
        ),
    ] {
        let fault = fault(text);
        assert!(fault.contains(expected), "{text}: {fault}");
    }
    let pair = "listeners=A://127.0.0.1:1,B://[::1]:1\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT";
    assert_eq!(valid(pair).listeners.len(), 2);
}

#[test]
fn misspelt_keys_come_with_the_nearest_name() {
    for (key, expected) in [
        (
            "num.partition",
            "num.partition is no known key; did you mean num.partitions? (server.properties:1)",
        ),
        (
            "log.segment.byte",
            "log.segment.byte is no known key; did you mean log.segment.bytes? (server.properties:1)",
        ),
        (
            "entirely.other.words",
            "entirely.other.words is no known key (server.properties:1)",
        ),
        (
            "log.cleaner.threads",
            "log.cleaner.threads is not used by Logan: each core runs one shard, which does it all; shard.cores says which cores (server.properties:1)",
        ),
        (
            "listener.name.plaintext.max.connections",
            "listener.name.plaintext.max.connections is not used by Logan: a listener has no configuration of its own: its key without the prefix counts for all (server.properties:1)",
        ),
        (
            "socket.send.buffer.bytes",
            "socket.send.buffer.bytes is kept, but this version does not act on it (server.properties:1)",
        ),
    ] {
        let config = valid(&format!("{key}=1"));
        assert_eq!(
            config
                .warnings
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [expected]
        );
    }
}

#[test]
fn a_file_of_unknown_keys_takes_no_time() {
    let keys = (0..50_000).map(|number| format!("num.partition{number:x}=1"));
    let text = keys.collect::<Vec<_>>().join("\n");
    let warnings = valid(&text).warnings;
    assert_eq!(warnings.len(), 50_000);
    let told = warnings.iter().map(ToString::to_string);
    let suggested = told.filter(|told| told.contains("did you mean num.partitions?"));
    assert_eq!(suggested.count(), 100);
}

#[test]
fn connection_limits_of_single_addresses_cover_mapped_ones() {
    let config =
        valid("max.connections.per.ip=9\nmax.connections.per.ip.overrides=127.0.0.1:5, [::1]:6");
    for (address, limit) in [
        ("127.0.0.1", 5),
        ("::ffff:127.0.0.1", 5),
        ("::1", 6),
        ("10.0.0.1", 9),
    ] {
        assert_eq!(
            config.connections_limit(address.parse().expect("an address")),
            limit,
            "{address}"
        );
    }
}

#[test]
fn idle_connections_stay_open_for_a_negative_limit() {
    assert_eq!(valid("connections.max.idle.ms=-1").idle_limit(), None);
    assert_eq!(
        valid("connections.max.idle.ms=5").idle_limit(),
        Some(std::time::Duration::from_millis(5))
    );
}

#[test]
fn describing_the_broker_shows_where_values_come_from() {
    let config = valid("log.roll.hours=2\nnum.partitions= 4 \n");
    let entries = config.describe_broker();
    let entry = |name: &str| entries.iter().find(|entry| entry.name == name).expect(name);
    let partitions = entry("num.partitions");
    assert_eq!(partitions.value.as_deref(), Some("4"));
    assert_eq!(
        (partitions.source, partitions.read_only),
        (ConfigSource::StaticBrokerConfig, true)
    );
    assert_eq!(partitions.synonyms.len(), 2);
    assert_eq!(entry("log.roll.ms").value, None);
    assert_eq!(entry("broker.rack").source, ConfigSource::DefaultConfig);
    assert_eq!(
        entry("message.max.bytes").source,
        ConfigSource::DefaultConfig
    );
    assert!(!entry("message.max.bytes").read_only);
}

#[test]
fn a_file_that_is_not_utf_8_is_read_as_iso_8859_1() {
    assert_eq!(
        properties::decode("k=\u{fc}".to_owned().into_bytes()),
        "k=\u{fc}"
    );
    assert_eq!(
        properties::decode(b"# f\xfcr\nk=\xe9".to_vec()),
        "# f\u{fc}r\nk=\u{e9}"
    );
}
