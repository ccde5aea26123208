//! What the log is to say about a consumer group: the records of each part of its state, and their tombstones.

use protocol::Str;
use protocol::messages::consumer_group_target_assignment_member_value::TopicPartition as TargetPartitions;
use protocol::messages::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
};

use super::state::State;
use crate::assignor::Assignment;
use crate::record::GroupRecord;

impl State {
    /// Records that rebuild this state, in the order in which Kafka writes those of a group that it converts.
    pub(super) fn records(&self, group_id: &Str) -> Vec<GroupRecord> {
        if !self.exists {
            return Vec::new();
        }
        let mut records: Vec<GroupRecord> = self
            .members
            .values()
            .map(|member| member.metadata_record(group_id))
            .collect();
        records.push(epoch_record(group_id, self.epoch, self.metadata_hash));
        records.extend(self.resolved.iter().map(|(regex, resolved)| {
            regex_record(
                group_id,
                regex,
                Some(ConsumerGroupRegularExpressionValue::clone(resolved)),
            )
        }));
        records.extend(
            self.targets
                .iter()
                .map(|(member_id, target)| target_record(group_id, member_id, Some(target))),
        );
        records.push(target_epoch_record(
            group_id,
            self.target_epoch,
            self.target_timestamp,
        ));
        records.extend(
            self.members
                .values()
                .map(|member| member.assignment_record(group_id)),
        );
        records
    }

    /// Records that delete this state, in Kafka's order.
    pub(super) fn tombstones(&self, group_id: &Str) -> Vec<GroupRecord> {
        if !self.exists {
            return Vec::new();
        }
        let mut records = Vec::new();
        records.extend(
            self.members
                .keys()
                .map(|member_id| assignment_tombstone(group_id, member_id)),
        );
        records.extend(
            self.targets
                .keys()
                .map(|member_id| target_record(group_id, member_id, None)),
        );
        records.push(GroupRecord::ConsumerGroupTargetAssignmentMetadata {
            key: ConsumerGroupTargetAssignmentMetadataKey {
                group_id: group_id.clone(),
            },
            value: None,
        });
        records.extend(
            self.members
                .keys()
                .map(|member_id| metadata_tombstone(group_id, member_id)),
        );
        records.extend(
            self.resolved
                .keys()
                .map(|regex| regex_record(group_id, regex, None)),
        );
        records.push(GroupRecord::ConsumerGroupPartitionMetadata {
            key: ConsumerGroupPartitionMetadataKey {
                group_id: group_id.clone(),
            },
            value: None,
        });
        records.push(GroupRecord::ConsumerGroupMetadata {
            key: ConsumerGroupMetadataKey {
                group_id: group_id.clone(),
            },
            value: None,
        });
        records
    }
}

pub(super) fn epoch_record(group_id: &Str, epoch: i32, metadata_hash: i64) -> GroupRecord {
    GroupRecord::ConsumerGroupMetadata {
        key: ConsumerGroupMetadataKey {
            group_id: group_id.clone(),
        },
        value: Some(ConsumerGroupMetadataValue {
            epoch,
            metadata_hash,
        }),
    }
}

pub(super) fn target_epoch_record(
    group_id: &Str,
    assignment_epoch: i32,
    assignment_timestamp: i64,
) -> GroupRecord {
    GroupRecord::ConsumerGroupTargetAssignmentMetadata {
        key: ConsumerGroupTargetAssignmentMetadataKey {
            group_id: group_id.clone(),
        },
        value: Some(ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch,
            assignment_timestamp,
        }),
    }
}

pub(super) fn target_record(
    group_id: &Str,
    member_id: &Str,
    target: Option<&Assignment>,
) -> GroupRecord {
    GroupRecord::ConsumerGroupTargetAssignmentMember {
        key: ConsumerGroupTargetAssignmentMemberKey {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
        },
        value: target.map(|target| ConsumerGroupTargetAssignmentMemberValue {
            topic_partitions: target
                .iter()
                .map(|(topic_id, partitions)| TargetPartitions {
                    topic_id: *topic_id,
                    partitions: partitions.clone(),
                })
                .collect(),
        }),
    }
}

pub(super) fn regex_record(
    group_id: &Str,
    regex: &Str,
    value: Option<ConsumerGroupRegularExpressionValue>,
) -> GroupRecord {
    GroupRecord::ConsumerGroupRegularExpression {
        key: ConsumerGroupRegularExpressionKey {
            group_id: group_id.clone(),
            regular_expression: regex.clone(),
        },
        value,
    }
}

pub(super) fn assignment_tombstone(group_id: &Str, member_id: &Str) -> GroupRecord {
    GroupRecord::ConsumerGroupCurrentMemberAssignment {
        key: ConsumerGroupCurrentMemberAssignmentKey {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
        },
        value: None,
    }
}

pub(super) fn metadata_tombstone(group_id: &Str, member_id: &Str) -> GroupRecord {
    GroupRecord::ConsumerGroupMemberMetadata {
        key: ConsumerGroupMemberMetadataKey {
            group_id: group_id.clone(),
            member_id: member_id.clone(),
        },
        value: None,
    }
}
