//! Which topics get more partitions, where those go, and in which words the others are refused. Codes and sentences were
//! taken from a running Kafka 4.3.1.

mod common;

use common::{after, created_image, machine, register};
use metadata::{
    CreatePartitionsReply, Decision, ManualAssignment, MetadataImage, MetadataRecord,
    NewPartitions, PARTITIONS_PER_REQUEST_MAX, decide_create_partitions,
};
use types::{ErrorCode, NodeId, ShardId};

fn wanted(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> NewPartitions {
    let manual = |brokers: &&[i32]| ManualAssignment {
        brokers: brokers.to_vec(),
        shard: None,
    };
    NewPartitions {
        name: name.into(),
        count,
        assignments: assignments.map(|lists| lists.iter().map(manual).collect()),
    }
}

fn decide(image: &MetadataImage, topics: &[NewPartitions]) -> Decision<CreatePartitionsReply> {
    decide_create_partitions(image, topics, &machine()).expect("a request of possible size")
}

#[test]
fn new_partitions_follow_the_old_ones_on_the_least_loaded_shards() {
    // Two partitions on three shards.
    let image = created_image(&["foo"]);
    let decision = decide(&image, &[wanted("foo", 4, None)]);
    assert_eq!(decision.reply, [("foo".into(), Ok(()))]);
    let grown = after(&image, &decision.records);
    let partitions = &grown.topic_named("foo").expect("it is there").partitions;
    let shards: Vec<_> = partitions.iter().map(|partition| partition.shard).collect();
    assert_eq!(
        shards,
        [0, 1, 2, 0].map(|shard| Some(ShardId(shard))),
        "the old ones stay where they are"
    );
    assert!(
        partitions
            .iter()
            .all(|it| it.leader == NodeId(1) && it.directories.len() == 1)
    );
}

#[test]
fn a_client_chooses_machines_and_shards() {
    let image = after(&created_image(&["foo"]), &register(2).records);
    let mut topic = wanted("foo", 4, Some(&[&[2], &[1]]));
    if let Some(assignments) = &mut topic.assignments {
        assignments[1].shard = Some(ShardId(1));
    }
    let decision = decide(&image, &[topic]);
    let grown = after(&image, &decision.records);
    let partitions = &grown.topic_named("foo").expect("it is there").partitions;
    assert_eq!(
        (partitions[2].leader, partitions[2].shard),
        (NodeId(2), None)
    );
    assert_eq!(
        (partitions[3].leader, partitions[3].shard),
        (NodeId(1), Some(ShardId(1)))
    );
}

#[test]
fn what_cannot_be_is_refused_as_kafka_refuses_it() {
    let image = created_image(&["foo"]);
    let assigned = ErrorCode::InvalidReplicaAssignment;
    for (topic, code, message) in [
        (
            wanted("nope", 3, None),
            ErrorCode::UnknownTopicOrPartition,
            "",
        ),
        (
            wanted("foo", 2, None),
            ErrorCode::InvalidPartitions,
            "Topic already has 2 partition(s).",
        ),
        (
            wanted("foo", 1, None),
            ErrorCode::InvalidPartitions,
            "The topic foo currently has 2 partition(s); 1 would not be an increase.",
        ),
        (
            wanted("foo", i32::MIN, None),
            ErrorCode::InvalidPartitions,
            "The topic foo currently has 2 partition(s); -2147483648 would not be an increase.",
        ),
        (
            wanted("foo", 5, Some(&[&[1]])),
            assigned,
            "Attempted to add 3 additional partition(s), but only 1 assignment(s) were specified.",
        ),
        (
            wanted("foo", 3, Some(&[&[9]])),
            assigned,
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (
            wanted("foo", 3, Some(&[&[]])),
            assigned,
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            wanted("foo", 3, Some(&[&[1, 1]])),
            assigned,
            "The manual partition assignment includes the broker 1 more than once.",
        ),
    ] {
        let decision = decide(&image, &[topic]);
        assert_eq!(decision.records, []);
        let refusal = decision.reply[0].1.as_ref().expect_err("impossible");
        assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
    }
}

#[test]
fn a_topic_that_is_named_twice_is_refused_once_and_the_others_grow() {
    let image = created_image(&["foo", "bar"]);
    let topics = [
        wanted("foo", 3, None),
        wanted("bar", 3, None),
        wanted("foo", 4, None),
    ];
    let decision = decide(&image, &topics);
    let verdicts: Vec<_> = decision
        .reply
        .iter()
        .map(|(name, verdict)| (&**name, verdict.as_ref().err().map(|refusal| refusal.code)))
        .collect();
    assert_eq!(
        verdicts,
        [("foo", Some(ErrorCode::InvalidRequest)), ("bar", None)]
    );
    let grown = after(&image, &decision.records);
    assert_eq!(grown.topic_named("foo").expect("there").partitions.len(), 2);
    assert_eq!(grown.topic_named("bar").expect("there").partitions.len(), 3);
}

#[test]
fn a_request_for_too_many_partitions_changes_nothing() {
    let image = created_image(&["foo", "bar"]);
    let max = i32::try_from(PARTITIONS_PER_REQUEST_MAX).expect("small");
    for count in [max + 3, i32::MAX] {
        let topics = [wanted("bar", 3, None), wanted("foo", count, None)];
        let refused = match decide_create_partitions(&image, &topics, &machine()) {
            Err(refusal) => refusal.code,
            Ok(decision) => {
                assert!(decision.records.len() <= 4, "{count}");
                decision.reply[1].1.clone().expect_err("too many").code
            }
        };
        assert_eq!(refused, ErrorCode::PolicyViolation, "{count}");
    }
}

#[test]
fn of_two_admins_the_second_meets_what_the_first_made() {
    let image = created_image(&["foo"]);
    let first = decide(&image, &[wanted("foo", 4, None)]);
    let image = after(&image, &first.records);
    let second = decide(&image, &[wanted("foo", 4, None)]);
    let refusal = second.reply[0].1.as_ref().expect_err("it has four");
    assert_eq!(refusal.message, "Topic already has 4 partition(s).");
}

#[test]
fn placements_follow_their_partitions_in_the_log() {
    let image = created_image(&["foo"]);
    let decision = decide(&image, &[wanted("foo", 4, None)]);
    let kinds: Vec<bool> = decision
        .records
        .iter()
        .map(|record| matches!(record, MetadataRecord::Partition(_)))
        .collect();
    assert_eq!(kinds, [true, false, true, false]);
}
