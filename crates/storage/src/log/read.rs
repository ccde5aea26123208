//! Reading whole batches.
//!
//! A read finds where to begin (a hint of an earlier read, else the index), walks over batch headers, and hands out slices
//! of the pieces in which the batches lie. Batches that came from disk are checked the first time. Nothing is copied,
//! unless readers already hold too much memory; see [`crate::StorageConfig`].

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use io::Io;
use records::{BATCH_HEADER_BYTES, BatchHeader};
use types::Offset;

use super::{Log, LogInner};
use crate::cache::Piece;
use crate::error::ReadError;

/// Where in a batch the bytes begin that its checksum covers.
const CRC_COVERS_FROM: usize = 21;

/// Readers of one log whose position is remembered.
const HINTS_MAX: usize = 16;

/// Damaged ranges that one read looks at closely.
const CLOSE_LOOKS_MAX: usize = 16;

/// What a reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// The first offset wanted. The batch that holds it is returned whole.
    pub offset: Offset,
    /// The most bytes.
    pub max_bytes: usize,
    /// Whether the first batch is returned even when it is larger than `max_bytes`.
    pub min_one_batch: bool,
    /// Nothing at or after this offset is returned: the high watermark for consumers.
    pub end_offset: Offset,
}

/// Whole batches as they are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchData {
    /// Their bytes in order. A batch may go on from one chunk to the next.
    pub chunks: Vec<Bytes>,
    /// The sum of the chunks' lengths.
    pub len_bytes: usize,
    /// The base offset of the first batch, or the offset asked for when there is none.
    pub first_offset: Offset,
    /// The offset after the last batch, or the offset asked for when there is none.
    pub next_offset: Offset,
}

/// Where readers will probably go on.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    recent: VecDeque<(Offset, Place)>,
}

impl Hints {
    fn take(&mut self, offset: Offset) -> Option<Place> {
        let index = self.recent.iter().position(|(next, _)| *next == offset)?;
        self.recent.remove(index).map(|(_, place)| place)
    }

    /// Forgets all places: they mean nothing any more.
    pub(crate) fn clear(&mut self) {
        self.recent.clear();
    }

    fn put(&mut self, offset: Offset, place: Place) {
        if self.recent.len() == HINTS_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((offset, place));
    }
}

/// The begin of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: Offset,
    pub(crate) position: u64,
}

/// A batch that was found: its header and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) header: BatchHeader,
    pub(crate) place: Place,
}

impl Found {
    pub(crate) fn range(&self) -> Range<u64> {
        self.place.position..self.place.position + self.header.size_bytes as u64
    }
}

/// What a read has collected.
#[derive(Default)]
struct Collected {
    chunks: Vec<Bytes>,
    len_bytes: usize,
    /// Consecutive bytes of one piece that were not handed out yet.
    run: Option<(Piece, Range<u64>)>,
    /// Of a reader that goes on where it was: the segment, and how far in it reads were started.
    ran_ahead: Option<(Offset, u64)>,
}

impl<I: Io> Log<I> {
    /// Reads whole batches from `request.offset` on. Without an await when they are in memory. Cancellation leaves reads
    /// from disk to finish for the cache.
    ///
    /// # Errors
    /// [`ReadError`]. Damage behind the first batch only ends the answer there.
    pub async fn read(&self, request: ReadRequest) -> Result<FetchData, ReadError> {
        self.inner.check_in_range(request.offset)?;
        loop {
            let replacements = self.inner.replacements();
            let result = self.read_in_range(request).await;
            // Else segments were replaced under the read; it begins again with what is there now.
            if self.inner.replacements() == replacements {
                // Segments may have gone meanwhile, with what was to be read, or with what was skipped in front of it.
                self.inner.check_in_range(request.offset)?;
                return result;
            }
        }
    }

    async fn read_in_range(&self, request: ReadRequest) -> Result<FetchData, ReadError> {
        let inner = &self.inner;
        let end_offset = request.end_offset.min(self.log_end_offset());
        let mut data = FetchData {
            chunks: Vec::new(),
            len_bytes: 0,
            first_offset: request.offset,
            next_offset: request.offset,
        };
        if request.offset >= end_offset {
            return Ok(data);
        }
        let hint = inner.state.borrow_mut().hints.take(request.offset);
        let is_sequential = hint.is_some();
        let Some(first) = inner.find_batch(request.offset, hint).await? else {
            return Ok(data);
        };
        data.first_offset = first.header.base_offset;
        let ahead = first.place.position + request.max_bytes as u64;
        let request = ReadRequest {
            end_offset,
            ..request
        };
        let mut collected = Collected {
            ran_ahead: is_sequential.then_some((first.place.segment, 0)),
            ..Collected::default()
        };
        let place = inner
            .collect(&request, first, ahead, &mut collected, &mut data)
            .await?;
        collected.flush(inner);
        data.chunks = collected.chunks;
        data.len_bytes = collected.len_bytes;
        if data.len_bytes > 0 {
            inner.state.borrow_mut().hints.put(data.next_offset, place);
        }
        Ok(data)
    }
}

impl<I: Io> LogInner<I> {
    fn check_in_range(&self, offset: Offset) -> Result<(), ReadError> {
        let state = self.state.borrow();
        let (start, end) = (state.log_start_offset, state.next_offset);
        if offset < start || offset > end {
            return Err(ReadError::OffsetOutOfRange { offset, start, end });
        }
        Ok(())
    }

    /// The first batch that holds `offset` or something after it; `None` at the end of the log. It was checked. Damage that
    /// lies before it is passed over, and answered with an error only where it may hold `offset`.
    pub(crate) async fn find_batch(
        self: &Rc<Self>,
        offset: Offset,
        hint: Option<Place>,
    ) -> Result<Option<Found>, ReadError> {
        let is_there = |place: &Place| self.state.borrow().segment(place.segment).is_some();
        let mut hint = hint.filter(is_there);
        let mut close_looks = 0;
        loop {
            let found = match hint.take() {
                Some(place) => self.seek(offset, place).await,
                None => self.seek_by_index(offset).await,
            };
            let Err(ReadError::Corrupt {
                segment, position, ..
            }) = found
            else {
                return found;
            };
            let place = Place { segment, position };
            let is_known = self.damage_at(place).is_some();
            if is_known || close_looks == CLOSE_LOOKS_MAX {
                return found;
            }
            close_looks += 1;
            // Perhaps it is the index that is wrong.
            if self.rebuild_indexes(segment).await? {
                continue;
            }
            if self.look_closely(place).await?.is_none() {
                // It is intact on disk: what the cache has is not what is there.
                self.forget_cached(segment);
            }
        }
    }

    async fn seek_by_index(self: &Rc<Self>, offset: Offset) -> Result<Option<Found>, ReadError> {
        let place = self.place_by_index(offset).await?;
        self.seek(offset, place).await
    }

    /// Walks from `place` to the batch that holds `offset`.
    async fn seek(
        self: &Rc<Self>,
        offset: Offset,
        place: Place,
    ) -> Result<Option<Found>, ReadError> {
        let mut place = place;
        while let Some(current) = self.normalise(place) {
            if let Some(damage) = self.damage_at(current) {
                if offset < damage.end_offset {
                    return Err(damage.error());
                }
                place.segment = damage.segment;
                place.position = damage.end_position;
                continue;
            }
            let found = self.batch_at(current, 0).await?;
            if found.header.last_offset() >= offset {
                return Ok(Some(found));
            }
            place = Place {
                segment: current.segment,
                position: found.range().end,
            };
        }
        Ok(None)
    }

    /// The begin of the batch at `place`, which at the end of a segment is the begin of the next one; `None` at the
    /// end of the log.
    pub(crate) fn normalise(&self, place: Place) -> Option<Place> {
        let state = self.state.borrow();
        let segment = state.segment(place.segment)?;
        if place.position < segment.size_bytes {
            return Some(place);
        }
        let after = state
            .segments
            .partition_point(|it| it.base_offset <= place.segment);
        let next = state.segments[after..]
            .iter()
            .find(|it| it.size_bytes > 0)?;
        Some(Place {
            segment: next.base_offset,
            position: 0,
        })
    }

    /// Reads the header of the batch at `place` and checks the batch if it came from disk.
    pub(crate) async fn batch_at(
        self: &Rc<Self>,
        place: Place,
        ahead: u64,
    ) -> Result<Found, ReadError> {
        let piece = self.piece(place.segment, place.position, ahead).await?;
        self.batch_in(&piece, place, ahead).await
    }

    /// As [`LogInner::batch_at`], when the piece that holds the begin of the batch is at hand.
    async fn batch_in(
        self: &Rc<Self>,
        piece: &Piece,
        place: Place,
        ahead: u64,
    ) -> Result<Found, ReadError> {
        let Place { segment, position } = place;
        let corrupt = |detail: String| ReadError::Corrupt {
            segment,
            position,
            detail,
        };
        let size_bytes = self.segment_size(segment)?;
        if let Some(damage) = self.damage_at(place) {
            return Err(damage.error());
        }
        let header_end = (position + BATCH_HEADER_BYTES as u64).min(size_bytes);
        let header = if header_end <= piece.end() {
            BatchHeader::parse_prefix(&piece.slice(position..header_end))
        } else {
            BatchHeader::parse_prefix(&self.gather(segment, position..header_end).await?)
        };
        let header = header.map_err(|error| corrupt(error.to_string()))?;
        let found = Found { header, place };
        if found.range().end > size_bytes {
            return Err(corrupt(
                "it goes on behind the end of the segment".to_owned(),
            ));
        }
        if let Some(verified) = &piece.verified {
            let (from, to) = verified.get();
            if position < from || position >= to {
                if !self.belongs(&found) {
                    return Err(corrupt("its offsets are not its segment's".to_owned()));
                }
                self.verify(piece, &found, ahead).await?;
                let range = found.range();
                let from = if to == range.start { from } else { range.start };
                verified.set((from, range.end));
            }
        }
        Ok(found)
    }

    /// Whether a batch's offsets lie within its segment: its checksum does not cover where they begin.
    fn belongs(&self, found: &Found) -> bool {
        let Some(bounds) = self.bounds(found.place.segment) else {
            return true;
        };
        let header = &found.header;
        header.base_offset >= bounds.segment && header.last_offset() < bounds.end_offset
    }

    async fn verify(
        self: &Rc<Self>,
        first: &Piece,
        found: &Found,
        ahead: u64,
    ) -> Result<(), ReadError> {
        let Place { segment, position } = found.place;
        let range = found.range();
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        let mut piece = first.clone();
        let mut at = range.start + CRC_COVERS_FROM as u64;
        while at < range.end {
            if !piece.covers(at) {
                piece = self.piece(segment, at, ahead.max(range.end)).await?;
            }
            let end = range.end.min(piece.end());
            digest.update(&piece.slice(at..end));
            at = end;
        }
        let computed = digest.finalize();
        if computed == u64::from(found.header.crc) {
            return Ok(());
        }
        Err(ReadError::Corrupt {
            segment,
            position,
            detail: format!(
                "the CRC is {:#010x} and should be {computed:#010x}",
                found.header.crc
            ),
        })
    }

    fn segment_size(&self, segment: Offset) -> Result<u64, ReadError> {
        let state = self.state.borrow();
        let gone = || ReadError::Io(format!("segment {segment} is gone"));
        state
            .segment(segment)
            .map(|it| it.size_bytes)
            .ok_or_else(gone)
    }

    /// Collects batches from `first` on. Returns where the reader will go on.
    async fn collect(
        self: &Rc<Self>,
        request: &ReadRequest,
        first: Found,
        ahead: u64,
        collected: &mut Collected,
        data: &mut FetchData,
    ) -> Result<Place, ReadError> {
        let mut found = first;
        loop {
            let too_large = collected.len_bytes + found.header.size_bytes > request.max_bytes;
            let wanted_anyway = request.min_one_batch && collected.len_bytes == 0;
            let past_end = found.header.last_offset() >= request.end_offset;
            if past_end || (too_large && !wanted_anyway) {
                return Ok(found.place);
            }
            self.collect_bytes(&found, ahead, collected).await?;
            data.next_offset = Offset(found.header.last_offset().0 + 1);
            let after = Place {
                segment: found.place.segment,
                position: found.range().end,
            };
            if collected.len_bytes >= request.max_bytes || data.next_offset >= request.end_offset {
                return Ok(after);
            }
            let Some(next) = self.normalise(after) else {
                return Ok(after);
            };
            let run = collected.run.as_ref().map(|(piece, _)| piece);
            let in_run =
                run.filter(|piece| next.segment == after.segment && piece.covers(next.position));
            let batch = match in_run.cloned() {
                Some(piece) => self.batch_in(&piece, next, ahead).await,
                None => self.batch_at(next, ahead).await,
            };
            match batch {
                Ok(batch) => found = batch,
                // What was collected is good; the next read will meet the error.
                Err(_) => return Ok(next),
            }
        }
    }

    async fn collect_bytes(
        self: &Rc<Self>,
        found: &Found,
        ahead: u64,
        collected: &mut Collected,
    ) -> Result<(), ReadError> {
        let range = found.range();
        let mut at = range.start;
        while at < range.end {
            let continues = collected
                .run
                .as_ref()
                .is_some_and(|(piece, run)| run.end == at && piece.covers(at));
            if !continues {
                collected.flush(self);
                let piece = self
                    .piece(found.place.segment, at, ahead.max(range.end))
                    .await?;
                collected.run = Some((piece, at..at));
                collected.run_ahead(self, found.place.segment, at);
            }
            let (piece, run) = collected.run.as_mut().expect("it was just set");
            run.end = range.end.min(piece.end());
            at = run.end;
        }
        collected.len_bytes += found.header.size_bytes;
        Ok(())
    }
}

impl Collected {
    /// Has the disk read on while this is collected, checked and sent.
    fn run_ahead<I: Io>(&mut self, inner: &Rc<LogInner<I>>, segment: Offset, position: u64) {
        if let Some((in_segment, reached)) = self.ran_ahead {
            let begin = if in_segment == segment { reached } else { 0 };
            self.ran_ahead = Some((segment, inner.run_ahead(segment, position, begin)));
        }
    }

    fn flush<I: Io>(&mut self, inner: &LogInner<I>) {
        if let Some((piece, range)) = self.run.take()
            && !range.is_empty()
        {
            self.chunks.push(inner.lend(&piece, range));
        }
    }
}
