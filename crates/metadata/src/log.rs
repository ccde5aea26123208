//! The metadata log as bytes: ordinary record batches, each with all records of one decision.
//!
//! The broker appends one batch at a time and the next one only when this one is durable. So a crash can tear the
//! last batch alone; what follows the last intact batch is then cut. An intact batch *behind* a damaged one proves
//! that the disk has changed what was acknowledged, and the log is refused.
//!
//! The file is Kafka's `__cluster_metadata-0/00000000000000000000.log`; Kafka's `DumpLogSegments` reads it.

use bytes::Bytes;
use types::{LeaderEpoch, Offset, TimestampMs, Uuid};

use crate::batch::{self, Batch, Kind, Place};
use crate::error::MetadataError;
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// The directory of the metadata log within a log directory.
pub const DIRECTORY: &str = "__cluster_metadata-0";

/// The file of the metadata log.
pub const FILE: &str = "00000000000000000000.log";

/// The leader epoch of a log that has one voter and so never elects another leader.
pub const LEADER_EPOCH: LeaderEpoch = LeaderEpoch(1);

/// The batch that carries a decision.
///
/// `base_offset` is the [`MetadataImage::end_offset`] of the image that the decision was made on.
///
/// # Panics
///
/// If there are no records.
#[must_use]
pub fn encode_batch(
    records: &[MetadataRecord],
    base_offset: Offset,
    epoch: LeaderEpoch,
    now: TimestampMs,
) -> Bytes {
    let records: Vec<_> = records
        .iter()
        .map(|record| (None, record.encode()))
        .collect();
    batch::encode(
        Kind::Data,
        Place {
            base_offset,
            epoch,
            now,
        },
        &records,
    )
    .into()
}

/// What a log says.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The image after its last intact batch.
    pub image: MetadataImage,
    /// The topics that the log removes.
    pub removed_topics: Vec<Uuid>,
    /// How many bytes the intact batches take; the rest must be cut before the next append.
    pub valid_bytes: usize,
}

/// Applies a log to the image of the snapshot before it, or to an empty one. Records that the snapshot contains are
/// skipped.
///
/// # Errors
///
/// Everything but a torn end: see [`MetadataError`].
pub fn replay(snapshot: MetadataImage, log: &[u8]) -> Result<Replay, MetadataError> {
    let mut image = snapshot;
    let mut removed_topics = Vec::new();
    let mut position = 0;
    let mut expected: Option<Offset> = None;
    while position < log.len() {
        let batch = match batch::read(&log[position..], expected) {
            Ok(batch) => batch,
            Err(problem) if batch::is_followed_by_another(&log[position..], expected) => {
                return Err(MetadataError::Damaged { position, problem });
            }
            Err(_) => break,
        };
        if expected.is_none() && batch.base_offset > image.end_offset() {
            return Err(MetadataError::Gap {
                expected: image.end_offset(),
                found: batch.base_offset,
            });
        }
        apply(&mut image, &batch)?;
        removed_topics.extend(removals(&batch));
        expected = Some(batch.next_offset);
        position += batch.size_bytes;
    }
    Ok(Replay {
        image,
        removed_topics,
        valid_bytes: position,
    })
}

fn removals(batch: &Batch<'_>) -> impl Iterator<Item = Uuid> {
    let offsets = (batch.base_offset.0..).map(Offset);
    let is_data = batch.kind == Kind::Data;
    let records = offsets.zip(batch.records.iter().filter(move |_| is_data));
    records.filter_map(
        |(offset, record)| match MetadataRecord::decode(record.value?, offset) {
            Ok(MetadataRecord::RemoveTopic(record)) => Some(record.topic_id),
            Ok(_) | Err(_) => None,
        },
    )
}

/// Applies what of a batch the image does not contain yet.
pub(crate) fn apply(image: &mut MetadataImage, batch: &Batch<'_>) -> Result<(), MetadataError> {
    for (offset, record) in (batch.base_offset.0..).map(Offset).zip(&batch.records) {
        if offset < image.end_offset() {
            continue;
        }
        match (batch.kind, record.value) {
            // Control records are about the log itself and leave the image as it is.
            (Kind::Control, _) => image.end_offset = offset.0 + 1,
            (Kind::Data, Some(value)) => image.apply(&MetadataRecord::decode(value, offset)?)?,
            (Kind::Data, None) => {
                let problem = "it has no value".to_owned();
                return Err(MetadataError::MalformedRecord { offset, problem });
            }
        }
    }
    Ok(())
}
