//! `loganctl logs`: the files of a data directory, read with ordinary blocking calls while no broker runs on them.
//!
//! Works on what Logan and Kafka write alike: segments of batches in format v2 and their indexes. Deliberately absent: older
//! message formats, which are reported as damage, and producer snapshots, which brokers rebuild.

mod check;
mod dump;
mod indexes;
mod repair;
mod target;
mod verify;
mod walk;

#[cfg(test)]
mod tests;

use command_line::{Failure, Output};

use crate::cli::LogsCommand;

pub(crate) fn run(command: &LogsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        LogsCommand::Dump(options) => dump::run(options, output),
        LogsCommand::Verify(options) => verify::run(options, output),
        LogsCommand::Repair(options) => repair::run(options, output),
    }
}
