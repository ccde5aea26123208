//! Which topics are created, where their partitions go, and in which words the others are refused. Codes and
//! sentences were taken from a running Kafka 4.3.1.

mod common;

use common::{
    after, create, created_image, directory, id, machine, machine_image, new_topic, register, rules,
};
use metadata::{
    Machine, ManualAssignment, MetadataImage, NewTopic, TopicSelector, decide_create_topics,
    decide_delete_topics,
};
use types::{ErrorCode, LeaderEpoch, NodeId, PartitionIndex, ShardId, Uuid};

/// On these machines, wherever there.
fn on(brokers: &[i32]) -> ManualAssignment {
    ManualAssignment {
        brokers: brokers.to_vec(),
        shard: None,
    }
}

fn refusal(image: &MetadataImage, topic: NewTopic) -> (ErrorCode, String) {
    let refusal = create(image, &[topic])
        .expect("a request of possible size")
        .reply
        .remove(0)
        .expect_err("impossible");
    (refusal.code, refusal.message)
}

#[test]
fn a_created_topic_is_in_the_image_with_all_its_parts() {
    let mut topic = new_topic("foo", 3, 1);
    topic.configs = vec![
        ("segment.ms".into(), Some("5".into())),
        ("segment.ms".into(), Some("6".into())),
    ];
    let image = machine_image();
    let decision = create(&image, &[topic]).expect("possible");
    let created = decision.reply[0].as_ref().expect("possible");
    assert_eq!((created.partitions, created.replication_factor), (3, 1));
    let after = after(&image, &decision.records);
    let topic = after.topic_named("foo").expect("created");
    assert_eq!(after.topic(topic.id), Some(topic));
    assert_eq!(
        topic.configs.get("segment.ms").map(|value| &**value),
        Some("6")
    );
    let partition = after
        .partition(topic.id, PartitionIndex(2))
        .expect("three partitions");
    assert_eq!(
        (partition.leader, partition.leader_epoch),
        (NodeId(1), LeaderEpoch(0))
    );
    assert_eq!(
        (&partition.replicas, &partition.isr),
        (&vec![NodeId(1)], &vec![NodeId(1)])
    );
    assert_eq!(partition.directories, [machine().directories[0].id]);
    assert_eq!(after.partition(topic.id, PartitionIndex(3)), None);
    assert_eq!(after.partition(topic.id, PartitionIndex(-1)), None);
    assert!(
        image.topic_named("foo").is_none(),
        "the image before stays as it was"
    );
}

#[test]
fn defaults_fill_in_for_minus_one() {
    let decision = create(&machine_image(), &[new_topic("foo", -1, -1)]).expect("possible");
    assert_eq!(
        decision.reply[0].as_ref().map(|created| created.partitions),
        Ok(2)
    );
}

#[test]
fn names_are_refused_as_kafka_refuses_them() {
    let image = created_image(&["foo", "f.o_o"]);
    for (name, code, message) in [
        (
            "foo",
            ErrorCode::TopicAlreadyExists,
            "Topic 'foo' already exists.",
        ),
        (
            "f_o_o",
            ErrorCode::InvalidTopicException,
            "Topic 'f_o_o' collides with existing topic: f.o_o",
        ),
        (
            "f_o.o",
            ErrorCode::InvalidTopicException,
            "Topic 'f_o.o' collides with existing topic: f.o_o",
        ),
        (
            "",
            ErrorCode::InvalidTopicException,
            "Topic name is invalid: the empty string is not allowed",
        ),
        (
            "..",
            ErrorCode::InvalidTopicException,
            "Topic name is invalid: '..' is not allowed",
        ),
        (
            "__cluster_metadata",
            ErrorCode::InvalidRequest,
            "Creation of internal topic __cluster_metadata is prohibited.",
        ),
    ] {
        assert_eq!(
            refusal(&image, new_topic(name, 1, 1)),
            (code, message.to_owned())
        );
    }
}

#[test]
fn a_name_that_a_request_repeats_is_refused_each_time() {
    let topics = [
        new_topic("a", 1, 1),
        new_topic("b", 1, 1),
        new_topic("a", 1, 1),
    ];
    let reply = create(&machine_image(), &topics).expect("possible").reply;
    let codes: Vec<_> = reply
        .iter()
        .map(|verdict| verdict.as_ref().err().map(|refusal| refusal.code))
        .collect();
    assert_eq!(
        codes,
        [
            Some(ErrorCode::InvalidRequest),
            None,
            Some(ErrorCode::InvalidRequest)
        ]
    );
}

#[test]
fn an_id_that_is_taken_is_refused() {
    let image = created_image(&["foo"]);
    let foo = image.topic_named("foo").expect("created").id;
    for taken in [foo, Uuid::ZERO] {
        let topic = NewTopic {
            id: taken,
            ..new_topic("t", 1, 1)
        };
        assert_eq!(refusal(&image, topic).0, ErrorCode::UnknownServerError);
    }
    let twins = [
        new_topic("a", 1, 1),
        NewTopic {
            name: "b".into(),
            ..new_topic("a", 1, 1)
        },
    ];
    assert!(
        create(&image, &twins)
            .expect("possible")
            .reply
            .iter()
            .all(Result::is_err)
    );
}

#[test]
fn a_configuration_that_no_record_can_hold_is_refused() {
    let long = "x".repeat(32_768);
    for config in [
        (long.as_str().into(), Some("1".into())),
        ("a".into(), Some(long.as_str().into())),
    ] {
        let topic = NewTopic {
            configs: vec![config],
            ..new_topic("t", 1, 1)
        };
        assert_eq!(refusal(&machine_image(), topic).0, ErrorCode::InvalidConfig);
    }
}

#[test]
fn counts_are_refused_as_kafka_refuses_them() {
    for (partitions, factor, code, message) in [
        (
            0,
            1,
            ErrorCode::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        ),
        (
            -2,
            1,
            ErrorCode::InvalidPartitions,
            "Number of partitions was set to an invalid non-positive value.",
        ),
        (
            1,
            0,
            ErrorCode::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ),
        (
            1,
            -2,
            ErrorCode::InvalidReplicationFactor,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ),
        (
            1,
            2,
            ErrorCode::InvalidReplicationFactor,
            "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
        ),
    ] {
        assert_eq!(
            refusal(&machine_image(), new_topic("t", partitions, factor)),
            (code, message.to_owned())
        );
    }
}

#[test]
fn requests_that_are_too_large_are_refused_as_a_whole() {
    for (partitions, message) in [
        (
            &[10_001][..],
            "Excessively large number of partitions per request.",
        ),
        (
            &[5_001, 5_000][..],
            "Excessively large number of partitions per request.",
        ),
        (
            &[i32::MAX, i32::MAX][..],
            "Excessively large number of partitions per request.",
        ),
        (
            &[10_000][..],
            "Unable to perform excessively large batch operation.",
        ),
    ] {
        let topics: Vec<_> = partitions
            .iter()
            .zip(["t", "u"])
            .map(|(count, name)| new_topic(name, *count, 1))
            .collect();
        let refusal = create(&machine_image(), &topics).expect_err("too large");
        assert_eq!(
            (refusal.code, refusal.message.as_str()),
            (ErrorCode::PolicyViolation, message)
        );
    }
    assert!(create(&machine_image(), &[new_topic("t", 9_999, 1)]).is_ok());
}

#[test]
fn assignments_are_refused_as_kafka_refuses_them() {
    let image = after(&machine_image(), &register(2).records);
    for (assignments, message) in [
        (
            vec![(0, on(&[3]))],
            "The manual partition assignment includes broker 3, but no such broker is registered.",
        ),
        (
            vec![(0, on(&[1, 1]))],
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (
            vec![(0, on(&[]))],
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            vec![(1, on(&[1]))],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            vec![(0, on(&[1])), (2, on(&[1]))],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            vec![(0, on(&[1])), (0, on(&[1]))],
            "Found multiple manual partition assignments for partition 0",
        ),
        (
            vec![(0, on(&[1])), (1, on(&[1, 2]))],
            "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s).",
        ),
    ] {
        let topic = NewTopic {
            assignments,
            ..new_topic("t", -1, -1)
        };
        assert_eq!(
            refusal(&image, topic),
            (ErrorCode::InvalidReplicaAssignment, message.to_owned())
        );
    }
    for (partitions, factor) in [(1, -1), (-1, 1)] {
        let topic = NewTopic {
            assignments: vec![(0, on(&[1]))],
            ..new_topic("t", partitions, factor)
        };
        assert_eq!(refusal(&image, topic).0, ErrorCode::InvalidRequest);
    }
    let topic = NewTopic {
        assignments: vec![(1, on(&[1])), (0, on(&[2]))],
        ..new_topic("t", -1, -1)
    };
    let after = after(&image, &create(&image, &[topic]).expect("possible").records);
    let partitions = &after.topic_named("t").expect("created").partitions;
    assert_eq!(
        partitions
            .iter()
            .map(|partition| (partition.leader.0, partition.shard))
            .collect::<Vec<_>>(),
        [(2, None), (1, Some(ShardId(0)))]
    );
}

#[test]
fn a_configuration_is_judged_before_the_counts_and_after_the_name() {
    let bad = |name: &str, partitions| NewTopic {
        configs: vec![("bad".into(), None)],
        ..new_topic(name, partitions, 1)
    };
    let image = created_image(&["foo"]);
    assert_eq!(
        refusal(&image, bad("t", 0)),
        (ErrorCode::InvalidConfig, "bad is bad".to_owned())
    );
    assert_eq!(
        refusal(&image, bad("foo", 1)).0,
        ErrorCode::TopicAlreadyExists
    );
}

#[test]
fn one_impossible_topic_does_not_keep_the_others_from_being_created() {
    let image = machine_image();
    let decision = create(
        &image,
        &[
            new_topic("a", 1, 1),
            new_topic("b", 0, 1),
            new_topic("c", 1, 1),
        ],
    );
    let after = after(&image, &decision.expect("possible").records);
    assert_eq!(
        after
            .topics()
            .map(|topic| topic.name.to_string())
            .collect::<Vec<_>>(),
        ["a", "c"]
    );
}

#[test]
fn partitions_go_to_the_shards_with_the_fewest() {
    let image = machine_image();
    let shards = |image: &MetadataImage, name: &str| {
        let topic = image.topic_named(name).expect("created");
        topic
            .partitions
            .iter()
            .map(|partition| partition.shard.expect("here").0)
            .collect::<Vec<_>>()
    };
    let image = after(
        &image,
        &create(&image, &[new_topic("a", 4, 1)])
            .expect("possible")
            .records,
    );
    assert_eq!(shards(&image, "a"), [0, 1, 2, 0]);
    let image = after(
        &image,
        &create(&image, &[new_topic("b", 3, 1)])
            .expect("possible")
            .records,
    );
    assert_eq!(shards(&image, "b"), [1, 2, 0]);
    assert_eq!(image.partitions_per_shard(), [3, 2, 2]);
    let selector = TopicSelector {
        name: Some("a".into()),
        id: Uuid::ZERO,
    };
    let image = after(&image, &decide_delete_topics(&image, &[selector]).records);
    assert_eq!(image.partitions_per_shard(), [1, 1, 1]);
}

#[test]
fn replicas_and_directories_are_spread() {
    let image = after(&machine_image(), &register(2).records);
    let two = Machine {
        directories: vec![directory(91, 1000), directory(92, 1000)],
        ..machine()
    };
    let decide = |image: &MetadataImage, topic| {
        decide_create_topics(image, &[topic], &rules(&two))
            .expect("possible")
            .records
    };
    let image = after(&image, &decide(&image, new_topic("a", 4, 1)));
    let partitions = &image.topic_named("a").expect("created").partitions;
    let leaders: Vec<i32> = partitions
        .iter()
        .map(|partition| partition.leader.0)
        .collect();
    assert_eq!(leaders, [1, 2, 1, 2]);
    assert_eq!(partitions[0].directories, [id(91)]);
    assert_eq!(
        partitions[1].directories,
        [Uuid::ZERO],
        "another machine chooses its own"
    );
    assert_eq!(partitions[2].directories, [id(92)]);
}

#[test]
fn a_chosen_shard_gets_the_partition_and_is_counted() {
    let image = machine_image();
    let to = |shard: u16| ManualAssignment {
        brokers: vec![1],
        shard: Some(ShardId(shard)),
    };
    let topic = NewTopic {
        assignments: vec![(0, to(2)), (1, to(2)), (2, on(&[1]))],
        ..new_topic("t", -1, -1)
    };
    let after = after(&image, &create(&image, &[topic]).expect("possible").records);
    let partitions = &after.topic_named("t").expect("created").partitions;
    let shards: Vec<_> = partitions.iter().map(|partition| partition.shard).collect();
    assert_eq!(
        shards,
        [Some(ShardId(2)), Some(ShardId(2)), Some(ShardId(0))]
    );
    assert!(
        partitions
            .iter()
            .all(|partition| partition.replicas == [NodeId(1)])
    );
    assert_eq!(after.partitions_per_shard(), [1, 0, 2]);
}
