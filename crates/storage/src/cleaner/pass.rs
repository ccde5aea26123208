//! One pass over one log: the map, then the segments.

use std::rc::Rc;

use io::Io;
use records::{
    BATCH_HEADER_BYTES, BatchFilter, BatchHeader, BatchReader, Filtered, InvalidBatch, RecordIter,
    Scratch,
};
use rustc_hash::FxHashMap;
use types::{Offset, ProducerId};

use super::choice::Candidate;
use super::error::CleaningError;
use super::filter::{BatchFate, BatchPolicy, Retention, ends_at};
use super::groups::{GroupLimits, SourceSegment, group};
use super::offset_map::{HashKeys, OffsetMap};
use super::pace::{Pace, Throttle};
use super::source::{BatchSource, SourceBatch};
use super::transactions::{CleanedTransactions, Marker};
use super::writer::CleanedWriter;
use super::{CleanerConfig, CleaningReport};
use crate::log::LogInner;
use crate::producer_state::LastRecord;
use crate::segment::parse_file_name;

/// A pass that is under way.
pub(crate) struct Pass<'a, I: Io> {
    log: &'a Rc<LogInner<I>>,
    first_dirty: Offset,
    first_uncleanable: Offset,
    config: CleanerConfig,
    hash_keys: HashKeys,
    pace: Pace<'a, I>,
    scratch: Scratch,
    report: CleaningReport,
}

/// What the segments of a pass are written with.
struct Rules<'a> {
    retention: Retention<'a>,
    transactions: CleanedTransactions,
    producers: FxHashMap<ProducerId, LastRecord>,
}

impl<'a, I: Io> Pass<'a, I> {
    pub(crate) fn new(
        candidate: &'a Candidate<I>,
        config: CleanerConfig,
        hash_keys: HashKeys,
        throttle: &'a Throttle,
    ) -> Self {
        let log = &candidate.log;
        Self {
            log,
            first_dirty: candidate.first_dirty,
            first_uncleanable: candidate.first_uncleanable,
            config,
            hash_keys,
            pace: Pace::new(log, throttle),
            scratch: Scratch::default(),
            report: CleaningReport {
                first_dirty: candidate.first_dirty,
                end_offset: candidate.first_dirty,
                bytes_before: 0,
                bytes_after: 0,
                records_before: 0,
                records_after: 0,
                batches_too_large: 0,
                keys: 0,
                map_bytes: 0,
                duration: std::time::Duration::ZERO,
            },
        }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`CleaningError`]. Segments that were replaced by then stay replaced.
    pub(crate) async fn run(mut self) -> Result<CleaningReport, CleaningError> {
        let began = self.log.shard.io().now();
        let map = self.map().await?;
        let Some(latest) = map.latest() else {
            let detail = "one batch has more keys than log.cleaner.dedupe.buffer.size has room for";
            return Err(CleaningError::Uncleanable(detail.to_owned()));
        };
        self.report.keys = map.len();
        self.report.map_bytes = map.memory_bytes();
        let end = Offset(latest.0 + 1);
        let segments = self.segments(Offset(0), end).await?;
        let (limits, delete_retention) = {
            let config = &self.log.state.borrow().config;
            let limits = GroupLimits {
                size_bytes_max: u64::from(config.segment_bytes),
                index_bytes_max: u64::from(config.segment_index_bytes),
            };
            (limits, config.delete_retention_ms)
        };
        let mut rules = Rules {
            retention: Retention {
                map: &map,
                now: self.log.shard.io().wall_clock(),
                delete_retention,
                records_bytes_max: self.config.batch_records_bytes_max,
                keeps_tombstones: false,
            },
            transactions: CleanedTransactions::new([]),
            producers: FxHashMap::default(),
        };
        for group in group(&segments, limits) {
            rules.producers = self.log.state.borrow().producers.last_records();
            let cleaned = self.clean_group(group, &mut rules).await;
            if cleaned.is_err() {
                self.log.discard_cleaned(group[0].base_offset).await;
            }
            cleaned?;
        }
        self.report.end_offset = end;
        self.report.duration = self.log.shard.io().now() - began;
        Ok(self.report)
    }

    /// The newest offsets of the keys of the dirty part, as far as there is room.
    async fn map(&mut self) -> Result<OffsetMap, CleaningError> {
        let dirty = self
            .segments(self.first_dirty, self.first_uncleanable)
            .await?;
        let keys_max = self.first_uncleanable.0.saturating_sub(self.first_dirty.0);
        let mut map = OffsetMap::new(
            self.hash_keys,
            self.config.dedupe_buffer_bytes,
            self.config.load_factor,
            u64::try_from(keys_max).unwrap_or(0),
        );
        let mut transactions = CleanedTransactions::new([]);
        for segment in &dirty {
            if !self
                .map_segment(segment, &mut map, &mut transactions)
                .await?
            {
                break;
            }
            map.reaches(Offset(segment.end_offset.0 - 1));
        }
        Ok(map)
    }

    /// Puts the keys of one segment into the map. Returns whether there was room for all.
    async fn map_segment(
        &mut self,
        segment: &SourceSegment,
        map: &mut OffsetMap,
        transactions: &mut CleanedTransactions,
    ) -> Result<bool, CleaningError> {
        let place = self
            .log
            .place_by_index(self.first_dirty.max(segment.base_offset))
            .await?;
        let position = if place.segment == segment.base_offset {
            place.position
        } else {
            0
        };
        let mut source = self.source(segment, position);
        while let Some(found) = source.next(&mut self.pace).await? {
            let header = &found.header;
            if let Some(marker) = marker_of(header, source.batch()) {
                transactions.is_marker_of_nothing(header, marker);
            } else if !transactions.is_aborted(header)
                && header.last_offset() >= self.first_dirty
                && !self.map_batch(segment, &found, source.batch(), map).await?
            {
                return Ok(false);
            }
            if header.last_offset() >= self.first_dirty {
                map.reaches(header.last_offset());
            }
            self.pace.turn().await?;
        }
        Ok(true)
    }

    /// Puts the keys of a batch into the map; one whose records are too large has none there. Returns whether there was room.
    async fn map_batch(
        &mut self,
        segment: &SourceSegment,
        found: &SourceBatch,
        batch: &[u8],
        map: &mut OffsetMap,
    ) -> Result<bool, CleaningError> {
        let damaged = || CleaningError::records(segment.base_offset, found.position);
        let reader = BatchReader::new(
            &found.header,
            batch,
            &mut self.scratch,
            self.config.batch_records_bytes_max,
        );
        let mut reader = reader.map_err(damaged())?;
        loop {
            match reader.advance() {
                Ok(true) => self.pace.turn().await?,
                Ok(false) => break,
                Err(InvalidBatch::DecompressedTooLarge) => return Ok(true),
                Err(error) => return Err(damaged()(error)),
            }
        }
        for record in reader.records() {
            let record = record.map_err(damaged())?;
            if record.offset >= self.first_dirty
                && let Some(key) = record.key
                && !map.put(key, record.offset)
            {
                return Ok(false);
            }
            if self.pace.step() {
                self.pace.turn().await?;
            }
        }
        Ok(true)
    }

    /// Writes a group of segments anew, and puts the new segment in its place.
    async fn clean_group(
        &mut self,
        group: &[SourceSegment],
        rules: &mut Rules<'_>,
    ) -> Result<(), CleaningError> {
        let (first, last) = (group[0], group[group.len() - 1]);
        let buffer_bytes = self.config.io_buffer_bytes / 2;
        let mut writer = CleanedWriter::create(self.log, first.base_offset, buffer_bytes).await?;
        for segment in group {
            let is_last = segment.base_offset == last.base_offset;
            self.clean_segment(segment, is_last, rules, &mut writer)
                .await?;
        }
        let size_bytes = writer.finish(&mut self.pace).await?;
        let bases: Vec<Offset> = group.iter().map(|it| it.base_offset).collect();
        let replaced = self.log.replace_segments(&bases, size_bytes).await;
        replaced.map_err(CleaningError::io("replace segments"))?;
        self.report.bytes_before += group.iter().map(|it| it.size_bytes).sum::<u64>();
        self.report.bytes_after += size_bytes;
        Ok(())
    }

    async fn clean_segment(
        &mut self,
        segment: &SourceSegment,
        is_last: bool,
        rules: &mut Rules<'_>,
        writer: &mut CleanedWriter<'_, I>,
    ) -> Result<(), CleaningError> {
        let mut source = self.source(segment, 0);
        while let Some(found) = source.next(&mut self.pace).await? {
            let header = &found.header;
            let marker = marker_of(header, source.batch());
            let must_stay = (is_last && found.is_last) || ends_at(header, self.first_uncleanable);
            let fate = rules.retention.decide(
                header,
                marker,
                &mut rules.transactions,
                &rules.producers,
                must_stay,
            );
            self.report.records_before += u64::try_from(header.record_count).unwrap_or(0);
            if let BatchFate::Filter(policy) = fate {
                let filtered = self
                    .filter(segment, &found, source.batch(), policy, &rules.retention)
                    .await?;
                let filtered = filtered.unwrap_or_else(|| {
                    self.report.batches_too_large += 1;
                    rules.retention.keeps_tombstones = true;
                    Filtered::Unchanged
                });
                self.write(header, source.batch(), filtered, writer).await?;
            }
            self.pace.turn().await?;
        }
        Ok(())
    }

    /// What becomes of a batch; `None` when its records are too large for that to be known.
    async fn filter(
        &mut self,
        segment: &SourceSegment,
        found: &SourceBatch,
        batch: &[u8],
        policy: BatchPolicy,
        retention: &Retention<'_>,
    ) -> Result<Option<Filtered>, CleaningError> {
        let damaged = || CleaningError::records(segment.base_offset, found.position);
        let filter = BatchFilter::new(&found.header, batch, policy.rules, &mut self.scratch);
        let mut filter = filter.map_err(damaged())?;
        loop {
            match filter.advance(&mut |record| retention.retains(&policy, record)) {
                Ok(None) => self.pace.turn().await?,
                Ok(filtered) => return Ok(filtered),
                Err(InvalidBatch::DecompressedTooLarge) => return Ok(None),
                Err(error) => return Err(damaged()(error)),
            }
        }
    }

    async fn write(
        &mut self,
        header: &BatchHeader,
        original: &[u8],
        filtered: Filtered,
        writer: &mut CleanedWriter<'_, I>,
    ) -> Result<(), CleaningError> {
        let records = match filtered {
            Filtered::Dropped => return Ok(()),
            Filtered::Unchanged => {
                writer.append(header, original, &mut self.pace).await?;
                header.record_count
            }
            Filtered::Rewritten {
                batch,
                record_count,
            } => {
                let header = BatchHeader::parse(&batch).expect("the filter writes whole batches");
                writer.append(&header, &batch, &mut self.pace).await?;
                record_count
            }
        };
        self.report.records_after += u64::try_from(records).unwrap_or(0);
        Ok(())
    }

    fn source(&self, segment: &SourceSegment, position: u64) -> BatchSource<'a, I> {
        let extent = (segment.base_offset, segment.size_bytes);
        BatchSource::new(self.log, extent, position, self.config.io_buffer_bytes / 2)
    }

    /// The segments that hold offsets of `from..to`, all cleanable.
    async fn segments(
        &self,
        from: Offset,
        to: Offset,
    ) -> Result<Vec<SourceSegment>, CleaningError> {
        let listed = self.log.shard.io().list_dir(&self.log.dir).await;
        let entries = listed.map_err(CleaningError::io("list directory"))?;
        let index_bytes: FxHashMap<(Offset, bool), u64> = entries
            .iter()
            .filter_map(|entry| match parse_file_name(&entry.name)? {
                (base, "index") => Some(((base, true), entry.len_bytes)),
                (base, "timeindex") => Some(((base, false), entry.len_bytes)),
                _ => None,
            })
            .collect();
        let len = |base, is_offsets| index_bytes.get(&(base, is_offsets)).copied().unwrap_or(0);
        let state = self.log.state.borrow();
        let pairs = state.segments.windows(2).map(|pair| (&pair[0], &pair[1]));
        let wanted = pairs.filter(|(segment, next)| {
            segment.base_offset < to.min(self.first_uncleanable) && next.base_offset > from
        });
        Ok(wanted
            .map(|(segment, next)| SourceSegment {
                base_offset: segment.base_offset,
                end_offset: next.base_offset,
                size_bytes: segment.size_bytes,
                index_bytes: len(segment.base_offset, true),
                time_index_bytes: len(segment.base_offset, false),
            })
            .collect())
    }
}

/// What a control batch says; `None` for a data batch.
fn marker_of(header: &BatchHeader, batch: &[u8]) -> Option<Marker> {
    let records = RecordIter::new(header, &batch[BATCH_HEADER_BYTES..]);
    header.is_control().then(|| Marker::of(records))
}
