//! `loganctl records delete`: partitions begin later from now on.

use std::collections::BTreeMap;

use client::{Client, ClientError, ListedOffset, OffsetSpec};
use command_line::{Column, Failure, Output, Tabular};
use serde::Serialize;
use types::{Offset, PartitionIndex};

use crate::chosen::{chosen_partitions, now};
use crate::cli::{DeleteRecordsOptions, RecordsCommand};

/// Where a partition begins from now on.
#[derive(Debug, Serialize)]
struct DeletedRow {
    topic: String,
    partition: i32,
    start_offset: i64,
}

/// Where a partition would begin.
#[derive(Debug, Serialize)]
struct PlannedRow {
    topic: String,
    partition: i32,
    start_offset: i64,
    new_start_offset: i64,
    /// Offsets in between; where a log was compacted not each has a record.
    offsets: i64,
}

/// The offsets before which records go.
type Bounds = BTreeMap<PartitionIndex, Offset>;

/// What is to go.
struct Plan {
    bounds: Bounds,
    /// Partitions without a record that is young enough to stay.
    emptied: Vec<PartitionIndex>,
}

impl Plan {
    fn of(bounds: Bounds) -> Self {
        Self {
            bounds,
            emptied: Vec::new(),
        }
    }
}

pub(crate) fn run(
    mut client: Client,
    command: &RecordsCommand,
    output: &Output,
) -> Result<(), Failure> {
    let RecordsCommand::Delete(options) = command;
    let topic = &options.topic;
    let partitions = chosen_partitions(&mut client, topic, &options.partitions)?;
    let mut lookup = |spec| client.list_offsets(topic, &partitions, spec);
    let plan = plan(&mut lookup, options, &partitions)?;
    for partition in &plan.emptied {
        let end = plan.bounds[partition];
        let verb = if options.dry_run { "would go" } else { "go" };
        output.note(&format!(
            "no record of {topic}-{partition} is that young: all before offset {end} {verb}"
        ));
    }
    if options.dry_run {
        let ends = listed(lookup(OffsetSpec::Latest)?);
        let (possible, beyond) = within_ends(plan.bounds, &ends);
        let firsts = listed(lookup(OffsetSpec::Earliest)?);
        output.rows(&planned(topic, &possible, &firsts))?;
        let mut outcome = Ok(());
        for (partition, bound) in beyond {
            let end = ends.get(&partition).copied().unwrap_or(Offset(0));
            let failure = Failure::refused(
                format!(
                    "partition {topic}-{partition} ends at offset {end}: nothing goes before offset {bound}"
                ),
                "give an offset that is not beyond the end, or none to delete all",
            );
            outcome = outcome.and(Err(output.reported(&failure)));
        }
        return outcome;
    }
    let bounds = plan.bounds.into_iter().map(|(it, bound)| (it, Some(bound)));
    let deleted = client.delete_records(topic, &bounds.collect())?;
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

/// The bounds that the partitions reach, and those beyond their ends, which a broker refuses.
fn within_ends(bounds: Bounds, ends: &Bounds) -> (Bounds, Bounds) {
    let reaches = |partition: &PartitionIndex, bound: Offset| {
        ends.get(partition).is_none_or(|end| bound <= *end)
    };
    bounds
        .into_iter()
        .partition(|(partition, bound)| reaches(partition, *bound))
}

/// What would become of the partitions, given where they begin.
fn planned(topic: &str, bounds: &Bounds, firsts: &Bounds) -> Vec<PlannedRow> {
    let rows = bounds.iter().map(|(partition, bound)| {
        let first = firsts.get(partition).copied().unwrap_or(Offset(0));
        let new = first.max(*bound);
        PlannedRow {
            topic: topic.to_owned(),
            partition: partition.0,
            start_offset: first.0,
            new_start_offset: new.0,
            offsets: new.0 - first.0,
        }
    });
    rows.collect()
}

/// Asks for the offset of every partition.
type Lookup<'a> =
    dyn FnMut(OffsetSpec) -> Result<BTreeMap<PartitionIndex, ListedOffset>, ClientError> + 'a;

/// Where the partitions are to begin: never behind the end that they have now, unless an offset was given. What is
/// written while the command is under way stays.
fn plan(
    lookup: &mut Lookup<'_>,
    options: &DeleteRecordsOptions,
    partitions: &[PartitionIndex],
) -> Result<Plan, Failure> {
    if let Some(offset @ 0..) = options.before_offset {
        let every = partitions.iter().copied();
        return Ok(Plan::of(every.map(|it| (it, Offset(offset))).collect()));
    }
    // Before any look-up that may find nothing: what comes later is not of the time that was asked for.
    let ends = listed(lookup(OffsetSpec::Latest)?);
    if let Some(behind) = options.before_offset {
        let firsts = listed(lookup(OffsetSpec::Earliest)?);
        let bound = |partition, end: Offset| {
            let first = firsts.get(&partition).copied().unwrap_or(Offset(0));
            Offset(end.0.saturating_add(behind)).max(first)
        };
        let bounds = ends.into_iter().map(|(it, end)| (it, bound(it, end)));
        return Ok(Plan::of(bounds.collect()));
    }
    let Some(moment) = options.before_time else {
        return Ok(Plan::of(ends));
    };
    let found = listed(lookup(OffsetSpec::AtOrAfter(moment.at(now())))?);
    // Where nothing is that young, all goes that was there.
    let bound = |partition, end: Offset| found.get(&partition).map_or(end, |at| end.min(*at));
    let bounds: Bounds = ends
        .into_iter()
        .map(|(it, end)| (it, bound(it, end)))
        .collect();
    let emptied = bounds.keys().filter(|it| !found.contains_key(it)).copied();
    Ok(Plan {
        emptied: emptied.collect(),
        bounds,
    })
}

/// The offsets of those partitions that have one.
fn listed(offsets: BTreeMap<PartitionIndex, ListedOffset>) -> Bounds {
    let offsets = offsets.into_iter();
    offsets
        .filter_map(|(partition, it)| Some((partition, it.offset?)))
        .collect()
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

impl Tabular for PlannedRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("START"),
        Column::Number("NEW START"),
        Column::Number("OFFSETS"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            self.start_offset.to_string(),
            self.new_start_offset.to_string(),
            self.offsets.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use types::TimestampMs;

    use super::*;
    use crate::cli::Moment;

    const PARTITION: PartitionIndex = PartitionIndex(0);

    /// The bound in a partition whose record of offset n has timestamp n, and that gets another one after each look-up.
    fn bound(before_offset: Option<i64>, before_time: Option<i64>) -> Offset {
        let options = DeleteRecordsOptions {
            topic: "t".to_owned(),
            partitions: Vec::new(),
            before_offset,
            before_time: before_time.map(|it| Moment::At(TimestampMs(it))),
            all: before_offset.is_none() && before_time.is_none(),
            dry_run: false,
        };
        let mut end = 10;
        let mut lookup = |spec| {
            let offset = match spec {
                OffsetSpec::Earliest => Some(4),
                OffsetSpec::Latest => Some(end),
                OffsetSpec::AtOrAfter(time) => Some(time.0.max(4)).filter(|at| *at < end),
                OffsetSpec::MaxTimestamp => None,
            };
            end += 1;
            let offset = ListedOffset {
                offset: offset.map(Offset),
                timestamp: None,
            };
            Ok(BTreeMap::from([(PARTITION, offset)]))
        };
        let plan = plan(&mut lookup, &options, &[PARTITION]).expect("it answers");
        assert!(plan.emptied.is_empty() || plan.bounds[&PARTITION] == Offset(10));
        plan.bounds[&PARTITION]
    }

    #[test]
    fn what_is_written_meanwhile_stays() {
        assert_eq!(bound(None, Some(100)), Offset(10), "nothing is that young");
        assert_eq!(
            bound(None, Some(10)),
            Offset(10),
            "the first that is came later"
        );
        assert_eq!(bound(None, None), Offset(10));
    }

    #[test]
    fn a_bound_beyond_the_end_is_none_that_a_broker_takes() {
        let bounds = BTreeMap::from([(PARTITION, Offset(7)), (PartitionIndex(1), Offset(8))]);
        let ends = BTreeMap::from([(PARTITION, Offset(7)), (PartitionIndex(1), Offset(7))]);
        let (possible, beyond) = within_ends(bounds, &ends);
        assert_eq!(possible, BTreeMap::from([(PARTITION, Offset(7))]));
        assert_eq!(beyond, BTreeMap::from([(PartitionIndex(1), Offset(8))]));
    }

    #[test]
    fn a_plan_counts_what_goes() {
        let at = |offset| BTreeMap::from([(PARTITION, Offset(offset))]);
        let offsets = |bound, first| planned("t", &at(bound), &at(first))[0].offsets;
        assert_eq!((offsets(10, 4), offsets(3, 4)), (6, 0));
    }

    #[test]
    fn bounds_are_found_by_time_and_counted_from_the_end() {
        assert_eq!(bound(None, Some(7)), Offset(7));
        assert_eq!(bound(None, Some(0)), Offset(4));
        assert_eq!(bound(Some(6), None), Offset(6));
        assert_eq!(bound(Some(-3), None), Offset(7));
        assert_eq!(bound(Some(-30), None), Offset(4));
    }
}
