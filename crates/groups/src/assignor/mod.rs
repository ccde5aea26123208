//! Server-side assignors: who of a consumer group's members is to own which partition.
//!
//! Pure functions: the same input gives the same assignment, whatever the order in which members joined. They know
//! no epochs; handing partitions over from one member to the next is the reconciliation's.
//!
//! # Invariants
//! - Every partition of a topic that somebody subscribes to has exactly one owner, who subscribes to that topic.
//! - Both assignors balance within one partition where subscriptions are equal: `range` each topic, `uniform` the sum.
//! - `uniform` moves no partition that balance lets stay.
//!
//! Deliberately absent: racks. The assignors of Kafka 4.3 do not look at them either.
//!
//! Source: KIP-848, and the behaviour of Apache Kafka 4.3.1's `UniformAssignor` and `RangeAssignor`.

mod range;
mod uniform;

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::Str;
use types::Uuid;

/// Partitions by topic id; ascending, none twice, and no topic without partitions.
pub(crate) type Assignment = BTreeMap<Uuid, Vec<i32>>;

/// A member as assignors see it.
#[derive(Clone, Debug)]
pub(crate) struct MemberSpec<'a> {
    /// Its member id.
    pub(crate) member_id: &'a Str,
    /// Its instance id if it is a static member.
    pub(crate) instance_id: Option<&'a Str>,
    /// Indexes into [`GroupSpec::topics`] of what it subscribes to; ascending, none twice.
    pub(crate) topics: Rc<[usize]>,
    /// What it was to own so far; topics and partitions that are gone may still be in it.
    pub(crate) assigned: Option<&'a Assignment>,
}

/// A group as assignors see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupSpec<'a> {
    /// Its members in ascending order of their ids.
    pub(crate) members: Vec<MemberSpec<'a>>,
    /// The topics that exist, in ascending order of their ids, with the number of their partitions. Those that nobody
    /// subscribes to are left alone.
    pub(crate) topics: Vec<(Uuid, i32)>,
}

impl GroupSpec<'_> {
    /// Whether all members subscribe to the same topics.
    fn is_homogeneous(&self) -> bool {
        self.members
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if Rc::ptr_eq(&a.topics, &b.topics) || a.topics == b.topics))
    }

    /// The index of a topic.
    fn topic_index(&self, id: Uuid) -> Option<usize> {
        self.topics.binary_search_by_key(&id, |(id, _)| *id).ok()
    }
}

/// The assignors that this broker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assignor {
    /// Balances the number of partitions a member has over all its topics, and is sticky.
    Uniform,
    /// Gives each member one run of each topic, the same of topics with equally many partitions.
    Range,
}

impl Assignor {
    /// The assignor of this name in `group.consumer.assignors`.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    /// What each member of `group` is to own, in the order of [`GroupSpec::members`].
    pub(crate) fn assign(self, group: &GroupSpec<'_>) -> Vec<Assignment> {
        match self {
            Self::Uniform => uniform::assign(group),
            Self::Range => range::assign(group),
        }
    }
}

#[cfg(test)]
mod tests;
