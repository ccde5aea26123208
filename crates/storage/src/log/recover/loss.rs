//! Telling what a crash may take from what was acknowledged.
//!
//! What had become durable is never given up in silence: everything below the recovery point, every segment before
//! another one, and a batch that was written whole and is damaged now. A log that lacks such is not opened and not touched,
//! and the error says what a person can do. What a crash may have torn is cut, and kept in a `.cut` file when anything
//! intact or unexplained is in it.
//!
//! The recovery point is taken at its word: the broker lets no line of the checkpoint survive the log that it is of.

use std::path::Path;
use std::time::Duration;

use io::{Instant, Io};
use records::BATCH_HEADER_BYTES;
use types::Offset;

use super::super::salvage::keep_aside;
use super::{LogFile, Recovery};
use crate::config::Durability;
use crate::error::OpenError;
use crate::log::retention::rename_deleted;
use crate::scan::{Behind, Check, SECTOR_BYTES, Scanner, SearchBudget};
use crate::segment::{Segment, SegmentFile};

/// How far behind a damaged batch intact ones are looked for.
const SALVAGE_SEARCH_MAX: u64 = 64 << 20;

/// The time between two lines about a long scan.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What a look at the bytes says on which a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A write that was not completed, which leaves a sector of zeroes or a file that is too short.
    Torn,
    /// A batch that is there from its first to its last sector, and damaged.
    Damaged,
    /// No head of a batch, and not one that a sector is missing from.
    Unexplained,
}

impl<I: Io> Recovery<'_, I> {
    /// What is not whole at `position` may be cut, unless it had been durable.
    pub(super) fn check_loss(
        &self,
        log: &LogFile,
        position: u64,
        detail: &str,
    ) -> Result<(), OpenError> {
        let path = self.path(log.base_offset, SegmentFile::Log);
        if self.next_offset < self.last.recovery_point {
            return Err(self.lost(&path, position, detail));
        }
        tracing::warn!(path = %path.display(), position, detail, "the log ends here");
        Ok(())
    }

    /// Before anything of a segment is cut: whether it holds all that it has to.
    pub(super) fn check_scanned(&self, log: &LogFile, size_bytes: u64) -> Result<(), OpenError> {
        let mut later = self.listing.logs.iter().map(|it| it.base_offset);
        let next = later.find(|base_offset| *base_offset > log.base_offset);
        let recovery_point = self.last.recovery_point;
        let due = next.map_or(recovery_point, |next| next.min(recovery_point));
        if self.next_offset < due {
            let path = self.path(log.base_offset, SegmentFile::Log);
            return Err(self.lost(&path, size_bytes, "the batches from there on are missing"));
        }
        Ok(())
    }

    /// Whether the log goes as far as it was durable, and begins before it ends.
    pub(super) async fn check_end(&mut self) -> Result<(), OpenError> {
        let start = self.last.log_start_offset;
        if self.next_offset < self.last.recovery_point {
            return Err(self.lost(self.dir, 0, "segments are missing or empty"));
        }
        if self.next_offset >= start {
            return Ok(());
        }
        if self.config.durability == Durability::Sync {
            let detail = format!("the log start offset {start} lies behind the end of the log");
            return Err(self.lost(self.dir, 0, &detail));
        }
        // Records that nobody had synced were deleted, and then lost: what is left of the log lies below its start.
        tracing::warn!(dir = %self.dir.display(), end = %self.next_offset, %start,
            "the log ends before its start: it begins anew there");
        for segment in std::mem::take(&mut self.segments) {
            for path in rename_deleted(self.shard, self.dir, segment.base_offset).await {
                self.shard.discard_at_once(path);
            }
        }
        self.segments.push(Segment::new(start, 0));
        self.next_offset = start;
        let synced = self.shard.io().sync_dir(self.dir).await;
        synced.map_err(OpenError::io("sync directory", self.dir))
    }

    /// Looks for segments that are missing between others: an index or a snapshot is left of them, and the segment before
    /// ends where they began. From the recovery point on that proves nothing: the snapshot of a segment's end is written
    /// before the next segment has a durable name, and a crash may have left the name of one behind it.
    pub(super) async fn check_segments(&self) -> Result<(), OpenError> {
        let logs = &self.listing.logs;
        let indexes = self.listing.indexes.iter().map(|(offset, _)| *offset);
        for offset in indexes.chain(self.listing.snapshots.iter().copied()) {
            let after = logs.partition_point(|log| log.base_offset < offset);
            let is_between = after > 0 && after < logs.len();
            if offset >= self.last.recovery_point
                || !is_between
                || logs[after].base_offset == offset
            {
                continue;
            }
            let before = logs[after - 1];
            if self.end_of(before).await? == offset {
                let path = self.path(offset, SegmentFile::Log);
                return Err(self.lost_from(offset, &path, 0, "the segment is missing"));
            }
        }
        Ok(())
    }

    /// The offset behind the last batch of a segment.
    async fn end_of(&self, log: LogFile) -> Result<Offset, OpenError> {
        let path = self.path(log.base_offset, SegmentFile::Log);
        let file = self.file(log.base_offset).await?;
        let mut scanner = Scanner::new(&*file, log.len_bytes);
        let indexes = self.read_indexes(log).await;
        let entry = indexes.and_then(|(offsets, _)| offsets.entries().last().copied());
        scanner.seek(entry.map_or(0, |entry| u64::from(entry.position)));
        let mut end = log.base_offset;
        loop {
            let step = scanner.next(Check::Header).await;
            let Some(found) = step.map_err(OpenError::io("scan", &path))?.batch() else {
                return Ok(end);
            };
            end = Offset(found.header.last_offset().0 + 1);
        }
    }

    fn lost(&self, path: &Path, position: u64, detail: &str) -> OpenError {
        self.lost_from(self.next_offset, path, position, detail)
    }

    fn lost_from(&self, offset: Offset, path: &Path, position: u64, detail: &str) -> OpenError {
        OpenError::Corrupt {
            path: path.to_path_buf(),
            position,
            offset,
            recovery_point: self.last.recovery_point,
            detail: detail.to_owned(),
        }
    }

    /// Before a cut: what may have been acknowledged is not thrown away. When the batch there was written whole, or intact
    /// ones follow further behind than anything that was never committed could lie, or although no sector before them is
    /// missing, then durable records are damaged, and the log is not opened.
    pub(super) async fn salvage(
        &self,
        log: &LogFile,
        file: &I::File,
        scanner: &mut Scanner<'_, I::File>,
    ) -> Result<(), OpenError> {
        let path = self.path(log.base_offset, SegmentFile::Log);
        let position = scanner.position();
        let end = self.judge_end(log, scanner).await;
        let end = end.map_err(OpenError::io("scan", &path))?;
        if end == End::Damaged {
            let detail =
                "no sector of the batch there is missing: it was written, and has changed since";
            return Err(self.lost(&path, position, detail));
        }
        let searched = (log.len_bytes - position).min(SALVAGE_SEARCH_MAX);
        let mut budget = SearchBudget::for_range(searched);
        let behind = scanner
            .intact_behind(self.next_offset, searched, &mut budget)
            .await;
        let why = match behind.map_err(OpenError::io("scan", &path))? {
            Behind::Intact(intact) => {
                // Admission lets one batch go beyond the bound.
                let is_far =
                    intact - position > 2 * self.shard.config().uncommitted_bytes_max as u64;
                let is_torn = scanner.has_zero_sector(position, intact).await;
                if is_far || !is_torn.map_err(OpenError::io("scan", &path))? {
                    let detail = format!("intact batches follow at byte {intact}");
                    return Err(self.lost(&path, position, &detail));
                }
                "intact batches follow a torn one"
            }
            Behind::Unknown => "the search for intact batches behind a torn one was given up",
            Behind::Nothing if end == End::Unexplained => {
                "bytes behind the log are no batch, and not a torn one"
            }
            Behind::Nothing => return Ok(()),
        };
        let kept = keep_aside(self.shard.io(), file, &path, (position, log.len_bytes)).await;
        let kept = kept.map_err(OpenError::io("keep a copy of what is cut from", &path))?;
        tracing::error!(path = %path.display(), position, kept = %kept.display(),
            "{why}: what is cut is kept in a file of its own");
        Ok(())
    }

    /// What the bytes at the position say of how they came about. A write leaves each sector of a batch as it was, which is
    /// zero, or makes it what it has to be.
    async fn judge_end(
        &self,
        log: &LogFile,
        scanner: &mut Scanner<'_, I::File>,
    ) -> std::io::Result<End> {
        let position = scanner.position();
        let from = self.first_told_by(position);
        if let Some(size_bytes) = scanner.framed().await? {
            let is_torn = scanner.has_zero_sector(from, position + size_bytes).await?;
            return Ok(if is_torn { End::Torn } else { End::Damaged });
        }
        let head = position + BATCH_HEADER_BYTES as u64;
        let is_short = head > log.len_bytes || scanner.is_cut_off().await?;
        let is_torn = is_short || scanner.has_zero_sector(from, head).await?;
        Ok(if is_torn { End::Torn } else { End::Unexplained })
    }

    /// From where on zeroes in the batch at `position` say that a sector is missing: the first bytes of a batch are zero
    /// anyway, being those of a small offset.
    fn first_told_by(&self, position: u64) -> u64 {
        let sector = (position / SECTOR_BYTES + 1) * SECTOR_BYTES;
        let offset = self.next_offset.0.to_be_bytes();
        let in_sector = usize::try_from(sector - position).unwrap_or(usize::MAX);
        match offset.get(..in_sector) {
            Some(part) if part.iter().all(|byte| *byte == 0) => sector,
            Some(_) | None => position,
        }
    }

    pub(super) async fn remove_segments(&self, logs: &[LogFile]) -> Result<(), OpenError> {
        for log in logs {
            let path = self.path(log.base_offset, SegmentFile::Log);
            let aside = path.with_extension("log.cut");
            tracing::error!(path = %path.display(), kept = %aside.display(),
                "a segment lies behind the end of the log: it is set aside");
            let renamed = self.shard.io().rename(&path, &aside).await;
            renamed.map_err(OpenError::io("set aside", &path))?;
            for (offset, file) in &self.listing.indexes {
                if *offset == log.base_offset {
                    self.remove_file(&self.path(*offset, *file)).await?;
                }
            }
        }
        Ok(())
    }
}

/// Tells now and then how far a scan is.
pub(super) struct Progress {
    told: Instant,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self { told: now }
    }

    pub(super) fn step(&mut self, now: Instant, path: &Path, position: u64, len_bytes: u64) {
        if now.saturating_since(self.told) >= PROGRESS_EVERY {
            self.told = now;
            tracing::info!(path = %path.display(), position, len_bytes, "still checking a segment");
        }
    }
}
