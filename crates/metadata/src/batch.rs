//! Record batches of the metadata log: not compressed, without a producer, all records without headers of their own.

use bytes::Bytes;
use records::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, MAGIC_V2, NewRecord, Record,
    RecordIter,
};
use types::{LeaderEpoch, Offset, TimestampMs};

/// The only attribute that a batch of the metadata log may have.
const CONTROL: i16 = 0x20;

/// Where a batch says its format.
const MAGIC_AT: usize = 16;

/// What a batch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Records.
    Data,
    /// The log itself.
    Control,
}

/// A batch that is intact.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) kind: Kind,
    pub(crate) base_offset: Offset,
    pub(crate) next_offset: Offset,
    pub(crate) size_bytes: usize,
    pub(crate) records: Vec<Record<'a>>,
}

/// Where a batch stands in its log, and when it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) base_offset: Offset,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) now: TimestampMs,
}

/// The batch of these keys and values, of which there is at least one.
pub(crate) fn encode(kind: Kind, place: Place, records: &[(Option<Bytes>, Bytes)]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None).at(place.base_offset, place.epoch);
    if kind == Kind::Control {
        builder = builder.control();
    }
    for (key, value) in records {
        builder.push(&NewRecord {
            timestamp: place.now,
            key: key.as_deref(),
            value: Some(value),
            headers: &[],
        });
    }
    builder
        .build()
        .expect("nothing is compressed, so no codec fails")
}

/// Reads the batch that the bytes begin with. `expected` is the offset that it must have, if that is known.
pub(crate) fn read(bytes: &[u8], expected: Option<Offset>) -> Result<Batch<'_>, String> {
    let header = BatchHeader::parse(bytes).map_err(|error| error.to_string())?;
    let batch = &bytes[..header.size_bytes];
    records::verify_crc(batch).map_err(|error| error.to_string())?;
    let (base_offset, count) = (header.base_offset, header.record_count);
    if expected.is_some_and(|expected| expected != base_offset) || base_offset.0 < 0 {
        return Err(format!("it has offset {base_offset}"));
    }
    if header.attributes & !CONTROL != 0 {
        return Err(format!("its attributes are {:#x}", header.attributes));
    }
    if count < 1 || header.last_offset_delta != count - 1 {
        return Err(format!(
            "it has {count} records up to offset delta {}",
            header.last_offset_delta
        ));
    }
    let records: Result<Vec<_>, _> =
        RecordIter::new(&header, &batch[BATCH_HEADER_BYTES..]).collect();
    Ok(Batch {
        kind: if header.is_control() {
            Kind::Control
        } else {
            Kind::Data
        },
        base_offset,
        next_offset: Offset(base_offset.0.saturating_add(i64::from(count))),
        size_bytes: header.size_bytes,
        records: records.map_err(|error| error.to_string())?,
    })
}

/// Whether an intact batch with a later offset begins anywhere behind the first byte.
pub(crate) fn is_followed_by_another(bytes: &[u8], expected: Option<Offset>) -> bool {
    let last = bytes.len().saturating_sub(BATCH_HEADER_BYTES);
    (1..last).any(|position| {
        let candidate = &bytes[position..];
        // The checksum of what cannot be a batch is not computed: this is linear in practice.
        candidate[MAGIC_AT] == MAGIC_V2.cast_unsigned()
            && read(candidate, None)
                .is_ok_and(|batch| expected.is_none_or(|expected| batch.base_offset > expected))
    })
}
