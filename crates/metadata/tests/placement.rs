//! Decisions about where partitions are: a changed number of shards, reassignments, elections.

mod common;

use common::{after, create, created_image, machine, machine_image, new_topic};
use metadata::{
    MOVES_AT_ONCE, Machine, MetadataImage, PartitionMove, Reassignment, ReplicaPlace,
    TargetReplica, decide_election, decide_reassignment, decide_spread, next_moves,
};
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use types::{ErrorCode, LeaderEpoch, NodeId, PartitionIndex, ShardId};

fn with_shards(shards: u16) -> Machine {
    Machine {
        shards,
        ..machine()
    }
}

/// The image after a start with this many shards, and how many partitions moved.
fn started(image: &MetadataImage, shards: u16) -> (MetadataImage, usize) {
    let decision = decide_spread(image, &with_shards(shards));
    (after(image, &decision.records), decision.reply.len())
}

fn counts(image: &MetadataImage, shards: u16) -> Vec<u32> {
    let mut counts = image.partitions_per_shard().to_vec();
    assert!(
        counts.len() <= usize::from(shards),
        "no other shard has any"
    );
    counts.resize(usize::from(shards), 0);
    counts
}

#[test]
fn partitions_of_shards_that_no_longer_run_move_and_their_epochs_rise() {
    let (image, _) = started(&created_image(&["a", "b", "c"]), 3);
    assert_eq!(decide_spread(&image, &machine()).records, []);
    let decision = decide_spread(&image, &with_shards(1));
    let after = after(&image, &decision.records);
    assert_eq!(after.partitions_per_shard(), [6]);
    assert_eq!(decision.reply.len(), 4);
    for moved in decision.reply {
        let partition = after
            .partition(moved.topic_id, moved.partition)
            .expect("still there");
        assert_eq!(
            (partition.shard, partition.leader_epoch),
            (Some(ShardId(0)), LeaderEpoch(1))
        );
        assert_eq!(
            (partition.leader, partition.partition_epoch),
            (NodeId(1), 1)
        );
    }
}

#[test]
fn a_machine_with_more_shards_uses_them_and_moves_no_more_than_it_must() {
    let (one, _) = started(&machine_image(), 1);
    let topic = new_topic("a", 10, 1);
    let created = create(&one, &[topic]).expect("possible");
    // Created on three shards; gathered on one; spread over four.
    let (image, _) = started(&after(&one, &created.records), 1);
    assert_eq!(counts(&image, 1), [10]);
    let (image, moved) = started(&image, 4);
    assert_eq!((counts(&image, 4), moved), (vec![3, 3, 2, 2], 7));
    let (_, again) = started(&image, 4);
    assert_eq!(again, 0, "a restart changes nothing");
}

#[test]
fn what_an_operator_has_moved_stays_when_the_number_of_shards_does() {
    let (image, _) = started(&created_image(&["a", "b", "c"]), 3);
    let topic = image.topic_named("a").expect("created");
    let from = topic.partitions[0].shard.expect("placed");
    let moved = PartitionMove {
        topic_id: topic.id,
        partition: PartitionIndex(0),
        from,
        to: ShardId((from.0 + 1) % 3),
    };
    let image = after(&image, &moved.records(&image));
    assert_eq!(started(&image, 3).1, 0);
}

proptest! {
    #[test]
    fn partitions_are_even_after_any_change_of_shards(
        sizes in prop::collection::vec(1..20_i32, 1..6),
        shards in prop::collection::vec(1..9_u16, 1..6),
    ) {
        let mut image = machine_image();
        for (number, size) in sizes.iter().enumerate() {
            let topic = new_topic(&format!("t{number}"), *size, 1);
            image = after(&image, &create(&image, &[topic]).expect("possible").records);
        }
        let all: u32 = image.partitions_per_shard().iter().sum();
        for count in shards {
            let before = image.partitions_per_shard().to_vec();
            let changes = image.shard_count() != Some(count);
            let (next, moved) = started(&image, count);
            image = next;
            let after = counts(&image, count);
            prop_assert_eq!(after.iter().sum::<u32>(), all);
            prop_assert!(after.iter().max().expect("a shard") - after.iter().min().expect("a shard") <= 1);
            // Nothing moves but what some shard had too many of.
            let kept = before.iter().zip(&after).map(|(before, after)| before.min(after)).sum::<u32>();
            let moved = u32::try_from(moved).expect("few");
            prop_assert_eq!(moved, if changes { all - kept } else { 0 });
        }
    }
}

fn replica(id: i32) -> TargetReplica {
    let place = |shard| ReplicaPlace {
        machine: NodeId(1),
        shard,
    };
    TargetReplica {
        named: NodeId(id),
        place: match id {
            // The machine as a whole, and its shards.
            1 => Some(place(None)),
            10..13 => Some(place(Some(ShardId(u16::try_from(id - 10).expect("small"))))),
            _ => None,
        },
    }
}

fn wanted(topic: &str, partition: i32, replicas: Option<&[i32]>) -> Reassignment {
    Reassignment {
        topic: topic.into(),
        partition: PartitionIndex(partition),
        replicas: replicas.map(|ids| ids.iter().copied().map(replica).collect()),
    }
}

#[test]
fn reassignments_are_refused_with_kafkas_codes() {
    let image = created_image(&["a"]);
    use ErrorCode as E;
    for (topic, partition, replicas, code) in [
        ("nosuch", 0, Some(&[10][..]), E::UnknownTopicOrPartition),
        ("a", 2, Some(&[10]), E::UnknownTopicOrPartition),
        ("a", -1, Some(&[10]), E::UnknownTopicOrPartition),
        ("a", 0, None, E::NoReassignmentInProgress),
        ("a", 0, Some(&[]), E::InvalidReplicaAssignment),
        ("a", 0, Some(&[13]), E::InvalidReplicaAssignment),
        ("a", 0, Some(&[10, 10]), E::InvalidReplicaAssignment),
        ("a", 0, Some(&[10, 11]), E::InvalidReplicaAssignment),
    ] {
        let reply = decide_reassignment(&image, &[wanted(topic, partition, replicas)], true);
        let refusal = reply.verdicts[0].as_ref().expect_err("impossible");
        assert_eq!(refusal.code, code, "{topic}-{partition} to {replicas:?}");
        assert_eq!(reply.moves, []);
    }
    let two = [wanted("a", 0, Some(&[10, 11]))];
    let refusal = decide_reassignment(&image, &two, false).verdicts[0].clone();
    let code = refusal.expect_err("the factor changes").code;
    assert_eq!(code, ErrorCode::InvalidReplicationFactor);
}

#[test]
fn a_reassignment_moves_what_is_not_there_yet() {
    let image = created_image(&["a"]);
    let topic = image.topic_named("a").expect("created");
    let shards: Vec<_> = topic.partitions.iter().map(|it| it.shard).collect();
    assert_eq!(shards, [Some(ShardId(0)), Some(ShardId(1))]);
    let all = [
        wanted("a", 0, Some(&[10])),
        wanted("a", 0, Some(&[1])),
        wanted("a", 1, Some(&[12])),
    ];
    let reply = decide_reassignment(&image, &all, true);
    assert_eq!(reply.verdicts, [Ok(()), Ok(()), Ok(())]);
    let expected = PartitionMove {
        topic_id: topic.id,
        partition: PartitionIndex(1),
        from: ShardId(1),
        to: ShardId(2),
    };
    assert_eq!(reply.moves, [(2, expected)]);
    let moved = after(&image, &expected.records(&image));
    let partition = moved.partition(topic.id, PartitionIndex(1)).expect("there");
    assert_eq!(
        (partition.shard, partition.leader_epoch),
        (Some(ShardId(2)), LeaderEpoch(1))
    );
}

#[test]
fn a_partition_that_is_named_twice_goes_to_where_it_is_named_last() {
    let image = created_image(&["a"]);
    let ok = Ok(());
    let to = |shard| Some((1, ShardId(0), ShardId(shard)));
    for (first, second, expected) in [
        (11, 12, to(2)),
        (12, 12, to(2)),
        (11, 10, None),
        (1, 11, to(1)),
    ] {
        let both = [
            wanted("a", 0, Some(&[first])),
            wanted("a", 0, Some(&[second])),
        ];
        let reply = decide_reassignment(&image, &both, true);
        assert_eq!(reply.verdicts, [ok.clone(), ok.clone()]);
        let moves = reply
            .moves
            .iter()
            .map(|(place, moved)| (*place, moved.from, moved.to));
        assert_eq!(moves.collect::<Vec<_>>(), Vec::from_iter(expected));
    }
    // One that is refused counts for nothing.
    let both = [wanted("a", 0, Some(&[11])), wanted("a", 0, Some(&[13]))];
    let reply = decide_reassignment(&image, &both, true);
    assert!(reply.verdicts[0].is_ok() && reply.verdicts[1].is_err());
    assert_eq!(reply.moves.len(), 1);
}

#[test]
fn no_step_moves_a_partition_twice() {
    let moved = |to| PartitionMove {
        topic_id: common::id(1),
        partition: PartitionIndex(0),
        from: ShardId(0),
        to: ShardId(to),
    };
    let mut waiting = vec![(0, moved(1)), (1, moved(1)), (2, moved(2))];
    assert_eq!(next_moves(&mut waiting), [(0, moved(1))]);
    assert_eq!(waiting.len(), 2);
}

#[test]
fn moves_of_one_step_never_have_a_shard_that_both_gains_and_loses() {
    let topic_id = common::id(1);
    let mut waiting: Vec<(usize, PartitionMove)> = (0..60)
        .map(|place| {
            let (from, to) = [(0, 1), (1, 0), (1, 2), (2, 0)][place % 4];
            let moved = PartitionMove {
                topic_id,
                partition: PartitionIndex(i32::try_from(place).expect("small")),
                from: ShardId(from),
                to: ShardId(to),
            };
            (place, moved)
        })
        .collect();
    let mut places = Vec::new();
    while !waiting.is_empty() {
        let step = next_moves(&mut waiting);
        assert!((1..=MOVES_AT_ONCE).contains(&step.len()));
        let gains = |shard| step.iter().any(|(_, moved)| moved.to == shard);
        assert!(!step.iter().any(|(_, moved)| gains(moved.from)));
        places.extend(step.iter().map(|(place, _)| *place));
    }
    places.sort_unstable();
    assert_eq!(places, (0..60).collect::<Vec<_>>());
}

#[test]
fn elections_are_not_needed_where_the_leader_is_the_preferred_one() {
    let image = created_image(&["a"]);
    let code = |topic: &str, partition, is_preferred| {
        let decided = decide_election(&image, topic, PartitionIndex(partition), is_preferred);
        decided.expect_err("never needed").code
    };
    assert_eq!(code("a", 1, true), ErrorCode::ElectionNotNeeded);
    assert_eq!(code("a", 1, false), ErrorCode::ElectionNotNeeded);
    assert_eq!(code("a", 2, true), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code("b", 0, false), ErrorCode::UnknownTopicOrPartition);
}
