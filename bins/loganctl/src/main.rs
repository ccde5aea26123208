//! `loganctl`: administration, produce and consume from the command line, for Logan and any other Kafka broker, and the
//! files of a data directory and the settings of a machine without any broker.
//!
//! One thread does the work; `produce` has a second one that reads the input. Nothing is kept between runs.
//! Every way to end has an exit code of its own, listed in `loganctl --help` and in [`Failure`].

mod advice;
mod bytes_format;
mod chosen;
mod cli;
mod configs;
mod consume;
mod debug;
mod delete_records;
mod format;
mod groups;
mod lines;
mod logs;
mod offsets;
mod pace;
mod partitions;
mod produce;
mod progress;
mod record_json;
mod topics;
mod tune;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use client::Client;
use command_line::{Failure, Output, print_completions, write_man_pages};

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(&cli.global, advice::advice);
    match run(&cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.report(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli, output: &Output) -> Result<(), Failure> {
    let connect = || Client::connect(cli.global.client_config("loganctl"));
    match &cli.command {
        Command::Topics { command } => topics::run(connect()?, command, output),
        Command::Configs { command } => configs::run(connect()?, command, output),
        Command::Partitions { command } => partitions::run(connect()?, command, output),
        Command::Groups { command } => groups::run(connect()?, command, output),
        Command::Records { command } => delete_records::run(connect()?, command, output),
        Command::Produce(options) => produce::run(connect()?, options, output),
        Command::Consume(options) => consume::run(connect()?, options, output),
        Command::Logs { command } => logs::run(command, output),
        Command::Tune { command } => tune::run(command, output),
        Command::Debug { command } => debug::run(command, cli.global.timeout, output),
        Command::Completions { shell } => print_completions(Cli::command(), *shell),
        Command::Man { directory } => write_man_pages(Cli::command(), directory),
    }
}
