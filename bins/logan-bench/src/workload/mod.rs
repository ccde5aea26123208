//! The workloads: what is prepared, what is run, and the report that comes of it.

mod connections;
mod consume;
mod group;
mod measure;
mod produce;
mod sink;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use command_line::{Failure, Global, Output};
use serde::Serialize;

use measure::Measured;

use crate::cli::{Command, RunArgs};
use crate::results::{Machine, Own, Report, SideReport, Status, write_whole};

/// What every workload gets.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) global: &'a Global,
    pub(crate) output: &'a Output,
    /// Whether the user wants the run to end.
    pub(crate) interrupted: &'a Arc<AtomicBool>,
}

/// Runs a workload, and writes its report also when the run did not come to its end.
pub(crate) fn run(command: &Command, context: &Context<'_>) -> Result<(), Failure> {
    match command {
        Command::Produce(options) => produce::produce(options, context),
        Command::EndToEnd(options) => produce::end_to_end(options, context),
        Command::Consume(options) => consume::consume(options, context),
        Command::Connections(options) => connections::connections(options, context),
        Command::Compare { .. }
        | Command::Guard(_)
        | Command::Run { .. }
        | Command::Yardstick { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => {
            unreachable!("these are no workloads, and main knows")
        }
    }
}

impl Context<'_> {
    /// The report of what was measured, without what is particular to a workload.
    pub(crate) fn report<S: Serialize>(
        &self,
        workload: &'static str,
        settings: S,
        measured: &Measured,
    ) -> Report<S> {
        let bytes = measured.produced.bytes + measured.consumed.bytes;
        let requests = measured.produced.requests + measured.consumed.requests;
        let reason = measured.failure.as_ref().map(ToString::to_string);
        Report {
            version: env!("CARGO_PKG_VERSION"),
            status: if reason.is_some() {
                Status::Partial
            } else {
                Status::Complete
            },
            reason,
            workload,
            started_at: humantime::format_rfc3339_seconds(measured.started_at).to_string(),
            bootstrap_servers: self.global.bootstrap_server.clone(),
            settings,
            machine: Machine::look(Path::new(".")),
            seconds: measured.seconds,
            produced: SideReport::new(&measured.produced, measured.seconds),
            consumed: SideReport::new(&measured.consumed, measured.seconds),
            committed: SideReport::new(&measured.committed, measured.seconds),
            connections: None,
            own: Own::new(measured.threads, measured.own_cpu.as_secs_f64(), bytes),
            broker: measured
                .watched
                .as_ref()
                .and_then(|watched| watched.used(bytes, requests)),
            ceiling: None,
            read_back: None,
        }
    }

    /// Writes the report where it is wanted, and ends with the run's failure if there is one.
    pub(crate) fn finish<S: Serialize>(
        &self,
        report: &Report<S>,
        run: &RunArgs,
        failure: Option<Failure>,
    ) -> Result<(), Failure> {
        let shown = self.output.report_of(&report.sections(), report);
        let kept = run.report.as_ref().map_or(Ok(()), |path| {
            let text = serde_json::to_string_pretty(report).map_err(std::io::Error::other);
            write_whole(
                path,
                &(text.map_err(Failure::local("format the report"))? + "\n"),
            )
        });
        // The run's own failure says most.
        failure.map_or(Ok(()), Err).and(kept).and(shown)
    }
}

/// The time by the wall clock.
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
