//! ListGroups: which groups pass, a part of them at a time.
//!
//! What a request asks for is looked through once, before any group is: it may name states by the ten thousand.

use std::ops::Bound;

use protocol::Str;
use protocol::messages::ListGroupsRequest;
use protocol::messages::list_groups_response::ListedGroup;

use super::GroupCoordinator;
use crate::group::Group;

/// Kafka's names of all states that a group can be in.
const STATES: [&str; 7] = [
    "Assigning",
    "CompletingRebalance",
    "Dead",
    "Empty",
    "PreparingRebalance",
    "Reconciling",
    "Stable",
];

/// Kafka's names of the types of groups that there are.
const TYPES: [&str; 2] = ["classic", "consumer"];

/// Which groups a ListGroups asks for. It takes no more memory than the names that exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFilter {
    states: Wanted,
    types: Wanted,
}

/// Names of which a group must have one; `None` if any will do.
type Wanted = Option<Vec<&'static str>>;

impl GroupFilter {
    /// What a request asks for: the groups of these states and types, and all where it names none. Case does not matter,
    /// and a name that does not exist lets nothing pass.
    #[must_use]
    pub fn new(request: &ListGroupsRequest) -> Self {
        Self {
            states: wanted(&request.states_filter, &STATES),
            types: wanted(&request.types_filter, &TYPES),
        }
    }

    fn passes(&self, group: &Group) -> bool {
        let is_wanted = |wanted: &Wanted, name: fn(&Group) -> &'static str| {
            let wanted = wanted.as_ref();
            wanted.is_none_or(|wanted| wanted.contains(&name(group)))
        };
        is_wanted(&self.types, Group::type_name) && is_wanted(&self.states, Group::state_name)
    }
}

/// Those of the known names that are asked for.
fn wanted(asked: &[Str], known: &[&'static str]) -> Wanted {
    if asked.is_empty() {
        return None;
    }
    let is_asked = |name: &&&str| asked.iter().any(|it| it.eq_ignore_ascii_case(name));
    Some(known.iter().filter(is_asked).copied().collect())
}

/// A part of the groups of a coordinator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedPart {
    /// Those that pass.
    pub groups: Vec<ListedGroup>,
    /// The last group that was looked at, from which it goes on; `None` if there are no more.
    pub next: Option<Str>,
}

impl GroupCoordinator {
    /// Looks at up to `looked_at_max` groups, at least one, in the order of their ids, beginning behind `after`. A group
    /// that is there all the while is in exactly one part.
    #[must_use]
    pub fn list(
        &self,
        filter: &GroupFilter,
        after: Option<&Str>,
        looked_at_max: usize,
    ) -> ListedPart {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut left = self.groups.range::<Str, _>((from, Bound::Unbounded));
        let mut part = ListedPart::default();
        let mut last = None;
        for (id, group) in left.by_ref().take(looked_at_max.max(1)) {
            last = Some(id);
            debug_assert!(STATES.contains(&group.state_name()), "a filter knows it");
            debug_assert!(TYPES.contains(&group.type_name()), "a filter knows it");
            if filter.passes(group) {
                part.groups.push(ListedGroup {
                    group_id: id.clone(),
                    protocol_type: group.protocol_type(),
                    group_state: Str::from_static(group.state_name()),
                    group_type: Str::from_static(group.type_name()),
                });
            }
        }
        part.next = last.filter(|_| left.next().is_some()).cloned();
        part
    }
}
