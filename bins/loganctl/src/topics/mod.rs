//! `loganctl topics`.

mod change;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use client::{
    Client, ConfigDetail, ConfigEntry, ConfigResource, ConfigSource, NewTopic, TopicDescription,
};
use command_line::{Column, Failure, Output, OutputFormat, Tabular, or_dash};
use serde::Serialize;
use types::{ErrorCode, NodeId};

use crate::cli::{Assignment, CreateOptions, TopicsCommand};
use crate::offsets::{self, Extents};

/// A line of `topics list` and `topics create`.
#[derive(Debug, Serialize)]
struct TopicRow {
    name: String,
    partitions: Option<usize>,
    replication_factor: Option<usize>,
    id: Option<String>,
}

/// What `topics describe` shows.
#[derive(Debug, Serialize)]
struct TopicDetails {
    name: String,
    id: Option<String>,
    internal: bool,
    partitions: Vec<PartitionRow>,
    configs: Vec<ConfigRow>,
}

#[derive(Debug, Serialize)]
struct PartitionRow {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
    offline: Vec<i32>,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
    /// Why its offsets are not known.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct ConfigRow {
    name: String,
    value: Option<String>,
    set_on_topic: bool,
}

pub(crate) fn run(
    mut client: Client,
    command: &TopicsCommand,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        TopicsCommand::Create(options) => create(&mut client, options, output),
        TopicsCommand::List { internal } => list(&mut client, *internal, output),
        TopicsCommand::Describe {
            topics,
            all_configs,
        } => describe(&mut client, topics, *all_configs, output),
        TopicsCommand::Alter(options) => change::alter(&mut client, options, output),
        TopicsCommand::AddPartitions(options) => {
            change::add_partitions(&mut client, options, output)
        }
        TopicsCommand::Delete { topics, if_exists } => {
            delete(&mut client, topics, *if_exists, output)
        }
    }
}

fn create(client: &mut Client, options: &CreateOptions, output: &Output) -> Result<(), Failure> {
    let assignments = in_order(&options.assign, 0)?;
    let mut created = Vec::new();
    let outcome = output.for_each(&options.topics, |name| {
        let topic = NewTopic {
            name: name.to_owned(),
            partitions: options.partitions,
            replication_factor: options.replication_factor,
            configs: options.config.clone(),
            assignments: assignments.clone(),
        };
        match client.create_topic(&topic, options.dry_run) {
            Ok(topic) => created.push(TopicRow {
                partitions: topic.partitions.and_then(|n| usize::try_from(n).ok()),
                replication_factor: topic
                    .replication_factor
                    .and_then(|n| usize::try_from(n).ok()),
                id: topic.id.map(|id| id.to_string()),
                name: topic.name,
            }),
            Err(error)
                if options.if_not_exists && error.code() == Some(ErrorCode::TopicAlreadyExists) => {
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    });
    output.rows(&created)?;
    outcome
}

fn list(client: &mut Client, internal: bool, output: &Output) -> Result<(), Failure> {
    let topics = client.list_topics()?;
    let shown = topics.iter().filter(|topic| internal || !topic.is_internal);
    output.rows(&shown.map(row).collect::<Vec<_>>())
}

fn describe(
    client: &mut Client,
    topics: &[String],
    all_configs: bool,
    output: &Output,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    let outcome = output.for_each(topics, |name| {
        found.push(details(client, name, all_configs)?);
        Ok(())
    });
    match output.format() {
        OutputFormat::Table => {
            let texts: Vec<_> = found.iter().map(|topic| in_words(topic, output)).collect();
            output.write(&texts.join("\n"))?;
        }
        OutputFormat::Json | OutputFormat::Yaml => output.write(&output.structured(&found)?)?,
    }
    let partitions = found.iter().flat_map(|topic| &topic.partitions);
    let problems = partitions.filter_map(|partition| partition.problem.as_deref());
    outcome.and(offsets::complete(problems))
}

fn delete(
    client: &mut Client,
    topics: &[String],
    if_exists: bool,
    output: &Output,
) -> Result<(), Failure> {
    output.for_each(topics, |name| match client.delete_topic(name) {
        Err(error) if if_exists && error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
            Ok(())
        }
        other => other.map_err(Failure::from),
    })
}

/// The nodes of the partitions from `first` on, without gaps.
fn in_order(assignments: &[Assignment], first: i32) -> Result<Vec<Vec<NodeId>>, Failure> {
    let by_partition: BTreeMap<_, _> = assignments
        .iter()
        .map(|assignment| (assignment.partition, &assignment.nodes))
        .collect();
    let is_gapless = by_partition
        .keys()
        .zip(first..)
        .all(|(at, wanted)| *at == wanted);
    if !is_gapless || by_partition.len() != assignments.len() {
        return Err(Failure::usage(
            format!("--assign has to name each partition from {first} on once"),
            format!("such as --assign {first}=1 --assign {}=2", first + 1),
        ));
    }
    Ok(by_partition.into_values().cloned().collect())
}

fn row(topic: &TopicDescription) -> TopicRow {
    let copies = topic
        .partitions
        .values()
        .map(|partition| partition.replicas.len());
    TopicRow {
        name: topic.name.clone(),
        partitions: Some(topic.partitions.len()),
        replication_factor: copies.max(),
        id: (!topic.id.is_zero()).then(|| topic.id.to_string()),
    }
}

fn details(client: &mut Client, name: &str, all_configs: bool) -> Result<TopicDetails, Failure> {
    let topic = client.describe_topic(name)?;
    let extents = offsets::extents(client, &topic);
    let resource = ConfigResource::Topic(name.to_owned());
    let configs = client.describe_configs(&resource, ConfigDetail::Values)?;
    Ok(TopicDetails {
        name: topic.name.clone(),
        id: (!topic.id.is_zero()).then(|| topic.id.to_string()),
        internal: topic.is_internal,
        partitions: partition_rows(&topic, &extents),
        configs: config_rows(configs, all_configs),
    })
}

fn partition_rows(topic: &TopicDescription, extents: &Extents) -> Vec<PartitionRow> {
    let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
    let rows = topic
        .partitions
        .iter()
        .map(|(index, partition)| PartitionRow {
            partition: index.0,
            leader: partition.leader.map(|leader| leader.0),
            leader_epoch: partition.leader_epoch.0,
            replicas: ids(&partition.replicas),
            in_sync: ids(&partition.in_sync),
            offline: ids(&partition.offline),
            start_offset: extents.of(*index).0,
            end_offset: extents.of(*index).1,
            problem: extents.problem(*index).map(str::to_owned),
        });
    rows.collect()
}

/// In the order of their names; Kafka's own order changes from run to run.
fn config_rows(entries: Vec<ConfigEntry>, all: bool) -> Vec<ConfigRow> {
    let shown = entries
        .into_iter()
        .filter(|entry| all || entry.source == ConfigSource::Topic);
    let rows = shown.map(|entry| ConfigRow {
        name: entry.name,
        value: entry.value,
        set_on_topic: entry.source == ConfigSource::Topic,
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    rows
}

/// The details of one topic as text.
fn in_words(topic: &TopicDetails, output: &Output) -> String {
    let mut text = output.heading(&topic.name);
    if let Some(id) = &topic.id {
        write!(text, "  id {id}").expect("text takes text");
    }
    if topic.internal {
        text.push_str("  internal");
    }
    text.push('\n');
    text.push_str(&output.table(&topic.partitions));
    if !topic.configs.is_empty() {
        text.push('\n');
        text.push_str(&output.table(&topic.configs));
    }
    text
}

impl Tabular for TopicRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("NAME"),
        Column::Number("PARTITIONS"),
        Column::Number("REPLICAS"),
        Column::Text("ID"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            or_dash(self.partitions),
            or_dash(self.replication_factor),
            or_dash(self.id.as_deref()),
        ]
    }
}

impl Tabular for PartitionRow {
    const COLUMNS: &'static [Column] = &[
        Column::Number("PARTITION"),
        Column::Number("LEADER"),
        Column::Number("EPOCH"),
        Column::Text("REPLICAS"),
        Column::Text("IN-SYNC"),
        Column::Number("START"),
        Column::Number("END"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.partition.to_string(),
            or_dash(self.leader),
            self.leader_epoch.to_string(),
            joined(&self.replicas),
            joined(&self.in_sync),
            or_dash(self.start_offset),
            or_dash(self.end_offset),
        ]
    }
}

impl Tabular for ConfigRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("CONFIG"),
        Column::Text("VALUE"),
        Column::Text("SET ON TOPIC"),
    ];

    fn cells(&self) -> Vec<String> {
        let is_set = if self.set_on_topic { "yes" } else { "no" };
        vec![
            self.name.clone(),
            or_dash(self.value.as_deref()),
            is_set.to_owned(),
        ]
    }
}

fn joined(nodes: &[i32]) -> String {
    let texts: Vec<_> = nodes.iter().map(ToString::to_string).collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use client::PartitionDescription;
    use types::{LeaderEpoch, PartitionIndex, Uuid};

    use super::*;

    #[test]
    fn a_partition_without_a_leader_shows_dashes() {
        let orphan = PartitionDescription {
            leader: None,
            leader_epoch: LeaderEpoch(3),
            replicas: vec![NodeId(1), NodeId(2)],
            in_sync: vec![],
            offline: vec![NodeId(1)],
        };
        let topic = TopicDescription {
            name: "t".to_owned(),
            id: Uuid::ZERO,
            is_internal: false,
            partitions: BTreeMap::from([(PartitionIndex(0), orphan)]),
        };
        let rows = partition_rows(&topic, &Extents::default());
        assert_eq!(rows[0].cells(), ["0", "-", "3", "1,2", "", "-", "-"]);
        assert_eq!(row(&topic).cells(), ["t", "1", "2", "-"]);
    }

    #[test]
    fn assignments_stand_in_the_order_of_partitions_and_leave_none_out() {
        let assign = |partition| Assignment {
            partition,
            nodes: vec![NodeId(10 + partition)],
        };
        let sorted = in_order(&[assign(3), assign(2)], 2).expect("none is missing");
        assert_eq!(sorted, [[NodeId(12)], [NodeId(13)]]);
        assert!(in_order(&[], 5).is_ok());
        for wrong in [vec![assign(3)], vec![assign(2), assign(2)]] {
            assert!(in_order(&wrong, 2).is_err_and(|failure| failure.code() == 2));
        }
    }

    #[test]
    fn only_what_was_set_on_the_topic_is_shown_unless_all_is() {
        let entry = |name: &str, source| ConfigEntry {
            name: name.to_owned(),
            value: None,
            source,
            is_read_only: false,
            is_sensitive: false,
            synonyms: Vec::new(),
            documentation: None,
        };
        let entries = vec![
            entry("b", ConfigSource::Topic),
            entry("a", ConfigSource::Default),
        ];
        let names = |all| -> Vec<_> {
            config_rows(entries.clone(), all)
                .into_iter()
                .map(|row| row.name)
                .collect()
        };
        assert_eq!(names(false), ["b"]);
        assert_eq!(names(true), ["a", "b"]);
    }
}
