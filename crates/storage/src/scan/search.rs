//! The search for intact batches behind a place that holds none.
//!
//! Whoever produces decides what lies there, so a search may not trust it: a record full of heads of batches that claim
//! megabytes each must not make a start take hours. Every position is looked at once and cheaply; checksums are computed
//! only over what is [plausible](could_follow), and over a bounded number of bytes in total, the [`SearchBudget`].
//!
//! It judges nothing: the caller decides what follows from an intact batch, or from a search that was given up.

use std::io::Result;

use io::{Buffer as _, File};
use records::{BATCH_HEADER_BYTES, BatchHeader};
use types::Offset;

use super::{Check, Scanner, offset_in};

/// Bytes that a search may compute checksums over, for each byte that it searches.
const HASHED_PER_SEARCHED: u64 = 2;

/// Bytes that it may compute checksums over in any case.
const HASHED_MIN_BYTES: u64 = 1 << 20;

/// The attributes of a batch that mean something: three bits of compression, timestamp type, transactional, control, delete
/// horizon.
const ATTRIBUTES_KNOWN: i16 = 0x7f;

/// The bits of the attributes that name the codec.
const COMPRESSION_MASK: i16 = 7;

/// The greatest number of a codec.
const COMPRESSION_MAX: i16 = 4;

/// The most offsets that one batch takes.
const BATCH_OFFSETS_MAX: u64 = 1 << 31;

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// An intact batch begins there.
    Intact(u64),
    /// There is none.
    Nothing,
    /// The budget ended before everything was checked that may be one.
    Unknown,
}

/// The bytes that a search may still compute checksums over. Several searches may share one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchBudget {
    left_bytes: u64,
}

impl SearchBudget {
    /// For a search through `searched_bytes`.
    pub(crate) fn for_range(searched_bytes: u64) -> Self {
        Self {
            left_bytes: searched_bytes
                .saturating_mul(HASHED_PER_SEARCHED)
                .max(HASHED_MIN_BYTES),
        }
    }

    fn take(&mut self, bytes: u64) -> bool {
        let left = self.left_bytes.checked_sub(bytes);
        self.left_bytes = left.unwrap_or(self.left_bytes);
        left.is_some()
    }
}

impl<F: File> Scanner<'_, F> {
    /// Looks for an intact batch behind the current position whose offsets could follow `next_offset` and that begins
    /// within `distance_max` bytes: first where the batch at the position says that it ends, then at every byte. The position
    /// stays.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) async fn intact_behind(
        &mut self,
        next_offset: Offset,
        distance_max: u64,
        budget: &mut SearchBudget,
    ) -> Result<Behind> {
        let begin = self.position;
        let found = self.search(next_offset, distance_max, budget).await;
        self.position = begin;
        found
    }

    async fn search(
        &mut self,
        next_offset: Offset,
        distance_max: u64,
        budget: &mut SearchBudget,
    ) -> Result<Behind> {
        let begin = self.position;
        let end = self.len_bytes.min(begin.saturating_add(distance_max));
        if let Some(size_bytes) = self.framed().await?
            && begin + size_bytes < end
        {
            let at = begin + size_bytes;
            let header = self.header(at).await?;
            let fits = header.is_some_and(|header| self.fits(&header, at));
            if let Some(header) = header
                && fits
                && could_follow(&header, next_offset, size_bytes)
                && budget.take(header.size_bytes as u64)
                && self.is_intact(at).await?
            {
                return Ok(Behind::Intact(at));
            }
        }
        let mut is_complete = true;
        let mut at = begin + 1;
        while at + BATCH_HEADER_BYTES as u64 <= end {
            let looked_at = self.candidate(at, (begin, end), next_offset).await?;
            let Some((candidate, size_bytes)) = looked_at.found else {
                if looked_at.next == at {
                    break;
                }
                at = looked_at.next;
                continue;
            };
            if !budget.take(size_bytes) {
                is_complete = false;
            } else if self.is_intact(candidate).await? {
                return Ok(Behind::Intact(candidate));
            }
            at = candidate + 1;
        }
        Ok(if is_complete {
            Behind::Nothing
        } else {
            Behind::Unknown
        })
    }

    /// The first plausible batch in the window of `at`, and where the window ends.
    async fn candidate(
        &mut self,
        at: u64,
        (begin, end): (u64, u64),
        next_offset: Offset,
    ) -> Result<LookedAt> {
        let bytes = self.bytes(at, BATCH_HEADER_BYTES as u64).await?;
        if bytes.len() < BATCH_HEADER_BYTES {
            return Ok(LookedAt {
                found: None,
                next: at,
            });
        }
        let (start, buffer) = self.window.as_ref().expect("it was just read");
        let rest = &buffer.as_slice()[offset_in(*start, at)..];
        let searched = rest.len().min(offset_in(at, end));
        let headers = rest[..searched].windows(BATCH_HEADER_BYTES);
        let next = at + headers.len() as u64;
        let mut plausible = (at..).zip(headers).filter_map(|(place, bytes)| {
            let header = BatchHeader::parse_prefix(bytes).ok()?;
            let fits = self.fits(&header, place);
            let is_plausible = fits && could_follow(&header, next_offset, place - begin);
            is_plausible.then_some((place, header.size_bytes as u64))
        });
        let found = plausible.next();
        Ok(LookedAt { found, next })
    }

    /// The size of the batch at the position as its header says, when the file holds as much.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) async fn framed(&mut self) -> Result<Option<u64>> {
        let position = self.position;
        let header = self.header(position).await?;
        let framed = header.filter(|header| self.fits(header, position));
        Ok(framed.map(|header| header.size_bytes as u64))
    }

    /// Whether there is the head of a batch at the position that goes beyond the end of the file.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) async fn is_cut_off(&mut self) -> Result<bool> {
        let position = self.position;
        let header = self.header(position).await?;
        Ok(header.is_some_and(|header| !self.fits(&header, position)))
    }

    async fn header(&mut self, at: u64) -> Result<Option<BatchHeader>> {
        let bytes = self.bytes(at, BATCH_HEADER_BYTES as u64).await?;
        Ok(BatchHeader::parse_prefix(bytes).ok())
    }

    fn fits(&self, header: &BatchHeader, at: u64) -> bool {
        header.size_bytes as u64 <= self.len_bytes.saturating_sub(at)
    }

    async fn is_intact(&mut self, at: u64) -> Result<bool> {
        self.position = at;
        Ok(self.next(Check::Crc).await?.batch().is_some())
    }
}

/// What a look at a window gave.
struct LookedAt {
    /// Where a plausible batch begins, and its size.
    found: Option<(u64, u64)>,
    /// Where to go on when there is none.
    next: u64,
}

/// Whether a header could be one that a broker has written `distance` bytes behind the end of a log. Timestamps and
/// producers are not looked at: they are the clients'.
fn could_follow(header: &BatchHeader, next_offset: Offset, distance: u64) -> bool {
    let batches_max = distance / BATCH_HEADER_BYTES as u64 + 1;
    let offsets_max = batches_max.saturating_mul(BATCH_OFFSETS_MAX);
    let ahead = header.base_offset.0.checked_sub(next_offset.0);
    let ahead = ahead.and_then(|ahead| u64::try_from(ahead).ok());
    let records_max = i64::from(header.last_offset_delta) + 1;
    ahead.is_some_and(|ahead| ahead <= offsets_max)
        && header.last_offset_delta >= 0
        && (0..=records_max).contains(&i64::from(header.record_count))
        && header.attributes & !ATTRIBUTES_KNOWN == 0
        && header.attributes & COMPRESSION_MASK <= COMPRESSION_MAX
        && header.leader_epoch.0 >= -1
}

#[cfg(test)]
mod tests;
