//! Consumers as members of groups, and with and without fetch sessions.

use super::{SHORT, number, server, succeed};

#[test]
fn members_share_what_each_group_reads() {
    let server = server();
    let address = server.broker.address();
    let words = format!(
        "produce {SHORT} --warmup 0s --duration 20s --topic t --partitions 8 --num-records 4000"
    );
    succeed(address, &words);
    // More members than partitions: some have nothing.
    for members in [1, 3, 9] {
        let report = succeed(
            address,
            &format!(
                "consume --topic t --subscriptions 2 --group-protocol consumer --consumers-per-subscription {members}"
            ),
        );
        assert_eq!(report["consumed"]["records"], 8000, "{members} members");
        // The last position of each partition is committed by each group.
        assert_eq!(report["committed"]["records"], 16, "{members} members");
    }
    let groups = server.broker.client().list_groups().expect("groups");
    assert!(groups.is_empty(), "{groups:?}");
}

#[test]
fn members_commit_while_they_follow() {
    let server = server();
    let report = succeed(
        server.broker.address(),
        &format!(
            "end-to-end {SHORT} --throughput 1000 --partitions 4 --group-protocol consumer --consumers-per-subscription 2 --commit-interval 50ms"
        ),
    );
    let committed = &report["committed"];
    assert!(number(&committed["requests"]) >= 2.0, "{committed}");
    assert!(number(&committed["latency_ms"]["p50"]) > 0.0);
}

#[test]
fn everything_is_read_with_and_without_sessions() {
    let server = server();
    let address = server.broker.address();
    for (sessions, protocol) in [("true", "none"), ("false", "none"), ("false", "consumer")] {
        let words = format!(
            "consume --fill 2MB --record-size 500 --partitions 5 --partition-max-bytes 10000 --fetch-max-bytes 40000 --fetch-sessions={sessions} --group-protocol {protocol}"
        );
        let report = succeed(address, &words);
        assert_eq!(report["consumed"]["records"], 4000, "{words}");
    }
}
