//! What a group is and what it has committed, for those who watch the broker.

use std::ops::Bound;

use protocol::Str;
use types::Offset;

use super::GroupCoordinator;
use crate::group::GroupKind;

/// A group as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its id.
    pub id: Str,
    /// Kafka's name of its type.
    pub type_name: &'static str,
    /// Kafka's name of its state.
    pub state: &'static str,
    /// How many members it has.
    pub members: usize,
    /// What it has committed: by topic, the partitions and the next record to consume of each.
    pub offsets: Vec<(Str, Vec<(i32, Offset)>)>,
}

impl GroupCoordinator {
    /// The next group behind `after` in the order of the ids, or the first one; `None` behind the last. Offsets of topics
    /// that are no more are among what it has committed until they are deleted.
    #[must_use]
    pub fn facts_after(&self, after: Option<&Str>) -> Option<GroupFacts> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut left = self.groups.range::<Str, _>((from, Bound::Unbounded));
        let (id, group) = left.next()?;
        Some(GroupFacts {
            id: id.clone(),
            type_name: group.type_name(),
            state: group.state_name(),
            members: match &group.kind {
                GroupKind::Classic(classic) => classic.member_count(),
                GroupKind::Consumer(consumer) => consumer.member_count(),
            },
            offsets: group.offsets.committed(),
        })
    }
}
