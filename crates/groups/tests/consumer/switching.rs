//! Members that go over from the classic protocol to the other, and are themselves.

use std::time::Duration;

use types::ErrorCode;

use super::migration::{at_once, classic_group};
use super::world::{Consumer, join};

#[test]
fn a_classic_member_that_goes_over_under_its_own_id_need_not_join_as_it_was_told_to() {
    let (mut world, classic) = classic_group(at_once());
    world.heartbeat(join("new", &["orders"]));
    assert_eq!(classic.beat(&mut world), ErrorCode::RebalanceInProgress);
    let mut member = Consumer::new(&classic.member_id, &["orders"]);
    for _ in 0..8 {
        world.pass(Duration::from_secs(5));
        member.beat(&mut world);
    }
    assert_eq!(world.coordinator.counters().consumer_rebalances_missed, 0);
    assert_eq!(world.describe().members.len(), 2);
    world.check_replay();
}
