//! `loganctl groups`: which there are, how far they are, and making them go on from elsewhere.

mod describe;
mod reset;

use client::{Client, ListedGroup};
use command_line::{Column, Failure, Output, Tabular};
use serde::Serialize;

use crate::cli::GroupsCommand;

/// What `groups list` shows.
#[derive(Debug, Serialize)]
struct GroupRow {
    group: String,
    kind: String,
    state: String,
    protocol_type: String,
}

pub(crate) fn run(
    mut client: Client,
    command: &GroupsCommand,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        GroupsCommand::List => {
            let groups = client.list_groups()?;
            let rows: Vec<_> = groups.into_iter().map(GroupRow::from).collect();
            output.rows(&rows)
        }
        GroupsCommand::Describe {
            groups,
            members: true,
            ..
        } => output.rows(&describe::members(&mut client, groups)?),
        GroupsCommand::Describe {
            groups,
            watch: Some(pause),
            ..
        } => describe::watch(&mut client, groups, *pause, output),
        GroupsCommand::Describe { groups, .. } => {
            output.rows(&describe::partitions(&mut client, groups)?)
        }
        GroupsCommand::ResetOffsets(options) => reset::run(&mut client, options, output),
        GroupsCommand::Delete { groups } => {
            output.for_each(groups, |group| Ok(client.delete_group(group)?))
        }
    }
}

impl From<ListedGroup> for GroupRow {
    fn from(listed: ListedGroup) -> Self {
        Self {
            group: listed.group,
            kind: listed.kind,
            state: listed.state,
            protocol_type: listed.protocol_type,
        }
    }
}

impl Tabular for GroupRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("KIND"),
        Column::Text("STATE"),
        Column::Text("PROTOCOL TYPE"),
    ];

    fn cells(&self) -> Vec<String> {
        let dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
        vec![
            self.group.clone(),
            dash(&self.kind),
            dash(&self.state),
            dash(&self.protocol_type),
        ]
    }
}
