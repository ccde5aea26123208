//! `logan-bench compare`: brokers that it starts itself, in turn, under the same scenarios.
//!
//! Every round starts every broker once, on an empty directory, runs all scenarios against it and kills it; so rounds
//! go A B A B. Each scenario is run by another process of this program, which measures the broker's process, too. What
//! was measured until something failed, or the user had seen enough, is kept and marked as partial.

mod broker;
mod html;
mod manifest;
mod summary;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{Output, Section};
use crate::results::{Machine, Status, write_whole};

use broker::Running;
use manifest::Manifest;
use summary::Row;

/// What one scenario found with one broker in one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) round: u32,
    pub(crate) broker: String,
    pub(crate) scenario: String,
    pub(crate) seconds_to_first_answer: f64,
    pub(crate) report: Value,
}

/// Everything, with what another person needs to repeat it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) version: &'static str,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) manifest: Manifest,
    /// The scenario files, by name.
    pub(crate) scenarios: Vec<(String, String)>,
    pub(crate) medians: Vec<Row>,
    pub(crate) runs: Vec<Run>,
}

/// Where the report goes.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
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
    let scenarios = manifest.scenarios(path)?;
    let mut runs = Vec::new();
    let ended = rounds(&manifest, &scenarios, interrupted, &mut runs);
    let failure = match ended {
        Err(_) | Ok(()) if interrupted.load(Ordering::Relaxed) => Some(Failure::Interrupted),
        Err(failure) => Some(failure),
        Ok(()) => None,
    };
    let texts = scenarios.iter().map(|(name, path)| {
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
        machine: Machine::look(),
        manifest,
        scenarios: texts.collect::<Result<_, Failure>>()?,
        medians: summary::medians(&runs),
        runs,
    };
    let kept = keep(&comparison, targets);
    let shown = output.report_of(&sections(&comparison), &comparison);
    failure.map_or(Ok(()), Err).and(kept).and(shown)
}

fn rounds(
    manifest: &Manifest,
    scenarios: &[(String, PathBuf)],
    interrupted: &AtomicBool,
    runs: &mut Vec<Run>,
) -> Result<(), Failure> {
    for round in 1..=manifest.rounds {
        for broker in &manifest.broker {
            let running = Running::start(broker, interrupted)?;
            for (scenario, path) in scenarios {
                if interrupted.load(Ordering::Relaxed) {
                    return Ok(());
                }
                runs.push(Run {
                    round,
                    broker: broker.name.clone(),
                    scenario: scenario.clone(),
                    seconds_to_first_answer: running.seconds_to_first_answer(),
                    report: run_one(path, &running, &broker.name)?,
                });
            }
        }
    }
    Ok(())
}

/// Runs a scenario in a process of its own.
fn run_one(scenario: &Path, running: &Running, broker: &str) -> Result<Value, Failure> {
    let own = std::env::current_exe().map_err(Failure::local("find this program"))?;
    let child = Command::new(own)
        .args(["--output", "json", "--bootstrap-server", running.address()])
        .arg("run")
        .arg(scenario)
        .args(["--pid", &running.pid().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output);
    let ended = child.map_err(Failure::local("run a scenario"))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        let problem = format!("{} with {broker}: {said}", scenario.display());
        return Err(Failure::refused(
            problem,
            "run it alone by `logan-bench run`",
        ));
    }
    serde_json::from_slice(&ended.stdout)
        .map_err(|error| Failure::local("read a scenario's report")(error.into()))
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
