//! The records of `__consumer_offsets`, in Kafka's own formats.
//!
//! A key begins with the number of its type; the key's message follows in version 0. A value begins with the
//! version of its message. A record without a value is a tombstone. Kafka's tools read what is written here, and
//! what Kafka wrote is read, the offset commits of its first versions included. One kind of record has something beside its
//! key and value: [`GroupRecord::topic_id_beside`].
//!
//! Source: `GroupCoordinatorRecordSerde`, `GroupCoordinatorRecordHelpers` and the schemas `common/message/*.json` of
//! `org.apache.kafka:kafka-group-coordinator:4.3.1`.

mod size;
mod topic_id;

use bytes::{Buf as _, Bytes};
use protocol::messages::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupPartitionMetadataValue, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue, GroupMetadataKey, GroupMetadataValue,
    LegacyOffsetCommitKey, LegacyOffsetCommitValue, OffsetCommitKey, OffsetCommitValue,
};
use protocol::wire::{decode_exact, encode_versioned};
use protocol::{Encoder, Message, Str};

use crate::error::GroupError;
pub(crate) use size::BATCH_OVERHEAD_BYTES;
pub use topic_id::TOPIC_ID_HEADER;

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident($key:ident, $group:ident, $value:ident))+) => {
        /// A record; one without a value is a tombstone.
        #[derive(Clone, Debug, PartialEq)]
        pub enum GroupRecord {
            $(
                $(#[$doc])*
                $name {
                    /// What it is about.
                    key: $key,
                    /// What is so from now on; `None` deletes.
                    value: Option<$value>,
                },
            )+
        }

        impl GroupRecord {
            /// The group that it is about.
            #[must_use]
            pub fn group_id(&self) -> &Str {
                match self {
                    $(Self::$name { key, .. } => &key.$group,)+
                }
            }

            /// Whether it deletes.
            #[must_use]
            pub fn is_tombstone(&self) -> bool {
                match self {
                    $(Self::$name { value, .. } => value.is_none(),)+
                }
            }

            /// Its key and its value in the log.
            ///
            /// # Panics
            ///
            /// If a string is longer than Kafka's 32,767 bytes; requests with such strings do not decode.
            #[must_use]
            pub fn encode(&self) -> (Bytes, Option<Bytes>) {
                match self {
                    $(Self::$name { key, value } => (
                        encode_key(key),
                        value.as_ref().map(|value| encode_message(value, value.written_version())),
                    ),)+
                }
            }

            /// Reads a record's key and value.
            ///
            /// # Errors
            ///
            /// [`GroupError::UnknownType`], which is to be skipped, and the others, which mean damage.
            pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Self, GroupError> {
                let (key_type, key) = split(key)?;
                match Some(key_type) {
                    $($key::SCHEMA_KEY => Ok(Self::$name {
                        key: decode_message(key_type, key, 0)?,
                        value: decode_value(key_type, value)?,
                    }),)+
                    LegacyOffsetCommitKey::SCHEMA_KEY => decode_legacy(key_type, key, value),
                    _ => Err(GroupError::UnknownType(key_type)),
                }
            }
        }
    };
}

records! {
    /// The committed offset of a partition.
    OffsetCommit(OffsetCommitKey, group, OffsetCommitValue)
    /// A classic group: its generation and its members with their assignments.
    GroupMetadata(GroupMetadataKey, group, GroupMetadataValue)
    /// The epoch of a consumer group.
    ConsumerGroupMetadata(ConsumerGroupMetadataKey, group_id, ConsumerGroupMetadataValue)
    /// The partitions of a consumer group's topics, as Kafka wrote them before 4.1; only deleted nowadays.
    ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey, group_id, ConsumerGroupPartitionMetadataValue)
    /// A member of a consumer group and what it subscribes to.
    ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey, group_id, ConsumerGroupMemberMetadataValue)
    /// The epoch of a consumer group's target assignment.
    ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey, group_id, ConsumerGroupTargetAssignmentMetadataValue)
    /// What a member of a consumer group is to have.
    ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey, group_id, ConsumerGroupTargetAssignmentMemberValue)
    /// What a member of a consumer group has.
    ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey, group_id, ConsumerGroupCurrentMemberAssignmentValue)
    /// The topics that a regular expression of a consumer group stands for.
    ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey, group_id, ConsumerGroupRegularExpressionValue)
}

/// Which version of a value Kafka 4.3 writes.
trait WrittenVersion: Message {
    /// The version, given what the value holds.
    fn written_version(&self) -> i16 {
        Self::LAST_VERSION
    }
}

impl WrittenVersion for OffsetCommitValue {
    fn written_version(&self) -> i16 {
        // Only version 1 has an expiry of its own, which OffsetCommit requests up to version 4 ask for.
        if self.has_room_for_topic_id() { 4 } else { 1 }
    }
}

impl WrittenVersion for GroupMetadataValue {
    fn written_version(&self) -> i16 {
        // Version 4 differs in its encoding alone, and Kafka keeps writing what older brokers read.
        3
    }
}

impl WrittenVersion for ConsumerGroupMetadataValue {}
impl WrittenVersion for ConsumerGroupPartitionMetadataValue {}
impl WrittenVersion for ConsumerGroupMemberMetadataValue {}
impl WrittenVersion for ConsumerGroupTargetAssignmentMetadataValue {}
impl WrittenVersion for ConsumerGroupTargetAssignmentMemberValue {}
impl WrittenVersion for ConsumerGroupCurrentMemberAssignmentValue {}
impl WrittenVersion for ConsumerGroupRegularExpressionValue {}

trait TopicIdRoom {
    /// Whether the version in which the value is written has a topic id.
    fn has_room_for_topic_id(&self) -> bool;
}

impl TopicIdRoom for OffsetCommitValue {
    fn has_room_for_topic_id(&self) -> bool {
        self.expire_timestamp == NO_TIMESTAMP
    }
}

/// Kafka's "no timestamp".
pub(crate) const NO_TIMESTAMP: i64 = -1;

/// Room for most keys and values; longer ones grow.
const ENCODED_CAPACITY_BYTES: usize = 96;

fn encode_key<M: Message>(key: &M) -> Bytes {
    let key_type = M::SCHEMA_KEY.expect("every key of the schema has a type");
    prefixed(key_type, key, 0)
}

fn encode_message<M: Message>(value: &M, version: i16) -> Bytes {
    prefixed(version, value, version)
}

fn prefixed<M: Message>(prefix: i16, message: &M, version: i16) -> Bytes {
    let mut encoder = Encoder::with_capacity(ENCODED_CAPACITY_BYTES);
    encoder.i16(prefix);
    encode_versioned(&mut encoder, message, version)
        .expect("strings of decoded requests fit, and nothing is null that may not be");
    encoder.finish().to_bytes()
}

/// The number at the start and what follows it.
fn split(bytes: &Bytes) -> Result<(i16, Bytes), GroupError> {
    let mut rest = bytes.clone();
    let number = rest
        .try_get_i16()
        .map_err(|_short| GroupError::Malformed("fewer than two bytes"))?;
    Ok((number, rest))
}

fn decode_message<M: Message>(key_type: i16, bytes: Bytes, version: i16) -> Result<M, GroupError> {
    if !(M::FIRST_VERSION..=M::LAST_VERSION).contains(&version) {
        let source = protocol::DecodeError::UnsupportedVersion(version);
        return Err(GroupError::Undecodable { key_type, source });
    }
    decode_exact(bytes, version).map_err(|source| GroupError::Undecodable { key_type, source })
}

fn decode_value<M: Message>(key_type: i16, value: Option<&Bytes>) -> Result<Option<M>, GroupError> {
    let Some(value) = value else { return Ok(None) };
    let (version, value) = split(value)?;
    decode_message(key_type, value, version).map(Some)
}

/// An offset commit under the key that Kafka used up to 0.8.2.
fn decode_legacy(
    key_type: i16,
    key: Bytes,
    value: Option<&Bytes>,
) -> Result<GroupRecord, GroupError> {
    let key: LegacyOffsetCommitKey = decode_message(key_type, key, 0)?;
    let value: Option<LegacyOffsetCommitValue> = decode_value(key_type, value)?;
    Ok(GroupRecord::OffsetCommit {
        key: OffsetCommitKey {
            group: key.group,
            topic: key.topic,
            partition: key.partition,
        },
        value: value.map(|value| OffsetCommitValue {
            offset: value.offset,
            metadata: value.metadata,
            commit_timestamp: value.commit_timestamp,
            ..OffsetCommitValue::default()
        }),
    })
}
