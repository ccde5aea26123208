//! `loganctl consume`: records become lines.

use std::collections::BTreeMap;
use std::io::{self, BufWriter};
use std::ops::ControlFlow;
use std::time::Duration;

use client::{Client, Consumer, FetchLimits, OffsetSpec};
use command_line::{Failure, Output};
use types::{Offset, PartitionIndex};

use crate::chosen::{chosen_partitions, now};
use crate::cli::{ConsumeOptions, Start};
use crate::format::RecordFormat;
use crate::pace::Pace;
use crate::progress::Progress;

/// How long one poll waits; an interrupt needs no poll to end.
const POLL: Duration = Duration::from_millis(500);

/// Formatted records are written in pieces of this size, and after every poll.
const WRITE_BYTES: usize = 64 << 10;

type Offsets = BTreeMap<PartitionIndex, Offset>;

/// The part of each partition that is read.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    start: Offsets,
    /// Where partitions end now, or before the records that are too young.
    end: Offsets,
}

pub(crate) fn run(
    mut client: Client,
    options: &ConsumeOptions,
    output: &Output,
) -> Result<(), Failure> {
    let partitions = chosen_partitions(&mut client, &options.topic, &options.partitions)?;
    let plan = plan(&mut client, options, &partitions)?;
    let limit = options.count.unwrap_or(u64::MAX);
    let total = match options.has_end() {
        true => Some(plan.records().min(limit)),
        false => options.count,
    };
    let is_terminal = Output::is_terminal();
    let mut reader = Reader {
        consumer: Consumer::new(client, FetchLimits::default()),
        options,
        format: RecordFormat::new(options, output.format(), is_terminal),
        progress: Progress::of_records(total, !is_terminal && total.is_some()),
        pace: Pace::new(options.rate),
        left: limit,
        records: 0,
        bytes: 0,
    };
    let outcome = reader.read(&plan);
    reader.progress.finish();
    outcome
}

struct Reader<'a> {
    consumer: Consumer,
    options: &'a ConsumeOptions,
    format: RecordFormat<'a>,
    progress: Progress,
    pace: Pace,
    /// Records that may still be written.
    left: u64,
    records: u64,
    bytes: u64,
}

impl Reader<'_> {
    fn read(&mut self, plan: &Plan) -> Result<(), Failure> {
        let topic = &self.options.topic;
        for (partition, offset) in &plan.start {
            self.consumer.assign(topic, *partition, *offset);
        }
        let mut out = BufWriter::with_capacity(WRITE_BYTES, io::stdout().lock());
        let mut open: Vec<_> = plan.start.keys().copied().collect();
        loop {
            if self.options.has_end() {
                self.close_finished(&plan.end, &mut open);
            }
            if open.is_empty() || self.left == 0 {
                return Ok(());
            }
            self.poll(plan, &mut out)?;
        }
    }

    fn poll(&mut self, plan: &Plan, out: &mut impl io::Write) -> Result<(), Failure> {
        let (topic, format) = (&self.options.topic, &self.format);
        let (left, pace) = (&mut self.left, &mut self.pace);
        let end = self.options.has_end().then_some(&plan.end);
        let mut written = Ok(());
        let mut records = 0;
        let delivered = self.consumer.poll(POLL, |fetched, record| {
            let end = end.and_then(|end| end.get(&fetched.partition));
            if end.is_some_and(|end| record.offset >= *end) {
                return ControlFlow::Break(());
            }
            written = match pace.must_pause() {
                // What stands in the buffer would look late.
                true => out.flush(),
                false => Ok(()),
            };
            pace.pause();
            if written.is_ok() {
                written = format.write(out, topic, fetched.partition.0, record);
            }
            records += 1;
            *left -= 1;
            if written.is_err() || *left == 0 {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        // What was read before an error is shown before the error.
        written
            .and_then(|()| out.flush())
            .map_err(Failure::output)?;
        self.records += records;
        self.bytes += delivered?.bytes;
        self.progress.update(self.records, self.bytes);
        Ok(())
    }

    /// Leaves the partitions that were read to where they ended at the start.
    fn close_finished(&mut self, end: &Offsets, open: &mut Vec<PartitionIndex>) {
        let topic = &self.options.topic;
        open.retain(|partition| {
            let position = self.consumer.position(topic, *partition);
            let is_finished = position >= end.get(partition).copied();
            if is_finished {
                self.consumer.unassign(topic, *partition);
            }
            !is_finished
        });
    }
}

impl Plan {
    /// Offsets between start and end: records, and what compaction and transactions leave.
    fn records(&self) -> u64 {
        let spans = self.end.iter().map(|(partition, end)| {
            let start = self.start.get(partition).copied().unwrap_or(*end);
            u64::try_from(end.0 - start.0).unwrap_or(0)
        });
        spans.sum()
    }
}

fn plan(
    client: &mut Client,
    options: &ConsumeOptions,
    partitions: &[PartitionIndex],
) -> Result<Plan, Failure> {
    let topic = &options.topic;
    let mut lookup = |spec| -> Result<BTreeMap<PartitionIndex, Option<Offset>>, Failure> {
        let listed = client.list_offsets(topic, partitions, spec)?;
        let offsets = listed
            .into_iter()
            .map(|(index, found)| (index, found.offset));
        Ok(offsets.collect())
    };
    let known = |offsets: BTreeMap<PartitionIndex, Option<Offset>>| -> Offsets {
        let known = offsets.into_iter();
        known
            .map(|(index, offset)| (index, offset.unwrap_or(Offset(0))))
            .collect()
    };
    let first = known(lookup(OffsetSpec::Earliest)?);
    let end = known(lookup(OffsetSpec::Latest)?);
    let start = match options.start(now()) {
        Start::Beginning => first,
        Start::End => end.clone(),
        Start::Offset(offset) => at_offset(topic, offset, &first, &end)?,
        Start::Time(time) => {
            let found = lookup(OffsetSpec::AtOrAfter(time))?;
            // Where nothing is that young, the next record will be.
            let starts = found
                .into_iter()
                .map(|(index, offset)| (index, offset.unwrap_or_else(|| end[&index])));
            starts.collect()
        }
    };
    let end = match options.to_time {
        None => end,
        Some(moment) => {
            let found = lookup(OffsetSpec::AtOrAfter(moment.at(now())))?;
            let earlier =
                |index: &PartitionIndex, end| found.get(index).copied().flatten().unwrap_or(end);
            let ends = end
                .into_iter()
                .map(|(index, end)| (index, earlier(&index, end)));
            ends.collect()
        }
    };
    Ok(Plan { start, end })
}

/// Where `offset` lies in each partition; a negative one counts from the end, and stops at the beginning.
fn at_offset(topic: &str, offset: i64, first: &Offsets, end: &Offsets) -> Result<Offsets, Failure> {
    let mut start = Offsets::new();
    for (partition, end) in end {
        let first = first.get(partition).copied().unwrap_or(Offset(0));
        let at = if offset < 0 {
            Offset(end.0.saturating_add(offset)).max(first)
        } else {
            Offset(offset)
        };
        if !(first..=*end).contains(&at) {
            return Err(Failure::NotFound {
                problem: format!(
                    "{topic}-{partition} begins at offset {first} and ends at {end}, so there is no offset {offset}"
                ),
                advice:
                    "choose a partition by --partition, or count from the end, such as --offset -10"
                        .to_owned(),
            });
        }
        start.insert(*partition, at);
    }
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(values: &[i64]) -> Offsets {
        let numbered = values.iter().zip(0..);
        numbered
            .map(|(offset, index)| (PartitionIndex(index), Offset(*offset)))
            .collect()
    }

    #[test]
    fn a_negative_offset_counts_from_the_end_and_stops_at_the_beginning() {
        let start = at_offset("t", -10, &offsets(&[0, 95]), &offsets(&[100, 100]));
        assert_eq!(start.expect("always possible"), offsets(&[90, 95]));
    }

    #[test]
    fn an_offset_is_taken_where_it_exists_or_comes_next() {
        let (first, end) = (offsets(&[5]), offsets(&[10]));
        for offset in [5, 10] {
            let start = at_offset("t", offset, &first, &end);
            assert_eq!(start.expect("in range"), offsets(&[offset]));
        }
        for offset in [0, 4, 11] {
            let failure = at_offset("t", offset, &first, &end).expect_err("out of range");
            assert_eq!(failure.code(), 3);
            assert!(
                failure.to_string().contains("begins at offset 5"),
                "{failure}"
            );
        }
    }

    #[test]
    fn a_plan_counts_what_lies_between() {
        let plan = Plan {
            start: offsets(&[5, 0]),
            end: offsets(&[10, 0]),
        };
        assert_eq!(plan.records(), 5);
    }
}
