//! One row for each partition: node and shard, directory and size, offsets.
//!
//! Put together from metadata, offsets, log directories and moves. A broker that does not offer the last two still has
//! its partitions listed, with dashes for what it does not tell.

use std::collections::BTreeMap;
use std::path::Path;

use client::{Client, ClientError, Cluster, LogDirReplica, PartitionDescription, TopicDescription};
use command_line::{Column, Failure, Tabular, or_dash};
use serde::Serialize;
use types::{NodeId, PartitionIndex};

use crate::offsets;

/// Logan shows the shards of a process as nodes whose ids lie this far apart (`docs/adr/0006`).
pub(super) const SHARD_ID_STRIDE: i32 = 100_000;

/// What `partitions list` shows.
#[derive(Debug, Serialize)]
pub(super) struct PlaceRow {
    topic: String,
    partition: i32,
    leader: Option<i32>,
    shard: Option<i32>,
    replicas: Vec<i32>,
    /// Nodes that get a copy.
    moving_to: Vec<i32>,
    directory: Option<String>,
    /// The directory that holds the partition when a move is done.
    future_directory: Option<String>,
    size_bytes: Option<u64>,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
    /// Why its offsets are not known.
    problem: Option<String>,
}

/// A copy and the directory that it lies in.
#[derive(Clone, Debug)]
struct Copy {
    node: NodeId,
    directory: String,
    replica: LogDirReplica,
}

/// The copies of each partition, by topic and index.
type Copies = BTreeMap<(String, PartitionIndex), Vec<Copy>>;

/// The nodes that partitions are moved to.
type Moves = BTreeMap<(String, PartitionIndex), Vec<NodeId>>;

/// Which partitions are shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    /// Those of these topics, or of all, perhaps with the internal ones.
    Topics {
        topics: &'a [String],
        internal: bool,
    },
    /// These of a topic.
    Partitions(&'a str, &'a [PartitionIndex]),
}

/// What is known of partitions. One that its leader cannot use has a row all the same.
pub(super) fn rows(client: &mut Client, wanted: Wanted<'_>) -> Result<Vec<PlaceRow>, Failure> {
    let mut described = match wanted {
        Wanted::Topics {
            topics: [],
            internal,
        } => {
            let all = client.list_topics()?.into_iter();
            all.filter(|topic| internal || !topic.is_internal).collect()
        }
        Wanted::Topics { topics, .. } => {
            let found = topics.iter().map(|topic| client.describe_topic(topic));
            found.collect::<Result<Vec<_>, _>>()?
        }
        Wanted::Partitions(topic, _) => vec![client.describe_topic(topic)?],
    };
    if let Wanted::Partitions(_, partitions) = wanted {
        for topic in &mut described {
            topic
                .partitions
                .retain(|index, _| partitions.contains(index));
        }
    }
    let copies = copies(client)?;
    let moves = moves(client)?;
    let mut rows = Vec::new();
    for topic in &described {
        rows.extend(rows_of(client, topic, &copies, &moves));
    }
    Ok(rows)
}

fn rows_of(
    client: &mut Client,
    topic: &TopicDescription,
    copies: &Copies,
    moves: &Moves,
) -> Vec<PlaceRow> {
    let extents = offsets::extents(client, topic);
    let cluster = client.cluster();
    let row = |(index, partition): (&PartitionIndex, &PartitionDescription)| {
        let key = (topic.name.clone(), *index);
        let copies = copies.get(&key).map_or(&[][..], Vec::as_slice);
        let (present, future) = places(copies, partition.leader);
        PlaceRow {
            topic: topic.name.clone(),
            partition: index.0,
            leader: partition.leader.map(|node| node.0),
            shard: partition.leader.and_then(|node| shard_of(cluster, node)),
            replicas: partition.replicas.iter().map(|node| node.0).collect(),
            moving_to: moves
                .get(&key)
                .map(|nodes| nodes.iter().map(|node| node.0).collect())
                .unwrap_or_default(),
            directory: present.map(|copy| copy.directory.clone()),
            future_directory: future.map(|copy| copy.directory.clone()),
            size_bytes: present.map(|copy| copy.replica.size_bytes),
            start_offset: extents.of(*index).0,
            end_offset: extents.of(*index).1,
            problem: extents.problem(*index).map(str::to_owned),
        }
    };
    topic.partitions.iter().map(row).collect()
}

/// Where the leader's copy lies, and where it is going to lie. Where no leader tells, any copy does.
fn places(copies: &[Copy], leader: Option<NodeId>) -> (Option<&Copy>, Option<&Copy>) {
    let best = |is_future: bool| {
        let candidates = || {
            copies
                .iter()
                .filter(move |copy| copy.replica.is_future == is_future)
        };
        let of_leader = candidates().find(|copy| Some(copy.node) == leader);
        of_leader.or_else(|| candidates().next())
    };
    (best(false), best(true))
}

/// Asks every node for its directories.
fn copies(client: &mut Client) -> Result<Copies, ClientError> {
    let mut copies = Copies::new();
    let nodes: Vec<_> = client.cluster().nodes().keys().copied().collect();
    for node in nodes {
        let Some(directories) = offered(client.describe_log_dirs(node))? else {
            continue;
        };
        for directory in directories {
            for replica in directory.replicas {
                let key = (replica.topic.clone(), replica.partition);
                copies.entry(key).or_default().push(Copy {
                    node,
                    directory: directory.path.clone(),
                    replica,
                });
            }
        }
    }
    Ok(copies)
}

fn moves(client: &mut Client) -> Result<Moves, ClientError> {
    let moves = offered(client.list_reassignments(None))?.unwrap_or_default();
    let target = |it: client::Reassignment| ((it.topic, it.partition), it.adding);
    Ok(moves.into_iter().map(target).collect())
}

/// `None` where the broker does not offer the API.
fn offered<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(ClientError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The shard that a node of a Logan process is; `None` where nodes are machines.
fn shard_of(cluster: &Cluster, node: NodeId) -> Option<i32> {
    let has_sibling = cluster
        .nodes()
        .keys()
        .any(|other| *other != node && other.0 % SHARD_ID_STRIDE == node.0 % SHARD_ID_STRIDE);
    has_sibling.then_some(node.0 / SHARD_ID_STRIDE)
}

/// The failure to know the offsets of some of them, after they were shown.
pub(super) fn complete(rows: &[PlaceRow]) -> Result<(), Failure> {
    offsets::complete(rows.iter().filter_map(|row| row.problem.as_deref()))
}

impl PlaceRow {
    /// As messages call it.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// Whether its leader has it in this log directory.
    pub(super) fn is_in(&self, directory: &str) -> bool {
        let place = self.directory.as_deref();
        place.is_some_and(|place| Path::new(place) == Path::new(directory))
    }

    /// Whether it is on its way to another node or directory.
    pub(super) fn is_moving(&self) -> bool {
        !self.moving_to.is_empty() || self.future_directory.is_some()
    }
}

impl Tabular for PlaceRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("NODE"),
        Column::Number("SHARD"),
        Column::Text("REPLICAS"),
        Column::Text("MOVING TO"),
        Column::Number("BYTES"),
        Column::Number("START"),
        Column::Number("END"),
        Column::Text("DIRECTORY"),
    ];

    fn cells(&self) -> Vec<String> {
        let joined = |nodes: &[i32]| {
            let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
            nodes.join(",")
        };
        let target = match &self.future_directory {
            Some(directory) => directory.clone(),
            None if self.moving_to.is_empty() => "-".to_owned(),
            None => joined(&self.moving_to),
        };
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            or_dash(self.leader),
            or_dash(self.shard),
            joined(&self.replicas),
            target,
            or_dash(self.size_bytes),
            or_dash(self.start_offset),
            or_dash(self.end_offset),
            or_dash(self.directory.as_deref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(node: i32, directory: &str, is_future: bool) -> Copy {
        Copy {
            node: NodeId(node),
            directory: directory.to_owned(),
            replica: LogDirReplica {
                topic: "t".to_owned(),
                partition: PartitionIndex(0),
                size_bytes: 1,
                offset_lag: 0,
                is_future,
            },
        }
    }

    #[test]
    fn the_leaders_copy_counts_and_the_future_one_is_apart() {
        let copies = [
            copy(1, "/a", false),
            copy(2, "/b", false),
            copy(2, "/c", true),
        ];
        let shown = |leader| {
            let (present, future) = places(&copies, leader);
            let path = |copy: Option<&Copy>| copy.map(|copy| copy.directory.clone());
            (path(present), path(future))
        };
        let some = |path: &str| Some(path.to_owned());
        assert_eq!(shown(Some(NodeId(2))), (some("/b"), some("/c")));
        assert_eq!(shown(Some(NodeId(1))), (some("/a"), some("/c")));
        assert_eq!(shown(None), (some("/a"), some("/c")));
        assert!(places(&[], None).0.is_none());
    }
}
