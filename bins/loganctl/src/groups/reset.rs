//! `loganctl groups reset-offsets`: what groups go on from.

use std::collections::{BTreeMap, BTreeSet};

use client::{Client, CommittedOffsets, OffsetSpec, TopicPartition};
use command_line::{Column, Failure, Output, Tabular, or_dash};
use serde::Serialize;
use types::{Offset, PartitionIndex};

use super::names;
use super::plan::{self, Plan};
use crate::chosen::{chosen_partitions, now};
use crate::cli::ResetOptions;
use crate::offsets::{self, Positions};

/// A partition with where the group was and where it goes on.
#[derive(Debug, Serialize)]
struct ResetRow {
    group: String,
    topic: String,
    partition: i32,
    before: Option<i64>,
    /// None where nobody tells what the partition holds: the group stays where it was.
    after: Option<i64>,
    /// Why not.
    problem: Option<String>,
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
        rows.extend(reset(client, options, plan.as_ref(), group, output)?);
        Ok(())
    });
    if options.export {
        let is_one = groups.len() == 1;
        let lines: String = rows.iter().filter_map(|row| row.exported(is_one)).collect();
        output.write(&lines)?;
    } else {
        output.rows(&rows)?;
    }
    let complete = offsets::complete(rows.iter().filter_map(|row| row.problem.as_deref()));
    outcome.and(complete.map_err(|failure| output.reported(&failure)))
}

/// Moves one group, if that is wanted; where it goes on.
fn reset(
    client: &mut Client,
    options: &ResetOptions,
    plan: Option<&Plan>,
    group: &str,
    output: &Output,
) -> Result<Vec<ResetRow>, Failure> {
    let committed = client.committed_offsets(group)?;
    let planned = plan.map(|plan| plan.get(group).cloned().unwrap_or_default());
    let places = match &planned {
        Some(planned) => places_of(client, planned.keys())?,
        None => places(client, options, group, &committed)?,
    };
    let mut offsets = BTreeMap::new();
    let mut problems = BTreeMap::new();
    let mut outside = Vec::new();
    for (topic, partitions) in &places {
        let wanted = Wanted {
            options,
            committed: &committed,
            planned: planned.as_ref(),
            group,
        };
        let held = Held::of(client, topic, partitions, options);
        for (partition, target) in wanted.targets(topic, &held)? {
            if target.is_elsewhere() {
                outside.push((topic.as_str(), partition, target));
            }
            offsets.insert((topic.clone(), partition), target.nearest);
        }
        let unknown = held.problems.into_iter();
        problems.extend(unknown.map(|(partition, it)| ((topic.clone(), partition), it)));
    }
    if options.dry_run || options.export {
        let described = client.describe_group(group);
        if described.is_ok_and(|it| !it.members.is_empty()) {
            output.note(&format!(
                "group {group} has members: its offsets can be moved when they are stopped"
            ));
        }
    } else if !offsets.is_empty() {
        client.commit_offsets(group, &offsets)?;
    }
    if let Some(note) = not_held(&outside) {
        output.note(&note);
    }
    let row = |place: &TopicPartition| ResetRow {
        group: group.to_owned(),
        topic: place.0.clone(),
        partition: place.1.0,
        before: committed.get(place).map(|it| it.offset.0),
        after: offsets.get(place).map(|offset| offset.0),
        problem: problems.get(place).cloned(),
    };
    let all: BTreeSet<_> = offsets.keys().chain(problems.keys()).collect();
    Ok(all.into_iter().map(row).collect())
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

/// What the partitions of a topic hold.
#[derive(Default)]
struct Held {
    /// The first offset and the end.
    ranges: BTreeMap<PartitionIndex, (i64, i64)>,
    /// The first record of the time that was asked for, where there is one.
    timed: BTreeMap<PartitionIndex, i64>,
    /// Why nothing is known of the others.
    problems: BTreeMap<PartitionIndex, String>,
}

impl Held {
    /// Asks the leaders. One that has failed is not asked again: it would fail again, perhaps after a long time.
    fn of(
        client: &mut Client,
        topic: &str,
        partitions: &[PartitionIndex],
        options: &ResetOptions,
    ) -> Self {
        let mut held = Self::default();
        let starts = held.look(client, topic, partitions, OffsetSpec::Earliest);
        let ends = held.look(client, topic, partitions, OffsetSpec::Latest);
        if let Some(time) = options.to_time {
            let spec = OffsetSpec::AtOrAfter(time.at(now()));
            held.timed = held.look(client, topic, partitions, spec);
        }
        let both = starts
            .into_iter()
            .filter_map(|(partition, start)| Some((partition, (start, *ends.get(&partition)?))));
        held.ranges = both.collect();
        held.ranges
            .retain(|partition, _| !held.problems.contains_key(partition));
        held
    }

    fn look(
        &mut self,
        client: &mut Client,
        topic: &str,
        partitions: &[PartitionIndex],
        spec: OffsetSpec,
    ) -> BTreeMap<PartitionIndex, i64> {
        let is_known = |index: &PartitionIndex| !self.problems.contains_key(index);
        let asked: Vec<_> = partitions.iter().copied().filter(is_known).collect();
        let Positions { offsets, problems } = offsets::positions(client, topic, &asked, spec);
        self.problems.extend(problems);
        offsets
    }
}

/// Where a partition goes on.
#[derive(Clone, Copy, Debug)]
struct Target {
    /// What was asked for.
    asked: i64,
    /// What the partition holds that is nearest to it.
    nearest: Offset,
}

impl Target {
    fn is_elsewhere(self) -> bool {
        self.nearest != Offset(self.asked)
    }
}

/// What there is to say where partitions do not go on from what was asked for: one of them stands for all.
fn not_held(outside: &[(&str, PartitionIndex, Target)]) -> Option<String> {
    let ((topic, partition, target), others) = outside.split_first()?;
    let (asked, nearest) = (target.asked, target.nearest.0);
    let one = format!(
        "{topic}-{} holds no offset {asked}, {nearest} is the nearest",
        partition.0
    );
    Some(match others.len() {
        0 => one,
        1 => one + "; so it is with another partition",
        more => one + &format!("; so it is with {more} more partitions"),
    })
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
        topic: &str,
        held: &Held,
    ) -> Result<BTreeMap<PartitionIndex, Target>, Failure> {
        let mut targets = BTreeMap::new();
        for (partition, (start, end)) in &held.ranges {
            let timed = held.timed.get(partition).copied();
            let asked = self.target(topic, *partition, (*start, *end), timed)?;
            let nearest = Offset(asked.clamp(*start, *start.max(end)));
            targets.insert(*partition, Target { asked, nearest });
        }
        Ok(targets)
    }

    /// Where a partition goes on, if that lies within it.
    fn target(
        &self,
        topic: &str,
        partition: PartitionIndex,
        (start, end): (i64, i64),
        timed: Option<i64>,
    ) -> Result<i64, Failure> {
        let place = (topic.to_owned(), partition);
        let before = self.committed.get(&place).map(|it| it.offset.0);
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
            None => timed.unwrap_or(end),
        })
    }
}

impl ResetRow {
    /// The line of Kafka's tool; without the group where there is one only.
    fn exported(&self, is_only_group: bool) -> Option<String> {
        let Self {
            group,
            topic,
            partition,
            after,
            ..
        } = self;
        let after = (*after)?;
        Some(match is_only_group {
            true => format!("{topic},{partition},{after}\n"),
            false => format!("{group},{topic},{partition},{after}\n"),
        })
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
            or_dash(self.after),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_do_not_hold_what_was_asked_for_are_told_of_in_one_line() {
        let target = |asked, nearest| Target {
            asked,
            nearest: Offset(nearest),
        };
        assert!(!target(7, 7).is_elsewhere());
        assert_eq!(not_held(&[]), None);
        let one = ("flights", PartitionIndex(1), target(99, 10));
        let text = not_held(&[one]);
        let expected = "flights-1 holds no offset 99, 10 is the nearest";
        assert_eq!(text.as_deref(), Some(expected));
        let text = not_held(&[one, one, one]).expect("something to say");
        assert!(
            text.ends_with("; so it is with 2 more partitions"),
            "{text}"
        );
    }
}
