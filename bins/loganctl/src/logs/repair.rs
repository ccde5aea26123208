//! `loganctl logs repair`: a damaged log ends at its first damage afterwards, and indexes that lead astray are rebuilt.
//!
//! What is cut is kept: the rest of the damaged segment in `<segment>.<byte>.cut`, later segments under their own names
//! with `.cut` behind. The copy is durable before anything is cut, and the damaged segment is cut last, so that a repair
//! that is interrupted can be repeated.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use command_line::{Column, Failure, Output, Tabular, or_dash};
use serde::Serialize;
use types::Offset;

use super::check::{Kind, SegmentReport};
use super::indexes::build;
use super::target::{
    self, PartitionDir, SegmentPath, distrust, lower_checkpoints, replace, sync_directory,
};
use super::verify::{check, shown};
use crate::cli::RepairOptions;

/// Bytes copied at once.
const STEP_BYTES: usize = 1 << 20;

/// Something that is done to a file.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// The segment ends here from now on.
    Cut {
        segment: PathBuf,
        at_byte: u64,
        copy: PathBuf,
    },
    /// The segment lies behind the cut.
    SetAside { segment: PathBuf, kept: PathBuf },
    /// The indexes of a sound segment.
    Rebuild(SegmentPath),
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
struct ActionRow {
    action: &'static str,
    file: String,
    byte: Option<u64>,
    kept: Option<String>,
    end_offset: Option<i64>,
}

/// What a partition needs.
#[derive(Debug, Default)]
struct Plan {
    actions: Vec<Action>,
    /// Where the log ends after a cut.
    end_offset: Option<Offset>,
}

pub(super) fn run(options: &RepairOptions, output: &Output) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let _locked = target::lock(&options.paths)?;
    for path in &options.paths {
        if path.is_file() {
            return Err(Failure::usage(
                format!("{} is a file", path.display()),
                "a cut may concern later segments, too: name the directory of the partition",
            ));
        }
        for partition in target::find(path)? {
            let checked = check(&partition, false, |_| ())?;
            let plan = plan(&partition, &checked.segments);
            if !options.dry_run {
                carry_out(&partition, &plan)?;
            }
            rows.extend(plan.actions.iter().map(|action| row(action, &plan)));
        }
    }
    output.rows(&rows)
}

/// What has to be done, in the order in which it is safe.
fn plan(partition: &PartitionDir, reports: &[SegmentReport]) -> Plan {
    let has = |report: &SegmentReport, wanted: fn(Kind) -> bool| {
        let mut findings = report.findings.iter();
        findings.any(|finding| wanted(finding.kind))
    };
    let mut plan = Plan::default();
    let both = || partition.segments.iter().zip(reports);
    let cut = both().position(|(_, report)| has(report, |kind| kind != Kind::Index));
    let sound = cut.unwrap_or(reports.len());
    if let Some(cut) = cut {
        let (segment, report) = (&partition.segments[cut], &reports[cut]);
        plan.end_offset = Some(report.sound_offset);
        let behind = partition.segments[cut + 1..].iter().rev();
        plan.actions.extend(behind.map(set_aside));
        plan.actions.push(cut_of(segment, report));
    }
    let astray = both()
        .take(sound)
        .filter(|(_, report)| has(report, |kind| kind == Kind::Index));
    plan.actions
        .extend(astray.map(|(segment, _)| Action::Rebuild(segment.clone())));
    plan
}

/// The damaged segment ends with its sound part, which may be nothing.
fn cut_of(segment: &SegmentPath, report: &SegmentReport) -> Action {
    let at_byte = report.sound_bytes;
    Action::Cut {
        segment: segment.path.clone(),
        at_byte,
        copy: with_suffix(&segment.path, &format!(".{at_byte}.cut")),
    }
}

fn set_aside(segment: &SegmentPath) -> Action {
    Action::SetAside {
        segment: segment.path.clone(),
        kept: with_suffix(&segment.path, ".cut"),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn carry_out(partition: &PartitionDir, plan: &Plan) -> Result<(), Failure> {
    if plan.actions.is_empty() {
        return Ok(());
    }
    distrust(partition)?;
    if let Some(end_offset) = plan.end_offset {
        lower_checkpoints(partition, end_offset)?;
    }
    for action in &plan.actions {
        match action {
            Action::Cut {
                segment,
                at_byte,
                copy,
            } => {
                keep(segment, *at_byte, copy)?;
                sync_directory(&partition.path)?;
                cut(segment, *at_byte)?;
                remove_indexes(segment)?;
            }
            Action::SetAside { segment, kept } => {
                fs::rename(segment, kept).map_err(Failure::file("set aside", segment))?;
                remove_indexes(segment)?;
            }
            Action::Rebuild(segment) => rebuild(segment)?,
        }
    }
    sync_directory(&partition.path)
}

/// Copies what is going to be cut, durably. A copy of an earlier attempt is written anew.
fn keep(segment: &Path, at_byte: u64, copy: &Path) -> Result<(), Failure> {
    let copied = || -> io::Result<()> {
        let mut source = File::open(segment)?;
        source.seek(SeekFrom::Start(at_byte))?;
        let mut target = File::create(copy)?;
        let mut step = vec![0; STEP_BYTES];
        loop {
            let read = source.read(&mut step)?;
            if read == 0 {
                return target.sync_all();
            }
            target.write_all(&step[..read])?;
        }
    };
    copied().map_err(Failure::file("keep what is cut in", copy))
}

fn cut(segment: &Path, at_byte: u64) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).open(segment);
    let cut = file.and_then(|file| {
        file.set_len(at_byte)?;
        file.sync_all()
    });
    cut.map_err(Failure::file("cut", segment))
}

/// Indexes of what is no longer there; the broker builds those of the newest segment again.
fn remove_indexes(segment: &Path) -> Result<(), Failure> {
    for extension in ["index", "timeindex"] {
        let path = segment.with_extension(extension);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn rebuild(segment: &SegmentPath) -> Result<(), Failure> {
    let built = build(&segment.path, segment.base_offset);
    let (offsets, times) = built.map_err(Failure::file("read", &segment.path))?;
    for (extension, content) in [("index", offsets.encode()), ("timeindex", times.encode())] {
        let path = segment.path.with_extension(extension);
        replace(&path, &content)?;
    }
    Ok(())
}

fn row(action: &Action, plan: &Plan) -> ActionRow {
    let (name, file, byte, kept) = match action {
        Action::Cut {
            segment,
            at_byte,
            copy,
        } => ("cut", segment, Some(*at_byte), Some(copy)),
        Action::SetAside { segment, kept } => ("set aside", segment, None, Some(kept)),
        Action::Rebuild(segment) => ("rebuild indexes", &segment.path, None, None),
    };
    let is_cut = matches!(action, Action::Cut { .. });
    ActionRow {
        action: name,
        file: shown(file),
        byte,
        kept: kept.map(|path| shown(path)),
        end_offset: plan.end_offset.filter(|_| is_cut).map(|offset| offset.0),
    }
}

impl Tabular for ActionRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("ACTION"),
        Column::Text("FILE"),
        Column::Number("BYTE"),
        Column::Number("LOG ENDS AT"),
        Column::Text("KEPT IN"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.action.to_owned(),
            self.file.clone(),
            or_dash(self.byte),
            or_dash(self.end_offset),
            or_dash(self.kept.as_deref()),
        ]
    }
}
