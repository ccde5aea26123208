//! The broker is killed with -9 and returns: what was acknowledged is there, and groups go on.

use tests::{create_topic, temporary_directory};
use types::ErrorCode;

use super::{commit, committed, coordinator, heartbeat, launch, single_member};

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
