//! `loganctl`: administration, produce and consume from the command line, for Logan and any other Kafka broker, and the
//! files of a data directory without any broker.
//!
//! One thread does the work; `produce` has a second one that reads the input. Nothing is kept between runs.
//! Every way to end has an exit code of its own, listed in `loganctl --help` and in [`failure`].

mod bytes_format;
mod chosen;
mod cli;
mod configs;
mod consume;
mod delete_records;
mod failure;
mod format;
mod groups;
mod lines;
mod logs;
mod output;
mod pace;
mod partitions;
mod produce;
mod progress;
mod record_json;
mod topics;

use std::io::Write as _;
use std::path::Path;
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
    let connect = || Client::connect(cli.global.client_config());
    match &cli.command {
        Command::Topics { command } => topics::run(connect()?, command, output),
        Command::Configs { command } => configs::run(connect()?, command, output),
        Command::Partitions { command } => partitions::run(connect()?, command, output),
        Command::Groups { command } => groups::run(connect()?, command, output),
        Command::Records { command } => delete_records::run(connect()?, command, output),
        Command::Produce(options) => produce::run(connect()?, options, output),
        Command::Consume(options) => consume::run(connect()?, options, output),
        Command::Logs { command } => logs::run(command, output),
        Command::Completions { shell } => print_completions(*shell),
        Command::Man { directory } => write_man_pages(directory),
    }
}

/// The generator cannot report that a reader is gone, so it writes to memory first.
fn print_completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "loganctl", &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script).map_err(Failure::output)
}

/// One page for the program and one for each of its commands.
fn write_man_pages(directory: &Path) -> Result<(), Failure> {
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, directory)
        .map_err(Failure::file("write manual pages to", directory))
}
