//! Retention: which segments a log no longer needs, and letting go of them.
//!
//! In two steps, with the log start offset's way to disk between them. [`Log::expire`] and [`Log::delete_records`] move the
//! start in memory: from then on nobody reads below it. When the caller has made the start durable,
//! [`Log::remove_expired`] takes the segments that lie wholly below it out of the log and renames their files; the shard's
//! trash frees their blocks later. So a crash at any moment leaves a log that begins at the old start or at the new one,
//! with everything from there on, and what is left of the files below it goes at the next start.
//!
//! # Invariants
//! - The log start never passes the high watermark, and never moves back.
//! - Segments go oldest first, whole, and only once they are sealed: no task touches their files any more.
//! - There is always a segment, and before the last of the others goes its file exists: its name holds the log's place.
//!
//! Source: `UnifiedLog.deleteOldSegments`, `LogSegment.largestTimestamp` and `Partition.deleteRecordsOnLeader` of Kafka
//! 4.3.1.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use io::Io;
use types::{DurationMs, Offset, TimestampMs};

use super::{Log, LogInner, LogState};
use crate::config::LogConfig;
use crate::error::{DeleteRecordsError, OpenError, ReadError};
use crate::segment::{Segment, SegmentFile};

/// What Kafka appends to the name of a file that is being deleted.
pub(crate) const DELETED_SUFFIX: &str = ".deleted";

/// The files of a segment, the log first: without it the others mean nothing.
const FILES: [SegmentFile; 4] = [
    SegmentFile::Log,
    SegmentFile::OffsetIndex,
    SegmentFile::TimeIndex,
    SegmentFile::Snapshot,
];

impl<I: Io> Log<I> {
    /// Moves the log start offset past the segments that are too old or too much at `now`. An active segment that is too
    /// old is rolled. Returns whether segments lie below the start, for [`Log::remove_expired`]. Cancellation leaves the
    /// start where it is or where it belongs.
    ///
    /// # Errors
    /// [`ReadError`] of an index that cannot be read; nothing expires then.
    pub async fn expire(&self, now: TimestampMs) -> Result<bool, ReadError> {
        let inner = &self.inner;
        if self.is_fenced() {
            return Ok(false);
        }
        let config = self.config();
        if config.deletes {
            let by_size = inner.state.borrow().expired_by_size(&config);
            let by_time = inner.expired_by_time(now, config.retention_ms).await?;
            inner.let_expire(by_size.max(by_time));
        }
        Ok(inner.state.borrow().expired_count(Offset(i64::MAX)) > 0)
    }

    /// Moves the log start offset to `before`, or to the high watermark for -1, on behalf of a client: the records below
    /// it are gone for readers at once. Returns the log start offset, which is beyond `before` if it was. The caller makes
    /// it durable before it tells anybody; the files go with [`Log::remove_expired`].
    ///
    /// # Errors
    /// [`DeleteRecordsError::OffsetOutOfRange`] for an offset beyond the high watermark or below -1.
    pub fn delete_records(&self, before: Offset) -> Result<Offset, DeleteRecordsError> {
        let start = self.start_after_deletion(before)?;
        self.inner.begin_at(start);
        Ok(self.log_start_offset())
    }

    /// The offset to which [`Log::delete_records`] would move the log start now, if it is not beyond it.
    ///
    /// # Errors
    /// As [`Log::delete_records`].
    pub fn start_after_deletion(&self, before: Offset) -> Result<Offset, DeleteRecordsError> {
        let inner = &self.inner;
        let high_watermark = {
            let state = inner.state.borrow();
            state.check_running()?;
            state.high_watermark
        };
        let start = if before.0 == -1 {
            high_watermark
        } else {
            before
        };
        if start.0 < 0 || start > high_watermark {
            return Err(DeleteRecordsError::OffsetOutOfRange {
                offset: before,
                high_watermark,
            });
        }
        Ok(start)
    }

    /// Lets the segments go that lie wholly below `durable_start`, a log start offset that no crash can take back any more.
    /// Their files are renamed and removed in the background. Returns how many went. Cancellation may leave files behind,
    /// which the next start removes.
    ///
    /// # Errors
    /// [`OpenError::Io`] when the log's last segment cannot be given a file, or the renames cannot be made durable.
    pub async fn remove_expired(&self, durable_start: Offset) -> Result<usize, OpenError> {
        let inner = &self.inner;
        let Some(_removing) = inner.begin_removal(durable_start).await else {
            return Ok(0);
        };
        if inner.state.borrow().leaves_active_alone(durable_start) {
            let created = inner.make_active_file().await;
            created.map_err(OpenError::io("create the active segment in", &inner.dir))?;
        }
        let removed = inner.take_expired(durable_start);
        self.discard_segments(&removed, Vec::new()).await?;
        Ok(removed.len())
    }

    /// As [`Log::remove_expired`] where nothing can make the start durable, because the disk is full: the segments below
    /// the log start go one at a time. A crash leaves those that are not gone yet, from some segment on and without a
    /// gap, since each is durably gone before the next one goes: the log begins with the first of them, whatever older
    /// start is on disk. No file is cut before it is known to have lost its name.
    ///
    /// # Errors
    /// As [`Log::remove_expired`], or [`OpenError::Io`] when a segment cannot be renamed; it stays, with those behind it.
    pub async fn remove_expired_singly(&self) -> Result<usize, OpenError> {
        let inner = &self.inner;
        let mut count = 0;
        loop {
            let Some((base_offset, end)) = inner.state.borrow().first_expired() else {
                return Ok(count);
            };
            let Some(_removing) = inner.begin_removal(end).await else {
                return Ok(count);
            };
            if inner.state.borrow().leaves_active_alone(end) {
                let created = inner.make_active_file().await;
                created.map_err(OpenError::io("create the active segment in", &inner.dir))?;
            }
            let path = crate::segment::file_path(&inner.dir, base_offset, SegmentFile::Log);
            let deleted = deleted_path(&path);
            let renamed = inner.shard.io().rename(&path, &deleted).await;
            renamed.map_err(OpenError::io("rename", &path))?;
            let removed = inner.take_expired(end);
            self.discard_segments(&removed, vec![deleted]).await?;
            count += removed.len();
        }
    }

    /// Renames the files of segments that the log has let go, and has them removed together with what is `renamed` already.
    async fn discard_segments(
        &self,
        removed: &[Segment],
        renamed: Vec<PathBuf>,
    ) -> Result<(), OpenError> {
        let inner = &self.inner;
        let delay = self.config().file_delete_delay_ms;
        let delay = Duration::from_millis(u64::try_from(delay.0).unwrap_or(0));
        let mut discarded = renamed;
        for segment in removed {
            discarded.extend(rename_deleted(&inner.shard, &inner.dir, segment.base_offset).await);
        }
        tracing::info!(dir = %inner.dir.display(), segments = removed.len(),
            log_start_offset = %self.log_start_offset(), "segments deleted");
        // Durable before the first of them is cut: a name must not come back to half a file.
        let synced = inner.shard.io().sync_dir(&inner.dir).await;
        synced.map_err(OpenError::io("sync directory", &inner.dir))?;
        for path in discarded {
            inner.shard.discard(path, delay);
        }
        Ok(())
    }
}

/// Gives the files of a segment the names of deleted ones. Returns what has to be removed.
pub(crate) async fn rename_deleted<I: Io>(
    shard: &crate::ShardStorage<I>,
    dir: &Path,
    base_offset: Offset,
) -> Vec<PathBuf> {
    let mut discarded = Vec::new();
    for file in FILES {
        let path = crate::segment::file_path(dir, base_offset, file);
        let deleted = deleted_path(&path);
        match shard.io().rename(&path, &deleted).await {
            Ok(()) => discarded.push(deleted),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                // It lies below the log's start: under its own name as well it means nothing any more.
                tracing::warn!(path = %path.display(), %error, "a deleted file keeps its name");
                discarded.push(path);
            }
        }
    }
    discarded
}

fn deleted_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(DELETED_SUFFIX);
    PathBuf::from(name)
}

/// Held while segments leave the log; whoever closes or deletes the log waits for it.
struct Removing<I: Io>(Rc<LogInner<I>>);

impl<I: Io> Drop for Removing<I> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().tasks.removing = false;
        self.0.progress.notify_all();
    }
}

impl<I: Io> LogInner<I> {
    /// The offset up to which segments are too old at `now`; the log end when all are.
    async fn expired_by_time(
        self: &Rc<Self>,
        now: TimestampMs,
        retention: DurationMs,
    ) -> Result<Offset, ReadError> {
        let mut expired = self.state.borrow().log_start_offset;
        if retention.0 < 0 {
            return Ok(expired);
        }
        let kept = |state: &LogState<I>| {
            let first = state.expired_count(Offset(i64::MAX));
            let segments = state.segments[first..].iter().enumerate();
            segments
                .map(|(index, segment)| (segment.base_offset, state.end_of(first + index)))
                .collect::<Vec<_>>()
        };
        let segments = kept(&self.state.borrow());
        for (segment, end) in segments {
            let is_empty = end == segment;
            if is_empty || end > self.state.borrow().high_watermark {
                break;
            }
            let Some(newest) = self.largest_timestamp(segment).await? else {
                break;
            };
            if now.0.saturating_sub(newest.0) <= retention.0 {
                break;
            }
            expired = end;
        }
        Ok(expired)
    }

    /// The largest timestamp of a segment's records; where none has one, when its file was last changed. `None` when the
    /// segment is gone.
    async fn largest_timestamp(
        self: &Rc<Self>,
        segment: Offset,
    ) -> Result<Option<TimestampMs>, ReadError> {
        let known = {
            let state = self.state.borrow();
            let Some(found) = state.segment(segment) else {
                return Ok(None);
            };
            match found.growing() {
                Some(indexes) => Some(indexes.max_timestamp()),
                None => found.max_timestamp,
            }
        };
        let newest = match known {
            Some(newest) => newest,
            None => {
                let newest = self.newest_of(segment).await?;
                let newest = newest.map_or(TimestampMs::NONE, |(timestamp, _)| timestamp);
                if let Some(segment) = self.state.borrow_mut().segment_mut(segment) {
                    segment.max_timestamp = Some(newest);
                }
                newest
            }
        };
        if newest.0 >= 0 {
            return Ok(Some(newest));
        }
        self.file_modified(segment).await
    }

    async fn file_modified(&self, segment: Offset) -> Result<Option<TimestampMs>, ReadError> {
        let path = self.path(segment, SegmentFile::Log);
        let listed = self.shard.io().list_dir(&self.dir).await;
        let entries = listed.map_err(|error| ReadError::Io(format!("list its files: {error}")))?;
        let name = path.file_name().and_then(|name| name.to_str());
        let entry = entries.iter().find(|entry| Some(&*entry.name) == name);
        Ok(entry.map(|entry| entry.modified))
    }

    /// Moves the log start to `end`, the end of a segment. When that is the log's end a new segment begins there.
    fn let_expire(self: &Rc<Self>, end: Offset) {
        {
            let mut state = self.state.borrow_mut();
            if end <= state.log_start_offset || state.check_running().is_err() {
                return;
            }
            if end == state.next_offset && state.active().size_bytes > 0 {
                self.roll(&mut state);
                state.is_changed = true;
            }
        }
        self.begin_at(end);
    }

    /// Moves the log start offset, if `start` lies behind it, and tells those who wait below it.
    fn begin_at(self: &Rc<Self>, start: Offset) {
        let epochs_changed = {
            let mut state = self.state.borrow_mut();
            if start <= state.log_start_offset {
                return;
            }
            assert!(
                start <= state.high_watermark,
                "records that nobody was told of are not deleted"
            );
            state.log_start_offset = start;
            let changed = state.epochs.truncate_start(start);
            state.epochs_changed |= changed;
            state.is_changed |= changed;
            changed
        };
        self.committed.notify_all();
        if epochs_changed {
            self.save_epochs();
        }
    }

    /// Waits until what is to go is at rest. `None` when nothing is to go, or somebody is at it.
    async fn begin_removal(self: &Rc<Self>, durable_start: Offset) -> Option<Removing<I>> {
        loop {
            let progress = {
                let mut state = self.state.borrow_mut();
                let count = state.expired_count(durable_start);
                if count == 0 || state.tasks.removing || state.check_running().is_err() {
                    return None;
                }
                // A seal that failed is not tried again before the log is closed: it holds nothing up.
                let is_sealing = state.tasks.sealing > 0
                    && state.segments[..count]
                        .iter()
                        .any(|segment| segment.growing().is_some());
                // Compaction renames files for a moment.
                let is_replacing = state.segments[..count]
                    .iter()
                    .any(|segment| state.is_replacing(segment.base_offset));
                if !is_sealing && !is_replacing {
                    state.tasks.removing = true;
                    return Some(Removing(Rc::clone(self)));
                }
                self.progress.notified()
            };
            progress.await;
        }
    }

    /// Takes what lies below `durable_start` out of the log and out of memory.
    fn take_expired(&self, durable_start: Offset) -> Vec<Segment> {
        let removed: Vec<Segment> = {
            let mut state = self.state.borrow_mut();
            let count = state.expired_count(durable_start);
            state.segments.drain(..count).collect()
        };
        for segment in &removed {
            let files_id = segment.files_id.unwrap_or(self.id);
            self.shard.forget_pieces((files_id, segment.base_offset));
        }
        removed
    }

    /// Creates the file of the active segment, in the writer's place, unless it exists.
    async fn make_active_file(self: &Rc<Self>) -> std::io::Result<()> {
        let base_offset = loop {
            let progress = {
                let mut state = self.state.borrow_mut();
                if state.active().on_disk || state.is_halted() {
                    return Ok(());
                }
                if !std::mem::replace(&mut state.tasks.writing, true) {
                    break state.active().base_offset;
                }
                self.progress.notified()
            };
            progress.await;
        };
        let created = self.create_file(base_offset).await.map(drop);
        self.state.borrow_mut().tasks.writing = false;
        self.progress.notify_all();
        self.start_writer();
        created
    }
}

impl<I: Io> LogState<I> {
    /// Where the segment at `index` ends.
    fn end_of(&self, index: usize) -> Offset {
        let next = self.segments.get(index + 1);
        next.map_or(self.next_offset, |next| next.base_offset)
    }

    /// How many segments lie wholly below `start` and the log start. The active one never counts.
    fn expired_count(&self, start: Offset) -> usize {
        let start = self.log_start_offset.min(start);
        let ends = self.segments.iter().skip(1).map(|next| next.base_offset);
        ends.take_while(|end| *end <= start).count()
    }

    /// The first segment and its end, if it lies wholly below the log start. The active one never does.
    fn first_expired(&self) -> Option<(Offset, Offset)> {
        let end = self.segments.get(1)?.base_offset;
        (end <= self.log_start_offset).then(|| (self.segments[0].base_offset, end))
    }

    /// Whether only the active segment stays when everything below `start` goes, and it has no file yet.
    fn leaves_active_alone(&self, start: Offset) -> bool {
        let count = self.expired_count(start);
        count > 0 && count + 1 == self.segments.len() && !self.active().on_disk
    }

    /// The offset up to which segments are too much: those whose removal leaves at least `retention.bytes` of records that were
    /// acknowledged. What waits for a disk that is full or fails may never be written.
    fn expired_by_size(&self, config: &LogConfig) -> Offset {
        let mut expired = self.log_start_offset;
        let Ok(retention) = u64::try_from(config.retention_bytes) else {
            return expired;
        };
        let first = self.expired_count(Offset(i64::MAX));
        let kept = self.segments[first..].iter();
        let size_bytes: u64 = kept.clone().map(|segment| segment.size_bytes).sum();
        let size_bytes = size_bytes.saturating_sub(self.uncommitted_bytes());
        let mut surplus = size_bytes.saturating_sub(retention);
        for (index, segment) in kept.enumerate() {
            let end = self.end_of(first + index);
            let is_deletable = end <= self.high_watermark && segment.size_bytes > 0;
            if size_bytes < retention || segment.size_bytes > surplus || !is_deletable {
                break;
            }
            surplus -= segment.size_bytes;
            expired = end;
        }
        expired
    }
}
