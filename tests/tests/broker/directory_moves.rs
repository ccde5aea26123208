//! Several log directories: logs that move between them while they are written, and disks that fail while the others
//! serve.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use client::{Acks, Client, Producer, ProducerConfig};
use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{AlterPartitionReassignmentsRequest, MetadataRequest};
use records::{Compression, NewRecord};
use tempfile::TempDir;
use tests::{
    Broker, Launch, Mount, VolatileDisk, batch_of, create_topic, error_of, read_values, skip,
    temporary_directory, within,
};
use types::{ErrorCode, PartitionIndex, TimestampMs};

use crate::full_directories::set_copying_rate;
use crate::groups::{commit, committed, coordinator};
use crate::log_dirs::{described, logs, place_of, wish};

const TOPIC: &str = "kept";
const OFFSETS_TOPIC: &str = "__consumer_offsets";
const PARTITION: PartitionIndex = PartitionIndex(0);

/// How long a move, or a broker that notices something, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Several segments, whose records are old and stay all the same.
const CONFIGS: [(&str, &str); 3] = [
    ("segment.bytes", "1048576"),
    ("file.delete.delay.ms", "0"),
    ("retention.ms", "-1"),
];

const DISK_BYTES: u64 = 64 << 20;

fn two_directories() -> (TempDir, [PathBuf; 2]) {
    let directory = temporary_directory();
    let paths = ["one", "two"].map(|name| directory.path().join(name));
    (directory, paths)
}

fn launch(paths: &[PathBuf; 2]) -> Launch {
    Launch::in_directories(&[&paths[0], &paths[1]])
}

fn place(broker: &Broker, partition: i32) -> Option<PathBuf> {
    place_of(&mut broker.client(), TOPIC, partition).expect("the broker answers")
}

fn move_to(broker: &Broker, path: &Path) {
    let wished = wish(&mut broker.client(), TOPIC, 0, path).expect("the broker answers");
    assert_eq!(wished, ErrorCode::None);
    let arrived = within(PATIENCE, || place(broker, 0).as_deref() == Some(path));
    assert!(arrived, "{}", broker.log());
}

/// What lies in a log directory, without the files of the broker itself.
fn partitions_in(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("a log directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with(TOPIC))
        .collect();
    names.sort_unstable();
    names
}

fn value_of(number: u64) -> Vec<u8> {
    format!("{number:0>200}").into_bytes()
}

/// Numbers, each once and in order, until it is told to stop; returns how many.
fn produce_until(client: Client, stop: &AtomicBool) -> u64 {
    let config = ProducerConfig {
        batch_max_bytes: 4_000,
        ..ProducerConfig::default()
    };
    let mut producer = Producer::new(client, config).expect("a configuration");
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..50 {
            let value = value_of(next);
            let record = NewRecord {
                timestamp: TimestampMs(1_700_000_000_000),
                key: None,
                value: Some(&value),
                headers: &[],
            };
            let sent = producer.send(TOPIC, Some(PARTITION), &record);
            sent.expect("a record is taken");
            next += 1;
        }
        producer.flush().expect("nothing is refused");
    }
    next
}

#[test]
fn a_log_moves_back_and_forth_while_it_is_written() {
    let (_directory, paths) = two_directories();
    let broker = launch(&paths).start();
    create_topic(&broker, TOPIC, 1, &CONFIGS);
    let stop = Arc::new(AtomicBool::new(false));
    let producer = {
        let (client, stop) = (broker.impatient_client(), Arc::clone(&stop));
        thread::spawn(move || produce_until(client, &stop))
    };
    for round in 0..6 {
        move_to(&broker, &paths[(round + 1) % 2]);
        let found = read_values(&mut broker.client(), TOPIC, PARTITION);
        let are_right = (0..)
            .zip(&found)
            .all(|(number, value)| *value == value_of(number));
        assert!(are_right, "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    let sent = producer.join().expect("no append was refused");
    let expected: Vec<_> = (0..sent).map(value_of).collect();
    assert!(read_values(&mut broker.client(), TOPIC, PARTITION) == expected);
    let removed = within(PATIENCE, || partitions_in(&paths[1]).is_empty());
    assert!(removed, "{:?}", partitions_in(&paths[1]));
    assert_eq!(partitions_in(&paths[0]), [format!("{TOPIC}-0")]);
    assert_eq!(broker.stop().code(), 0);
    let broker = launch(&paths).start();
    assert!(read_values(&mut broker.client(), TOPIC, PARTITION) == expected);
    assert_eq!(place(&broker, 0).as_deref(), Some(paths[0].as_path()));
}

/// Moves the partition to a shard, which has the id -1 - `shard` in every mode.
fn move_to_shard(broker: &Broker, shard: i32) {
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 60_000,
        topics: vec![ReassignableTopic {
            name: TOPIC.into(),
            partitions: vec![ReassignablePartition {
                partition_index: PARTITION.0,
                replicas: Some(vec![-1 - shard]),
            }],
        }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let response = broker.wire().call(0, &request);
    let code = response.responses[0].partitions[0].error_code;
    assert_eq!((response.error_code, code), (0, 0), "{response:?}");
}

#[test]
fn a_log_moves_between_directories_and_shards_at_once_while_it_is_written() {
    let (_directory, paths) = two_directories();
    let broker = launch(&paths).start();
    create_topic(&broker, TOPIC, 1, &CONFIGS);
    let stop = Arc::new(AtomicBool::new(false));
    let producer = {
        let (client, stop) = (broker.client(), Arc::clone(&stop));
        thread::spawn(move || produce_until(client, &stop))
    };
    for round in 0..6 {
        let target = &paths[(round + 1) % 2];
        let wished = wish(&mut broker.client(), TOPIC, 0, target).expect("the broker answers");
        assert_eq!(wished, ErrorCode::None);
        for shard in [1, 0, 1, 0] {
            move_to_shard(&broker, shard);
        }
        let arrived = within(PATIENCE, || place(&broker, 0).as_ref() == Some(target));
        assert!(arrived, "round {round}: {}", broker.log());
    }
    stop.store(true, Ordering::Relaxed);
    let sent = producer.join().expect("no append was refused for good");
    let expected: Vec<_> = (0..sent).map(value_of).collect();
    assert!(read_values(&mut broker.client(), TOPIC, PARTITION) == expected);
    let removed = within(PATIENCE, || partitions_in(&paths[1]).is_empty());
    assert!(removed, "{:?}", partitions_in(&paths[1]));
    assert_eq!(partitions_in(&paths[0]), [format!("{TOPIC}-0")]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_wish_for_a_partition_that_is_not_there_is_refused_and_counts_when_it_is_created() {
    let (_directory, paths) = two_directories();
    let broker = launch(&paths).start();
    let mut client = broker.client();
    for (partition, path) in (0..).zip([&paths[1], &paths[1], &paths[1], &paths[0]]) {
        let wished = wish(&mut client, TOPIC, partition, path).expect("the broker answers");
        assert_eq!(wished, ErrorCode::UnknownTopicOrPartition);
    }
    create_topic(&broker, TOPIC, 3, &[]);
    for partition in 0..3 {
        assert_eq!(place(&broker, partition).as_ref(), Some(&paths[1]));
    }
    client
        .create_partitions(TOPIC, 4, &[], false)
        .expect("one partition more");
    assert_eq!(place(&broker, 3).as_ref(), Some(&paths[0]));
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn committed_offsets_move_with_the_log_that_has_them() {
    let (_directory, paths) = two_directories();
    let launch = launch(&paths).with("offsets.topic.num.partitions", "1");
    let broker = launch.start();
    create_topic(&broker, TOPIC, 1, &[]);
    let mut wire = coordinator(&broker, "group");
    // While the log changes its place the coordinator is loaded anew.
    let mut commit = |offset| {
        within(PATIENCE, || {
            commit(&mut wire, "group", TOPIC, &[offset]) == [ErrorCode::None]
        })
    };
    let mut offset = 0;
    for round in 0..6 {
        let here = place_of(&mut broker.client(), OFFSETS_TOPIC, 0).expect("the broker answers");
        let target = paths.iter().find(|path| Some(*path) != here.as_ref());
        let target = target.expect("there are two");
        let wished = wish(&mut broker.client(), OFFSETS_TOPIC, 0, target);
        assert_eq!(wished.expect("the broker answers"), ErrorCode::None);
        let arrived = within(PATIENCE, || {
            offset += 1;
            assert!(commit(offset), "round {round}");
            let place = place_of(&mut broker.client(), OFFSETS_TOPIC, 0);
            place.expect("the broker answers").as_ref() == Some(target)
        });
        assert!(arrived, "round {round}: {}", broker.log());
        offset += 1;
        assert!(commit(offset), "round {round}");
    }
    let mut wire = coordinator(&broker, "group");
    assert_eq!(committed(&mut wire, "group", TOPIC, 1), [offset]);
    drop(broker.kill());
    let broker = launch.start();
    let mut wire = coordinator(&broker, "group");
    assert_eq!(committed(&mut wire, "group", TOPIC, 1), [offset]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_copy_that_is_damaged_when_it_is_found_is_begun_anew() {
    let (_directory, paths) = two_directories();
    let broker = launch(&paths).start();
    create_topic(&broker, TOPIC, 1, &CONFIGS);
    let values: Vec<_> = (0..60).map(value_of).collect();
    let batch: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let mut client = broker.client();
    for _ in 0..60 {
        let batch = batch_of(Compression::None, &batch);
        let produced = client.produce(TOPIC, PARTITION, &batch, Acks::All);
        produced.expect("there is room");
    }
    let source = place(&broker, 0).expect("it lies somewhere");
    let [target] = paths
        .iter()
        .filter(|path| **path != source)
        .collect::<Vec<_>>()[..]
    else {
        unreachable!("there are two directories");
    };
    // The first step is copied, and no second one.
    set_copying_rate(&broker, Some("1"));
    let wished = wish(&mut client, TOPIC, 0, target).expect("the broker answers");
    assert_eq!(wished, ErrorCode::None);
    let mut copy = PathBuf::new();
    let is_copied = within(PATIENCE, || {
        let names = partitions_in(target);
        let future = names.iter().find(|name| name.ends_with("-future"));
        copy = target.join(future.map_or("", String::as_str));
        copy.push("00000000000000000000.log");
        let bytes = fs::read(&copy).unwrap_or_default();
        bytes
            .get(100_000..101_000)
            .is_some_and(|it| it != [0; 1_000])
    });
    assert!(is_copied, "{}", broker.log());
    drop(broker.kill());
    let mut bytes = fs::read(&copy).expect("it was there");
    bytes[200] ^= 1;
    fs::write(&copy, bytes).expect("it can be written");
    let broker = launch(&paths).start();
    set_copying_rate(&broker, None);
    let arrived = within(PATIENCE, || place(&broker, 0).as_ref() == Some(target));
    assert!(arrived, "{}", broker.log());
    broker.expect_log("a copy is begun anew");
    let found = read_values(&mut broker.client(), TOPIC, PARTITION);
    assert!(found == vec![values; 60].concat());
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_wish_to_stay_ends_a_move_and_wrong_wishes_are_refused() {
    let (_directory, paths) = two_directories();
    let broker = launch(&paths).start();
    create_topic(&broker, TOPIC, 1, &[]);
    let mut client = broker.client();
    let mut wished = |topic: &str, partition, path: &Path| {
        wish(&mut client, topic, partition, path).expect("the broker answers")
    };
    let nowhere = paths[0].join("below");
    assert_eq!(wished(TOPIC, 0, &nowhere), ErrorCode::LogDirNotFound);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(wished("unknown", 0, &paths[0]), unknown);
    assert_eq!(wished(TOPIC, 1, &paths[0]), unknown);
    assert_eq!(wished(TOPIC, 0, &paths[1]), ErrorCode::None);
    assert_eq!(wished(TOPIC, 0, &paths[0]), ErrorCode::None);
    let is_quiet = within(PATIENCE, || logs(&broker, TOPIC).len() == 1);
    assert!(is_quiet, "{:?}", logs(&broker, TOPIC));
    assert_eq!(broker.stop().code(), 0);
}

/// A topic with a record in each of two directories; returns the partitions in the first and in the second.
fn spread(broker: &Broker, paths: &[PathBuf; 2]) -> [PartitionIndex; 2] {
    create_topic(broker, TOPIC, 4, &[]);
    let found = paths.clone().map(|path| {
        let here = (0..4).find(|partition| place(broker, *partition).as_ref() == Some(&path));
        PartitionIndex(here.expect("both directories are used"))
    });
    for partition in found {
        produce(broker, partition).expect("there is room");
    }
    found
}

fn produce(broker: &Broker, partition: PartitionIndex) -> Result<(), client::ClientError> {
    let batch = batch_of(Compression::None, &[b"value"]);
    let mut client = broker.impatient_client();
    client
        .produce(TOPIC, partition, &batch, Acks::All)
        .map(drop)
}

fn expect_second_offline(broker: &Broker, [first, second]: [PartitionIndex; 2]) {
    produce(broker, first).expect("the other disk works");
    let refused = produce(broker, second).expect_err("its disk is gone");
    assert_eq!(
        refused.code(),
        Some(ErrorCode::LeaderNotAvailable),
        "{refused}"
    );
    expect_described_offline(broker, second);
    let codes: Vec<_> = described(broker)
        .results
        .iter()
        .map(|directory| directory.error_code)
        .collect();
    assert_eq!(codes, [0, ErrorCode::KafkaStorageError.code()]);
    create_topic(broker, "another", 4, &[]);
    let places = logs(broker, "another");
    assert_eq!(places.len(), 4, "new partitions go where they can");
}

/// Of the topic's partitions exactly those in the failed directory have no leader, and an offline replica.
fn expect_described_offline(broker: &Broker, offline: PartitionIndex) {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(TOPIC.into()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let response = broker.wire().call(12, &request);
    let partitions = &response.topics[0].partitions;
    for partition in partitions {
        let is_led = place(broker, partition.partition_index).is_some();
        assert_eq!(partition.leader_id != -1, is_led, "{partition:?}");
        assert_eq!(
            partition.offline_replicas.is_empty(),
            is_led,
            "{partition:?}"
        );
        let code = if is_led {
            ErrorCode::None
        } else {
            ErrorCode::LeaderNotAvailable
        };
        assert_eq!(error_of(partition.error_code), code, "{partition:?}");
    }
    let index = usize::try_from(offline.0).expect("an index");
    assert_eq!(partitions[index].leader_id, -1, "{partitions:?}");
}

#[test]
fn a_directory_that_cannot_be_read_at_the_start_is_offline_while_the_others_serve() {
    let (directory, paths) = two_directories();
    let broker = launch(&paths).start();
    let partitions = spread(&broker, &paths);
    assert_eq!(broker.stop().code(), 0);
    let away = directory.path().join("away");
    fs::rename(&paths[1], &away).expect("the broker has stopped");
    fs::write(&paths[1], "no directory").expect("a file");
    let broker = launch(&paths).start();
    expect_second_offline(&broker, partitions);
    let [first, second] = partitions;
    assert_eq!(read_values(&mut broker.client(), TOPIC, first).len(), 2);
    assert_eq!(broker.stop().code(), 0);
    fs::remove_file(&paths[1]).expect("a file");
    fs::rename(&away, &paths[1]).expect("the broker has stopped");
    let broker = launch(&paths).start();
    assert_eq!(read_values(&mut broker.client(), TOPIC, first).len(), 2);
    assert_eq!(read_values(&mut broker.client(), TOPIC, second).len(), 1);
    produce(&broker, second).expect("its disk is back");
}

#[test]
fn the_directory_of_the_metadata_log_is_required() {
    let (directory, paths) = two_directories();
    assert_eq!(launch(&paths).start().stop().code(), 0);
    fs::rename(&paths[0], directory.path().join("away")).expect("the broker has stopped");
    fs::write(&paths[0], "no directory").expect("a file");
    let ended = launch(&paths).fail();
    assert_eq!(ended.code(), 1);
    let said = ended.last_words();
    assert!(said.contains(&paths[0].display().to_string()), "{said}");
}

fn disk(directory: &Path, point: &Path) -> std::io::Result<(VolatileDisk, Mount)> {
    let image = directory.join("empty");
    fs::File::create(&image)?.set_len(DISK_BYTES)?;
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-m", "0"])
        .arg(&image)
        .output()?;
    if !made.status.success() {
        return Err(std::io::Error::other("mkfs.ext4 has failed"));
    }
    let disk = VolatileDisk::attach(&image, &directory.join("disk"))?;
    let mount = Mount::image(&disk.file(), point)?;
    Ok((disk, mount))
}

#[test]
fn a_disk_that_fails_takes_down_only_its_own_partitions() {
    let (directory, paths) = two_directories();
    let Ok((disk, mount)) = disk(directory.path(), &directory.path().join("mount")) else {
        return skip("no disk of FUSE can be mounted here");
    };
    let paths = [paths[0].clone(), directory.path().join("mount/logan")];
    // So small a disk would get few partitions by its free space.
    let broker = launch(&paths).with("logan.disk.reserve.bytes", "0").start();
    create_topic(&broker, TOPIC, 1, &[]);
    move_to(&broker, &paths[1]);
    produce(&broker, PARTITION).expect("there is room");
    create_topic(&broker, "other", 1, &[]);
    disk.break_down();
    let is_offline = within(PATIENCE, || {
        let refused = produce(&broker, PARTITION);
        refused.is_err_and(|error| error.code() == Some(ErrorCode::LeaderNotAvailable))
    });
    assert!(is_offline, "{}", broker.log());
    let failed = ErrorCode::KafkaStorageError.code();
    let is_noticed = within(PATIENCE, || {
        let codes = described(&broker).results;
        codes.iter().map(|it| it.error_code).eq([0, failed])
    });
    assert!(is_noticed, "{}", broker.log());
    let batch = batch_of(Compression::None, &[b"value"]);
    let mut client = broker.impatient_client();
    let produced = client.produce("other", PARTITION, &batch, Acks::All);
    produced.expect("its disk works");
    create_topic(&broker, "another", 4, &[]);
    assert_eq!(logs(&broker, "another").len(), 4);
    drop(broker.stop());
    drop((mount, disk));
}
