//! A walk over the batches of a segment file, with ordinary blocking reads.
//!
//! Memory holds a window of the file, or one batch where that is larger; a length that lies is bounded by what is left of
//! the file. Behind damage the walk can look for the next intact batch.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use records::{BATCH_HEADER_BYTES, BatchError, BatchHeader, verify_crc};
use types::Offset;

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// Offsets in a segment reach no further than this beyond its base offset: indexes hold 32-bit numbers.
const OFFSETS_MAX: i64 = 1 << 31;

/// What a disk writes wholly or not at all.
const SECTOR_BYTES: u64 = 512;

/// A walk over one file.
#[derive(Debug)]
pub(super) struct Walk {
    file: File,
    len_bytes: u64,
    position: u64,
    window: Vec<u8>,
    /// Where in the file the window begins.
    window_at: u64,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// An intact batch.
    Batch {
        header: BatchHeader,
        position: u64,
        bytes: &'a [u8],
    },
    /// Nothing but zeroes up to the end: room that the broker has reserved.
    Room,
    /// The end of the file.
    End,
    /// No intact batch.
    Bad(Bad),
}

/// What is wrong where a batch should begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// What is wrong with it.
    pub(super) detail: String,
    /// Where the batch says that it ends, if the file reaches that far.
    pub(super) end: Option<u64>,
}

impl Walk {
    /// Begins at the start of a file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len_bytes = file.metadata()?.len();
        Ok(Self {
            file,
            len_bytes,
            position: 0,
            window: Vec::new(),
            window_at: 0,
        })
    }

    /// The length of the file when the walk began.
    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Where the next batch begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Looks at the next batch. After anything but a batch it stays where it is.
    pub(super) fn next(&mut self) -> io::Result<Step<'_>> {
        let position = self.position;
        let left = self.len_bytes - position;
        if left == 0 {
            return Ok(Step::End);
        }
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(BATCH_HEADER_BYTES);
        let start = self.bytes(position, wanted)?;
        let is_zero = start.iter().all(|byte| *byte == 0);
        let header = match BatchHeader::parse_prefix(start) {
            Ok(header) => header,
            Err(_) if is_zero && self.is_zero_to_end()? => return Ok(Step::Room),
            Err(error) => return Ok(Step::Bad(Bad::of(&error, None))),
        };
        let size_bytes = header.size_bytes as u64;
        if size_bytes > left {
            let available = usize::try_from(left).unwrap_or(usize::MAX);
            let needed = header.size_bytes;
            let error = BatchError::Torn { needed, available };
            return Ok(Step::Bad(Bad::of(&error, None)));
        }
        let end = position + size_bytes;
        // The borrow of a batch that is returned ends with it, so the checks come first.
        let checked = verify_crc(self.bytes(position, header.size_bytes)?);
        if let Err(error) = checked {
            return Ok(Step::Bad(Bad::of(&error, Some(end))));
        }
        if header.last_offset_delta < 0 || header.base_offset.0 < 0 || header.record_count < 0 {
            let detail = "its offsets or its number of records are negative".to_owned();
            let end = Some(end);
            return Ok(Step::Bad(Bad { detail, end }));
        }
        self.position = end;
        Ok(Step::Batch {
            header,
            position,
            bytes: self.bytes(position, header.size_bytes)?,
        })
    }

    /// Goes to the first intact batch behind `bad` whose offsets can follow `next_offset`, and returns where that is;
    /// `None` if there is none.
    pub(super) fn resume(&mut self, bad: &Bad, next_offset: Offset) -> io::Result<Option<u64>> {
        if let Some(end) = bad.end
            && self.is_intact(end, next_offset)?
        {
            self.position = end;
            return Ok(Some(end));
        }
        let mut at = self.position + 1;
        while at + BATCH_HEADER_BYTES as u64 <= self.len_bytes {
            let window = self.rest_of_window(at)?;
            let could_begin = |bytes: &[u8]| {
                BatchHeader::parse_prefix(bytes).is_ok_and(|header| follows(&header, next_offset))
            };
            let mut headers = window.windows(BATCH_HEADER_BYTES);
            let looked_at = headers.len() as u64;
            match headers.position(could_begin) {
                None => at += looked_at.max(1),
                Some(ahead) => {
                    at += ahead as u64;
                    if self.is_intact(at, next_offset)? {
                        self.position = at;
                        return Ok(Some(at));
                    }
                    at += 1;
                }
            }
        }
        Ok(None)
    }

    /// Whether a sector from the current position on holds nothing but zeroes, within `end`: an unfinished write leaves such.
    pub(super) fn has_zero_sector(&mut self, end: u64) -> io::Result<bool> {
        let mut at = self.position;
        while at < end {
            let next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let len = usize::try_from(next.min(end) - at).unwrap_or(0);
            if self.bytes(at, len)?.iter().all(|byte| *byte == 0) {
                return Ok(true);
            }
            at = next;
        }
        Ok(false)
    }

    fn is_intact(&mut self, position: u64, next_offset: Offset) -> io::Result<bool> {
        if position + BATCH_HEADER_BYTES as u64 > self.len_bytes {
            return Ok(false);
        }
        let header = BatchHeader::parse_prefix(self.bytes(position, BATCH_HEADER_BYTES)?);
        let Ok(header) = header else { return Ok(false) };
        let is_inside = header.size_bytes as u64 <= self.len_bytes - position;
        Ok(is_inside
            && follows(&header, next_offset)
            && verify_crc(self.bytes(position, header.size_bytes)?).is_ok())
    }

    fn is_zero_to_end(&mut self) -> io::Result<bool> {
        let mut at = self.position;
        while at < self.len_bytes {
            let window = self.rest_of_window(at)?;
            if window.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += window.len() as u64;
        }
        Ok(true)
    }

    /// What the window holds from `position` on: at least a header, unless the file ends before.
    fn rest_of_window(&mut self, position: u64) -> io::Result<&[u8]> {
        let left = usize::try_from(self.len_bytes - position).unwrap_or(usize::MAX);
        self.bytes(position, left.min(BATCH_HEADER_BYTES))?;
        let from = usize::try_from(position - self.window_at).expect("it was just read");
        Ok(&self.window[from..])
    }

    /// `len` bytes at `position`, which the file has to have.
    fn bytes(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        let end = position + len as u64;
        let is_inside =
            self.window_at <= position && end <= self.window_at + self.window.len() as u64;
        if !is_inside {
            let left = usize::try_from(self.len_bytes - position).unwrap_or(usize::MAX);
            self.window.resize(len.max(WINDOW_BYTES).min(left), 0);
            self.window_at = position;
            let read = self.file.read_exact_at(&mut self.window, position);
            if let Err(error) = read {
                self.window.clear();
                return Err(match error.kind() {
                    ErrorKind::UnexpectedEof => io::Error::other("the file has become shorter"),
                    _ => error,
                });
            }
        }
        let from = usize::try_from(position - self.window_at).expect("within the window");
        Ok(&self.window[from..from + len])
    }
}

impl Bad {
    fn of(error: &BatchError, end: Option<u64>) -> Self {
        Self {
            detail: error.to_string(),
            end,
        }
    }
}

/// Whether a batch could come next in the same segment.
fn follows(header: &BatchHeader, next_offset: Offset) -> bool {
    let ahead = header.base_offset.0.checked_sub(next_offset.0);
    ahead.is_some_and(|ahead| (0..OFFSETS_MAX).contains(&ahead))
        && header.last_offset_delta >= 0
        && header.record_count >= 0
}
