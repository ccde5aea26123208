//! Walks over the batches of a segment file, in windows and with bounded memory.
//!
//! For recovery and for building indexes; clients' reads go through the batch cache instead. A batch larger than a window
//! is checked piece by piece, so a forged length costs no memory.

mod search;

use std::io::Result;

use crc_fast::{CrcAlgorithm, Digest};
use io::{Buffer, File, align_down, align_up};
use records::{BATCH_HEADER_BYTES, BatchHeader};

pub(crate) use search::{Behind, SearchBudget};

/// Bytes read at once.
const WINDOW_BYTES: u64 = 256 << 10;

/// What a disk writes wholly or not at all.
pub(crate) const SECTOR_BYTES: u64 = 512;

/// Where in a batch the bytes begin that its checksum covers.
const CRC_COVERS_FROM: u64 = 21;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The header only.
    Header,
    /// The checksum too.
    Crc,
}

/// A batch and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    pub(crate) header: BatchHeader,
    pub(crate) position: u64,
}

/// What a step found.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A whole batch.
    Batch(Scanned),
    /// The end of the file, or nothing but zeroes where a batch would begin: preallocated room.
    End,
    /// Bytes that are no batch.
    Invalid(String),
}

impl Step {
    /// The batch, if it is one.
    pub(crate) fn batch(self) -> Option<Scanned> {
        match self {
            Self::Batch(scanned) => Some(scanned),
            Self::End | Self::Invalid(_) => None,
        }
    }
}

/// A walk over one file.
pub(crate) struct Scanner<'a, F: File> {
    file: &'a F,
    len_bytes: u64,
    position: u64,
    window: Option<(u64, F::Buffer)>,
    /// Bytes that checksums were computed over.
    hashed_bytes: u64,
}

impl<'a, F: File> Scanner<'a, F> {
    /// Begins at the start of the first `len_bytes` of `file`.
    pub(crate) fn new(file: &'a F, len_bytes: u64) -> Self {
        Self {
            file,
            len_bytes,
            position: 0,
            window: None,
            hashed_bytes: 0,
        }
    }

    /// Goes on at `position`, where a batch has to begin.
    pub(crate) fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// Where the next batch begins: everything before it is whole.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Looks at the next batch. After anything but a batch it stays where it is.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) async fn next(&mut self, check: Check) -> Result<Step> {
        let position = self.position;
        let left = self.len_bytes.saturating_sub(position);
        if left == 0 {
            return Ok(Step::End);
        }
        let wanted = left.min(BATCH_HEADER_BYTES as u64);
        let bytes = self.bytes(position, wanted).await?;
        let header = BatchHeader::parse_prefix(bytes);
        let is_zero = bytes.iter().all(|byte| *byte == 0);
        let header = match header {
            Ok(header) => header,
            Err(_) if is_zero => return Ok(Step::End),
            Err(error) => return Ok(Step::Invalid(error.to_string())),
        };
        let size_bytes = header.size_bytes as u64;
        if size_bytes > left {
            let detail = format!("a batch of {size_bytes} bytes where {left} are left");
            return Ok(Step::Invalid(detail));
        }
        if header.last_offset_delta < 0 || header.base_offset.0 < 0 {
            return Ok(Step::Invalid("negative offsets".to_owned()));
        }
        if check == Check::Crc {
            let computed = self.crc(position, size_bytes).await?;
            if computed != u64::from(header.crc) {
                let detail = format!(
                    "the CRC is {:#010x} and should be {computed:#010x}",
                    header.crc
                );
                return Ok(Step::Invalid(detail));
            }
        }
        self.position = position + size_bytes;
        Ok(Step::Batch(Scanned { header, position }))
    }

    /// Whether a sector of `position..end`, or the part of one that lies within, holds nothing but zeroes: a write that was
    /// torn leaves such, since no block of a segment is used twice.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) async fn has_zero_sector(&mut self, position: u64, end: u64) -> Result<bool> {
        let mut at = position;
        while at < end {
            let next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let part = self.bytes(at, next.min(end) - at).await?;
            if part.iter().all(|byte| *byte == 0) {
                return Ok(true);
            }
            at = next;
        }
        Ok(false)
    }

    /// Whether everything from the current position on is zero, if that are at most `len_max` bytes.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) async fn rest_is_zero(&mut self, len_max: u64) -> Result<bool> {
        if self.len_bytes - self.position > len_max {
            return Ok(false);
        }
        let mut at = self.position;
        while at < self.len_bytes {
            if self.bytes(at, 1).await?.is_empty() {
                return Ok(false);
            }
            let (start, buffer) = self.window.as_ref().expect("it was just read");
            let rest = &buffer.as_slice()[offset_in(*start, at)..];
            if rest.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += rest.len() as u64;
        }
        Ok(true)
    }

    async fn crc(&mut self, position: u64, size_bytes: u64) -> Result<u64> {
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        let end = position + size_bytes;
        let mut at = position + CRC_COVERS_FROM;
        while at < end {
            if self.bytes(at, 1).await?.is_empty() {
                // The file is shorter than it was.
                return Ok(u64::MAX);
            }
            let (start, buffer) = self.window.as_ref().expect("it was just read");
            let slice = &buffer.as_slice()[offset_in(*start, at)..];
            let taken = slice
                .len()
                .min(usize::try_from(end - at).unwrap_or(usize::MAX));
            digest.update(&slice[..taken]);
            self.hashed_bytes += taken as u64;
            at += taken as u64;
        }
        Ok(digest.finalize())
    }

    /// `len` bytes at `position`, or fewer where the file ends; `len` is much less than a window.
    async fn bytes(&mut self, position: u64, len: u64) -> Result<&[u8]> {
        let is_inside = self.window.as_ref().is_some_and(|(start, buffer)| {
            *start <= position && position + len <= start + buffer.len() as u64
        });
        if !is_inside {
            let start = align_down(position);
            let end = align_up(self.len_bytes.max(position + len)).min(start + WINDOW_BYTES);
            let window = usize::try_from(end - start).expect("a window is small");
            self.window = Some((start, self.file.read_at(start, window).await?));
        }
        let (start, buffer) = self.window.as_ref().expect("it was just read");
        let from = offset_in(*start, position).min(buffer.len());
        let to = (from + usize::try_from(len).expect("much less than a window")).min(buffer.len());
        Ok(&buffer.as_slice()[from..to])
    }
}

fn offset_in(start: u64, position: u64) -> usize {
    usize::try_from(position - start).expect("within the window")
}
