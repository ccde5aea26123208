//! The offsets of a topic's partitions, for commands that show many of them: one that cannot be asked hides no other.

use std::collections::{BTreeMap, BTreeSet};

use client::{Client, ClientError, OffsetSpec, TopicDescription};
use command_line::Failure;
use types::PartitionIndex;

/// Partitions that a message names; of more it says how many they are.
const NAMED_MAX: usize = 10;

/// Where partitions begin and end, as far as their leaders say.
#[derive(Debug, Default)]
pub(crate) struct Extents {
    extents: BTreeMap<PartitionIndex, (Option<i64>, Option<i64>)>,
    problems: BTreeMap<PartitionIndex, String>,
}

/// Asks the leaders of the partitions. Where there is no leader, there is nobody to ask.
pub(crate) fn extents(client: &mut Client, topic: &TopicDescription) -> Extents {
    let has_leader = topic
        .partitions
        .iter()
        .filter(|(_, it)| it.leader.is_some());
    let led: Vec<_> = has_leader.map(|(index, _)| *index).collect();
    let mut found = Extents::default();
    for (index, begin) in client.list_offsets_each(&topic.name, &led, OffsetSpec::Earliest) {
        let begin = found.take(index, begin);
        found.extents.insert(index, (begin, None));
    }
    // Those that have failed would fail again, perhaps after a long time.
    let answering: Vec<_> = led
        .into_iter()
        .filter(|index| !found.problems.contains_key(index))
        .collect();
    for (index, end) in client.list_offsets_each(&topic.name, &answering, OffsetSpec::Latest) {
        let end = found.take(index, end);
        found.extents.entry(index).or_default().1 = end;
    }
    found
}

impl Extents {
    fn take(
        &mut self,
        index: PartitionIndex,
        answer: Result<client::ListedOffset, ClientError>,
    ) -> Option<i64> {
        match answer {
            Ok(listed) => listed.offset.map(|offset| offset.0),
            Err(error) => {
                self.problems.insert(index, error.to_string());
                None
            }
        }
    }

    /// The first offset of a partition and its end, as far as they are known.
    pub(crate) fn of(&self, index: PartitionIndex) -> (Option<i64>, Option<i64>) {
        self.extents.get(&index).copied().unwrap_or_default()
    }

    /// Why the offsets of a partition are not known, if it was asked in vain.
    pub(crate) fn problem(&self, index: PartitionIndex) -> Option<&str> {
        self.problems.get(&index).map(String::as_str)
    }
}

/// An offset in each of some partitions, as far as their leaders say.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// The offsets; none where no record is as young as was asked for.
    pub(crate) offsets: BTreeMap<PartitionIndex, i64>,
    /// Why nothing is known of the others.
    pub(crate) problems: BTreeMap<PartitionIndex, String>,
}

/// Looks up an offset in each of these partitions. A topic that is gone, and a partition without a leader, is a problem of
/// those that are asked for only, and not waited for.
pub(crate) fn positions(
    client: &mut Client,
    topic: &str,
    partitions: &[PartitionIndex],
    spec: OffsetSpec,
) -> Positions {
    let mut found = Positions::default();
    let described = match client.describe_topic(topic) {
        Ok(described) => described,
        Err(error) => {
            let problem = error.to_string();
            found.problems = partitions.iter().map(|it| (*it, problem.clone())).collect();
            return found;
        }
    };
    let is_led = |index: &PartitionIndex| {
        let partition = described.partitions.get(index);
        partition.is_some_and(|it| it.leader.is_some())
    };
    let (led, leaderless): (Vec<_>, Vec<_>) = partitions.iter().copied().partition(is_led);
    let unknown = leaderless
        .into_iter()
        .map(|index| (index, format!("{topic}-{index} has no leader")));
    found.problems.extend(unknown);
    for (index, answer) in client.list_offsets_each(topic, &led, spec) {
        match answer {
            Ok(listed) => found
                .offsets
                .extend(listed.offset.map(|offset| (index, offset.0))),
            Err(error) => {
                found.problems.insert(index, error.to_string());
            }
        }
    }
    found
}

/// The failure of a command that has shown what it could, if something was missing: `problems` says what.
pub(crate) fn complete<'a>(problems: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
    // Several rows may have the same one: all of a topic that is gone, or a partition that several groups have.
    let mut told = BTreeSet::new();
    let problems = problems.into_iter().filter(|problem| told.insert(*problem));
    let problems: Vec<_> = problems.collect();
    if problems.is_empty() {
        return Ok(());
    }
    let named = &problems[..problems.len().min(NAMED_MAX)];
    let mut problem = named.join("; ");
    if problems.len() > NAMED_MAX {
        problem += &format!("; and {} more", problems.len() - NAMED_MAX);
    }
    Err(Failure::Refused {
        problem,
        advice: "the broker's log says what is wrong with them; the log directory of such a partition may have failed"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_within_bounds() {
        assert!(complete([]).is_ok());
        let one = complete(["t-1: gone"]).expect_err("something is missing");
        assert_eq!((one.to_string().as_str(), one.code()), ("t-1: gone", 1));
        let all: Vec<_> = (10..22).map(|number| format!("t-{number}")).collect();
        let many = complete(all.iter().map(String::as_str)).expect_err("something is missing");
        assert!(many.to_string().ends_with("t-19; and 2 more"), "{many}");
        let same = complete(["t-1: gone", "t-1: gone"]).expect_err("something is missing");
        assert_eq!(same.to_string(), "t-1: gone");
    }
}
