//! `loganctl groups`: which there are, how far they are, and making them go on from elsewhere.

mod describe;
mod plan;
mod reset;
mod watch;

use std::slice;

use client::{Client, ListedGroup};
use command_line::{Column, Failure, Output, Tabular};
use serde::Serialize;

use crate::chosen::chosen_partitions;
use crate::cli::{
    ChosenGroups, DescribeGroupsOptions, GroupKind, GroupState, GroupsCommand, TopicPartitions,
};

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
    let client = &mut client;
    match command {
        GroupsCommand::List { state, kind } => {
            let groups = client.list_groups()?.into_iter();
            let rows: Vec<_> = groups
                .filter(|group| is_wanted(group, state, *kind))
                .map(GroupRow::from)
                .collect();
            output.rows(&rows)
        }
        GroupsCommand::Describe(options) => describe(client, options, output),
        GroupsCommand::ResetOffsets(options) => reset::run(client, options, output),
        GroupsCommand::DeleteOffsets { group, topic } => output.for_each(topic, |topic| {
            let TopicPartitions { topic, partitions } = topic;
            let partitions = chosen_partitions(client, topic, partitions)?;
            Ok(client.delete_offsets(group, topic, &partitions)?)
        }),
        GroupsCommand::Delete(chosen) => {
            let groups = names(client, chosen)?;
            output.for_each(&groups, |group| Ok(client.delete_group(group)?))
        }
    }
}

fn describe(
    client: &mut Client,
    options: &DescribeGroupsOptions,
    output: &Output,
) -> Result<(), Failure> {
    let groups = names(client, &options.chosen)?;
    if let Some(pause) = options.watch {
        return watch::run(client, &groups, (pause, options.count), output);
    }
    if options.members {
        let (rows, outcome) = of_each(&groups, output, |group| {
            let members = describe::members(client, group)?;
            if members.is_empty() {
                output.note(&format!("group {} has no members", group.join(" ")));
            }
            Ok(members)
        });
        output.rows(&rows)?;
        return outcome;
    }
    if options.state {
        let (rows, outcome) = of_each(&groups, output, |group| describe::states(client, group));
        output.rows(&rows)?;
        return outcome;
    }
    let (rows, outcome) = of_each(&groups, output, |group| describe::partitions(client, group));
    output.rows(&rows)?;
    outcome.and(describe::complete(&rows))
}

/// What there is about each group, and the first failure: one about which nothing can be said is reported, and hides no
/// other.
fn of_each<R>(
    groups: &[String],
    output: &Output,
    mut look: impl FnMut(&[String]) -> Result<Vec<R>, Failure>,
) -> (Vec<R>, Result<(), Failure>) {
    let mut rows = Vec::new();
    let outcome = output.for_each(groups, |group| {
        rows.extend(look(slice::from_ref(group))?);
        Ok(())
    });
    (rows, outcome)
}

/// The groups that are meant.
fn names(client: &mut Client, chosen: &ChosenGroups) -> Result<Vec<String>, Failure> {
    if !chosen.all {
        return Ok(chosen.groups.clone());
    }
    let listed = client.list_groups()?.into_iter();
    Ok(listed.map(|group| group.group).collect())
}

/// Whether a list was asked for that has this group in it.
fn is_wanted(group: &ListedGroup, states: &[GroupState], kind: Option<GroupKind>) -> bool {
    let is_in = |state: &GroupState| format!("{state:?}") == group.state;
    let is_of = |kind: GroupKind| format!("{kind:?}").eq_ignore_ascii_case(&group.kind);
    (states.is_empty() || states.iter().any(is_in)) && kind.is_none_or(is_of)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_kinds_are_called_what_kafka_calls_them() {
        let group = ListedGroup {
            group: "g".to_owned(),
            kind: "consumer".to_owned(),
            state: "Reconciling".to_owned(),
            protocol_type: "consumer".to_owned(),
        };
        let consumer = Some(GroupKind::Consumer);
        assert!(is_wanted(&group, &[], None));
        assert!(is_wanted(&group, &[GroupState::Reconciling], consumer));
        assert!(!is_wanted(&group, &[GroupState::Empty], consumer));
        assert!(!is_wanted(&group, &[], Some(GroupKind::Classic)));
    }
}
