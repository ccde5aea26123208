//! Members join, are assigned, and hand partitions over.

use std::collections::BTreeMap;
use std::time::Duration;

use groups::{GroupConfig, GroupRecord, Reply, Request};
use protocol::Str;
use protocol::messages::ConsumerGroupHeartbeatRequest;
use types::{ErrorCode, Uuid};

use super::world::{Consumer, GROUP, World, assigned, beat, code, join, owned, settle};

#[test]
fn the_first_member_gets_everything_at_once() {
    let mut world = World::new();
    let topic = world.topic("orders", 3);
    let response = world.heartbeat(join("a", &["orders"]));
    assert_eq!(code(response.error_code), ErrorCode::None);
    assert_eq!(response.member_id, Some(Str::from_static("a")));
    assert_eq!(response.member_epoch, 2);
    assert_eq!(response.heartbeat_interval_ms, 5_000);
    assert_eq!(assigned(&response), Some(vec![0, 1, 2]));
    // Kafka's records in Kafka's order.
    let [
        GroupRecord::ConsumerGroupMemberMetadata {
            value: Some(member),
            ..
        },
        GroupRecord::ConsumerGroupMetadata {
            value: Some(group), ..
        },
        GroupRecord::ConsumerGroupTargetAssignmentMember {
            value: Some(target),
            ..
        },
        GroupRecord::ConsumerGroupTargetAssignmentMetadata {
            value: Some(epoch), ..
        },
        GroupRecord::ConsumerGroupCurrentMemberAssignment {
            value: Some(current),
            ..
        },
    ] = world.log.as_slice()
    else {
        unreachable!("other records: {:?}", world.log);
    };
    assert_eq!(member.subscribed_topic_names, [Str::from_static("orders")]);
    assert_eq!(member.rebalance_timeout_ms, 60_000);
    assert_eq!(group.epoch, 2);
    assert_ne!(group.metadata_hash, 0);
    assert_eq!(target.topic_partitions[0].partitions, [0, 1, 2]);
    assert_eq!(epoch.assignment_epoch, 2);
    assert_eq!(epoch.assignment_timestamp, 1_700_000_000_000);
    assert_eq!(
        (current.member_epoch, current.previous_member_epoch),
        (2, 0)
    );
    assert_eq!(current.state, 0);
    assert_eq!(current.assigned_partitions[0].topic_id, topic);
    assert_eq!(
        current.assigned_partitions[0].assignment_epochs,
        Some(vec![2, 2, 2])
    );
    assert_eq!(world.state(), "Stable");
    world.check_replay();
}

#[test]
fn a_member_that_subscribes_to_nothing_is_a_member() {
    let mut world = World::new();
    let response = world.heartbeat(join("a", &[]));
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (1, Some(vec![]))
    );
    assert_eq!(world.state(), "Stable");
    world.check_replay();
    world.restart();
    assert_eq!(world.error(beat("a", 1)), ErrorCode::None);
    assert_eq!(world.describe().group_epoch, 1);
}

#[test]
fn a_heartbeat_without_news_writes_nothing_and_assigns_nothing() {
    let mut world = World::new();
    world.topic("orders", 3);
    world.heartbeat(join("a", &["orders"]));
    let before = world.log.len();
    let response = world.heartbeat(beat("a", 2));
    assert_eq!(
        (code(response.error_code), response.member_epoch),
        (ErrorCode::None, 2)
    );
    assert_eq!(response.assignment, None);
    assert_eq!(world.log.len(), before);
}

#[test]
fn a_full_request_is_told_its_assignment() {
    let mut world = World::new();
    let topic = world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    let mut full = join("a", &["orders"]);
    full.member_epoch = 2;
    full.topic_partitions = owned(topic, &[0, 1]);
    assert_eq!(assigned(&world.heartbeat(full)), Some(vec![0, 1]));
}

#[test]
fn a_partition_changes_hands_only_after_its_owner_gave_it_away() {
    let mut world = World::new();
    let topic = world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    // The second member gets nothing yet, at the new epoch.
    let second = world.heartbeat(join("b", &["orders"]));
    assert_eq!((second.member_epoch, assigned(&second)), (3, Some(vec![])));
    assert_eq!(world.state(), "Reconciling");
    // The first is told to keep one, at its old epoch.
    let first = world.heartbeat(beat("a", 2));
    assert_eq!((first.member_epoch, assigned(&first)), (2, Some(vec![0])));
    // As long as it does not say that it gave the other away, nothing moves.
    let first = world.heartbeat(beat("a", 2));
    assert_eq!((first.member_epoch, assigned(&first)), (2, None));
    assert_eq!(assigned(&world.heartbeat(beat("b", 3))), None);
    let mut still = beat("a", 2);
    still.topic_partitions = owned(topic, &[0, 1]);
    assert_eq!(world.heartbeat(still).member_epoch, 2);
    assert_eq!(assigned(&world.heartbeat(beat("b", 3))), None);
    // Then it moves on to the new epoch, and the other is free.
    let mut done = beat("a", 2);
    done.topic_partitions = owned(topic, &[0]);
    assert_eq!(world.heartbeat(done).member_epoch, 3);
    let second = world.heartbeat(beat("b", 3));
    assert_eq!((second.member_epoch, assigned(&second)), (3, Some(vec![1])));
    assert_eq!(world.state(), "Stable");
    world.check_replay();
}

#[test]
fn assignments_are_gathered_for_the_interval() {
    let mut world = World::with(GroupConfig::default());
    world.topic("orders", 6);
    world.heartbeat(join("a", &["orders"]));
    world.pass(Duration::from_millis(400));
    // Within a second of the last assignment: members are taken up, their partitions follow.
    let second = world.heartbeat(join("b", &["orders"]));
    assert_eq!((second.member_epoch, assigned(&second)), (2, Some(vec![])));
    let third = world.heartbeat(join("c", &["orders"]));
    assert_eq!((third.member_epoch, assigned(&third)), (2, Some(vec![])));
    assert_eq!(world.state(), "Assigning");
    world.pass(Duration::from_millis(599));
    assert_eq!(assigned(&world.heartbeat(beat("a", 2))), None);
    world.pass(Duration::from_millis(1));
    // One assignment for both.
    assert_eq!(assigned(&world.heartbeat(beat("a", 2))), Some(vec![0, 1]));
    let described = world.describe();
    assert_eq!((described.group_epoch, described.assignment_epoch), (4, 4));
    let assignments = world.log.iter().filter(|record| {
        matches!(
            record,
            GroupRecord::ConsumerGroupTargetAssignmentMetadata { .. }
        )
    });
    assert_eq!(assignments.count(), 2);
}

#[test]
fn members_of_version_0_may_leave_their_id_to_the_coordinator() {
    let mut world = World::new();
    world.topic("orders", 1);
    let request = Request::ConsumerGroupHeartbeat(join("", &["orders"]));
    let Reply::ConsumerGroupHeartbeat(response) = world.ask(0, request) else {
        unreachable!("a heartbeat is answered as such");
    };
    let member_id = response.member_id.expect("it was given one");
    assert_eq!(member_id.len(), 22);
    assert_eq!(world.error(beat(&member_id, 2)), ErrorCode::None);
    assert_eq!(
        world.error(join("", &["orders"])),
        ErrorCode::InvalidRequest
    );
}

#[test]
fn requests_that_make_no_sense_are_refused_and_change_nothing() {
    let mut world = World::new();
    world.topic("orders", 1);
    let mut check = |expected: ErrorCode, change: &dyn Fn(&mut ConsumerGroupHeartbeatRequest)| {
        let mut request = join("a", &["orders"]);
        change(&mut request);
        assert_eq!(world.error(request.clone()), expected, "{request:?}");
        assert!(world.log.is_empty());
    };
    check(ErrorCode::InvalidRequest, &|request| {
        request.group_id = Str::default()
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.instance_id = Some(Str::default())
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.rack_id = Some(Str::default())
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.rebalance_timeout_ms = -1
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.topic_partitions = None
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.topic_partitions = owned(Uuid::ZERO, &[0]);
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.subscribed_topic_names = None
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.member_epoch = -2
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.member_epoch = -3
    });
    check(ErrorCode::InvalidRequest, &|request| {
        request.member_id = Str::default()
    });
    check(ErrorCode::UnsupportedAssignor, &|request| {
        request.server_assignor = Some(Str::from_static("sticky"));
    });
    check(ErrorCode::InvalidRegularExpression, &|request| {
        request.subscribed_topic_regex = Some(Str::from_static("("));
    });
    check(ErrorCode::GroupIdNotFound, &|request| {
        request.member_epoch = 1
    });
    check(ErrorCode::GroupIdNotFound, &|request| {
        request.member_epoch = -1
    });
    // More than a batch of the log can hold.
    check(ErrorCode::UnknownServerError, &|request| {
        let names = (0..9_000).map(|number| Str::from(format!("topic-{number:0>200}").as_str()));
        request.subscribed_topic_names = Some(names.collect());
    });
    assert_eq!(
        world.coordinator.group_ids().count(),
        0,
        "nothing is remembered"
    );
}

#[test]
fn a_full_group_takes_nobody_else() {
    let mut config = GroupConfig::default();
    config.consumer.members_max = 1;
    let mut world = World::with(config);
    world.topic("orders", 1);
    world.heartbeat(join("a", &["orders"]));
    assert_eq!(
        world.error(join("b", &["orders"])),
        ErrorCode::GroupMaxSizeReached
    );
    assert_eq!(world.error(beat("a", 2)), ErrorCode::None);
    assert_eq!(world.error(join("a", &["orders"])), ErrorCode::None);
}

#[test]
fn what_members_say_takes_bounded_memory() {
    let mut world = World::with(GroupConfig {
        batch_len_max_bytes: 16 * 1024 * 1024,
        ..GroupConfig::default()
    });
    world.topic("orders", 1);
    let mut taken = 0;
    loop {
        let names = (0..100).map(|name| format!("{taken}-{name:0>32000}"));
        let names: Vec<String> = names.collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match world.error(join(&format!("member-{taken}"), &names)) {
            ErrorCode::None => taken += 1,
            error => {
                assert_eq!(error, ErrorCode::GroupMaxSizeReached);
                break;
            }
        }
        assert!(taken < 20, "no bound");
    }
    assert!(taken > 5);
    assert_eq!(world.describe().members.len(), taken);
}

#[test]
fn the_assignor_that_most_members_ask_for_is_used() {
    let mut world = World::new();
    world.topic("orders", 1);
    for (member, assignor) in [("a", "range"), ("b", "range"), ("c", "uniform")] {
        let mut request = join(member, &["orders"]);
        request.server_assignor = Some(Str::from_static(assignor));
        world.heartbeat(request);
    }
    assert_eq!(world.describe().assignor_name, Str::from_static("range"));
}

#[test]
fn topics_that_change_raise_the_epoch_at_the_next_heartbeat() {
    let mut world = World::new();
    let topic = world.topic("orders", 1);
    world.topic("others", 1);
    world.heartbeat(join("a", &["orders", "later"]));
    world.topic("others", 2);
    let response = world.heartbeat(beat("a", 2));
    assert_eq!(response.member_epoch, 2, "topics of others change nothing");
    world.topic("orders", 3);
    let response = world.heartbeat(beat("a", 2));
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (3, Some(vec![0, 1, 2]))
    );
    world.topic("later", 1);
    let response = world.heartbeat(beat("a", 3));
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (4, Some(vec![0, 1, 2, 0]))
    );
    // A topic that is gone has to be given away like any other.
    world.delete_topic("later");
    let response = world.heartbeat(beat("a", 4));
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (4, Some(vec![0, 1, 2]))
    );
    let mut done = beat("a", 4);
    done.topic_partitions = owned(topic, &[0, 1, 2]);
    assert_eq!(world.heartbeat(done).member_epoch, 5);
    world.check_replay();
}

#[test]
fn who_subscribes_to_less_gives_the_rest_away_at_once() {
    // Assignments are put off by a second; what is no longer wanted goes before that.
    let mut world = World::with(GroupConfig::default());
    let orders = world.topic("orders", 1);
    world.topic("payments", 1);
    world.heartbeat(join("a", &["orders", "payments"]));
    let mut less = beat("a", 2);
    less.subscribed_topic_names = Some(vec![Str::from_static("orders")]);
    let response = world.heartbeat(less);
    assert_eq!(
        (response.member_epoch, assigned(&response)),
        (2, Some(vec![0]))
    );
    world.pass(Duration::from_secs(1));
    let mut done = beat("a", 2);
    done.topic_partitions = owned(orders, &[0]);
    assert_eq!(world.heartbeat(done).member_epoch, 3);
}

#[test]
fn a_group_is_described_with_what_members_have_and_are_to_have() {
    let mut world = World::new();
    world.topic("orders", 2);
    world.heartbeat(join("a", &["orders"]));
    world.heartbeat(join("b", &["orders"]));
    let group = world.describe();
    assert_eq!(group.group_id, Str::from_static(GROUP));
    assert_eq!((group.group_epoch, group.assignment_epoch), (3, 3));
    assert_eq!(group.assignor_name, Str::from_static("uniform"));
    let [a, b] = group.members.as_slice() else {
        unreachable!("two members");
    };
    assert_eq!((a.member_epoch, b.member_epoch), (2, 3));
    assert_eq!(a.client_host, Str::from_static("/127.0.0.1"));
    assert_eq!((a.member_type, b.member_type), (1, 1));
    assert_eq!(a.assignment.topic_partitions[0].partitions, [0, 1]);
    assert_eq!(
        a.assignment.topic_partitions[0].topic_name,
        Str::from_static("orders")
    );
    assert_eq!(a.target_assignment.topic_partitions[0].partitions, [0]);
    assert!(b.assignment.topic_partitions.is_empty());
    assert_eq!(b.target_assignment.topic_partitions[0].partitions, [1]);
}

#[test]
fn a_group_outlives_its_members_and_dies_when_it_is_deleted() {
    let mut world = World::new();
    world.topic("orders", 2);
    let mut consumer = Consumer::new("a", &["orders"]);
    settle(&mut world, &mut [&mut consumer], 3);
    let delete = || Request::DeleteGroup(Str::from_static(GROUP));
    let Reply::DeleteGroup(result) = world.ask(2, delete()) else {
        unreachable!("a deletion is answered as such");
    };
    assert_eq!(code(result.error_code), ErrorCode::NonEmptyGroup);
    assert_eq!(world.error(beat("a", -1)), ErrorCode::None);
    assert_eq!(world.state(), "Empty");
    world.restart();
    assert_eq!(world.state(), "Empty");
    let Reply::DeleteGroup(result) = world.ask(2, delete()) else {
        unreachable!("a deletion is answered as such");
    };
    assert_eq!(code(result.error_code), ErrorCode::None);
    assert_eq!(
        code(world.describe().error_code),
        ErrorCode::GroupIdNotFound
    );
    assert_eq!(world.replayed().group_ids().count(), 0);
}

#[test]
fn rebalances_and_moves_are_counted() {
    let mut world = World::new();
    world.topic("orders", 4);
    let (mut a, mut b) = (
        Consumer::new("a", &["orders"]),
        Consumer::new("b", &["orders"]),
    );
    a.beat(&mut world);
    let counters = *world.coordinator.counters();
    assert_eq!(counters.consumer_rebalances, 1);
    assert_eq!(counters.consumer_rebalances_ended, 1);
    assert_eq!(counters.consumer_partitions_moved, 4);
    b.beat(&mut world);
    world.pass(Duration::from_secs(2));
    a.beat(&mut world);
    world.pass(Duration::from_secs(1));
    a.beat(&mut world);
    b.beat(&mut world);
    let counters = *world.coordinator.counters();
    assert_eq!(counters.consumer_rebalances, 2);
    assert_eq!(counters.consumer_rebalances_ended, 2);
    assert_eq!(counters.consumer_partitions_moved, 6);
    assert_eq!(counters.consumer_rebalance_time, Duration::from_secs(3));
    assert_eq!(counters.consumer_rebalance_time_max, Duration::from_secs(3));
    world.pass(Duration::from_secs(46));
    let counters = *world.coordinator.counters();
    assert_eq!(counters.consumer_sessions_expired, 2);
    assert_eq!(counters.consumer_rebalances_missed, 0);
    assert_eq!(counters.consumer_rebalances_ended, 2, "nobody is left");
}

/// A group of 60 members with long ids whose next assignment takes several batches.
fn large_group() -> (World, Vec<Consumer>) {
    let mut config = GroupConfig {
        batch_len_max_bytes: 16 * 1024,
        ..GroupConfig::default()
    };
    config.consumer.assignment_interval = Duration::from_secs(5);
    let mut world = World::with(config);
    world.topic("orders", 100);
    let consumers = (0..60).map(|number| Consumer::new(&format!("{number:0500}"), &["orders"]));
    let mut consumers: Vec<_> = consumers.collect();
    for consumer in &mut consumers {
        consumer.beat(&mut world);
    }
    world.pass(Duration::from_secs(5));
    (world, consumers)
}

#[test]
fn an_assignment_takes_as_many_batches_as_it_needs() {
    let (mut world, mut consumers) = large_group();
    assert!(world.describe().group_epoch > world.describe().assignment_epoch);
    let first = Request::ConsumerGroupHeartbeat(consumers[0].request());
    consumers[0].is_unsure = true;
    let decision = world.decide(1, first);
    assert!(decision.batches().count() > 2);
    let is_epoch = |record: &GroupRecord| {
        matches!(
            record,
            GroupRecord::ConsumerGroupTargetAssignmentMetadata { .. }
        )
    };
    let last = decision.batches().last().expect("there are many");
    assert_eq!(decision.records.iter().filter(|it| is_epoch(it)).count(), 1);
    assert!(last.iter().any(is_epoch));
    world.check_replay();
    let mut consumers: Vec<&mut Consumer> = consumers.iter_mut().collect();
    settle(&mut world, &mut consumers, 10);
    let owned = consumers.iter().map(|consumer| consumer.owned.len());
    let owned: Vec<usize> = owned.collect();
    assert_eq!(owned.iter().sum::<usize>(), 100);
    assert!(owned.iter().all(|owned| (1..=2).contains(owned)));
    // And it takes more members.
    let late = join("late", &["orders"]);
    assert_eq!(world.error(late), ErrorCode::None);
    world.check_replay();
}

#[test]
fn an_assignment_of_which_a_crash_left_a_part_is_made_anew() {
    for kept in 0.. {
        let (mut world, mut consumers) = large_group();
        let assigned_before = world.describe().assignment_epoch;
        let request = Request::ConsumerGroupHeartbeat(consumers[0].request());
        consumers[0].is_unsure = true;
        let batches = world.lose_behind(kept, request);
        assert!(batches > 2);
        // Until its epoch is there, nothing of it counts.
        let assigned = world.describe().assignment_epoch;
        assert_eq!(assigned > assigned_before, kept >= batches, "{kept}");
        let mut owners = BTreeMap::new();
        for _ in 0..6 {
            for consumer in &mut consumers {
                consumer.beat(&mut world);
                owners.retain(|_, owner| *owner != consumer.member_id);
                for partition in &consumer.owned {
                    let other = owners.insert(*partition, consumer.member_id.clone());
                    assert_eq!(other, None, "{partition:?} has two owners");
                }
            }
            world.pass(Duration::from_secs(3));
        }
        assert_eq!((world.state().as_str(), owners.len()), ("Stable", 100));
        world.check_replay();
        if kept >= batches {
            return;
        }
    }
}

#[test]
fn a_members_assignment_that_fits_no_batch_is_refused_to_who_joins() {
    let mut config = GroupConfig {
        batch_len_max_bytes: 16 * 1024,
        ..GroupConfig::default()
    };
    config.consumer.assignment_interval = Duration::ZERO;
    let mut world = World::with(config);
    world.topic("enormous", 10_000);
    assert_eq!(world.error(join("first", &["enormous"])), ErrorCode::None);
    let second = join("second", &["enormous"]);
    assert_eq!(world.error(second), ErrorCode::GroupMaxSizeReached);
    world.check_replay();
}

#[test]
fn members_that_get_nothing_take_no_room_in_a_batch() {
    let mut config = GroupConfig {
        batch_len_max_bytes: 16 * 1024,
        ..GroupConfig::default()
    };
    config.consumer.assignment_interval = Duration::from_secs(5);
    let mut world = World::with(config);
    world.topic("orders", 4);
    let name = |number: usize| format!("{number:0500}");
    for number in 0..60 {
        world.heartbeat(join(&name(number), &["orders"]));
    }
    // The one that had all partitions leaves, and all that others do is to heartbeat.
    assert_eq!(world.error(beat(&name(0), -1)), ErrorCode::None);
    world.pass(Duration::from_secs(5));
    for round in 0..3 {
        for member in world.describe().members {
            let beat = beat(&member.member_id, member.member_epoch);
            assert_eq!(world.error(beat), ErrorCode::None, "{round}");
        }
    }
    assert_eq!(world.state(), "Stable");
    let members = world.describe().members;
    let have: usize = members
        .iter()
        .flat_map(|member| &member.assignment.topic_partitions)
        .map(|topic| topic.partitions.len())
        .sum();
    assert_eq!((members.len(), have), (59, 4));
    world.check_replay();
}
