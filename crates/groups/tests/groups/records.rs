//! The records' bytes are Kafka's: `kafka/records.txt` holds what Kafka 4.3.1 writes (see `kafka/Records.java`).

use std::collections::BTreeMap;

use bytes::Bytes;
use groups::{GroupError, GroupRecord};
use proptest::prelude::{any, prop};
use proptest::proptest;
use protocol::Str;
use protocol::messages::consumer_group_current_member_assignment_value::TopicPartitions;
use protocol::messages::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use protocol::messages::consumer_group_target_assignment_member_value::TopicPartition;
use protocol::messages::group_metadata_value::MemberMetadata;
use protocol::messages::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
    GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use types::Uuid;

const KAFKAS: &str = include_str!("kafka/records.txt");

const TOPIC: Uuid = Uuid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

const NOW: i64 = 1_700_000_000_000;

const GROUP: Str = Str::from_static("group");

const MEMBER: Str = Str::from_static("member");

fn bytes(hexadecimal: &str) -> Bytes {
    let digits = hexadecimal.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    };
    digits.map(byte).collect()
}

/// Kafka's records by their names: key and value.
fn kafkas() -> BTreeMap<&'static str, (Bytes, Option<Bytes>)> {
    let lines = KAFKAS.lines().map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, key, value] = fields.try_into().expect("three fields");
        (name, (bytes(key), (value != "-").then(|| bytes(value))))
    });
    lines.collect()
}

fn offset(value: Option<OffsetCommitValue>) -> GroupRecord {
    GroupRecord::OffsetCommit {
        key: OffsetCommitKey {
            group: GROUP,
            topic: Str::from_static("topic"),
            partition: 7,
        },
        value,
    }
}

fn group(value: Option<GroupMetadataValue>) -> GroupRecord {
    GroupRecord::GroupMetadata {
        key: GroupMetadataKey { group: GROUP },
        value,
    }
}

/// The same records as this crate has them.
fn ours() -> BTreeMap<&'static str, GroupRecord> {
    let commit = OffsetCommitValue {
        offset: 42,
        leader_epoch: 3,
        metadata: Str::from_static("meta"),
        commit_timestamp: NOW,
        expire_timestamp: -1,
        topic_id: TOPIC,
    };
    let expiring = OffsetCommitValue {
        leader_epoch: -1,
        expire_timestamp: NOW + 60_000,
        topic_id: Uuid::ZERO,
        ..commit.clone()
    };
    let without_id = OffsetCommitValue {
        metadata: Str::default(),
        expire_timestamp: -1,
        ..expiring
    };
    let new = GroupMetadataValue {
        protocol: None,
        leader: None,
        current_state_timestamp: NOW,
        ..GroupMetadataValue::default()
    };
    let empty = GroupMetadataValue {
        protocol_type: Str::from_static("consumer"),
        generation: 5,
        ..new.clone()
    };
    let member = MemberMetadata {
        member_id: MEMBER,
        group_instance_id: Some(Str::from_static("instance")),
        client_id: Str::from_static("client"),
        client_host: Str::from_static("/127.0.0.1"),
        rebalance_timeout: 60_000,
        session_timeout: 10_000,
        subscription: Bytes::from_static(&[1, 2]),
        assignment: Bytes::from_static(&[3, 4]),
    };
    let stable = GroupMetadataValue {
        protocol: Some(Str::from_static("range")),
        leader: Some(MEMBER),
        members: vec![member],
        ..empty.clone()
    };
    let mut records = BTreeMap::from([
        ("offset", offset(Some(commit))),
        ("offset-without-id", offset(Some(without_id))),
        ("offset-that-expires", offset(Some(expiring))),
        ("offset-deleted", offset(None)),
        ("group-new", group(Some(new))),
        ("group-empty", group(Some(empty))),
        ("group", group(Some(stable))),
        ("group-deleted", group(None)),
    ]);
    records.extend(ours_of_consumer_groups());
    records.extend(ours_of_members());
    records
}

fn ours_of_members() -> BTreeMap<&'static str, GroupRecord> {
    let member = |value| GroupRecord::ConsumerGroupMemberMetadata {
        key: ConsumerGroupMemberMetadataKey {
            group_id: GROUP,
            member_id: MEMBER,
        },
        value: Some(value),
    };
    let classic = ConsumerGroupMemberMetadataValue {
        instance_id: None,
        rack_id: None,
        client_id: Str::from_static("client"),
        client_host: Str::from_static("/127.0.0.1"),
        subscribed_topic_names: vec![Str::from_static("topic")],
        subscribed_topic_regex: Some(Str::default()),
        rebalance_timeout_ms: 60_000,
        server_assignor: None,
        classic_member_metadata: Some(ClassicMemberMetadata {
            session_timeout_ms: 10_000,
            supported_protocols: vec![ClassicProtocol {
                name: Str::from_static("range"),
                metadata: Bytes::from_static(&[1, 2]),
            }],
        }),
    };
    let native = ConsumerGroupMemberMetadataValue {
        instance_id: Some(Str::from_static("instance")),
        rack_id: Some(Str::from_static("rack")),
        subscribed_topic_regex: Some(Str::from_static("t.*")),
        server_assignor: Some(Str::from_static("uniform")),
        classic_member_metadata: None,
        ..classic.clone()
    };
    let partition = |partition, epoch| TopicPartitions {
        topic_id: TOPIC,
        partitions: vec![partition],
        assignment_epochs: Some(vec![epoch]),
    };
    let current = GroupRecord::ConsumerGroupCurrentMemberAssignment {
        key: ConsumerGroupCurrentMemberAssignmentKey {
            group_id: GROUP,
            member_id: MEMBER,
        },
        value: Some(ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: 9,
            previous_member_epoch: 8,
            state: 1,
            assigned_partitions: vec![partition(1, 9)],
            partitions_pending_revocation: vec![partition(2, 8)],
        }),
    };
    let regex = GroupRecord::ConsumerGroupRegularExpression {
        key: ConsumerGroupRegularExpressionKey {
            group_id: GROUP,
            regular_expression: Str::from_static("t.*"),
        },
        value: Some(ConsumerGroupRegularExpressionValue {
            topics: vec![Str::from_static("topic")],
            version: 12,
            timestamp: NOW,
        }),
    };
    BTreeMap::from([
        ("member", member(native)),
        ("member-classic", member(classic)),
        ("current", current),
        ("regex", regex),
    ])
}

fn ours_of_consumer_groups() -> BTreeMap<&'static str, GroupRecord> {
    let target = TopicPartition {
        topic_id: TOPIC,
        partitions: vec![1],
    };
    let regular_expression = Str::from_static("t.*");
    BTreeMap::from([
        (
            "epoch",
            GroupRecord::ConsumerGroupMetadata {
                key: ConsumerGroupMetadataKey { group_id: GROUP },
                value: Some(ConsumerGroupMetadataValue {
                    epoch: 9,
                    metadata_hash: 77,
                }),
            },
        ),
        (
            "target",
            GroupRecord::ConsumerGroupTargetAssignmentMember {
                key: ConsumerGroupTargetAssignmentMemberKey {
                    group_id: GROUP,
                    member_id: MEMBER,
                },
                value: Some(ConsumerGroupTargetAssignmentMemberValue {
                    topic_partitions: vec![target],
                }),
            },
        ),
        (
            "target-epoch",
            GroupRecord::ConsumerGroupTargetAssignmentMetadata {
                key: ConsumerGroupTargetAssignmentMetadataKey { group_id: GROUP },
                value: Some(ConsumerGroupTargetAssignmentMetadataValue {
                    assignment_epoch: 9,
                    assignment_timestamp: NOW,
                }),
            },
        ),
        (
            "partitions-deleted",
            GroupRecord::ConsumerGroupPartitionMetadata {
                key: ConsumerGroupPartitionMetadataKey { group_id: GROUP },
                value: None,
            },
        ),
        (
            "current-deleted",
            GroupRecord::ConsumerGroupCurrentMemberAssignment {
                key: ConsumerGroupCurrentMemberAssignmentKey {
                    group_id: GROUP,
                    member_id: MEMBER,
                },
                value: None,
            },
        ),
        (
            "member-deleted",
            GroupRecord::ConsumerGroupMemberMetadata {
                key: ConsumerGroupMemberMetadataKey {
                    group_id: GROUP,
                    member_id: MEMBER,
                },
                value: None,
            },
        ),
        (
            "regex-deleted",
            GroupRecord::ConsumerGroupRegularExpression {
                key: ConsumerGroupRegularExpressionKey {
                    group_id: GROUP,
                    regular_expression,
                },
                value: None,
            },
        ),
    ])
}

#[test]
fn records_are_written_as_kafka_writes_them() {
    let kafkas = kafkas();
    let ours = ours();
    assert!(ours.keys().eq(kafkas.keys()));
    for (name, record) in ours {
        assert_eq!(record.encode(), kafkas[name], "{name}");
    }
}

#[test]
fn records_of_kafka_are_read() {
    let ours = ours();
    for (name, (key, value)) in kafkas() {
        let record = GroupRecord::decode(&key, value.as_ref());
        assert_eq!(record.as_ref(), Ok(&ours[name]), "{name}");
    }
}

#[test]
fn commits_of_the_first_kafka_brokers_are_read() {
    // Key type 0, value version 0: offset, metadata, timestamp.
    let key = bytes("0000000567726f75700005746f70696300000007");
    let value = bytes("0000000000000000002a00046d6574610000018bcfe56800");
    let expected = offset(Some(OffsetCommitValue {
        offset: 42,
        metadata: Str::from_static("meta"),
        commit_timestamp: NOW,
        ..OffsetCommitValue::default()
    }));
    assert_eq!(GroupRecord::decode(&key, Some(&value)), Ok(expected));
}

#[test]
fn records_of_other_groups_are_told_from_damage() {
    // ShareGroupMetadataKey.
    let unknown = GroupRecord::decode(&bytes("000b000567726f7570"), None);
    assert_eq!(unknown, Err(GroupError::UnknownType(11)));
    for damaged in ["", "00", "0002", "00020009aa", "0002000567726f757000"] {
        let record = GroupRecord::decode(&bytes(damaged), None);
        assert!(
            matches!(
                record,
                Err(GroupError::Malformed(_) | GroupError::Undecodable { .. })
            ),
            "{damaged}: {record:?}"
        );
    }
    // A value of a version that nobody writes.
    let key = bytes("0002000567726f7570");
    let record = GroupRecord::decode(&key, Some(&bytes("0009")));
    assert!(
        matches!(record, Err(GroupError::Undecodable { .. })),
        "{record:?}"
    );
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_the_same(
        key_type in 0..25i16,
        version in 0..6i16,
        key in prop::collection::vec(any::<u8>(), 0..24),
        value in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let key = [&key_type.to_be_bytes()[..], &key].concat();
        let value = [&version.to_be_bytes()[..], &value].concat();
        if let Ok(record) = GroupRecord::decode(&Bytes::from(key), Some(&Bytes::from(value))) {
            let (key, value) = record.encode();
            assert_eq!(GroupRecord::decode(&key, value.as_ref()), Ok(record));
        }
    }
}
