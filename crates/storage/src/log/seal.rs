//! Putting segments to rest: the log cut to its true size, its indexes and the producers' snapshot in files.
//!
//! A rolled segment is sealed in the background. Until then its indexes are in memory and the recovery point stays before
//! it. What fails here loses nothing: an index or a snapshot that was not written is made again from the log.

use std::io::Result;
use std::path::Path;
use std::rc::Rc;

use futures_util::future::join;
use io::{File as _, Io};
use types::Offset;

use super::LogInner;
use crate::error::is_device_failure;
use crate::index::{OffsetIndex, TimeIndex};
use crate::segment::{SegmentFile, SegmentState, file_name};

impl<I: Io> LogInner<I> {
    /// Seals a rolled segment once everything in it is written.
    pub(crate) async fn seal_in_background(self: Rc<Self>, segment: Offset) {
        loop {
            let progress = {
                let state = self.state.borrow();
                let written = state
                    .segment(segment)
                    .is_none_or(|it| it.written_bytes == it.size_bytes);
                if written || state.is_halted() {
                    break;
                }
                self.progress.notified()
            };
            progress.await;
        }
        if !self.state.borrow().is_halted()
            && let Err(error) = self.seal(segment).await
        {
            tracing::warn!(dir = %self.dir.display(), %segment, %error, "segment not sealed yet");
        }
        self.state.borrow_mut().tasks.sealing -= 1;
        self.progress.notify_all();
    }

    /// Cuts a segment whose bytes are all written and syncs it, and at the same time writes its indexes and the snapshot
    /// of its end.
    pub(crate) async fn seal(&self, segment: Offset) -> Result<()> {
        let (cut, derived) = join(self.cut(segment), self.write_derived(segment)).await;
        cut.and(derived)?;
        if let Some(segment) = self.state.borrow_mut().segment_mut(segment) {
            segment.max_timestamp = segment.growing().map(|it| it.max_timestamp());
            segment.state = SegmentState::Sealed;
        }
        self.shard.shared.sealed.notify_all();
        Ok(())
    }

    async fn write_derived(&self, segment: Offset) -> Result<()> {
        let derived = {
            let mut state = self.state.borrow_mut();
            state.segment_mut(segment).and_then(|it| {
                let snapshot = it.end_snapshot.take();
                let indexes = it.growing()?;
                Some((indexes.offsets.clone(), indexes.times.clone(), snapshot))
            })
        };
        let Some((offsets, times, snapshot)) = derived else {
            return Ok(());
        };
        let mut files = index_files(segment, &offsets, &times);
        if let Some(snapshot) = snapshot
            && let Some(end) = self.base_after(segment)
        {
            files.push((file_name(end, SegmentFile::Snapshot), snapshot));
        }
        self.replace_all_derived(files).await
    }

    /// Replaces the index files of a segment.
    pub(crate) async fn write_index_files(
        &self,
        segment: Offset,
        offsets: &OffsetIndex,
        times: &TimeIndex,
    ) -> Result<()> {
        let files = index_files(segment, offsets, times);
        self.replace_all_derived(files).await
    }

    /// Replaces a file that can be made again; as [`LogInner::replace_all_derived`].
    pub(crate) async fn replace_derived(&self, path: &Path, content: Vec<u8>) -> Result<()> {
        let replaced = self.shard.io().replace_file(path, content).await;
        self.note_failure(replaced)
    }

    /// Replaces files that can be made again, by name. They share the log's directory: when the device failed under one, the
    /// directory's sync may have been what failed, and with it the names of new segments, so the log is fenced at once.
    pub(crate) async fn replace_all_derived(&self, files: Vec<(String, Vec<u8>)>) -> Result<()> {
        let replaced = self.shard.io().replace_files(&self.dir, files).await;
        self.note_failure(replaced)
    }

    fn note_failure(&self, replaced: Result<()>) -> Result<()> {
        if let Err(error) = &replaced
            && is_device_failure(error)
        {
            self.fence(format!("replace a file in {}: {error}", self.dir.display()));
        }
        replaced
    }

    /// Gives preallocated room back.
    pub(crate) async fn cut(&self, segment: Offset) -> Result<()> {
        let (on_disk, size_bytes) = {
            let state = self.state.borrow();
            let found = state.segment(segment);
            found.map_or((false, 0), |it| (it.on_disk, it.size_bytes))
        };
        if !on_disk {
            return Ok(());
        }
        let file = self.file(segment).await?;
        let cut_and_synced = async {
            file.set_len(size_bytes).await?;
            file.sync_data().await
        };
        if let Err(error) = cut_and_synced.await {
            self.fence(format!("cut segment {segment}: {error}"));
            return Err(error);
        }
        if let Some(segment) = self.state.borrow_mut().segment_mut(segment) {
            segment.allocated_bytes = size_bytes;
        }
        Ok(())
    }

    fn base_after(&self, segment: Offset) -> Option<Offset> {
        let state = self.state.borrow();
        let after = state
            .segments
            .partition_point(|it| it.base_offset <= segment);
        state.segments.get(after).map(|it| it.base_offset)
    }
}

/// The index files of a segment, by name.
fn index_files(
    segment: Offset,
    offsets: &OffsetIndex,
    times: &TimeIndex,
) -> Vec<(String, Vec<u8>)> {
    vec![
        (
            file_name(segment, SegmentFile::OffsetIndex),
            offsets.encode(),
        ),
        (file_name(segment, SegmentFile::TimeIndex), times.encode()),
    ]
}
