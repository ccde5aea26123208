//! What a broker checks before a client's batch may enter a log.
//!
//! The rules are those of Kafka 4.3.1's `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords` and
//! `LogValidator`. One is stricter: with [`ValidationLevel::Full`] the framing of every record is walked, so that a
//! batch that no consumer could read is refused instead of stored.

use bytes::Bytes;
use thiserror::Error;
use types::TimestampMs;

use crate::compression::{Decompressors, Stream};
use crate::cursor::Malformed;
use crate::record::decompress;
use crate::walk::{RecordChecks, SlicedWalk, Walked, walk_plain};
use crate::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchError, BatchHeader, Compression, CompressionLevels,
    NewRecord, RecordIter, TimestampType, set_timestamps, verify_crc,
};

/// The fewest bytes that a record takes: its length and six fields of a byte each.
const RECORD_BYTES_MIN: usize = 7;

/// How much of a batch is looked at (`logan.produce.validation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidationLevel {
    /// Everything: checksum, header, and the framing of each record.
    Full,
    /// Checksum and header, as far as they alone can tell.
    Header,
}

/// What a topic demands of a batch.
#[derive(Clone, Copy, Debug)]
pub struct ProduceRules {
    /// `logan.produce.validation`.
    pub level: ValidationLevel,
    /// `max.message.bytes`: the greatest size of a batch.
    pub batch_size_max_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// Whether every record needs a key, as in a compacted topic.
    pub requires_keys: bool,
    /// `compression.type`; `None` keeps what the producer chose.
    pub compression: Option<Compression>,
    /// Levels for recompression.
    pub levels: CompressionLevels,
    /// Whether the request's version allows Zstandard (Produce v7, KIP-110).
    pub allows_zstd: bool,
    /// The greatest size of a batch's records when decompressed.
    pub decompressed_max_bytes: usize,
}

/// A batch that may be appended.
#[derive(Clone, Debug)]
pub struct ValidBatch {
    /// Its header, as it will be stored but for base offset and leader epoch.
    pub header: BatchHeader,
    /// The greatest timestamp and the relative offset of the first record that has it.
    pub max_timestamp: TimestampMs,
    /// See `max_timestamp`; with LogAppendTime or header validation it is the last record's.
    pub max_timestamp_offset_delta: i32,
    /// What is to be stored instead of what was sent: restamped or recompressed.
    pub replacement: Option<Bytes>,
}

/// A record that a batch was refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFault {
    /// The index of the record in its batch.
    pub index: i32,
}

/// Why a batch was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidBatch {
    /// No batch, or more than one (INVALID_RECORD).
    #[error("a produce request carries exactly one record batch a partition")]
    NotOneBatch,
    /// An old format (INVALID_RECORD).
    #[error("a produce request carries record batches of magic version 2 only, not {0}")]
    UnsupportedMagic(i8),
    /// Zstandard before the version that knows it (UNSUPPORTED_COMPRESSION_TYPE).
    #[error("zstd needs a produce request of version 7 or later")]
    ZstdTooEarly,
    /// A codec that is not assigned (UNSUPPORTED_COMPRESSION_TYPE).
    #[error("an unknown compression codec")]
    UnknownCompression,
    /// Bytes that are no batch, or a checksum that does not match (CORRUPT_MESSAGE).
    #[error("{0}")]
    Corrupt(#[from] BatchError),
    /// A batch above `max.message.bytes` (MESSAGE_TOO_LARGE).
    #[error("the batch is {size} bytes and the greatest permitted size is {max}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The greatest size in bytes.
        max: usize,
    },
    /// A header that contradicts itself, or something only brokers may write (INVALID_RECORD).
    #[error("{0}")]
    InvalidHeader(&'static str),
    /// Records that cannot be read (INVALID_RECORD).
    #[error("{0}")]
    Malformed(&'static str),
    /// Compressed records beyond the limit (INVALID_RECORD).
    #[error("the records are larger than permitted when decompressed")]
    DecompressedTooLarge,
    /// A record without a key in a compacted topic (INVALID_RECORD).
    #[error("Compacted topic cannot accept message without key.")]
    MissingKey(RecordFault),
    /// A timestamp out of range (INVALID_TIMESTAMP).
    #[error(
        "the timestamp {timestamp} of a record is out of range: it must lie between {earliest} and {latest}"
    )]
    InvalidTimestamp {
        /// The record.
        fault: RecordFault,
        /// Its timestamp.
        timestamp: TimestampMs,
        /// The earliest permitted.
        earliest: i64,
        /// The latest permitted.
        latest: i64,
    },
}

impl From<Malformed> for InvalidBatch {
    fn from(fault: Malformed) -> Self {
        match fault {
            Malformed::Truncated => Self::Malformed("the records end inside a record"),
            Malformed::Varint => Self::Malformed("a record holds a number that is too long"),
            Malformed::Length => Self::Malformed("a record's lengths do not fit"),
            Malformed::TooLarge => Self::DecompressedTooLarge,
            Malformed::Compression => Self::Malformed("the compressed records are damaged"),
        }
    }
}

/// Memory that validation uses again for the next batch; one for each shard. It allocates nothing before it is needed.
#[derive(Debug, Default)]
pub struct Scratch {
    decompressors: Decompressors,
    records: Vec<u8>,
}

impl Scratch {
    /// Its parts. An unusually large buffer of the batch before is given back.
    pub(crate) fn parts(&mut self) -> (&mut Decompressors, &mut Vec<u8>) {
        if self.records.capacity() > RECORDS_RETAINED_MAX_BYTES {
            self.records = Vec::new();
        }
        (&mut self.decompressors, &mut self.records)
    }
}

/// Decompressed records beyond this are given back after a recompression.
const RECORDS_RETAINED_MAX_BYTES: usize = 1 << 20;

/// Checks what a produce request has for one partition, in one go.
///
/// # Errors
/// [`InvalidBatch`]; each variant names Kafka's error code.
pub fn validate_produce(
    records: &[u8],
    rules: &ProduceRules,
    now: TimestampMs,
    scratch: &mut Scratch,
) -> Result<ValidBatch, InvalidBatch> {
    let produced = Produced {
        records,
        rules,
        now,
    };
    match produced.begin(&mut scratch.decompressors)? {
        Begun::Walked(header, walked) => produced.conclude(header, walked, scratch),
        Begun::Compressed(header, mut walk) => {
            let result = loop {
                match walk.advance(usize::MAX) {
                    Ok(None) => {}
                    Ok(Some(walked)) => break Ok(walked),
                    Err(error) => break Err(error),
                }
            };
            scratch.decompressors = walk.into_decompressors();
            produced.conclude(header, result?, scratch)
        }
    }
}

/// The same check in slices, for batches that may be large when decompressed: a shard serves others in between.
///
/// What is not sliced is bounded by the batch's size as it was sent: its checksum, and records that are not compressed.
/// A recompression, which only a topic's `compression.type` can demand, is not sliced either: it belongs on another thread.
#[derive(Debug)]
pub struct Validation<'a> {
    produced: Produced<'a>,
    scratch: Scratch,
    /// Once the header is known to be right and compressed records are to be walked.
    walk: Option<(BatchHeader, SlicedWalk<'a, RecordChecks>)>,
}

impl<'a> Validation<'a> {
    /// Begins; nothing is looked at yet. The scratch comes back from [`Self::into_scratch`].
    #[must_use]
    pub fn new(
        records: &'a [u8],
        rules: &'a ProduceRules,
        now: TimestampMs,
        scratch: Scratch,
    ) -> Self {
        let produced = Produced {
            records,
            rules,
            now,
        };
        Self {
            produced,
            scratch,
            walk: None,
        }
    }

    /// Goes on for about `budget_bytes` of decompressed records (rounded up to a block of the codec, 64 KiB for most);
    /// `None` while there is more. Not to be called again after a result.
    pub fn advance(&mut self, budget_bytes: usize) -> Option<Result<ValidBatch, InvalidBatch>> {
        let Self {
            produced, scratch, ..
        } = self;
        let (header, mut walk) = match self.walk.take() {
            Some(walk) => walk,
            None => match produced.begin(&mut scratch.decompressors) {
                Ok(Begun::Walked(header, walked)) => {
                    return Some(produced.conclude(header, walked, scratch));
                }
                Ok(Begun::Compressed(header, walk)) => (header, walk),
                Err(error) => return Some(Err(error)),
            },
        };
        let walked = match walk.advance(budget_bytes) {
            Ok(None) => {
                self.walk = Some((header, walk));
                return None;
            }
            Ok(Some(walked)) => Ok(walked),
            Err(error) => Err(error),
        };
        scratch.decompressors = walk.into_decompressors();
        Some(walked.and_then(|walked| produced.conclude(header, walked, scratch)))
    }

    /// The memory, for the next batch.
    #[must_use]
    pub fn into_scratch(mut self) -> Scratch {
        if let Some((_, walk)) = self.walk {
            self.scratch.decompressors = walk.into_decompressors();
        }
        self.scratch
    }
}

/// What came for a partition, and what it is held against.
#[derive(Clone, Copy, Debug)]
struct Produced<'a> {
    records: &'a [u8],
    rules: &'a ProduceRules,
    now: TimestampMs,
}

impl<'a> Produced<'a> {
    /// Everything before compressed records.
    fn begin(self, decompressors: &mut Decompressors) -> Result<Begun<'a>, InvalidBatch> {
        let Self {
            records,
            rules,
            now,
        } = self;
        let header = only_batch(records)?;
        check_envelope(&header, rules)?;
        verify_crc(records)?;
        let codec = check_header(&header)?;
        let checks = RecordChecks::new(&header, rules, now);
        let body = &records[BATCH_HEADER_BYTES..];
        Ok(match (rules.level, codec) {
            (ValidationLevel::Header, _) => Begun::Walked(header, checks.by_header()?),
            (ValidationLevel::Full, Compression::None) => {
                Begun::Walked(header, walk_plain(body, checks)?)
            }
            (ValidationLevel::Full, _) => {
                let decompressors = std::mem::take(decompressors);
                let stream = Stream::new(decompressors, codec, body, rules.decompressed_max_bytes);
                Begun::Compressed(header, SlicedWalk::new(stream, checks))
            }
        })
    }

    /// Makes what is to be stored, where that is not what was sent.
    fn conclude(
        self,
        header: BatchHeader,
        walked: Walked,
        scratch: &mut Scratch,
    ) -> Result<ValidBatch, InvalidBatch> {
        let Self {
            records,
            rules,
            now,
        } = self;
        let is_stamped = rules.timestamp_type == TimestampType::LogAppendTime;
        let max_timestamp = if is_stamped {
            now
        } else {
            walked.max_timestamp
        };
        let stamp = (header.timestamp_type(), header.max_timestamp);
        let target = rules
            .compression
            .filter(|target| Some(*target) != header.compression());
        let mut replacement = match target {
            Some(target) => rebuild(records, &header, target, rules, scratch)?,
            None if stamp != (rules.timestamp_type, max_timestamp) => records.to_vec(),
            None => {
                return Ok(ValidBatch {
                    header,
                    max_timestamp,
                    max_timestamp_offset_delta: walked.offset_delta,
                    replacement: None,
                });
            }
        };
        set_timestamps(&mut replacement, rules.timestamp_type, max_timestamp);
        let header = BatchHeader::parse(&replacement)?;
        Ok(ValidBatch {
            header,
            max_timestamp,
            max_timestamp_offset_delta: if is_stamped {
                header.last_offset_delta
            } else {
                walked.offset_delta
            },
            replacement: Some(replacement.into()),
        })
    }
}

/// How far [`Produced::begin`] came.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for the length of a call"
)]
enum Begun<'a> {
    /// Nothing is left to be checked.
    Walked(BatchHeader, Walked),
    Compressed(BatchHeader, SlicedWalk<'a, RecordChecks>),
}

/// The header of the one batch that fills all of `records`.
fn only_batch(records: &[u8]) -> Result<BatchHeader, InvalidBatch> {
    let header = BatchHeader::parse(records).map_err(|error| match error {
        // Kafka sees no batch in what is cut, and knows the old formats well enough to tell.
        BatchError::Torn { .. } => InvalidBatch::NotOneBatch,
        BatchError::UnsupportedMagic(magic @ 0..=1) => InvalidBatch::UnsupportedMagic(magic),
        error => InvalidBatch::Corrupt(error),
    })?;
    if header.size_bytes == records.len() {
        Ok(header)
    } else {
        Err(InvalidBatch::NotOneBatch)
    }
}

/// What Kafka checks before it looks at the checksum. All else comes later: a client sends a batch again that was
/// damaged on its way, and gives up on one that is wrong.
fn check_envelope(header: &BatchHeader, rules: &ProduceRules) -> Result<(), InvalidBatch> {
    if header.compression() == Some(Compression::Zstd) && !rules.allows_zstd {
        return Err(InvalidBatch::ZstdTooEarly);
    }
    if header.base_offset.0 != 0 {
        return Err(InvalidBatch::InvalidHeader(
            "The baseOffset of the record batch should be 0",
        ));
    }
    if header.size_bytes > rules.batch_size_max_bytes {
        return Err(InvalidBatch::TooLarge {
            size: header.size_bytes,
            max: rules.batch_size_max_bytes,
        });
    }
    Ok(())
}

fn check_header(header: &BatchHeader) -> Result<Compression, InvalidBatch> {
    let Some(codec) = header.compression() else {
        return Err(InvalidBatch::UnknownCompression);
    };
    let fault = if header.record_count <= 0 {
        "Record batch has no records"
    } else if header.last_offset_delta.checked_add(1) != Some(header.record_count) {
        "Inconsistent batch offset range and count of records"
    } else if header.is_control() {
        "Clients are not allowed to write control records"
    } else if header.has_delete_horizon() {
        "Clients are not allowed to set a delete horizon"
    } else if header.has_producer_id() && (header.base_sequence < 0 || header.producer_epoch.0 < 0)
    {
        "Invalid sequence number or producer epoch in record batch with producerId"
    } else if header.is_transactional() && !header.has_producer_id() {
        "A transactional record batch without producerId"
    } else if !header.is_compressed() && too_many(header) {
        "The record batch claims more records than its size can hold"
    } else {
        return Ok(codec);
    };
    Err(InvalidBatch::InvalidHeader(fault))
}

fn too_many(header: &BatchHeader) -> bool {
    let count = usize::try_from(header.record_count).unwrap_or(usize::MAX);
    count > (header.size_bytes - BATCH_HEADER_BYTES) / RECORD_BYTES_MIN
}

/// Builds the batch again with another codec.
fn rebuild(
    batch: &[u8],
    header: &BatchHeader,
    codec: Compression,
    rules: &ProduceRules,
    scratch: &mut Scratch,
) -> Result<Vec<u8>, InvalidBatch> {
    let (decompressors, records) = scratch.parts();
    let records = decompress(
        decompressors,
        header,
        batch,
        records,
        rules.decompressed_max_bytes,
    )?;
    let mut builder = BatchBuilder::new(codec).levels(rules.levels).producer(
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    if header.is_transactional() {
        builder = builder.transactional();
    }
    for record in RecordIter::new(header, records) {
        let record = record?;
        let headers: Vec<_> = record
            .headers()
            .map(|header| (header.key, header.value))
            .collect();
        builder.push(&NewRecord {
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: &headers,
        });
    }
    builder.build().or(Err(InvalidBatch::Malformed(
        "the records cannot be compressed again",
    )))
}
