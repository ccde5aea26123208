//! One segment of a log: its names, its length, and the indexes while it grows.
//!
//! A value inside the log's state; files are opened elsewhere. [`SegmentIndexes`] is what appends and recovery both feed
//! with batch headers, so that a rebuilt index is the index that appends would have written.
//!
//! Source: `org.apache.kafka.storage.internals.log.LogSegment` of Kafka 4.3.1.

use std::path::{Path, PathBuf};

use records::BatchHeader;
use types::{Offset, TimestampMs};

use crate::config::LogConfig;
use crate::index::{
    OFFSET_ENTRY_LEN, OffsetEntry, OffsetIndex, TIME_ENTRY_LEN, TimeEntry, TimeIndex,
    relative_offset,
};

/// The kinds of files that a segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentFile {
    Log,
    OffsetIndex,
    TimeIndex,
    Snapshot,
}

impl SegmentFile {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::OffsetIndex => "index",
            Self::TimeIndex => "timeindex",
            Self::Snapshot => "snapshot",
        }
    }
}

/// `<dir>/<20 digits>.<extension>`.
pub(crate) fn file_path(dir: &Path, offset: Offset, file: SegmentFile) -> PathBuf {
    dir.join(file_name(offset, file))
}

/// `<20 digits>.<extension>`.
pub(crate) fn file_name(offset: Offset, file: SegmentFile) -> String {
    format!("{:020}.{}", offset.0, file.extension())
}

/// The offset and extension in a name like `00000000000000000017.log`.
pub(crate) fn parse_file_name(name: &str) -> Option<(Offset, &str)> {
    let (digits, extension) = name.split_once('.')?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits {
        return None;
    }
    Some((Offset(digits.parse().ok()?), extension))
}

/// The indexes of a segment that still grows.
#[derive(Clone, Debug)]
pub(crate) struct SegmentIndexes {
    base_offset: Offset,
    pub(crate) offsets: OffsetIndex,
    pub(crate) times: TimeIndex,
    bytes_since_entry: u64,
    /// The largest timestamp and the last offset of the batch that has it.
    max_timestamp: TimestampMs,
    max_timestamp_offset: Offset,
    /// The largest timestamp of the first batch, from which `segment.ms` counts.
    first_timestamp: Option<TimestampMs>,
}

impl SegmentIndexes {
    pub(crate) fn new(base_offset: Offset) -> Self {
        Self {
            base_offset,
            offsets: OffsetIndex::default(),
            times: TimeIndex::default(),
            bytes_since_entry: 0,
            max_timestamp: TimestampMs::NONE,
            max_timestamp_offset: Offset(-1),
            first_timestamp: None,
        }
    }

    /// Takes a batch at `position` into account.
    pub(crate) fn observe(&mut self, header: &BatchHeader, position: u64, interval_bytes: u32) {
        let last_offset = header.last_offset();
        if header.max_timestamp > self.max_timestamp {
            self.max_timestamp = header.max_timestamp;
            self.max_timestamp_offset = last_offset;
        }
        if self.first_timestamp.is_none() {
            self.first_timestamp = Some(header.max_timestamp);
        }
        if self.bytes_since_entry > u64::from(interval_bytes) {
            if let (Some(relative), Ok(position)) = (
                relative_offset(self.base_offset, last_offset),
                u32::try_from(position),
            ) {
                self.offsets.append(OffsetEntry {
                    relative_offset: relative,
                    position,
                });
                self.append_time_entry();
            }
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += header.size_bytes as u64;
    }

    /// The indexes of a segment as they were written when it was closed. Batches from the last entry's on have to be
    /// observed again.
    pub(crate) fn restore(
        base_offset: Offset,
        offsets: OffsetIndex,
        times: TimeIndex,
        first_timestamp: TimestampMs,
    ) -> Self {
        let newest = times.last();
        Self {
            max_timestamp: newest.map_or(TimestampMs::NONE, |entry| entry.timestamp),
            max_timestamp_offset: newest.map_or(Offset(-1), |entry| {
                Offset(base_offset.0 + i64::from(entry.relative_offset))
            }),
            first_timestamp: Some(first_timestamp),
            offsets,
            times,
            ..Self::new(base_offset)
        }
    }

    /// What a segment gets when it is rolled or closed: the last entry of the time index.
    pub(crate) fn finish(&mut self) {
        self.append_time_entry();
    }

    pub(crate) fn max_timestamp(&self) -> TimestampMs {
        self.max_timestamp
    }

    pub(crate) fn max_timestamp_offset(&self) -> Offset {
        self.max_timestamp_offset
    }

    /// Whether one more entry would exceed the bound of an index.
    fn is_full(&self, bound_bytes: u32) -> bool {
        let bound = usize::try_from(bound_bytes).unwrap_or(usize::MAX);
        // The time index keeps room for the entry of `finish`.
        self.offsets.len_bytes() + OFFSET_ENTRY_LEN > bound
            || self.times.len_bytes() + 2 * TIME_ENTRY_LEN > bound
    }

    fn append_time_entry(&mut self) {
        if self.max_timestamp.0 < 0 {
            return;
        }
        if let Some(relative) = relative_offset(self.base_offset, self.max_timestamp_offset) {
            self.times.append(TimeEntry {
                timestamp: self.max_timestamp,
                relative_offset: relative,
            });
        }
    }
}

/// How far a segment is on its way to rest.
#[derive(Debug)]
pub(crate) enum SegmentState {
    /// Its indexes are in memory: the active segment, or one that is being sealed.
    Growing(Box<SegmentIndexes>),
    /// Its indexes are in files and loaded on demand.
    Sealed,
}

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: Offset,
    /// Bytes of batches, appended or recovered.
    pub(crate) size_bytes: u64,
    /// Bytes of it whose writes have completed.
    pub(crate) written_bytes: u64,
    /// Bytes that the file is known to have blocks for.
    pub(crate) allocated_bytes: u64,
    /// Whether writes have completed since the last sync was submitted.
    pub(crate) unsynced: bool,
    /// Whether its file exists.
    pub(crate) on_disk: bool,
    /// Whether its directory entry is durable.
    pub(crate) named: bool,
    /// What the shard keeps its pieces, indexes and file under instead of the log's number: it replaced others.
    pub(crate) files_id: Option<u64>,
    /// The producers' snapshot as of its end, to be written when it is sealed.
    pub(crate) end_snapshot: Option<Vec<u8>>,
    /// The largest timestamp of a sealed one's records, once somebody asked: [`TimestampMs::NONE`] where none has one.
    pub(crate) max_timestamp: Option<TimestampMs>,
    /// What `segment.jitter.ms` is drawn with.
    pub(crate) roll_jitter: u64,
    pub(crate) state: SegmentState,
}

impl Segment {
    /// A segment that is on disk whole, of `size_bytes`.
    pub(crate) fn on_disk(base_offset: Offset, size_bytes: u64, state: SegmentState) -> Self {
        Self {
            base_offset,
            size_bytes,
            written_bytes: size_bytes,
            allocated_bytes: size_bytes,
            unsynced: false,
            on_disk: true,
            named: true,
            files_id: None,
            end_snapshot: None,
            max_timestamp: None,
            roll_jitter: 0,
            state,
        }
    }

    /// An empty segment that has no file yet; `roll_jitter` is random.
    pub(crate) fn new(base_offset: Offset, roll_jitter: u64) -> Self {
        Self {
            roll_jitter,
            on_disk: false,
            named: false,
            ..Self::on_disk(
                base_offset,
                0,
                SegmentState::Growing(Box::new(SegmentIndexes::new(base_offset))),
            )
        }
    }

    pub(crate) fn growing(&self) -> Option<&SegmentIndexes> {
        match &self.state {
            SegmentState::Growing(indexes) => Some(indexes),
            SegmentState::Sealed => None,
        }
    }

    pub(crate) fn growing_mut(&mut self) -> Option<&mut SegmentIndexes> {
        match &mut self.state {
            SegmentState::Growing(indexes) => Some(indexes),
            SegmentState::Sealed => None,
        }
    }

    /// Whether a batch of `size_bytes` whose largest timestamp is `max_timestamp` and whose last offset is
    /// `last_offset` belongs into a new segment. As in Kafka, an empty segment is never rolled, except when the
    /// offset does not fit it.
    pub(crate) fn must_roll(&self, batch: &BatchExtent, config: &LogConfig) -> bool {
        let Some(indexes) = self.growing() else {
            return true;
        };
        if relative_offset(self.base_offset, batch.last_offset).is_none() {
            return true;
        }
        if self.size_bytes == 0 {
            return false;
        }
        let size_after = self.size_bytes + batch.size_bytes as u64;
        let too_old = indexes.first_timestamp.is_some_and(|first| {
            let lasts_ms = config.roll_after_ms().0 - self.jitter_ms(config);
            first.0 >= 0 && batch.max_timestamp.0.saturating_sub(first.0) > lasts_ms
        });
        size_after > u64::from(config.segment_bytes)
            || too_old
            || indexes.is_full(config.segment_index_bytes)
    }

    /// What this segment is rolled earlier than `segment.ms` says: a part of `segment.jitter.ms`, but never all of
    /// `segment.ms`.
    fn jitter_ms(&self, config: &LogConfig) -> i64 {
        let bound = config.segment_jitter_ms.0.min(config.segment_ms.0);
        match u64::try_from(bound) {
            Ok(bound) if bound > 0 => i64::try_from(self.roll_jitter % bound).unwrap_or(0),
            _ => 0,
        }
    }
}

/// What rolling depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchExtent {
    pub(crate) size_bytes: usize,
    pub(crate) max_timestamp: TimestampMs,
    pub(crate) last_offset: Offset,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use records::{BatchBuilder, BatchHeader, Compression, NewRecord};
    use types::{DurationMs, LeaderEpoch, Offset, TimestampMs};

    use super::{BatchExtent, Segment, SegmentFile, SegmentIndexes, file_path, parse_file_name};
    use crate::config::LogConfig;

    fn header(base_offset: i64, timestamp: i64) -> BatchHeader {
        let mut builder =
            BatchBuilder::new(Compression::None).at(Offset(base_offset), LeaderEpoch(0));
        builder.push(&NewRecord {
            timestamp: TimestampMs(timestamp),
            key: None,
            value: Some(&[0; 1000]),
            headers: &[],
        });
        let batch = builder.build().expect("no compression");
        BatchHeader::parse(&batch).expect("just built")
    }

    fn extent(size_bytes: usize, timestamp: i64, last_offset: i64) -> BatchExtent {
        BatchExtent {
            size_bytes,
            max_timestamp: TimestampMs(timestamp),
            last_offset: Offset(last_offset),
        }
    }

    #[test]
    fn names_are_kafkas() {
        let path = file_path(Path::new("/d/t-0"), Offset(17), SegmentFile::TimeIndex);
        assert_eq!(path, Path::new("/d/t-0/00000000000000000017.timeindex"));
        assert_eq!(
            parse_file_name("00000000000000000017.timeindex"),
            Some((Offset(17), "timeindex"))
        );
        assert_eq!(parse_file_name("17.log"), None);
        assert_eq!(parse_file_name("leader-epoch-checkpoint"), None);
        assert_eq!(parse_file_name("99999999999999999999.log"), None);
    }

    #[test]
    fn an_entry_follows_more_than_the_interval() {
        let mut indexes = SegmentIndexes::new(Offset(0));
        let mut position = 0;
        for offset in 0..12 {
            let header = header(offset, 100 - offset);
            indexes.observe(&header, position, 4096);
            position += header.size_bytes as u64;
        }
        let size = header(0, 0).size_bytes as u64;
        let positions: Vec<u64> = indexes
            .offsets
            .entries()
            .iter()
            .map(|entry| u64::from(entry.position))
            .collect();
        assert_eq!(positions, [4 * size, 8 * size]);
        assert_eq!(indexes.max_timestamp(), TimestampMs(100));
        assert_eq!(indexes.max_timestamp_offset(), Offset(0));
        assert_eq!(indexes.times.len_bytes(), 12, "the timestamp did not rise");
    }

    #[test]
    fn size_age_offsets_and_full_indexes_roll() {
        let config = LogConfig {
            segment_bytes: 10_000,
            segment_ms: DurationMs(500),
            segment_index_bytes: 24,
            ..LogConfig::default()
        };
        let mut segment = Segment::new(Offset(0), 7);
        assert!(!segment.must_roll(&extent(20_000, 0, 0), &config), "empty");
        assert!(segment.must_roll(&extent(10, 0, 1 << 31), &config));
        let first = header(0, 1000);
        let indexes = segment.growing_mut().expect("new");
        indexes.observe(&first, 0, 4096);
        segment.size_bytes = first.size_bytes as u64;
        let rest = 10_000 - first.size_bytes;
        assert!(!segment.must_roll(&extent(rest, 1500, 1), &config));
        assert!(segment.must_roll(&extent(rest + 1, 1500, 1), &config));
        assert!(segment.must_roll(&extent(rest, 1501, 1), &config));
        let indexes = segment.growing_mut().expect("new");
        for offset in 1..10 {
            indexes.observe(
                &header(offset, 1000 + offset),
                2000 * offset.unsigned_abs(),
                100,
            );
        }
        assert!(
            segment.must_roll(&extent(10, 1100, 10), &config),
            "index full"
        );
    }

    #[test]
    fn jitter_rolls_earlier_by_a_part_of_it() {
        let config = |jitter_ms| LogConfig {
            segment_ms: DurationMs(500),
            segment_jitter_ms: DurationMs(jitter_ms),
            ..LogConfig::default()
        };
        let first = header(0, 1000);
        let mut segment = Segment::new(Offset(0), 1_000_000_120);
        let indexes = segment.growing_mut().expect("new");
        indexes.observe(&first, 0, 4096);
        segment.size_bytes = first.size_bytes as u64;
        let rolls_after = |jitter_ms| {
            let mut ages = 0..=1000;
            ages.find(|age| segment.must_roll(&extent(10, 1000 + age, 1), &config(jitter_ms)))
        };
        assert_eq!(rolls_after(0), Some(501));
        assert_eq!(rolls_after(200), Some(501 - 120));
        assert_eq!(
            rolls_after(i64::MAX),
            Some(501 - 120),
            "less than segment.ms"
        );
    }
}
