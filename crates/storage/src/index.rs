//! The sparse indexes of one segment: offsets to file positions, and timestamps to offsets.
//!
//! Pure values. An index is derived data: whatever is wrong with one, it is rebuilt from the log and never
//! condemns it. File formats: 8 bytes per offset entry (relative offset, position), 12 bytes per time entry
//! (timestamp, relative offset), big-endian.
//! Source: `org.apache.kafka.storage.internals.log.OffsetIndex` and `TimeIndex` of Kafka 4.3.1.

use types::{Offset, TimestampMs};

use crate::error::FormatError;

/// Bytes of one offset entry on disk.
pub const OFFSET_ENTRY_LEN: usize = 8;
/// Bytes of one time entry on disk.
pub const TIME_ENTRY_LEN: usize = 12;

/// The last offset of a batch and where that batch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The batch's last offset, relative to the segment's base offset.
    pub relative_offset: u32,
    /// The byte of the segment at which the batch begins.
    pub position: u32,
}

/// The largest timestamp so far and the last offset of the batch that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// The timestamp.
    pub timestamp: TimestampMs,
    /// That batch's last offset, relative to the segment's base offset.
    pub relative_offset: u32,
}

/// Offsets to positions, rising in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetIndex {
    entries: Vec<OffsetEntry>,
}

impl OffsetIndex {
    /// Reads an index file of a segment of `segment_len_bytes`.
    ///
    /// # Errors
    /// When its length is no multiple of an entry, entries do not rise, or one points behind the segment. Zero
    /// entries at the end, as a preallocated file of a crashed broker has them, are an error too.
    pub fn decode(file: &[u8], segment_len_bytes: u64) -> Result<Self, FormatError> {
        let (entries, rest) = file.as_chunks::<OFFSET_ENTRY_LEN>();
        if !rest.is_empty() {
            return Err(FormatError::new(
                "offset index",
                "its length is no multiple of 8",
            ));
        }
        let mut index = Self::default();
        for entry in entries {
            let value = u64::from_be_bytes(*entry);
            let entry = OffsetEntry {
                relative_offset: high_half(value),
                position: low_half(value),
            };
            if !index.append(entry) || u64::from(entry.position) >= segment_len_bytes {
                let detail = format!("entry {} does not fit", index.entries.len());
                return Err(FormatError::new("offset index", detail));
            }
        }
        Ok(index)
    }

    /// The file's content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(self.len_bytes());
        for entry in &self.entries {
            file.extend_from_slice(&entry.relative_offset.to_be_bytes());
            file.extend_from_slice(&entry.position.to_be_bytes());
        }
        file
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.entries.len() * OFFSET_ENTRY_LEN
    }

    /// The entries in order.
    #[must_use]
    pub fn entries(&self) -> &[OffsetEntry] {
        &self.entries
    }

    /// Adds an entry; `false` if it does not rise above the last.
    pub fn append(&mut self, entry: OffsetEntry) -> bool {
        let rises = self.entries.last().is_none_or(|last| {
            last.relative_offset < entry.relative_offset && last.position < entry.position
        });
        if rises {
            self.entries.push(entry);
        }
        rises
    }

    /// The last entry whose offset is at most `relative_offset`; the search for that offset starts at its position.
    #[must_use]
    pub fn lookup(&self, relative_offset: u32) -> Option<OffsetEntry> {
        let after = self
            .entries
            .partition_point(|entry| entry.relative_offset <= relative_offset);
        after.checked_sub(1).map(|index| self.entries[index])
    }
}

/// Timestamps to offsets, rising in the timestamp and not falling in the offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeIndex {
    entries: Vec<TimeEntry>,
}

impl TimeIndex {
    /// Reads a time index file.
    ///
    /// # Errors
    /// When its length is no multiple of an entry, or entries do not rise.
    ///
    /// # Panics
    /// Never: an entry is split into its fields.
    pub fn decode(file: &[u8]) -> Result<Self, FormatError> {
        let (entries, rest) = file.as_chunks::<TIME_ENTRY_LEN>();
        if !rest.is_empty() {
            return Err(FormatError::new(
                "time index",
                "its length is no multiple of 12",
            ));
        }
        let mut index = Self::default();
        for entry in entries {
            let (timestamp, offset) = entry.split_at(8);
            let timestamp: [u8; 8] = timestamp.try_into().expect("split at 8");
            let offset: [u8; 4] = offset.try_into().expect("12 less 8");
            let entry = TimeEntry {
                timestamp: TimestampMs(i64::from_be_bytes(timestamp)),
                relative_offset: u32::from_be_bytes(offset),
            };
            if !index.append(entry) {
                let detail = format!("entry {} does not rise", index.entries.len());
                return Err(FormatError::new("time index", detail));
            }
        }
        Ok(index)
    }

    /// The file's content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(self.len_bytes());
        for entry in &self.entries {
            file.extend_from_slice(&entry.timestamp.0.to_be_bytes());
            file.extend_from_slice(&entry.relative_offset.to_be_bytes());
        }
        file
    }

    /// The file's length in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.entries.len() * TIME_ENTRY_LEN
    }

    /// The entries in order.
    #[must_use]
    pub fn entries(&self) -> &[TimeEntry] {
        &self.entries
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> Option<TimeEntry> {
        self.entries.last().copied()
    }

    /// Adds an entry if its timestamp rises; `false` when it does not, which is nothing unusual.
    pub fn append(&mut self, entry: TimeEntry) -> bool {
        let rises = self.entries.last().is_none_or(|last| {
            last.timestamp < entry.timestamp && last.relative_offset <= entry.relative_offset
        });
        if rises {
            self.entries.push(entry);
        }
        rises
    }

    /// The last entry whose timestamp is below `timestamp`: no record up to its offset has `timestamp` or more.
    #[must_use]
    pub fn lookup_below(&self, timestamp: TimestampMs) -> Option<TimeEntry> {
        let after = self
            .entries
            .partition_point(|entry| entry.timestamp < timestamp);
        after.checked_sub(1).map(|index| self.entries[index])
    }
}

/// `offset` relative to `base`; `None` when it does not fit an index entry, so that the segment must be rolled.
#[must_use]
pub fn relative_offset(base: Offset, offset: Offset) -> Option<u32> {
    let relative = i32::try_from(offset.0.checked_sub(base.0)?).ok()?;
    u32::try_from(relative).ok()
}

fn high_half(value: u64) -> u32 {
    u32::try_from(value >> 32).expect("32 bits remain")
}

fn low_half(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).expect("32 bits remain")
}

#[cfg(test)]
mod tests;
