//! The broker is killed with -9 and returns: what was acknowledged is there, and groups go on.

use std::path::Path;

use tests::{create_topic, temporary_directory};
use types::ErrorCode;

use super::{commit, committed, coordinator, heartbeat, launch, single_member, until};

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let directory = temporary_directory();
    let launch = launch(directory.path());
    let mut broker = launch.start();
    create_topic(&broker, "t", 1, &[]);
    for round in 1..=3 {
        let groups: Vec<String> = (0..8).map(|number| format!("group-{number}")).collect();
        for group in &groups {
            let mut wire = coordinator(&broker, group);
            for offset in 0..10 {
                let codes = commit(&mut wire, group, "t", &[round * 100 + offset]);
                assert_eq!(codes, [ErrorCode::None], "{group}");
            }
        }
        // Dropping it kills it with -9.
        drop(broker);
        broker = launch.start();
        for group in &groups {
            let mut wire = coordinator(&broker, group);
            let found = committed(&mut wire, group, "t", 1);
            assert_eq!(found, [round * 100 + 9], "{group}");
        }
    }
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn members_go_on_after_a_kill_without_a_rebalance() {
    let directory = temporary_directory();
    let launch = launch(directory.path());
    let broker = launch.start();
    let mut wire = coordinator(&broker, "g");
    let joined = single_member(&mut wire, "g");
    drop(broker);
    let broker = launch.start();
    let mut wire = coordinator(&broker, "g");
    let code = heartbeat(&mut wire, "g", &joined.member_id, joined.generation_id);
    assert_eq!(code, ErrorCode::None);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_coordinator_loads_its_newest_whole_snapshot_and_what_follows_it() {
    let directory = temporary_directory();
    let launch = launch(directory.path()).with("offsets.topic.num.partitions", "1");
    let broker = launch.start();
    let partitions = 1_000;
    create_topic(&broker, "t", partitions, &[]);
    let mut wire = coordinator(&broker, "g");
    let count = usize::try_from(partitions).expect("few");
    // Enough records for a snapshot.
    for round in 0..11_i64 {
        let codes = commit(&mut wire, "g", "t", &vec![round; count]);
        assert!(codes.iter().all(|code| *code == ErrorCode::None));
    }
    let log = directory.path().join("__consumer_offsets-0");
    until("a snapshot is there", || !snapshots(&log).is_empty());
    let codes = commit(&mut wire, "g", "t", &[77]);
    assert_eq!(codes, [ErrorCode::None]);
    drop(broker);
    let mut expected = vec![10; count];
    expected[0] = 77;
    let broker = launch.start();
    let mut wire = coordinator(&broker, "g");
    assert_eq!(committed(&mut wire, "g", "t", partitions), expected);
    drop(broker);
    // A damaged one is skipped; the log has it all.
    for path in snapshots(&log) {
        let mut bytes = std::fs::read(&path).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("it can be written");
    }
    let broker = launch.start();
    let mut wire = coordinator(&broker, "g");
    assert_eq!(committed(&mut wire, "g", "t", partitions), expected);
    let ended = broker.stop();
    assert_eq!(ended.code(), 0);
    assert!(
        ended.log.contains("skipped a snapshot of groups"),
        "{}",
        ended.log
    );
}

fn snapshots(log: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(log).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == "groups"))
        .collect()
}
