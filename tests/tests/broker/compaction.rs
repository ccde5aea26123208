//! A compacted topic on the real broker: old values go while it serves, and what a consumer ends up with stays the same,
//! over a kill and a clean end too.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use client::{Acks, Client, FetchLimits, visit_records};
use records::{BatchBuilder, Compression, NewRecord};
use tests::{Broker, Launch, create_topic, temporary_directory, within};
use types::{ErrorCode, Offset, PartitionIndex, TimestampMs};

use crate::dynamic::{BROKER_RESOURCE, alter};

pub(crate) const TOPIC: &str = "table";
const PARTITION: PartitionIndex = PartitionIndex(0);
const KEYS: u32 = 50;
pub(crate) const BATCHES: u32 = 400;
const RECORDS_A_BATCH: u32 = 20;

/// How long the cleaner may take on a machine that has much else to do.
const TIME_MAX: Duration = Duration::from_secs(60);

#[test]
fn a_compacted_topic_keeps_the_last_value_of_each_key() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path())
        .with("log.cleaner.backoff.ms", "50")
        .with("log.flush.offset.checkpoint.interval.ms", "200");
    let broker = launch.start();
    create_topic(
        &broker,
        TOPIC,
        1,
        &[
            ("cleanup.policy", "compact"),
            ("segment.bytes", "1048576"),
            ("min.cleanable.dirty.ratio", "0.01"),
        ],
    );
    let mut expected = produce(&mut broker.client(), 0);
    let log = directory.path().join(format!("{TOPIC}-0"));
    let produced_bytes = u64::from(BATCHES * RECORDS_A_BATCH * 1000);
    wait_for_size(&broker, &log, produced_bytes / 3);
    assert_eq!(consume(&mut broker.client()), expected);
    // While it may be cleaning again.
    expected.extend(produce(&mut broker.client(), BATCHES));
    drop(broker.kill());
    let broker = launch.start();
    assert_eq!(consume(&mut broker.client()), expected);
    wait_for_size(&broker, &log, produced_bytes / 3);
    assert_eq!(consume(&mut broker.client()), expected);
    let checkpoint = directory.path().join("cleaner-offset-checkpoint");
    let is_written = within(TIME_MAX, || {
        let text = std::fs::read_to_string(&checkpoint);
        text.is_ok_and(|text| text.contains(&format!("{TOPIC} 0 ")))
    });
    assert!(is_written, "{}", broker.log());
    assert_eq!(broker.stop().code(), 0);
    let names: Vec<_> = std::fs::read_dir(&log)
        .expect("the partition's directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    let is_left = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.ends_with("cleaned") || name.ends_with("swap")
    };
    assert!(!names.iter().any(is_left), "{names:?}");
    let broker = launch.start();
    assert_eq!(consume(&mut broker.client()), expected);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_cleaner_that_is_switched_off_leaves_everything() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path())
        .with("log.cleaner.backoff.ms", "10")
        .with("log.cleaner.enable", "false");
    let broker = launch.start();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0"),
    ];
    create_topic(&broker, TOPIC, 1, &configs);
    produce(&mut broker.client(), 0);
    let log = directory.path().join(format!("{TOPIC}-0"));
    let all = u64::from(BATCHES * RECORDS_A_BATCH * 1000);
    // The cleaner of the test above has removed most of it by then.
    assert!(!within(Duration::from_millis(500), || size_of(&log) < all));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_pause_between_passes_that_is_too_long_is_taken_back_at_once() {
    let directory = temporary_directory();
    let hour = "3600000";
    let launch = Launch::in_directory(directory.path()).with("log.cleaner.backoff.ms", hour);
    let broker = launch.start();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    create_topic(&broker, TOPIC, 1, &configs);
    produce(&mut broker.client(), 0);
    let key = "log.cleaner.backoff.ms";
    let code = alter(&mut broker.wire(), (BROKER_RESOURCE, ""), key, Some("50"));
    assert_eq!(code, ErrorCode::None);
    let log = directory.path().join(format!("{TOPIC}-0"));
    wait_for_size(
        &broker,
        &log,
        u64::from(BATCHES * RECORDS_A_BATCH * 1000) / 3,
    );
}

/// Writes values of all keys in turn, numbered from `first` batches on; the last one of each key.
pub(crate) fn produce(client: &mut Client, first: u32) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut last = BTreeMap::new();
    for batch in first..first + BATCHES {
        let mut builder = BatchBuilder::new(Compression::None);
        for record in 0..RECORDS_A_BATCH {
            let number = batch * RECORDS_A_BATCH + record;
            let key = (number % KEYS).to_be_bytes().to_vec();
            let mut value = number.to_be_bytes().to_vec();
            value.resize(1000, 7);
            builder.push(&NewRecord {
                timestamp: TimestampMs(1_700_000_000_000),
                key: Some(&key),
                value: Some(&value),
                headers: &[],
            });
            last.insert(key, value);
        }
        let bytes = builder.build().expect("nothing is compressed");
        let sent = client.produce(TOPIC, PARTITION, &bytes.into(), Acks::All);
        sent.expect("an acknowledgement");
    }
    last
}

/// The last value of each key, as a consumer of the whole topic ends up with.
fn consume(client: &mut Client) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut table = BTreeMap::new();
    let mut next = Offset(0);
    let limits = FetchLimits {
        wait_max: Duration::ZERO,
        partition_max_bytes: 4 << 20,
        ..FetchLimits::default()
    };
    loop {
        let fetched = client.fetch(TOPIC, PARTITION, next, limits);
        let fetched = fetched.expect("what was written can be read");
        if next >= fetched.high_watermark {
            return table;
        }
        let mut newest = None;
        let after = visit_records(&fetched, &mut Vec::new(), |record| {
            assert!(Some(record.offset) > newest, "offsets rise");
            newest = Some(record.offset);
            let key = record.key.expect("every record has a key").to_vec();
            let value = record.value.expect("no key was deleted").to_vec();
            let number = value.first_chunk().map(|it| u32::from_be_bytes(*it));
            assert_eq!(
                number.map(i64::from),
                Some(record.offset.0),
                "a record stays at its offset"
            );
            table.insert(key, value);
            ControlFlow::Continue(())
        });
        let after = after.expect("what was written is intact");
        assert!(after > next, "nothing can be read at {next}");
        next = after;
    }
}

fn wait_for_size(broker: &Broker, log: &Path, bytes_max: u64) {
    let is_small = within(TIME_MAX, || size_of(log) < bytes_max);
    assert!(is_small, "{} bytes: {}", size_of(log), broker.log());
}

/// Bytes of the segments; files may go meanwhile.
fn size_of(log: &Path) -> u64 {
    let entries = std::fs::read_dir(log).expect("the partition's directory");
    let lengths = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let is_log = entry.path().extension().is_some_and(|it| it == "log");
        is_log.then(|| entry.metadata().map_or(0, |metadata| metadata.len()))
    });
    lengths.sum()
}
