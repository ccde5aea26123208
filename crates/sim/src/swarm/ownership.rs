//! What members of a group were told, and what they may never be told again differently.
//!
//! # The rules
//! - In one generation a partition belongs to one member.
//! - A generation that members have worked in is not left for an older one.
//! - Where members give partitions back on their own: nobody is given one that another member holds, as long as that was
//!   heard of within its session.
//! - What was committed is there, and nothing older takes its place: members go on from what they find and commit more.
//!
//! Deliberately absent: how a group comes to an assignment; any that keeps the rules will do.

use std::collections::BTreeMap;

use ::io::Instant;

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

/// Who holds which partition of a group whose members give back themselves what they are to lose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holders {
    /// By partition, the member and until when its session lasts at least.
    holders: BTreeMap<i32, (String, Instant)>,
}

impl Holders {
    /// A member was heard of: its session lasts until then at least.
    pub(crate) fn renewed(&mut self, member: &str, until: Instant) {
        let own = self.holders.values_mut().filter(|(it, _)| it == member);
        own.for_each(|(_, lasts)| *lasts = until);
    }

    /// A member hears now that a partition is meant for it.
    pub(crate) fn promised(&self, partition: i32, member: &str, now: Instant) -> Verdict {
        match self.holders.get(&partition) {
            Some((holder, until)) if holder != member && *until > now => Err(format!(
                "{partition} is given to {member} while {holder} holds it"
            )),
            _ => Ok(()),
        }
    }

    /// A member begins to work on a partition.
    pub(crate) fn taken(&mut self, partition: i32, member: &str, until: Instant) {
        self.holders.insert(partition, (member.to_owned(), until));
    }

    /// A member has ended its work on a partition, before anybody hears of it.
    pub(crate) fn released(&mut self, partition: i32, member: &str) {
        if self
            .holders
            .get(&partition)
            .is_some_and(|it| it.0 == member)
        {
            self.holders.remove(&partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_held_until_it_is_given_back_or_its_session_ends() {
        let mut holders = Holders::default();
        let (early, late) = (Instant(10), Instant(20));
        holders.taken(0, "a", late);
        holders.promised(0, "a", early).expect("its own");
        holders.promised(0, "b", early).expect_err("held");
        holders.promised(0, "b", late).expect("the session is over");
        holders.renewed("a", Instant(30));
        holders.promised(0, "b", late).expect_err("it lasts on");
        holders.released(0, "b");
        holders.promised(0, "b", late).expect_err("another's word");
        holders.released(0, "a");
        holders.promised(0, "b", late).expect("given back");
    }

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
