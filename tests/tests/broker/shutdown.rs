//! SIGTERM ends the broker within a bounded time and leaves closed logs; a second one ends it at once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{Acks, Client, FetchLimits};
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use records::Compression;
use tests::{
    Broker, Launch, Signal, Wire, batch_of, create_topic, read_values, temporary_directory, within,
};
use types::{Offset, PartitionIndex};

const TOPIC: &str = "kept";

/// Kafka's mark that every log was closed.
const CLEAN_MARK: &str = ".kafka_cleanshutdown";

fn has_mark(directory: &Path) -> bool {
    directory.join(CLEAN_MARK).exists()
}

fn produce(client: &mut Client, value: &[u8]) {
    let batch = batch_of(Compression::None, &[value]);
    let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::All);
    produced.expect("it is taken");
}

#[test]
fn a_signal_ends_it_with_closed_logs() {
    let directory = temporary_directory();
    let launch = Launch::in_directory(directory.path());
    let mut values: Vec<Vec<u8>> = Vec::new();
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let broker = launch.start();
        assert!(
            !has_mark(directory.path()),
            "a running broker's logs are not closed"
        );
        if values.is_empty() {
            create_topic(&broker, TOPIC, 1, &[]);
        }
        let mut client = broker.client();
        assert_eq!(read_values(&mut client, TOPIC, PartitionIndex(0)), values);
        let value = format!("before {signal:?}").into_bytes();
        produce(&mut client, &value);
        values.push(value);
        broker.signal(signal);
        let ended = broker.wait();
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert!(has_mark(directory.path()), "{}", ended.log);
    }
    let broker = launch.start();
    assert_eq!(
        read_values(&mut broker.client(), TOPIC, PartitionIndex(0)),
        values
    );
    drop(broker.kill());
    assert!(
        !has_mark(directory.path()),
        "a killed broker's logs are not closed"
    );
}

#[test]
fn what_is_under_way_is_answered() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, TOPIC, 1, &[]);
    create_topic(&broker, "quiet", 1, &[]);
    // Its client waits for records that will not come; the broker answers it as it ends.
    let mut client = broker.impatient_client();
    let waiting = thread::spawn(move || {
        let limits = FetchLimits {
            wait_max: Duration::from_secs(100),
            ..FetchLimits::default()
        };
        client.fetch("quiet", PartitionIndex(0), Offset(0), limits)
    });
    // Acknowledged or refused, but never acknowledged and lost.
    let mut client = broker.impatient_client();
    let rounds = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&rounds);
    let producing = thread::spawn(move || {
        let mut acknowledged = Vec::new();
        for round in 0.. {
            let value = format!("{round}").into_bytes();
            let batch = batch_of(Compression::None, &[&value]);
            if client
                .produce(TOPIC, PartitionIndex(0), &batch, Acks::All)
                .is_err()
            {
                break;
            }
            acknowledged.push(value);
            counted.fetch_add(1, Ordering::Relaxed);
        }
        acknowledged
    });
    let has_load = within(Duration::from_secs(30), || {
        rounds.load(Ordering::Relaxed) >= 20
    });
    assert!(has_load, "{}", broker.log());
    let began = Instant::now();
    let ended = broker.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let fetched = waiting.join().expect("the thread ends");
    assert!(fetched.is_ok(), "{fetched:?}");
    let acknowledged = producing.join().expect("the thread ends");
    assert!(!acknowledged.is_empty());
    let broker = Launch::in_directory(directory.path()).start();
    let found = read_values(&mut broker.client(), TOPIC, PartitionIndex(0));
    assert_eq!(found[..acknowledged.len()], acknowledged);
    assert!(
        found.len() <= acknowledged.len() + 1,
        "one more was under way"
    );
}

/// A connection that is owed far more than its socket holds and that reads nothing.
fn deaf(broker: &Broker) -> Wire {
    let mut client = broker.client();
    for _ in 0..16 {
        produce(&mut client, &vec![b'x'; 1_000_000]);
    }
    let request = FetchRequest {
        replica_id: -1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: TOPIC.into(),
            partitions: vec![FetchPartition {
                partition_max_bytes: 50 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    let mut wire = broker.wire();
    wire.send_request(12, &request);
    // Its first bytes are there: the rest is stuck.
    wire.stream().peek(&mut [0; 4]).expect("an answer begins");
    wire
}

#[test]
fn a_client_that_does_not_read_delays_the_end_within_bounds() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("logan.shutdown.timeout.ms", "4000")
        .start();
    create_topic(&broker, TOPIC, 1, &[]);
    let deaf = deaf(&broker);
    let began = Instant::now();
    let ended = broker.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    assert!(has_mark(directory.path()), "{}", ended.log);
    drop(deaf);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("logan.shutdown.timeout.ms", "60000")
        .start();
    create_topic(&broker, TOPIC, 1, &[]);
    let deaf = deaf(&broker);
    broker.signal(Signal::Terminate);
    broker.expect_log("stopping");
    let began = Instant::now();
    let ended = broker.insist(Signal::Terminate);
    assert_eq!(ended.code(), 143, "{}", ended.log);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(!has_mark(directory.path()), "the logs were not closed");
    drop(deaf);
    let broker = Launch::in_directory(directory.path()).start();
    let found = read_values(&mut broker.client(), TOPIC, PartitionIndex(0));
    assert_eq!(found.len(), 16, "what was acknowledged is there");
}
