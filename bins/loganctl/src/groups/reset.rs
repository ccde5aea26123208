//! `loganctl groups reset-offsets`: what groups go on from.

use std::collections::BTreeMap;

use client::{Client, CommittedOffsets, OffsetSpec, TopicPartition};
use command_line::{Column, Failure, Output, Tabular, or_dash};
use serde::Serialize;
use types::{Offset, PartitionIndex};

use super::names;
use super::plan::{self, Plan};
use crate::chosen::{chosen_partitions, now};
use crate::cli::ResetOptions;

/// A partition with where the group was and where it goes on.
#[derive(Debug, Serialize)]
struct ResetRow {
    group: String,
    topic: String,
    partition: i32,
    before: Option<i64>,
    after: i64,
}

/// Partitions by their topics.
type Places = BTreeMap<String, Vec<PartitionIndex>>;

pub(super) fn run(
    client: &mut Client,
    options: &ResetOptions,
    output: &Output,
) -> Result<(), Failure> {
    let groups = names(client, &options.chosen)?;
    let plan = match &options.from_file {
        Some(path) => Some(plan::read(path, &groups)?),
        None => None,
    };
    let mut rows = Vec::new();
    let outcome = output.for_each(&groups, |group| {
        rows.extend(reset(client, options, plan.as_ref(), group)?);
        Ok(())
    });
    if options.export {
        let is_one = groups.len() == 1;
        let lines: String = rows.iter().map(|row| row.exported(is_one)).collect();
        output.write(&lines)?;
    } else {
        output.rows(&rows)?;
    }
    outcome
}

/// Moves one group, if that is wanted; where it goes on.
fn reset(
    client: &mut Client,
    options: &ResetOptions,
    plan: Option<&Plan>,
    group: &str,
) -> Result<Vec<ResetRow>, Failure> {
    let committed = client.committed_offsets(group)?;
    let planned = plan.map(|plan| plan.get(group).cloned().unwrap_or_default());
    let places = match &planned {
        Some(planned) => places_of(client, planned.keys())?,
        None => places(client, options, group, &committed)?,
    };
    let mut offsets = BTreeMap::new();
    for (topic, partitions) in &places {
        let wanted = Wanted {
            options,
            committed: &committed,
            planned: planned.as_ref(),
            group,
        };
        offsets.extend(wanted.targets(client, topic, partitions)?);
    }
    if !options.dry_run && !options.export {
        client.commit_offsets(group, &offsets)?;
    }
    let row = |((topic, partition), offset): (TopicPartition, Offset)| ResetRow {
        group: group.to_owned(),
        before: before(&committed, &topic, partition),
        topic,
        partition: partition.0,
        after: offset.0,
    };
    Ok(offsets.into_iter().map(row).collect())
}

/// The partitions that are named, or else those that the group has committed.
fn places(
    client: &mut Client,
    options: &ResetOptions,
    group: &str,
    committed: &CommittedOffsets,
) -> Result<Places, Failure> {
    if options.topic.is_empty() {
        if committed.is_empty() {
            return Err(Failure::NotFound {
                problem: format!("group {group} has committed nothing"),
                advice: "--topic says where it is to begin".to_owned(),
            });
        }
        return places_of(client, committed.keys());
    }
    let mut places = Places::new();
    for asked in &options.topic {
        let chosen = chosen_partitions(client, &asked.topic, &asked.partitions)?;
        places
            .entry(asked.topic.clone())
            .or_default()
            .extend(chosen);
    }
    Ok(places)
}

/// Partitions by their topics, all of which have to exist.
fn places_of<'a>(
    client: &mut Client,
    partitions: impl Iterator<Item = &'a TopicPartition>,
) -> Result<Places, Failure> {
    let mut asked: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        asked.entry(topic).or_default().push(partition.0);
    }
    let mut places = Places::new();
    for (topic, partitions) in asked {
        let chosen = chosen_partitions(client, topic, &partitions)?;
        places.insert(topic.to_owned(), chosen);
    }
    Ok(places)
}

fn before(committed: &CommittedOffsets, topic: &str, partition: PartitionIndex) -> Option<i64> {
    let key = (topic.to_owned(), partition);
    committed.get(&key).map(|it| it.offset.0)
}

/// What was asked for, for one group.
struct Wanted<'a> {
    options: &'a ResetOptions,
    committed: &'a CommittedOffsets,
    planned: Option<&'a BTreeMap<TopicPartition, Offset>>,
    group: &'a str,
}

impl Wanted<'_> {
    /// Where each partition of a topic goes on, within what it holds.
    fn targets(
        &self,
        client: &mut Client,
        topic: &str,
        partitions: &[PartitionIndex],
    ) -> Result<BTreeMap<TopicPartition, Offset>, Failure> {
        let mut look = |spec| -> Result<BTreeMap<PartitionIndex, Offset>, Failure> {
            let listed = client.list_offsets(topic, partitions, spec)?;
            let found = listed.into_iter();
            Ok(found
                .filter_map(|(partition, it)| Some((partition, it.offset?)))
                .collect())
        };
        let starts = look(OffsetSpec::Earliest)?;
        let ends = look(OffsetSpec::Latest)?;
        let timed = match self.options.to_time {
            Some(time) => look(OffsetSpec::AtOrAfter(time.at(now())))?,
            None => BTreeMap::new(),
        };
        let mut targets = BTreeMap::new();
        for partition in partitions {
            let (Some(start), Some(end)) = (starts.get(partition), ends.get(partition)) else {
                continue;
            };
            let range = (start.0, end.0);
            let target = self.target(topic, *partition, range, timed.get(partition))?;
            let target = Offset(target.clamp(start.0, end.0.max(start.0)));
            targets.insert((topic.to_owned(), *partition), target);
        }
        Ok(targets)
    }

    /// Where a partition goes on, if that lies within it.
    fn target(
        &self,
        topic: &str,
        partition: PartitionIndex,
        (start, end): (i64, i64),
        timed: Option<&Offset>,
    ) -> Result<i64, Failure> {
        let place = (topic.to_owned(), partition);
        let before = before(self.committed, topic, partition);
        if let Some(planned) = self.planned.and_then(|it| it.get(&place)) {
            return Ok(planned.0);
        }
        let options = self.options;
        if let Some(shift) = options.shift_by {
            let before = before.ok_or_else(|| {
                let group = self.group;
                Failure::usage(
                    format!("group {group} has committed nothing for {topic}-{partition}"),
                    "there is nothing to shift from: name the partitions that are meant, or use another target",
                )
            })?;
            return Ok(before.saturating_add(shift));
        }
        Ok(match options.to_offset {
            Some(offset) => offset,
            None if options.to_earliest => start,
            None if options.to_latest => end,
            None if options.to_current => before.unwrap_or(end),
            // No record is that young: what comes from now on.
            None => timed.map_or(end, |offset| offset.0),
        })
    }
}

impl ResetRow {
    /// The line of Kafka's tool; without the group where there is one only.
    fn exported(&self, is_only_group: bool) -> String {
        let Self {
            group,
            topic,
            partition,
            after,
            ..
        } = self;
        match is_only_group {
            true => format!("{topic},{partition},{after}\n"),
            false => format!("{group},{topic},{partition},{after}\n"),
        }
    }
}

impl Tabular for ResetRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("BEFORE"),
        Column::Number("AFTER"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.group.clone(),
            self.topic.clone(),
            self.partition.to_string(),
            or_dash(self.before),
            self.after.to_string(),
        ]
    }
}
