//! How much room a record takes in a batch, at most.

use super::GroupRecord;

/// What a record takes beside its key and its value: lengths, deltas and attributes, all as long as they can get.
const RECORD_OVERHEAD_BYTES: usize = 32;

/// What the fixed fields of a key or a value of the classic types take at most, and the lengths of their strings.
const FIXED_FIELDS_BYTES: usize = 64;

/// What the header of a batch takes.
pub(crate) const BATCH_OVERHEAD_BYTES: usize = 61;

impl GroupRecord {
    /// No less than what a batch takes that holds this record alone. Exact enough to refuse what cannot be written:
    /// too much by a few dozen bytes for each string.
    ///
    /// Records of consumer groups are encoded to find out; the others are computed.
    pub(crate) fn len_bytes_bound(&self) -> usize {
        BATCH_OVERHEAD_BYTES + self.len_in_batch_bytes_bound()
    }

    /// No less than what this record adds to a batch.
    #[must_use]
    pub fn len_in_batch_bytes_bound(&self) -> usize {
        let fixed = RECORD_OVERHEAD_BYTES + 2 * FIXED_FIELDS_BYTES;
        match self {
            Self::OffsetCommit { key, value } => {
                let metadata = value.as_ref().map_or(0, |value| value.metadata.len());
                fixed + key.group.len() + key.topic.len() + metadata
            }
            Self::GroupMetadata { key, value } => {
                let value = value.as_ref().map_or(0, |value| {
                    let text =
                        |text: &Option<protocol::Str>| text.as_ref().map_or(0, |text| text.len());
                    let members = value.members.iter().map(|member| {
                        FIXED_FIELDS_BYTES
                            + member.member_id.len()
                            + text(&member.group_instance_id)
                            + member.client_id.len()
                            + member.client_host.len()
                            + member.subscription.len()
                            + member.assignment.len()
                    });
                    value.protocol_type.len()
                        + text(&value.protocol)
                        + text(&value.leader)
                        + members.sum::<usize>()
                });
                fixed + key.group.len() + value
            }
            Self::ConsumerGroupMetadata { .. }
            | Self::ConsumerGroupPartitionMetadata { .. }
            | Self::ConsumerGroupMemberMetadata { .. }
            | Self::ConsumerGroupTargetAssignmentMetadata { .. }
            | Self::ConsumerGroupTargetAssignmentMember { .. }
            | Self::ConsumerGroupCurrentMemberAssignment { .. }
            | Self::ConsumerGroupRegularExpression { .. } => {
                let (key, value) = self.encode();
                RECORD_OVERHEAD_BYTES + key.len() + value.map_or(0, |value| value.len())
            }
        }
    }
}
