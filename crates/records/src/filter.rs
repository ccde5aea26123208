//! Leaving records out of a stored batch: what compaction does to batches.
//!
//! Sans I/O, and in steps: a batch is decompressed, chosen from, written anew and compressed again a piece at a time, so
//! that whoever cleans a log can let others run in between. What stays keeps its offset: base offset, last offset delta
//! and the producer's fields are those of the original, whatever is left out. A batch from which nothing is left out is
//! not touched.
//!
//! Deliberately absent: which records are obsolete. The caller tells for each record.
//!
//! Source: `MemoryRecords.filterTo` of Kafka 4.3.1; KIP-534 for the delete horizon.

use types::TimestampMs;

use crate::batch::{DELETE_HORIZON_BIT, LENGTH_AT, LOG_OVERHEAD_BYTES, header_bytes, set_crc};
use crate::builder::put_varlong;
use crate::compression::{Compressor, STEP_BYTES};
use crate::record::Unpacking;
use crate::{
    BATCH_HEADER_BYTES, BatchHeader, CompressionLevels, InvalidBatch, Record, RecordIter, Scratch,
    TimestampType,
};

/// Records that are looked at in one step.
const RECORDS_A_STEP: usize = 256;

/// The attribute bits that an empty batch keeps: timestamp type, transactional, control.
const EMPTY_BATCH_BITS: i16 = 0x38;

/// What becomes of a batch of which no record is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenEmpty {
    /// It goes.
    Drop,
    /// Its header stays, for its producer's last sequence number or for the last offset.
    Keep,
}

/// How a batch is filtered.
#[derive(Clone, Copy, Debug)]
pub struct FilterRules {
    /// What becomes of it when it is empty.
    pub when_empty: WhenEmpty,
    /// The delete horizon that a batch gets when a tombstone is retained in it for the first time: from that time on
    /// the tombstone may go.
    pub delete_horizon: TimestampMs,
    /// Whether it gets the horizon even without a tombstone: it is the marker of a transaction that has no records left.
    pub is_marker_of_nothing: bool,
    /// The greatest size of its records when decompressed, in bytes.
    pub decompressed_max_bytes: usize,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// Nothing of it stays.
    Dropped,
    /// It stays as it is, byte for byte.
    Unchanged,
    /// It stays in this form, with this many of its records.
    Rewritten {
        /// The batch.
        batch: Vec<u8>,
        /// Records in it.
        record_count: i32,
    },
}

/// A batch on its way through the filter.
#[derive(Debug)]
pub struct BatchFilter<'a> {
    header: BatchHeader,
    rules: FilterRules,
    state: State<'a>,
}

#[derive(Debug)]
enum State<'a> {
    Unpacking(Unpacking<'a, 'a>),
    Choosing(Choice<'a>),
    Rewriting(Rewrite<'a>),
    Packing(Packing),
    Done,
}

/// The records, and which of them are retained so far.
#[derive(Debug)]
struct Choice<'a> {
    records: &'a [u8],
    rest: RecordIter<'a>,
    retained: Vec<bool>,
    retained_count: i32,
    has_tombstone: bool,
}

/// The retained records, written anew.
#[derive(Debug)]
struct Rewrite<'a> {
    rest: RecordIter<'a>,
    retained: std::vec::IntoIter<bool>,
    record_count: i32,
    horizon: Option<TimestampMs>,
    /// Which the records' timestamps are relative to.
    base_timestamp: Option<TimestampMs>,
    max_timestamp: TimestampMs,
    /// The part of a record that differs from the original.
    front: Vec<u8>,
    body: Vec<u8>,
}

/// The records on their way into the new batch.
#[derive(Debug)]
struct Packing {
    body: Vec<u8>,
    at: usize,
    compressor: Compressor,
    record_count: i32,
}

impl<'a> BatchFilter<'a> {
    /// Begins with `batch`, whose header is `header` and whose checksum is right.
    ///
    /// # Errors
    /// [`InvalidBatch::UnknownCompression`].
    pub fn new(
        header: &BatchHeader,
        batch: &'a [u8],
        rules: FilterRules,
        scratch: &'a mut Scratch,
    ) -> Result<Self, InvalidBatch> {
        let (decompressors, records) = scratch.parts();
        let max_bytes = rules.decompressed_max_bytes;
        let unpacking = Unpacking::new(decompressors, header, batch, records, max_bytes)?;
        Ok(Self {
            header: *header,
            rules,
            state: State::Unpacking(unpacking),
        })
    }

    /// Takes one step, which is short. `retains` is asked once for each record, in order. `None` until all is done.
    ///
    /// # Errors
    /// [`InvalidBatch`] when the records cannot be read, or not be compressed again.
    ///
    /// # Panics
    /// When it is called again after the last step.
    pub fn advance(
        &mut self,
        retains: &mut impl FnMut(&Record<'_>) -> bool,
    ) -> Result<Option<Filtered>, InvalidBatch> {
        let (state, filtered) = match std::mem::replace(&mut self.state, State::Done) {
            State::Unpacking(mut unpacking) => {
                if unpacking.advance()? {
                    (State::Unpacking(unpacking), None)
                } else {
                    (self.choice_of(unpacking.records()), None)
                }
            }
            State::Choosing(mut choice) => {
                if choice.advance(retains)? {
                    (State::Choosing(choice), None)
                } else {
                    self.decide(choice)
                }
            }
            State::Rewriting(mut rewrite) => {
                if rewrite.advance(&self.header)? {
                    (State::Rewriting(rewrite), None)
                } else {
                    (State::Packing(self.pack(rewrite)?), None)
                }
            }
            State::Packing(mut packing) => {
                if packing.advance()? {
                    (State::Packing(packing), None)
                } else {
                    (State::Done, Some(packing.finish()?))
                }
            }
            State::Done => unreachable!("a finished filter is not asked again"),
        };
        self.state = state;
        Ok(filtered)
    }

    fn choice_of(&self, records: &'a [u8]) -> State<'a> {
        State::Choosing(Choice {
            records,
            rest: RecordIter::new(&self.header, records),
            retained: Vec::new(),
            retained_count: 0,
            has_tombstone: false,
        })
    }

    /// What comes of the choice.
    fn decide(&self, choice: Choice<'a>) -> (State<'a>, Option<Filtered>) {
        let header = &self.header;
        if choice.retained_count == 0 {
            let filtered = match self.rules.when_empty {
                WhenEmpty::Drop => Filtered::Dropped,
                // One that is empty already says all that it can say.
                WhenEmpty::Keep if header.record_count == 0 => Filtered::Unchanged,
                WhenEmpty::Keep => Filtered::Rewritten {
                    batch: empty_batch(header),
                    record_count: 0,
                },
            };
            return (State::Done, Some(filtered));
        }
        let needs_horizon = (choice.has_tombstone || self.rules.is_marker_of_nothing)
            && !header.has_delete_horizon();
        let keeps_all = choice.retained.iter().all(|retained| *retained);
        if keeps_all && !needs_horizon {
            return (State::Done, Some(Filtered::Unchanged));
        }
        let horizon = if needs_horizon {
            Some(self.rules.delete_horizon)
        } else {
            header.has_delete_horizon().then_some(header.base_timestamp)
        };
        let rewrite = Rewrite {
            rest: RecordIter::new(header, choice.records),
            retained: choice.retained.into_iter(),
            record_count: choice.retained_count,
            horizon,
            base_timestamp: horizon,
            max_timestamp: TimestampMs::NONE,
            front: Vec::new(),
            body: Vec::new(),
        };
        (State::Rewriting(rewrite), None)
    }

    fn pack(&self, rewrite: Rewrite<'_>) -> Result<Packing, InvalidBatch> {
        let header = &self.header;
        let codec = header
            .compression()
            .ok_or(InvalidBatch::UnknownCompression)?;
        let max_timestamp = match header.timestamp_type() {
            TimestampType::CreateTime => rewrite.max_timestamp,
            TimestampType::LogAppendTime => header.max_timestamp,
        };
        let attributes = match rewrite.horizon {
            Some(_) => header.attributes | DELETE_HORIZON_BIT,
            None => header.attributes & !DELETE_HORIZON_BIT,
        };
        let new = BatchHeader {
            attributes,
            base_timestamp: rewrite.base_timestamp.unwrap_or(TimestampMs::NONE),
            max_timestamp,
            record_count: rewrite.record_count,
            ..*header
        };
        let compressor = Compressor::new(codec, CompressionLevels::default(), header_bytes(&new));
        Ok(Packing {
            body: rewrite.body,
            at: 0,
            compressor: compressor.or(Err(CANNOT_COMPRESS))?,
            record_count: rewrite.record_count,
        })
    }
}

impl Choice<'_> {
    /// Asks for some records; `false` when that were all.
    fn advance(
        &mut self,
        retains: &mut impl FnMut(&Record<'_>) -> bool,
    ) -> Result<bool, InvalidBatch> {
        for _ in 0..RECORDS_A_STEP {
            let Some(record) = self.rest.next() else {
                return Ok(false);
            };
            let record = record?;
            let is_retained = retains(&record);
            self.retained.push(is_retained);
            if is_retained {
                self.retained_count += 1;
                self.has_tombstone |= record.value.is_none();
            }
        }
        Ok(true)
    }
}

impl Rewrite<'_> {
    /// Writes some records; `false` when that were all.
    fn advance(&mut self, header: &BatchHeader) -> Result<bool, InvalidBatch> {
        for _ in 0..RECORDS_A_STEP {
            let (Some(record), Some(is_retained)) = (self.rest.next(), self.retained.next()) else {
                return Ok(false);
            };
            if is_retained {
                self.push(header, &record?);
            }
        }
        Ok(true)
    }

    fn push(&mut self, header: &BatchHeader, record: &Record<'_>) {
        let base = *self.base_timestamp.get_or_insert(record.timestamp);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.front.clear();
        self.front.push(record.attributes());
        let delta = record.timestamp.0.wrapping_sub(base.0);
        put_varlong(&mut self.front, delta);
        let delta = record.offset.0.wrapping_sub(header.base_offset.0);
        put_varlong(&mut self.front, delta);
        let len = self.front.len() + record.content().len();
        put_varlong(&mut self.body, i64::try_from(len).unwrap_or(i64::MAX));
        self.body.extend_from_slice(&self.front);
        self.body.extend_from_slice(record.content());
    }
}

impl Packing {
    /// Compresses a piece; `false` when that was all.
    fn advance(&mut self) -> Result<bool, InvalidBatch> {
        let rest = &self.body[self.at..];
        let piece = &rest[..rest.len().min(STEP_BYTES)];
        self.compressor.write(piece).or(Err(CANNOT_COMPRESS))?;
        self.at += piece.len();
        Ok(self.at < self.body.len())
    }

    fn finish(self) -> Result<Filtered, InvalidBatch> {
        let batch = self.compressor.finish().or(Err(CANNOT_COMPRESS))?;
        Ok(Filtered::Rewritten {
            batch: sealed(batch)?,
            record_count: self.record_count,
        })
    }
}

const CANNOT_COMPRESS: InvalidBatch =
    InvalidBatch::Malformed("the records cannot be compressed again");

/// Puts length and checksum into a batch that is complete otherwise.
fn sealed(mut batch: Vec<u8>) -> Result<Vec<u8>, InvalidBatch> {
    let length = i32::try_from(batch.len() - LOG_OVERHEAD_BYTES);
    let length = length.or(Err(InvalidBatch::DecompressedTooLarge))?;
    batch[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    set_crc(&mut batch);
    Ok(batch)
}

/// The header of `header`'s batch alone: it still tells offsets and the producer's sequence numbers.
fn empty_batch(header: &BatchHeader) -> Vec<u8> {
    let mut batch = header_bytes(&BatchHeader {
        size_bytes: BATCH_HEADER_BYTES,
        attributes: header.attributes & EMPTY_BATCH_BITS,
        base_timestamp: TimestampMs::NONE,
        record_count: 0,
        ..*header
    });
    set_crc(&mut batch);
    batch
}
