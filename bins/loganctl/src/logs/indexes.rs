//! The indexes of a segment held against its batches, and built anew from them.
//!
//! An entry is right when a search that begins with it finds what it looks for: an offset entry leads to the beginning of
//! a batch, and no record up to the offset of a time entry is younger than it says.
//! Source: `org.apache.kafka.storage.internals.log.LogSegment#append` and `#translateOffset` of Kafka 4.3.1.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use records::BatchHeader;
use storage::index::{
    OFFSET_ENTRY_LEN, OffsetEntry, OffsetIndex, TIME_ENTRY_LEN, TimeEntry, TimeIndex,
    relative_offset,
};
use types::{Offset, TimestampMs};

use super::check::{Finding, Kind};
use super::target::SegmentPath;
use super::walk::{Step, Walk};

/// Bytes of log between two entries of an index that is built anew: the default of `index.interval.bytes`.
const INTERVAL_BYTES: u64 = 4096;

/// Both indexes of a segment while its batches go by.
#[derive(Debug)]
pub(super) struct IndexCheck {
    base_offset: Offset,
    offsets: Index<OffsetEntry>,
    times: Index<TimeEntry>,
    max_timestamp: TimestampMs,
    /// Whether batches could not be read, so that nobody knows how young their records are.
    is_blind: bool,
}

/// The entries of a file, and what is wrong with them.
#[derive(Debug)]
struct Index<T> {
    path: PathBuf,
    entries: Vec<T>,
    /// Entries that have been compared.
    seen: usize,
    problem: Option<String>,
}

impl<T: Copy> Index<T> {
    fn next(&self) -> Option<T> {
        self.entries.get(self.seen).copied()
    }

    /// Only the first problem is told: the index is rebuilt whatever else is wrong with it.
    fn blame(&mut self, detail: impl FnOnce() -> String) {
        let seen = self.seen;
        self.problem
            .get_or_insert_with(|| format!("entry {seen} {}", detail()));
    }
}

impl IndexCheck {
    /// Reads the indexes beside a segment of `len_bytes`.
    ///
    /// # Errors
    /// The operating system's, but for a file that does not exist.
    pub(super) fn read(segment: &SegmentPath, len_bytes: u64) -> io::Result<Self> {
        let offsets = read_index(segment, "index", OFFSET_ENTRY_LEN, |content| {
            OffsetIndex::decode(content, len_bytes).map(|index| index.entries().to_vec())
        })?;
        let times = read_index(segment, "timeindex", TIME_ENTRY_LEN, |content| {
            TimeIndex::decode(content).map(|index| index.entries().to_vec())
        })?;
        let mut check = Self {
            base_offset: segment.base_offset,
            offsets,
            times,
            max_timestamp: TimestampMs::NONE,
            is_blind: false,
        };
        if len_bytes == 0 {
            // Brokers keep files of full size beside an empty segment.
            check.offsets.problem = None;
            check.times.problem = None;
        }
        Ok(check)
    }

    /// Compares the entries that are about a batch.
    pub(super) fn observe(&mut self, header: &BatchHeader, position: u64) {
        self.compare_times(header.base_offset);
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        let index = &mut self.offsets;
        while let Some(entry) = index.next() {
            let at = u64::from(entry.position);
            let offset = self.base_offset.0 + i64::from(entry.relative_offset);
            if at > position {
                break;
            }
            if at < position {
                index.blame(|| format!("leads to byte {at}, where no batch begins"));
            } else if offset < header.last_offset().0 {
                // Older brokers wrote one entry for several batches, with the offset of the last one.
                let end = header.last_offset();
                index.blame(|| format!("is for offset {offset}, the batch there ends with {end}"));
            }
            index.seen += 1;
        }
    }

    /// Leaves out what is said about bytes that are damaged.
    pub(super) fn pass_over(&mut self, from: u64, to: u64) {
        self.is_blind = true;
        let index = &mut self.offsets;
        while let Some(entry) = index.next() {
            let at = u64::from(entry.position);
            if at >= to {
                break;
            }
            if at < from {
                index.blame(|| format!("leads to byte {at}, where no batch begins"));
            }
            index.seen += 1;
        }
    }

    /// What is wrong with the indexes of a segment that ends before `end_offset`.
    pub(super) fn finish(mut self, end_offset: Offset) -> Vec<Finding> {
        self.compare_times(end_offset);
        if let Some(entry) = self.offsets.next() {
            let at = entry.position;
            self.offsets
                .blame(|| format!("leads to byte {at}, where no batch begins"));
        }
        let last = self.offsets.entries.last();
        let last = last.map(|entry| self.base_offset.0 + i64::from(entry.relative_offset));
        if !self.is_blind && last.is_some_and(|last| last >= end_offset.0) {
            self.offsets.seen = self.offsets.entries.len() - 1;
            self.offsets
                .blame(|| format!("is for an offset behind the end, {end_offset}"));
        }
        if !self.is_blind && self.times.next().is_some() {
            self.times
                .blame(|| format!("is for an offset behind the end, {end_offset}"));
        }
        let (offsets, times) = (self.offsets, self.times);
        let problems = [(offsets.path, offsets.problem), (times.path, times.problem)];
        let base_offset = self.base_offset;
        let found = problems.into_iter().filter_map(|(path, problem)| {
            Some(Finding {
                kind: Kind::Index,
                path,
                bytes: (0, None),
                offsets: (base_offset, None),
                detail: problem?,
            })
        });
        found.collect()
    }

    /// Compares the time entries whose offset lies before `next`.
    fn compare_times(&mut self, next: Offset) {
        let (index, max) = (&mut self.times, self.max_timestamp);
        while let Some(entry) = index.next() {
            if self.base_offset.0 + i64::from(entry.relative_offset) >= next.0 {
                break;
            }
            if entry.timestamp != max && !self.is_blind {
                let said = entry.timestamp;
                index.blame(|| format!("says {said}, the youngest record until then is of {max}"));
            }
            index.seen += 1;
        }
    }
}

fn read_index<T>(
    segment: &SegmentPath,
    extension: &str,
    entry_len: usize,
    decode: impl FnOnce(&[u8]) -> Result<Vec<T>, storage::FormatError>,
) -> io::Result<Index<T>> {
    let path = segment.path.with_extension(extension);
    let (entries, problem) = match fs::read(&path) {
        Ok(mut content) => {
            if segment.is_newest {
                cut_room(&mut content, entry_len);
            }
            match decode(&content) {
                Ok(entries) => (entries, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            }
        }
        // The broker keeps the newest ones in memory.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let problem = (!segment.is_newest).then(|| "it is missing".to_owned());
            (Vec::new(), problem)
        }
        Err(error) => return Err(error),
    };
    Ok(Index {
        path,
        entries,
        seen: 0,
        problem,
    })
}

/// Kafka gives the newest indexes their full size ahead: zeroes at their end are no entries.
pub(super) fn cut_room(content: &mut Vec<u8>, entry_len: usize) {
    let used = content.iter().rposition(|byte| *byte != 0);
    let entries = used.map_or(0, |last| last / entry_len + 1);
    let len = (entries * entry_len).min(content.len());
    if content.len().is_multiple_of(entry_len) {
        content.truncate(len);
    }
}

/// The indexes of a sound segment.
///
/// # Errors
/// The operating system's.
pub(super) fn build(path: &Path, base_offset: Offset) -> io::Result<(OffsetIndex, TimeIndex)> {
    let (mut offsets, mut times) = (OffsetIndex::default(), TimeIndex::default());
    let mut walk = Walk::open(path)?;
    let mut since_entry = 0;
    let mut youngest: Option<TimeEntry> = None;
    while let Step::Batch {
        header, position, ..
    } = walk.next()?
    {
        let last = relative_offset(base_offset, header.last_offset());
        let (Some(relative_offset), Ok(position)) = (last, u32::try_from(position)) else {
            // No index can tell of what lies so far behind.
            break;
        };
        let timestamp = header.max_timestamp;
        if youngest.is_none_or(|entry| entry.timestamp < timestamp) && timestamp.0 >= 0 {
            youngest = Some(TimeEntry {
                timestamp,
                relative_offset,
            });
        }
        if since_entry > INTERVAL_BYTES {
            offsets.append(OffsetEntry {
                relative_offset,
                position,
            });
            if let Some(entry) = youngest {
                times.append(entry);
            }
            since_entry = 0;
        }
        since_entry += header.size_bytes as u64;
    }
    if let Some(entry) = youngest {
        times.append(entry);
    }
    Ok((offsets, times))
}
