//! Members that are late, dead, or not who they were.

use std::rc::Rc;
use std::time::Duration;

use groups::{GroupConfig, Happened};
use types::ErrorCode;

use super::world::{Consumer, GROUP, World, assigned, beat, code, join, owned, settle};

#[test]
fn an_epoch_that_is_not_the_members_is_fenced() {
    let mut world = World::new();
    let topic = world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    assert_eq!(world.error(beat("b", 2)), ErrorCode::UnknownMemberId);
    assert_eq!(world.error(beat("a", 3)), ErrorCode::FencedMemberEpoch);
    world.topic("orders", 3);
    assert_eq!(world.heartbeat(beat("a", 2)).member_epoch, 3);
    // The reply was lost: the member asks again as before, and shows that it has nothing that is not its own.
    assert_eq!(world.error(beat("a", 2)), ErrorCode::FencedMemberEpoch);
    let mut again = beat("a", 2);
    again.topic_partitions = owned(topic, &[0, 1]);
    assert_eq!(world.heartbeat(again.clone()).member_epoch, 3);
    again.topic_partitions = owned(topic, &[0, 7]);
    assert_eq!(world.error(again), ErrorCode::FencedMemberEpoch);
    world.topic("orders", 4);
    world.heartbeat(beat("a", 3));
    let mut older = beat("a", 2);
    older.topic_partitions = owned(topic, &[0]);
    assert_eq!(world.error(older), ErrorCode::FencedMemberEpoch);
}

#[test]
fn a_crashed_member_is_given_up_at_the_end_of_its_session() {
    let mut world = World::new();
    world.topic("orders", 2);
    let (mut a, mut b) = (
        Consumer::new("a", &["orders"]),
        Consumer::new("b", &["orders"]),
    );
    settle(&mut world, &mut [&mut a, &mut b], 10);
    let epoch = world.describe().group_epoch;
    // Only one is heard of from now on.
    for _ in 0..8 {
        world.pass(Duration::from_secs(5));
        a.beat(&mut world);
    }
    world.pass(Duration::from_millis(4_999));
    assert_eq!(world.describe().members.len(), 2);
    let decided = world.pass(Duration::from_millis(1_001));
    assert!(!decided.records.is_empty());
    let noted = decided.notes.iter().map(|note| &note.what);
    let noted: Vec<_> = noted.collect();
    assert!(
        matches!(
            noted.as_slice(),
            [
                Happened::Rebalance { members: 1, .. },
                Happened::Removed { member, reason: "it was not heard of for its session" },
            ] if member == "b"
        ),
        "{noted:?}"
    );
    let group = world.describe();
    assert_eq!((group.members.len(), group.group_epoch), (1, epoch + 1));
    a.beat(&mut world);
    assert_eq!(a.partitions(), [0, 1]);
    assert_eq!(world.error(b.request()), ErrorCode::UnknownMemberId);
    world.check_replay();
}

#[test]
fn members_whose_removal_exceeds_a_batch_are_given_up_in_several() {
    const MEMBERS: usize = 40;
    let mut config = GroupConfig {
        batch_len_max_bytes: 16 * 1024,
        ..GroupConfig::default()
    };
    config.consumer.assignment_interval = Duration::ZERO;
    let mut world = World::with(config);
    world.topic("orders", 1);
    for number in 0..MEMBERS {
        let member_id = format!("{number:01000}");
        world.heartbeat(join(&member_id, &["orders"]));
    }
    assert_eq!(world.describe().members.len(), MEMBERS);
    // All sessions begin together.
    world.restart();
    let mut rest = MEMBERS;
    world.pass(Duration::from_millis(44_999));
    assert_eq!(world.describe().members.len(), rest);
    while rest > 0 {
        let decision = world.due();
        let is_due = !decision.records.is_empty();
        let members = world.describe().members.len();
        assert!(is_due && members < rest, "{rest} members stay for ever");
        rest = members;
    }
    let next = world.coordinator.next_deadline();
    assert!(next.is_none_or(|at| at.0 > world.now), "{next:?}");
    world.check_replay();
}

#[test]
fn members_whose_rebalance_timeouts_exceed_a_batch_are_given_up_in_several() {
    const MEMBERS: usize = 40;
    let mut config = GroupConfig {
        batch_len_max_bytes: 16 * 1024,
        ..GroupConfig::default()
    };
    config.consumer.assignment_interval = Duration::ZERO;
    config.consumer.session_timeout = Duration::from_secs(600);
    let mut world = World::with(config);
    world.topic("orders", 40);
    world.topic("other", 40);
    let mut members: Vec<Consumer> = (0..MEMBERS)
        .map(|number| Consumer::new(&format!("{number:01000}"), &["orders"]))
        .collect();
    settle(&mut world, &mut members.iter_mut().collect::<Vec<_>>(), 100);
    // Each is to give its partition away, and keeps it.
    for member in &mut members {
        assert_eq!(member.owned.len(), 1);
        let mut change = beat(&member.member_id, member.epoch);
        change.subscribed_topic_names = Some(vec!["other".into()]);
        assert_eq!(world.error(change), ErrorCode::None);
    }
    world.pass(Duration::from_millis(59_999));
    assert_eq!(world.describe().members.len(), MEMBERS);
    world.due();
    let rest = world.describe().members.len();
    assert!(
        (1..MEMBERS).contains(&rest),
        "one batch has room for some of them, not {rest}"
    );
    world.pass(Duration::from_secs(1));
    assert!(world.describe().members.is_empty());
    let missed = world.coordinator.counters().consumer_rebalances_missed;
    assert_eq!(missed, MEMBERS as u64);
    world.check_replay();
}

#[test]
fn a_member_that_cannot_be_removed_holds_nobody_up() {
    let mut world = World::new();
    world.topic("orders", 1);
    world.heartbeat(join(&"a".repeat(1_000), &["orders"]));
    world.config.batch_len_max_bytes = 1_024;
    world.restart();
    world.pass(Duration::from_secs(45));
    assert_eq!(world.describe().members.len(), 1);
    let next = world.coordinator.next_deadline();
    assert!(next.is_some_and(|at| at.0 > world.now), "{next:?}");
    world.config.batch_len_max_bytes = 1_048_588;
    world.restart();
    world.pass(Duration::from_secs(45));
    assert!(world.describe().members.is_empty());
}

#[test]
fn nothing_is_left_of_members_that_are_gone() {
    /// At most what a member leaves to the others, until the next target assignment.
    const LEFT_BYTES: usize = 1_000;
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(join("stays", &["orders"]));
    let before = world.coordinator.snapshot_of(GROUP).len();
    let memory_before = world.coordinator.memory_bytes();
    for number in 0..50 {
        let member_id = format!("goes-{number:02}");
        let memory = world.coordinator.memory_bytes();
        world.heartbeat(join(&member_id, &["orders"]));
        assert!(world.coordinator.memory_bytes() > memory);
        if number % 2 == 0 {
            assert_eq!(world.error(beat(&member_id, -1)), ErrorCode::None);
            // What stays may have given a partition away meanwhile, and what goes leaves one behind.
            let memory_max = memory + LEFT_BYTES;
            assert!(world.coordinator.memory_bytes() <= memory_max, "{number}");
        }
    }
    for _ in 0..12 {
        world.pass(Duration::from_secs(4));
        let epoch = world
            .describe()
            .members
            .iter()
            .find(|member| member.member_id.as_str() == "stays")
            .expect("there")
            .member_epoch;
        world.heartbeat(beat("stays", epoch));
    }
    assert_eq!(world.describe().members.len(), 1);
    assert_eq!(world.coordinator.snapshot_of(GROUP).len(), before);
    assert_eq!(world.coordinator.memory_bytes(), memory_before);
}

#[test]
fn who_does_not_give_partitions_away_in_time_is_given_up() {
    let mut config = GroupConfig::default();
    config.consumer.assignment_interval = Duration::ZERO;
    config.consumer.session_timeout = Duration::from_secs(600);
    let mut world = World::with(config);
    world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    world.heartbeat(join("b", &["orders"]));
    assert_eq!(assigned(&world.heartbeat(beat("a", 2))), Some(vec![0]));
    world.pass(Duration::from_millis(59_999));
    // Heartbeats alone do not help.
    assert_eq!(world.error(beat("a", 2)), ErrorCode::None);
    assert_eq!(world.describe().members.len(), 2);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.describe().members.len(), 1);
    assert_eq!(world.error(beat("a", 2)), ErrorCode::UnknownMemberId);
    assert_eq!(assigned(&world.heartbeat(beat("b", 3))), Some(vec![0, 1]));
}

/// A group in which `a` has to give partition 1 of `orders` away to `b`, within 60 seconds, and has all of `other`.
fn stuck() -> World {
    let mut config = GroupConfig::default();
    config.consumer.assignment_interval = Duration::ZERO;
    config.consumer.session_timeout = Duration::from_secs(600);
    let mut world = World::with(config);
    world.topic("orders", 2);
    world.topic("other", 1);
    world.heartbeat(join("a", &["orders", "other"]));
    world.heartbeat(join("b", &["orders"]));
    let told = assigned(&world.heartbeat(beat("a", 2)));
    assert_eq!(told.map(|told| told.len()), Some(2));
    world
}

#[test]
fn whatever_a_member_says_it_gets_no_more_time_to_give_partitions_away() {
    let mut world = stuck();
    for number in 0..6 {
        world.pass(Duration::from_millis(9_999));
        let mut again = beat("a", 2);
        again.rack_id = Some(format!("rack-{number}").as_str().into());
        world.client_id = format!("client-{number}").as_str().into();
        assert_eq!(world.error(again), ErrorCode::None);
        // Nor do others gain it any.
        world.topic("other", 2 + number);
        let epoch = world.describe().members[1].member_epoch;
        assert_eq!(world.error(beat("b", epoch)), ErrorCode::None);
    }
    world.pass(Duration::from_millis(6));
    assert_eq!(world.error(beat("a", 2)), ErrorCode::UnknownMemberId);
    assert_eq!(world.coordinator.counters().consumer_rebalances_missed, 1);
    let epoch = world.describe().members[0].member_epoch;
    let told = assigned(&world.heartbeat(beat("b", epoch)));
    assert_eq!(told, Some(vec![0, 1]));
}

#[test]
fn a_member_that_has_more_to_give_away_has_its_time_for_that() {
    let mut world = stuck();
    world.pass(Duration::from_secs(50));
    let mut change = beat("a", 2);
    change.subscribed_topic_names = Some(vec!["orders".into()]);
    assert_eq!(world.error(change), ErrorCode::None);
    world.pass(Duration::from_millis(59_999));
    assert_eq!(world.describe().members.len(), 2);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.describe().members.len(), 1);
}

#[test]
fn the_time_to_give_partitions_away_begins_anew_when_the_broker_returns() {
    let mut config = GroupConfig::default();
    config.consumer.assignment_interval = Duration::ZERO;
    config.consumer.session_timeout = Duration::from_secs(600);
    let mut world = World::with(config);
    world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    world.heartbeat(join("b", &["orders"]));
    assert_eq!(assigned(&world.heartbeat(beat("a", 2))), Some(vec![0]));
    world.pass(Duration::from_secs(50));
    world.restart();
    world.pass(Duration::from_millis(59_999));
    assert_eq!(world.describe().members.len(), 2);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.describe().members.len(), 1);
    assert_eq!(world.coordinator.counters().consumer_rebalances_missed, 1);
}

#[test]
fn who_gave_its_partitions_away_is_not_given_up() {
    let mut config = GroupConfig::default();
    config.consumer.assignment_interval = Duration::ZERO;
    config.consumer.session_timeout = Duration::from_secs(600);
    let mut world = World::with(config);
    let topic = world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    world.heartbeat(join("b", &["orders"]));
    world.heartbeat(beat("a", 2));
    let mut done = beat("a", 2);
    done.topic_partitions = owned(topic, &[0]);
    world.heartbeat(done);
    world.pass(Duration::from_secs(120));
    assert_eq!(world.describe().members.len(), 2);
}

#[test]
fn sessions_begin_anew_when_the_broker_returns() {
    let mut world = World::new();
    world.topic("orders", 1);
    world.heartbeat(join("a", &["orders"]));
    world.pass(Duration::from_secs(44));
    world.restart();
    world.pass(Duration::from_secs(44));
    assert_eq!(world.error(beat("a", 2)), ErrorCode::None);
    world.pass(Duration::from_secs(46));
    assert_eq!(world.error(beat("a", 2)), ErrorCode::UnknownMemberId);
}

#[test]
fn members_that_are_given_up_together_cost_one_epoch() {
    let mut world = World::new();
    world.topic("orders", 4);
    for member in ["a", "b", "c"] {
        world.heartbeat(join(member, &["orders"]));
    }
    world.restart();
    world.pass(Duration::from_secs(46));
    let group = world.describe();
    assert_eq!((group.members.len(), group.group_epoch), (0, 5));
    assert_eq!(code(group.error_code), ErrorCode::None);
}

#[test]
fn a_group_that_is_configured_by_itself_has_its_own_session() {
    let mut config = GroupConfig::default();
    let mut mine = config.consumer.clone();
    mine.session_timeout = Duration::from_secs(10);
    mine.heartbeat_interval = Duration::from_millis(250);
    config.groups.insert(GROUP.into(), Rc::new(mine));
    let mut world = World::with(config);
    world.topic("orders", 1);
    let response = world.heartbeat(join("a", &["orders"]));
    assert_eq!(response.heartbeat_interval_ms, 250);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.error(beat("a", 2)), ErrorCode::UnknownMemberId);
}
