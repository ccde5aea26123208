//! The topics that members name, told once however many name them.
//!
//! # Invariants
//! - A list is ascending and has no name twice. Members of a group with equal lists share one, and lists with equal names
//!   share their texts.
//! - A list does not change; who names other topics gets another list.

use std::ops::Deref;
use std::rc::Rc;

use protocol::Str;
use rpds::RedBlackTreeMap;

use crate::memory::{LIST_BYTES, LISTED_NAME_BYTES, NAME_BYTES};

/// Names of topics that a member subscribes to. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Names(Rc<[Str]>);

impl Names {
    /// These names, as they are: nothing is copied.
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a Str>) -> Self {
        let mut names: Vec<Str> = names.into_iter().cloned().collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let found = self.0.binary_search_by(|known| known.as_str().cmp(name));
        found.is_ok()
    }

    /// Where it lies: equal for those that share a list.
    pub(super) fn address(&self) -> *const Str {
        self.0.as_ptr()
    }

    fn bytes(&self) -> usize {
        LIST_BYTES + self.0.len() * LISTED_NAME_BYTES
    }
}

impl Default for Names {
    fn default() -> Self {
        Self(Rc::new([]))
    }
}

impl Deref for Names {
    type Target = [Str];

    fn deref(&self) -> &[Str] {
        &self.0
    }
}

/// What the members of a group name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NameLists {
    /// How many members have each list.
    lists: RedBlackTreeMap<Names, usize>,
    /// How many lists have each name.
    names: RedBlackTreeMap<Str, usize>,
    mentions: usize,
    bytes: usize,
}

impl NameLists {
    /// Different names.
    pub(super) fn len(&self) -> usize {
        self.names.size()
    }

    /// Names, those of each member counted.
    pub(super) fn mentions(&self) -> usize {
        self.mentions
    }

    /// Different lists.
    pub(super) fn lists(&self) -> usize {
        self.lists.size()
    }

    /// Bytes that they take in memory, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// All names, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Str> {
        self.names.keys()
    }

    /// Counts a member's list, and returns the one to keep for it: its names are in memory of their own.
    pub(super) fn add(&mut self, names: &Names) -> Names {
        self.mentions += names.len();
        let known = self.lists.get_key_value(names);
        if let Some((list, count)) = known.map(|(list, count)| (list.clone(), *count)) {
            self.lists.insert_mut(list.clone(), count + 1);
            return list;
        }
        let kept = names.iter().map(|name| {
            let known = self.names.get_key_value(name.as_str());
            let (name, count) = known.map_or_else(
                || (name.detached(), 0),
                |(name, count)| (name.clone(), *count),
            );
            self.bytes += if count == 0 {
                NAME_BYTES + name.len()
            } else {
                0
            };
            self.names.insert_mut(name.clone(), count + 1);
            name
        });
        let list = Names(kept.collect());
        self.bytes += list.bytes();
        self.lists.insert_mut(list.clone(), 1);
        list
    }

    /// Takes a member's list back.
    pub(super) fn remove(&mut self, names: &Names) {
        self.mentions -= names.len();
        let count = self.lists.get(names).copied().unwrap_or(0);
        if count > 1 {
            self.lists.insert_mut(names.clone(), count - 1);
            return;
        }
        self.lists.remove_mut(names);
        self.bytes -= names.bytes();
        for name in names.iter() {
            match self.names.get(name.as_str()).copied().unwrap_or(0) {
                0 | 1 => {
                    self.names.remove_mut(name.as_str());
                    self.bytes -= NAME_BYTES + name.len();
                }
                count => {
                    self.names.insert_mut(name.clone(), count - 1);
                }
            }
        }
    }
}
