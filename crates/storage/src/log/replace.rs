//! Putting a cleaned segment in the place of those that it was made from.
//!
//! The files go through Kafka's names, so that a crash at any moment leaves something that opening the log finishes
//! or undoes (`log/unfinished.rs`):
//! 1. The cleaned files, written and synced as `.cleaned`, become `.swap`. From here on the replacement happens.
//! 2. The old log files become `.deleted`, for the trash, and their other files go.
//! 3. The `.swap` files get their final names.
//!
//! The directory is synced after each step. In memory the replacement is one instant, at the end. Until then readers go
//! on with the old files, and whoever needs a file by its name waits for the few renames in between ([`NamesUse`]).
//! Whoever had looked a place up before reads something else there, or nothing: reads note how many replacements there
//! have been and begin again when there was another one. Pieces of files in the shard's caches belong to a number that
//! each replacement draws anew, so that nobody ever finds an old file's piece in a new one.

use std::io::{Error, ErrorKind, Result};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use io::Io;
use types::Offset;

use super::retention::DELETED_SUFFIX;
use super::{Log, LogInner, LogState};
use crate::error::is_device_failure;
use crate::files::SegmentKey;
use crate::segment::{Segment, SegmentFile, SegmentState, file_path};

/// What a file is called until it is complete.
pub(crate) const CLEANED_SUFFIX: &str = "cleaned";

/// What a file is called that is complete and replaces others.
pub(crate) const SWAP_SUFFIX: &str = "swap";

/// The files of a cleaned segment; the log comes last, so that its name tells that all are renamed.
const CLEANED_FILES: [SegmentFile; 3] = [
    SegmentFile::OffsetIndex,
    SegmentFile::TimeIndex,
    SegmentFile::Log,
];

/// What a log knows of its compaction.
#[derive(Debug, Default)]
pub(crate) struct Cleaning {
    /// Below it everything was cleaned. Never behind the log's end.
    pub(crate) first_dirty: Option<Offset>,
    /// Why the log is not cleaned any more.
    pub(crate) uncleanable: Option<String>,
    /// Those who want the segments left as they are.
    pauses: usize,
    /// The base offsets of the segments whose files are being renamed.
    replacing: Option<RangeInclusive<Offset>>,
    /// The segments whose files somebody is about to open or to write by name.
    names_in_use: Vec<Offset>,
    /// Replacements since the log was opened.
    replaced: u64,
}

/// Keeps the cleaner away from a log: its segments are not replaced as long as this lives.
pub struct CleaningPause<I: Io>(Rc<LogInner<I>>);

impl<I: Io> std::fmt::Debug for CleaningPause<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CleaningPause").field(&self.0.dir).finish()
    }
}

impl<I: Io> Drop for CleaningPause<I> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().cleaning.pauses -= 1;
    }
}

/// Keeps the names of a segment's files as they are. Held for single operations only.
pub(crate) struct NamesUse<'a, I: Io> {
    inner: &'a LogInner<I>,
    segment: Offset,
}

impl<I: Io> Drop for NamesUse<'_, I> {
    fn drop(&mut self) {
        let must_tell = {
            let mut state = self.inner.state.borrow_mut();
            let users = &mut state.cleaning.names_in_use;
            if let Some(index) = users.iter().position(|it| *it == self.segment) {
                users.swap_remove(index);
            }
            state.cleaning.replacing.is_some()
        };
        if must_tell {
            self.inner.progress.notify_all();
        }
    }
}

/// A file of a segment under one of the names above.
pub(crate) fn suffixed(dir: &Path, base: Offset, file: SegmentFile, suffix: &str) -> PathBuf {
    let mut path = file_path(dir, base, file).into_os_string();
    path.push(".");
    path.push(suffix);
    path.into()
}

impl<I: Io> Log<I> {
    /// Whether it is compacted, so that a cleaner should look at it.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        self.inner.state.borrow().config.compacts
    }

    /// Below this offset the log was cleaned; what the cleaner's checkpoint is to hold.
    #[must_use]
    pub fn cleaner_offset(&self) -> Option<Offset> {
        self.inner.state.borrow().cleaning.first_dirty
    }

    /// Takes over what the cleaner's checkpoint says. To be called before the log is cleaned, and before anything is
    /// appended. Returns whether it could be: an offset behind the log's end is of records that are no longer there, and
    /// new ones in their place would count as clean. Such a log is cleaned from its begin.
    pub fn set_cleaner_offset(&self, offset: Offset) -> bool {
        let mut state = self.inner.state.borrow_mut();
        let is_within = offset <= state.next_offset;
        state.cleaning.first_dirty = is_within.then_some(offset);
        is_within
    }

    /// Keeps the cleaner away, for whoever copies segments; several may. Waits for a pass over this log to give up, which is
    /// soon. Cancellation ends the pause.
    pub async fn pause_cleaning(&self) -> CleaningPause<I> {
        self.inner.state.borrow_mut().cleaning.pauses += 1;
        let pause = CleaningPause(Rc::clone(&self.inner));
        loop {
            let progress = {
                if !self.inner.state.borrow().tasks.cleaning {
                    return pause;
                }
                self.inner.progress.notified()
            };
            progress.await;
        }
    }

    /// Why the log is not cleaned any more, until it is opened again: damage, or a failing disk.
    #[must_use]
    pub fn uncleanable(&self) -> Option<String> {
        self.inner.state.borrow().cleaning.uncleanable.clone()
    }
}

impl<I: Io> LogState<I> {
    /// Whether the cleaner is to leave the log alone.
    pub(crate) fn must_not_clean(&self) -> bool {
        self.stop.is_some() || self.cleaning.pauses > 0
    }

    /// Whether these segments are there, one behind the other, and none of them is active.
    fn holds(&self, group: &[Offset]) -> bool {
        let from = self
            .segments
            .partition_point(|it| it.base_offset < group[0]);
        let found = &self.segments[from..];
        let bases = found.iter().map(|it| it.base_offset);
        found.len() > group.len() && bases.take(group.len()).eq(group.iter().copied())
    }

    /// Whether the files of a segment are being renamed: it must not be deleted now.
    pub(crate) fn is_replacing(&self, segment: Offset) -> bool {
        let replacing = self.cleaning.replacing.as_ref();
        replacing.is_some_and(|segments| segments.contains(&segment))
    }
}

impl<I: Io> LogInner<I> {
    /// How many replacements there have been: places that were looked up before another one mean nothing.
    pub(crate) fn replacements(&self) -> u64 {
        self.state.borrow().cleaning.replaced
    }

    /// What the shard keeps a segment's pieces, indexes and file under.
    pub(crate) fn key(&self, segment: Offset) -> SegmentKey {
        let state = self.state.borrow();
        if state.cleaning.replaced == 0 {
            return (self.id, segment);
        }
        let found = state.segment(segment);
        (found.and_then(|it| it.files_id).unwrap_or(self.id), segment)
    }

    /// Waits until the names of a segment's files are settled, and keeps them so.
    pub(crate) async fn use_names(&self, segment: Offset) -> NamesUse<'_, I> {
        loop {
            let progress = {
                let mut state = self.state.borrow_mut();
                if !state.is_replacing(segment) {
                    state.cleaning.names_in_use.push(segment);
                    return NamesUse {
                        inner: self,
                        segment,
                    };
                }
                self.progress.notified()
            };
            progress.await;
        }
    }

    /// Puts the cleaned segment whose `.cleaned` files are complete in the place of `group`, consecutive segments of
    /// which it has the first one's base offset. Cancellation leaves the log unusable until it is opened again.
    ///
    /// # Errors
    /// The operating system's. The old segments are in place then, or the log is fenced.
    pub(crate) async fn replace_segments(&self, group: &[Offset], size_bytes: u64) -> Result<()> {
        let (first, last) = (group[0], group[group.len() - 1]);
        self.rename_cleaned(first).await?;
        self.begin_replacing(first..=last).await;
        self.wait_for_names().await;
        if !self.state.borrow().holds(group) {
            self.state.borrow_mut().cleaning.replacing = None;
            self.progress.notify_all();
            return Err(Error::new(ErrorKind::NotFound, "the segments are gone"));
        }
        // Drawn anew each time: the trash may still be at work on what was replaced before under the same name.
        let number = self.shard.io().random();
        let replaced = self.swap_files(group, number).await;
        let mut state = self.state.borrow_mut();
        state.cleaning.replacing = None;
        if replaced.is_ok() {
            self.swap_in_memory(&mut state, group, size_bytes);
        }
        drop(state);
        self.progress.notify_all();
        if replaced.is_ok() {
            self.discard_old(group, number);
        }
        replaced
    }

    /// Removes what a pass that failed has left of a cleaned segment.
    pub(crate) async fn discard_cleaned(&self, base: Offset) {
        let io = self.shard.io();
        for suffix in [SWAP_SUFFIX, CLEANED_SUFFIX] {
            for file in CLEANED_FILES {
                let path = suffixed(&self.dir, base, file, suffix);
                // Most are not there. What stays is removed when the log is opened.
                io.remove_file(&path).await.ok();
            }
        }
    }

    async fn rename_cleaned(&self, base: Offset) -> Result<()> {
        let io = self.shard.io();
        for file in CLEANED_FILES {
            let cleaned = suffixed(&self.dir, base, file, CLEANED_SUFFIX);
            let swap = suffixed(&self.dir, base, file, SWAP_SUFFIX);
            io.rename(&cleaned, &swap).await?;
        }
        self.sync_names().await
    }

    /// Syncs the directory. After a failure of the device nobody knows which names are durable.
    async fn sync_names(&self) -> Result<()> {
        let synced = self.shard.io().sync_dir(&self.dir).await;
        if let Err(error) = &synced
            && is_device_failure(error)
        {
            self.fence(format!("sync directory: {error}"));
        }
        synced
    }

    /// Waits until no segments leave the log, and keeps them from it.
    async fn begin_replacing(&self, segments: RangeInclusive<Offset>) {
        loop {
            let progress = {
                let mut state = self.state.borrow_mut();
                if !state.tasks.removing {
                    state.cleaning.replacing = Some(segments);
                    return;
                }
                self.progress.notified()
            };
            progress.await;
        }
    }

    async fn wait_for_names(&self) {
        loop {
            let progress = {
                let state = self.state.borrow();
                let mut users = state.cleaning.names_in_use.iter();
                if !users.any(|segment| state.is_replacing(*segment)) {
                    return;
                }
                self.progress.notified()
            };
            progress.await;
        }
    }

    async fn swap_files(&self, group: &[Offset], number: u64) -> Result<()> {
        let io = self.shard.io();
        for (index, base) in group.iter().enumerate() {
            let old = self.path(*base, SegmentFile::Log);
            if let Err(error) = io.rename(&old, &self.deleted_path(*base, number)).await {
                self.put_back(&group[..index], number).await;
                return Err(error);
            }
        }
        for (index, base) in group.iter().enumerate() {
            let derived = [SegmentFile::OffsetIndex, SegmentFile::TimeIndex];
            // A snapshot belongs to the beginning of its segment, and there is still one that begins where the first did.
            let snapshot = (index > 0).then_some(SegmentFile::Snapshot);
            for file in derived.into_iter().chain(snapshot) {
                io.remove_file(&self.path(*base, file)).await.ok();
            }
        }
        let finished = self.finish_swap(group[0]).await;
        if let Err(error) = &finished {
            self.fence(format!("replace segments from {}: {error}", group[0]));
        }
        finished
    }

    async fn finish_swap(&self, base: Offset) -> Result<()> {
        self.sync_names().await?;
        let io = self.shard.io();
        for file in CLEANED_FILES {
            let swap = suffixed(&self.dir, base, file, SWAP_SUFFIX);
            io.rename(&swap, &self.path(base, file)).await?;
        }
        self.sync_names().await
    }

    /// Gives old segments their names back.
    async fn put_back(&self, renamed: &[Offset], number: u64) {
        for base in renamed.iter().rev() {
            let deleted = self.deleted_path(*base, number);
            let path = self.path(*base, SegmentFile::Log);
            if let Err(error) = self.shard.io().rename(&deleted, &path).await {
                self.fence(format!("put segment {base} back: {error}"));
                return;
            }
        }
    }

    fn swap_in_memory(&self, state: &mut LogState<I>, group: &[Offset], size_bytes: u64) {
        let (first, last) = (group[0], group[group.len() - 1]);
        let from = state.segments.partition_point(|it| it.base_offset < first);
        let to = state.segments.partition_point(|it| it.base_offset <= last);
        let mut cleaned = Segment::on_disk(first, size_bytes, SegmentState::Sealed);
        cleaned.files_id = Some(self.shard.new_log_id());
        for old in state.segments.splice(from..to, [cleaned]) {
            let files_id = old.files_id.unwrap_or(self.id);
            self.shard.forget_pieces((files_id, old.base_offset));
        }
        state.cleaning.replaced += 1;
        state.hints.clear();
    }

    /// Leaves the old segments' files to the shard's trash.
    fn discard_old(&self, group: &[Offset], number: u64) {
        let delay_ms = self.state.borrow().config.file_delete_delay_ms.0;
        let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
        for base in group {
            self.shard.discard(self.deleted_path(*base, number), delay);
        }
    }

    /// `<base offset>.log.<16 hex digits>.deleted`
    fn deleted_path(&self, base: Offset, number: u64) -> PathBuf {
        let suffix = format!("{number:016x}{DELETED_SUFFIX}");
        suffixed(&self.dir, base, SegmentFile::Log, &suffix)
    }
}
