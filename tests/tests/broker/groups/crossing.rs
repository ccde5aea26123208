//! Members whose coordinator is on another shard wait there for a rebalance, and keep nothing that others need.

use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::{FetchRequest, JoinGroupRequest};
use tests::{Broker, Launch, Wire, create_topic, error_of, temporary_directory};
use types::ErrorCode;

use super::{JOIN, coordinator, heartbeat, join, join_request, launch, single_member, until};

/// Longer than the test takes.
const SESSION_MS: i32 = 1_800_000;

/// Far more than may watch another shard at a time.
const CROWD: usize = 40;

/// A broker whose shards may have four long polls at each other.
fn narrow(directory: &std::path::Path) -> Launch {
    launch(directory)
        .with("logan.inbox.capacity", "64")
        .with("logan.inbox.credits", "60")
}

/// A connection whose JoinGroup waits.
fn waiting_join(broker: &Broker, group: &str) -> (Wire, i32) {
    let mut wire = coordinator(broker, group);
    let named = wire.call(JOIN, &join_request(group, "", SESSION_MS));
    assert_eq!(
        error_of(named.error_code),
        ErrorCode::MemberIdRequired,
        "{named:?}"
    );
    let request = join_request(group, &named.member_id, SESSION_MS);
    let sent = wire.send_request(JOIN, &request);
    (wire, sent)
}

#[test]
fn waiting_joins_do_not_keep_fetches_from_waiting() {
    let directory = temporary_directory();
    let broker = narrow(directory.path())
        .with("group.initial.rebalance.delay.ms", "600000")
        .start();
    create_topic(&broker, "t", 4, &[]);
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|number| waiting_join(&broker, &format!("group-{number}")))
        .collect();
    let partitions = (0..4).map(|partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    });
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms: 100,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![FetchTopic {
            topic: "t".into(),
            partitions: partitions.collect(),
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    for _ in 0..4 {
        let response = broker.wire().call(12, &request);
        assert_eq!(response.error_code, 0, "{response:?}");
    }
    // They do wait: at the end of the broker they are told to look elsewhere.
    assert_eq!(broker.stop().code(), 0);
    for (wire, sent) in &mut crowd {
        let response = wire.receive::<JoinGroupRequest>(JOIN, *sent);
        assert_eq!(
            error_of(response.error_code),
            ErrorCode::NotCoordinator,
            "{response:?}"
        );
    }
}

#[test]
fn the_last_member_of_a_crowd_can_still_join() {
    let directory = temporary_directory();
    let broker = narrow(directory.path())
        .with("group.initial.rebalance.delay.ms", "0")
        .start();
    // Groups of both shards.
    for group in ["a", "b"] {
        let mut first = coordinator(&broker, group);
        let alone = single_member(&mut first, group);
        let mut others: Vec<_> = (0..CROWD).map(|_| waiting_join(&broker, group)).collect();
        until("the first member hears of them", || {
            let code = heartbeat(&mut first, group, &alone.member_id, alone.generation_id);
            code == ErrorCode::RebalanceInProgress
        });
        let joined = join(&mut first, group, &alone.member_id);
        assert_eq!(joined.error_code, 0, "{joined:?}");
        for (wire, sent) in &mut others {
            let response = wire.receive::<JoinGroupRequest>(JOIN, *sent);
            assert_eq!(response.error_code, 0, "{response:?}");
        }
    }
    assert_eq!(broker.stop().code(), 0);
}
