//! What the groups of a coordinator take in memory, and what becomes of those who want more than there is.
//!
//! Every group knows at any time how many bytes it takes, roughly and rather too many than too few. An [`Account`] has
//! their sum, which the coordinator compares with [`crate::GroupConfig::memory_max_bytes`] before anything grows. What
//! was taken once is never taken back: a group that the log brings back goes on, however full the coordinator is, and
//! whatever does not grow is never refused.
//!
//! # Who is refused
//! - Groups that exist may grow up to the bound, new ones come into being in seven eighths of it only. So whoever
//!   consumes goes on when there is no room for anybody else.
//! - A client's address makes no further groups once those that it has made take more than what is left for new ones.
//!   It can never have all of it: made-up group ids lock nobody out but their own address. Groups that were loaded from
//!   the log count as nobody's.
//! - Groups with neither members nor offsets, such as those of member ids that were given out and never used, make way
//!   for others, the oldest first; for their own address before they do for others.
//!
//! Deliberately absent: the memory of requests and replies, which is the host's to bound.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;

use crate::group::Group;

// What follows was measured as the growth of a process by ten thousand groups of each kind, and rounded up.

/// A group itself, its places in the coordinator's maps, and its first record in the log.
pub(crate) const GROUP_BYTES: usize = 1_792;

/// A topic with committed offsets: its place, and a map of its own.
pub(crate) const TOPIC_BYTES: usize = 1_536;

/// A committed offset.
pub(crate) const OFFSET_BYTES: usize = 160;

/// A text or bytes in a collection, beyond their own length: the handle, its place, and the allocation.
pub(crate) const ITEM_BYTES: usize = 100;

/// A member, beyond its texts.
pub(crate) const MEMBER_BYTES: usize = 1_280;

/// When a member of a consumer group is given up.
pub(crate) const TIMERS_BYTES: usize = 256;

/// A partition that a member of a consumer group holds, by itself and among those of the group.
pub(crate) const HELD_BYTES: usize = 300;

/// A topic, and a partition, in a target assignment.
pub(crate) const TARGET_TOPIC_BYTES: usize = 100;
pub(crate) const TARGET_PARTITION_BYTES: usize = 8;

/// The part of the bound, as a divisor, in which no groups are made any more.
const RESERVE_DIVISOR: usize = 8;

/// The sum of all groups, and what of it is whose.
#[derive(Debug, Default)]
pub(crate) struct Account {
    used_bytes: usize,
    /// By client address; the empty one made what came from the log. Nobody without groups is in it.
    makers: BTreeMap<Str, Maker>,
    /// Groups with nothing to lose, in the order in which they came to have nothing.
    empty: BTreeMap<u64, Str>,
    next_empty: u64,
}

/// What the groups that one address has made take.
#[derive(Debug, Default)]
struct Maker {
    used_bytes: usize,
    empty: BTreeSet<u64>,
}

/// What the account knows of a group.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    maker: Str,
    used_bytes: usize,
    empty: Option<u64>,
}

impl Entry {
    /// The entry of a group that this address is about to make; nobody's if it is empty.
    pub(crate) fn of(maker: &Str) -> Self {
        Self {
            maker: maker.clone(),
            ..Self::default()
        }
    }
}

/// What a group that is to be made meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Room.
    Granted,
    /// Room, once this group has made way.
    InPlaceOf(Str),
    /// No room.
    Refused,
}

impl Account {
    /// Bytes that all groups take.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Takes over what has become of a group.
    pub(crate) fn settle(&mut self, group: &mut Group) {
        let used_bytes = group.memory_bytes();
        let is_empty = group.has_nothing_to_lose();
        let entry = &mut group.entry;
        if used_bytes == entry.used_bytes && is_empty == entry.empty.is_some() {
            return;
        }
        match self.makers.get_key_value(&entry.maker) {
            // All its groups share one copy of an address.
            Some((known, _)) => entry.maker = known.clone(),
            None => {
                entry.maker = entry.maker.detached();
                self.makers.insert(entry.maker.clone(), Maker::default());
            }
        }
        let maker = self
            .makers
            .get_mut(&entry.maker)
            .expect("was just looked up or inserted");
        maker.used_bytes = maker.used_bytes - entry.used_bytes + used_bytes;
        self.used_bytes = self.used_bytes - entry.used_bytes + used_bytes;
        entry.used_bytes = used_bytes;
        match (is_empty, entry.empty) {
            (true, None) => {
                let number = self.next_empty;
                self.next_empty += 1;
                entry.empty = Some(number);
                maker.empty.insert(number);
                self.empty.insert(number, group.id.clone());
            }
            (false, Some(number)) => {
                entry.empty = None;
                maker.empty.remove(&number);
                self.empty.remove(&number);
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Forgets a group.
    pub(crate) fn forget(&mut self, group: &Group) {
        let entry = &group.entry;
        self.used_bytes -= entry.used_bytes;
        if let Some(number) = entry.empty {
            self.empty.remove(&number);
        }
        let Some(maker) = self.makers.get_mut(&entry.maker) else {
            return;
        };
        maker.used_bytes -= entry.used_bytes;
        if let Some(number) = entry.empty {
            maker.empty.remove(&number);
        }
        // A group takes something as long as it is there.
        if maker.used_bytes == 0 {
            self.makers.remove(&entry.maker);
        }
    }

    /// The group that is to make way for those that exist, if there is one and less is left than half of what is theirs.
    pub(crate) fn excess(&self, room_bytes: usize, max_bytes: usize) -> Option<Str> {
        if room_bytes >= max_bytes / (2 * RESERVE_DIVISOR) {
            return None;
        }
        self.empty.values().next().cloned()
    }

    /// Whether this address may make a group of so many bytes, with `room_bytes` left up to the bound `max_bytes`.
    pub(crate) fn admit(
        &self,
        maker: &str,
        new_bytes: usize,
        room_bytes: usize,
        max_bytes: usize,
    ) -> Admission {
        let room_bytes = room_bytes.saturating_sub(max_bytes / RESERVE_DIVISOR);
        let own = self.makers.get(maker);
        let own_bytes = own.map_or(0, |own| own.used_bytes);
        let way = if new_bytes > room_bytes {
            self.empty.values().next()
        } else if own_bytes.saturating_add(new_bytes) > room_bytes {
            let oldest = own.and_then(|own| own.empty.first());
            oldest.and_then(|number| self.empty.get(number))
        } else {
            return Admission::Granted;
        };
        way.map_or(Admission::Refused, |id| Admission::InPlaceOf(id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Admission, Entry};
    use crate::group::Group;
    use protocol::Str;

    const MAX: usize = 80_000;

    fn admit(account: &Account, maker: &str, new_bytes: usize) -> Admission {
        let room = MAX.saturating_sub(account.used_bytes());
        account.admit(maker, new_bytes, room, MAX)
    }

    /// A group that takes as much as its id is long, and somewhat more.
    fn group(account: &mut Account, maker: &'static str, id: &str) -> Group {
        let mut group = Group::new(Str::from(id), Entry::of(&Str::from_static(maker)));
        account.settle(&mut group);
        group
    }

    #[test]
    fn an_address_never_gets_more_than_it_leaves() {
        let mut account = Account::default();
        let mut groups = Vec::new();
        for number in 0..1_000 {
            match admit(&account, "/a", 2_000) {
                Admission::Granted => {
                    groups.push(group(&mut account, "/a", &format!("{number:0>500}")));
                }
                Admission::InPlaceOf(id) => {
                    assert_eq!(*id, *format!("{:0>500}", 0), "its own oldest");
                    break;
                }
                Admission::Refused => unreachable!("its groups are empty"),
            }
        }
        let used = account.used_bytes();
        assert!((25_000..=35_000).contains(&used), "{used}");
        assert_eq!(admit(&account, "/b", 2_000), Admission::Granted);
        for group in &groups {
            account.forget(group);
        }
        assert_eq!(account.used_bytes(), 0);
        assert!(account.makers.is_empty() && account.empty.is_empty());
    }

    #[test]
    fn the_last_eighth_is_for_groups_that_exist() {
        let mut account = Account::default();
        let _loaded = group(&mut account, "", &"x".repeat(MAX / 8 * 7));
        assert_ne!(admit(&account, "/a", 100), Admission::Granted);
    }

    #[test]
    fn the_oldest_empty_group_makes_way_for_another_address() {
        let mut account = Account::default();
        let first = group(&mut account, "/a", "first");
        let _second = group(&mut account, "/a", "second");
        let _rest = group(&mut account, "", &"x".repeat(MAX));
        let way = |id: &str| Admission::InPlaceOf(Str::from(id));
        assert_eq!(admit(&account, "/b", 100), way("first"));
        account.forget(&first);
        assert_eq!(admit(&account, "/b", 100), way("second"));
    }
}
