//! A member of a consumer group, as the log describes it.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::Str;
use protocol::messages::consumer_group_current_member_assignment_value::TopicPartitions as RecordedPartitions;
use protocol::messages::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use protocol::messages::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue,
};
use types::Uuid;

use super::names::Names;
use crate::memory::{MEMBER_BYTES, PROTOCOL_BYTES};
use crate::record::GroupRecord;

/// The epoch of a heartbeat that joins.
pub(super) const JOIN_EPOCH: i32 = 0;
/// The epoch of a heartbeat that leaves for good, and of a member that is about to be removed.
pub(super) const LEAVE_EPOCH: i32 = -1;
/// The epoch of a static member's heartbeat that leaves to come back, and of that member while it is away.
pub(super) const STATIC_LEAVE_EPOCH: i32 = -2;

/// Partitions by topic id, each with the epoch at which its member got it.
pub(super) type PartitionEpochs = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// Where a member stands between what it has and what it is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum MemberState {
    /// It has everything that is to be had at its epoch.
    #[default]
    Stable,
    /// It must give partitions away before anything else.
    UnrevokedPartitions,
    /// It waits for partitions that others have still.
    UnreleasedPartitions,
    /// What a newer version wrote.
    Unknown,
}

impl MemberState {
    /// Its number in records.
    fn number(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => i8::MAX,
        }
    }

    fn from_number(number: i8) -> Self {
        match number {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }
}

/// A member.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) member_id: Str,
    pub(super) instance_id: Option<Str>,
    pub(super) rack_id: Option<Str>,
    pub(super) client_id: Str,
    pub(super) client_host: Str,
    /// The topics that it subscribes to by name.
    pub(super) names: Names,
    /// The expression that it subscribes by; an empty one is none.
    pub(super) regex: Option<Str>,
    /// How long it may take to give partitions away, in milliseconds; -1 if it never said.
    pub(super) rebalance_timeout_ms: i32,
    /// The assignor that it asks for.
    pub(super) assignor: Option<Str>,
    /// What is known of a member that speaks the classic protocol; `None` for all others.
    pub(super) classic: Option<ClassicMemberMetadata>,
    pub(super) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: MemberState,
    /// What it has.
    pub(super) assigned: PartitionEpochs,
    /// What it has still and must give away.
    pub(super) revoking: PartitionEpochs,
}

impl Member {
    /// A member that has only just been heard of.
    pub(super) fn new(member_id: Str) -> Self {
        Self {
            member_id,
            instance_id: None,
            rack_id: None,
            client_id: Str::default(),
            client_host: Str::default(),
            names: Names::default(),
            regex: Some(Str::default()),
            rebalance_timeout_ms: -1,
            assignor: None,
            classic: None,
            epoch: JOIN_EPOCH,
            previous_epoch: -1,
            state: MemberState::Stable,
            assigned: PartitionEpochs::new(),
            revoking: PartitionEpochs::new(),
        }
    }

    /// The expression that it subscribes by, if any.
    pub(super) fn regex(&self) -> Option<&Str> {
        self.regex.as_ref().filter(|regex| !regex.is_empty())
    }

    /// Bytes that it takes in memory, roughly, without what it is assigned and the topics that it names: itself, and what
    /// a client can make as large as it likes.
    pub(super) fn len_bytes(&self) -> usize {
        let text = |text: &Option<Str>| text.as_ref().map_or(0, |text| text.len());
        let protocols = self.classic.iter().flat_map(|classic| {
            let protocols = classic.supported_protocols.iter();
            protocols.map(|protocol| PROTOCOL_BYTES + protocol.name.len() + protocol.metadata.len())
        });
        // Its ids are those of its timers, too.
        MEMBER_BYTES
            + 2 * self.member_id.len()
            + 2 * text(&self.instance_id)
            + text(&self.rack_id)
            + self.client_id.len()
            + self.client_host.len()
            + text(&self.regex)
            + text(&self.assignor)
            + protocols.sum::<usize>()
    }

    /// Whether it has all that there is to have at this epoch of the target assignment.
    pub(super) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// Moves on to an epoch.
    pub(super) fn advance_to(&mut self, epoch: i32) {
        self.previous_epoch = self.epoch;
        self.epoch = epoch;
    }

    /// The partitions that nobody else may have: what it has and what it must give away.
    pub(super) fn held(&self) -> impl Iterator<Item = (Uuid, i32)> {
        self.assigned
            .iter()
            .chain(&self.revoking)
            .flat_map(|(topic, partitions)| partitions.keys().map(|partition| (*topic, *partition)))
    }

    /// The epoch at which it got a partition that it has still.
    pub(super) fn assignment_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        [&self.assigned, &self.revoking]
            .into_iter()
            .find_map(|partitions| partitions.get(&topic)?.get(&partition))
            .copied()
    }

    /// What it subscribes to, for the log.
    pub(super) fn metadata_record(&self, group_id: &Str) -> GroupRecord {
        GroupRecord::ConsumerGroupMemberMetadata {
            key: ConsumerGroupMemberMetadataKey {
                group_id: group_id.clone(),
                member_id: self.member_id.clone(),
            },
            value: Some(ConsumerGroupMemberMetadataValue {
                instance_id: self.instance_id.clone(),
                rack_id: self.rack_id.clone(),
                client_id: self.client_id.clone(),
                client_host: self.client_host.clone(),
                subscribed_topic_names: self.names.iter().cloned().collect(),
                subscribed_topic_regex: self.regex.clone(),
                rebalance_timeout_ms: self.rebalance_timeout_ms,
                server_assignor: self.assignor.clone(),
                classic_member_metadata: self.classic.clone(),
            }),
        }
    }

    /// What it has, for the log.
    pub(super) fn assignment_record(&self, group_id: &Str) -> GroupRecord {
        GroupRecord::ConsumerGroupCurrentMemberAssignment {
            key: ConsumerGroupCurrentMemberAssignmentKey {
                group_id: group_id.clone(),
                member_id: self.member_id.clone(),
            },
            value: Some(ConsumerGroupCurrentMemberAssignmentValue {
                member_epoch: self.epoch,
                previous_member_epoch: self.previous_epoch,
                state: self.state.number(),
                assigned_partitions: recorded(&self.assigned),
                partitions_pending_revocation: recorded(&self.revoking),
            }),
        }
    }

    /// Takes over what the log says about its subscription, of which these are the names.
    pub(super) fn apply_metadata(
        &mut self,
        value: &ConsumerGroupMemberMetadataValue,
        names: Names,
    ) {
        let detached = |text: &Option<Str>| text.as_ref().map(Str::detached);
        self.instance_id = detached(&value.instance_id);
        self.rack_id = detached(&value.rack_id);
        self.client_id = value.client_id.detached();
        self.client_host = value.client_host.detached();
        self.names = names;
        self.regex = detached(&value.subscribed_topic_regex);
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.assignor = detached(&value.server_assignor);
        self.classic =
            value
                .classic_member_metadata
                .as_ref()
                .map(|classic| ClassicMemberMetadata {
                    session_timeout_ms: classic.session_timeout_ms,
                    supported_protocols: classic
                        .supported_protocols
                        .iter()
                        .map(|protocol| ClassicProtocol {
                            name: protocol.name.detached(),
                            metadata: Bytes::copy_from_slice(&protocol.metadata),
                        })
                        .collect(),
                });
    }

    /// Takes over what the log says about its assignment.
    pub(super) fn apply_assignment(&mut self, value: &ConsumerGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::from_number(value.state);
        self.assigned = from_recorded(&value.assigned_partitions, value.member_epoch);
        self.revoking = from_recorded(&value.partitions_pending_revocation, value.member_epoch);
    }

    /// Takes over that the log says nothing about its assignment any more.
    pub(super) fn clear_assignment(&mut self) {
        self.epoch = LEAVE_EPOCH;
        self.previous_epoch = LEAVE_EPOCH;
        self.state = MemberState::Stable;
        self.assigned.clear();
        self.revoking.clear();
    }
}

fn recorded(partitions: &PartitionEpochs) -> Vec<RecordedPartitions> {
    partitions
        .iter()
        .map(|(topic_id, partitions)| RecordedPartitions {
            topic_id: *topic_id,
            partitions: partitions.keys().copied().collect(),
            assignment_epochs: Some(partitions.values().copied().collect()),
        })
        .collect()
}

/// Records of versions before 4.3 have no epochs; then all partitions have that of their member.
fn from_recorded(topics: &[RecordedPartitions], member_epoch: i32) -> PartitionEpochs {
    topics
        .iter()
        .map(|topic| {
            let epochs = topic
                .assignment_epochs
                .as_ref()
                .filter(|epochs| epochs.len() == topic.partitions.len());
            let partitions = topic
                .partitions
                .iter()
                .enumerate()
                .map(|(index, partition)| {
                    let epoch = epochs.map_or(member_epoch, |epochs| epochs[index]);
                    (*partition, epoch)
                })
                .collect();
            (topic.topic_id, partitions)
        })
        .collect()
}
