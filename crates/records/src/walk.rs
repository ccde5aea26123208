//! Walking the records of a batch without allocation, compressed or not.
//!
//! Plain records are walked in one go: they are no larger than what was sent. Compressed ones can be thousands of times
//! larger, so that their walk stops wherever its budget ends, even inside of a record, and goes on from there.

use types::TimestampMs;

use crate::compression::{Decompressors, Stream};
use crate::cursor::{Cursor, Malformed, SliceCursor, StreamCursor};
use crate::{BatchHeader, InvalidBatch, ProduceRules, RecordFault, TimestampType};

/// The greatest timestamp of a batch, and which record has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked {
    pub(crate) max_timestamp: TimestampMs,
    pub(crate) offset_delta: i32,
}

/// Which timestamps are permitted.
#[derive(Clone, Copy, Debug)]
struct TimeBounds {
    earliest: i64,
    latest: i64,
    /// Whether a record must have a time of its own, because the batch claims to be one of LogAppendTime.
    requires_time: bool,
}

impl TimeBounds {
    fn new(header: &BatchHeader, rules: &ProduceRules, now: TimestampMs) -> Self {
        let claims_append_time = header.timestamp_type() == TimestampType::LogAppendTime;
        match rules.timestamp_type {
            // Only the broker stamps: no timestamp is permitted in a batch that says it did.
            TimestampType::LogAppendTime if claims_append_time => Self {
                earliest: i64::MAX,
                latest: i64::MIN,
                requires_time: true,
            },
            TimestampType::LogAppendTime => Self {
                earliest: i64::MIN,
                latest: i64::MAX,
                requires_time: false,
            },
            TimestampType::CreateTime => Self {
                earliest: now.0.saturating_sub(rules.timestamp_before_max_ms),
                latest: now.0.saturating_add(rules.timestamp_after_max_ms),
                requires_time: claims_append_time,
            },
        }
    }

    #[inline]
    fn check(self, timestamp: TimestampMs, index: i32) -> Result<(), InvalidBatch> {
        let Self {
            earliest,
            latest,
            requires_time,
        } = self;
        let is_exempt = timestamp == TimestampMs::NONE && !requires_time;
        let is_inside = (earliest..=latest).contains(&timestamp.0);
        if is_exempt || (is_inside && timestamp != TimestampMs::NONE) {
            return Ok(());
        }
        Err(InvalidBatch::InvalidTimestamp {
            fault: RecordFault { index },
            timestamp,
            earliest,
            latest,
        })
    }
}

/// What each record is held against.
#[derive(Debug)]
pub(crate) struct RecordChecks {
    header: BatchHeader,
    requires_keys: bool,
    bounds: TimeBounds,
    walked: Walked,
}

/// What is known of a record that was walked over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Framing {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    has_key: bool,
}

/// Who is shown the records of a [`SlicedWalk`].
pub(crate) trait Visitor {
    /// What comes of it.
    type Found;

    /// How many records the batch has.
    fn count(&self) -> i32;

    /// Looks at the record at `index`; the walk ends with the first that gives something.
    fn visit(&mut self, index: i32, record: Framing) -> Result<Option<Self::Found>, InvalidBatch>;

    /// What comes of a walk that has gone over all records.
    fn conclude<C: Cursor>(&mut self, cursor: &mut C) -> Result<Self::Found, InvalidBatch>;
}

impl Visitor for RecordChecks {
    type Found = Walked;

    fn count(&self) -> i32 {
        self.header.record_count
    }

    #[inline]
    fn visit(&mut self, index: i32, record: Framing) -> Result<Option<Walked>, InvalidBatch> {
        self.record(index, record).map(|()| None)
    }

    fn conclude<C: Cursor>(&mut self, cursor: &mut C) -> Result<Walked, InvalidBatch> {
        self.finish(cursor)
    }
}

impl RecordChecks {
    pub(crate) fn new(header: &BatchHeader, rules: &ProduceRules, now: TimestampMs) -> Self {
        Self {
            header: *header,
            requires_keys: rules.requires_keys,
            bounds: TimeBounds::new(header, rules, now),
            walked: Walked {
                max_timestamp: TimestampMs::NONE,
                offset_delta: header.last_offset_delta,
            },
        }
    }

    /// What the header alone can tell.
    pub(crate) fn by_header(&self) -> Result<Walked, InvalidBatch> {
        let Walked { offset_delta, .. } = self.walked;
        let max_timestamp = self.header.max_timestamp;
        self.bounds.check(max_timestamp, offset_delta)?;
        Ok(Walked {
            max_timestamp,
            offset_delta,
        })
    }

    /// Checks the record at `index`, whose framing is right.
    #[inline]
    fn record(&mut self, index: i32, record: Framing) -> Result<(), InvalidBatch> {
        if record.offset_delta != index {
            return Err(InvalidBatch::Malformed(
                "the records' offsets are not consecutive",
            ));
        }
        if self.requires_keys && !record.has_key {
            return Err(InvalidBatch::MissingKey(RecordFault { index }));
        }
        let timestamp = self.header.timestamp_of(record.timestamp_delta);
        self.bounds.check(timestamp, index)?;
        if timestamp > self.walked.max_timestamp {
            self.walked = Walked {
                max_timestamp: timestamp,
                offset_delta: index,
            };
        }
        Ok(())
    }

    fn finish<C: Cursor>(&self, cursor: &mut C) -> Result<Walked, InvalidBatch> {
        if !cursor.is_at_end()? {
            return Err(InvalidBatch::Malformed("bytes follow the last record"));
        }
        Ok(self.walked)
    }
}

/// Walks records that are not compressed.
pub(crate) fn walk_plain(records: &[u8], mut checks: RecordChecks) -> Result<Walked, InvalidBatch> {
    let mut cursor = SliceCursor::new(records);
    for index in 0..checks.header.record_count {
        let record = walk_record(&mut cursor)?;
        checks.record(index, record)?;
    }
    checks.finish(&mut cursor)
}

#[inline]
fn walk_record(cursor: &mut SliceCursor<'_>) -> Result<Framing, Malformed> {
    let length = length(cursor)?.ok_or(Malformed::Length)?;
    let start = cursor.position();
    let mut record = read_deltas(cursor)?;
    record.has_key = skip_sized(cursor)?;
    skip_sized(cursor)?;
    let headers = length_of_headers(cursor)?;
    for _ in 0..headers {
        if !skip_sized(cursor)? {
            return Err(Malformed::Length);
        }
        skip_sized(cursor)?;
    }
    if cursor.position() - start != length {
        return Err(Malformed::Length);
    }
    Ok(record)
}

/// The fields between a record's length and its key.
#[inline]
fn read_deltas<C: Cursor>(cursor: &mut C) -> Result<Framing, Malformed> {
    cursor.byte()?;
    Ok(Framing {
        timestamp_delta: cursor.varlong()?,
        offset_delta: cursor.varint()?,
        has_key: false,
    })
}

/// A length; -1 is null.
#[inline]
fn length<C: Cursor>(cursor: &mut C) -> Result<Option<usize>, Malformed> {
    match cursor.varint()? {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).or(Err(Malformed::Length)),
    }
}

#[inline]
fn length_of_headers<C: Cursor>(cursor: &mut C) -> Result<usize, Malformed> {
    length(cursor)?.ok_or(Malformed::Length)
}

/// Passes over a length and that many bytes; `false` if it is null.
#[inline]
fn skip_sized(cursor: &mut SliceCursor<'_>) -> Result<bool, Malformed> {
    let Some(length) = length(cursor)? else {
        return Ok(false);
    };
    cursor.skip(length)?;
    Ok(true)
}

/// What comes next in a record, once the bytes that are to be passed over have gone by.
#[derive(Clone, Copy, Debug)]
enum Next {
    Record,
    Value,
    HeaderCount,
    Header,
    HeaderValue,
}

/// The walk over compressed records.
#[derive(Debug)]
pub(crate) struct SlicedWalk<'a, V> {
    cursor: StreamCursor<'a>,
    visitor: V,
    next: Next,
    /// Bytes of a key or value that are still to be passed over.
    skip: usize,
    index: i32,
    record: Framing,
    /// Where the current record must end.
    end: usize,
    headers_left: usize,
}

impl<'a, V: Visitor> SlicedWalk<'a, V> {
    pub(crate) fn new(stream: Stream<'a>, visitor: V) -> Self {
        Self {
            cursor: StreamCursor::new(stream),
            visitor,
            next: Next::Record,
            skip: 0,
            index: 0,
            record: Framing::default(),
            end: 0,
            headers_left: 0,
        }
    }

    pub(crate) fn into_decompressors(self) -> Decompressors {
        self.cursor.into_decompressors()
    }

    /// Goes on for about `budget` bytes; `None` while there is more.
    pub(crate) fn advance(&mut self, budget: usize) -> Result<Option<V::Found>, InvalidBatch> {
        let pause = self.cursor.position().saturating_add(budget.max(1));
        while self.cursor.position() < pause {
            if self.skip > 0 {
                self.skip -= self.cursor.skip_some(self.skip)?;
            } else if matches!(self.next, Next::Record) && self.index == self.visitor.count() {
                return self.visitor.conclude(&mut self.cursor).map(Some);
            } else if let Some(found) = self.field()? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Reads a few bytes: up to the next ones that can be passed over.
    #[inline]
    fn field(&mut self) -> Result<Option<V::Found>, InvalidBatch> {
        let cursor = &mut self.cursor;
        self.next = match self.next {
            Next::Record => {
                let length = length(cursor)?.ok_or(Malformed::Length)?;
                self.end = cursor.position().saturating_add(length);
                self.record = read_deltas(cursor)?;
                let key = self::length(cursor)?;
                self.record.has_key = key.is_some();
                self.skip = key.unwrap_or(0);
                Next::Value
            }
            Next::Value => {
                self.skip = length(cursor)?.unwrap_or(0);
                Next::HeaderCount
            }
            Next::HeaderCount => {
                self.headers_left = length_of_headers(cursor)?;
                Next::Header
            }
            Next::Header if self.headers_left == 0 => {
                if cursor.position() != self.end {
                    return Err(Malformed::Length.into());
                }
                self.next = Next::Record;
                let index = self.index;
                self.index += 1;
                return self.visitor.visit(index, self.record);
            }
            Next::Header => {
                self.headers_left -= 1;
                self.skip = length(cursor)?.ok_or(Malformed::Length)?;
                Next::HeaderValue
            }
            Next::HeaderValue => {
                self.skip = length(cursor)?.unwrap_or(0);
                Next::Header
            }
        };
        Ok(None)
    }
}
