//! Where the bytes of a segment come from: the tail, the batch cache, or the disk.
//!
//! Reads from disk are whole cells of a grid, so that readers of the same place share one read and the cells that it
//! leaves in the cache. They run in tasks of their own: a reader that goes away cancels nothing.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use io::sync::Notify;
use io::{Buffer as _, File as _, Io, Task as _, TaskClass, align_up};
use types::Offset;

use super::LogInner;
use crate::cache::{Piece, PieceKey};
use crate::error::ReadError;

/// The size of a read from disk.
const CELL_BYTES: u64 = 128 << 10;

/// Reads that one reader keeps in flight.
const CELLS_AHEAD_MAX: u64 = 8;

/// How far in front of a reader that goes on where it was the disk is read.
const RUN_AHEAD_BYTES: u64 = CELLS_AHEAD_MAX * CELL_BYTES;

/// A read from disk, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct ReadInFlight {
    result: RefCell<Option<Result<Piece, String>>>,
    done: Notify,
    /// A reader came for it.
    is_wanted: Cell<bool>,
}

impl<I: Io> LogInner<I> {
    /// The piece of a segment that holds `position`. `ahead` is where the reader will go on to; that much is read in
    /// parallel when the disk is needed, up to a bound.
    pub(crate) async fn piece(
        self: &Rc<Self>,
        segment: Offset,
        position: u64,
        ahead: u64,
    ) -> Result<Piece, ReadError> {
        if let Some(piece) = self.piece_in_memory(segment, position) {
            return Ok(piece);
        }
        self.read_ahead(segment, position, ahead)?;
        let key = self.cell_key(segment, position);
        let read = self.start_read(key)?;
        read.is_wanted.set(true);
        loop {
            let done = read.done.notified();
            if let Some(result) = &*read.result.borrow() {
                let piece = result.clone().map_err(ReadError::Io)?;
                if piece.covers(position) {
                    return Ok(piece);
                }
                return Err(ReadError::Io(format!(
                    "segment {segment} ends before byte {position}"
                )));
            }
            done.await;
        }
    }

    /// The bytes of `range`, copied together.
    pub(crate) async fn gather(
        self: &Rc<Self>,
        segment: Offset,
        range: Range<u64>,
    ) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        let mut position = range.start;
        while position < range.end {
            let piece = self.piece(segment, position, range.end).await?;
            let slice = piece.slice(position..range.end.min(piece.end()));
            bytes.extend_from_slice(&slice);
            position += slice.len() as u64;
        }
        Ok(bytes)
    }

    fn piece_in_memory(&self, segment: Offset, position: u64) -> Option<Piece> {
        if let Some((start, bytes)) = self.state.borrow().staging.find(segment, position) {
            return Some(Piece {
                start,
                bytes,
                verified: None,
            });
        }
        self.shard
            .shared
            .cache
            .borrow_mut()
            .find(self.key(segment).0, segment, position)
    }

    fn is_in_memory(&self, segment: Offset, position: u64) -> bool {
        let staged = self
            .state
            .borrow()
            .staging
            .find(segment, position)
            .is_some();
        staged
            || self
                .shard
                .shared
                .cache
                .borrow()
                .contains(self.key(segment).0, segment, position)
    }

    /// Starts reads of the cells behind the one that holds `position`, up to `ahead`.
    fn read_ahead(
        self: &Rc<Self>,
        segment: Offset,
        position: u64,
        ahead: u64,
    ) -> Result<(), ReadError> {
        let written = self.written_bytes(segment)?;
        let bound = self.shard.config().cache_bytes as u64 / 4 / CELL_BYTES;
        let cells = CELLS_AHEAD_MAX.min(bound.max(1));
        let end = ahead
            .min(written)
            .min(position.saturating_add(cells * CELL_BYTES));
        let mut next = position - position % CELL_BYTES + CELL_BYTES;
        while next < end {
            if !self.is_in_memory(segment, next) {
                self.start_read(self.cell_key(segment, next))?;
            }
            next += CELL_BYTES;
        }
        Ok(())
    }

    /// Starts reads in front of a reader that is at `position`, as far as there is room for what was not asked for yet.
    /// `begin` is where an earlier call for the same reader came to. Returns how far it is now.
    pub(crate) fn run_ahead(self: &Rc<Self>, segment: Offset, position: u64, begin: u64) -> u64 {
        let Ok(written) = self.written_bytes(segment) else {
            return begin;
        };
        let behind = position - position % CELL_BYTES + CELL_BYTES;
        let mut next = begin.max(behind);
        while next < written && next < position.saturating_add(RUN_AHEAD_BYTES) {
            if !self.is_in_memory(segment, next) && !self.read_if_room(segment, next) {
                break;
            }
            next += CELL_BYTES;
        }
        next
    }

    /// Reads the cell at `position` ahead of its readers. Returns whether that is under way.
    fn read_if_room(self: &Rc<Self>, segment: Offset, position: u64) -> bool {
        let key = self.cell_key(segment, position);
        let shared = &self.shard.shared;
        let cell_bytes = usize::try_from(CELL_BYTES).expect("a cell is small");
        let reading = shared.reads.borrow().len() * cell_bytes;
        let is_under_way = shared.reads.borrow().contains_key(&key);
        let has_room = shared.cache.borrow().room_ahead_bytes(reading) >= cell_bytes;
        is_under_way || (has_room && self.start_read(key).is_ok())
    }

    fn cell_key(&self, segment: Offset, position: u64) -> PieceKey {
        let (id, segment) = self.key(segment);
        (id, segment, position - position % CELL_BYTES)
    }

    fn written_bytes(&self, segment: Offset) -> Result<u64, ReadError> {
        let state = self.state.borrow();
        let segment = state
            .segment(segment)
            .ok_or_else(|| ReadError::Io(format!("segment {segment} is gone")))?;
        Ok(segment.written_bytes)
    }

    /// Joins the read of a cell, starting it if need be.
    fn start_read(self: &Rc<Self>, key: PieceKey) -> Result<Rc<ReadInFlight>, ReadError> {
        if let Some(read) = self.shard.shared.reads.borrow().get(&key) {
            return Ok(Rc::clone(read));
        }
        let (_, segment, start) = key;
        let written = self.written_bytes(segment)?;
        let end = written.min(start + CELL_BYTES);
        if start >= end {
            return Err(ReadError::Io(format!(
                "segment {segment} ends before byte {start}"
            )));
        }
        let read = Rc::<ReadInFlight>::default();
        self.shard
            .shared
            .reads
            .borrow_mut()
            .insert(key, Rc::clone(&read));
        let (inner, running) = (Rc::clone(self), Rc::clone(&read));
        let task = async move {
            let result = inner.read_cell(segment, start..end).await;
            inner.shard.shared.reads.borrow_mut().remove(&key);
            // The segment may have been replaced: then nobody looks for this piece.
            if let Ok(piece) = &result
                && inner.key(segment) == (key.0, segment)
            {
                let memory_bytes = piece.bytes.len().next_multiple_of(io::ALIGNMENT);
                let mut cache = inner.shard.shared.cache.borrow_mut();
                let piece = piece.clone();
                if running.is_wanted.get() {
                    cache.insert(key.0, segment, piece, memory_bytes);
                } else {
                    cache.insert_ahead(key.0, segment, piece, memory_bytes);
                }
            }
            *running.result.borrow_mut() = Some(result);
            running.done.notify_all();
        };
        self.shard.io().spawn(TaskClass::Foreground, task).detach();
        Ok(read)
    }

    async fn read_cell(&self, segment: Offset, range: Range<u64>) -> Result<Piece, String> {
        let describe = |error| format!("read segment {segment} at byte {}: {error}", range.start);
        let file = self.file(segment).await.map_err(describe)?;
        let wanted = usize::try_from(range.end - range.start).expect("a cell is small");
        let len = usize::try_from(align_up(wanted as u64)).expect("a cell is small");
        let (reads, read) = (&self.space.disk.reads, file.read_at(range.start, len));
        let buffer = reads.count(self.shard.io(), len, read).await;
        let buffer = buffer.map_err(describe)?;
        let got = buffer.len().min(wanted);
        let bytes = self.shard.shared.pools.largest().share(buffer, 0..got);
        Ok(Piece {
            start: range.start,
            bytes,
            verified: Some(Rc::default()),
        })
    }

    /// Forgets what the cache has of a segment, so that it is read from the disk again.
    pub(crate) fn forget_cached(&self, segment: Offset) {
        let mut cache = self.shard.shared.cache.borrow_mut();
        cache.forget_segment(self.key(segment).0, segment);
    }

    /// A part of a piece for a client: a slice, or a copy when too much memory is lent already.
    pub(crate) fn lend(&self, piece: &Piece, range: Range<u64>) -> Bytes {
        let slice = piece.slice(range);
        if self.shard.may_lend() {
            slice
        } else {
            Bytes::copy_from_slice(&slice)
        }
    }
}
