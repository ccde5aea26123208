//! Records of groups as records of batches, in the log and in snapshots.
//!
//! Key and value are Kafka's; a topic id that has no room in them goes into a header. Plain functions.

use bytes::Bytes;
use groups::record::TOPIC_ID_HEADER;
use groups::{GroupError, GroupRecord};
use records::{BatchBuilder, NewRecord, Record};
use types::TimestampMs;

/// Adds a record to a batch.
pub(super) fn push(builder: &mut BatchBuilder, record: &GroupRecord, timestamp: TimestampMs) {
    let (key, value) = record.encode();
    let topic_id = record.topic_id_beside();
    let header = topic_id
        .as_ref()
        .map(|id| (TOPIC_ID_HEADER.as_bytes(), Some(id.0.as_slice())));
    builder.push(&NewRecord {
        timestamp,
        key: Some(&key),
        value: value.as_deref(),
        headers: header.as_slice(),
    });
}

/// What a record says, as slices of `content`, which is what it was read from.
///
/// # Errors
/// As [`GroupRecord::decode`].
pub(super) fn decode(content: &Bytes, record: &Record<'_>) -> Result<GroupRecord, GroupError> {
    let key = content.slice_ref(record.key.unwrap_or_default());
    let value = record.value.map(|value| content.slice_ref(value));
    let mut decoded = GroupRecord::decode(&key, value.as_ref())?;
    let mut headers = record.headers();
    let topic_id = headers.find(|header| header.key == TOPIC_ID_HEADER.as_bytes());
    if let Some(id) = topic_id.and_then(|header| header.value) {
        decoded.take_topic_id(id);
    }
    Ok(decoded)
}
