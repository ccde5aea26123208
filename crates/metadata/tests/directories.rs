//! Which log directory a partition gets, and when it may change.

mod common;

use common::{after, created_image, directory, id, machine, machine_image, new_topic, rules};
use metadata::{
    DirectoryChange, Machine, MetadataImage, decide_create_topics, decide_directory_change,
};
use types::{ErrorCode, PartitionIndex, ShardId};

#[test]
fn directories_get_partitions_by_their_free_space() {
    let directories_of = |free: &[(u8, u64)], image: &MetadataImage, topic| {
        let machine = Machine {
            directories: free
                .iter()
                .map(|(id, free)| directory(*id, *free))
                .collect(),
            ..machine()
        };
        let decision = decide_create_topics(image, &[topic], &rules(&machine));
        after(image, &decision.expect("possible").records)
    };
    let count = |image: &MetadataImage, number: u8| {
        let partitions = image.topics().flat_map(|topic| &topic.partitions);
        partitions
            .filter(|partition| partition.directories == [id(number)])
            .count()
    };
    let empty = machine_image();
    let twice = directories_of(&[(91, 1000), (92, 2000)], &empty, new_topic("a", 9, 1));
    assert_eq!((count(&twice, 91), count(&twice, 92)), (3, 6));
    let later = directories_of(&[(91, 1000), (92, 1000)], &twice, new_topic("b", 3, 1));
    assert_eq!((count(&later, 91), count(&later, 92)), (6, 6), "levelled");
    let full = directories_of(&[(91, 0), (92, 1)], &later, new_topic("c", 4, 1));
    assert_eq!((count(&full, 91), count(&full, 92)), (6, 10));
    let unknown = directories_of(&[(91, 0), (92, 0)], &empty, new_topic("a", 4, 1));
    assert_eq!((count(&unknown, 91), count(&unknown, 92)), (2, 2));
}

#[test]
fn a_directory_changes_only_if_nothing_else_has() {
    let image = created_image(&["a"]);
    let topic = image.topic_named("a").expect("created");
    let partition = &topic.partitions[0];
    let change = DirectoryChange {
        topic_id: topic.id,
        partition: PartitionIndex(0),
        directory: id(91),
        shard: partition.shard.expect("it is here"),
        partition_epoch: partition.partition_epoch,
    };
    let machine = Machine {
        directories: vec![directory(90, 1), directory(91, 1)],
        ..machine()
    };
    let decide = |change: &DirectoryChange| decide_directory_change(&image, &machine, change);
    let decision = decide(&change).expect("nothing has changed");
    let moved = after(&image, &decision.records);
    let now = moved.partition(topic.id, PartitionIndex(0)).expect("there");
    assert_eq!(now.directories, [id(91)]);
    assert_eq!(now.leader_epoch, partition.leader_epoch);
    assert_eq!(now.partition_epoch, partition.partition_epoch + 1);
    let again = decide_directory_change(&moved, &machine, &change);
    let stale = again.expect_err("the epoch has risen").code;
    assert_eq!(stale, ErrorCode::NotLeaderOrFollower);
    let refused = |change| decide(&change).expect_err("impossible").code;
    let (directory, shard) = (id(99), ShardId(7));
    let offline = DirectoryChange {
        directory,
        ..change
    };
    assert_eq!(refused(offline), ErrorCode::LogDirNotFound);
    let elsewhere = DirectoryChange { shard, ..change };
    assert_eq!(refused(elsewhere), ErrorCode::NotLeaderOrFollower);
    let partition = PartitionIndex(50);
    let gone = DirectoryChange {
        partition,
        ..change
    };
    assert_eq!(refused(gone), ErrorCode::UnknownTopicOrPartition);
}
