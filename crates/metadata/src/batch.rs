//! Record batches of the metadata log: version 2, not compressed, without a producer.
//!
//! Source: `org.apache.kafka.common.record.DefaultRecordBatch` and `DefaultRecord`.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};
use types::{LeaderEpoch, Offset, TimestampMs};

/// The bytes of a batch before its records.
const HEADER_BYTES: usize = 61;

/// The bytes before those that the length counts.
const LENGTH_END: usize = 12;

/// The first byte that the checksum covers; it stands before it.
const CRC_END: usize = 21;

const MAGIC: i8 = 2;
const CONTROL: i16 = 0x20;

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

/// A record of a batch.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

/// Appends a batch of at least one record; returns the offset after its last one.
pub(crate) fn write(
    out: &mut BytesMut,
    kind: Kind,
    base_offset: Offset,
    epoch: LeaderEpoch,
    now: TimestampMs,
    records: impl ExactSizeIterator<Item = (Option<Bytes>, Bytes)>,
) -> Offset {
    let count = i32::try_from(records.len()).expect("a decision has few records");
    assert!(count > 0, "a batch has a record");
    let mut body = BytesMut::new();
    body.put_i16(if kind == Kind::Control { CONTROL } else { 0 });
    body.put_i32(count - 1);
    body.put_i64(now.0);
    body.put_i64(now.0);
    body.put_i64(-1);
    body.put_i16(-1);
    body.put_i32(-1);
    body.put_i32(count);
    for (index, (key, value)) in (0_i64..).zip(records) {
        write_record(&mut body, index, key.as_deref(), &value);
    }
    let length =
        i32::try_from(body.len() + CRC_END - LENGTH_END).expect("a decision's records fit a batch");
    out.put_i64(base_offset.0);
    out.put_i32(length);
    out.put_i32(epoch.0);
    out.put_i8(MAGIC);
    out.put_u32(crc(&body));
    out.put_slice(&body);
    Offset(base_offset.0 + i64::from(count))
}

fn crc(body: &[u8]) -> u32 {
    u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, body)).expect("CRC-32C has 32 bits")
}

fn write_record(out: &mut BytesMut, offset_delta: i64, key: Option<&[u8]>, value: &[u8]) {
    let mut record = BytesMut::new();
    record.put_i8(0);
    put_varint(&mut record, 0);
    put_varint(&mut record, offset_delta);
    put_field(&mut record, key);
    put_field(&mut record, Some(value));
    put_varint(&mut record, 0);
    put_varint(out, length_of(&record));
    out.put_slice(&record);
}

fn length_of(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).expect("a length fits 63 bits")
}

fn put_field(out: &mut BytesMut, field: Option<&[u8]>) {
    put_varint(out, field.map_or(-1, length_of));
    out.put_slice(field.unwrap_or_default());
}

/// Zigzag, then seven bits a byte, the lowest first.
fn put_varint(out: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f).to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest.to_le_bytes()[0]);
}

/// Reads the batch that the bytes begin with. `expected` is the offset that it must have, if that is known.
pub(crate) fn read(bytes: &[u8], expected: Option<Offset>) -> Result<Batch<'_>, String> {
    if bytes.len() < HEADER_BYTES {
        return Err("there are fewer bytes than a batch has".to_owned());
    }
    let mut header = &bytes[..HEADER_BYTES];
    let base_offset = Offset(header.get_i64());
    let length = usize::try_from(header.get_i32()).ok();
    let size_bytes = length.map(|length| length.saturating_add(LENGTH_END));
    let size_bytes = size_bytes.filter(|size| (HEADER_BYTES..=bytes.len()).contains(size));
    let size_bytes = size_bytes.ok_or("its length is impossible, or it is cut short")?;
    header.advance(4);
    if header.get_i8() != MAGIC {
        return Err("it has another format".to_owned());
    }
    if header.get_u32() != crc(&bytes[CRC_END..size_bytes]) {
        return Err("its checksum is wrong".to_owned());
    }
    if expected.is_some_and(|expected| expected != base_offset) || base_offset.0 < 0 {
        return Err(format!("it has offset {base_offset}"));
    }
    let attributes = header.get_i16();
    if attributes & !CONTROL != 0 {
        return Err(format!("its attributes are {attributes:#x}"));
    }
    let last_offset_delta = header.get_i32();
    header.advance(30);
    let count = header.get_i32();
    if count < 1 || count != last_offset_delta + 1 {
        return Err(format!(
            "it has {count} records up to offset delta {last_offset_delta}"
        ));
    }
    Ok(Batch {
        kind: if attributes == CONTROL {
            Kind::Control
        } else {
            Kind::Data
        },
        base_offset,
        next_offset: Offset(base_offset.0 + i64::from(count)),
        size_bytes,
        records: read_records(&bytes[HEADER_BYTES..size_bytes], count)
            .ok_or("its records are malformed")?,
    })
}

/// Whether an intact batch with a later offset begins anywhere behind the first byte.
pub(crate) fn is_followed_by_another(bytes: &[u8], expected: Option<Offset>) -> bool {
    (1..bytes.len().saturating_sub(HEADER_BYTES)).any(|position| {
        let candidate = &bytes[position..];
        // The checksum of what cannot be a batch is not computed: this is linear in practice.
        let offset = (&candidate[..8]).get_i64();
        let is_later = expected.is_none_or(|expected| offset > expected.0);
        candidate[16] == MAGIC.cast_unsigned()
            && is_later
            && offset >= 0
            && read(candidate, None).is_ok()
    })
}

fn read_records(mut bytes: &[u8], count: i32) -> Option<Vec<Record<'_>>> {
    let mut records = Vec::new();
    for index in 0..count {
        let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
        let (record, rest) = bytes.split_at_checked(length)?;
        records.push(read_record(record, index)?);
        bytes = rest;
    }
    bytes.is_empty().then_some(records)
}

fn read_record(mut bytes: &[u8], index: i32) -> Option<Record<'_>> {
    let (_attributes, rest) = bytes.split_first()?;
    bytes = rest;
    let _timestamp_delta = take_varint(&mut bytes)?;
    if take_varint(&mut bytes)? != i64::from(index) {
        return None;
    }
    let record = Record {
        key: take_field(&mut bytes)?,
        value: take_field(&mut bytes)?,
    };
    let header_count = take_varint(&mut bytes)?;
    (header_count == 0 && bytes.is_empty()).then_some(record)
}

/// The outer `None` is malformed, the inner one null.
fn take_field<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = take_varint(bytes)?;
    if length == -1 {
        return Some(None);
    }
    let (field, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(field))
}

fn take_varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}
