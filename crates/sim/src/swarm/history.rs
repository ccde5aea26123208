//! What clients were told of the records of a topic, and what they may never be told again differently.
//!
//! It hears of what was sent, acknowledged and read, and knows nothing of how a broker works.
//!
//! # The rules
//! - What was acknowledged can be read, at the offset that was named, whatever happens.
//! - What was read stays where it was: nothing is visible that a crash takes away.
//! - Offsets have no gaps, and a record that nobody sent is not there.
//! - Records of one producer stand in the order in which it sent them, none twice; those of an idempotent one without gaps.
//! - The high watermark never moves back.

use std::collections::{BTreeMap, BTreeSet};

use crate::oracle::{RecordName, Verdict, decode};

/// What is known of a producer.
#[derive(Clone, Copy, Debug)]
struct Producer {
    partition: i32,
    /// Its records are numbered from 0 up to this.
    sent: u64,
    is_idempotent: bool,
}

/// What is known of a partition.
#[derive(Clone, Debug, Default)]
struct Partition {
    /// Acknowledged or read, by offset.
    facts: BTreeMap<i64, RecordName>,
    /// Acknowledged without an offset.
    somewhere: BTreeSet<RecordName>,
    high_watermark: i64,
}

/// What was known of a partition at one moment, and must be found by a reading that begins then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    pub(crate) high_watermark: i64,
    /// Where everything known ended.
    pub(crate) end: i64,
    somewhere: BTreeSet<RecordName>,
}

/// All that clients know.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    producers: BTreeMap<u64, Producer>,
    partitions: BTreeMap<i32, Partition>,
}

impl History {
    /// A producer is about to send its records up to `sent` to a partition.
    pub(crate) fn sends(&mut self, name: u64, partition: i32, sent: u64, is_idempotent: bool) {
        let producer = Producer {
            partition,
            sent,
            is_idempotent,
        };
        self.producers.insert(name, producer);
    }

    /// Records `first..first + count` of a producer were acknowledged, the first of them at `base_offset`.
    pub(crate) fn acknowledged(
        &mut self,
        producer: u64,
        (first, count): (u64, u64),
        base_offset: i64,
    ) -> Verdict {
        let partition = self.partition_of(producer)?;
        for (offset, number) in (base_offset..).zip(first..first + count) {
            self.learn(partition, offset, (producer, number))?;
        }
        Ok(())
    }

    /// Records were acknowledged as known already, without their offset.
    pub(crate) fn known(&mut self, producer: u64, (first, count): (u64, u64)) -> Verdict {
        let partition = self.partition_of(producer)?;
        let names = (first..first + count).map(|number| (producer, number));
        self.partitions
            .entry(partition)
            .or_default()
            .somewhere
            .extend(names);
        Ok(())
    }

    /// The least that the high watermark of a partition may be from now on.
    pub(crate) fn high_watermark(&self, partition: i32) -> i64 {
        self.partitions
            .get(&partition)
            .map_or(0, |it| it.high_watermark)
    }

    /// What must be found in a partition from now on.
    pub(crate) fn mark(&self, partition: i32) -> Mark {
        let Some(known) = self.partitions.get(&partition) else {
            return Mark::default();
        };
        let last = known.facts.last_key_value();
        Mark {
            high_watermark: known.high_watermark,
            end: last.map_or(0, |(offset, _)| offset + 1),
            somewhere: known.somewhere.clone(),
        }
    }

    /// A fetch that was sent when the watermark was at least `floor` has read `bytes` from `offset` on, and heard of a high
    /// watermark. Returns where the records end.
    pub(crate) fn read(
        &mut self,
        partition: i32,
        offset: i64,
        bytes: &[u8],
        (floor, high_watermark): (i64, i64),
    ) -> Result<i64, String> {
        if high_watermark < floor {
            return Err(format!(
                "the high watermark of {partition} moved back from {floor} to {high_watermark}"
            ));
        }
        let mut next = offset;
        for (found, name) in decode(bytes)? {
            if found < offset {
                continue;
            }
            if found != next {
                return Err(format!("{partition}: offset {found} follows {next}"));
            }
            self.learn(partition, found, name)?;
            next += 1;
        }
        if next > high_watermark {
            return Err(format!(
                "{partition} was read up to {next}, beyond its high watermark {high_watermark}"
            ));
        }
        let known = self.partitions.entry(partition).or_default();
        known.high_watermark = known.high_watermark.max(high_watermark);
        Ok(next)
    }

    /// A whole partition as it is now, against what was known when its reading began.
    pub(crate) fn check(
        &self,
        partition: i32,
        found: &BTreeMap<i64, RecordName>,
        mark: &Mark,
    ) -> Verdict {
        let nothing = Partition::default();
        let known = self.partitions.get(&partition).unwrap_or(&nothing);
        for (offset, name) in known.facts.range(..mark.end) {
            if found.get(offset) != Some(name) {
                let there = found.get(offset);
                return Err(format!(
                    "{partition}: {name:?} was at {offset}, where now is {there:?}"
                ));
            }
        }
        let names: BTreeSet<RecordName> = found.values().copied().collect();
        if let Some(lost) = mark.somewhere.difference(&names).next() {
            return Err(format!(
                "{partition}: {lost:?} was acknowledged and is gone"
            ));
        }
        self.check_order(partition, found)
    }

    fn check_order(&self, partition: i32, found: &BTreeMap<i64, RecordName>) -> Verdict {
        let mut next: BTreeMap<u64, u64> = BTreeMap::new();
        for (offset, (name, number)) in found {
            let producer = self.producers.get(name);
            let Some(producer) = producer.filter(|it| it.partition == partition) else {
                return Err(format!(
                    "{partition}: nobody sent {name} what is at {offset}"
                ));
            };
            let expected = next.entry(*name).or_default();
            let is_right = if producer.is_idempotent {
                number == expected
            } else {
                number >= expected
            };
            if !is_right || *number >= producer.sent {
                return Err(format!(
                    "{partition}: at {offset} is record {number} of producer {name} instead of {expected}"
                ));
            }
            *expected = number + 1;
        }
        Ok(())
    }

    /// Every record of the idempotent producers, which have got everything acknowledged, is there.
    pub(crate) fn check_complete(
        &self,
        found: &BTreeMap<i32, BTreeMap<i64, RecordName>>,
    ) -> Verdict {
        let producers = self.producers.iter().filter(|(_, it)| it.is_idempotent);
        for (name, producer) in producers {
            let records = found.get(&producer.partition);
            let count = records.map_or(0, |records| {
                records.values().filter(|(found, _)| found == name).count()
            });
            if u64::try_from(count) != Ok(producer.sent) {
                let sent = producer.sent;
                return Err(format!("{count} of {sent} records of producer {name}"));
            }
        }
        Ok(())
    }

    /// What is at an offset, if anybody knows.
    pub(crate) fn fact(&self, partition: i32, offset: i64) -> Option<RecordName> {
        self.partitions.get(&partition)?.facts.get(&offset).copied()
    }

    fn partition_of(&self, producer: u64) -> Result<i32, String> {
        let producer = self.producers.get(&producer);
        let producer = producer.ok_or_else(|| "an answer to nobody".to_owned())?;
        Ok(producer.partition)
    }

    fn learn(&mut self, partition: i32, offset: i64, name: RecordName) -> Verdict {
        let sent = self.producers.get(&name.0);
        if !sent.is_some_and(|it| it.partition == partition && name.1 < it.sent) {
            return Err(format!("{partition}: nobody sent {name:?} at {offset}"));
        }
        let facts = &mut self.partitions.entry(partition).or_default().facts;
        match facts.insert(offset, name) {
            Some(known) if known != name => Err(format!(
                "{partition}: offset {offset} is {name:?} and was {known:?}"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::batch;

    fn history() -> History {
        let mut history = History::default();
        history.sends(1, 0, 3, true);
        history.sends(2, 0, 3, false);
        history
    }

    fn found(names: &[RecordName]) -> BTreeMap<i64, RecordName> {
        (0..).zip(names.iter().copied()).collect()
    }

    #[test]
    fn what_holds_is_accepted() {
        let mut history = history();
        history.acknowledged(1, (0, 2), 0).expect("new");
        history.known(1, (2, 1)).expect("it has sent");
        let found = found(&[(1, 0), (1, 1), (2, 1), (1, 2)]);
        history
            .check(0, &found, &history.mark(0))
            .expect("all of it is there");
        let all = BTreeMap::from([(0, found)]);
        history.check_complete(&all).expect("complete");
    }

    #[test]
    fn what_was_acknowledged_must_be_there() {
        let mut history = history();
        history.acknowledged(1, (0, 2), 0).expect("new");
        let lost = history.check(0, &found(&[(1, 0)]), &history.mark(0));
        lost.expect_err("lost");
        history.known(1, (2, 1)).expect("it has sent");
        let missing = history.check(0, &found(&[(1, 0), (1, 1)]), &history.mark(0));
        missing.expect_err("lost, wherever it was");
    }

    #[test]
    fn offsets_are_not_used_twice() {
        let mut history = history();
        history.acknowledged(1, (0, 1), 0).expect("new");
        history.acknowledged(2, (0, 1), 0).expect_err("taken");
    }

    #[test]
    fn duplicates_disorder_and_inventions_are_found() {
        let history = history();
        for names in [
            &[(1, 0), (1, 0)][..],
            &[(1, 1)],
            &[(2, 1), (2, 0)],
            &[(2, 0), (2, 0)],
            &[(1, 0), (1, 1), (1, 2), (1, 3)],
            &[(3, 0)],
        ] {
            let checked = history.check(0, &found(names), &Mark::default());
            checked.expect_err("not in this order");
        }
    }

    #[test]
    fn reads_have_no_gaps_and_the_watermark_never_falls() {
        let mut history = history();
        let mut bytes = batch(1, None, (0, 1), 10);
        let read = history.read(0, 0, &bytes, (0, 1));
        assert_eq!(read, Ok(1));
        history.read(0, 0, &bytes, (1, 0)).expect_err("it fell");
        history.read(0, 0, &bytes, (0, 0)).expect_err("beyond it");
        // The base offset stands first.
        bytes[7] = 2;
        history.read(0, 1, &bytes, (1, 3)).expect_err("a gap");
    }
}
