//! Reads the batches of a sealed segment one after the other, with bounded memory and past the batch cache.
//!
//! Every batch is checked. The buffer grows for a batch that is larger than it, and not beyond.

use std::rc::Rc;

use io::{ALIGNMENT, Buffer as _, File as _, Io, align_down};
use records::{BATCH_HEADER_BYTES, BatchHeader, verify_crc};
use types::Offset;

use super::error::CleaningError;
use super::pace::Pace;
use crate::log::LogInner;

/// A batch that was read. Its bytes are at the begin of [`BatchSource::batch`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceBatch {
    pub(crate) header: BatchHeader,
    pub(crate) position: u64,
    /// Whether nothing follows in its segment.
    pub(crate) is_last: bool,
}

/// A walk over one segment.
pub(crate) struct BatchSource<'a, I: Io> {
    log: &'a Rc<LogInner<I>>,
    segment: Offset,
    size_bytes: u64,
    window_bytes: usize,
    /// Where the next batch begins.
    position: u64,
    buffer: Vec<u8>,
    /// Where in the buffer the current batch begins.
    at: usize,
    current_len: usize,
    /// The position behind the buffer.
    read_to: u64,
}

impl<'a, I: Io> BatchSource<'a, I> {
    /// Begins at `position`, where a batch has to begin.
    pub(crate) fn new(
        log: &'a Rc<LogInner<I>>,
        (segment, size_bytes): (Offset, u64),
        position: u64,
        window_bytes: usize,
    ) -> Self {
        Self {
            log,
            segment,
            size_bytes,
            window_bytes: window_bytes.next_multiple_of(ALIGNMENT).max(ALIGNMENT),
            position,
            buffer: Vec::new(),
            at: 0,
            current_len: 0,
            read_to: align_down(position),
        }
    }

    /// Reads and checks the next batch; `None` at the end.
    ///
    /// # Errors
    /// [`CleaningError`].
    pub(crate) async fn next(
        &mut self,
        pace: &mut Pace<'_, I>,
    ) -> Result<Option<SourceBatch>, CleaningError> {
        let position = self.position;
        let left = self.size_bytes - position;
        if left == 0 {
            return Ok(None);
        }
        self.at += self.current_len;
        self.current_len = 0;
        let damaged = |detail: &str| CleaningError::damaged(self.segment, position, detail);
        if left < BATCH_HEADER_BYTES as u64 {
            return Err(damaged("it is cut"));
        }
        self.fill(BATCH_HEADER_BYTES, pace).await?;
        let damaged = |detail: &str| CleaningError::damaged(self.segment, position, detail);
        let header = BatchHeader::parse_prefix(&self.buffer[self.at..])
            .map_err(|error| damaged(&error.to_string()))?;
        if header.size_bytes as u64 > left {
            return Err(damaged("it goes on behind the end of the segment"));
        }
        if header.last_offset_delta < 0 || header.base_offset < self.segment {
            return Err(damaged("impossible offsets"));
        }
        self.fill(header.size_bytes, pace).await?;
        self.current_len = header.size_bytes;
        verify_crc(self.batch())
            .map_err(|error| CleaningError::damaged(self.segment, position, &error.to_string()))?;
        self.position = position + header.size_bytes as u64;
        Ok(Some(SourceBatch {
            header,
            position,
            is_last: self.position == self.size_bytes,
        }))
    }

    /// The bytes of the batch that was read last.
    pub(crate) fn batch(&self) -> &[u8] {
        &self.buffer[self.at..self.at + self.current_len]
    }

    /// Reads until `len` bytes from the current batch's begin on are there.
    async fn fill(&mut self, len: usize, pace: &mut Pace<'_, I>) -> Result<(), CleaningError> {
        while self.buffer.len() < self.at + len {
            self.buffer.drain(..self.at);
            self.at = 0;
            let file = self.log.file(self.segment).await;
            let file = file.map_err(CleaningError::io("open segment"))?;
            let read = file.read_at(self.read_to, self.window_bytes).await;
            let read = read.map_err(CleaningError::io("read segment"))?;
            drop(file);
            if read.is_empty() {
                let detail = "the segment is shorter than it was";
                return Err(CleaningError::damaged(self.segment, self.position, detail));
            }
            // The first read begins at a block, perhaps before the batch.
            let skipped = self.position.saturating_sub(self.read_to);
            let skipped = if self.buffer.is_empty() { skipped } else { 0 };
            let skipped = usize::try_from(skipped)
                .unwrap_or(usize::MAX)
                .min(read.len());
            self.buffer.extend_from_slice(&read.as_slice()[skipped..]);
            self.read_to += read.len() as u64;
            pace.spend(read.len() as u64).await?;
        }
        Ok(())
    }
}
