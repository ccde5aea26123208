//! What a connection was refused because another shard leads the partition, so that a connection that lies with the wrong
//! shard is noticed.
//!
//! With several nodes at one address the first request shows which shard a connection is meant for, and a client whose
//! metadata is older than a move means another one than has the partition now. What has moved lately therefore tells
//! nothing; if a connection gets to the wrong shard all the same, partitions of the shard that it is meant for are refused
//! there, their leader is named, and the client asks again, over the same connection. That gives it away: who is told of
//! the leader in time asks the leader. The connection then goes to the shard that it is meant for.
//!
//! Requests that were under way when the first of them was refused are no such sign: they carry other batches. If it is
//! taken for one all the same, the connection comes back in the same way.

use std::cell::RefCell;
use std::time::Duration;

use io::Instant;

use crate::message::PartitionKey;

/// A refusal is forgotten after this time: a client that comes back so late has learned something else.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Refusals remembered at a time. Nobody has so many requests under way that are none of another's.
const REFUSALS_MAX: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Refusal {
    key: PartitionKey,
    what: u32,
    times: u32,
    at: Instant,
}

/// Refusals of one kind of request.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    recent: RefCell<Vec<Refusal>>,
}

impl Refusals {
    /// Whether there is nothing to compare with.
    pub(crate) fn is_empty(&self) -> bool {
        self.recent.borrow().is_empty()
    }

    /// Notes that `what` was refused.
    pub(crate) fn note(&self, key: PartitionKey, what: u32, now: Instant) {
        let mut recent = self.recent.borrow_mut();
        recent.retain(|it| now.saturating_since(it.at) < REMEMBERED);
        if let Some(known) = recent
            .iter_mut()
            .find(|it| it.key == key && it.what == what)
        {
            known.times += 1;
            known.at = now;
        } else if recent.len() < REFUSALS_MAX {
            recent.push(Refusal {
                key,
                what,
                times: 1,
                at: now,
            });
        }
    }

    /// Whether the same thing was refused at least this often, or so much of the partition that nothing else counts.
    pub(crate) fn were(&self, key: PartitionKey, what: u32, times: u32) -> bool {
        let recent = self.recent.borrow();
        let of_partition = || recent.iter().filter(|it| it.key == key);
        of_partition().any(|it| it.what == what && it.times >= times)
            || of_partition().count() == REFUSALS_MAX
    }
}

#[cfg(test)]
mod tests {
    use types::Uuid;

    use super::*;

    fn key(index: i32) -> PartitionKey {
        PartitionKey {
            topic_id: Uuid([1; 16]),
            index,
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn only_the_same_batch_of_the_same_partition_counts() {
        let refusals = Refusals::default();
        assert!(refusals.is_empty());
        refusals.note(key(0), 7, at(0));
        assert!(refusals.were(key(0), 7, 1));
        assert!(!refusals.were(key(0), 7, 2));
        assert!(!refusals.were(key(0), 8, 1));
        assert!(!refusals.were(key(1), 7, 1));
        refusals.note(key(0), 7, at(59));
        assert!(refusals.were(key(0), 7, 2));
        refusals.note(key(0), 9, at(119));
        assert!(!refusals.were(key(0), 7, 1), "that is long ago");
    }

    #[test]
    fn their_number_is_bounded_and_too_many_count_too() {
        let refusals = Refusals::default();
        for batch in 0..1000 {
            assert_eq!(refusals.were(key(0), u32::MAX, 1), batch >= 64);
            refusals.note(key(0), batch, at(1));
        }
        assert!(!refusals.were(key(1), u32::MAX, 1));
    }
}
