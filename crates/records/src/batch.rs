//! The fixed part of a batch, and walking from batch to batch.

use thiserror::Error;
use types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::Compression;

/// The size of everything before the records.
pub const BATCH_HEADER_BYTES: usize = 61;

/// The size of base offset and length, which the length field does not count.
pub(crate) const LOG_OVERHEAD_BYTES: usize = 12;

/// The format that Logan stores.
pub const MAGIC_V2: i8 = 2;

pub(crate) const LENGTH_AT: usize = 8;
const LEADER_EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;

const COMPRESSION_MASK: i16 = 0x07;
const TIMESTAMP_TYPE_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
pub(crate) const DELETE_HORIZON_BIT: i16 = 0x40;

/// Whose clock stamped the records of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the time of the append.
    LogAppendTime,
}

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes end inside the batch.
    #[error("a batch of {needed} bytes is cut after {available}")]
    Torn {
        /// Bytes that the batch has.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The length field is smaller than the header, or negative.
    #[error("a batch length of {0}")]
    InvalidLength(i32),
    /// A format other than v2.
    #[error("magic {0} is not supported")]
    UnsupportedMagic(i8),
    /// The checksum does not match.
    #[error("the CRC is {stored:#010x} and should be {computed:#010x}")]
    CrcMismatch {
        /// What the batch says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
}

/// The header of a batch, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The size of the whole batch in bytes, header included.
    pub size_bytes: usize,
    /// The epoch of the leader that appended it.
    pub leader_epoch: LeaderEpoch,
    /// The stored CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type, transactional, control and delete-horizon bits.
    pub attributes: i16,
    /// The last record's offset, relative to the base offset.
    pub last_offset_delta: i32,
    /// The first record's timestamp (or the delete horizon).
    pub base_timestamp: TimestampMs,
    /// The greatest timestamp of its records.
    pub max_timestamp: TimestampMs,
    /// Who produced it, or [`ProducerId::NONE`].
    pub producer_id: ProducerId,
    /// The producer's incarnation.
    pub producer_epoch: ProducerEpoch,
    /// The sequence number of its first record, or -1.
    pub base_sequence: i32,
    /// The number of records.
    pub record_count: i32,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..]
        .first_chunk()
        .expect("the header's length was checked")
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which must hold the whole batch.
    ///
    /// # Errors
    /// [`BatchError`]; the checksum is not looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let header = Self::parse_prefix(bytes)?;
        if bytes.len() < header.size_bytes {
            return Err(BatchError::Torn {
                needed: header.size_bytes,
                available: bytes.len(),
            });
        }
        Ok(header)
    }

    /// Reads the header at the start of `bytes`, which may hold less than the whole batch.
    ///
    /// # Errors
    /// [`BatchError`]; the checksum is not looked at.
    pub fn parse_prefix(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() < LOG_OVERHEAD_BYTES + 5 {
            return Err(BatchError::Torn {
                needed: BATCH_HEADER_BYTES,
                available: bytes.len(),
            });
        }
        let length = i32::from_be_bytes(field(bytes, LENGTH_AT));
        let magic = i8::from_be_bytes(field(bytes, MAGIC_AT));
        if magic != MAGIC_V2 {
            return Err(BatchError::UnsupportedMagic(magic));
        }
        let size_bytes = usize::try_from(length)
            .map(|length| length + LOG_OVERHEAD_BYTES)
            .unwrap_or(0);
        if size_bytes < BATCH_HEADER_BYTES {
            return Err(BatchError::InvalidLength(length));
        }
        if bytes.len() < BATCH_HEADER_BYTES {
            return Err(BatchError::Torn {
                needed: size_bytes,
                available: bytes.len(),
            });
        }
        Ok(Self {
            base_offset: Offset(i64::from_be_bytes(field(bytes, 0))),
            size_bytes,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(field(bytes, LEADER_EPOCH_AT))),
            crc: u32::from_be_bytes(field(bytes, CRC_AT)),
            attributes: i16::from_be_bytes(field(bytes, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: TimestampMs(i64::from_be_bytes(field(bytes, 27))),
            max_timestamp: TimestampMs(i64::from_be_bytes(field(bytes, MAX_TIMESTAMP_AT))),
            producer_id: ProducerId(i64::from_be_bytes(field(bytes, 43))),
            producer_epoch: ProducerEpoch(i16::from_be_bytes(field(bytes, 51))),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            record_count: i32::from_be_bytes(field(bytes, 57)),
        })
    }

    /// The offset of its last record.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        Offset(
            self.base_offset
                .0
                .saturating_add(i64::from(self.last_offset_delta)),
        )
    }

    /// The codec, or `None` for a number that Kafka has not assigned.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        Compression::from_id(self.attributes & COMPRESSION_MASK)
    }

    /// Whether the records are compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.attributes & COMPRESSION_MASK != 0
    }

    /// Whose clock stamped the records.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & TIMESTAMP_TYPE_BIT == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// The time of a record that lies this far from the base timestamp.
    #[must_use]
    pub fn timestamp_of(&self, timestamp_delta: i64) -> TimestampMs {
        match self.timestamp_type() {
            TimestampType::CreateTime => {
                TimestampMs(self.base_timestamp.0.wrapping_add(timestamp_delta))
            }
            TimestampType::LogAppendTime => self.max_timestamp,
        }
    }

    /// Whether it belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether it holds control records, which brokers write and clients do not see.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether the base timestamp is a delete horizon (KIP-534).
    #[must_use]
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes & DELETE_HORIZON_BIT != 0
    }

    /// From when on the tombstones in it may go (KIP-534).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<TimestampMs> {
        self.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// Whether an idempotent or transactional producer wrote it.
    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id != ProducerId::NONE
    }

    /// The sequence number of its last record; it wraps from the greatest 31-bit number to 0.
    ///
    /// # Panics
    /// Never: the wrapped sum is a 31-bit number.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        let sum = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        let wrapped = if sum > i64::from(i32::MAX) {
            sum - i64::from(i32::MAX) - 1
        } else {
            sum
        };
        i32::try_from(wrapped).expect("the sum of two 31-bit numbers wraps into 31 bits")
    }
}

/// The CRC-32C of a whole batch as its bytes give it.
///
/// # Panics
/// When `batch` is shorter than a header.
#[must_use]
pub fn crc_of(batch: &[u8]) -> u32 {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[ATTRIBUTES_AT..]);
    u32::try_from(crc).expect("a 32-bit checksum")
}

/// Compares the stored checksum of a whole batch with its bytes.
///
/// # Errors
/// [`BatchError::CrcMismatch`].
///
/// # Panics
/// When `batch` is shorter than a header.
pub fn verify_crc(batch: &[u8]) -> Result<(), BatchError> {
    let stored = u32::from_be_bytes(field(batch, CRC_AT));
    let computed = crc_of(batch);
    if stored == computed {
        Ok(())
    } else {
        Err(BatchError::CrcMismatch { stored, computed })
    }
}

/// Writes base offset and leader epoch into a batch, or into its first [`BATCH_HEADER_BYTES`].
///
/// # Panics
/// When `batch` is shorter than that.
pub fn set_offset_and_epoch(batch: &mut [u8], base_offset: Offset, leader_epoch: LeaderEpoch) {
    batch[..8].copy_from_slice(&base_offset.0.to_be_bytes());
    batch[LEADER_EPOCH_AT..LEADER_EPOCH_AT + 4].copy_from_slice(&leader_epoch.0.to_be_bytes());
}

/// Sets the timestamp type and the greatest timestamp of a whole batch, and recomputes its checksum. With
/// LogAppendTime that timestamp is the time of all its records.
///
/// # Panics
/// When `batch` is shorter than a header.
pub fn set_timestamps(batch: &mut [u8], timestamp_type: TimestampType, max_timestamp: TimestampMs) {
    let others = i16::from_be_bytes(field(batch, ATTRIBUTES_AT)) & !TIMESTAMP_TYPE_BIT;
    let attributes = match timestamp_type {
        TimestampType::CreateTime => others,
        TimestampType::LogAppendTime => others | TIMESTAMP_TYPE_BIT,
    };
    batch[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&max_timestamp.0.to_be_bytes());
    set_crc(batch);
}

/// A header as it is stored. The checksum is left as it stands in `header`.
///
/// # Panics
/// When the batch is larger than 2 GiB.
pub(crate) fn header_bytes(header: &BatchHeader) -> Vec<u8> {
    let length = i32::try_from(header.size_bytes - LOG_OVERHEAD_BYTES);
    let length = length.expect("a batch is smaller than 2 GiB");
    let mut bytes = Vec::with_capacity(header.size_bytes);
    bytes.extend_from_slice(&header.base_offset.0.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&header.leader_epoch.0.to_be_bytes());
    bytes.extend_from_slice(&MAGIC_V2.to_be_bytes());
    bytes.extend_from_slice(&header.crc.to_be_bytes());
    bytes.extend_from_slice(&header.attributes.to_be_bytes());
    bytes.extend_from_slice(&header.last_offset_delta.to_be_bytes());
    bytes.extend_from_slice(&header.base_timestamp.0.to_be_bytes());
    bytes.extend_from_slice(&header.max_timestamp.0.to_be_bytes());
    bytes.extend_from_slice(&header.producer_id.0.to_be_bytes());
    bytes.extend_from_slice(&header.producer_epoch.0.to_be_bytes());
    bytes.extend_from_slice(&header.base_sequence.to_be_bytes());
    bytes.extend_from_slice(&header.record_count.to_be_bytes());
    bytes
}

/// Writes the checksum of a whole batch into it.
pub(crate) fn set_crc(batch: &mut [u8]) {
    let crc = crc_of(batch);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
}

/// Walks whole batches. It ends after the last one, or after the first error.
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    bytes: &'a [u8],
    at: usize,
    failed: bool,
}

impl<'a> BatchIter<'a> {
    /// Begins at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            failed: false,
        }
    }

    /// Where the next batch begins: after an error, the length of what is whole.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Result<(BatchHeader, &'a [u8]), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() || self.failed {
            return None;
        }
        match BatchHeader::parse(rest) {
            Ok(header) => {
                self.at += header.size_bytes;
                Some(Ok((header, &rest[..header.size_bytes])))
            }
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}
