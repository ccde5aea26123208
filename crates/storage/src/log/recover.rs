//! Finding out what a log directory holds.
//!
//! After a clean stop the files are taken at their word and only the tail behind the last index entry is looked at. After
//! any other stop the segments from the recovery point on are scanned: headers below it, checksums too from there on. The
//! first batch that is not whole ends the log. Everything that is derived from the log (indexes, leader epochs,
//! producers) is built again as far as it is not proven.

mod loss;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use io::{Defect, File as _, Io, OpenMode, align_down};
use types::Offset;

use loss::Progress;

use super::listing::{Listing, LogFile};
use super::open::LastKnown;
use super::retention::rename_deleted;
use crate::checkpoint::{FILE_LEN_MAX, LEADER_EPOCH_FILE, decode_epochs};
use crate::config::LogConfig;
use crate::epochs::LeaderEpochs;
use crate::error::OpenError;
use crate::files::FileUse;
use crate::index::{OffsetIndex, TimeIndex};
use crate::producer_state::{ProducerBatch, ProducerStates};
use crate::scan::{Check, Scanned, Scanner, Step};
use crate::segment::{Segment, SegmentFile, SegmentIndexes, SegmentState, file_path};
use crate::shard::ShardStorage;
use crate::snapshot;

/// The longest index file or snapshot that is read.
const DERIVED_LEN_MAX: usize = 256 << 20;

/// Preallocated room behind the last batch that is kept if it holds nothing but zeroes. Anything else is cut: a batch
/// that was lost and one behind it that was not would look like one log again once the gap is filled.
const ROOM_KEPT_MAX: u64 = 1 << 20;

/// What a directory holds.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Segment>,
    pub(crate) log_start_offset: Offset,
    pub(crate) next_offset: Offset,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: ProducerStates,
    /// Whether everything that closing writes is there.
    pub(crate) is_clean: bool,
}

struct Recovery<'a, I: Io> {
    shard: &'a ShardStorage<I>,
    log_id: u64,
    dir: &'a Path,
    config: &'a LogConfig,
    last: LastKnown,
    listing: Listing,
    epochs: LeaderEpochs,
    /// Whether the leader epochs have to be taken from the batches alone.
    epochs_are_lost: bool,
    producers: ProducerStates,
    next_offset: Offset,
    segments: Vec<Segment>,
}

/// Reads `dir`, repairing what a crash left.
pub(crate) async fn recover<I: Io>(
    shard: &ShardStorage<I>,
    log_id: u64,
    (dir, listing): (&Path, Listing),
    config: &LogConfig,
    last: LastKnown,
) -> Result<Recovered, OpenError> {
    let storage = shard.config();
    let mut recovery = Recovery {
        shard,
        log_id,
        dir,
        config,
        last,
        listing,
        epochs: LeaderEpochs::default(),
        epochs_are_lost: false,
        producers: ProducerStates::new(storage.producer_ids_max, storage.producer_id_expiration),
        next_offset: last.log_start_offset,
        segments: Vec::new(),
    };
    recovery.check_segments().await?;
    recovery.remove_expired().await;
    recovery.read_epochs().await?;
    let is_empty = recovery.listing.logs.is_empty();
    let is_clean = is_empty || (last.is_clean && recovery.open_clean().await?);
    if is_empty {
        recovery
            .segments
            .push(Segment::new(last.log_start_offset, 0));
    } else if !is_clean {
        recovery.open_unclean().await?;
    }
    recovery.check_end().await?;
    recovery.remove_leftovers().await?;
    recovery.remove_stray_snapshots().await?;
    if I::has_defect(Defect::ForgetProducers) {
        recovery.producers.clear();
    }
    // Not all that are old by their records' timestamps: these may lie long before the time of the append.
    recovery.producers.expire_surplus(shard.io().wall_clock());
    let first = recovery.segments[0].base_offset;
    let next_offset = recovery.next_offset;
    let log_start_offset = last.log_start_offset.max(first).min(next_offset);
    // An epoch may begin at the log end: its leader has not written yet.
    recovery.epochs.truncate_end(Offset(next_offset.0 + 1));
    recovery.epochs.truncate_start(log_start_offset);
    Ok(Recovered {
        segments: recovery.segments,
        log_start_offset,
        next_offset,
        epochs: recovery.epochs,
        producers: recovery.producers,
        is_clean,
    })
}

impl<I: Io> Recovery<'_, I> {
    fn path(&self, offset: Offset, file: SegmentFile) -> PathBuf {
        file_path(self.dir, offset, file)
    }

    async fn file(&self, base_offset: Offset) -> Result<FileUse<I::File>, OpenError> {
        let path = self.path(base_offset, SegmentFile::Log);
        let key = (self.log_id, base_offset);
        let opened = self.shard.file(key, &path, OpenMode::Existing).await;
        opened.map_err(OpenError::io("open segment", &path))
    }

    async fn remove_file(&self, path: &Path) -> Result<(), OpenError> {
        match self.shard.io().remove_file(path).await {
            // It went together with its segment.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(OpenError::io("remove", path)),
        }
    }

    async fn remove_leftovers(&self) -> Result<(), OpenError> {
        for path in &self.listing.leftovers {
            self.remove_file(path).await?;
        }
        for (offset, file) in &self.listing.indexes {
            if !self
                .listing
                .logs
                .iter()
                .any(|log| log.base_offset == *offset)
            {
                self.remove_file(&self.path(*offset, *file)).await?;
            }
        }
        Ok(())
    }

    /// Lets segments go that lie wholly below the log start: a crash came between the two steps of their deletion. What
    /// they hold is not looked at, since their files may be cut already.
    async fn remove_expired(&mut self) {
        let start = self.last.log_start_offset;
        let (logs, snapshots) = (&mut self.listing.logs, &mut self.listing.snapshots);
        let ends = logs.iter().skip(1).map(|next| next.base_offset);
        let count = ends.take_while(|end| *end <= start).count();
        for log in logs.drain(..count) {
            snapshots.retain(|offset| *offset != log.base_offset);
            for path in rename_deleted(self.shard, self.dir, log.base_offset).await {
                self.shard.discard_at_once(path);
            }
        }
    }

    async fn read_epochs(&mut self) -> Result<(), OpenError> {
        if !self.listing.has_epochs {
            self.epochs_are_lost = true;
            return Ok(());
        }
        let path = self.dir.join(LEADER_EPOCH_FILE);
        let io = self.shard.io();
        let read = self.listing.read(io, &path, FILE_LEN_MAX).await;
        match decode_epochs(&read.map_err(OpenError::io("read", &path))?) {
            Ok(epochs) => self.epochs = epochs,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "leader epochs rebuilt");
                self.epochs_are_lost = true;
            }
        }
        Ok(())
    }

    /// Opens a log that was closed. Returns `false`, with nothing changed, when its files say that it was not.
    async fn open_clean(&mut self) -> Result<bool, OpenError> {
        let (newest, older) = self.listing.logs.split_last().expect("there is a segment");
        let newest = *newest;
        let older: Vec<Segment> = older.iter().map(sealed).collect();
        let Some((indexes, next_offset)) = self.restore(newest).await? else {
            tracing::warn!(dir = %self.dir.display(), "not closed cleanly after all");
            return Ok(false);
        };
        self.segments = older;
        let state = SegmentState::Growing(Box::new(indexes));
        self.segments.push(Segment::on_disk(
            newest.base_offset,
            newest.len_bytes,
            state,
        ));
        self.next_offset = next_offset;
        let from = self.load_snapshot(next_offset).await;
        self.replay(from, next_offset).await?;
        Ok(true)
    }

    /// The indexes of the newest segment and the log end offset; `None` when its tail is not whole.
    async fn restore(&self, log: LogFile) -> Result<Option<(SegmentIndexes, Offset)>, OpenError> {
        let base_offset = log.base_offset;
        if log.len_bytes == 0 {
            return Ok(Some((SegmentIndexes::new(base_offset), base_offset)));
        }
        let path = self.path(base_offset, SegmentFile::Log);
        let file = self.file(base_offset).await?;
        let mut scanner = Scanner::new(&*file, log.len_bytes);
        let first = scanner.next(Check::Header).await;
        let Step::Batch(first) = first.map_err(OpenError::io("scan", &path))? else {
            return Ok(None);
        };
        let mut next_offset = base_offset;
        let mut indexes = match self.read_indexes(log).await {
            Some((offsets, times)) => {
                let entry = offsets.entries().last().copied();
                scanner.seek(entry.map_or(0, |entry| u64::from(entry.position)));
                SegmentIndexes::restore(base_offset, offsets, times, first.header.max_timestamp)
            }
            None => {
                scanner.seek(0);
                SegmentIndexes::new(base_offset)
            }
        };
        loop {
            let step = scanner.next(Check::Crc).await;
            match step.map_err(OpenError::io("scan", &path))? {
                Step::Batch(Scanned { header, position }) if header.base_offset >= next_offset => {
                    indexes.observe(&header, position, self.config.index_interval_bytes);
                    next_offset = Offset(header.last_offset().0 + 1);
                }
                Step::End if scanner.position() == log.len_bytes => {
                    return Ok(Some((indexes, next_offset)));
                }
                Step::Batch(_) | Step::End | Step::Invalid(_) => return Ok(None),
            }
        }
    }

    async fn read_indexes(&self, log: LogFile) -> Option<(OffsetIndex, TimeIndex)> {
        let io = self.shard.io();
        let path = self.path(log.base_offset, SegmentFile::OffsetIndex);
        let offsets = self.listing.read(io, &path, DERIVED_LEN_MAX).await.ok()?;
        let path = self.path(log.base_offset, SegmentFile::TimeIndex);
        let times = self.listing.read(io, &path, DERIVED_LEN_MAX).await.ok()?;
        let offsets = OffsetIndex::decode(&offsets, log.len_bytes).ok()?;
        let times = TimeIndex::decode(&times).ok()?;
        // Closing writes the largest timestamp; without it only the whole segment tells.
        times.last()?;
        Some((offsets, times))
    }

    /// Scans from the recovery point and repairs what it finds.
    async fn open_unclean(&mut self) -> Result<(), OpenError> {
        let logs = self.listing.logs.clone();
        let recovery_point = self.last.recovery_point;
        let after = logs.partition_point(|log| log.base_offset <= recovery_point);
        let first_scanned = after.saturating_sub(1);
        let scan_from = logs[first_scanned].base_offset;
        self.segments = logs[..first_scanned].iter().map(sealed).collect();
        let from = self.load_snapshot(scan_from).await;
        self.replay(from, scan_from).await?;
        self.next_offset = scan_from;
        let mut has_removed = false;
        for (index, log) in logs.iter().enumerate().skip(first_scanned) {
            if log.base_offset != self.next_offset {
                self.check_loss(log, 0, "the segment before it ends too early")?;
                self.remove_segments(&logs[index..]).await?;
                has_removed = true;
                break;
            }
            let segment = self.scan(log).await?;
            self.segments.push(segment);
        }
        let newest = self.segments.len() - 1;
        for index in first_scanned..newest {
            self.seal(index).await;
        }
        if self.next_offset == self.last.recovery_point && !has_removed {
            // What was found is what had been durable, but an empty segment's name may be new: the next commit syncs it.
            let newest = &mut self.segments[newest];
            newest.named = newest.base_offset < self.next_offset;
            return Ok(());
        }
        let synced = self.shard.io().sync_dir(self.dir).await;
        synced.map_err(OpenError::io("sync directory", self.dir))
    }

    /// Checks one segment, cuts what is not whole, and makes it durable.
    async fn scan(&mut self, log: &LogFile) -> Result<Segment, OpenError> {
        let base_offset = log.base_offset;
        let path = self.path(base_offset, SegmentFile::Log);
        let mut indexes = SegmentIndexes::new(base_offset);
        let file = self.file(base_offset).await?;
        let mut scanner = Scanner::new(&*file, log.len_bytes);
        let mut progress = Progress::new(self.shard.io().now());
        loop {
            let is_proven = self.next_offset < self.last.recovery_point;
            let check = if is_proven || I::has_defect(Defect::TrustTail) {
                Check::Header
            } else {
                Check::Crc
            };
            let step = scanner.next(check).await;
            match step.map_err(OpenError::io("scan", &path))? {
                Step::Batch(found) if found.header.base_offset >= self.next_offset => {
                    indexes.observe(
                        &found.header,
                        found.position,
                        self.config.index_interval_bytes,
                    );
                    self.take(&found);
                }
                Step::End => break,
                Step::Batch(found) => {
                    scanner.seek(found.position);
                    self.check_loss(log, found.position, "its offsets do not rise")?;
                    break;
                }
                Step::Invalid(detail) => {
                    self.check_loss(log, scanner.position(), &detail)?;
                    break;
                }
            }
            progress.step(
                self.shard.io().now(),
                &path,
                scanner.position(),
                log.len_bytes,
            );
        }
        let size_bytes = scanner.position();
        self.check_scanned(log, size_bytes)?;
        let is_newest = self.listing.logs.last().map(|it| it.base_offset) == Some(base_offset);
        let kept = is_newest && {
            let is_zero = scanner.rest_is_zero(ROOM_KEPT_MAX).await;
            is_zero.map_err(OpenError::io("scan", &path))?
        };
        let is_cut = size_bytes < log.len_bytes && !kept;
        if is_cut {
            self.salvage(log, &file, &mut scanner).await?;
            let dropped_bytes = log.len_bytes - size_bytes;
            tracing::info!(path = %path.display(), size_bytes, dropped_bytes, "tail cut");
            let cut = file.set_len(size_bytes).await;
            cut.map_err(OpenError::io("cut", &path))?;
        }
        if is_cut || self.next_offset > self.last.recovery_point {
            let synced = file.sync_data().await;
            synced.map_err(OpenError::io("sync", &path))?;
        }
        let state = SegmentState::Growing(Box::new(indexes));
        let mut segment = Segment::on_disk(base_offset, size_bytes, state);
        if kept {
            segment.allocated_bytes = align_down(log.len_bytes).max(size_bytes);
        }
        Ok(segment)
    }

    /// Takes a batch into account that is part of the log.
    fn take(&mut self, found: &Scanned) {
        let header = &found.header;
        self.epochs.assign(header.leader_epoch, header.base_offset);
        let producer = ProducerBatch::of(header);
        self.producers
            .record(&producer, header.last_offset(), header.max_timestamp);
        self.next_offset = Offset(header.last_offset().0 + 1);
    }

    /// Writes the indexes of a scanned segment that is not the newest.
    async fn seal(&mut self, index: usize) {
        let segment = &mut self.segments[index];
        let base_offset = segment.base_offset;
        let Some(indexes) = segment.growing_mut() else {
            return;
        };
        indexes.finish();
        let (offsets, times) = (indexes.offsets.encode(), indexes.times.encode());
        let io = self.shard.io();
        let path = file_path(self.dir, base_offset, SegmentFile::OffsetIndex);
        let offsets = io.replace_file(&path, offsets).await;
        let path = file_path(self.dir, base_offset, SegmentFile::TimeIndex);
        let times = io.replace_file(&path, times).await;
        match offsets.and(times) {
            Ok(()) => segment.state = SegmentState::Sealed,
            // The index stays in memory until the log is closed.
            Err(error) => tracing::warn!(path = %path.display(), %error, "index not written"),
        }
    }

    /// Loads the newest intact snapshot that lies at or before `end`. Returns from where on batches have to be
    /// replayed.
    async fn load_snapshot(&mut self, end: Offset) -> Offset {
        let io = self.shard.io();
        for offset in self.listing.snapshots.iter().rev().filter(|it| **it <= end) {
            let path = file_path(self.dir, *offset, SegmentFile::Snapshot);
            self.producers.clear();
            let detail = match self.listing.read(io, &path, DERIVED_LEN_MAX).await {
                Ok(content) => match snapshot::decode(&content, &mut self.producers) {
                    Ok(()) => return *offset,
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            tracing::warn!(path = %path.display(), detail, "producer snapshot left out");
        }
        self.producers.clear();
        self.listing.logs.first().map_or(end, |log| log.base_offset)
    }

    /// Replays the producers of the batches in `from..to`, and the leader epochs of all before `to` if they are lost.
    async fn replay(&mut self, from: Offset, to: Offset) -> Result<(), OpenError> {
        let logs = self.listing.logs.clone();
        for (index, log) in logs.iter().enumerate() {
            let end = logs.get(index + 1).map_or(to, |next| next.base_offset);
            let is_wanted = self.epochs_are_lost || end > from;
            if !is_wanted || log.base_offset >= to || log.len_bytes == 0 {
                continue;
            }
            let path = self.path(log.base_offset, SegmentFile::Log);
            let file = self.file(log.base_offset).await?;
            let mut scanner = Scanner::new(&*file, log.len_bytes);
            loop {
                let step = scanner.next(Check::Header).await;
                let Some(found) = step.map_err(OpenError::io("scan", &path))?.batch() else {
                    break;
                };
                let header = &found.header;
                if self.epochs_are_lost {
                    self.epochs.assign(header.leader_epoch, header.base_offset);
                }
                if header.base_offset >= from {
                    let producer = ProducerBatch::of(header);
                    self.producers
                        .record(&producer, header.last_offset(), header.max_timestamp);
                }
            }
        }
        Ok(())
    }

    /// Removes snapshots behind the log end, and those that are neither at the begin of a segment nor the newest.
    async fn remove_stray_snapshots(&self) -> Result<(), OpenError> {
        let kept = self
            .listing
            .snapshots
            .iter()
            .filter(|it| **it <= self.next_offset)
            .max();
        for offset in &self.listing.snapshots {
            let begins = self.segments.iter().any(|it| it.base_offset == *offset);
            if (!begins && Some(offset) != kept) || *offset > self.next_offset {
                self.remove_file(&self.path(*offset, SegmentFile::Snapshot))
                    .await?;
            }
        }
        Ok(())
    }
}

fn sealed(log: &LogFile) -> Segment {
    Segment::on_disk(log.base_offset, log.len_bytes, SegmentState::Sealed)
}
