//! Static members: they come back under another member id and find what they had.

use std::time::Duration;

use groups::GroupConfig;
use protocol::Str;
use protocol::messages::ConsumerGroupHeartbeatRequest;
use types::ErrorCode;

use super::world::{GROUP, World, assigned, beat, join};

fn with_instance(
    mut request: ConsumerGroupHeartbeatRequest,
    instance_id: &'static str,
) -> ConsumerGroupHeartbeatRequest {
    request.instance_id = Some(Str::from_static(instance_id));
    request
}

#[test]
fn a_static_member_that_comes_back_has_what_it_had_and_nobody_rebalances() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(with_instance(join("a", &["orders"]), "one"));
    let left = world.heartbeat(with_instance(beat("a", -2), "one"));
    assert_eq!(left.member_epoch, -2);
    assert_eq!(world.describe().members.len(), 1, "its place is kept");
    world.pass(Duration::from_secs(30));
    let back = world.heartbeat(with_instance(join("a2", &["orders"]), "one"));
    assert_eq!((back.member_epoch, assigned(&back)), (2, Some(vec![0, 1])));
    assert_eq!(world.describe().group_epoch, 2, "no rebalance");
    assert_eq!(
        world.error(with_instance(beat("a", 2), "one")),
        ErrorCode::FencedInstanceId
    );
    assert_eq!(
        world.error(with_instance(beat("a2", 2), "one")),
        ErrorCode::None
    );
    world.check_replay();
}

#[test]
fn a_static_member_that_does_not_come_back_is_given_up() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(with_instance(join("a", &["orders"]), "one"));
    world.heartbeat(with_instance(beat("a", -2), "one"));
    world.pass(Duration::from_secs(46));
    assert!(world.describe().members.is_empty());
}

#[test]
fn an_instance_id_in_use_is_not_given_to_another() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(with_instance(join("a", &["orders"]), "one"));
    let before = world.log.len();
    assert_eq!(
        world.error(with_instance(join("b", &["orders"]), "one")),
        ErrorCode::UnreleasedInstanceId
    );
    assert_eq!(world.log.len(), before);
    assert_eq!(
        world.error(with_instance(beat("a", 2), "one")),
        ErrorCode::None
    );
    assert_eq!(
        world.error(with_instance(beat("a", 2), "two")),
        ErrorCode::UnknownMemberId
    );
}

#[test]
fn a_crashed_static_member_is_replaced_before_its_session_ends() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(with_instance(join("dead", &["orders"]), "one"));
    // It has missed two heartbeats, which nobody does who lives.
    world.pass(Duration::from_millis(10_001));
    let back = world.heartbeat(with_instance(join("new", &["orders"]), "one"));
    assert_eq!((back.member_epoch, assigned(&back)), (2, Some(vec![0, 1])));
    assert_eq!(world.describe().members.len(), 1);
    assert_eq!(
        world.error(with_instance(beat("dead", 2), "one")),
        ErrorCode::FencedInstanceId
    );
}

#[test]
fn a_static_member_returns_while_no_assignment_fits_that_would_take_a_new_one() {
    let mut config = GroupConfig {
        batch_len_max_bytes: 2_048,
        ..GroupConfig::default()
    };
    config.consumer.assignment_interval = Duration::ZERO;
    let mut world = World::with(config);
    world.topic("orders", 2);
    world.topic("large", 1_000);
    world.heartbeat(with_instance(join("a", &["orders"]), "one"));
    let mut more = with_instance(beat("a", 2), "one");
    more.subscribed_topic_names = Some(vec!["orders".into(), "large".into()]);
    assert_eq!(world.error(more), ErrorCode::None);
    let new = join("b", &["orders"]);
    assert_eq!(world.error(new), ErrorCode::GroupMaxSizeReached);
    world.heartbeat(with_instance(beat("a", -2), "one"));
    let back = world.heartbeat(with_instance(join("a2", &["orders", "large"]), "one"));
    assert_eq!(back.error_code, ErrorCode::None.code());
    assert_eq!(assigned(&back), Some(vec![0, 1]));
    world.check_replay();
}

#[test]
fn a_static_member_may_leave_for_good() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(with_instance(join("a", &["orders"]), "one"));
    assert_eq!(
        world.error(with_instance(beat("b", -1), "one")),
        ErrorCode::FencedInstanceId
    );
    assert_eq!(
        world.error(with_instance(beat("a", -1), "one")),
        ErrorCode::None
    );
    assert!(world.describe().members.is_empty());
    assert_eq!(
        world.error(with_instance(beat("a", -2), "one")),
        ErrorCode::UnknownMemberId
    );
    world.check_replay();
    assert_eq!(
        world.coordinator.snapshot_of(GROUP).len(),
        2,
        "the epochs alone"
    );
}
