//! `logan-bench`: measures Logan, and any other broker that speaks Kafka's protocol.
//!
//! The main thread prepares a run, watches it and writes its report; worker threads, pinned to cores, carry the load (see
//! [`engine`]). Nothing is kept between runs. Every way to end has an exit code of its own, listed in
//! `logan-bench --help` and in [`failure`].
//!
//! Deliberately absent: retries (a refused request ends the run), fetch sessions, transactions, TLS, consumer groups.

mod cli;
mod compare;
mod engine;
mod failure;
mod load;
mod output;
mod progress;
mod results;
mod scenario;
mod target;
mod watch;
mod workload;
mod yardstick;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory as _, Parser as _};
use signal_hook::consts::{SIGINT, SIGTERM};

use cli::{Cli, Command};
use compare::Targets;
use failure::Failure;
use output::Output;
use workload::Context;
use yardstick::Yardstick;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(&cli.global);
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
            let output = Output::new(&scenario.global);
            measure(&scenario, &output)
        }
        Command::Compare {
            manifest,
            report,
            html,
        } => {
            let targets = Targets { json: report, html };
            compare::compare(&manifest, &targets, output, &*interruption()?)
        }
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
        Command::Completions { shell } => print_completions(shell),
        Command::Man { directory } => write_man_pages(&directory),
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

/// The generator cannot report that a reader is gone, so it writes to memory first.
fn print_completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "logan-bench", &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script).map_err(Failure::output)
}

/// One page for the program and one for each of its commands.
fn write_man_pages(directory: &Path) -> Result<(), Failure> {
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, directory)
        .map_err(Failure::file("write manual pages to", directory))
}
