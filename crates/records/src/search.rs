//! Looking for a record by its time, in slices and without keeping what was decompressed.

use types::{Offset, TimestampMs};

use crate::compression::Stream;
use crate::cursor::Cursor;
use crate::walk::{Framing, SlicedWalk, Visitor};
use crate::{BATCH_HEADER_BYTES, BatchHeader, InvalidBatch, RecordIter, Scratch};

/// A record's timestamp and offset.
pub type RecordTime = (TimestampMs, Offset);

/// The search for the first record of a batch, at or after an offset, whose timestamp is wanted.
///
/// Records that are not compressed are looked at in one go: they are no larger than what was sent.
#[derive(Debug)]
pub struct TimestampSearch<'a, W> {
    batch: &'a [u8],
    scratch: Scratch,
    state: State<'a, W>,
}

/// How far the search has come.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each search, and it lives as long as that"
)]
enum State<'a, W> {
    Plain(Wanted<W>),
    Compressed(SlicedWalk<'a, Wanted<W>>),
    Over,
}

/// What is looked for.
#[derive(Debug)]
struct Wanted<W> {
    header: BatchHeader,
    start: Offset,
    is_wanted: W,
}

impl<W: Fn(TimestampMs) -> bool> Wanted<W> {
    fn of(&self, timestamp: TimestampMs, offset: Offset) -> Option<RecordTime> {
        (offset >= self.start && (self.is_wanted)(timestamp)).then_some((timestamp, offset))
    }
}

impl<W: Fn(TimestampMs) -> bool> Visitor for Wanted<W> {
    type Found = Option<RecordTime>;

    fn count(&self) -> i32 {
        self.header.record_count
    }

    #[inline]
    fn visit(&mut self, _: i32, record: Framing) -> Result<Option<Self::Found>, InvalidBatch> {
        let timestamp = self.header.timestamp_of(record.timestamp_delta);
        let delta = i64::from(record.offset_delta);
        let offset = Offset(self.header.base_offset.0.wrapping_add(delta));
        Ok(self.of(timestamp, offset).map(Some))
    }

    fn conclude<C: Cursor>(&mut self, _: &mut C) -> Result<Self::Found, InvalidBatch> {
        Ok(None)
    }
}

impl<'a, W: Fn(TimestampMs) -> bool> TimestampSearch<'a, W> {
    /// Begins with `batch`, whose header is `header`; nothing is looked at yet. At most `len_max_bytes` are decompressed.
    /// The scratch comes back from [`Self::into_scratch`].
    ///
    /// # Errors
    /// [`InvalidBatch::UnknownCompression`].
    pub fn new(
        (header, batch): (&BatchHeader, &'a [u8]),
        mut scratch: Scratch,
        len_max_bytes: usize,
        start: Offset,
        is_wanted: W,
    ) -> Result<Self, InvalidBatch> {
        let Some(codec) = header.compression() else {
            return Err(InvalidBatch::UnknownCompression);
        };
        let wanted = Wanted {
            header: *header,
            start,
            is_wanted,
        };
        let state = if header.is_compressed() {
            let decompressors = std::mem::take(scratch.parts().0);
            let body = &batch[BATCH_HEADER_BYTES..];
            let stream = Stream::new(decompressors, codec, body, len_max_bytes);
            State::Compressed(SlicedWalk::new(stream, wanted))
        } else {
            State::Plain(wanted)
        };
        Ok(Self {
            batch,
            scratch,
            state,
        })
    }

    /// Goes on for about `budget_bytes` of decompressed records; `None` while there is more. Not to be called again after a
    /// result.
    ///
    /// # Errors
    /// [`InvalidBatch::Malformed`] for damaged compressed data, [`InvalidBatch::DecompressedTooLarge`] for too much of it.
    pub fn advance(
        &mut self,
        budget_bytes: usize,
    ) -> Option<Result<Option<RecordTime>, InvalidBatch>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain(wanted) => {
                let body = &self.batch[BATCH_HEADER_BYTES..];
                let records = RecordIter::new(&wanted.header, body).map_while(Result::ok);
                let times = records.map(|record| (record.timestamp, record.offset));
                Some(Ok(times
                    .filter_map(|(timestamp, offset)| wanted.of(timestamp, offset))
                    .next()))
            }
            State::Compressed(mut walk) => {
                let advanced = walk.advance(budget_bytes);
                if let Ok(None) = advanced {
                    self.state = State::Compressed(walk);
                    return None;
                }
                *self.scratch.parts().0 = walk.into_decompressors();
                advanced.transpose()
            }
            State::Over => Some(Ok(None)),
        }
    }

    /// The memory, for the next batch.
    #[must_use]
    pub fn into_scratch(mut self) -> Scratch {
        if let State::Compressed(walk) = self.state {
            *self.scratch.parts().0 = walk.into_decompressors();
        }
        self.scratch
    }
}
