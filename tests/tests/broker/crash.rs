//! kill -9 at random moments under load: nothing that was acknowledged or consumed is missing, an idempotent producer's
//! records are there once and in order, and offsets have no gap.
//!
//! The producers and the consumer live through all the kills, as clients do; the broker comes back on its port.
//! `LOGAN_CRASH_SECONDS` lets it go on for longer, `LOGAN_CRASH_SEED` repeats the moments of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use client::{
    Acks, Client, ClientConfig, Consumer, FetchLimits, Producer, ProducerConfig, RetryPolicy,
};
use records::{Compression, NewRecord};
use tests::{
    Chance, Launch, batch_of, create_topic, number_from_environment, read_values,
    temporary_directory,
};
use types::{Offset, PartitionIndex, TimestampMs};

use crate::log_dirs;

const TOPIC: &str = "load";

/// One partition for each producer, so that a partition's content is known.
const IDEMPOTENT: [i32; 2] = [0, 1];
const PLAIN: [(i32, Acks); 2] = [(2, Acks::All), (3, Acks::Leader)];
const PARTITIONS: i32 = 4;

/// How long a run takes where the environment says nothing.
const SECONDS: u64 = 15;

/// Between two kills, in milliseconds.
const ALIVE_MIN_MS: u64 = 50;
const ALIVE_SPAN_MS: u64 = 1_500;

/// How long a client tries again: longer than any restart.
const RETRY_MAX: Duration = Duration::from_secs(60);

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let directory = temporary_directory();
    live_through_kills(&Launch::in_directory(directory.path()), &[]);
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill_while_logs_move_between_directories() {
    let directory = temporary_directory();
    let paths = ["one", "two"].map(|name| directory.path().join(name));
    let launch = Launch::in_directories(&[&paths[0], &paths[1]]);
    live_through_kills(&launch, &paths);
    let broker = launch.start();
    // Each move is undone or completed, and what was wished last goes on.
    let is_quiet = tests::within(RETRY_MAX, || {
        let logs = log_dirs::logs(&broker, TOPIC);
        logs.len() == usize::try_from(PARTITIONS).expect("few")
    });
    let logs = log_dirs::logs(&broker, TOPIC);
    assert!(is_quiet, "{logs:?}");
    assert!(logs.keys().all(|(_, is_future)| !is_future), "{logs:?}");
    assert_eq!(broker.stop().code(), 0);
    for path in &paths {
        for entry in fs::read_dir(path).expect("a log directory") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy();
            assert!(!name.ends_with("-stray"), "{name} was not to be expected");
        }
    }
}

/// With several `paths` logs move between them all the time.
fn live_through_kills(launch: &Launch, paths: &[PathBuf]) {
    let seconds = number_from_environment("LOGAN_CRASH_SECONDS").unwrap_or(SECONDS);
    let (mut chance, seed) = Chance::from_environment("LOGAN_CRASH_SEED");
    let address = free_address();
    let launch = launch
        .clone()
        .with("listeners", format!("PLAINTEXT://{address}"));
    let mut broker = launch.start();
    // Small segments, so that kills hit rolls too. Their records are old, and stay however long this takes.
    let configs = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    create_topic(&broker, TOPIC, PARTITIONS, &configs);
    let stop = Arc::new(AtomicBool::new(false));
    let idempotent = IDEMPOTENT.map(|partition| {
        let (address, stop) = (address.clone(), Arc::clone(&stop));
        thread::spawn(move || produce_once(&address, PartitionIndex(partition), &stop))
    });
    let plain = PLAIN.map(|(partition, acks)| {
        let (address, stop) = (address.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            produce_at_least_once(&address, PartitionIndex(partition), acks, &stop)
        })
    });
    let consumer: JoinHandle<_> = {
        let (address, stop) = (address.clone(), Arc::clone(&stop));
        thread::spawn(move || consume(&address, &stop))
    };
    let mover: JoinHandle<u32> = {
        let (stop, paths) = (Arc::clone(&stop), paths.to_vec());
        thread::spawn(move || move_logs(&address, &paths, &stop))
    };
    let began = Instant::now();
    let mut kills = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        let alive_ms = ALIVE_MIN_MS + chance.below(ALIVE_SPAN_MS);
        thread::sleep(Duration::from_millis(alive_ms));
        drop(broker.kill());
        broker = launch.start();
        kills += 1;
    }
    stop.store(true, Ordering::Relaxed);
    let sent = idempotent.map(|thread| thread.join().expect("an idempotent producer goes on"));
    let acknowledged = plain.map(|thread| thread.join().expect("a producer goes on"));
    let consumed = consumer.join().expect("the consumer goes on");
    let moved = mover.join().expect("the mover goes on");
    let context = format!("seed {seed}, {kills} kills, {moved} moves");
    assert!(paths.is_empty() || moved > 0, "{context}");
    let mut client = broker.client();
    let mut found = BTreeMap::new();
    for partition in 0..PARTITIONS {
        found.insert(
            partition,
            read_values(&mut client, TOPIC, PartitionIndex(partition)),
        );
    }
    for (partition, count) in IDEMPOTENT.into_iter().zip(sent) {
        let expected: Vec<_> = (0..count).map(value_of).collect();
        assert!(count > 0, "{context}");
        assert!(
            found[&partition] == expected,
            "{context}: partition {partition} differs"
        );
    }
    for ((partition, _), acknowledged) in PLAIN.into_iter().zip(acknowledged) {
        let found: BTreeSet<_> = found[&partition].iter().collect();
        let missing = acknowledged
            .iter()
            .filter(|value| !found.contains(value))
            .count();
        assert_eq!(
            missing,
            0,
            "{context}: partition {partition} of {}",
            acknowledged.len()
        );
        assert!(!acknowledged.is_empty(), "{context}");
    }
    assert!(!consumed.is_empty(), "{context}");
    for ((partition, offset), value) in consumed {
        let at = usize::try_from(offset).expect("not negative");
        let now = found[&partition].get(at);
        assert_eq!(
            now,
            Some(&value),
            "{context}: consumed at {partition}/{offset}"
        );
    }
    assert_eq!(broker.stop().code(), 0);
}

/// An address that is free now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it is bound").to_string()
}

fn connect(address: &str) -> Client {
    let config = ClientConfig {
        request_timeout: Duration::from_secs(10),
        retry: RetryPolicy {
            pause_min: Duration::from_millis(5),
            pause_max: Duration::from_millis(50),
            total_max: RETRY_MAX,
        },
        ..ClientConfig::of_server(address)
    };
    // It may come while the broker is down.
    tests::eventually(RETRY_MAX, || Client::connect(config.clone()).ok()).expect("it comes back")
}

/// About 500 bytes, and different for each number.
fn value_of(number: u64) -> Vec<u8> {
    format!("{number:0>500}").into_bytes()
}

/// Numbers, each once; returns how many were acknowledged.
fn produce_once(address: &str, partition: PartitionIndex, stop: &AtomicBool) -> u64 {
    let config = ProducerConfig {
        compression: if partition.0 == 0 {
            Compression::None
        } else {
            Compression::Lz4
        },
        batch_max_bytes: 4_000,
        ..ProducerConfig::default()
    };
    let mut producer = Producer::new(connect(address), config).expect("a configuration");
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        // Several batches in flight.
        for _ in 0..50 {
            let value = value_of(next);
            let record = NewRecord {
                timestamp: TimestampMs(1_700_000_000_000),
                key: None,
                value: Some(&value),
                headers: &[],
            };
            producer
                .send(TOPIC, Some(partition), &record)
                .expect("a record is taken");
            next += 1;
        }
        producer
            .flush()
            .expect("what was sent is acknowledged in the end");
    }
    next
}

/// Numbers, each at least once if it is returned.
fn produce_at_least_once(
    address: &str,
    partition: PartitionIndex,
    acks: Acks,
    stop: &AtomicBool,
) -> Vec<Vec<u8>> {
    let mut client = connect(address);
    let mut acknowledged = Vec::new();
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let values: Vec<_> = (next..next + 10).map(value_of).collect();
        next += 10;
        let slices: Vec<_> = values.iter().map(Vec::as_slice).collect();
        let batch = batch_of(Compression::None, &slices);
        if client.produce(TOPIC, partition, &batch, acks).is_ok() {
            acknowledged.extend(values);
        }
    }
    acknowledged
}

/// Moves every log to the next directory as soon as it has arrived in one. Returns how often one has arrived.
fn move_logs(address: &str, paths: &[PathBuf], stop: &AtomicBool) -> u32 {
    let mut arrived = 0;
    let mut targets = vec![0; usize::try_from(PARTITIONS).expect("few")];
    if paths.is_empty() {
        return arrived;
    }
    let mut client = connect(address);
    while !stop.load(Ordering::Relaxed) {
        for (partition, target) in (0..).zip(&mut targets) {
            let path = &paths[*target];
            // The broker may be down.
            let Ok(place) = log_dirs::place_of(&mut client, TOPIC, partition) else {
                continue;
            };
            if place.as_deref() == Some(path) {
                arrived += 1;
                *target = (*target + 1) % paths.len();
            } else {
                drop(log_dirs::wish(&mut client, TOPIC, partition, path));
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    arrived
}

/// What a consumer was given, by partition and offset.
fn consume(address: &str, stop: &AtomicBool) -> BTreeMap<(i32, i64), Vec<u8>> {
    let limits = FetchLimits {
        wait_max: Duration::from_millis(100),
        ..FetchLimits::default()
    };
    let mut consumer = Consumer::new(connect(address), limits);
    for partition in 0..PARTITIONS {
        consumer.assign(TOPIC, PartitionIndex(partition), Offset(0));
    }
    let mut seen = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let polled = consumer.poll(Duration::from_millis(200), |from, record| {
            let place = (from.partition.0, record.offset.0);
            seen.insert(place, record.value.unwrap_or_default().to_vec());
            ControlFlow::Continue(())
        });
        polled.expect("what the consumer has read stays there");
    }
    seen
}
