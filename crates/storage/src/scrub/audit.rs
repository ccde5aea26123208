//! Whether the index files of a segment agree with its batches.
//!
//! A value that is shown every batch of the segment in order. What it asks is what look-ups rely on: an offset entry stands
//! where its batch begins, and a time entry says the largest timestamp up to its offset. How dense an index is depends on the
//! configuration of the day on which it was written, so only one that lacks more than half of its entries is rebuilt.

use records::BatchHeader;
use types::{Offset, TimestampMs};

use crate::damage::DamagedRange;
use crate::index::{OffsetEntry, OffsetIndex, TimeEntry, TimeIndex};
use crate::segment::SegmentIndexes;

/// The comparison of one segment's indexes.
pub(super) struct IndexAudit {
    segment: Offset,
    offsets: OffsetIndex,
    next_offset_entry: usize,
    times: TimeIndex,
    next_time_entry: usize,
    newest: TimestampMs,
    /// Batches were passed over, so timestamps that nobody has seen may be right.
    has_damage: bool,
    wrong: Option<String>,
    /// What the indexes should be.
    built: SegmentIndexes,
    interval_bytes: u32,
}

impl IndexAudit {
    /// Begins with what the index files hold, or why that cannot be read.
    pub(super) fn new(
        segment: Offset,
        interval_bytes: u32,
        found: Result<(OffsetIndex, TimeIndex), String>,
    ) -> Self {
        let (offsets, times, wrong) = match found {
            Ok((offsets, times)) => (offsets, times, None),
            Err(detail) => (OffsetIndex::default(), TimeIndex::default(), Some(detail)),
        };
        Self {
            segment,
            offsets,
            next_offset_entry: 0,
            times,
            next_time_entry: 0,
            newest: TimestampMs::NONE,
            has_damage: false,
            wrong,
            built: SegmentIndexes::new(segment),
            interval_bytes,
        }
    }

    /// Where batches begin, if the index is right.
    pub(super) fn anchors(&self) -> &[OffsetEntry] {
        self.offsets.entries()
    }

    /// Takes the next batch into account.
    pub(super) fn observe(&mut self, header: &BatchHeader, position: u64) {
        self.judge_times_before(header.base_offset);
        if let Some(entry) = self.offset_entry_upto(position) {
            self.next_offset_entry += 1;
            let is_right = u64::from(entry.position) == position
                && self.absolute(entry.relative_offset) == header.last_offset();
            if !is_right {
                self.is_wrong(|| format!("no batch is where {entry:?} says"));
            }
        }
        self.newest = self.newest.max(header.max_timestamp);
        self.built.observe(header, position, self.interval_bytes);
    }

    /// Passes over a damaged range.
    pub(super) fn skip(&mut self, damage: &DamagedRange) {
        self.judge_times_before(damage.first_offset);
        self.has_damage = true;
        while let Some(entry) = self.offset_entry_upto(damage.end_position.saturating_sub(1)) {
            self.next_offset_entry += 1;
            if u64::from(entry.position) < damage.position {
                self.is_wrong(|| format!("no batch is where {entry:?} says"));
            }
        }
    }

    /// The indexes to write and what is wrong with those that are there; `None` when they are right.
    pub(super) fn verdict(mut self) -> Option<(SegmentIndexes, String)> {
        self.judge_times_before(Offset(i64::MAX));
        if self.next_offset_entry < self.offsets.entries().len() {
            self.is_wrong(|| "an offset entry points behind the last batch".to_owned());
        }
        let last = self
            .times
            .last()
            .map_or(TimestampMs::NONE, |it| it.timestamp);
        if last < self.newest {
            self.is_wrong(|| "the largest timestamp is missing".to_owned());
        }
        self.built.finish();
        let lacks = |found: usize, wanted: usize| 2 * found + 1 < wanted;
        if lacks(
            self.offsets.entries().len(),
            self.built.offsets.entries().len(),
        ) || lacks(self.times.entries().len(), self.built.times.entries().len())
        {
            self.is_wrong(|| "most of its entries are missing".to_owned());
        }
        self.wrong.map(|detail| (self.built, detail))
    }

    /// The next entry, if it points at `position` or before.
    fn offset_entry_upto(&self, position: u64) -> Option<OffsetEntry> {
        let entry = self.offsets.entries().get(self.next_offset_entry).copied();
        entry.filter(|entry| u64::from(entry.position) <= position)
    }

    /// Judges the entries whose offset lies before `offset`: all batches that begin there have been seen.
    fn judge_times_before(&mut self, offset: Offset) {
        while let Some(entry) = self.times.entries().get(self.next_time_entry).copied()
            && self.absolute(entry.relative_offset) < offset
        {
            self.next_time_entry += 1;
            if !self.is_time_right(entry) {
                self.is_wrong(|| format!("{entry:?} is not the largest timestamp so far"));
            }
        }
    }

    fn is_time_right(&self, entry: TimeEntry) -> bool {
        if self.has_damage {
            entry.timestamp >= self.newest
        } else {
            entry.timestamp == self.newest
        }
    }

    fn absolute(&self, relative_offset: u32) -> Offset {
        Offset(self.segment.0 + i64::from(relative_offset))
    }

    fn is_wrong(&mut self, detail: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(detail());
        }
    }
}
