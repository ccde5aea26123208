//! Groups by their partitions, with lag, or by their members; once, or again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::{Client, CommittedOffsets, GroupDescription, GroupMember, OffsetSpec};
use command_line::{Column, Failure, Output, Tabular, or_dash};
use serde::Serialize;
use types::PartitionIndex;

/// A partition that a group has, or has committed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PartitionRow {
    group: String,
    topic: String,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    lag: Option<i64>,
    /// How the lag has changed since the last look; none at the first.
    lag_change: Option<i64>,
    member: Option<String>,
    client: Option<String>,
    host: Option<String>,
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
    partitions: usize,
}

/// A partition with its topic.
type Place = (String, PartitionIndex);

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
        }));
    }
    Ok(rows)
}

/// The partitions of groups.
pub(super) fn partitions(
    client: &mut Client,
    groups: &[String],
) -> Result<Vec<PartitionRow>, Failure> {
    let mut rows = Vec::new();
    for group in groups {
        let described = client.describe_group(group)?;
        let committed = client.committed_offsets(group)?;
        rows.extend(rows_of(client, &described, &committed)?);
    }
    Ok(rows)
}

fn rows_of(
    client: &mut Client,
    described: &GroupDescription,
    committed: &CommittedOffsets,
) -> Result<Vec<PartitionRow>, Failure> {
    let owners = owners(&described.members);
    let places: BTreeSet<&Place> = owners.keys().chain(committed.keys()).collect();
    let mut by_topic: BTreeMap<&str, Vec<PartitionIndex>> = BTreeMap::new();
    for (topic, partition) in places {
        by_topic.entry(topic).or_default().push(*partition);
    }
    let mut rows = Vec::new();
    for (topic, partitions) in by_topic {
        let ends = client.list_offsets(topic, &partitions, OffsetSpec::Latest)?;
        for partition in partitions {
            let place = (topic.to_owned(), partition);
            let owner = owners.get(&place);
            let committed = committed.get(&place).map(|it| it.offset.0);
            let end = ends.get(&partition).and_then(|it| it.offset);
            let end = end.map(|offset| offset.0);
            rows.push(PartitionRow {
                group: described.group.clone(),
                topic: topic.to_owned(),
                partition: partition.0,
                committed,
                end,
                lag: end.zip(committed).map(|(end, committed)| end - committed),
                lag_change: None,
                member: owner.map(|it| it.id.clone()),
                client: owner.map(|it| it.client.clone()),
                host: owner.map(|it| it.host.clone()),
            });
        }
    }
    Ok(rows)
}

/// Who has which partition.
fn owners(members: &[GroupMember]) -> BTreeMap<Place, &GroupMember> {
    let mut owners = BTreeMap::new();
    for member in members {
        for (topic, partitions) in &member.partitions {
            let places = partitions.iter().map(|it| (topic.clone(), *it));
            owners.extend(places.map(|place| (place, member)));
        }
    }
    owners
}

/// Shows the partitions again and again, until nobody reads any more.
pub(super) fn watch(
    client: &mut Client,
    groups: &[String],
    pause: Duration,
    output: &Output,
) -> Result<(), Failure> {
    let mut before: BTreeMap<(String, String, i32), i64> = BTreeMap::new();
    loop {
        let mut rows = partitions(client, groups)?;
        for row in &mut rows {
            let key = (row.group.clone(), row.topic.clone(), row.partition);
            let known = before.get(&key);
            row.lag_change = row.lag.zip(known).map(|(lag, known)| lag - known);
            if let Some(lag) = row.lag {
                before.insert(key, lag);
            }
        }
        output.rows(&rows)?;
        output.write("\n")?;
        std::thread::sleep(pause);
    }
}

impl Tabular for PartitionRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("COMMITTED"),
        Column::Number("END"),
        Column::Number("LAG"),
        Column::Number("CHANGE"),
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
            or_dash(self.lag_change.map(|change| format!("{change:+}"))),
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
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.group.clone(),
            self.state.clone(),
            self.assignor.clone(),
            self.member.clone(),
            or_dash(self.instance.as_deref()),
            self.client.clone(),
            self.host.clone(),
            self.partitions.to_string(),
        ]
    }
}
