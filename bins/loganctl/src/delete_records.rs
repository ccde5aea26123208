//! `loganctl records delete`: partitions begin later from now on.

use std::collections::BTreeMap;

use client::{Client, OffsetSpec};
use serde::Serialize;
use types::{Offset, PartitionIndex};

use crate::chosen::{chosen_partitions, now};
use crate::cli::{DeleteRecordsOptions, RecordsCommand};
use crate::failure::Failure;
use crate::output::{Column, Output, Tabular};

/// Where a partition begins from now on.
#[derive(Debug, Serialize)]
struct DeletedRow {
    topic: String,
    partition: i32,
    start_offset: i64,
}

/// The offset before which records go; `None` for all of them.
type Bounds = BTreeMap<PartitionIndex, Option<Offset>>;

pub(crate) fn run(
    mut client: Client,
    command: &RecordsCommand,
    output: &Output,
) -> Result<(), Failure> {
    let RecordsCommand::Delete(options) = command;
    let topic = &options.topic;
    let partitions = chosen_partitions(&mut client, topic, &options.partitions)?;
    let bounds = bounds(&mut client, options, &partitions)?;
    let deleted = client.delete_records(topic, &bounds)?;
    let mut rows = Vec::new();
    let mut outcome = Ok(());
    for (partition, begin) in deleted {
        match begin {
            Ok(begin) => rows.push(DeletedRow {
                topic: topic.clone(),
                partition: partition.0,
                start_offset: begin.0,
            }),
            Err(error) => outcome = outcome.and(Err(output.reported(&error.into()))),
        }
    }
    output.rows(&rows)?;
    outcome
}

fn bounds(
    client: &mut Client,
    options: &DeleteRecordsOptions,
    partitions: &[PartitionIndex],
) -> Result<Bounds, Failure> {
    let mut lookup = |spec| client.list_offsets(&options.topic, partitions, spec);
    match (options.before_offset, options.before_time) {
        (Some(offset @ 0..), _) => {
            let every = partitions.iter().copied();
            Ok(every.map(|it| (it, Some(Offset(offset)))).collect())
        }
        (Some(behind), _) => {
            let first = lookup(OffsetSpec::Earliest)?;
            let end = lookup(OffsetSpec::Latest)?;
            let bound = |partition| {
                let first = first.get(partition)?.offset?;
                let end = end.get(partition)?.offset?;
                Some(Offset(end.0.saturating_add(behind)).max(first))
            };
            let every = partitions.iter();
            Ok(every.map(|it| (*it, bound(it))).collect())
        }
        (None, Some(moment)) => {
            let found = lookup(OffsetSpec::AtOrAfter(moment.at(now())))?;
            // Where nothing is that young, all goes.
            Ok(found.into_iter().map(|(it, at)| (it, at.offset)).collect())
        }
        (None, None) => Ok(partitions.iter().map(|it| (*it, None)).collect()),
    }
}

impl Tabular for DeletedRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("START"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            self.start_offset.to_string(),
        ]
    }
}
