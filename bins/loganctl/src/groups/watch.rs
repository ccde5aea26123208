//! `loganctl groups describe --watch`: lag over time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use client::Client;
use command_line::{Column, Failure, Output, OutputFormat, Tabular, or_dash};
use serde::Serialize;

use super::describe::{PartitionRow, complete, partitions};

/// A partition at one look.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct WatchRow {
    time: String,
    group: String,
    topic: String,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    lag: Option<i64>,
    /// How the lag has changed since the last look; none at the first.
    lag_change: Option<i64>,
    consumed_per_second: Option<f64>,
    written_per_second: Option<f64>,
    /// Why its end is not known.
    problem: Option<String>,
}

/// What a partition was like at the last look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    committed: Option<i64>,
    end: Option<i64>,
    lag: Option<i64>,
}

type Memory = BTreeMap<(String, String, i32), Seen>;

/// Shows the partitions again and again: so many times, or until nobody reads any more. A broker that goes away once it has
/// been seen is waited for.
///
/// # Errors
/// That of the first look, as it may be the question that is wrong; else that of the last one.
pub(super) fn run(
    client: &mut Client,
    groups: &[String],
    (pause, count): (Duration, Option<u32>),
    output: &Output,
) -> Result<(), Failure> {
    let mut memory = Memory::new();
    let mut told = None;
    let mut looks = 0;
    loop {
        let outcome = match partitions(client, groups) {
            Ok(rows) => {
                if looks > 0 && output.format() == OutputFormat::Table {
                    output.write("\n")?;
                }
                show(groups, &rows, &mut memory, output)?;
                complete(&rows)
            }
            Err(failure) if looks > 0 && is_passing(&failure) => Err(failure),
            Err(failure) => return Err(failure),
        };
        looks += 1;
        if count.is_some_and(|count| looks >= count) {
            return outcome;
        }
        // What stays the same is told once.
        let problem = outcome.as_ref().err().map(ToString::to_string);
        if let Err(failure) = &outcome
            && problem != told
        {
            output.report(failure);
        }
        told = problem;
        std::thread::sleep(pause);
    }
}

/// Whether the broker may answer at the next look.
fn is_passing(failure: &Failure) -> bool {
    matches!(failure, Failure::Client(error) if error.is_retriable())
}

/// Shows one look.
fn show(
    groups: &[String],
    rows: &[PartitionRow],
    memory: &mut Memory,
    output: &Output,
) -> Result<(), Failure> {
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let rows = looked(rows, &time, Instant::now(), memory);
    if output.format() == OutputFormat::Table {
        let summaries = groups.iter().map(|group| summary(group, &rows));
        let text: String = summaries.map(|line| output.heading(&line) + "\n").collect();
        output.write(&text)?;
    }
    output.more_rows(&rows)
}

/// What has changed since the last look, which is remembered for the next.
fn looked(rows: &[PartitionRow], time: &str, now: Instant, memory: &mut Memory) -> Vec<WatchRow> {
    let row = |row: &PartitionRow| {
        let seen = Seen {
            at: now,
            committed: row.committed,
            end: row.end,
            lag: row.lag,
        };
        let key = (row.group.clone(), row.topic.clone(), row.partition);
        let before = memory.insert(key, seen);
        let change = |of: fn(&Seen) -> Option<i64>| Some(of(&seen)? - of(&before?)?);
        let per_second = |of: fn(&Seen) -> Option<i64>| {
            let seconds = now.duration_since(before?.at).as_secs_f64();
            #[expect(
                clippy::cast_precision_loss,
                reason = "records between two looks are few enough, and the result is shown with one digit"
            )]
            let records = change(of)? as f64;
            (seconds > 0.0).then_some(records / seconds)
        };
        WatchRow {
            time: time.to_owned(),
            group: row.group.clone(),
            topic: row.topic.clone(),
            partition: row.partition,
            committed: row.committed,
            end: row.end,
            lag: row.lag,
            lag_change: change(|seen| seen.lag),
            consumed_per_second: per_second(|seen| seen.committed),
            written_per_second: per_second(|seen| seen.end),
            problem: row.problem.clone(),
        }
    };
    rows.iter().map(row).collect()
}

/// A group in one line: its lag, how fast it consumes, and when it will have caught up. Partitions where it has committed nothing
/// have no lag and no speed, so that what is written to them counts for nothing here; how many there are is said.
fn summary(group: &str, rows: &[WatchRow]) -> String {
    let own = || rows.iter().filter(|row| row.group == group);
    let time = own().next().map_or("", |row| row.time.as_str());
    let lag: i64 = own().filter_map(|row| row.lag).sum();
    let mut line = format!("{time} {group}: lag {lag}");
    let mut changes = own().filter_map(|row| row.lag_change).peekable();
    if changes.peek().is_some() {
        let change: i64 = changes.sum();
        line += &format!(" ({change:+}), {}", speed(lag, own()));
    }
    match own().filter(|row| row.committed.is_none()).count() {
        0 => line,
        1 => line + ", nothing committed for 1 partition",
        unknown => line + &format!(", nothing committed for {unknown} partitions"),
    }
}

/// How fast partitions with a lag between them are consumed and written.
fn speed<'a>(lag: i64, rows: impl Iterator<Item = &'a WatchRow>) -> String {
    let known: Vec<_> = rows
        .filter_map(|row| row.consumed_per_second.zip(row.written_per_second))
        .collect();
    let consumed: f64 = known.iter().map(|(consumed, _)| consumed).sum();
    let written: f64 = known.iter().map(|(_, written)| written).sum();
    let mut text = format!("consumed {consumed:.1}/s, written {written:.1}/s");
    if lag > 0 && consumed > written {
        #[expect(clippy::cast_precision_loss, reason = "an estimate in whole seconds")]
        let seconds = lag as f64 / (consumed - written);
        text += &format!(", caught up in {seconds:.0} s");
    }
    text
}

impl Tabular for WatchRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("GROUP"),
        Column::Text("TOPIC"),
        Column::Number("PARTITION"),
        Column::Number("COMMITTED"),
        Column::Number("END"),
        Column::Number("LAG"),
        Column::Number("CHANGE"),
        Column::Number("CONSUMED/S"),
        Column::Number("WRITTEN/S"),
    ];

    fn cells(&self) -> Vec<String> {
        let rate = |rate: Option<f64>| or_dash(rate.map(|rate| format!("{rate:.1}")));
        vec![
            self.group.clone(),
            self.topic.clone(),
            self.partition.to_string(),
            or_dash(self.committed),
            or_dash(self.end),
            or_dash(self.lag),
            or_dash(self.lag_change.map(|change| format!("{change:+}"))),
            rate(self.consumed_per_second),
            rate(self.written_per_second),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(committed: i64, end: i64) -> PartitionRow {
        PartitionRow {
            group: "g".to_owned(),
            topic: "t".to_owned(),
            partition: 0,
            committed: Some(committed),
            end: Some(end),
            lag: Some(end - committed),
            member: None,
            client: None,
            host: None,
            problem: None,
        }
    }

    #[test]
    fn the_second_look_knows_changes_and_rates() {
        let mut memory = Memory::new();
        let begin = Instant::now();
        let first = looked(&[partition(10, 100)], "now", begin, &mut memory);
        assert_eq!(first[0].lag_change, None);
        assert_eq!(first[0].consumed_per_second, None);
        assert_eq!(summary("g", &first), "now g: lag 90");
        let later = begin + Duration::from_secs(2);
        let second = looked(&[partition(50, 110)], "later", later, &mut memory);
        assert_eq!(second[0].lag_change, Some(-30));
        assert_eq!(second[0].consumed_per_second, Some(20.0));
        assert_eq!(second[0].written_per_second, Some(5.0));
        assert_eq!(
            summary("g", &second),
            "later g: lag 60 (-30), consumed 20.0/s, written 5.0/s, caught up in 4 s"
        );
    }

    #[test]
    fn who_falls_behind_never_catches_up() {
        let mut memory = Memory::new();
        let begin = Instant::now();
        looked(&[partition(10, 100)], "now", begin, &mut memory);
        let later = begin + Duration::from_secs(1);
        let rows = looked(&[partition(10, 200)], "later", later, &mut memory);
        assert!(summary("g", &rows).ends_with("consumed 0.0/s, written 100.0/s"));
    }
    #[test]
    fn what_has_no_commit_is_counted_and_not_measured() {
        let unknown = |end| PartitionRow {
            partition: 1,
            committed: None,
            lag: None,
            ..partition(0, end)
        };
        let mut memory = Memory::new();
        let begin = Instant::now();
        let first = looked(&[partition(10, 10), unknown(0)], "now", begin, &mut memory);
        assert_eq!(
            summary("g", &first),
            "now g: lag 0, nothing committed for 1 partition"
        );
        let later = begin + Duration::from_secs(1);
        let second = looked(
            &[partition(20, 20), unknown(500)],
            "later",
            later,
            &mut memory,
        );
        assert_eq!(
            summary("g", &second),
            "later g: lag 0 (+0), consumed 10.0/s, written 10.0/s, nothing committed for 1 partition"
        );
    }
}
