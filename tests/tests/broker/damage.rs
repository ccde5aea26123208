//! Files that were half written or have rotted: what can be derived is derived again, what nobody was told of is cut,
//! and what was acknowledged is never silently lost.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::{Acks, FetchLimits, OffsetSpec};
use records::{BatchIter, Compression};
use tests::{Broker, Launch, batch_of, create_topic, read_values, temporary_directory, within};
use types::{ErrorCode, Offset, PartitionIndex, TimestampMs};

const TOPIC: &str = "kept";
const PARTITIONS: i32 = 2;

/// Batches for each partition: enough for several segments and index entries.
const BATCHES: usize = 40;

const SEGMENT_BYTES: &str = "1048576";

/// How the broker ended that left the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Stopped,
    Killed,
}

/// What happens to a file.
type Damage = fn(&mut Vec<u8>);

/// All that happens, with its name.
const DAMAGES: [(&str, Damage); 5] = [
    ("emptied", |content| content.clear()),
    ("cut in half", |content| content.truncate(content.len() / 2)),
    ("flipped", |content| {
        let middle = content.len() / 2;
        if let Some(byte) = content.get_mut(middle) {
            *byte ^= 0x10;
        }
    }),
    ("overwritten", |content| content.fill(0xa5)),
    ("followed by more", |content| {
        content.extend_from_slice(&[0x7f; 333])
    }),
];

fn value(partition: i32, batch: usize) -> Vec<u8> {
    let mut value = format!("{partition}/{batch}/").into_bytes();
    value.resize(60_000, b'.');
    value
}

fn expected(partition: i32) -> Vec<Vec<u8>> {
    (0..BATCHES).map(|batch| value(partition, batch)).collect()
}

/// A data directory with known content.
pub(crate) fn prepare(directory: &Path, end: End) {
    let broker = Launch::in_directory(directory).start();
    create_topic(
        &broker,
        TOPIC,
        PARTITIONS,
        // The records are years old.
        &[("segment.bytes", SEGMENT_BYTES), ("retention.ms", "-1")],
    );
    let mut client = broker.client();
    for partition in 0..PARTITIONS {
        for value in expected(partition) {
            let batch = batch_of(Compression::None, &[&value]);
            let produced = client.produce(TOPIC, PartitionIndex(partition), &batch, Acks::All);
            produced.expect("it is taken");
        }
    }
    match end {
        End::Stopped => assert_eq!(broker.stop().code(), 0),
        End::Killed => drop(broker.kill()),
    }
}

fn partition_directory(directory: &Path, partition: i32) -> PathBuf {
    directory.join(format!("{TOPIC}-{partition}"))
}

/// The files of a directory with one of these endings.
fn files(directory: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = paths
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            path.is_file() && endings.iter().any(|ending| name.ends_with(ending))
        })
        .collect();
    found.sort();
    found
}

pub(crate) fn change(path: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(path).expect("a file");
    damage(&mut content);
    fs::write(path, content).expect("a file");
}

pub(crate) fn expect_everything(broker: &Broker, context: &str) {
    let mut client = broker.client();
    for partition in 0..PARTITIONS {
        let found = read_values(&mut client, TOPIC, PartitionIndex(partition));
        assert!(
            found == expected(partition),
            "{context}: {} found\n{}",
            found.len(),
            broker.log()
        );
        let partitions = [PartitionIndex(partition)];
        let early = OffsetSpec::AtOrAfter(TimestampMs(1_600_000_000_000));
        let first = client.list_offsets(TOPIC, &partitions, early);
        let first = first.expect("the time index works")[&PartitionIndex(partition)];
        assert_eq!(first.offset, Some(Offset(0)), "{context}");
    }
    // And writes go on where they ended.
    let batch = batch_of(Compression::None, &[b"next"]);
    let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::All);
    let offset = produced.expect("it is taken").base_offset;
    assert_eq!(
        offset,
        Some(Offset(i64::try_from(BATCHES).expect("few"))),
        "{context}"
    );
}

/// Derived files are damaged, each in turn; the records are all there.
fn derive_again(end: End, endings: &[&str], places: impl Fn(&Path) -> Vec<PathBuf>) {
    let original = temporary_directory();
    prepare(original.path(), end);
    for (name, damage) in DAMAGES {
        let context = format!("{endings:?} {name} after the broker was {end:?}");
        let copy = temporary_directory();
        copy_directory(original.path(), copy.path());
        let mut damaged = 0;
        for place in places(copy.path()) {
            for path in files(&place, endings) {
                change(&path, damage);
                damaged += 1;
            }
        }
        assert!(damaged > 0, "{context}: there is no such file");
        let broker = Launch::in_directory(copy.path()).start();
        expect_everything(&broker, &context);
        assert_eq!(broker.stop().code(), 0, "{context}");
    }
}

fn partitions_of(directory: &Path) -> Vec<PathBuf> {
    (0..PARTITIONS)
        .map(|partition| partition_directory(directory, partition))
        .collect()
}

fn copy_directory(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            fs::create_dir(&target).expect("a new directory");
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

#[test]
fn damaged_indexes_are_rebuilt_after_a_stop() {
    derive_again(End::Stopped, &[".index", ".timeindex"], partitions_of);
}

#[test]
fn damaged_indexes_are_rebuilt_after_a_kill() {
    derive_again(End::Killed, &[".index", ".timeindex"], partitions_of);
}

#[test]
fn damaged_checkpoints_cost_no_record() {
    let endings = [
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "leader-epoch-checkpoint",
        ".snapshot",
        ".kafka_cleanshutdown",
    ];
    derive_again(End::Stopped, &endings, |directory| {
        let mut places = partitions_of(directory);
        places.push(directory.to_path_buf());
        places
    });
}

#[test]
fn a_partition_that_does_not_say_whose_it_is_is_offline() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Killed);
    let path = partition_directory(directory.path(), 0).join("partition.metadata");
    let whole = fs::read(&path).expect("the file");
    for content in ["", "version: 0", "version: 9\ntopic_id: what\n"] {
        fs::write(&path, content).expect("a file");
        let broker = Launch::in_directory(directory.path()).start();
        broker.expect_log("the partition is offline");
        broker.expect_log("partition.metadata");
        let mut client = broker.impatient_client();
        let limits = FetchLimits::default();
        let fetched = client.fetch(TOPIC, PartitionIndex(0), Offset(0), limits);
        let refused = fetched.expect_err("it is offline");
        assert_eq!(
            refused.code(),
            Some(ErrorCode::KafkaStorageError),
            "{refused}"
        );
        let others = read_values(&mut client, TOPIC, PartitionIndex(1));
        assert!(others == expected(1), "the other partition is served");
        assert_eq!(broker.stop().code(), 0);
    }
    fs::write(&path, whole).expect("a file");
    let broker = Launch::in_directory(directory.path()).start();
    expect_everything(&broker, "the file is as it was");
}

#[test]
fn missing_derived_files_are_made_again() {
    for end in [End::Stopped, End::Killed] {
        let directory = temporary_directory();
        prepare(directory.path(), end);
        let derived = [
            ".index",
            ".timeindex",
            ".snapshot",
            "-checkpoint",
            "partition.metadata",
        ];
        let mut places = partitions_of(directory.path());
        places.push(directory.path().to_path_buf());
        for place in places {
            for path in files(&place, &derived) {
                fs::remove_file(path).expect("a file");
            }
        }
        let broker = Launch::in_directory(directory.path()).start();
        expect_everything(
            &broker,
            &format!("missing files after the broker was {end:?}"),
        );
        assert_eq!(broker.stop().code(), 0);
    }
}

#[test]
fn a_torn_tail_is_cut() {
    let original = temporary_directory();
    prepare(original.path(), End::Killed);
    let half = batch_of(Compression::None, &[&[b'h'; 10_000]]).slice(..5_000);
    let tails: [(&str, &[u8]); 4] = [
        ("half a batch", &half),
        ("zeroes", &[0; 70_000]),
        ("chance", &[0x5e; 1_000]),
        ("one byte", &[0]),
    ];
    for (name, tail) in tails {
        let copy = temporary_directory();
        copy_directory(original.path(), copy.path());
        for place in partitions_of(copy.path()) {
            let logs = files(&place, &[".log"]);
            let last = logs.last().expect("a segment");
            // Behind the last batch, where a broker was writing when it died.
            let end = end_of_batches(&fs::read(last).expect("a segment"));
            change(last, |content| {
                content.truncate(end);
                content.extend_from_slice(tail);
            });
        }
        let broker = Launch::in_directory(copy.path()).start();
        expect_everything(&broker, name);
        assert_eq!(broker.stop().code(), 0);
    }
}

pub(crate) fn end_of_batches(content: &[u8]) -> usize {
    let sizes = BatchIter::new(content)
        .map_while(Result::ok)
        .map(|(_, batch)| batch.len());
    sizes.sum()
}

/// Where the batch of this number begins in the partition's first segment.
pub(crate) fn batch_position(content: &[u8], number: usize) -> usize {
    let sizes = BatchIter::new(content)
        .map_while(Result::ok)
        .map(|(_, batch)| batch.len());
    sizes.take(number).sum()
}

#[test]
fn a_record_that_has_rotted_is_an_error_and_the_rest_is_served() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let place = partition_directory(directory.path(), 0);
    let segment = &files(&place, &[".log"])[0];
    change(segment, |content| {
        let at = batch_position(content, 5) + 1_000;
        content[at] ^= 1;
    });
    let broker = Launch::in_directory(directory.path()).start();
    let mut client = broker.impatient_client();
    let whole = read_values(&mut client, TOPIC, PartitionIndex(1));
    assert!(whole == expected(1), "the other partition is whole");
    let limits = FetchLimits {
        partition_max_bytes: 1,
        ..FetchLimits::default()
    };
    for offset in 0..i64::try_from(BATCHES).expect("few") {
        let fetched = client.fetch(TOPIC, PartitionIndex(0), Offset(offset), limits);
        if offset == 5 {
            let refused = fetched.expect_err("the batch is damaged");
            assert_eq!(refused.code(), Some(ErrorCode::CorruptMessage), "{refused}");
        } else {
            let records = fetched.expect("the others are whole").records;
            assert!(!records.is_empty(), "offset {offset}");
        }
    }
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn rot_below_the_recovery_point_takes_the_partition_offline_and_cuts_nothing() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    // Stopped cleanly, so the recovery point is the end; without the mark the segment that it lies in is looked at.
    fs::remove_file(directory.path().join(".kafka_cleanshutdown")).expect("the mark");
    let place = partition_directory(directory.path(), 0);
    let segments = files(&place, &[".log"]);
    let segment = segments.last().expect("a segment");
    // The header's length: not even the framing can be followed.
    change(segment, |content| {
        let at = batch_position(content, 1) + 8;
        content[at] ^= 0x40;
    });
    let before = fs::read(segment).expect("a segment");
    let broker = Launch::in_directory(directory.path()).start();
    broker.expect_log("durable up to");
    let mut client = broker.impatient_client();
    let whole = read_values(&mut client, TOPIC, PartitionIndex(1));
    assert!(whole == expected(1), "the other partition is whole");
    let fetched = client.fetch(TOPIC, PartitionIndex(0), Offset(0), FetchLimits::default());
    let refused = fetched.expect_err("it is offline");
    assert_eq!(
        refused.code(),
        Some(ErrorCode::KafkaStorageError),
        "{refused}"
    );
    let batch = batch_of(Compression::None, &[b"more"]);
    let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::All);
    let refused = produced.expect_err("it is offline");
    assert_eq!(
        refused.code(),
        Some(ErrorCode::KafkaStorageError),
        "{refused}"
    );
    let ended = broker.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        fs::read(segment).expect("a segment") == before,
        "nothing was cut"
    );
}

/// Expects that a partition is offline and the other one whole.
fn expect_offline(broker: &Broker, context: &str) {
    let mut client = broker.impatient_client();
    let limits = FetchLimits::default();
    let fetched = client.fetch(TOPIC, PartitionIndex(0), Offset(0), limits);
    let refused = fetched.expect_err(context);
    assert_eq!(
        refused.code(),
        Some(ErrorCode::KafkaStorageError),
        "{context}: {refused}"
    );
    let batch = batch_of(Compression::None, &[b"more"]);
    let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::All);
    let refused = produced.expect_err("no offset is given out again");
    assert_eq!(
        refused.code(),
        Some(ErrorCode::KafkaStorageError),
        "{context}: {refused}"
    );
    let whole = read_values(&mut client, TOPIC, PartitionIndex(1));
    assert!(
        whole == expected(1),
        "{context}: the other partition is whole"
    );
}

#[test]
fn a_partition_that_lacks_durable_records_is_offline_until_they_are_back() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let place = partition_directory(directory.path(), 0);
    let saved = directory.path().join("saved");
    let segments = files(&place, &[".log"]);
    assert!(segments.len() > 2, "{} segments", segments.len());
    let cases: [(&str, &[PathBuf]); 4] = [
        ("the directory", &[]),
        ("every segment", &segments),
        ("the newest segment", &segments[segments.len() - 1..]),
        ("a segment between others", &segments[1..2]),
    ];
    for (what, missing) in cases {
        if missing.is_empty() {
            fs::rename(&place, &saved).expect("another name");
        }
        for path in missing {
            fs::rename(path, path.with_extension("saved")).expect("another name");
        }
        // The second time it was not stopped cleanly.
        for _ in 0..2 {
            let broker = Launch::in_directory(directory.path()).start();
            broker.expect_log("the partition is offline");
            broker.expect_log("missing");
            expect_offline(&broker, what);
            drop(broker.kill());
        }
        if missing.is_empty() {
            assert!(!place.exists(), "it was not made anew");
            fs::rename(&saved, &place).expect("its name");
        }
        for path in missing {
            fs::rename(path.with_extension("saved"), path).expect("its name");
        }
    }
    let broker = Launch::in_directory(directory.path()).start();
    expect_everything(&broker, "everything is back");
    assert_eq!(broker.stop().code(), 0);
}

/// Flips a bit of a file as the medium does: in place, where the broker's direct reads see it.
fn flip_in_place(path: &Path, position: usize) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    let file = file.expect("a file");
    let position = u64::try_from(position).expect("small");
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).expect("a byte");
    byte[0] ^= 1;
    file.write_all_at(&byte, position).expect("a byte");
    file.sync_all().expect("a disk");
}

#[test]
fn rot_in_a_closed_segment_is_found_while_the_broker_runs() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let broker = Launch::in_directory(directory.path())
        .with("log.scrub.bytes.per.second", "67108864")
        .start();
    expect_everything(&broker, "before the damage");
    let place = partition_directory(directory.path(), 0);
    let segment = &files(&place, &[".log"])[0];
    let at = batch_position(&fs::read(segment).expect("a segment"), 5) + 1_000;
    flip_in_place(segment, at);
    broker.expect_log("damaged batches");
    let log = broker.log();
    let line = log.lines().find(|line| line.contains("damaged batches"));
    let line = line.expect("it was just seen");
    for part in [
        "kept",
        "partition",
        "00000000000000000000.log",
        "first_offset=5",
        "last_offset=5",
    ] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    let mut client = broker.impatient_client();
    let limits = FetchLimits {
        partition_max_bytes: 1,
        ..FetchLimits::default()
    };
    for offset in 0..i64::try_from(BATCHES).expect("few") {
        let fetched = client.fetch(TOPIC, PartitionIndex(0), Offset(offset), limits);
        if offset == 5 {
            let refused = fetched.expect_err("the scrubber has found it");
            assert_eq!(refused.code(), Some(ErrorCode::CorruptMessage), "{refused}");
        } else {
            let records = fetched.expect("its neighbours are served").records;
            assert!(!records.is_empty(), "offset {offset}");
        }
    }
    let others = read_values(&mut client, TOPIC, PartitionIndex(1));
    assert!(others == expected(1), "the other partition is whole");
    let batch = batch_of(Compression::None, &[b"more"]);
    let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::All);
    produced.expect("appends go on");
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_broken_index_is_rebuilt_while_the_broker_runs() {
    let directory = temporary_directory();
    prepare(directory.path(), End::Stopped);
    let place = partition_directory(directory.path(), 0);
    let index = &files(&place, &[".index"])[0];
    let whole = fs::read(index).expect("an index");
    assert!(whole.len() > 16, "{} bytes", whole.len());
    // The position of an entry in the middle: no batch begins there.
    let at = whole.len() / 16 * 8 + 7;
    flip_in_place(index, at);
    let broker = Launch::in_directory(directory.path())
        .with("log.scrub.bytes.per.second", "67108864")
        .start();
    broker.expect_log("index rebuilt");
    let is_whole = within(Duration::from_secs(10), || {
        fs::read(index).expect("an index") == whole
    });
    assert!(is_whole, "{}", broker.log());
    expect_everything(&broker, "the index was rebuilt");
    assert_eq!(broker.stop().code(), 0);
}
