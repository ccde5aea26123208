//! Records that go: by age, by size, because somebody deletes them, with their topic; and kills while they go.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{Acks, Client, FetchLimits, OffsetSpec};
use protocol::messages::DeleteRecordsRequest;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use records::{BatchBuilder, Compression, NewRecord};
use tests::{
    Broker, Chance, Launch, Neighbour, Wire, batch_of, create_topic, error_of, read_values,
    temporary_directory, within,
};
use types::{ErrorCode, Offset, PartitionIndex, TimestampMs};

const TOPIC: &str = "going";
const FIRST: PartitionIndex = PartitionIndex(0);
const TIME_MAX: Duration = Duration::from_secs(60);

/// A broker that looks for what has expired all the time, and removes it at once.
fn eager(directory: &Path) -> Launch {
    Launch::in_directory(directory)
        .with("log.retention.check.interval.ms", "100")
        .with("log.segment.delete.delay.ms", "0")
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("before the year 292,278,994")
}

/// Two of them do not fit into a segment of 1 MiB.
fn large_batch(age: Duration) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    let age_ms = i64::try_from(age.as_millis()).expect("small");
    builder.push(&NewRecord {
        timestamp: TimestampMs(now_ms() - age_ms),
        key: None,
        value: Some(&[7; 700_000]),
        headers: &[],
    });
    builder.build().expect("nothing is compressed").into()
}

fn produce(client: &mut Client, partition: PartitionIndex, batch: &bytes::Bytes) {
    let produced = client.produce(TOPIC, partition, batch, Acks::All);
    produced.expect("it is stored");
}

fn earliest(broker: &Broker, partition: PartitionIndex) -> Offset {
    let listed = broker
        .client()
        .list_offsets(TOPIC, &[partition], OffsetSpec::Earliest);
    let listed = listed.expect("the partition is there");
    listed[&partition].offset.expect("there is always one")
}

/// Error code and low watermark of each partition.
fn delete_records(wire: &mut Wire, topic: &str, before: &[(i32, i64)]) -> Vec<(ErrorCode, i64)> {
    let partitions = before
        .iter()
        .map(|&(partition_index, offset)| DeleteRecordsPartition {
            partition_index,
            offset,
        });
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic.into(),
            partitions: partitions.collect(),
        }],
        timeout_ms: 30_000,
    };
    let response = wire.call(2, &request);
    let results = response.topics[0].partitions.iter();
    results
        .map(|result| (error_of(result.error_code), result.low_watermark))
        .collect()
}

/// Every version of DeleteRecords, asked for what is there and for what is not.
pub(crate) fn ask(mut wire: Wire, topic: &str, version: i16) {
    let topic_of = |name: &str, partition_index: i32| DeleteRecordsTopic {
        name: name.into(),
        partitions: vec![DeleteRecordsPartition {
            partition_index,
            offset: 0,
        }],
    };
    let request = DeleteRecordsRequest {
        topics: vec![topic_of(topic, 0), topic_of(topic, 99), topic_of("no", 0)],
        timeout_ms: 1000,
    };
    let response = wire.call(version, &request);
    let codes = response.topics.iter().map(|topic| {
        let result = &topic.partitions[0];
        (error_of(result.error_code), result.low_watermark)
    });
    let unknown = (ErrorCode::UnknownTopicOrPartition, -1);
    let codes: Vec<_> = codes.collect();
    assert_eq!(codes, [(ErrorCode::None, 0), unknown, unknown]);
}

/// The names in a directory that end so, and in those of its partitions.
fn files_ending(directory: &Path, suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with("__") {
            found.extend(files_ending(&entry.path(), suffix));
        }
        if name.ends_with(suffix) {
            found.push(name);
        }
    }
    found
}

#[test]
fn segments_go_by_age_and_the_young_ones_stay() {
    let directory = temporary_directory();
    let broker = eager(directory.path()).start();
    let configs = [("segment.bytes", "1048576"), ("retention.ms", "3600000")];
    create_topic(&broker, TOPIC, 1, &configs);
    let mut client = broker.client();
    for hours in [2, 2, 2, 0, 2, 0] {
        let batch = large_batch(Duration::from_secs(hours * 3600));
        produce(&mut client, FIRST, &batch);
    }
    assert!(within(TIME_MAX, || earliest(&broker, FIRST) == Offset(3)));
    let gone = broker
        .impatient_client()
        .fetch(TOPIC, FIRST, Offset(2), FetchLimits::default())
        .expect_err("it has expired");
    assert_eq!(gone.code(), Some(ErrorCode::OffsetOutOfRange));
    let fetched = client.fetch(TOPIC, FIRST, Offset(3), FetchLimits::default());
    assert_eq!(fetched.expect("it is young").log_start_offset, Offset(3));
    // Files go once their log's start is durable: before that a kill may bring the records back.
    let has_gone = || {
        let is_left = |suffix| files_ending(directory.path(), suffix).len();
        is_left(".log") == 3 && is_left(".deleted") == 0
    };
    assert!(within(TIME_MAX, has_gone));
    drop(broker.kill());
    let broker = eager(directory.path()).start();
    assert_eq!(earliest(&broker, FIRST), Offset(3));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn an_idle_partition_empties_and_its_offsets_go_on() {
    let directory = temporary_directory();
    // The broker's own keys, of which the most precise one counts.
    let launch = eager(directory.path())
        .with("log.retention.hours", "1000")
        .with("log.retention.minutes", "60");
    let broker = launch.start();
    create_topic(&broker, TOPIC, 1, &[]);
    let mut client = broker.client();
    for _ in 0..3 {
        produce(&mut client, FIRST, &large_batch(Duration::from_secs(3700)));
    }
    let is_empty =
        || files_ending(directory.path(), ".log") == ["00000000000000000003.log".to_owned()];
    assert!(within(TIME_MAX, is_empty));
    drop(broker.kill());
    let broker = launch.start();
    assert_eq!(earliest(&broker, FIRST), Offset(3));
    let batch = batch_of(Compression::None, &[b"next"]);
    let produced = broker
        .client()
        .produce(TOPIC, FIRST, &batch, Acks::All)
        .expect("it is stored");
    assert_eq!(produced.base_offset, Some(Offset(3)));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn segments_go_by_size_as_far_as_the_rest_is_large_enough() {
    let directory = temporary_directory();
    let broker = eager(directory.path()).start();
    let configs = [("segment.bytes", "1048576"), ("retention.bytes", "1500000")];
    create_topic(&broker, TOPIC, 2, &configs);
    let mut client = broker.client();
    for partition in [0, 1] {
        for _ in 0..6 {
            let batch = large_batch(Duration::ZERO);
            produce(&mut client, PartitionIndex(partition), &batch);
        }
    }
    for partition in [0, 1] {
        let partition = PartitionIndex(partition);
        // Three of 700,000 bytes are more than 1,500,000, two are less.
        assert!(within(TIME_MAX, || earliest(&broker, partition) == Offset(3)));
    }
    thread::sleep(Duration::from_millis(500));
    assert_eq!(earliest(&broker, FIRST), Offset(3), "and no further");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn committed_offsets_are_no_records_to_delete_whatever_their_topics_policy() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    let offsets = "__consumer_offsets";
    create_topic(&broker, offsets, 1, &[("cleanup.policy", "delete")]);
    let results = delete_records(&mut broker.wire(), offsets, &[(0, -1), (1, -1)]);
    let refused = (ErrorCode::InvalidTopicException, -1);
    assert_eq!(results, [refused, (ErrorCode::UnknownTopicOrPartition, -1)]);
}

#[test]
fn deleted_records_stay_deleted_across_a_kill() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 4, &[]);
    create_topic(&broker, "compacted", 1, &[("cleanup.policy", "compact")]);
    let mut client = broker.client();
    for partition in 0..4 {
        let values: Vec<Vec<u8>> = (0..10_u8).map(|number| vec![number]).collect();
        for value in &values {
            let batch = batch_of(Compression::None, &[value]);
            produce(&mut client, PartitionIndex(partition), &batch);
        }
    }
    let mut wire = broker.wire();
    let wanted = [(0, 5), (1, -1), (2, 11), (3, -2), (4, 1)];
    let results = delete_records(&mut wire, TOPIC, &wanted);
    assert_eq!(
        results,
        [
            (ErrorCode::None, 5),
            (ErrorCode::None, 10),
            (ErrorCode::OffsetOutOfRange, -1),
            (ErrorCode::OffsetOutOfRange, -1),
            (ErrorCode::UnknownTopicOrPartition, -1),
        ]
    );
    assert_eq!(
        delete_records(&mut wire, "compacted", &[(0, 0)]),
        [(ErrorCode::PolicyViolation, -1)]
    );
    drop(broker.kill());
    let broker = Launch::in_directory(directory.path()).start();
    let starts = [0, 1, 2, 3].map(|partition| earliest(&broker, PartitionIndex(partition)));
    assert_eq!(starts, [5, 10, 0, 0].map(Offset));
    let fetched = broker
        .client()
        .fetch(TOPIC, FIRST, Offset(5), FetchLimits::default())
        .expect("it is there");
    assert_eq!(fetched.log_start_offset, Offset(5));
    let mut wire = broker.wire();
    let again = delete_records(&mut wire, TOPIC, &[(0, 3), (0, 7)]);
    assert_eq!(again, [(ErrorCode::None, 5), (ErrorCode::None, 7)]);
    assert_eq!(broker.stop().code(), 0);
    let broker = Launch::in_directory(directory.path()).start();
    assert_eq!(earliest(&broker, FIRST), Offset(7));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_fetch_that_waits_below_the_new_start_is_answered() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 2, &[]);
    for partition in [0, 1] {
        for _ in 0..4 {
            let batch = batch_of(Compression::None, &[b"value"]);
            produce(&mut broker.client(), PartitionIndex(partition), &batch);
        }
    }
    thread::scope(|scope| {
        let waiting = [0, 1].map(|partition| {
            let mut client = broker.impatient_client();
            scope.spawn(move || {
                let limits = FetchLimits {
                    wait_max: TIME_MAX,
                    min_bytes: 1 << 20,
                    ..FetchLimits::default()
                };
                client.fetch(TOPIC, PartitionIndex(partition), Offset(1), limits)
            })
        });
        thread::sleep(Duration::from_millis(300));
        assert!(waiting.iter().all(|fetch| !fetch.is_finished()));
        let results = delete_records(&mut broker.wire(), TOPIC, &[(0, 3), (1, 2)]);
        assert_eq!(results, [(ErrorCode::None, 3), (ErrorCode::None, 2)]);
        for fetch in waiting {
            assert!(
                within(TIME_MAX / 2, || fetch.is_finished()),
                "it still waits"
            );
            let gone = fetch.join().expect("no panic").expect_err("deleted");
            assert_eq!(gone.code(), Some(ErrorCode::OffsetOutOfRange));
        }
    });
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_topic_is_deleted_while_it_is_written_and_read() {
    let directory = temporary_directory();
    let broker = eager(directory.path()).start();
    let neighbour = Neighbour::beside(&broker);
    for round in 0..3_u8 {
        create_topic(&broker, TOPIC, 4, &[("segment.bytes", "1048576")]);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for partition in 0..4 {
                let (stop, broker) = (&stop, &broker);
                scope.spawn(move || write_and_read(broker, PartitionIndex(partition), stop));
            }
            thread::sleep(Duration::from_millis(500));
            broker.client().delete_topic(TOPIC).expect("it is there");
            stop.store(true, Ordering::Relaxed);
        });
        // The name is free at once, and what comes under it is new.
        create_topic(&broker, TOPIC, 1, &[]);
        let batch = batch_of(Compression::None, &[&[round]]);
        produce(&mut broker.client(), FIRST, &batch);
        let values = read_values(&mut broker.client(), TOPIC, FIRST);
        assert_eq!(values, [vec![round]]);
        broker.client().delete_topic(TOPIC).expect("it is there");
    }
    let has_gone = || files_ending(directory.path(), "-delete").is_empty();
    assert!(within(TIME_MAX, has_gone));
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

fn write_and_read(broker: &Broker, partition: PartitionIndex, stop: &AtomicBool) {
    let mut client = broker.impatient_client();
    let batch = large_batch(Duration::ZERO);
    let expected = [
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
        ErrorCode::KafkaStorageError,
        ErrorCode::NotLeaderOrFollower,
    ];
    let mut next = Offset(0);
    while !stop.load(Ordering::Relaxed) {
        let produced = client.produce(TOPIC, partition, &batch, Acks::All);
        let fetched = client.fetch(TOPIC, partition, next, FetchLimits::default());
        for error in [produced.err(), fetched.err()].into_iter().flatten() {
            // Without a code the client itself says that the topic has gone.
            let is_expected = error.code().is_none_or(|code| expected.contains(&code));
            assert!(is_expected, "{error}");
        }
        next = Offset(next.0 + 1);
    }
}

#[test]
fn a_kill_leaves_no_deletion_half_done() {
    let (mut chance, seed) = Chance::from_environment("LOGAN_CRASH_SEED");
    let directory = temporary_directory();
    let launch = eager(directory.path());
    for round in 0..6 {
        let broker = launch.start();
        let configs = [("segment.bytes", "1048576"), ("retention.ms", "3600000")];
        create_topic(&broker, TOPIC, 2, &configs);
        let mut client = broker.client();
        for partition in [0, 1] {
            for hours in [2, 2, 2, 0, 0] {
                let batch = large_batch(Duration::from_secs(hours * 3600));
                produce(&mut client, PartitionIndex(partition), &batch);
            }
        }
        let deleted = delete_records(&mut broker.wire(), TOPIC, &[(1, 4)]);
        assert_eq!(deleted, [(ErrorCode::None, 4)]);
        thread::sleep(Duration::from_millis(chance.below(250)));
        drop(broker.kill());

        let broker = launch.start();
        let context = format!("seed {seed}, round {round}");
        let start = earliest(&broker, FIRST);
        assert!(start <= Offset(3), "{context}: begins at {start}");
        assert_eq!(earliest(&broker, PartitionIndex(1)), Offset(4), "{context}");
        let fetched = broker
            .client()
            .fetch(TOPIC, FIRST, Offset(3), FetchLimits::default());
        let fetched = fetched.expect("what is young is there");
        assert_eq!(fetched.high_watermark, Offset(5), "{context}");
        assert!(!fetched.records.is_empty(), "{context}");
        assert!(
            within(TIME_MAX, || earliest(&broker, FIRST) == Offset(3)),
            "{context}: retention goes on"
        );
        let mut client = broker.client();
        let deletion = thread::spawn(move || client.delete_topic(TOPIC));
        thread::sleep(Duration::from_millis(chance.below(30)));
        drop(broker.kill());
        drop(deletion.join());

        let broker = launch.start();
        if broker.client().describe_topic(TOPIC).is_ok() {
            broker.client().delete_topic(TOPIC).expect("it is there");
        }
        let has_gone = || files_ending(directory.path(), ".log").is_empty();
        assert!(
            within(TIME_MAX, has_gone),
            "{context}: {:?}",
            files_ending(directory.path(), "")
        );
        assert!(
            files_ending(directory.path(), "-stray").is_empty(),
            "{context}"
        );
        assert_eq!(broker.stop().code(), 0);
    }
}
