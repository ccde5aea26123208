//! What the broker tells of itself at `logan.metrics.listener`: what its background work has done and found, and what is
//! offline.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::{Broker, Launch, create_topic, eventually, temporary_directory, within};
use types::ErrorCode;

use crate::damage::{End, batch_position, change, prepare};
use crate::{compaction, groups};

/// How long background work may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn launch(directory: &Path) -> Launch {
    Launch::in_directory(directory)
        .with("logan.metrics.listener", "127.0.0.1:0")
        .with("log.cleaner.backoff.ms", "50")
        .with("log.scrub.bytes.per.second", "67108864")
}

/// Where it tells them.
fn address(broker: &Broker) -> String {
    let address = eventually(PATIENCE, || {
        let log = broker.log();
        let (_, rest) = log.split_once("metrics are served at http://")?;
        let (address, _) = rest.split_once("/metrics")?;
        Some(address.to_owned())
    });
    address.unwrap_or_else(|| unreachable!("{}", broker.log()))
}

/// The document that a scraper gets, with the numbers of all shards.
pub(crate) fn metrics(broker: &Broker) -> String {
    let address = address(broker);
    // On a slow machine a shard may be late.
    let complete = eventually(PATIENCE, || {
        let document = scrape(&address);
        let up = document.matches("\nlogan_shard_up{").count();
        let is_up = document
            .lines()
            .filter(|line| line.starts_with("logan_shard_up{") && line.ends_with("} 1"));
        (up > 0 && is_up.count() == up).then_some(document)
    });
    complete.unwrap_or_else(|| unreachable!("{}", broker.log()))
}

fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let limited = stream.set_read_timeout(Some(PATIENCE));
    limited.expect("a time above zero");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    response
}

/// The sum of a metric's values over all shards.
fn total(broker: &Broker, name: &str) -> u64 {
    let document = metrics(broker);
    let values = document.lines().filter_map(|line| {
        let (of, rest) = line.split_once('{')?;
        let (_, value) = rest.rsplit_once("} ")?;
        (of == name).then(|| value.trim().parse::<u64>().expect("a number"))
    });
    let values: Vec<_> = values.collect();
    assert!(!values.is_empty(), "{name}: {document}");
    values.iter().sum()
}

pub(crate) fn await_total(broker: &Broker, name: &str, is_right: impl Fn(u64) -> bool) {
    let came = within(PATIENCE, || is_right(total(broker, name)));
    assert!(came, "{name}: {}\n{}", metrics(broker), broker.log());
}

/// The segments of a partition, the oldest first.
fn segments(partition: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(partition).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "log"))
        .collect();
    found.sort();
    found
}

#[test]
fn a_bad_batch_is_counted() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let broker = launch(directory.path()).start();
    await_total(&broker, "logan_scrub_passes_total", |passes| passes > 0);
    assert_eq!(total(&broker, "logan_damaged_ranges"), 0);
    assert!(total(&broker, "logan_scrub_batches_total") > 0);
    assert!(total(&broker, "logan_scrub_bytes_total") > 0);
    assert_eq!(total(&broker, "logan_shard_up"), 2);
    assert_eq!(total(&broker, "logan_partitions"), 2);
    assert_eq!(total(&broker, "logan_offline_partitions"), 0);
    assert_eq!(total(&broker, "logan_log_directory_online"), 1);
    assert_eq!(broker.stop().code(), 0);
    let segment = &segments(&directory.path().join("kept-0"))[0];
    change(segment, |content| {
        let at = batch_position(content, 5) + 1000;
        content[at] ^= 1;
    });
    let broker = launch(directory.path()).start();
    await_total(&broker, "logan_damaged_ranges", |ranges| ranges == 1);
    assert_eq!(total(&broker, "logan_damaged_ranges_found_total"), 1);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_partition_that_cannot_be_served_is_counted() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let identity = directory.path().join("kept-0/partition.metadata");
    fs::write(identity, "").expect("a file");
    let broker = launch(directory.path()).start();
    assert_eq!(total(&broker, "logan_offline_partitions"), 1);
    assert_eq!(total(&broker, "logan_partitions"), 1);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn what_the_cleaner_does_and_gives_up_is_counted() {
    let directory = temporary_directory();
    let broker = launch(directory.path()).start();
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    create_topic(&broker, compaction::TOPIC, 1, &configs);
    compaction::produce(&mut broker.client(), 0);
    await_total(&broker, "logan_cleaner_passes_total", |passes| passes > 0);
    let before = total(&broker, "logan_cleaner_before_bytes_total");
    assert!(total(&broker, "logan_cleaner_after_bytes_total") < before);
    assert!(total(&broker, "logan_cleaner_records_removed_total") > 0);
    assert_eq!(total(&broker, "logan_uncleanable_partitions"), 0);
    // Sealed, and not all of it cleaned away.
    compaction::produce(&mut broker.client(), compaction::BATCHES);
    assert_eq!(broker.stop().code(), 0);
    let partition = directory.path().join(format!("{}-0", compaction::TOPIC));
    let segments = segments(&partition);
    let (_, sealed) = segments.split_last().expect("an active segment");
    let largest = sealed.iter().max_by_key(|path| {
        let metadata = fs::metadata(path);
        metadata.expect("a file").len()
    });
    change(largest.expect("a sealed segment"), |content| {
        let middle = content.len() / 2;
        content[middle] ^= 1;
    });
    let broker = launch(directory.path()).start();
    compaction::produce(&mut broker.client(), 2 * compaction::BATCHES);
    await_total(&broker, "logan_uncleanable_partitions", |count| count == 1);
    assert_eq!(total(&broker, "logan_cleaner_logs_given_up_total"), 1);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn an_address_that_is_none_is_refused() {
    let directory = temporary_directory();
    let ended = Launch::in_directory(directory.path())
        .with("logan.metrics.listener", "localhost")
        .fail();
    assert_eq!(ended.code(), 2, "{}", ended.log);
    assert!(
        ended.log.contains("logan.metrics.listener"),
        "{}",
        ended.log
    );
}

#[test]
fn coordinators_tell_what_groups_have_done() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("shard.advertise", "single")
        .start();
    create_topic(&broker, "t", 2, &[]);
    let mut wire = groups::coordinator(&broker, "g");
    let codes = groups::commit(&mut wire, "g", "t", &[5, 6]);
    assert_eq!(codes, [ErrorCode::None; 2]);
    await_total(&broker, "logan_group_offsets_committed_total", |it| it == 2);
    let joined = groups::single_member(&mut wire, "members");
    assert_eq!(joined.error_code, 0, "{joined:?}");
    await_total(&broker, "logan_group_rebalances_total", |it| it == 1);
    await_total(&broker, "logan_group_sessions_expired_total", |it| it == 0);
    await_total(&broker, "logan_group_memory_refusals_total", |it| it == 0);
    await_total(&broker, "logan_group_memory_bytes", |it| it > 2_000);
    assert_eq!(broker.stop().code(), 0);
}
