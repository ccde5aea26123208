//! `loganctl groups reset-offsets`: what a group goes on from.

use std::collections::{BTreeMap, BTreeSet};

use client::{Client, CommittedOffsets, OffsetSpec};
use command_line::{Column, Failure, Output, Tabular, or_dash};
use serde::Serialize;
use types::{Offset, PartitionIndex};

use crate::chosen::{chosen_partitions, now};
use crate::cli::ResetOptions;

/// A partition with where the group was and where it goes on.
#[derive(Debug, Serialize)]
struct ResetRow {
    group: String,
    topic: String,
    partition: i32,
    before: Option<i64>,
    committed: i64,
}

pub(super) fn run(
    client: &mut Client,
    options: &ResetOptions,
    output: &Output,
) -> Result<(), Failure> {
    let committed = client.committed_offsets(&options.group)?;
    let topics: BTreeSet<String> = if options.topic.is_empty() {
        committed.keys().map(|(topic, _)| topic.clone()).collect()
    } else {
        options.topic.iter().cloned().collect()
    };
    let mut rows = Vec::new();
    for topic in &topics {
        let offsets = targets(client, options, topic, &committed)?;
        if !options.dry_run {
            client.commit_offsets(&options.group, topic, &offsets)?;
        }
        rows.extend(offsets.iter().map(|(partition, offset)| ResetRow {
            group: options.group.clone(),
            topic: topic.clone(),
            partition: partition.0,
            before: before(&committed, topic, *partition),
            committed: offset.0,
        }));
    }
    output.rows(&rows)
}

fn before(committed: &CommittedOffsets, topic: &str, partition: PartitionIndex) -> Option<i64> {
    let key = (topic.to_owned(), partition);
    committed.get(&key).map(|it| it.offset.0)
}

/// Where each partition of a topic goes on, within what it holds.
fn targets(
    client: &mut Client,
    options: &ResetOptions,
    topic: &str,
    committed: &CommittedOffsets,
) -> Result<BTreeMap<PartitionIndex, Offset>, Failure> {
    let partitions = chosen_partitions(client, topic, &options.partition)?;
    let mut look = |spec| -> Result<BTreeMap<PartitionIndex, Offset>, Failure> {
        let listed = client.list_offsets(topic, &partitions, spec)?;
        let found = listed.into_iter();
        Ok(found
            .filter_map(|(partition, it)| Some((partition, it.offset?)))
            .collect())
    };
    let starts = look(OffsetSpec::Earliest)?;
    let ends = look(OffsetSpec::Latest)?;
    let wanted = match options.to_time {
        Some(time) => look(OffsetSpec::AtOrAfter(time.at(now())))?,
        None => BTreeMap::new(),
    };
    let target = |partition: &PartitionIndex| {
        let (start, end) = (starts.get(partition)?.0, ends.get(partition)?.0);
        let wanted = if options.to_earliest {
            start
        } else if options.to_latest {
            end
        } else if let Some(offset) = options.to_offset {
            offset
        } else if let Some(shift) = options.shift_by {
            // Nothing to shift from where nothing was committed.
            before(committed, topic, *partition)?.saturating_add(shift)
        } else {
            // No record is that young: what comes from now on.
            wanted.get(partition).map_or(end, |offset| offset.0)
        };
        Some((*partition, Offset(wanted.clamp(start, end.max(start)))))
    };
    Ok(partitions.iter().filter_map(target).collect())
}

impl Tabular for ResetRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("BEFORE"),
        Column::Number("COMMITTED"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.group.clone(),
            self.topic.clone(),
            self.partition.to_string(),
            or_dash(self.before),
            self.committed.to_string(),
        ]
    }
}
