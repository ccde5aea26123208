//! `logan-bench compare`: brokers that it starts itself, in turn, under the same scenarios.
//!
//! Every round starts every broker once, on an empty directory, runs all scenarios against it and kills it; so rounds
//! go A B A B. Each scenario is run by another process of this program, which measures the broker's process, too. What
//! was measured until something failed, or the user had seen enough, is kept and marked as partial.

mod broker;
mod html;
mod manifest;
mod round;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use command_line::{Failure, Output, Section};
use serde::Serialize;

use crate::results::{Machine, Status, write_whole};
use crate::yardstick::{Yardstick, disk_at_rate};

use summary::Row;

pub(crate) use manifest::{DiskAlone, Manifest, RunPlan};
pub(crate) use round::{Run, one_round};
pub(crate) use summary::{METRICS, Metric};

/// What stands in the place of a broker where the disk alone was measured.
const DISK_ALONE: &str = "the disk alone";

/// Everything, with what another person needs to repeat it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) version: &'static str,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) manifest: Manifest,
    pub(crate) yardstick: Option<Yardstick>,
    /// The scenario files, by name.
    pub(crate) scenarios: Vec<(String, String)>,
    pub(crate) medians: Vec<Row>,
    pub(crate) runs: Vec<Run>,
}

/// Where the report goes.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// How long each thing that the machine itself can do is measured.
    pub(crate) yardstick: Duration,
    pub(crate) json: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
}

/// Runs what the manifest says.
pub(crate) fn compare(
    path: &Path,
    targets: &Targets,
    output: &Output,
    interrupted: &AtomicBool,
) -> Result<(), Failure> {
    let manifest = Manifest::read(path)?;
    let plan = manifest.plan(path)?;
    let mut runs = Vec::new();
    let mut yardstick = None;
    let ended = measure_machine(targets.yardstick, interrupted).and_then(|measured| {
        yardstick = measured;
        rounds(&manifest, &plan, interrupted, &mut runs)
    });
    let failure = match ended {
        Err(_) | Ok(()) if interrupted.load(Ordering::Relaxed) => Some(Failure::Interrupted),
        Err(failure) => Some(failure),
        Ok(()) => None,
    };
    let texts = plan.scenarios.iter().map(|(name, path)| {
        let text = std::fs::read_to_string(path).map_err(Failure::file("read", path))?;
        Ok((name.clone(), text))
    });
    let comparison = Comparison {
        version: env!("CARGO_PKG_VERSION"),
        status: if failure.is_some() {
            Status::Partial
        } else {
            Status::Complete
        },
        reason: failure.as_ref().map(ToString::to_string),
        machine: Machine::look(Path::new(".")),
        manifest,
        scenarios: texts.collect::<Result<_, Failure>>()?,
        medians: summary::medians(&runs, yardstick.as_ref()),
        yardstick,
        runs,
    };
    let kept = keep(&comparison, targets);
    let shown = output.report_of(&sections(&comparison), &comparison);
    failure.map_or(Ok(()), Err).and(kept).and(shown)
}

/// What the machine itself can do, where the brokers' directories will lie.
fn measure_machine(
    duration: Duration,
    interrupted: &AtomicBool,
) -> Result<Option<Yardstick>, Failure> {
    if duration.is_zero() {
        return Ok(None);
    }
    Yardstick::measure(Path::new("."), duration, interrupted).map(Some)
}

fn rounds(
    manifest: &Manifest,
    plan: &RunPlan,
    interrupted: &AtomicBool,
    runs: &mut Vec<Run>,
) -> Result<(), Failure> {
    for round in 1..=manifest.rounds {
        for broker in &manifest.broker {
            one_round(round, broker, plan, interrupted, runs)?;
        }
        for alone in &manifest.disk_alone {
            if interrupted.load(Ordering::Relaxed) {
                return Ok(());
            }
            runs.push(disk_alone(round, alone, interrupted)?);
        }
    }
    Ok(())
}

/// The disk's own latencies, in the place of a broker's.
fn disk_alone(round: u32, alone: &DiskAlone, interrupted: &AtomicBool) -> Result<Run, Failure> {
    let (rate, block, duration) = alone.parsed().expect("the manifest was checked");
    let latency = disk_at_rate(Path::new("."), (rate, block), duration, interrupted)?;
    Ok(Run {
        round,
        broker: DISK_ALONE.to_owned(),
        scenario: alone.scenario.clone(),
        seconds_to_first_answer: None,
        report: serde_json::json!({ "produced": { "latency_ms": latency } }),
    })
}

fn keep(comparison: &Comparison, targets: &Targets) -> Result<(), Failure> {
    if let Some(path) = &targets.json {
        let text = serde_json::to_string_pretty(comparison);
        let text = text.map_err(|error| Failure::local("format the report")(error.into()))?;
        write_whole(path, &(text + "\n"))?;
    }
    if let Some(path) = &targets.html {
        write_whole(path, &html::page(comparison))?;
    }
    Ok(())
}

fn sections(comparison: &Comparison) -> Vec<Section> {
    let mut head = Section::new("Comparison");
    let status = comparison.reason.as_ref();
    head.row(
        "status",
        status.map_or_else(|| "complete".to_owned(), |why| format!("PARTIAL: {why}")),
    );
    head.row("machine", comparison.machine.line());
    head.row(
        "figures",
        "medians of the rounds, lowest to highest in brackets",
    );
    let mut sections = vec![head];
    sections.extend(comparison.yardstick.iter().flat_map(Yardstick::sections));
    for group in comparison
        .medians
        .chunk_by(|one, other| (&one.scenario, one.metric) == (&other.scenario, other.metric))
    {
        let first = &group[0];
        let mut section = Section::new(format!("{}: {}", first.scenario, first.metric));
        for row in group {
            section.row(&row.broker, row.text());
        }
        sections.push(section);
    }
    sections
}
