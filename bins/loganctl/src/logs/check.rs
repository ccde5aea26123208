//! Checking one segment: framing, checksums and order of its batches, and whether its indexes agree with them.
//!
//! Indexes are derived from the log, so what is wrong with one is told apart from damage and never makes a log bad.

use std::io;
use std::path::PathBuf;

use records::{BatchHeader, RecordIter, decompressed_records};
use types::Offset;

use super::indexes::IndexCheck;
use super::target::{PartitionDir, SegmentPath};
use super::walk::{Step, Walk};

/// What one compressed batch may hold when decompressed.
const DECOMPRESSED_MAX_BYTES: usize = 256 << 20;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Records are lost.
    Damage,
    /// The end of a write that a crash interrupted: it was never acknowledged, and the broker cuts it.
    TornTail,
    /// An index that is missing or leads astray: it is rebuilt from the log.
    Index,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    /// The byte at which it begins, and the first sound one behind it, as far as that is known.
    pub(super) bytes: (u64, Option<u64>),
    /// The first offset that it touches, and the next sound one, as far as that is known.
    pub(super) offsets: (Offset, Option<Offset>),
    pub(super) detail: String,
}

/// What a segment holds.
#[derive(Clone, Debug)]
pub(super) struct SegmentReport {
    pub(super) batches: u64,
    pub(super) records: u64,
    pub(super) size_bytes: u64,
    /// The first offset that is there.
    pub(super) first_offset: Option<Offset>,
    /// The offset behind the last batch.
    pub(super) end_offset: Offset,
    /// Where the sound part ends: behind the last batch before the first damage.
    pub(super) sound_bytes: u64,
    /// The offset behind the sound part.
    pub(super) sound_offset: Offset,
    pub(super) findings: Vec<Finding>,
}

/// Checks one segment.
#[derive(Debug)]
struct Check<'a> {
    partition: &'a PartitionDir,
    segment: &'a SegmentPath,
    reads_records: bool,
    report: SegmentReport,
    indexes: IndexCheck,
    scratch: Vec<u8>,
}

/// Walks over a segment whose offsets begin at `next_offset` or later.
///
/// # Errors
/// The operating system's; whatever the file holds is no error but a finding.
pub(super) fn check_segment(
    partition: &PartitionDir,
    segment: &SegmentPath,
    next_offset: Offset,
    reads_records: bool,
) -> io::Result<SegmentReport> {
    let mut walk = Walk::open(&segment.path)?;
    let mut check = Check {
        partition,
        segment,
        reads_records,
        report: SegmentReport {
            batches: 0,
            records: 0,
            size_bytes: walk.len_bytes(),
            first_offset: None,
            end_offset: next_offset.max(segment.base_offset),
            sound_bytes: 0,
            sound_offset: next_offset.max(segment.base_offset),
            findings: Vec::new(),
        },
        indexes: IndexCheck::read(segment, walk.len_bytes())?,
        scratch: Vec::new(),
    };
    if segment.base_offset < next_offset {
        let detail = format!("the segment before it ends at offset {next_offset}");
        check.find(Kind::Damage, (0, None), segment.base_offset, detail);
    }
    check.run(&mut walk)?;
    Ok(check.finish())
}

impl Check<'_> {
    fn run(&mut self, walk: &mut Walk) -> io::Result<()> {
        loop {
            let bad = match walk.next()? {
                Step::End | Step::Room => return Ok(()),
                Step::Batch {
                    header,
                    position,
                    bytes,
                } => {
                    match self.problem(&header, bytes) {
                        None => self.take(&header, position),
                        Some(detail) => self.leave_out(&header, position, detail),
                    }
                    continue;
                }
                Step::Bad(bad) => bad,
            };
            let (position, next_offset) = (walk.position(), self.report.end_offset);
            // A batch that is all there was damaged later, unless a piece of it never reached the disk.
            let is_partial = match bad.end {
                None => true,
                Some(end) => walk.has_zero_sector(end)?,
            };
            match walk.resume(&bad, next_offset)? {
                Some(sound) => {
                    self.find(
                        Kind::Damage,
                        (position, Some(sound)),
                        next_offset,
                        bad.detail,
                    );
                    self.indexes.pass_over(position, sound);
                }
                None => {
                    let kind = if is_partial && self.may_be_torn() {
                        Kind::TornTail
                    } else {
                        Kind::Damage
                    };
                    self.find(kind, (position, None), next_offset, bad.detail);
                    self.indexes.pass_over(position, u64::MAX);
                    return Ok(());
                }
            }
        }
    }

    /// What is wrong with a batch whose checksum is right.
    fn problem(&mut self, header: &BatchHeader, bytes: &[u8]) -> Option<String> {
        let expected = self.report.end_offset;
        if header.base_offset < expected {
            let found = header.base_offset;
            return Some(format!("it begins at offset {found}, behind {expected}"));
        }
        if !self.reads_records {
            return None;
        }
        self.problem_in_records(header, bytes).err()
    }

    fn problem_in_records(&mut self, header: &BatchHeader, bytes: &[u8]) -> Result<(), String> {
        let scratch = &mut self.scratch;
        let records = decompressed_records(header, bytes, scratch, DECOMPRESSED_MAX_BYTES)
            .map_err(|error| error.to_string())?;
        let mut count = 0;
        let mut next = header.base_offset;
        for record in RecordIter::new(header, records) {
            let record = record.map_err(|error| format!("record {count}: {error}"))?;
            if !(next..=header.last_offset()).contains(&record.offset) {
                return Err(format!("record {count} has offset {}", record.offset));
            }
            next = after(record.offset);
            count += 1;
        }
        if count != header.record_count {
            let announced = header.record_count;
            return Err(format!(
                "{announced} records are announced, {count} are there"
            ));
        }
        Ok(())
    }

    fn take(&mut self, header: &BatchHeader, position: u64) {
        self.indexes.observe(header, position);
        let has_damage = self.has_damage();
        let report = &mut self.report;
        if let Some(last) = report.findings.last_mut()
            && last.bytes.1 == Some(position)
        {
            last.offsets.1 = Some(header.base_offset);
        }
        report.batches += 1;
        report.records += u64::try_from(header.record_count).unwrap_or(0);
        report.first_offset.get_or_insert(header.base_offset);
        report.end_offset = after(header.last_offset());
        if !has_damage {
            report.sound_bytes = position + header.size_bytes as u64;
            report.sound_offset = report.end_offset;
        }
    }

    /// A batch that is as it was written, and yet cannot be part of the log: the walk goes on behind it.
    fn leave_out(&mut self, header: &BatchHeader, position: u64, detail: String) {
        let end = position + header.size_bytes as u64;
        self.find(
            Kind::Damage,
            (position, Some(end)),
            header.base_offset,
            detail,
        );
        self.indexes.pass_over(position, end);
    }

    fn has_damage(&self) -> bool {
        let mut findings = self.report.findings.iter();
        findings.any(|finding| finding.kind != Kind::Index)
    }

    /// Whether an unfinished write may be here: at the end of the log, above everything that had been durable.
    fn may_be_torn(&self) -> bool {
        self.segment.is_newest
            && !self.partition.is_clean
            && self.report.end_offset >= self.partition.recovery_point
    }

    fn find(&mut self, kind: Kind, bytes: (u64, Option<u64>), offset: Offset, detail: String) {
        self.report.findings.push(Finding {
            kind,
            path: self.segment.path.clone(),
            bytes,
            offsets: (offset, None),
            detail,
        });
    }

    fn finish(self) -> SegmentReport {
        let mut report = self.report;
        let findings = self.indexes.finish(report.end_offset);
        report.findings.extend(findings);
        report
    }
}

/// The offset behind another.
pub(super) fn after(offset: Offset) -> Offset {
    Offset(offset.0.saturating_add(1))
}
