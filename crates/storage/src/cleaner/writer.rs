//! Writes a cleaned segment and its indexes, under names that say that they are not complete.
//!
//! Memory is one buffer. Everything is on disk and synced once it is finished; what is not finished is removed when the
//! log is opened.

use std::rc::Rc;

use io::{ALIGNMENT, Buffer as _, File as _, Io, OpenMode};
use records::BatchHeader;
use types::Offset;

use super::error::CleaningError;
use super::pace::Pace;
use crate::log::LogInner;
use crate::log::replace::{CLEANED_SUFFIX, suffixed};
use crate::segment::{SegmentFile, SegmentIndexes};
use crate::space::Room;

/// A segment that is being written.
pub(crate) struct CleanedWriter<'a, I: Io> {
    log: &'a Rc<LogInner<I>>,
    base_offset: Offset,
    file: I::File,
    buffer_bytes: usize,
    pending: Vec<u8>,
    /// Bytes on disk; a multiple of a block.
    written: u64,
    indexes: SegmentIndexes,
    index_interval_bytes: u32,
}

impl<'a, I: Io> CleanedWriter<'a, I> {
    /// Begins the segment of this base offset.
    ///
    /// # Errors
    /// [`CleaningError`].
    pub(crate) async fn create(
        log: &'a Rc<LogInner<I>>,
        base_offset: Offset,
        buffer_bytes: usize,
    ) -> Result<Self, CleaningError> {
        log.discard_cleaned(base_offset).await;
        let path = suffixed(&log.dir, base_offset, SegmentFile::Log, CLEANED_SUFFIX);
        let file = log.shard.io().open(&path, OpenMode::CreateNew).await;
        let index_interval_bytes = log.state.borrow().config.index_interval_bytes;
        Ok(Self {
            file: file.map_err(CleaningError::io("create a cleaned segment"))?,
            log,
            base_offset,
            buffer_bytes: buffer_bytes.next_multiple_of(ALIGNMENT).max(ALIGNMENT),
            pending: Vec::new(),
            written: 0,
            indexes: SegmentIndexes::new(base_offset),
            index_interval_bytes,
        })
    }

    /// Bytes so far.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// [`CleaningError`].
    pub(crate) async fn append(
        &mut self,
        header: &BatchHeader,
        batch: &[u8],
        pace: &mut Pace<'_, I>,
    ) -> Result<(), CleaningError> {
        let position = self.size_bytes();
        self.indexes
            .observe(header, position, self.index_interval_bytes);
        self.pending.extend_from_slice(batch);
        while self.pending.len() >= self.buffer_bytes {
            self.write(self.buffer_bytes, pace).await?;
        }
        Ok(())
    }

    /// Puts everything on disk. Returns the size of the segment in bytes.
    ///
    /// # Errors
    /// [`CleaningError`].
    pub(crate) async fn finish(mut self, pace: &mut Pace<'_, I>) -> Result<u64, CleaningError> {
        let size_bytes = self.size_bytes();
        if !self.pending.is_empty() {
            self.pending
                .resize(self.pending.len().next_multiple_of(ALIGNMENT), 0);
            self.write(self.pending.len(), pace).await?;
        }
        let file = self.file;
        let synced = async {
            file.set_len(size_bytes).await?;
            file.sync_data().await?;
            file.close().await
        };
        synced
            .await
            .map_err(CleaningError::io("sync a cleaned segment"))?;
        self.indexes.finish();
        for (file, content) in [
            (SegmentFile::OffsetIndex, self.indexes.offsets.encode()),
            (SegmentFile::TimeIndex, self.indexes.times.encode()),
        ] {
            let path = suffixed(&self.log.dir, self.base_offset, file, CLEANED_SUFFIX);
            let written = self.log.replace_derived(&path, content).await;
            written.map_err(CleaningError::io("write the index of a cleaned segment"))?;
        }
        Ok(size_bytes)
    }

    /// Writes the first `len` bytes of what is pending, whole blocks.
    async fn write(&mut self, len: usize, pace: &mut Pace<'_, I>) -> Result<(), CleaningError> {
        self.wait_for_room(len).await?;
        let mut block = self.log.shard.io().allocate(len);
        block.as_mut_slice().copy_from_slice(&self.pending[..len]);
        let written = self.file.write_at(self.written, block).await;
        let written = written.map_err(CleaningError::io("write a cleaned segment"))?;
        if written < len {
            return Err(CleaningError::DiskFull);
        }
        self.log.space.appended(len);
        self.pending.drain(..len);
        self.written += len as u64;
        pace.spend(len as u64).await
    }

    /// Cleaning leaves the reserve free, as appends do.
    async fn wait_for_room(&self, len: usize) -> Result<(), CleaningError> {
        let space = &self.log.space;
        loop {
            let changed = space.changed.notified();
            self.log.shard.measure(space);
            match space.room_for(len) {
                Room::Enough => return Ok(()),
                Room::Full => return Err(CleaningError::DiskFull),
                Room::Unknown => changed.await,
            }
        }
    }
}
