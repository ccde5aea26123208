//! `logan-bench`: measures Logan, and any other broker that speaks Kafka's protocol.
//!
//! The main thread prepares a run, watches it and writes its report; worker threads, pinned to cores, carry the load (see
//! [`engine`]). Nothing is kept between runs. Every way to end has an exit code of its own, listed in
//! `logan-bench --help` and in [`Failure`].
//!
//! Deliberately absent: retries (a refused request ends the run), transactions, TLS, and rebalances while something is measured.

mod advice;
mod cli;
mod compare;
mod engine;
mod guard;
mod load;
mod progress;
mod results;
mod scenario;
mod target;
mod watch;
mod workload;
mod yardstick;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory as _, Parser as _};
use command_line::{Failure, Output, print_completions, write_man_pages};
use signal_hook::consts::{SIGINT, SIGTERM};

use cli::{Cli, Command};
use compare::Targets;
use workload::Context;
use yardstick::Yardstick;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(&cli.global, advice::advice);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.report(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, output: &Output) -> Result<(), Failure> {
    match cli.command {
        Command::Run { file, overrides } => {
            let own = std::env::args().next().unwrap_or_default();
            let words = scenario::words(&file)?;
            let global = global_words();
            let line = std::iter::once(own)
                .chain(global)
                .chain(words)
                .chain(overrides);
            let scenario = Cli::parse_from(line);
            let output = Output::new(&scenario.global, advice::advice);
            measure(&scenario, &output)
        }
        Command::Compare {
            manifest,
            report,
            html,
            yardstick,
        } => {
            let targets = Targets {
                yardstick: yardstick.0,
                json: report,
                html,
            };
            compare::compare(&manifest, &targets, output, &*interruption()?)
        }
        Command::Guard(options) => guard::guard(&options, output, &*interruption()?),
        Command::Yardstick {
            directory,
            duration,
        } => {
            let interrupted = interruption()?;
            let found = Yardstick::measure(&directory, duration.0, &interrupted);
            if interrupted.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            let found = found?;
            output.report_of(&found.sections(), &found)
        }
        Command::Completions { shell } => print_completions(Cli::command(), shell),
        Command::Man { directory } => write_man_pages(Cli::command(), &directory),
        _ => measure(&cli, output),
    }
}

/// The words before `run`, which hold for the scenario, too.
fn global_words() -> Vec<String> {
    std::env::args()
        .skip(1)
        .take_while(|word| word != "run")
        .collect()
}

fn measure(cli: &Cli, output: &Output) -> Result<(), Failure> {
    let context = Context {
        global: &cli.global,
        output,
        interrupted: &interruption()?,
    };
    workload::run(&cli.command, &context)
}

/// Set by the first signal, which ends a run early; a second one ends the process at once.
fn interruption() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let failed = Failure::local("watch for signals");
        let code = i32::from(Failure::Interrupted.code());
        let flag = || Arc::clone(&interrupted);
        let second = signal_hook::flag::register_conditional_shutdown(signal, code, flag());
        second.map_err(&failed)?;
        signal_hook::flag::register(signal, flag()).map_err(&failed)?;
    }
    Ok(interrupted)
}
