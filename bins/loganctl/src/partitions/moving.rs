//! `loganctl partitions move`: to other nodes (with Logan: other shards), to other directories, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use client::{Client, ClientError};
use command_line::{Failure, Output};
use types::{NodeId, PartitionIndex};

use super::list::{self, PlaceRow, Wanted};
use crate::chosen::chosen_partitions;
use crate::cli::MoveOptions;
use crate::progress::Progress;

/// How often a move is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

pub(super) fn run(
    client: &mut Client,
    options: &MoveOptions,
    output: &Output,
) -> Result<(), Failure> {
    let topic = &options.topic;
    let partitions = chosen_partitions(client, topic, &options.partitions)?;
    match &options.to_directory {
        Some(directory) => to_directory(client, topic, &partitions, directory)?,
        None => reassign(client, options, &partitions)?,
    }
    if !options.no_wait {
        wait(client, options, &partitions)?;
    }
    let rows = list::rows(client, Wanted::Partitions(topic, &partitions))?;
    output.rows(&rows)?;
    if let Some(directory) = &options.to_directory
        && !options.no_wait
    {
        all_arrived(&rows, directory)?;
    }
    list::complete(&rows)
}

/// A move that is over has not always succeeded: the broker may have given it up, or somebody may have taken it back.
fn all_arrived(rows: &[PlaceRow], directory: &str) -> Result<(), Failure> {
    let stayed = rows.iter().filter(|row| !row.is_in(directory));
    let stayed: Vec<_> = stayed.map(PlaceRow::name).collect();
    if stayed.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused {
        problem: format!("not moved to {directory}: {}", stayed.join(", ")),
        advice:
            "the broker's log says why, unless somebody has asked for another directory meanwhile"
                .to_owned(),
    })
}

fn reassign(
    client: &mut Client,
    options: &MoveOptions,
    partitions: &[PartitionIndex],
) -> Result<(), Failure> {
    let target = target(options);
    let nodes = client.cluster().nodes();
    // A broker that does not show its shards as nodes knows them by these ids all the same.
    let may_be = |node: &NodeId| {
        let machine = node.0 % list::SHARD_ID_STRIDE;
        node.0 < 0
            || nodes
                .keys()
                .any(|known| known.0 % list::SHARD_ID_STRIDE == machine)
    };
    if let Some(missing) = target.iter().find(|node| !may_be(node)) {
        let known: Vec<_> = nodes.keys().map(ToString::to_string).collect();
        return Err(Failure::NotFound {
            problem: format!("there is no node {missing}"),
            advice: format!("there are: {}", known.join(", ")),
        });
    }
    if options.cancel {
        return cancel(
            client,
            &options.topic,
            partitions,
            !options.partitions.is_empty(),
        );
    }
    let moves = partitions.iter().map(|it| (*it, Some(target.clone())));
    Ok(client.reassign(&options.topic, &moves.collect())?)
}

/// The replicas that are wanted.
fn target(options: &MoveOptions) -> Vec<NodeId> {
    match options.to_shard {
        // Shard k has this name in every mode.
        Some(shard) => vec![NodeId(-1 - shard)],
        None => options.to.iter().copied().map(NodeId).collect(),
    }
}

/// Takes moves back: all that are under way, unless partitions are named.
fn cancel(
    client: &mut Client,
    topic: &str,
    partitions: &[PartitionIndex],
    are_named: bool,
) -> Result<(), Failure> {
    let under_way = client.list_reassignments(Some((topic, partitions)))?;
    let is_moving = |partition: &PartitionIndex| {
        let mut moves = under_way.iter();
        moves.any(|it| it.partition == *partition)
    };
    let moves: BTreeMap<_, _> = partitions
        .iter()
        .filter(|partition| are_named || is_moving(partition))
        .map(|partition| (*partition, None))
        .collect();
    if moves.is_empty() {
        return Ok(());
    }
    Ok(client.reassign(topic, &moves)?)
}

fn to_directory(
    client: &mut Client,
    topic: &str,
    partitions: &[PartitionIndex],
    directory: &str,
) -> Result<(), Failure> {
    for partition in partitions {
        let leader = client.leader(topic, *partition)?;
        client.move_to_log_dir(leader.node, topic, *partition, directory)?;
    }
    Ok(())
}

/// Waits until none of the partitions is on its way any more.
fn wait(
    client: &mut Client,
    options: &MoveOptions,
    partitions: &[PartitionIndex],
) -> Result<(), Failure> {
    let total = u64::try_from(partitions.len()).unwrap_or(u64::MAX);
    let mut progress = Progress::of_items("partitions", Some(total));
    let deadline = Instant::now() + client.config().retry.total_max;
    loop {
        let under_way = under_way(client, options, partitions)?;
        progress.done(total.saturating_sub(under_way));
        if under_way == 0 {
            progress.finish();
            return Ok(());
        }
        if Instant::now() >= deadline {
            progress.finish();
            return Err(Failure::Refused {
                problem: format!("{under_way} partitions are still being moved"),
                advice: "`loganctl partitions list --moving` shows them; --timeout waits longer"
                    .to_owned(),
            });
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// How many of the partitions are being moved.
fn under_way(
    client: &mut Client,
    options: &MoveOptions,
    partitions: &[PartitionIndex],
) -> Result<u64, ClientError> {
    let topic = &options.topic;
    let moving = if options.to_directory.is_some() {
        let nodes: Vec<_> = client.cluster().nodes().keys().copied().collect();
        // Shards of one process may each tell the same.
        let mut moving = BTreeSet::new();
        for node in nodes {
            let directories = client.describe_log_dirs(node)?;
            let replicas = directories.iter().flat_map(|it| &it.replicas);
            let is_wanted = replicas.filter(|it| {
                it.is_future && it.topic == *topic && partitions.contains(&it.partition)
            });
            moving.extend(is_wanted.map(|replica| replica.partition));
        }
        moving.len()
    } else {
        client.list_reassignments(Some((topic, partitions)))?.len()
    };
    Ok(u64::try_from(moving).unwrap_or(u64::MAX))
}
