//! Damaged ranges of segments: what is remembered of them, and where one ends.
//!
//! A shard remembers the ranges that its readers and its scrubber have met, so that each is looked at once, answers for
//! its own offsets only, and is reported in one line. Ranges are kept by segment, and go with it; the number is bounded, and
//! what is beyond the bound is found anew each time. Plain values on one shard.
//!
//! Deliberately absent: repair. What is damaged stays on disk as it is.

use std::io::Result;
use std::time::Duration;

use io::{File, Instant, Io};
use rustc_hash::FxHashMap;
use types::Offset;

use crate::error::ReadError;
use crate::files::SegmentKey;
use crate::index::OffsetEntry;
use crate::scan::{Behind, Check, Scanned, Scanner, SearchBudget, Step};

/// Ranges that a shard remembers.
const DAMAGES_MAX: usize = 4096;

/// Bytes searched for the begin of a batch between two turns of the reactor.
const SEARCH_STEP_BYTES: u64 = 8 << 10;

/// How far behind damage the next batch is searched where no index says where one begins.
const SEARCH_MAX_BYTES: u64 = 16 << 20;

/// Lines of one kind about damage or failed reads that a shard logs in each [`LOG_WINDOW`].
const LOG_LINES_MAX: u32 = 10;

/// See [`LOG_LINES_MAX`].
const LOG_WINDOW: Duration = Duration::from_secs(60);

/// Bytes of a segment that are no intact batches, and the offsets that lie there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// The base offset of the segment.
    pub segment: Offset,
    /// The byte of the segment's file at which it begins.
    pub position: u64,
    /// The byte after it: an intact batch begins there, or the segment ends.
    pub end_position: u64,
    /// The first offset that cannot be read.
    pub first_offset: Offset,
    /// The offset after it, from which on records can be read again.
    pub end_offset: Offset,
}

impl DamagedRange {
    fn covers(&self, position: u64) -> bool {
        self.position <= position && position < self.end_position
    }

    /// What a reader of it is told.
    pub(crate) fn error(&self) -> ReadError {
        ReadError::Corrupt {
            segment: self.segment,
            position: self.position,
            detail: format!(
                "offsets {} to {} are damaged",
                self.first_offset,
                self.end_offset.0 - 1
            ),
        }
    }
}

/// What of a segment bounds a damaged range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) segment: Offset,
    pub(crate) size_bytes: u64,
    /// The base offset of the next segment, or the log end.
    pub(crate) end_offset: Offset,
}

impl Bounds {
    /// Whether a batch that follows `next_offset` may have these offsets.
    pub(crate) fn admits(&self, batch: &Scanned, next_offset: Offset) -> bool {
        batch.header.base_offset >= next_offset && batch.header.last_offset() < self.end_offset
    }
}

/// The damaged ranges of a shard.
#[derive(Debug, Default)]
pub(crate) struct Damages {
    by_segment: FxHashMap<SegmentKey, Vec<DamagedRange>>,
    count: usize,
    lines: LineLimit,
}

/// How many lines of one kind were logged lately.
#[derive(Debug, Default)]
pub(crate) struct LineLimit {
    began: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl LineLimit {
    /// Whether a line may be logged now, and how many were not since the last one.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        let is_over = self
            .began
            .is_none_or(|began| now.saturating_since(began) >= LOG_WINDOW);
        if is_over {
            self.began = Some(now);
            self.lines = 0;
        }
        if self.lines == LOG_LINES_MAX {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Damages {
    /// The range that holds the byte at `position`.
    pub(crate) fn at(&self, key: SegmentKey, position: u64) -> Option<DamagedRange> {
        if self.count == 0 {
            return None;
        }
        let ranges = self.by_segment.get(&key)?;
        ranges.iter().find(|range| range.covers(position)).copied()
    }

    /// The ranges of one segment, in the order in which they were met.
    pub(crate) fn of(&self, key: SegmentKey) -> &[DamagedRange] {
        self.by_segment.get(&key).map_or(&[], Vec::as_slice)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Remembers a range; `true` if it is new. A range that overlaps it is replaced.
    pub(crate) fn remember(&mut self, key: SegmentKey, range: DamagedRange) -> bool {
        let ranges = self.by_segment.entry(key).or_default();
        if ranges.contains(&range) {
            return false;
        }
        let before = ranges.len();
        ranges.retain(|known| {
            known.end_position <= range.position || range.end_position <= known.position
        });
        self.count -= before - ranges.len();
        if self.count < DAMAGES_MAX {
            ranges.push(range);
            self.count += 1;
        }
        true
    }

    /// Forgets the ranges of a segment, but for those in `kept`. Returns whether there was one.
    pub(crate) fn keep_only(&mut self, key: SegmentKey, kept: &[DamagedRange]) -> bool {
        let Some(ranges) = self.by_segment.get_mut(&key) else {
            return false;
        };
        let before = ranges.len();
        ranges.retain(|range| kept.contains(range));
        let forgotten = before - ranges.len();
        if ranges.is_empty() {
            self.by_segment.remove(&key);
        }
        self.count -= forgotten;
        forgotten > 0
    }

    /// Whether a line may be logged now, and how many were not since the last one.
    pub(crate) fn may_log(&mut self, now: Instant) -> Option<u64> {
        self.lines.admit(now)
    }
}

/// Finds out how far the damage goes that begins at `position`, where a batch from `next_offset` on should be. `anchors` are
/// the entries of the segment's offset index, if it has a usable one: they are believed only where an intact batch is.
///
/// # Errors
/// The operating system's.
pub(crate) async fn delimit<I: Io>(
    io: &I,
    scanner: &mut Scanner<'_, I::File>,
    bounds: &Bounds,
    (position, next_offset): (u64, Offset),
    anchors: &[OffsetEntry],
) -> Result<DamagedRange> {
    let range = DamagedRange {
        segment: bounds.segment,
        position,
        end_position: bounds.size_bytes,
        first_offset: next_offset,
        end_offset: bounds.end_offset,
    };
    if let Some(range) = within_its_frame(scanner, bounds, range).await? {
        return Ok(range);
    }
    // Only what lies before a batch that is known to be intact has to be searched byte by byte.
    let mut known = None;
    let after = anchors.partition_point(|entry| u64::from(entry.position) <= position);
    for entry in &anchors[after..] {
        scanner.seek(u64::from(entry.position));
        let batch = scanner.next(Check::Crc).await?.batch();
        known = batch.filter(|batch| bounds.admits(batch, next_offset));
        if known.is_some() {
            break;
        }
        io.reschedule().await;
    }
    let end = known.map_or(bounds.size_bytes, |batch| batch.position);
    let found = match search(io, scanner, bounds, (position, end), next_offset).await? {
        Some(batch) => Some(batch),
        None => known,
    };
    Ok(found.map_or(range, |batch| DamagedRange {
        end_position: batch.position,
        end_offset: batch.header.base_offset,
        ..range
    }))
}

/// The range of one batch whose header can be followed: another batch, or the end, is where it says.
async fn within_its_frame<F: File>(
    scanner: &mut Scanner<'_, F>,
    bounds: &Bounds,
    range: DamagedRange,
) -> Result<Option<DamagedRange>> {
    scanner.seek(range.position);
    let Some(batch) = scanner.next(Check::Header).await?.batch() else {
        return Ok(None);
    };
    if !bounds.admits(&batch, range.first_offset) {
        return Ok(None);
    }
    let end_position = scanner.position();
    let end_offset = Offset(batch.header.last_offset().0 + 1);
    let is_followed = match scanner.next(Check::Crc).await? {
        Step::Batch(next) => bounds.admits(&next, end_offset),
        Step::End => end_position == bounds.size_bytes,
        Step::Invalid(_) => false,
    };
    Ok(is_followed.then_some(DamagedRange {
        end_position,
        end_offset,
        ..range
    }))
}

/// The first intact batch that begins within `from + 1..end`, in small steps.
async fn search<I: Io>(
    io: &I,
    scanner: &mut Scanner<'_, I::File>,
    bounds: &Bounds,
    (from, end): (u64, u64),
    next_offset: Offset,
) -> Result<Option<Scanned>> {
    let end = end.min(from.saturating_add(SEARCH_MAX_BYTES));
    let mut begin = from;
    let mut budget = SearchBudget::for_range(end.saturating_sub(from));
    while begin + 1 < end {
        scanner.seek(begin);
        let step = SEARCH_STEP_BYTES.min(end - begin);
        let behind = scanner
            .intact_behind(next_offset, step, &mut budget)
            .await?;
        // What is not known to be intact stays part of the range.
        if let Behind::Intact(found) = behind {
            scanner.seek(found);
            let batch = scanner.next(Check::Crc).await?.batch();
            if let Some(batch) = batch.filter(|it| bounds.admits(it, next_offset))
                && is_followed(scanner, bounds, &batch).await?
            {
                return Ok(Some(batch));
            }
            begin = found;
        } else {
            begin += step;
        }
        io.reschedule().await;
    }
    Ok(None)
}

/// Whether what follows a batch looks like one: a batch within the value of a damaged record is not followed so.
async fn is_followed<F: File>(
    scanner: &mut Scanner<'_, F>,
    bounds: &Bounds,
    batch: &Scanned,
) -> Result<bool> {
    let end_offset = Offset(batch.header.last_offset().0 + 1);
    Ok(match scanner.next(Check::Header).await? {
        Step::Batch(next) => bounds.admits(&next, end_offset),
        Step::End => scanner.position() == bounds.size_bytes,
        Step::Invalid(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use io::Instant;
    use types::Offset;

    use super::{DAMAGES_MAX, DamagedRange, Damages, LOG_LINES_MAX, LOG_WINDOW};

    fn range(position: u64, end_position: u64) -> DamagedRange {
        DamagedRange {
            segment: Offset(0),
            position,
            end_position,
            first_offset: Offset(1),
            end_offset: Offset(2),
        }
    }

    #[test]
    fn a_range_replaces_what_it_overlaps() {
        let mut damages = Damages::default();
        let key = (1, Offset(0));
        assert!(damages.remember(key, range(10, 20)));
        assert!(damages.remember(key, range(30, 40)));
        assert!(!damages.remember(key, range(10, 20)), "it is known");
        assert!(damages.remember(key, range(15, 35)));
        assert_eq!(damages.of(key), [range(15, 35)]);
        assert_eq!(damages.at(key, 34), Some(range(15, 35)));
        assert_eq!(damages.at(key, 35), None);
        assert_eq!(damages.at((1, Offset(5)), 34), None);
        assert!(damages.keep_only(key, &[]));
        assert!(!damages.keep_only(key, &[]));
        assert_eq!(damages.count(), 0);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut damages = Damages::default();
        for index in 0..DAMAGES_MAX as u64 + 10 {
            assert!(damages.remember((index, Offset(0)), range(0, 1)));
        }
        assert_eq!(damages.count(), DAMAGES_MAX);
    }

    #[test]
    fn lines_are_limited_and_those_left_out_are_counted() {
        let mut damages = Damages::default();
        let begin = Instant(0) + Duration::from_secs(5);
        for _ in 0..LOG_LINES_MAX {
            assert_eq!(damages.may_log(begin), Some(0));
        }
        assert_eq!(damages.may_log(begin), None);
        assert_eq!(damages.may_log(begin), None);
        assert_eq!(damages.may_log(begin + LOG_WINDOW), Some(2));
    }
}
