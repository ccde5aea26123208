//! A partition of `__consumer_offsets` goes from shard to shard while its groups are used.

use protocol::messages::AlterPartitionReassignmentsRequest;
use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use tests::{Broker, Wire, create_topic, temporary_directory};
use types::ErrorCode;

use super::damage::snapshots;
use super::{commit, committed, coordinator, forge, heartbeat, launch, single_member, until};

/// The replicas that mean the shards 0 and 1.
const SHARDS: [i32; 2] = [-1, 100_000];

const PARTITIONS: i32 = 1_000;

fn move_to(broker: &Broker, replica: i32) {
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: 60_000,
        allow_replication_factor_change: true,
        topics: vec![ReassignableTopic {
            name: "__consumer_offsets".into(),
            partitions: vec![ReassignablePartition {
                partition_index: 0,
                replicas: Some(vec![replica]),
            }],
        }],
    };
    let response = broker.wire().call(1, &request);
    assert_eq!(response.error_code, 0, "{response:?}");
    let answer = &response.responses[0].partitions[0];
    assert_eq!(answer.error_code, 0, "{response:?}");
}

/// Commits until it is taken: a coordinator that moves, or loads, says so.
fn commit_for_sure(wire: &mut Wire, group: &str, offsets: &[i64]) {
    until("the coordinator is there again", || {
        let codes = commit(wire, group, "t", offsets);
        let is_moving = |code: &ErrorCode| {
            matches!(
                code,
                ErrorCode::NotCoordinator
                    | ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::CoordinatorNotAvailable
            )
        };
        let taken = codes.iter().all(|code| *code == ErrorCode::None);
        assert!(taken || codes.iter().all(is_moving), "{codes:?}");
        taken
    });
}

#[test]
fn a_moved_coordinator_has_everything_that_was_committed_before_and_meanwhile() {
    let directory = temporary_directory();
    let broker = launch(directory.path())
        .with("offsets.topic.num.partitions", "1")
        .start();
    create_topic(&broker, "t", PARTITIONS, &[]);
    let mut wire = coordinator(&broker, "g");
    let member = single_member(&mut wire, "member");
    let all = usize::try_from(PARTITIONS).expect("few");
    // Enough records for a snapshot, which the first move finds.
    for round in 0..11 {
        commit_for_sure(&mut wire, "g", &vec![round; all]);
    }
    let log = forge::log(directory.path());
    until("a snapshot is there", || !snapshots(&log).is_empty());
    let moves = (0..6).map(|turn| SHARDS[turn % 2]);
    for (turn, replica) in (0..).zip(moves) {
        let last = std::thread::scope(|scope| {
            let moving = scope.spawn(|| move_to(&broker, replica));
            let mut last = turn * 1_000_000;
            while !moving.is_finished() {
                last += 1;
                commit_for_sure(&mut wire, "g", &[last, last]);
            }
            moving.join().expect("it moves");
            last
        });
        commit_for_sure(&mut wire, "g", &[last]);
        let found = committed(&mut wire, "g", "t", PARTITIONS);
        assert_eq!(found[0], last, "turn {turn}");
        assert!(
            found[1] <= last && found[1] >= turn * 1_000_000,
            "{found:?}"
        );
        assert!(found[2..].iter().all(|offset| *offset == 10), "{found:?}");
        // Nobody has to join again.
        let code = heartbeat(&mut wire, "member", &member.member_id, member.generation_id);
        assert_eq!(code, ErrorCode::None, "turn {turn}");
    }
    let ended = broker.stop();
    assert_eq!(ended.code(), 0);
    // All but the first one, perhaps: the partition may have been there.
    let moved = ended.log.matches("moved a partition").count();
    assert!(moved >= 5, "{}", ended.log);
    let is_from_snapshot =
        |line: &&str| line.contains("groups are loaded") && line.contains("from_snapshot=1001");
    let loaded = ended.log.lines().filter(is_from_snapshot).count();
    assert_eq!(loaded, moved, "{}", ended.log);
}
