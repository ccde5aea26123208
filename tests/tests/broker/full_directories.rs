//! One of several log directories that is full to the last block: the others notice nothing of it, reads go on, records can
//! be deleted, it is freed by deleting, and copies into it wait without holding up any other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use client::{Acks, Client, ClientError, ConfigChange, ConfigResource, OffsetSpec};
use records::Compression;
use tempfile::TempDir;
use tests::{
    Broker, Launch, Mount, batch_of, create_topic, eventually, read_values, skip,
    temporary_directory, within,
};
use types::{ErrorCode, Offset, PartitionIndex};

use crate::dynamic::{BROKER_RESOURCE, alter};
use crate::log_dirs::{logs, place_of, wish};

const TOPIC: &str = "kept";
const PATIENCE: Duration = Duration::from_secs(60);
const DISK_BYTES: u64 = 64 << 20;

/// Two of its batches fill a segment of 1 MiB.
static VALUE: [u8; 600_000] = [7; 600_000];

/// More than are deleted before the disk is found full.
const RECORDS_TO_DELETE: usize = 100;

/// Copies that a shard makes at the same time.
const COPYING_MAX: usize = 4;

/// What a copy says when its disk is full.
const WAITS_FOR_SPACE: &str = "the disk is full: a log is moved when space returns";

/// Three directories, the second on a small disk of its own.
struct Disks {
    paths: [PathBuf; 3],
    // Before the directory of its image.
    _mount: Mount,
    _directory: TempDir,
}

impl Disks {
    fn new() -> Option<Self> {
        let directory = temporary_directory();
        let paths = ["sound", "full", "spare"].map(|name| directory.path().join(name));
        let Ok(mount) = Mount::new_disk(directory.path(), &paths[1], DISK_BYTES) else {
            skip("no loop device can be mounted here");
            return None;
        };
        Some(Self {
            paths,
            _mount: mount,
            _directory: directory,
        })
    }

    /// A broker in the first two.
    fn start(&self) -> Broker {
        Self::launch(&self.paths[..2]).start()
    }

    fn launch(paths: &[PathBuf]) -> Launch {
        let paths: Vec<_> = paths.iter().map(PathBuf::as_path).collect();
        Launch::in_directories(&paths)
            .with("logan.disk.reserve.bytes", "0")
            .with("log.retention.check.interval.ms", "200")
            .with("log.segment.delete.delay.ms", "0")
    }

    /// Takes all room of the second disk, with what was set aside for checkpoints.
    fn fill(&self) {
        drop(fs::remove_file(self.paths[1].join("checkpoint-reserve")));
        for _ in 0..2 {
            // The file system gives removed blocks back when its journal is on disk.
            let synced = Command::new("sync").arg("-f").arg(&self.paths[1]).status();
            assert!(synced.expect("sync").success());
            self.take_room();
        }
    }

    /// Takes the room that is left of the second disk.
    fn take_room(&self) {
        fill(&self.paths[1].join("not-logans"));
    }

    /// Gives the room back that was taken.
    fn give_room(&self) {
        for block in FILLING_BLOCKS {
            let file = self.paths[1].join("not-logans").with_extension(block);
            fs::remove_file(file).expect("it was made");
        }
    }

    /// The file that keeps room for a checkpoint, once it is there.
    fn await_reserve(&self, broker: &Broker) {
        let reserve = self.paths[1].join("checkpoint-reserve");
        assert!(within(PATIENCE, || reserve.exists()), "{}", broker.log());
    }
}

/// The sizes of blocks in which room is taken.
const FILLING_BLOCKS: [&str; 2] = ["64k", "4k"];

/// Takes room until not a single block is left.
fn fill(path: &Path) {
    for block in FILLING_BLOCKS {
        let to = path.with_extension(block);
        let filled = Command::new("dd")
            .args([
                "if=/dev/zero",
                "status=none",
                "oflag=append",
                "conv=notrunc,fsync",
            ])
            .arg(format!("bs={block}"))
            .arg(format!("of={}", to.display()))
            .output()
            .expect("dd");
        assert!(!filled.status.success(), "the disk is full in the end");
    }
}

/// Two partitions with three records each, the first in the first directory, the second in the second.
fn spread(broker: &Broker, disks: &Disks) -> [PartitionIndex; 2] {
    for (partition, path) in (0..).zip(&disks.paths) {
        wish_beforehand(broker, TOPIC, partition, path);
    }
    let configs = [("segment.bytes", "1048576"), ("retention.ms", "-1")];
    create_topic(broker, TOPIC, 2, &configs);
    let mut client = broker.client();
    let partitions = [PartitionIndex(0), PartitionIndex(1)];
    for (partition, path) in partitions.into_iter().zip(&disks.paths) {
        let place = place_of(&mut client, TOPIC, partition.0).expect("the broker answers");
        assert_eq!(place.as_ref(), Some(path));
        for _ in 0..3 {
            produce(&mut client, partition).expect("there is room");
        }
    }
    partitions
}

/// Wishes a partition that is not there yet into a directory, which Kafka remembers and refuses.
fn wish_beforehand(broker: &Broker, topic: &str, partition: i32, path: &Path) {
    let wished = wish(&mut broker.client(), topic, partition, path);
    wished.expect("the broker answers");
}

fn produce(client: &mut Client, partition: PartitionIndex) -> Result<(), ClientError> {
    let batch = batch_of(Compression::None, &[&VALUE]);
    client
        .produce(TOPIC, partition, &batch, Acks::All)
        .map(drop)
}

fn earliest(broker: &Broker, partition: PartitionIndex) -> Offset {
    let listed = broker
        .client()
        .list_offsets(TOPIC, &[partition], OffsetSpec::Earliest);
    let listed = listed.expect("the partition is there");
    listed[&partition].offset.expect("there is always one")
}

fn delete_first(broker: &Broker, partition: PartitionIndex) -> Result<Offset, ClientError> {
    delete_before(broker, partition, Offset(1))
}

fn delete_before(
    broker: &Broker,
    partition: PartitionIndex,
    before: Offset,
) -> Result<Offset, ClientError> {
    let before = BTreeMap::from([(partition, Some(before))]);
    let mut client = broker.impatient_client();
    let mut deleted = client.delete_records(TOPIC, &before)?;
    deleted.remove(&partition).expect("it was asked for")
}

#[test]
fn a_full_directory_holds_up_nothing_in_another() {
    let Some(disks) = Disks::new() else { return };
    let broker = disks.start();
    let [sound, full] = spread(&broker, &disks);
    disks.await_reserve(&broker);
    let mut client = broker.client();
    for _ in 0..RECORDS_TO_DELETE {
        let batch = batch_of(Compression::None, &[b"small"]);
        let produced = client.produce(TOPIC, full, &batch, Acks::All);
        produced.expect("there is room");
    }
    // A file system gives blocks back late, so that a checkpoint may find room once more after all was taken.
    let refused = eventually(PATIENCE, || {
        disks.fill();
        let begin = earliest(&broker, full);
        let refused = delete_before(&broker, full, Offset(begin.0 + 1)).err();
        // Of a request that was not answered nothing is known.
        let refused = refused.filter(|error| error.code().is_some())?;
        assert_eq!(earliest(&broker, full), begin, "it has had no effect");
        Some(refused)
    });
    let code = refused.expect("its start cannot be kept").code();
    assert_eq!(code, Some(ErrorCode::KafkaStorageError));
    let deleted = delete_first(&broker, sound);
    assert_eq!(deleted.expect("its disk has room"), Offset(1));
    create_topic(&broker, "another", 2, &[]);
    let stays_away = within(PATIENCE, || {
        broker
            .client()
            .delete_topic("another")
            .expect("deletions need no room");
        disks.fill();
        wish_beforehand(&broker, "another", 0, &disks.paths[1]);
        create_topic(&broker, "another", 4, &[]);
        let logs = logs(&broker, "another");
        let mut places = logs.values().map(|(path, _)| Path::new(path));
        logs.len() == 4 && places.all(|path| path == disks.paths[0])
    });
    assert!(stays_away, "lines of deleted topics are still there");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn copies_that_wait_for_space_hold_up_no_other() {
    let Some(disks) = Disks::new() else { return };
    let broker = Disks::launch(&disks.paths).with("shard.cores", "1").start();
    let waiting = i32::try_from(2 * COPYING_MAX).expect("few");
    let partitions = 0..=waiting;
    for partition in partitions.clone() {
        wish_beforehand(&broker, TOPIC, partition, &disks.paths[0]);
    }
    create_topic(&broker, TOPIC, waiting + 1, &[]);
    let mut client = broker.client();
    for partition in partitions {
        produce(&mut client, PartitionIndex(partition)).expect("there is room");
        produce(&mut client, PartitionIndex(partition)).expect("there is room");
    }
    disks.await_reserve(&broker);
    set_copying_rate(&broker, Some("1"));
    for partition in 0..waiting {
        let wished = wish(&mut client, TOPIC, partition, &disks.paths[1]);
        assert_eq!(wished.expect("the broker answers"), ErrorCode::None);
    }
    disks.fill();
    set_copying_rate(&broker, None);
    let said = || broker.log().matches(WAITS_FOR_SPACE).count();
    let all_wait = within(PATIENCE, || said() > COPYING_MAX);
    assert!(all_wait, "{}", broker.log());
    let wished = wish(&mut client, TOPIC, waiting, &disks.paths[2]);
    assert_eq!(wished.expect("the broker answers"), ErrorCode::None);
    await_place(&broker, waiting, &disks.paths[2]);
    disks.give_room();
    for partition in 0..waiting {
        await_place(&broker, partition, &disks.paths[1]);
    }
    assert!(said() <= 2 * COPYING_MAX, "each says it once");
    assert_eq!(broker.stop().code(), 0);
}

pub(crate) fn set_copying_rate(broker: &Broker, rate: Option<&str>) {
    let key = "replica.alter.log.dirs.io.max.bytes.per.second";
    let code = alter(&mut broker.wire(), (BROKER_RESOURCE, ""), key, rate);
    assert_eq!(code, ErrorCode::None);
}

fn await_place(broker: &Broker, partition: i32, path: &Path) {
    let arrived = within(PATIENCE, || {
        let place = place_of(&mut broker.client(), TOPIC, partition);
        place.expect("the broker answers").as_deref() == Some(path)
    });
    assert!(arrived, "{partition}: {}", broker.log());
}

#[test]
fn records_are_deleted_in_a_full_directory() {
    let Some(disks) = Disks::new() else { return };
    let broker = disks.start();
    let [_, full] = spread(&broker, &disks);
    disks.await_reserve(&broker);
    disks.take_room();
    let deleted = delete_first(&broker, full);
    assert_eq!(deleted.expect("room was set aside"), Offset(1));
    drop(broker.kill());
    let broker = disks.start();
    assert_eq!(earliest(&broker, full), Offset(1), "no kill takes it back");
}

#[test]
fn retention_frees_a_full_directory_that_has_no_room_for_a_checkpoint() {
    let Some(disks) = Disks::new() else { return };
    let broker = disks.start();
    let [_, full] = spread(&broker, &disks);
    disks.await_reserve(&broker);
    disks.fill();
    broker
        .client()
        .alter_configs(
            &ConfigResource::Topic(TOPIC.to_owned()),
            &[ConfigChange::Set(
                "retention.bytes".to_owned(),
                "1".to_owned(),
            )],
            false,
        )
        .expect("the metadata log has room");
    let is_freed = within(PATIENCE, || {
        produce(&mut broker.impatient_client(), full).is_ok()
    });
    assert!(is_freed, "{}", broker.log());
    drop(broker.kill());
    let broker = disks.start();
    let begins = earliest(&broker, full);
    assert!(begins > Offset(0), "begins at {begins}");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_directory_that_is_full_at_the_start_serves_reads_and_takes_writes_when_space_returns() {
    let Some(disks) = Disks::new() else { return };
    let broker = disks.start();
    let [_, full] = spread(&broker, &disks);
    disks.await_reserve(&broker);
    disks.fill();
    drop(broker.kill());
    let broker = disks.start();
    let read = read_values(&mut broker.client(), TOPIC, full);
    assert!(read == vec![VALUE.to_vec(); 3], "{}", broker.log());
    let refused = produce(&mut broker.impatient_client(), full).expect_err("it is full");
    assert_eq!(
        refused.code(),
        Some(ErrorCode::KafkaStorageError),
        "{refused}"
    );
    disks.give_room();
    let has_room = within(PATIENCE, || {
        produce(&mut broker.impatient_client(), full).is_ok()
    });
    assert!(has_room, "{}", broker.log());
    assert_eq!(broker.stop().code(), 0);
}
