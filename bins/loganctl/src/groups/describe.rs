//! Groups by their partitions, with lag, by their members, or by themselves.

use std::collections::{BTreeMap, BTreeSet};

use client::{Client, CommittedOffsets, GroupDescription, GroupMember, OffsetSpec, TopicPartition};
use command_line::{Column, Failure, Tabular, or_dash};
use serde::Serialize;
use types::PartitionIndex;

use crate::offsets;

/// A partition that a group has, or has committed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PartitionRow {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) committed: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) lag: Option<i64>,
    pub(super) member: Option<String>,
    pub(super) client: Option<String>,
    pub(super) host: Option<String>,
    /// Why its end is not known.
    pub(super) problem: Option<String>,
}

/// A member.
#[derive(Debug, Serialize)]
pub(super) struct MemberRow {
    group: String,
    state: String,
    assignor: String,
    member: String,
    instance: Option<String>,
    client: String,
    host: String,
    /// How many partitions it has.
    partitions: usize,
    /// Which, by topic.
    assignment: BTreeMap<String, Vec<i32>>,
}

/// A group.
#[derive(Debug, Serialize)]
pub(super) struct StateRow {
    group: String,
    kind: &'static str,
    state: String,
    coordinator: i32,
    assignor: String,
    members: usize,
    epoch: Option<i32>,
}

/// The members of groups.
pub(super) fn members(client: &mut Client, groups: &[String]) -> Result<Vec<MemberRow>, Failure> {
    let mut rows = Vec::new();
    for group in groups {
        let described = client.describe_group(group)?;
        rows.extend(described.members.iter().map(|member| MemberRow {
            group: group.clone(),
            state: described.state.clone(),
            assignor: described.assignor.clone(),
            member: member.id.clone(),
            instance: member.instance.clone(),
            client: member.client.clone(),
            host: member.host.clone(),
            partitions: member.partitions.values().map(Vec::len).sum(),
            assignment: numbers(&member.partitions),
        }));
    }
    Ok(rows)
}

/// Partitions as plain numbers.
fn numbers(partitions: &BTreeMap<String, Vec<PartitionIndex>>) -> BTreeMap<String, Vec<i32>> {
    let topics = partitions.iter();
    let numbers = topics.map(|(topic, partitions)| {
        let mut numbers: Vec<_> = partitions.iter().map(|it| it.0).collect();
        numbers.sort_unstable();
        (topic.clone(), numbers)
    });
    numbers.collect()
}

/// Partitions as `--topic` takes them: `flights:0-3,7`.
fn in_short(topic: &str, partitions: &[i32]) -> String {
    let runs = partitions.chunk_by(|one, next| next - one == 1);
    let runs = runs.map(|run| match run {
        [] => String::new(),
        [only] => only.to_string(),
        [first, .., last] => format!("{first}-{last}"),
    });
    format!("{topic}:{}", runs.collect::<Vec<_>>().join(","))
}

/// The groups themselves.
pub(super) fn states(client: &mut Client, groups: &[String]) -> Result<Vec<StateRow>, Failure> {
    let mut rows = Vec::new();
    for group in groups {
        let described = client.describe_group(group)?;
        rows.push(StateRow {
            group: group.clone(),
            kind: described.kind,
            state: described.state,
            coordinator: described.coordinator.0,
            assignor: described.assignor,
            members: described.members.len(),
            epoch: described.epoch,
        });
    }
    Ok(rows)
}

/// The partitions of groups. One whose end nobody tells has a row all the same.
pub(super) fn partitions(
    client: &mut Client,
    groups: &[String],
) -> Result<Vec<PartitionRow>, Failure> {
    let mut rows = Vec::new();
    for group in groups {
        let described = client.describe_group(group)?;
        let committed = client.committed_offsets(group)?;
        rows.extend(rows_of(client, &described, &committed));
    }
    Ok(rows)
}

/// The failure to know the ends of some of them, after they were shown.
pub(super) fn complete(rows: &[PartitionRow]) -> Result<(), Failure> {
    offsets::complete(rows.iter().filter_map(|row| row.problem.as_deref()))
}

fn rows_of(
    client: &mut Client,
    described: &GroupDescription,
    committed: &CommittedOffsets,
) -> Vec<PartitionRow> {
    let owners = owners(&described.members);
    let places: BTreeSet<&TopicPartition> = owners.keys().chain(committed.keys()).collect();
    let mut by_topic: BTreeMap<&str, Vec<PartitionIndex>> = BTreeMap::new();
    for (topic, partition) in places {
        by_topic.entry(topic).or_default().push(*partition);
    }
    let mut rows = Vec::new();
    for (topic, partitions) in by_topic {
        let ends = offsets::positions(client, topic, &partitions, OffsetSpec::Latest);
        for partition in partitions {
            let place = (topic.to_owned(), partition);
            let owner = owners.get(&place);
            let committed = committed.get(&place).map(|it| it.offset.0);
            let end = ends.offsets.get(&partition).copied();
            rows.push(PartitionRow {
                group: described.group.clone(),
                topic: topic.to_owned(),
                partition: partition.0,
                committed,
                end,
                lag: end.zip(committed).map(|(end, committed)| end - committed),
                member: owner.map(|it| it.id.clone()),
                client: owner.map(|it| it.client.clone()),
                host: owner.map(|it| it.host.clone()),
                problem: ends.problems.get(&partition).cloned(),
            });
        }
    }
    rows
}

/// Who has which partition.
fn owners(members: &[GroupMember]) -> BTreeMap<TopicPartition, &GroupMember> {
    let mut owners = BTreeMap::new();
    for member in members {
        for (topic, partitions) in &member.partitions {
            let places = partitions.iter().map(|it| (topic.clone(), *it));
            owners.extend(places.map(|place| (place, member)));
        }
    }
    owners
}

impl Tabular for PartitionRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("COMMITTED"),
        Column::Number("END"),
        Column::Number("LAG"),
        Column::Text("MEMBER"),
        Column::Text("CLIENT"),
        Column::Text("HOST"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.group.clone(),
            self.topic.clone(),
            self.partition.to_string(),
            or_dash(self.committed),
            or_dash(self.end),
            or_dash(self.lag),
            or_dash(self.member.as_deref()),
            or_dash(self.client.as_deref()),
            or_dash(self.host.as_deref()),
        ]
    }
}

impl Tabular for MemberRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("STATE"),
        Column::Text("ASSIGNOR"),
        Column::Text("MEMBER"),
        Column::Text("INSTANCE"),
        Column::Text("CLIENT"),
        Column::Text("HOST"),
        Column::Number("PARTITIONS"),
        Column::Text("ASSIGNMENT"),
    ];

    fn cells(&self) -> Vec<String> {
        let topics = self.assignment.iter();
        let assignment: Vec<_> = topics
            .map(|(topic, partitions)| in_short(topic, partitions))
            .collect();
        vec![
            self.group.clone(),
            self.state.clone(),
            or_dash(Some(&self.assignor).filter(|name| !name.is_empty())),
            self.member.clone(),
            or_dash(self.instance.as_deref()),
            self.client.clone(),
            self.host.clone(),
            self.partitions.to_string(),
            or_dash(Some(assignment.join(" ")).filter(|text| !text.is_empty())),
        ]
    }
}

impl Tabular for StateRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("KIND"),
        Column::Text("STATE"),
        Column::Number("COORDINATOR"),
        Column::Text("ASSIGNOR"),
        Column::Number("MEMBERS"),
        Column::Number("EPOCH"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.group.clone(),
            self.kind.to_owned(),
            self.state.clone(),
            self.coordinator.to_string(),
            or_dash(Some(&self.assignor).filter(|name| !name.is_empty())),
            self.members.to_string(),
            or_dash(self.epoch),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_in_a_row_are_written_as_a_span() {
        assert_eq!(in_short("t", &[0, 1, 2, 4, 6, 7]), "t:0-2,4,6-7");
        assert_eq!(in_short("t", &[5]), "t:5");
    }
}
