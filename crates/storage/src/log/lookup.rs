//! From offsets and timestamps to places: the indexes, and the batches behind them.
//!
//! The indexes of sealed segments are loaded on demand and kept in a bounded cache of the shard. An index that is
//! missing or wrong is built anew from the log and written again.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use io::Io;
use records::{InvalidBatch, Scratch, TimestampSearch};
use types::{LeaderEpoch, Offset, TimestampMs};

use super::read::{Found, Place};
use super::{Log, LogInner};
use crate::error::ReadError;
use crate::files::SegmentKey;
use crate::index::{OffsetEntry, OffsetIndex, TimeIndex, relative_offset};
use crate::scan::{Check, Scanner};
use crate::segment::{SegmentFile, SegmentIndexes};
use crate::shard::LoadedIndexes;

/// The longest index file that is read.
const INDEX_LEN_MAX: usize = 256 << 20;

/// Records of one batch are decompressed up to this many bytes to look for a timestamp, a block at a time: 256 GiB, which is
/// what a produce request may be made to hold.
const DECOMPRESSED_LEN_MAX: usize = 1 << 38;

/// CPU time after which the reactor polls.
const SLICE: Duration = Duration::from_micros(100);

/// Decompressed bytes looked at before the reactor polls.
const SEARCHED_AT_ONCE_BYTES: usize = 128 << 10;

/// A record that was found by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp.
    pub timestamp: TimestampMs,
    /// The record's offset.
    pub offset: Offset,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

impl<I: Io> Log<I> {
    /// The first record below the high watermark whose timestamp is at least `timestamp`. Cancellation is free of side
    /// effects.
    ///
    /// # Errors
    /// [`ReadError`] of the batches that have to be looked at.
    pub async fn offset_for_timestamp(
        &self,
        timestamp: TimestampMs,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let look_up = async || self.look_up_timestamp(timestamp).await;
        self.inner.while_segments_go(look_up).await
    }

    async fn look_up_timestamp(
        &self,
        timestamp: TimestampMs,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let inner = &self.inner;
        for segment in inner.segment_bases() {
            let Some((newest, below)) = inner.times_of(segment, timestamp).await? else {
                continue;
            };
            if newest < timestamp {
                continue;
            }
            let first = below.unwrap_or(segment).max(self.log_start_offset());
            let place = inner.place_by_index(first).await?;
            let from = |record: TimestampMs| record >= timestamp;
            if let Some(found) = inner.search(place, first, from).await? {
                return Ok(self.below_high_watermark(found));
            }
        }
        Ok(None)
    }

    /// The first record that has the largest timestamp of the log. Cancellation is free of side effects.
    ///
    /// # Errors
    /// [`ReadError`] of the batches that have to be looked at.
    pub async fn max_timestamp_offset(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let look_up = async || self.look_up_max_timestamp().await;
        self.inner.while_segments_go(look_up).await
    }

    async fn look_up_max_timestamp(&self) -> Result<Option<TimestampOffset>, ReadError> {
        let inner = &self.inner;
        let mut newest: Option<(TimestampMs, Offset)> = None;
        for segment in inner.segment_bases() {
            if let Some((timestamp, offset)) = inner.newest_of(segment).await?
                && newest.is_none_or(|(known, _)| timestamp > known)
            {
                newest = Some((timestamp, offset));
            }
        }
        let Some((timestamp, offset)) = newest else {
            return Ok(None);
        };
        let place = inner.place_by_index(offset).await?;
        let start = self.log_start_offset();
        let found = inner
            .search(place, start, |record| record == timestamp)
            .await?;
        // Where its batch is damaged, what the index says of it is still true.
        let found = found.or_else(|| {
            let leader_epoch = self.epoch_for_offset(offset)?;
            (!self.damaged_ranges().is_empty()).then_some(TimestampOffset {
                timestamp,
                offset,
                leader_epoch,
            })
        });
        Ok(found.and_then(|found| self.below_high_watermark(found)))
    }

    fn below_high_watermark(&self, found: TimestampOffset) -> Option<TimestampOffset> {
        (found.offset < self.high_watermark()).then_some(found)
    }
}

impl<I: Io> LogInner<I> {
    /// Looks up again when segments were replaced meanwhile, and when it failed and the log start has moved: what failed may
    /// have been deleted.
    async fn while_segments_go<T>(
        &self,
        look_up: impl AsyncFn() -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let start = || self.state.borrow().log_start_offset;
        loop {
            let (before, replacements) = (start(), self.replacements());
            let found = look_up().await;
            let is_same = self.replacements() == replacements;
            if is_same && (found.is_ok() || start() == before) {
                return found;
            }
        }
    }

    fn segment_bases(&self) -> Vec<Offset> {
        let state = self.state.borrow();
        state.segments.iter().map(|it| it.base_offset).collect()
    }

    /// The largest timestamp of a segment and the last offset of the batch that has it.
    pub(crate) async fn newest_of(
        self: &Rc<Self>,
        segment: Offset,
    ) -> Result<Option<(TimestampMs, Offset)>, ReadError> {
        if let Some(indexes) = self
            .state
            .borrow()
            .segment(segment)
            .and_then(|it| it.growing())
        {
            let newest = (indexes.max_timestamp(), indexes.max_timestamp_offset());
            return Ok((newest.1.0 >= 0).then_some(newest));
        }
        let newest = self.indexes(segment).await?.times.last();
        Ok(newest.map(|entry| (entry.timestamp, absolute(segment, entry.relative_offset))))
    }

    /// The largest timestamp of a segment, and an offset before which everything is older than `timestamp`.
    async fn times_of(
        self: &Rc<Self>,
        segment: Offset,
        timestamp: TimestampMs,
    ) -> Result<Option<(TimestampMs, Option<Offset>)>, ReadError> {
        let Some((newest, _)) = self.newest_of(segment).await? else {
            return Ok(None);
        };
        if let Some(indexes) = self
            .state
            .borrow()
            .segment(segment)
            .and_then(|it| it.growing())
        {
            let below = indexes.times.lookup_below(timestamp);
            return Ok(Some((
                newest,
                below.map(|it| absolute(segment, it.relative_offset)),
            )));
        }
        let below = self.indexes(segment).await?.times.lookup_below(timestamp);
        Ok(Some((
            newest,
            below.map(|it| absolute(segment, it.relative_offset)),
        )))
    }

    /// The first record from `place` on, at or after `start`, whose timestamp is wanted; it looks at one segment only.
    /// Damaged records are passed over: nobody can read them either.
    async fn search(
        self: &Rc<Self>,
        place: Place,
        start: Offset,
        wanted: impl Fn(TimestampMs) -> bool,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let segment = place.segment;
        let mut next = self.normalise(place);
        while let Some(place) = next
            && place.segment == segment
        {
            let found = match self.batch_at(place, 0).await {
                Err(ReadError::Corrupt { .. }) => {
                    next = self.behind_damage(place).await?;
                    continue;
                }
                found => found?,
            };
            if found.header.last_offset() >= start
                && wanted_in(&found, &wanted)
                && let Some(record) = self.record_in(&found, start, &wanted).await?
            {
                return Ok(Some(record));
            }
            next = self.normalise(Place {
                position: found.range().end,
                ..place
            });
        }
        Ok(None)
    }

    /// Where to go on from `place`, at which a batch is damaged.
    async fn behind_damage(self: &Rc<Self>, place: Place) -> Result<Option<Place>, ReadError> {
        let known = match self.damage_at(place) {
            Some(known) => Some(known),
            None => self.look_closely(place).await?,
        };
        let Some(damage) = known else {
            // The disk has it intact: another look, at the disk.
            self.forget_cached(place.segment);
            self.batch_at(place, 0).await?;
            return Ok(Some(place));
        };
        let behind = Place {
            segment: damage.segment,
            position: damage.end_position.max(place.position),
        };
        Ok(self.normalise(behind))
    }

    async fn record_in(
        self: &Rc<Self>,
        found: &Found,
        start: Offset,
        wanted: &impl Fn(TimestampMs) -> bool,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let batch = self.gather(found.place.segment, found.range()).await?;
        let header = &found.header;
        let corrupt = |error: InvalidBatch| ReadError::Corrupt {
            segment: found.place.segment,
            position: found.place.position,
            detail: error.to_string(),
        };
        let io = self.shard.io();
        let began = io.now();
        let scratch = Scratch::default();
        let batch = (header, &*batch);
        let mut search = TimestampSearch::new(batch, scratch, DECOMPRESSED_LEN_MAX, start, wanted)
            .map_err(corrupt)?;
        let record = loop {
            if let Some(result) = search.advance(SEARCHED_AT_ONCE_BYTES) {
                break result.map_err(corrupt)?;
            }
            io.reschedule().await;
        };
        if io.now().saturating_since(began) > SLICE {
            // The next partition of the same request may take as long.
            io.reschedule().await;
        }
        Ok(record.map(|(timestamp, offset)| TimestampOffset {
            timestamp,
            offset,
            leader_epoch: header.leader_epoch,
        }))
    }

    /// Where to begin walking to `offset`, by the index.
    pub(crate) async fn place_by_index(
        self: &Rc<Self>,
        offset: Offset,
    ) -> Result<Place, ReadError> {
        let (segment, growing) = {
            let state = self.state.borrow();
            let segment = &state.segments[state.segment_for(offset)];
            let entry = segment
                .growing()
                .map(|indexes| lookup(&indexes.offsets, segment.base_offset, offset));
            (segment.base_offset, entry)
        };
        let begin = Place {
            segment,
            position: 0,
        };
        if let Some(entry) = growing {
            return Ok(entry.map_or(begin, |entry| at(segment, entry)));
        }
        let indexes = self.indexes(segment).await?;
        let Some(entry) = lookup(&indexes.offsets, segment, offset) else {
            return Ok(begin);
        };
        let place = at(segment, entry);
        let is_right = match self.batch_at(place, 0).await {
            Ok(found) => found.header.last_offset() == absolute(segment, entry.relative_offset),
            Err(ReadError::Corrupt { .. }) => false,
            Err(error) => return Err(error),
        };
        if is_right {
            return Ok(place);
        }
        self.rebuild_indexes(segment).await?;
        let indexes = self.indexes(segment).await?;
        let entry = lookup(&indexes.offsets, segment, offset);
        Ok(entry.map_or(begin, |entry| at(segment, entry)))
    }

    /// The indexes of a sealed segment.
    pub(crate) async fn indexes(
        self: &Rc<Self>,
        segment: Offset,
    ) -> Result<Rc<LoadedIndexes>, ReadError> {
        let names = self.use_names(segment).await;
        let key = self.key(segment);
        if let Some(loaded) = self.shard.shared.indexes.borrow_mut().get(&key) {
            return Ok(Rc::clone(loaded));
        }
        let size_bytes = {
            let state = self.state.borrow();
            state.segment(segment).map_or(0, |it| it.size_bytes)
        };
        let offsets = self
            .read_index(self.path(segment, SegmentFile::OffsetIndex))
            .await;
        let times = self
            .read_index(self.path(segment, SegmentFile::TimeIndex))
            .await;
        let decoded = offsets
            .and_then(|file| OffsetIndex::decode(&file, size_bytes).map_err(|it| it.to_string()))
            .and_then(|offsets| {
                let file = times?;
                let times = TimeIndex::decode(&file).map_err(|it| it.to_string())?;
                // Sealing writes the largest timestamp, so none is there only where no record has one.
                if size_bytes > 0 && times.last().is_none() {
                    return Err("the time index is empty".to_owned());
                }
                Ok(LoadedIndexes {
                    offsets,
                    times,
                    are_proven: Cell::new(false),
                })
            });
        match decoded {
            Ok(indexes) => Ok(self.keep_indexes(key, indexes)),
            Err(detail) => {
                drop(names);
                tracing::warn!(dir = %self.dir.display(), %segment, %detail, "index rebuilt");
                let (indexes, _) = self.scan_indexes(segment).await?;
                self.write_indexes_again(key, &indexes).await;
                Ok(self.keep_indexes(key, indexes))
            }
        }
    }

    pub(crate) async fn read_index(&self, path: PathBuf) -> Result<Vec<u8>, String> {
        let read = self.shard.io().read_file(&path, INDEX_LEN_MAX).await;
        read.map_err(|error| error.to_string())
    }

    fn keep_indexes(&self, key: SegmentKey, indexes: LoadedIndexes) -> Rc<LoadedIndexes> {
        let weight =
            indexes.offsets.len_bytes() + indexes.times.len_bytes() + size_of::<LoadedIndexes>();
        let indexes = Rc::new(indexes);
        let mut cache = self.shard.shared.indexes.borrow_mut();
        cache.insert(key, Rc::clone(&indexes), weight, |_| ());
        indexes
    }

    /// Builds the indexes of a sealed segment anew. Returns whether they were wrong.
    pub(crate) async fn rebuild_indexes(
        self: &Rc<Self>,
        segment: Offset,
    ) -> Result<bool, ReadError> {
        let is_sealed = {
            let state = self.state.borrow();
            state
                .segment(segment)
                .is_some_and(|it| it.growing().is_none())
        };
        if !is_sealed {
            return Ok(false);
        }
        let key = self.key(segment);
        let known = self.indexes(segment).await?;
        if known.are_proven.replace(true) {
            return Ok(false);
        }
        let (built, reaches_end) = self.scan_indexes(segment).await?;
        let are_right = known.offsets == built.offsets && known.times == built.times;
        // What ends at damage leads to less than what is there.
        if are_right || !reaches_end {
            return Ok(false);
        }
        tracing::warn!(dir = %self.dir.display(), %segment, "wrong index rebuilt");
        self.write_indexes_again(key, &built).await;
        self.keep_indexes(key, built);
        Ok(true)
    }

    /// The indexes as the log gives them up to the first damaged header, and whether that is its end.
    async fn scan_indexes(
        self: &Rc<Self>,
        segment: Offset,
    ) -> Result<(LoadedIndexes, bool), ReadError> {
        let to_error =
            |error: std::io::Error| ReadError::Io(format!("scan segment {segment}: {error}"));
        let file = self.file(segment).await.map_err(to_error)?;
        let (size_bytes, interval_bytes) = {
            let state = self.state.borrow();
            let size_bytes = state.segment(segment).map_or(0, |it| it.size_bytes);
            (size_bytes, state.config.index_interval_bytes)
        };
        let mut indexes = SegmentIndexes::new(segment);
        let mut scanner = Scanner::new(&*file, size_bytes);
        loop {
            let step = scanner.next(Check::Header).await.map_err(to_error)?;
            if let Some(scanned) = step.batch() {
                indexes.observe(&scanned.header, scanned.position, interval_bytes);
                continue;
            }
            let position = scanner.position();
            let Some(damage) = self.damage_at(Place { segment, position }) else {
                break;
            };
            scanner.seek(damage.end_position);
        }
        indexes.finish();
        let built = LoadedIndexes {
            offsets: indexes.offsets,
            times: indexes.times,
            are_proven: Cell::new(true),
        };
        Ok((built, scanner.position() == size_bytes))
    }

    async fn write_indexes_again(&self, key: SegmentKey, indexes: &LoadedIndexes) {
        let (_, segment) = key;
        let _names = self.use_names(segment).await;
        if self.key(segment) != key {
            // Another segment has taken its place.
            return;
        }
        let written = self.write_index_files(segment, &indexes.offsets, &indexes.times);
        if let Err(error) = written.await {
            // Next time it is built again.
            tracing::warn!(dir = %self.dir.display(), %segment, %error, "index not written");
        }
    }
}

fn wanted_in(found: &Found, wanted: &impl Fn(TimestampMs) -> bool) -> bool {
    // "At least" and "equal to the largest" are both answered by the batch's largest timestamp.
    wanted(found.header.max_timestamp)
}

fn lookup(index: &OffsetIndex, segment: Offset, offset: Offset) -> Option<OffsetEntry> {
    index.lookup(relative_offset(segment, offset)?)
}

fn at(segment: Offset, entry: OffsetEntry) -> Place {
    Place {
        segment,
        position: u64::from(entry.position),
    }
}

fn absolute(segment: Offset, relative: u32) -> Offset {
    Offset(segment.0 + i64::from(relative))
}
