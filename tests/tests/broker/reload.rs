//! A configuration file that changes under a running broker: what can take effect does at once, what is impossible is
//! refused whole, and nobody who produces notices.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use client::{Acks, Client};
use records::Compression;
use tempfile::TempDir;
use tests::{
    Broker, Launch, Signal, batch_of, create_topic, read_values, temporary_directory, within,
};
use types::{ErrorCode, PartitionIndex};

use crate::dynamic::{BROKER_RESOURCE, alter, value_of};

const TOPIC: &str = "reloaded";
const TIME_MAX: Duration = Duration::from_secs(60);
const REFUSED: &str = "the changed configuration is refused, the old values stay";

/// A broker with a file of its own.
struct Setup {
    directory: TempDir,
}

impl Setup {
    fn new(text: &str) -> Self {
        let setup = Self {
            directory: temporary_directory(),
        };
        setup.replace(text);
        setup
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    /// What the file says in any case, and `text` behind it, from line 6 on.
    fn whole(&self, text: &str) -> String {
        let data = self.directory.path().join("data");
        format!(
            "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs={}\nlogan.cache.bytes=33554432\n\
             logan.staging.memory.bytes=16777216\noffsets.topic.num.partitions=2\n{text}\n",
            data.display()
        )
    }

    /// Puts a new file in the place of the old one.
    fn replace(&self, text: &str) {
        let beside = self.directory.path().join("beside");
        fs::write(&beside, self.whole(text)).expect("a file");
        fs::rename(&beside, self.file()).expect("a file");
    }

    fn start(&self) -> Broker {
        Launch::of_file(&self.file()).start()
    }
}

/// Waits until the broker says that a key has this value.
fn expect_value(broker: &Broker, key: &str, value: &str) {
    let mut wire = broker.wire();
    let is_there = within(TIME_MAX, || {
        value_of(&mut wire, "0", key).as_deref() == Some(value)
    });
    assert!(is_there, "{key} is not {value}:\n{}", broker.log());
}

fn produces(client: &mut Client, len: usize) -> bool {
    let batch = batch_of(Compression::None, &[&vec![7; len]]);
    [0, 1].map(|index| {
        let produced = client.produce(TOPIC, PartitionIndex(index), &batch, Acks::All);
        produced.is_ok()
    }) == [true, true]
}

#[test]
fn a_changed_file_takes_effect_on_every_shard() {
    let setup = Setup::new("message.max.bytes=100000");
    let broker = setup.start();
    create_topic(&broker, TOPIC, 2, &[]);
    let mut client = broker.impatient_client();
    assert!(produces(&mut client, 5000));
    setup.replace(
        "message.max.bytes=1000\nnum.partitions=3\nnode.id=9\nlogan.shutdown.timeout.ms=20000\n\
         logan.disk.reserve.bytes=1\nlogan.delete.bytes.per.second=2000000\nfetch.max.bytes=2000\n\
         connections.max.idle.ms=-1\nlogan.request.bytes.per.second.min=0",
    );
    expect_value(&broker, "message.max.bytes", "1000");
    assert!(!produces(&mut client, 5000));
    assert!(produces(&mut client, 500));
    // Not only values that clients could set, too.
    expect_value(&broker, "num.partitions", "3");
    broker.expect_log("needs a restart to change: node.id from 0 to 9");
    broker.expect_log("read the configuration again changed=8 postponed=1");
    broker.expect_log("changed: message.max.bytes from 100000 to 1000");
    // Written in place this time, with the old name.
    fs::write(setup.file(), setup.whole("message.max.bytes=200000")).expect("a file");
    expect_value(&broker, "message.max.bytes", "200000");
    expect_value(&broker, "num.partitions", "1");
    assert!(produces(&mut client, 5000));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn an_impossible_file_is_refused_whole_with_line_and_reason() {
    let setup = Setup::new("message.max.bytes=100000");
    let broker = setup.start();
    let path = setup.file().display().to_string();
    for (text, reason) in [
        (
            "message.max.bytes=2000\nlog.segment.bytes=1",
            format!(
                "Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576 ({path}:7)"
            ),
        ),
        (
            "message.max.bytes=2000\n=1",
            format!("configuration file {path}:7: there is no key before the separator"),
        ),
        (
            "message.max.bytes=2000\nlog.dirs=\0",
            format!("configuration file {path}: line 7 has the byte 0x00"),
        ),
    ] {
        setup.replace(text);
        broker.expect_log(&format!("{REFUSED}: {reason}"));
        assert_eq!(
            value_of(&mut broker.wire(), "0", "message.max.bytes").as_deref(),
            Some("100000")
        );
    }
    fs::write(setup.file(), "").expect("a file");
    broker.expect_log(&format!(
        "{REFUSED}: configuration file {path}: it is empty"
    ));
    fs::remove_file(setup.file()).expect("a file");
    broker.signal(Signal::HangUp);
    broker.expect_log(&format!(
        "{REFUSED}: read configuration file {path}: No such file"
    ));
    setup.replace("message.max.bytes=3000");
    expect_value(&broker, "message.max.bytes", "3000");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn what_clients_set_lies_over_the_file() {
    let setup = Setup::new("message.max.bytes=100000\nlog.cleaner.max.compaction.lag.ms=1000");
    let broker = setup.start();
    let mut wire = broker.wire();
    let (own, all) = ((BROKER_RESOURCE, "0"), (BROKER_RESOURCE, ""));
    let mut set = |resource, key: &str, value: Option<&str>| {
        assert_eq!(
            alter(&mut wire, resource, key, value),
            ErrorCode::None,
            "{key}={value:?}"
        );
    };
    set(all, "message.max.bytes", Some("200000"));
    set(own, "message.max.bytes", Some("300000"));
    setup.replace("message.max.bytes=400000\nlog.cleaner.max.compaction.lag.ms=1000");
    broker.expect_log("changed: message.max.bytes from 100000 to 400000");
    expect_value(&broker, "message.max.bytes", "300000");
    set(own, "message.max.bytes", None);
    expect_value(&broker, "message.max.bytes", "200000");
    set(all, "message.max.bytes", None);
    expect_value(&broker, "message.max.bytes", "400000");
    // Possible by itself, but not below what a client has set.
    set(all, "log.cleaner.min.compaction.lag.ms", Some("500"));
    setup.replace("message.max.bytes=500000\nlog.cleaner.max.compaction.lag.ms=100");
    broker.expect_log(&format!(
        "{REFUSED}: what clients have set does not go with it: "
    ));
    expect_value(&broker, "message.max.bytes", "400000");
    expect_value(&broker, "log.cleaner.min.compaction.lag.ms", "500");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_hang_up_reads_the_file_again_and_without_one_ends_the_broker() {
    let setup = Setup::new("");
    let broker = setup.start();
    broker.signal(Signal::HangUp);
    broker.expect_log("read the configuration again changed=0 postponed=0");
    assert_eq!(broker.stop().code(), 0);
    let broker = Launch::in_directory(&setup.directory.path().join("other")).start();
    broker.signal(Signal::HangUp);
    assert_eq!(broker.wait().code(), 0);
}

/// Produces without trying again, until it is told to stop; returns what was acknowledged.
fn produce_until(
    broker: &Broker,
    index: i32,
    is_over: &Arc<AtomicBool>,
    count: &Arc<AtomicU64>,
) -> thread::JoinHandle<Vec<Vec<u8>>> {
    let mut client = broker.impatient_client();
    let (is_over, count) = (Arc::clone(is_over), Arc::clone(count));
    thread::spawn(move || {
        let mut acknowledged = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let value = format!("{index} {}", acknowledged.len()).into_bytes();
            let batch = batch_of(Compression::None, &[&value]);
            let produced = client.produce(TOPIC, PartitionIndex(index), &batch, Acks::All);
            produced.expect("no reload refuses or drops a request");
            acknowledged.push(value);
            count.fetch_add(1, Ordering::Relaxed);
        }
        acknowledged
    })
}

#[test]
fn a_reload_under_load_drops_nothing() {
    let setup = Setup::new("log.retention.ms=100000000");
    let broker = setup.start();
    create_topic(&broker, TOPIC, 2, &[]);
    let (is_over, count) = (Arc::default(), Arc::default());
    let producers = [0, 1].map(|index| produce_until(&broker, index, &is_over, &count));
    for round in 1..=10 {
        let before = count.load(Ordering::Relaxed);
        // Each one changes the settings of every log.
        let retention = 100_000_000 + round;
        setup.replace(&format!(
            "log.retention.ms={retention}\nlog.index.interval.bytes={round}"
        ));
        expect_value(&broker, "log.retention.ms", &retention.to_string());
        let goes_on = within(TIME_MAX, || count.load(Ordering::Relaxed) > before);
        assert!(goes_on, "{}", broker.log());
    }
    is_over.store(true, Ordering::Relaxed);
    let mut client = broker.client();
    for (index, producer) in (0..).zip(producers) {
        let acknowledged = producer.join().expect("it was refused nothing");
        let found = read_values(&mut client, TOPIC, PartitionIndex(index));
        assert_eq!(found, acknowledged, "each one once, in order");
    }
    let ended = broker.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains("ERROR"), "{}", ended.log);
}

#[test]
fn the_files_that_kafka_comes_with_start_as_they_are() {
    let directory = temporary_directory();
    let stock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/config/tests/kafka-4.3.1");
    for name in ["broker", "controller", "server"] {
        let text = fs::read_to_string(stock.join(format!("{name}.properties"))).expect("a file");
        // Free ports and a directory of our own; nothing else.
        let data = directory.path().join(name).display().to_string();
        let lines: Vec<String> = text
            .lines()
            .map(|line| match line.split_once('=') {
                Some(("log.dirs", _)) => format!("log.dirs={data}"),
                Some((key, value)) if key.ends_with("listeners") => {
                    format!(
                        "{key}={}",
                        value.replace(":9092", ":0").replace(":9093", ":0")
                    )
                }
                _ => line.to_owned(),
            })
            .collect();
        let file = directory.path().join(format!("{name}.properties"));
        fs::write(&file, lines.join("\n")).expect("a file");
        let broker = Launch::of_file(&file).start();
        create_topic(&broker, TOPIC, 2, &[]);
        assert!(produces(&mut broker.client(), 100), "{name}");
        broker.expect_log("num.io.threads is not used by Logan: each core runs one shard");
        let log = broker.log();
        assert_eq!(
            log.matches("num.io.threads is not used").count(),
            1,
            "{log}"
        );
        assert_eq!(broker.stop().code(), 0);
    }
}
