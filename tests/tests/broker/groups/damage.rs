//! Rotten files of a coordinator: what a snapshot or the log still says is used, what nobody can know is not guessed,
//! and other coordinators do not notice.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::messages::{DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest};
use records::BatchIter;
use tests::{Broker, Launch, Wire, create_topic, error_of, temporary_directory, within};
use types::ErrorCode;

use super::{commit, committed, coordinator, forge, launch, until};

const PARTITIONS: i32 = 1_000;

/// The snapshots of a coordinator, oldest first.
pub(super) fn snapshots(log: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(log).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut found: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "groups"))
        .collect();
    found.sort();
    found
}

/// Changes a byte in the middle of a file.
fn spoil(path: &Path) {
    let mut bytes = std::fs::read(path).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("it can be written");
}

/// Changes a byte of the records of the first batch of a log.
fn spoil_first_batch(segment: &Path) {
    let bytes = std::fs::read(segment).expect("it is there");
    let first = BatchIter::new(&bytes).next().expect("it has a batch");
    let (header, _) = first.expect("it is whole");
    let at = header.size_bytes - 5;
    let file = std::fs::OpenOptions::new().write(true).open(segment);
    let file = file.expect("it can be written");
    let at_in_file = u64::try_from(at).expect("small");
    file.write_all_at(&[bytes[at] ^ 1], at_in_file)
        .expect("it can be written");
}

fn one_partition(directory: &Path) -> Launch {
    launch(directory).with("offsets.topic.num.partitions", "1")
}

/// Two snapshots of a group, the second of them newer than `[10; n]`; what is committed in the end.
fn with_snapshots(broker: &Broker, log: &Path) -> Vec<i64> {
    create_topic(broker, "t", PARTITIONS, &[]);
    let mut wire = coordinator(broker, "g");
    let count = usize::try_from(PARTITIONS).expect("few");
    for wanted in 1..=2 {
        for _ in 0..11 {
            let codes = commit(&mut wire, "g", "t", &vec![10 * wanted; count]);
            assert!(codes.iter().all(|code| *code == ErrorCode::None));
        }
        let wanted = usize::try_from(wanted).expect("small");
        until("a snapshot is there", || snapshots(log).len() >= wanted);
    }
    assert_eq!(commit(&mut wire, "g", "t", &[77]), [ErrorCode::None]);
    let mut expected = vec![20; count];
    expected[0] = 77;
    expected
}

#[test]
fn the_newest_whole_snapshot_is_used_and_without_any_the_log() {
    let directory = temporary_directory();
    let launch = one_partition(directory.path());
    let broker = launch.start();
    let log = forge::log(directory.path());
    let expected = with_snapshots(&broker, &log);
    drop(broker);
    let newest_first: Vec<_> = snapshots(&log).into_iter().rev().collect();
    assert!(newest_first.len() >= 2, "{newest_first:?}");
    for (spoilt, path) in newest_first.iter().enumerate() {
        spoil(path);
        let broker = launch.start();
        let mut wire = coordinator(&broker, "g");
        let found = committed(&mut wire, "g", "t", PARTITIONS);
        assert_eq!(found, expected, "{spoilt} before it are spoilt");
        let told = broker.log();
        let skipped = told.matches("skipped a snapshot of groups").count();
        assert_eq!(skipped, spoilt + 1, "{told}");
        drop(broker);
    }
}

#[test]
fn a_damaged_batch_that_a_snapshot_covers_does_no_harm() {
    let directory = temporary_directory();
    let launch = one_partition(directory.path());
    let broker = launch.start();
    let expected = with_snapshots(&broker, &forge::log(directory.path()));
    assert_eq!(broker.stop().code(), 0);
    spoil_first_batch(&forge::segment(directory.path()));
    let broker = launch.start();
    let mut wire = coordinator(&broker, "g");
    let found = committed(&mut wire, "g", "t", PARTITIONS);
    assert_eq!(found, expected);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_damaged_batch_that_nothing_covers_stops_the_groups_of_its_partition_alone() {
    let directory = temporary_directory();
    let launch = launch(directory.path()).with("offsets.topic.num.partitions", "2");
    let broker = launch.start();
    create_topic(&broker, "t", 1, &[]);
    // Java's hash codes of these are one apart, so they are of different partitions.
    let (harmed, unharmed) = ("a", "b");
    for group in [harmed, unharmed] {
        let mut wire = coordinator(&broker, group);
        assert_eq!(commit(&mut wire, group, "t", &[5]), [ErrorCode::None]);
    }
    assert_eq!(broker.stop().code(), 0);
    let of_harmed = directory.path().join("__consumer_offsets-1");
    spoil_first_batch(&of_harmed.join("00000000000000000000.log"));
    let broker = launch.start();
    let mut wire = coordinator(&broker, unharmed);
    assert_eq!(committed(&mut wire, unharmed, "t", 1), [5]);
    broker.expect_log("the groups of this partition cannot be loaded");
    let find = FindCoordinatorRequest {
        coordinator_keys: vec![harmed.into()],
        ..FindCoordinatorRequest::default()
    };
    let found = broker.wire().call(6, &find);
    assert_eq!(found.coordinators[0].error_code, 0, "{found:?}");
    // Older offsets than those that were committed would be worse than none: nobody would notice.
    let describe = DescribeGroupsRequest {
        groups: vec![harmed.into()],
        include_authorized_operations: false,
    };
    let described = wire.call(5, &describe);
    assert_eq!(
        error_of(described.groups[0].error_code),
        ErrorCode::CoordinatorNotAvailable
    );
    assert_eq!(
        commit(&mut wire, harmed, "t", &[6]),
        [ErrorCode::CoordinatorNotAvailable]
    );
    assert_eq!(commit(&mut wire, unharmed, "t", &[6]), [ErrorCode::None]);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_snapshot_from_before_compaction_brings_nothing_deleted_back() {
    expect_nothing_back(|broker| assert_eq!(broker.stop().code(), 0));
}

#[test]
fn a_snapshot_brings_nothing_deleted_back_after_a_kill_that_forgets_the_compaction() {
    expect_nothing_back(|broker| drop(broker.kill()));
}

/// Deletes a group, compacts it away with its tombstones, and starts a broker that has nothing but an older snapshot.
fn expect_nothing_back(end: impl FnOnce(Broker)) {
    const GONE: &str = "a-group-that-is-deleted";
    let directory = temporary_directory();
    let launch = launch(directory.path())
        .with("offsets.topic.num.partitions", "1")
        .with("offsets.topic.segment.bytes", "1048576")
        .with("log.cleaner.backoff.ms", "50")
        .with("log.cleaner.min.cleanable.ratio", "0.01")
        .with("log.cleaner.delete.retention.ms", "10")
        // How far the cleaner has come is on disk after an orderly end only.
        .with("log.flush.offset.checkpoint.interval.ms", "3600000");
    let broker = launch.start();
    create_topic(&broker, "t", PARTITIONS, &[]);
    let mut wire = coordinator(&broker, GONE);
    assert_eq!(commit(&mut wire, GONE, "t", &[5]), [ErrorCode::None]);
    let offsets = vec![7; usize::try_from(PARTITIONS).expect("few")];
    let fill = |wire: &mut Wire| commit(wire, "stays", "t", &offsets);
    for _ in 0..11 {
        fill(&mut wire);
    }
    let log = directory.path().join("__consumer_offsets-0");
    until("a snapshot is there", || !snapshots(&log).is_empty());
    let old = snapshots(&log).remove(0);
    let content = std::fs::read(&old).expect("it is there");
    let delete = DeleteGroupsRequest {
        groups_names: vec![GONE.into()],
    };
    assert_eq!(wire.call(2, &delete).results[0].error_code, 0);
    let is_compacted = within(Duration::from_secs(180), || {
        fill(&mut wire);
        !is_anywhere(&log, GONE)
    });
    assert!(is_compacted, "something of the group stays in the log");
    end(broker);
    for path in snapshots(&log) {
        std::fs::remove_file(path).expect("it is there");
    }
    std::fs::write(&old, content).expect("it can be written");
    let broker = launch.start();
    let mut wire = coordinator(&broker, GONE);
    assert_eq!(committed(&mut wire, GONE, "t", 1), [-1]);
    assert_eq!(committed(&mut wire, "stays", "t", 1), [7]);
    let ended = broker.stop();
    assert_eq!(ended.code(), 0);
    assert!(ended.log.contains("was compacted"), "{}", ended.log);
}

/// Whether a text is in one of the segments of a log.
fn is_anywhere(log: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(log).expect("the log is there").flatten();
    let mut segments = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|it| it == "log"))
        .filter_map(|path| std::fs::read(path).ok());
    segments.any(|bytes| String::from_utf8_lossy(&bytes).contains(text))
}
