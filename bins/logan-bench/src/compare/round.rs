//! One broker's turn: it is started, every scenario is run against it, and it is killed.
//!
//! A scenario is run by another process of this program, so that nothing of one run is left in the next. An interruption is
//! passed on to it, and what it had measured by then is kept.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use command_line::Failure;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::Value;

use super::broker::Running;
use super::manifest::{BrokerEntry, RunPlan};

/// Between two looks whether a scenario has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What one scenario found with one broker in one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) round: u32,
    pub(crate) broker: String,
    pub(crate) scenario: String,
    /// Of the first scenario behind a start.
    pub(crate) seconds_to_first_answer: Option<f64>,
    pub(crate) report: Value,
}

impl Run {
    /// Whether it went to its end: others are kept, and not counted.
    pub(crate) fn is_complete(&self) -> bool {
        self.report["status"] != "partial"
    }
}

/// What a process leaves.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Starts a broker, runs all scenarios against it, and kills it. What was measured until something fails is in `runs`.
pub(crate) fn one_round(
    round: u32,
    broker: &BrokerEntry,
    plan: &RunPlan,
    interrupted: &AtomicBool,
    runs: &mut Vec<Run>,
) -> Result<(), Failure> {
    let running = Running::start(broker, interrupted)?;
    if let Some(warm_up) = &broker.warm_up {
        let options = ["--warmup", "0s", "--duration", warm_up.as_str()];
        let ended = run(&plan.warm_up, &running, &options, interrupted)?;
        ended.check(&plan.warm_up, broker)?;
    }
    for (at, (scenario, path)) in plan.scenarios.iter().enumerate() {
        if interrupted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let ended = run(path, &running, &[], interrupted)?;
        let report = serde_json::from_str(&ended.stdout);
        if let Ok(report) = report {
            runs.push(Run {
                round,
                broker: broker.name.clone(),
                scenario: scenario.clone(),
                seconds_to_first_answer: (at == 0).then(|| running.seconds_to_first_answer()),
                report,
            });
        }
        ended.check(path, broker)?;
    }
    Ok(())
}

/// Runs a scenario in a process of its own.
fn run(
    scenario: &Path,
    running: &Running,
    options: &[&str],
    interrupted: &AtomicBool,
) -> Result<Ended, Failure> {
    let failed = Failure::local("run a scenario");
    let own = std::env::current_exe().map_err(Failure::local("find this program"))?;
    // Files, not pipes, which nobody would empty meanwhile.
    let (out, err) = (
        tempfile::tempfile().map_err(&failed)?,
        tempfile::tempfile().map_err(&failed)?,
    );
    let child = Command::new(own)
        .args(["--output", "json", "--bootstrap-server", running.address()])
        .arg("run")
        .arg(scenario)
        .args(["--pid", &running.pid().to_string()])
        .args(options)
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(&failed)?)
        .stderr(err.try_clone().map_err(&failed)?)
        .spawn();
    let status = wait(child.map_err(&failed)?, interrupted).map_err(&failed)?;
    Ok(Ended {
        status,
        stdout: text(out).map_err(&failed)?,
        stderr: text(err).map_err(&failed)?,
    })
}

/// Waits for a process, and tells it once when the user has seen enough.
fn wait(mut child: Child, interrupted: &AtomicBool) -> io::Result<ExitStatus> {
    let mut is_told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupted.load(Ordering::Relaxed) && !is_told {
            is_told = true;
            kill_process(Pid::from_child(&child), Signal::INT)?;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn text(mut file: File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

impl Ended {
    fn check(&self, scenario: &Path, broker: &BrokerEntry) -> Result<(), Failure> {
        if self.status.success() {
            return Ok(());
        }
        let problem = format!(
            "{} with {}: {}",
            scenario.display(),
            broker.name,
            self.stderr.trim()
        );
        let advice = "run it alone by `logan-bench run`";
        Err(Failure::refused(problem, advice))
    }
}
