//! `loganctl partitions`: where they live, and moving them.

mod list;
mod moving;

use client::Client;
use command_line::{Failure, Output};

use crate::cli::PartitionsCommand;

pub(crate) fn run(
    mut client: Client,
    command: &PartitionsCommand,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        PartitionsCommand::List {
            topics,
            internal,
            moving,
        } => {
            let mut rows = list::rows(&mut client, topics, *internal)?;
            if *moving {
                rows.retain(|row| row.is_moving());
            }
            output.rows(&rows)
        }
        PartitionsCommand::Move(options) => moving::run(&mut client, options, output),
    }
}
