//! `loganctl logs verify`: every batch and every index, and what is wrong with them.

use std::io;
use std::path::Path;

use command_line::{Column, Failure, Output, OutputFormat, Tabular, or_dash};
use serde::Serialize;
use types::Offset;

use super::check::{Finding, Kind, SegmentReport, check_segment};
use super::target::{self, PartitionDir};
use crate::cli::VerifyOptions;
use crate::progress::Progress;

/// What was looked at and what was found.
#[derive(Debug, Serialize)]
struct Report {
    partitions: Vec<PartitionRow>,
    findings: Vec<FindingRow>,
}

/// A partition in numbers.
#[derive(Debug, Serialize)]
struct PartitionRow {
    partition: String,
    segments: usize,
    bytes: u64,
    batches: u64,
    records: u64,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
    damages: usize,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
pub(super) struct FindingRow {
    kind: &'static str,
    file: String,
    byte: u64,
    until_byte: Option<u64>,
    offset: i64,
    until_offset: Option<i64>,
    problem: String,
}

/// The segments of a partition, looked at in their order.
pub(super) struct Checked {
    pub(super) segments: Vec<SegmentReport>,
}

pub(super) fn run(options: &VerifyOptions, output: &Output) -> Result<(), Failure> {
    let mut report = Report {
        partitions: Vec::new(),
        findings: Vec::new(),
    };
    // Held until everything has been looked at.
    let _locked = match options.sealed_only {
        true => None,
        false => Some(target::lock(&options.paths)?),
    };
    let mut partitions = Vec::new();
    for path in &options.paths {
        partitions.extend(target::find(path)?);
    }
    let mut progress = Progress::of_bytes(Some(len_bytes(&partitions)), true);
    let (mut records, mut bytes) = (0, 0);
    for mut partition in partitions {
        if options.sealed_only {
            partition.segments.retain(|segment| !segment.is_newest);
        }
        let checked = check(&partition, options.records, |segment| {
            records += segment.records;
            bytes += segment.size_bytes;
            progress.update(records, bytes);
        })?;
        report.partitions.push(checked.row(&partition));
        report.findings.extend(checked.findings().map(finding_row));
    }
    progress.finish();
    let damages = report.partitions.iter().map(|row| row.damages).sum();
    show(report, options.all, output)?;
    verdict(damages)
}

/// The length of all segments, as far as they are still there.
fn len_bytes(partitions: &[PartitionDir]) -> u64 {
    let segments = partitions.iter().flat_map(|it| &it.segments);
    let lengths = segments.filter_map(|it| it.path.metadata().ok());
    lengths.map(|metadata| metadata.len()).sum()
}

/// Looks at every segment of a partition, and calls `done` after each.
///
/// # Errors
/// Files that cannot be read.
pub(super) fn check(
    partition: &PartitionDir,
    reads_records: bool,
    mut done: impl FnMut(&SegmentReport),
) -> Result<Checked, Failure> {
    let mut segments = Vec::new();
    let mut next_offset = Offset(0);
    for segment in &partition.segments {
        let checked = check_segment(partition, segment, next_offset, reads_records);
        let report = match checked {
            Ok(report) => report,
            // Beside a running broker: retention or compaction has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !segment.is_newest => continue,
            Err(error) => return Err(Failure::file("read", &segment.path)(error)),
        };
        next_offset = report.end_offset;
        done(&report);
        segments.push(report);
    }
    Ok(Checked { segments })
}

impl Checked {
    /// Everything that is not as it should be.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.segments.iter().flat_map(|segment| &segment.findings)
    }

    fn row(&self, partition: &PartitionDir) -> PartitionRow {
        let sum = |number: fn(&SegmentReport) -> u64| self.segments.iter().map(number).sum();
        let mut firsts = self.segments.iter().filter_map(|it| it.first_offset);
        let is_damage = |finding: &&Finding| finding.kind == Kind::Damage;
        PartitionRow {
            partition: partition.name(),
            segments: self.segments.len(),
            bytes: sum(|segment| segment.size_bytes),
            batches: sum(|segment| segment.batches),
            records: sum(|segment| segment.records),
            start_offset: firsts.next().map(|offset| offset.0),
            end_offset: self.segments.last().map(|it| it.end_offset.0),
            damages: self.findings().filter(is_damage).count(),
        }
    }
}

fn show(mut report: Report, all: bool, output: &Output) -> Result<(), Failure> {
    if output.format() != OutputFormat::Table {
        return output.write(&output.structured(&report)?);
    }
    let partitions = report.partitions.len();
    let segments: usize = report.partitions.iter().map(|row| row.segments).sum();
    let batches: u64 = report.partitions.iter().map(|row| row.batches).sum();
    let records: u64 = report.partitions.iter().map(|row| row.records).sum();
    let damages: usize = report.partitions.iter().map(|row| row.damages).sum();
    report.partitions.retain(|row| all || row.damages > 0);
    let mut text = output.table(&report.partitions);
    let findings = output.table(&report.findings);
    for table in [findings, String::new()] {
        // A blank line between two tables, and before the summary.
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
        text.push_str(&table);
    }
    text.push_str(&format!(
        "{partitions} partitions, {segments} segments, {batches} batches, {records} records: {damages} damaged places\n"
    ));
    output.write(&text)
}

fn verdict(damages: usize) -> Result<(), Failure> {
    if damages == 0 {
        return Ok(());
    }
    let places = if damages == 1 { "place" } else { "places" };
    Err(Failure::Damaged {
        problem: format!("{damages} damaged {places} found"),
        advice:
            "copy the directory first; `loganctl logs repair --dry-run` says what a cut would cost"
                .to_owned(),
    })
}

pub(super) fn finding_row(finding: &Finding) -> FindingRow {
    FindingRow {
        kind: match finding.kind {
            Kind::Damage => "damage",
            Kind::TornTail => "torn tail",
            Kind::Index => "index",
        },
        file: shown(&finding.path),
        byte: finding.bytes.0,
        until_byte: finding.bytes.1,
        offset: finding.offsets.0.0,
        until_offset: finding.offsets.1.map(|offset| offset.0),
        problem: finding.detail.clone(),
    }
}

/// The partition's directory and the file in it: the rest of the path is known to whoever gave it.
pub(super) fn shown(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    let directory = path.parent().and_then(Path::file_name).unwrap_or_default();
    Path::new(directory).join(name).display().to_string()
}

impl Tabular for PartitionRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("PARTITION"),
        Column::Number("SEGMENTS"),
        Column::Number("BYTES"),
        Column::Number("BATCHES"),
        Column::Number("RECORDS"),
        Column::Number("START"),
        Column::Number("END"),
        Column::Number("DAMAGES"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.partition.clone(),
            self.segments.to_string(),
            self.bytes.to_string(),
            self.batches.to_string(),
            self.records.to_string(),
            or_dash(self.start_offset),
            or_dash(self.end_offset),
            self.damages.to_string(),
        ]
    }
}

impl Tabular for FindingRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("FOUND"),
        Column::Text("FILE"),
        Column::Number("BYTE"),
        Column::Number("UNTIL"),
        Column::Number("OFFSET"),
        Column::Number("UNTIL"),
        Column::Text("PROBLEM"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.kind.to_owned(),
            self.file.clone(),
            self.byte.to_string(),
            or_dash(self.until_byte),
            self.offset.to_string(),
            or_dash(self.until_offset),
            self.problem.clone(),
        ]
    }
}
