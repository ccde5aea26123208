//! The way to disk: one task writes the tail, another one syncs; both exist only while there is work.
//!
//! # Invariants
//! - At most one group of writes and one sync of a log are in flight. Writes of a group never overlap a block.
//! - The durable offset is what had been written when the sync was submitted, and moves once it has completed for every
//!   segment that was written, and the directory knows their names.
//! - A write or sync that fails fences the log. A full disk is no failure: nothing was promised yet, so the write
//!   waits for space and is tried again.
//!
//! # When
//! An idle log writes and syncs at once. While a sync is in flight the next group waits for it, unless much is dirty;
//! a log that takes much while it commits waits a little longer, so that groups become larger under sustained load.

use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{join_all, select};
use io::sync::Notified;
use io::{
    ALIGNMENT, Buffer as _, Defect, File as _, Io, OpenMode, Task as _, TaskClass, align_up,
    timeout,
};
use types::{Event, Offset};

use super::{Log, LogInner, LogState};
use crate::config::Durability;
use crate::error::Fenced;
use crate::files::FileUse;
use crate::segment::SegmentFile;
use crate::staging::WriteJob;

/// Bytes that arrive during a commit from which on a log counts as under sustained load.
const SUSTAINED_BYTES: u64 = 128 << 10;

/// How long a write waits before it tries a full disk again.
const RETRY_FULL_DISK: Duration = Duration::from_millis(500);

/// The first preallocation of a segment; it doubles from there.
const PREALLOCATION_MIN: u64 = 64 << 10;

/// The largest step of preallocation.
const PREALLOCATION_MAX: u64 = 32 << 20;

/// What one turn of the writer carries to disk.
struct Group<B> {
    jobs: Vec<WriteJob<B>>,
    end_offset: Offset,
    appended_bytes: u64,
    /// Each segment with its size as of then.
    sizes: Vec<(Offset, u64)>,
}

/// What one sync makes durable.
struct SyncJob {
    end_offset: Offset,
    written_bytes: u64,
    segments: Vec<Offset>,
    sync_dir: bool,
}

impl<I: Io> Log<I> {
    /// Makes everything appended so far durable. Cancellation leaves the sync to happen.
    ///
    /// # Errors
    /// [`Fenced`] when the log stops before, or its disk is full.
    pub async fn flush(&self) -> std::result::Result<(), Fenced> {
        let target = self.inner.state.borrow().totals.appended;
        loop {
            let progress = {
                let mut state = self.inner.state.borrow_mut();
                if state.totals.durable >= target {
                    return Ok(());
                }
                state.check_committing()?;
                state.flush_wanted = true;
                self.inner.progress.notified()
            };
            self.inner.start_writer();
            self.inner.start_syncer();
            progress.await;
        }
    }
}

impl<I: Io> LogInner<I> {
    /// Starts the writer unless it runs.
    pub(crate) fn start_writer(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        let dirty = state.totals.appended > state.totals.claimed;
        if state.is_halted() || !dirty || std::mem::replace(&mut state.tasks.writing, true) {
            return;
        }
        drop(state);
        let inner = Rc::clone(self);
        let writer = async move { inner.write().await };
        self.shard
            .io()
            .spawn(TaskClass::Foreground, writer)
            .detach();
    }

    async fn write(self: Rc<Self>) {
        while let Some(group) = self.claim() {
            if let Err(error) = self.write_group(&group).await {
                self.state.borrow_mut().tasks.writing = false;
                self.fence(format!("write: {error}"));
                self.progress.notify_all();
                return;
            }
            self.group_is_written(&group);
            self.pace().await;
        }
        self.progress.notify_all();
    }

    /// Takes everything that is dirty; `None` ends the writer.
    fn claim(&self) -> Option<Group<I::Buffer>> {
        let mut state = self.state.borrow_mut();
        let io = self.shard.io();
        if state.is_halted() || state.totals.claimed == state.totals.appended {
            state.tasks.writing = false;
            return None;
        }
        state.totals.claimed = state.totals.appended;
        let unwritten = state.segments.iter().rev().take_while(|segment| {
            segment.written_bytes < segment.size_bytes || segment.size_bytes == 0
        });
        let sizes = unwritten
            .map(|segment| (segment.base_offset, segment.size_bytes))
            .collect();
        Some(Group {
            jobs: state.staging.claim(&|len_bytes| io.allocate(len_bytes)),
            end_offset: state.next_offset,
            appended_bytes: state.totals.appended,
            sizes,
        })
    }

    async fn write_group(&self, group: &Group<I::Buffer>) -> Result<()> {
        for jobs in group
            .jobs
            .chunk_by(|left, right| left.segment == right.segment)
        {
            while let Err(error) = self.write_jobs(jobs).await {
                self.wait_for_space(error).await?;
            }
        }
        Ok(())
    }

    /// Writes what belongs to one segment. None of the writes is under way any more when it returns.
    async fn write_jobs(&self, jobs: &[WriteJob<I::Buffer>]) -> Result<()> {
        let last = jobs.last().expect("a group is split into parts with jobs");
        let end = last.position + last.buffer.len() as u64;
        let file = self.file_with_room(last.segment, end).await?;
        let disk = &self.space.disk;
        let writes = jobs.iter().map(async |job| {
            let bytes = job.buffer.len();
            let write = file.write_at(job.position, job.buffer.clone());
            let written = disk.writes.count(self.shard.io(), bytes, write).await?;
            if written == job.buffer.len() {
                Ok(())
            } else {
                Err(Error::from(ErrorKind::StorageFull))
            }
        });
        join_all(writes).await.into_iter().collect()
    }

    /// After an operation that found the disk full: waits a while, without holding a file. Gives any other error back.
    async fn wait_for_space(&self, error: Error) -> Result<()> {
        let is_full = matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        );
        if !is_full && !lacks_descriptors(&error) {
            return Err(error);
        }
        let io = self.shard.io();
        let was_full = {
            let mut state = self.state.borrow_mut();
            if state.is_halted() {
                return Err(error);
            }
            std::mem::replace(&mut state.is_disk_full, true)
        };
        if !was_full {
            tracing::error!(dir = %self.dir.display(), %error, "appends wait for space or descriptors");
            self.notify_all();
        }
        io.sleep_until(io.now() + RETRY_FULL_DISK).await;
        Ok(())
    }

    /// The file of a segment, created if need be, with blocks up to `end`.
    async fn file_with_room(&self, base_offset: Offset, end: u64) -> Result<FileUse<I::File>> {
        let (on_disk, allocated, segment_bytes, at_once) = {
            let state = self.state.borrow();
            let segment = state.segment(base_offset).ok_or(ErrorKind::NotFound)?;
            let bytes = u64::from(state.config.segment_bytes);
            let at_once = state.config.preallocate;
            (segment.on_disk, segment.allocated_bytes, bytes, at_once)
        };
        let file = if on_disk {
            self.file(base_offset).await?
        } else {
            self.create_file(base_offset).await?
        };
        if end <= allocated {
            return Ok(file);
        }
        let step = if at_once {
            segment_bytes
        } else {
            let step = allocated.clamp(PREALLOCATION_MIN, PREALLOCATION_MAX);
            step.min(self.space.spare_bytes())
        };
        let generous = (allocated + step).min(align_up(segment_bytes)).max(end);
        let mut target = align_up(generous);
        while let Err(error) = file.allocate(allocated, target - allocated).await {
            if error.kind() == ErrorKind::Unsupported {
                // This file system takes blocks when they are written.
                break;
            }
            if target == end {
                return Err(error);
            }
            target = end;
        }
        let mut state = self.state.borrow_mut();
        if let Some(segment) = state.segment_mut(base_offset) {
            segment.allocated_bytes = target;
        }
        Ok(file)
    }

    pub(super) async fn create_file(&self, base_offset: Offset) -> Result<FileUse<I::File>> {
        let path = self.path(base_offset, SegmentFile::Log);
        let key = (self.id, base_offset);
        let file = self.shard.file(key, &path, OpenMode::CreateNew).await?;
        if let Some(segment) = self.state.borrow_mut().segment_mut(base_offset) {
            segment.on_disk = true;
        }
        Ok(file)
    }

    fn group_is_written(self: &Rc<Self>, group: &Group<I::Buffer>) {
        let moved = {
            let mut state = self.state.borrow_mut();
            state.is_disk_full = false;
            let written_bytes = group.appended_bytes - state.totals.written;
            self.has_written(&mut state, written_bytes);
            for (segment, size_bytes) in &group.sizes {
                if let Some(segment) = state.segment_mut(*segment) {
                    segment.unsynced |= segment.written_bytes < *size_bytes;
                    segment.written_bytes = *size_bytes;
                }
            }
            state.staging.written(|retired| self.cache(retired));
            if !self.shard.may_keep_tails() {
                state.staging.retire_tail(|retired| self.cache(retired));
            }
            state.written_offset = group.end_offset;
            state.totals.written = group.appended_bytes;
            if I::has_defect(Defect::AckBeforeSync) {
                state.durable_offset = group.end_offset;
            }
            state.advance_high_watermark()
        };
        self.has_progressed(moved);
        self.start_syncer();
        self.start_flush_timer();
    }

    fn has_progressed(&self, high_watermark_moved: bool) {
        self.progress.notify_all();
        if high_watermark_moved {
            self.committed.notify_all();
        }
    }

    /// Waits until it is worth writing again.
    async fn pace(&self) {
        while let Some((synced, dirty)) = self.sync_to_wait_for() {
            select(synced, dirty).await;
        }
        let sustained = {
            let state = self.state.borrow();
            let unclaimed = state.totals.appended - state.totals.claimed;
            let much = self.shard.pace().commit_bytes;
            let sustained = (SUSTAINED_BYTES..much).contains(&unclaimed);
            sustained.then(|| self.dirty.notified())
        };
        let window = self.shard.pace().commit_window;
        if let Some(dirty) = sustained.filter(|_| !window.is_zero()) {
            // Either way it is time to write.
            timeout(self.shard.io(), window, dirty).await.ok();
        }
    }

    fn sync_to_wait_for(&self) -> Option<(Notified, Notified)> {
        let state = self.state.borrow();
        let unclaimed = state.totals.appended - state.totals.claimed;
        let wait = state.tasks.syncing
            && !state.is_halted()
            && state.config.durability == Durability::Sync
            && unclaimed < self.shard.pace().commit_bytes;
        wait.then(|| (self.progress.notified(), self.dirty.notified()))
    }

    /// Starts the syncer unless it runs or nothing is due.
    pub(crate) fn start_syncer(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if state.is_halted()
            || !state.sync_is_due()
            || std::mem::replace(&mut state.tasks.syncing, true)
        {
            return;
        }
        drop(state);
        let inner = Rc::clone(self);
        let syncer = async move { inner.sync().await };
        self.shard
            .io()
            .spawn(TaskClass::Foreground, syncer)
            .detach();
    }

    async fn sync(self: Rc<Self>) {
        while let Some(job) = self.next_sync() {
            let mut result = self.sync_files(&job).await;
            if I::has_defect(Defect::IgnoreFailedSync) {
                result = Ok(());
            }
            let moved = {
                let mut state = self.state.borrow_mut();
                state.tasks.syncing = result.is_ok();
                // Beside a sync of the same file that has failed, a success proves nothing.
                let is_proven = result.is_ok() && !state.is_halted();
                is_proven && state.is_durable(&job)
            };
            if let Err(error) = result {
                self.fence(format!("sync: {error}"));
                break;
            }
            self.has_progressed(moved);
        }
        self.progress.notify_all();
    }

    /// What to sync next; `None` ends the syncer.
    fn next_sync(&self) -> Option<SyncJob> {
        let mut state = self.state.borrow_mut();
        if state.is_halted() || !state.sync_is_due() {
            state.tasks.syncing = false;
            return None;
        }
        state.flush_wanted = state.totals.written < state.totals.appended && state.flush_wanted;
        let mut segments = Vec::new();
        let mut sync_dir = false;
        for segment in &mut state.segments {
            if segment.on_disk && std::mem::take(&mut segment.unsynced) {
                sync_dir |= !segment.named;
                segments.push(segment.base_offset);
            }
        }
        Some(SyncJob {
            end_offset: state.written_offset,
            written_bytes: state.totals.written,
            segments,
            sync_dir,
        })
    }

    async fn sync_files(&self, job: &SyncJob) -> Result<()> {
        for segment in &job.segments {
            let is_gone = || self.state.borrow().segment(*segment).is_none();
            if let Err(error) = self.sync_file(*segment).await
                && !is_gone()
            {
                return Err(error);
            }
        }
        if job.sync_dir && !I::has_defect(Defect::SkipDirectorySync) {
            self.shard.io().sync_dir(&self.dir).await?;
        }
        Ok(())
    }

    async fn sync_file(&self, segment: Offset) -> Result<()> {
        let file = self.file(segment).await?;
        let io = self.shard.io();
        let log = self.identity.log_name();
        let began = io.now();
        io.record(began, Event::SyncSubmitted { log });
        let syncs = &self.space.disk.syncs;
        let synced = syncs.count(io, 0, file.sync_data()).await;
        let now = io.now();
        let took = now.saturating_since(began);
        let is_ok = synced.is_ok();
        io.record(now, Event::SyncCompleted { log, took, is_ok });
        synced
    }

    /// With `flush.ms`: asks for a sync when the oldest unsynced record is that old.
    fn start_flush_timer(self: &Rc<Self>) {
        let flush_ms = {
            let mut state = self.state.borrow_mut();
            let flush_ms = state.config.flush_ms.0;
            let wanted = state.config.durability == Durability::Written
                && flush_ms < i64::MAX
                && state.totals.durable < state.totals.written;
            if !wanted || std::mem::replace(&mut state.tasks.flush_timer, true) {
                return;
            }
            u64::try_from(flush_ms).unwrap_or(0)
        };
        let inner = Rc::clone(self);
        let deadline = self.shard.io().now() + Duration::from_millis(flush_ms);
        let timer = async move {
            inner.shard.io().sleep_until(deadline).await;
            {
                let mut state = inner.state.borrow_mut();
                state.tasks.flush_timer = false;
                state.flush_wanted = true;
            }
            inner.start_syncer();
        };
        self.shard.io().spawn(TaskClass::Background, timer).detach();
    }
}

impl<I: Io> LogState<I> {
    fn sync_is_due(&self) -> bool {
        if self.totals.written == self.totals.durable {
            return false;
        }
        match self.config.durability {
            Durability::Sync => true,
            Durability::Written => {
                let records = self.written_offset.0 - self.durable_offset.0;
                self.flush_wanted || records >= self.config.flush_messages
            }
        }
    }

    /// Takes a completed sync into account. Returns whether the high watermark moved.
    fn is_durable(&mut self, job: &SyncJob) -> bool {
        for segment in &job.segments {
            if let Some(segment) = self.segment_mut(*segment) {
                segment.named |= job.sync_dir;
            }
        }
        self.durable_offset = self.durable_offset.max(job.end_offset);
        self.totals.durable = self.totals.durable.max(job.written_bytes);
        self.advance_high_watermark()
    }
}

/// Whether a file could not be opened because the process or the machine has too many open (`EMFILE`, `ENFILE`).
fn lacks_descriptors(error: &Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

const _: () = assert!(
    PREALLOCATION_MIN.is_multiple_of(ALIGNMENT as u64),
    "whole blocks"
);
