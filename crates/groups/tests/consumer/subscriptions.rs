//! What members subscribe to is bounded, and a change of it costs no more than it must.

use std::cell::Cell;
use std::rc::Rc;

use groups::{GroupConfig, GroupRecord};
use protocol::Str;
use types::ErrorCode;

use super::world::{Consumer, World, beat, join, settle};

/// Names that one member, and that a group, may subscribe to.
const NAMES_MAX: usize = 10_000;

fn names(from: usize, count: usize) -> Vec<String> {
    let names = from..from + count;
    names.map(|name| format!("n{name}")).collect()
}

fn join_with(world: &mut World, member_id: &str, names: &[String]) -> ErrorCode {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.error(join(member_id, &names))
}

#[test]
fn a_member_names_a_bounded_number_of_topics() {
    let mut world = World::new();
    let error = join_with(&mut world, "a", &names(0, NAMES_MAX + 1));
    assert_eq!(error, ErrorCode::GroupMaxSizeReached);
    assert!(world.log.is_empty());
    assert_eq!(
        join_with(&mut world, "a", &names(0, NAMES_MAX)),
        ErrorCode::None
    );
    let mut more = beat("a", 2);
    let names = names(0, NAMES_MAX + 1);
    more.subscribed_topic_names = Some(names.iter().map(|name| Str::from(name.as_str())).collect());
    assert_eq!(world.error(more), ErrorCode::GroupMaxSizeReached);
}

#[test]
fn a_group_names_a_bounded_number_of_topics() {
    let mut world = World::new();
    let half = NAMES_MAX / 2;
    assert_eq!(join_with(&mut world, "a", &names(0, half)), ErrorCode::None);
    assert_eq!(
        join_with(&mut world, "b", &names(half, half)),
        ErrorCode::None
    );
    // The same names again are no further ones.
    assert_eq!(join_with(&mut world, "c", &names(1, half)), ErrorCode::None);
    let log = world.log.len();
    assert_eq!(
        join_with(&mut world, "d", &names(NAMES_MAX, 1)),
        ErrorCode::GroupMaxSizeReached
    );
    assert_eq!(world.log.len(), log);
    world.check_replay();
}

#[test]
fn members_with_different_subscriptions_have_a_bounded_number_of_topics_together() {
    // With assignments that are put off.
    let mut world = World::with(GroupConfig::default());
    let names = names(0, NAMES_MAX);
    let mut taken = 0;
    while join_with(&mut world, &format!("member-{taken}"), &names[taken..]) == ErrorCode::None {
        taken += 1;
        assert!(taken < 100, "no bound: {taken} members");
    }
    assert!(taken > 5, "{taken}");
    world.check_replay();
}

#[test]
fn names_that_all_members_share_are_kept_once() {
    let mut world = World::with(GroupConfig::default());
    let names = names(0, NAMES_MAX);
    assert_eq!(join_with(&mut world, "first", &names), ErrorCode::None);
    let one_bytes = world.coordinator.memory_bytes();
    for number in 0..50 {
        let member = format!("member-{number}");
        assert_eq!(join_with(&mut world, &member, &names), ErrorCode::None);
    }
    assert!(world.coordinator.memory_bytes() < 2 * one_bytes);
    // Whoever names others is one too many for the work of an assignment.
    let other = join_with(&mut world, "other", &names[1..]);
    assert_eq!(other, ErrorCode::GroupMaxSizeReached);
    for number in 0..50 {
        let leave = beat(&format!("member-{number}"), -1);
        assert_eq!(world.error(leave), ErrorCode::None);
    }
    assert_eq!(world.error(beat("first", -1)), ErrorCode::None);
    assert!(world.coordinator.memory_bytes() < one_bytes / 100);
    world.check_replay();
}

#[test]
fn a_heartbeat_looks_at_what_its_member_has_and_not_at_all_that_it_names() {
    let mut world = World::new();
    world.topic("n0", 2);
    assert_eq!(
        join_with(&mut world, "a", &names(0, NAMES_MAX)),
        ErrorCode::None
    );
    assert_eq!(join_with(&mut world, "b", &names(0, 1)), ErrorCode::None);
    let looked_up = Rc::clone(&world.cluster.looked_up);
    let before = looked_up.get();
    let response = world.heartbeat(beat("a", 2));
    assert!(response.assignment.is_some(), "it gives a partition away");
    assert!(looked_up.get() - before < 10);
}

#[test]
fn a_group_subscribes_by_a_bounded_number_of_expressions() {
    let mut world = World::new();
    let mut taken = 0;
    loop {
        let mut request = join(&format!("member-{taken}"), &[]);
        request.subscribed_topic_names = None;
        request.subscribed_topic_regex = Some(Str::from(format!("t{taken}")));
        match world.error(request) {
            ErrorCode::None => taken += 1,
            error => {
                assert_eq!(error, ErrorCode::GroupMaxSizeReached);
                break;
            }
        }
        assert!(taken < 1_000, "no bound");
    }
    assert!(taken >= 32, "{taken}");
}

#[test]
fn a_group_that_is_larger_than_is_taken_today_goes_on() {
    let mut world = World::new();
    let mut first = join("a", &["n0"]);
    assert_eq!(world.error(first.clone()), ErrorCode::None);
    // As an earlier version let it become.
    let many = names(0, NAMES_MAX + 10);
    for record in &mut world.log {
        if let GroupRecord::ConsumerGroupMemberMetadata {
            value: Some(value), ..
        } = record
        {
            value.subscribed_topic_names =
                many.iter().map(|name| Str::from(name.as_str())).collect();
        }
    }
    world.restart();
    assert_eq!(world.error(beat("a", 2)), ErrorCode::None);
    // It may say less, and others may join.
    let fewer = &many[..NAMES_MAX];
    first.member_epoch = 2;
    first.subscribed_topic_names =
        Some(fewer.iter().map(|name| Str::from(name.as_str())).collect());
    assert_eq!(world.error(first), ErrorCode::None);
    assert_eq!(join_with(&mut world, "b", &names(0, 1)), ErrorCode::None);
}

#[test]
fn changes_that_touch_no_topic_do_not_read_what_others_subscribe_to() {
    let mut world = World::new();
    world.topic("orders", 1);
    let looked_up = Rc::new(Cell::new(0));
    let mut all = names(0, 1_000);
    all.push("orders".to_owned());
    assert_eq!(join_with(&mut world, "a", &all), ErrorCode::None);
    assert_eq!(join_with(&mut world, "b", &[]), ErrorCode::None);
    // The target assignment is not due for an hour.
    world.config.consumer.assignment_interval = std::time::Duration::from_secs(3_600);
    world.coordinator.configure(Rc::new(world.config.clone()));
    world.cluster.looked_up = Rc::clone(&looked_up);
    let epoch = world.describe().group_epoch;
    let mut change = beat("b", world.describe().members[1].member_epoch);
    change.subscribed_topic_names = Some(vec![Str::from_static("no-topic")]);
    assert_eq!(world.error(change.clone()), ErrorCode::None);
    assert_eq!(world.describe().group_epoch, epoch + 1);
    assert!(looked_up.get() < 100, "{}", looked_up.get());
    // Somebody else's topic is none that the group gains.
    change.subscribed_topic_names = Some(vec![Str::from_static("orders")]);
    assert_eq!(world.error(change), ErrorCode::None);
    assert_eq!(world.describe().group_epoch, epoch + 2);
    assert!(looked_up.get() < 100, "{}", looked_up.get());
}

#[test]
fn topics_that_a_group_gains_and_loses_are_noticed() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.topic("payments", 2);
    let mut a = Consumer::new("a", &["orders"]);
    settle(&mut world, &mut [&mut a], 10);
    let hash = |world: &World| {
        let records = world.log.iter().rev();
        let mut hashes = records.filter_map(|record| match record {
            GroupRecord::ConsumerGroupMetadata { value, .. } => {
                value.as_ref().map(|value| value.metadata_hash)
            }
            _ => None,
        });
        hashes.next().expect("the group has an epoch")
    };
    let orders = hash(&world);
    let mut change = beat("a", a.epoch);
    change.subscribed_topic_names = Some(["orders", "payments"].map(Str::from).to_vec());
    assert_eq!(world.error(change.clone()), ErrorCode::None);
    let both = hash(&world);
    assert_ne!(both, orders);
    change.member_epoch = world.describe().members[0].member_epoch;
    change.subscribed_topic_names = Some(["orders", "none"].map(Str::from).to_vec());
    assert_eq!(world.error(change), ErrorCode::None);
    assert_eq!(hash(&world), orders);
}
