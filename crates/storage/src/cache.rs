//! The batch cache of one shard: pieces of segment files in memory, forgotten by least recent use.
//!
//! Pieces come from tails, whose bytes were checked when they were appended, and from disk, whose batches are checked
//! when they are first read: [`Verified`] remembers how far. Pieces of one segment never overlap; a newer one
//! replaces what it covers.
//!
//! Pieces that were read ahead of their readers may take half of the cache until they are used. Where they are
//! forgotten before, since too many readers go through too many logs, the next ones may take less.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use types::Offset;

/// Where a piece belongs: log, base offset of the segment, position of its first byte.
pub(crate) type PieceKey = (u64, Offset, u64);

/// The range of positions, `from..to`, at which batches of a piece from disk begin that had the right CRC.
pub(crate) type Verified = Rc<Cell<(u64, u64)>>;

/// Consecutive bytes of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The position of the first byte.
    pub(crate) start: u64,
    /// The content.
    pub(crate) bytes: Bytes,
    /// What was checked; `None` when everything is trusted.
    pub(crate) verified: Option<Verified>,
}

impl Piece {
    /// The position after the last byte.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// A part of it by positions of the segment.
    ///
    /// # Panics
    /// When `range` does not lie within it.
    pub(crate) fn slice(&self, range: Range<u64>) -> Bytes {
        let at = |position: u64| {
            let relative = position.checked_sub(self.start).expect("within the piece");
            usize::try_from(relative).expect("a piece is in memory")
        };
        self.bytes.slice(at(range.start)..at(range.end))
    }

    /// Whether it holds the byte at `position`.
    pub(crate) fn covers(&self, position: u64) -> bool {
        self.start <= position && position < self.end()
    }
}

/// The part of the cache that pieces which nobody used yet may always take. In vain, it costs as large a part of the reads;
/// without any there would be no telling when it can be more again.
const UNUSED_PART_MIN: usize = 16;

struct Entry {
    piece: Piece,
    memory_bytes: usize,
    tick: u64,
    /// It was read ahead, and nobody came for it yet.
    is_unused: bool,
}

/// The pieces of all logs of a shard.
pub(crate) struct BatchCache {
    entries: BTreeMap<PieceKey, Entry>,
    by_use: BTreeMap<u64, PieceKey>,
    tick: u64,
    memory_bytes: usize,
    memory_bytes_max: usize,
    /// Bytes of pieces that were read ahead and not used yet.
    unused_bytes: usize,
    /// What these may come to now.
    unused_bytes_max: usize,
    totals: CacheTotals,
}

/// What a batch cache was good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheTotals {
    /// Looks for bytes that are in no tail which found them.
    pub hits: u64,
    /// Looks that did not, and went to the disk.
    pub misses: u64,
    /// Pieces that were forgotten to make room for others.
    pub evictions: u64,
    /// The most bytes that it keeps.
    pub memory_bytes_max: usize,
}

impl BatchCache {
    pub(crate) fn new(memory_bytes_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
            tick: 0,
            memory_bytes: 0,
            memory_bytes_max,
            unused_bytes: 0,
            unused_bytes_max: memory_bytes_max / 2,
            totals: CacheTotals {
                memory_bytes_max,
                ..CacheTotals::default()
            },
        }
    }

    /// Bytes that may be read ahead of readers now, `reading_bytes` of which are on their way.
    pub(crate) fn room_ahead_bytes(&self, reading_bytes: usize) -> usize {
        self.unused_bytes_max
            .saturating_sub(self.unused_bytes)
            .saturating_sub(reading_bytes)
    }

    /// What it was good for so far.
    pub(crate) fn totals(&self) -> CacheTotals {
        self.totals
    }

    /// Bytes of memory that its pieces keep alive.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether a piece holds `position`.
    pub(crate) fn contains(&self, log: u64, segment: Offset, position: u64) -> bool {
        let upto = (log, segment, position);
        let before = self.entries.range(..=upto).next_back();
        before.is_some_and(|(key, entry)| {
            (key.0, key.1) == (log, segment) && entry.piece.covers(position)
        })
    }

    /// The piece that holds `position`, which counts as a use.
    pub(crate) fn find(&mut self, log: u64, segment: Offset, position: u64) -> Option<Piece> {
        let found = self.look_up(log, segment, position);
        if found.is_some() {
            self.totals.hits += 1;
        } else {
            self.totals.misses += 1;
        }
        found
    }

    fn look_up(&mut self, log: u64, segment: Offset, position: u64) -> Option<Piece> {
        let upto = (log, segment, position);
        let (key, entry) = self.entries.range_mut(..=upto).next_back()?;
        if (key.0, key.1) != (log, segment) || !entry.piece.covers(position) {
            return None;
        }
        self.by_use.remove(&entry.tick);
        self.tick += 1;
        entry.tick = self.tick;
        self.by_use.insert(self.tick, *key);
        if std::mem::take(&mut entry.is_unused) {
            self.unused_bytes -= entry.memory_bytes;
            let more = self.unused_bytes_max + entry.memory_bytes;
            self.unused_bytes_max = more.min(self.memory_bytes_max / 2);
        }
        Some(entry.piece.clone())
    }

    /// Puts a piece in, which keeps `memory_bytes` alive, and forgets others as needed.
    pub(crate) fn insert(&mut self, log: u64, segment: Offset, piece: Piece, memory_bytes: usize) {
        self.put(log, segment, piece, memory_bytes, false);
    }

    /// As [`BatchCache::insert`], for a piece that nobody asked for yet.
    pub(crate) fn insert_ahead(
        &mut self,
        log: u64,
        segment: Offset,
        piece: Piece,
        memory_bytes: usize,
    ) {
        self.put(log, segment, piece, memory_bytes, true);
    }

    fn put(
        &mut self,
        log: u64,
        segment: Offset,
        piece: Piece,
        memory_bytes: usize,
        is_unused: bool,
    ) {
        if memory_bytes > self.memory_bytes_max || piece.bytes.is_empty() {
            return;
        }
        self.make_way(log, segment, &piece);
        let key = (log, segment, piece.start);
        self.tick += 1;
        self.by_use.insert(self.tick, key);
        self.memory_bytes += memory_bytes;
        if is_unused {
            self.unused_bytes += memory_bytes;
        }
        let entry = Entry {
            piece,
            memory_bytes,
            tick: self.tick,
            is_unused,
        };
        self.entries.insert(key, entry);
        while self.memory_bytes > self.memory_bytes_max {
            let Some((_, &oldest)) = self.by_use.first_key_value() else {
                return;
            };
            let unused_before = self.unused_bytes;
            self.totals.evictions += 1;
            self.remove(oldest);
            let wasted = unused_before - self.unused_bytes;
            let least = self.memory_bytes_max / UNUSED_PART_MIN;
            self.unused_bytes_max = self.unused_bytes_max.saturating_sub(wasted).max(least);
        }
    }

    /// Forgets everything of a log.
    pub(crate) fn forget_log(&mut self, log: u64) {
        let first = (log, Offset(i64::MIN), 0);
        let end = (log + 1, Offset(i64::MIN), 0);
        let keys: Vec<PieceKey> = self
            .entries
            .range(first..end)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.remove(key);
        }
    }

    /// Forgets everything of a segment.
    pub(crate) fn forget_segment(&mut self, log: u64, segment: Offset) {
        let all = (log, segment, 0)..=(log, segment, u64::MAX);
        let keys: Vec<PieceKey> = self.entries.range(all).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    /// Removes what `piece` covers and shortens what reaches into it.
    fn make_way(&mut self, log: u64, segment: Offset, piece: &Piece) {
        let first = (log, segment, piece.start);
        let end = (log, segment, piece.end());
        let covered: Vec<PieceKey> = self
            .entries
            .range(first..end)
            .map(|(key, _)| *key)
            .collect();
        for key in covered {
            self.remove(key);
        }
        let Some((key, before)) = self.entries.range_mut(..first).next_back() else {
            return;
        };
        if (key.0, key.1) == (log, segment) && before.piece.end() > piece.start {
            let kept = usize::try_from(piece.start - before.piece.start)
                .expect("shorter than the piece itself");
            before.piece.bytes.truncate(kept);
        }
    }

    fn remove(&mut self, key: PieceKey) {
        if let Some(entry) = self.entries.remove(&key) {
            self.by_use.remove(&entry.tick);
            self.memory_bytes -= entry.memory_bytes;
            if entry.is_unused {
                self.unused_bytes -= entry.memory_bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use types::Offset;

    use super::{BatchCache, Piece};

    fn piece(start: u64, len: usize, fill: u8) -> Piece {
        Piece {
            start,
            bytes: Bytes::from(vec![fill; len]),
            verified: None,
        }
    }

    fn found(cache: &mut BatchCache, position: u64) -> Option<(u64, u8)> {
        let piece = cache.find(1, Offset(0), position)?;
        Some((piece.start, piece.bytes[0]))
    }

    #[test]
    fn a_newer_piece_replaces_what_it_covers() {
        let mut cache = BatchCache::new(1000);
        cache.insert(1, Offset(0), piece(0, 100, 1), 100);
        cache.insert(1, Offset(0), piece(100, 50, 2), 50);
        cache.insert(1, Offset(0), piece(80, 100, 3), 100);
        assert_eq!(found(&mut cache, 79), Some((0, 1)));
        assert_eq!(found(&mut cache, 80), Some((80, 3)));
        assert_eq!(found(&mut cache, 179), Some((80, 3)));
        assert_eq!(found(&mut cache, 180), None);
        assert_eq!(cache.memory_bytes(), 200);
    }

    #[test]
    fn segments_and_logs_do_not_see_each_other() {
        let mut cache = BatchCache::new(1000);
        cache.insert(1, Offset(0), piece(0, 100, 1), 100);
        assert!(cache.find(1, Offset(5), 10).is_none());
        assert!(cache.find(2, Offset(0), 10).is_none());
        cache.insert(2, Offset(0), piece(0, 100, 1), 100);
        cache.forget_log(1);
        assert!(cache.find(1, Offset(0), 10).is_none());
        assert!(cache.find(2, Offset(0), 10).is_some());
    }

    #[test]
    fn the_least_recently_used_piece_goes_first() {
        let mut cache = BatchCache::new(250);
        cache.insert(1, Offset(0), piece(0, 100, 1), 100);
        cache.insert(1, Offset(0), piece(100, 100, 2), 100);
        assert!(found(&mut cache, 0).is_some());
        cache.insert(1, Offset(0), piece(200, 100, 3), 100);
        assert_eq!(found(&mut cache, 100), None);
        assert_eq!(found(&mut cache, 0), Some((0, 1)));
        assert!(cache.memory_bytes() <= 250);
    }

    #[test]
    fn what_is_read_ahead_takes_half_of_the_cache_until_it_is_used() {
        let mut cache = BatchCache::new(1000);
        assert_eq!(cache.room_ahead_bytes(0), 500);
        cache.insert_ahead(1, Offset(0), piece(0, 300, 1), 300);
        assert_eq!(cache.room_ahead_bytes(100), 100);
        assert!(found(&mut cache, 0).is_some());
        assert!(found(&mut cache, 1).is_some(), "used once more");
        assert_eq!(cache.room_ahead_bytes(100), 400);
        cache.insert_ahead(1, Offset(0), piece(300, 300, 2), 300);
        cache.insert(1, Offset(0), piece(300, 300, 3), 300);
        assert_eq!(cache.room_ahead_bytes(0), 500, "replaced");
        cache.insert_ahead(1, Offset(5), piece(0, 300, 4), 300);
        cache.forget_segment(1, Offset(5));
        assert_eq!(cache.room_ahead_bytes(0), 500, "forgotten on purpose");
    }

    #[test]
    fn what_was_read_ahead_in_vain_makes_the_next_smaller_until_some_is_used() {
        const CELL: usize = 128 << 10;
        let cells = |count: usize| count * CELL;
        let mut cache = BatchCache::new(cells(32));
        for index in 0..4 {
            cache.insert_ahead(1, Offset(index), piece(0, CELL, 1), CELL);
        }
        for index in 0..32 {
            cache.insert(2, Offset(index), piece(0, CELL, 1), CELL);
        }
        assert_eq!(cache.room_ahead_bytes(0), cells(12));
        for index in 0..40 {
            cache.insert_ahead(1, Offset(index), piece(0, CELL, 1), CELL);
        }
        for index in 0..32 {
            cache.insert(2, Offset(index), piece(0, CELL, 1), CELL);
        }
        assert_eq!(cache.room_ahead_bytes(0), cells(2), "never nothing");
        cache.insert_ahead(1, Offset(0), piece(0, CELL, 1), CELL);
        assert!(found(&mut cache, 0).is_some());
        assert_eq!(cache.room_ahead_bytes(0), cells(3));
    }
}
