//! The records of the metadata log: Kafka's where Kafka has one, and two of Logan's own, in Kafka's frame.
//!
//! A record's value is a frame version, the number of its type, the version of its type (all unsigned varints) and
//! the message. Logan's own types have numbers far above Kafka's. A type, a version or a frame that is not known is
//! refused: guessing would lose what another version acknowledged.
//!
//! Source: `org.apache.kafka.server.common.serialization.AbstractApiMessageSerde` and the schemas
//! `common/metadata/*.json` of `org.apache.kafka:kafka-metadata:4.3.1`.

use bytes::Bytes;
pub use protocol::messages::register_broker_record::{BrokerEndpoint, BrokerFeature};
pub use protocol::messages::{
    ConfigRecord, FeatureLevelRecord, PartitionChangeRecord, PartitionRecord, ProducerIdsRecord,
    RegisterBrokerRecord, RemoveTopicRecord, TopicRecord,
};
use protocol::wire::decode_versioned;
use protocol::{DecodeError, Decoder, EncodeError, Encoder, Message};
use types::{Offset, ShardId, Uuid};

use crate::error::MetadataError;

/// The resource type of a topic in a [`ConfigRecord`].
pub const RESOURCE_TOPIC: i8 = 2;

/// The resource type of a broker in a [`ConfigRecord`].
pub const RESOURCE_BROKER: i8 = 4;

/// The resource type of groups in configuration records.
pub const RESOURCE_GROUP: i8 = 32;

/// Which cluster the log belongs to. Logan's own; Kafka keeps it outside the log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRecord {
    /// The cluster's id.
    pub cluster_id: Uuid,
}

/// Which shard of this machine owns a partition. Logan's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementRecord {
    /// The partition's topic.
    pub topic_id: Uuid,
    /// The partition's index.
    pub partition_id: i32,
    /// The shard.
    pub shard: ShardId,
}

/// How many shards this machine runs. Logan's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardCountRecord {
    /// Their number, at least 1.
    pub shards: u16,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataRecord {
    /// A broker started, or its addresses changed.
    RegisterBroker(Box<RegisterBrokerRecord>),
    /// A topic was created; its partitions follow.
    Topic(TopicRecord),
    /// A partition was created, in the order of their indexes.
    Partition(PartitionRecord),
    /// A partition changed.
    PartitionChange(PartitionChangeRecord),
    /// A configuration value was set or removed.
    Config(ConfigRecord),
    /// A topic was deleted, with its partitions and its configuration.
    RemoveTopic(RemoveTopicRecord),
    /// The level of a feature changed.
    FeatureLevel(FeatureLevelRecord),
    /// A block of producer ids was given out.
    ProducerIds(ProducerIdsRecord),
    /// The log was begun.
    Cluster(ClusterRecord),
    /// A partition was put on a shard of this machine.
    Placement(PlacementRecord),
    /// The machine started with another number of shards than before.
    ShardCount(ShardCountRecord),
}

/// The version of the frame around each message.
const FRAME_VERSION: u32 = 1;

/// The numbers of Logan's own types.
const CLUSTER: u32 = 20_000;
const PLACEMENT: u32 = 20_001;
const SHARD_COUNT: u32 = 20_002;

/// The longest string of a record, in bytes: Kafka's limit for every string.
pub const STRING_BYTES_MAX: usize = 32_767;

impl MetadataRecord {
    /// The value of the record in the log.
    ///
    /// # Panics
    ///
    /// If a string is longer than [`STRING_BYTES_MAX`]; decisions refuse such strings.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut encoder = Encoder::with_capacity(128);
        let encoded = match self {
            Self::RegisterBroker(record) => encode(&mut encoder, &**record),
            Self::Topic(record) => encode(&mut encoder, record),
            Self::Partition(record) => encode(&mut encoder, record),
            Self::PartitionChange(record) => encode(&mut encoder, record),
            Self::Config(record) => encode(&mut encoder, record),
            Self::RemoveTopic(record) => encode(&mut encoder, record),
            Self::FeatureLevel(record) => encode(&mut encoder, record),
            Self::ProducerIds(record) => encode(&mut encoder, record),
            Self::Cluster(record) => {
                frame(&mut encoder, CLUSTER, 0);
                encode_uuid(&mut encoder, record.cluster_id);
                Ok(())
            }
            Self::Placement(record) => {
                frame(&mut encoder, PLACEMENT, 0);
                encode_uuid(&mut encoder, record.topic_id);
                encoder.i32(record.partition_id);
                encoder.i32(i32::from(record.shard.0));
                Ok(())
            }
            Self::ShardCount(record) => {
                frame(&mut encoder, SHARD_COUNT, 0);
                encoder.i32(i32::from(record.shards));
                Ok(())
            }
        };
        encoded.expect("the strings of a decision's records are short enough");
        encoder.finish().to_bytes()
    }

    /// Reads the value of the record at `offset`.
    ///
    /// # Errors
    ///
    /// [`MetadataError::UnknownRecord`] and [`MetadataError::MalformedRecord`].
    pub fn decode(value: &[u8], offset: Offset) -> Result<Self, MetadataError> {
        let mut decoder = Decoder::new(Bytes::copy_from_slice(value));
        let mut frame = || {
            Ok([
                decoder.unsigned_varint()?,
                decoder.unsigned_varint()?,
                decoder.unsigned_varint()?,
            ])
        };
        let [frame_version, key, version] =
            frame().map_err(|error: DecodeError| malformed(offset, &error))?;
        let unknown = |what: String| MetadataError::UnknownRecord { offset, what };
        if frame_version != FRAME_VERSION {
            return Err(unknown(format!("frame version {frame_version}")));
        }
        let key_16 = i16::try_from(key).ok();
        let version_16 = i16::try_from(version).ok();
        let (Some(key_16), Some(version_16)) = (key_16, version_16) else {
            return Err(unknown(format!("type {key}, version {version}")));
        };
        let record = decode_message(&mut decoder, key_16, version_16)
            .map_err(|error| malformed(offset, &error))?
            .ok_or_else(|| unknown(format!("type {key}, version {version}")))?;
        decoder
            .finish()
            .map_err(|error| malformed(offset, &error))?;
        Ok(record)
    }
}

fn malformed(offset: Offset, error: &DecodeError) -> MetadataError {
    MetadataError::MalformedRecord {
        offset,
        problem: error.to_string(),
    }
}

fn frame(encoder: &mut Encoder, key: u32, version: u32) {
    encoder.unsigned_varint(FRAME_VERSION);
    encoder.unsigned_varint(key);
    encoder.unsigned_varint(version);
}

fn encode<M: Message>(encoder: &mut Encoder, message: &M) -> Result<(), EncodeError> {
    let key = M::SCHEMA_KEY.and_then(|key| u32::try_from(key).ok());
    let version = u32::try_from(M::LAST_VERSION).expect("versions are not negative");
    frame(encoder, key.expect("a metadata record has a key"), version);
    message.encode(encoder, M::LAST_VERSION)
}

/// `None` is a type or version that is not known.
fn decode_message(
    decoder: &mut Decoder,
    key: i16,
    version: i16,
) -> Result<Option<MetadataRecord>, DecodeError> {
    fn message<M: Message>(
        decoder: &mut Decoder,
        version: i16,
        wrap: impl FnOnce(M) -> MetadataRecord,
    ) -> Result<Option<MetadataRecord>, DecodeError> {
        if !(M::FIRST_VERSION..=M::LAST_VERSION).contains(&version) {
            return Ok(None);
        }
        decode_versioned(decoder, version).map(wrap).map(Some)
    }
    let is = |of: Option<i16>| of == Some(key);
    match (u32::try_from(key), version) {
        _ if is(TopicRecord::SCHEMA_KEY) => message(decoder, version, MetadataRecord::Topic),
        _ if is(PartitionRecord::SCHEMA_KEY) => {
            message(decoder, version, MetadataRecord::Partition)
        }
        _ if is(PartitionChangeRecord::SCHEMA_KEY) => {
            message(decoder, version, MetadataRecord::PartitionChange)
        }
        _ if is(ConfigRecord::SCHEMA_KEY) => message(decoder, version, MetadataRecord::Config),
        _ if is(RemoveTopicRecord::SCHEMA_KEY) => {
            message(decoder, version, MetadataRecord::RemoveTopic)
        }
        _ if is(FeatureLevelRecord::SCHEMA_KEY) => {
            message(decoder, version, MetadataRecord::FeatureLevel)
        }
        _ if is(ProducerIdsRecord::SCHEMA_KEY) => {
            message(decoder, version, MetadataRecord::ProducerIds)
        }
        _ if is(RegisterBrokerRecord::SCHEMA_KEY) => message(decoder, version, |record| {
            MetadataRecord::RegisterBroker(Box::new(record))
        }),
        (Ok(CLUSTER), 0) => Ok(Some(MetadataRecord::Cluster(ClusterRecord {
            cluster_id: decode_uuid(decoder)?,
        }))),
        (Ok(PLACEMENT), 0) => Ok(Some(MetadataRecord::Placement(PlacementRecord {
            topic_id: decode_uuid(decoder)?,
            partition_id: decoder.i32()?,
            shard: decode_shard(decoder)?,
        }))),
        (Ok(SHARD_COUNT), 0) => Ok(Some(MetadataRecord::ShardCount(ShardCountRecord {
            shards: decode_shard(decoder)?.0,
        }))),
        _ => Ok(None),
    }
}

fn encode_uuid(encoder: &mut Encoder, id: Uuid) {
    for half in id.0.chunks_exact(8) {
        encoder.i64(i64::from_be_bytes(
            half.try_into().expect("half of 16 bytes"),
        ));
    }
}

fn decode_uuid(decoder: &mut Decoder) -> Result<Uuid, DecodeError> {
    let (high, low) = (decoder.i64()?, decoder.i64()?);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes());
    Ok(Uuid(bytes))
}

fn decode_shard(decoder: &mut Decoder) -> Result<ShardId, DecodeError> {
    let shard = decoder.i32()?;
    u16::try_from(shard)
        .map(ShardId)
        .or(Err(DecodeError::InvalidLength(i64::from(shard))))
}
