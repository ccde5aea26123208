//! `loganctl`: topics, produce and consume from the command line, for Logan and any other Kafka broker.
//!
//! One thread does the work; `produce` has a second one that reads standard input. Nothing is kept between runs.
//! Every way to end has an exit code of its own, listed in `loganctl --help` and in [`failure`].

mod cli;
mod consume;
mod failure;
mod format;
mod lines;
mod output;
mod produce;
mod progress;
mod record_json;
mod topics;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use client::Client;

use cli::{Cli, Command};
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(&cli.global);
    match run(&cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.report(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli, output: &Output) -> Result<(), Failure> {
    if let Command::Completions { shell } = cli.command {
        return print_completions(shell);
    }
    let client = Client::connect(cli.global.client_config())?;
    match &cli.command {
        Command::Topics { command } => topics::run(client, command, output),
        Command::Produce(options) => produce::run(client, options, output),
        Command::Consume(options) => consume::run(client, options, output),
        Command::Completions { .. } => Ok(()),
    }
}

/// The generator cannot report that a reader is gone, so it writes to memory first.
fn print_completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "loganctl", &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script).map_err(Failure::output)
}
