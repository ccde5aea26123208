//! What members of a group were told, and what they may never be told again differently.
//!
//! # The rules
//! - In one generation a partition belongs to one member.
//! - A generation that members have worked in is not left for an older one.
//! - What was committed is there, and nothing older takes its place: members go on from what they find and commit more.
//!
//! Deliberately absent: how a group comes to an assignment; any that keeps the rules will do.

use std::collections::BTreeMap;

use crate::oracle::Verdict;

/// The offsets of one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Committed {
    /// The greatest that was acknowledged or found.
    settled: i64,
    /// The greatest that was sent.
    sent: i64,
}

/// All that the members of one group know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ownership {
    generation: i32,
    owners: BTreeMap<(i32, i32), String>,
    committed: BTreeMap<i32, Committed>,
}

impl Ownership {
    /// The least generation that may be from now on.
    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    /// A member has been given partitions by a request that was sent when the generation was at least `floor`.
    pub(crate) fn assigned(
        &mut self,
        (generation, floor): (i32, i32),
        member: &str,
        partitions: &[i32],
    ) -> Verdict {
        if generation < floor {
            return Err(format!("generation {generation} follows {floor}"));
        }
        self.generation = self.generation.max(generation);
        for partition in partitions {
            let owner = self
                .owners
                .entry((generation, *partition))
                .or_insert_with(|| member.to_owned());
            if owner != member {
                return Err(format!(
                    "{partition} belongs to {owner} and to {member} in generation {generation}"
                ));
            }
        }
        Ok(())
    }

    /// An offset is about to be committed.
    pub(crate) fn commits(&mut self, partition: i32, offset: i64) {
        let known = self.committed.entry(partition).or_default();
        known.sent = known.sent.max(offset);
    }

    /// It was acknowledged.
    pub(crate) fn committed(&mut self, partition: i32, offset: i64) {
        let known = self.committed.entry(partition).or_default();
        known.settled = known.settled.max(offset);
    }

    /// The least that may be found from now on.
    pub(crate) fn settled(&self, partition: i32) -> i64 {
        self.committed.get(&partition).map_or(0, |it| it.settled)
    }

    /// A request that was sent when `floor` was settled has found an offset; -1 is none.
    pub(crate) fn found(&mut self, partition: i32, floor: i64, offset: i64) -> Verdict {
        let known = self.committed.entry(partition).or_default();
        let found = offset.max(0);
        if found < floor || found > known.sent {
            let sent = known.sent;
            return Err(format!(
                "{offset} is committed of {partition}, and {floor} was; {sent} was sent"
            ));
        }
        known.settled = known.settled.max(found);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_one_owner_in_a_generation() {
        let mut ownership = Ownership::default();
        ownership.assigned((1, 0), "a", &[0, 1]).expect("new");
        ownership.assigned((1, 1), "a", &[0, 1]).expect("again");
        ownership.assigned((1, 1), "b", &[1]).expect_err("twice");
        ownership.assigned((2, 1), "b", &[1]).expect("later");
        ownership.assigned((1, 2), "a", &[0]).expect_err("older");
    }

    #[test]
    fn commits_stay_and_do_not_go_back() {
        let mut ownership = Ownership::default();
        ownership.found(0, 0, -1).expect("nothing yet");
        ownership.commits(0, 5);
        ownership.found(0, 0, 5).expect("it may have come");
        assert_eq!(ownership.settled(0), 5);
        ownership.found(0, 5, -1).expect_err("vanished");
        ownership.found(0, 5, 4).expect_err("went back");
        ownership.found(0, 5, 6).expect_err("nobody sent it");
    }
}
