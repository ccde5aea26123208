//! Snapshots: an image as bytes, in the form of Kafka's `.checkpoint` files.
//!
//! A snapshot is a control batch with a header, batches of records that build the image from nothing, and a control
//! batch with a footer. Every batch has its checksum, and a file without its footer is incomplete: a snapshot is
//! used wholly or not at all. The offsets inside count from 0; the name says up to where the snapshot covers the log.
//!
//! Source: `org.apache.kafka.snapshot.Snapshots`, `SnapshotHeaderRecord.json` and `SnapshotFooterRecord.json`.

use bytes::{BufMut as _, Bytes, BytesMut};
use protocol::Str;
use types::{LeaderEpoch, NodeId, Offset, TimestampMs};

use crate::batch::{self, Batch, Kind, Place};
use crate::error::MetadataError;
use crate::image::{Configs, MetadataImage, PartitionImage, TopicImage};
use crate::log;
use crate::record::{
    ClusterRecord, ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord,
    PlacementRecord, ProducerIdsRecord, RESOURCE_BROKER, RESOURCE_GROUP, RESOURCE_TOPIC,
    ShardCountRecord, TopicRecord,
};

/// The ending of a snapshot's file name.
pub const SUFFIX: &str = ".checkpoint";

/// The most records of one batch of a snapshot.
const BATCH_RECORDS_MAX: usize = 1024;

/// The type of a control record that begins a snapshot.
const SNAPSHOT_HEADER: i16 = 3;

/// The type of a control record that ends a snapshot.
const SNAPSHOT_FOOTER: i16 = 4;

/// Which part of the log a snapshot covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The offset after the last record that it covers.
    pub end_offset: Offset,
    /// The leader epoch of that record.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The name of the snapshot's file, for example `00000000000000000042-0000000001.checkpoint`.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.end_offset.0, self.epoch.0)
    }

    /// Reads a file name; `None` if it is none of a complete snapshot.
    #[must_use]
    pub fn parse(file_name: &str) -> Option<Self> {
        let (offset, epoch) = file_name.strip_suffix(SUFFIX)?.split_once('-')?;
        let is_number =
            |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(offset, 20) || !is_number(epoch, 10) {
            return None;
        }
        Some(Self {
            end_offset: Offset(offset.parse().ok()?),
            epoch: LeaderEpoch(epoch.parse().ok()?),
        })
    }
}

/// The snapshot of an image.
///
/// # Panics
///
/// If a string of the image is longer than [`crate::record::STRING_BYTES_MAX`]; decisions refuse such strings.
#[must_use]
pub fn encode(image: &MetadataImage, epoch: LeaderEpoch, now: TimestampMs) -> Bytes {
    let mut bytes = Vec::new();
    let mut base_offset = Offset(0);
    let mut write = |kind: Kind, records: &[(Option<Bytes>, Bytes)]| {
        bytes.extend(batch::encode(
            kind,
            Place {
                base_offset,
                epoch,
                now,
            },
            records,
        ));
        base_offset.0 += i64::try_from(records.len()).expect("a batch has few records");
    };
    write(Kind::Control, &[control_record(SNAPSHOT_HEADER, Some(now))]);
    for records in records_of(image).chunks(BATCH_RECORDS_MAX) {
        let values: Vec<_> = records
            .iter()
            .map(|record| (None, record.encode()))
            .collect();
        write(Kind::Data, &values);
    }
    write(Kind::Control, &[control_record(SNAPSHOT_FOOTER, None)]);
    bytes.into()
}

/// The image of a snapshot.
///
/// # Errors
///
/// [`MetadataError::DamagedSnapshot`] if the file is incomplete or has changed, and the errors of its records.
pub fn decode(id: SnapshotId, bytes: &[u8]) -> Result<MetadataImage, MetadataError> {
    let mut image = MetadataImage::new();
    let mut position = 0;
    let mut expected = Offset(0);
    let mut is_complete = false;
    while position < bytes.len() {
        let damaged = |problem: &str| MetadataError::DamagedSnapshot {
            position,
            problem: problem.to_owned(),
        };
        if is_complete {
            return Err(damaged("there are bytes behind its footer"));
        }
        let batch =
            batch::read(&bytes[position..], Some(expected)).map_err(|problem| damaged(&problem))?;
        match (position, control_type(&batch)) {
            (0, Some(SNAPSHOT_HEADER)) => {}
            (0, _) => return Err(damaged("it does not begin with a header")),
            (_, Some(SNAPSHOT_FOOTER)) => is_complete = true,
            (_, Some(_)) => return Err(damaged("there is a control record of another type")),
            (_, None) => {
                image.end_offset = expected.0;
                log::apply(&mut image, &batch)?;
            }
        }
        expected = batch.next_offset;
        position += batch.size_bytes;
    }
    if !is_complete {
        let problem = "its footer is missing".to_owned();
        return Err(MetadataError::DamagedSnapshot { position, problem });
    }
    image.end_offset = id.end_offset.0;
    image.changes.forget_before(image.end_offset);
    Ok(image)
}

/// The key is the version 0 and the type; the value is the message's own version 0, the time of the last record of
/// the log in a header, and no tagged fields.
fn control_record(
    control_type: i16,
    last_contained: Option<TimestampMs>,
) -> (Option<Bytes>, Bytes) {
    let mut key = BytesMut::new();
    key.put_i16(0);
    key.put_i16(control_type);
    let mut value = BytesMut::new();
    value.put_i16(0);
    if let Some(time) = last_contained {
        value.put_i64(time.0);
    }
    value.put_u8(0);
    (Some(key.freeze()), value.freeze())
}

/// The type of a control batch's record; `None` for a batch of data. A control record without a type has -1.
fn control_type(batch: &Batch<'_>) -> Option<i16> {
    let key = batch.records.first().and_then(|record| record.key);
    match (batch.kind, key) {
        (Kind::Data, _) => None,
        (Kind::Control, Some([_, _, high, low, ..])) => Some(i16::from_be_bytes([*high, *low])),
        (Kind::Control, _) => Some(-1),
    }
}

/// The records that build the image from nothing.
fn records_of(image: &MetadataImage) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    // The metadata version comes first, since it says how the rest looks.
    let mut features: Vec<_> = image.features().collect();
    features.sort_by_key(|(name, _)| &***name != crate::METADATA_VERSION);
    records.extend(features.into_iter().map(|(name, feature_level)| {
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: name.clone(),
            feature_level,
        })
    }));
    records.extend(
        image
            .cluster_id
            .map(|cluster_id| MetadataRecord::Cluster(ClusterRecord { cluster_id })),
    );
    records.extend(
        image
            .brokers()
            .map(|broker| MetadataRecord::RegisterBroker(Box::new((**broker).clone()))),
    );
    for (name, configs) in &image.broker_configs {
        records.extend(config_records(RESOURCE_BROKER, name, configs));
    }
    for (name, configs) in &image.group_configs {
        records.extend(config_records(RESOURCE_GROUP, name, configs));
    }
    for topic in image.topics() {
        records.push(MetadataRecord::Topic(TopicRecord {
            name: topic.name.clone(),
            topic_id: topic.id,
        }));
        records.extend(config_records(RESOURCE_TOPIC, &topic.name, &topic.configs));
        for (partition_id, partition) in (0..).zip(&topic.partitions) {
            records.extend(partition_records(topic, partition_id, partition));
        }
    }
    records.extend(
        image
            .shard_count
            .map(|shards| MetadataRecord::ShardCount(ShardCountRecord { shards })),
    );
    if image.next_producer_id > 0 {
        records.push(MetadataRecord::ProducerIds(ProducerIdsRecord {
            broker_id: NodeId::NONE.0,
            broker_epoch: -1,
            next_producer_id: image.next_producer_id,
        }));
    }
    records
}

fn config_records(
    resource_type: i8,
    resource: &Str,
    configs: &Configs,
) -> impl Iterator<Item = MetadataRecord> {
    configs.iter().map(move |(name, value)| {
        MetadataRecord::Config(ConfigRecord {
            resource_type,
            resource_name: resource.clone(),
            name: name.clone(),
            value: Some(value.clone()),
        })
    })
}

fn partition_records(
    topic: &TopicImage,
    partition_id: i32,
    partition: &PartitionImage,
) -> impl Iterator<Item = MetadataRecord> {
    let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
    let record = PartitionRecord {
        partition_id,
        topic_id: topic.id,
        replicas: ids(&partition.replicas),
        isr: ids(&partition.isr),
        leader: partition.leader.0,
        leader_epoch: partition.leader_epoch.0,
        partition_epoch: partition.partition_epoch,
        directories: partition.directories.clone(),
        ..PartitionRecord::default()
    };
    let topic_id = topic.id;
    let placement = partition.shard.map(|shard| PlacementRecord {
        topic_id,
        partition_id,
        shard,
    });
    std::iter::once(MetadataRecord::Partition(record))
        .chain(placement.map(MetadataRecord::Placement))
}
