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
            let wanted = list::Wanted::Topics {
                topics,
                internal: *internal,
            };
            let mut rows = list::rows(&mut client, wanted)?;
            if *moving {
                rows.retain(|row| row.is_moving());
            }
            output.rows(&rows)?;
            list::complete(&rows)
        }
        PartitionsCommand::Move(options) => moving::run(&mut client, options, output),
    }
}
