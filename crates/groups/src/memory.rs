//! What the groups of a coordinator take in memory, and what becomes of those who want more than there is.
//!
//! Every group knows at any time how many bytes it takes, roughly and rather too many than too few. An [`Account`] has
//! their sum, which the coordinator compares with [`crate::GroupConfig::memory_max_bytes`] before anything grows. What
//! was taken once is never taken back: a group that the log brings back goes on, however full the coordinator is, and
//! whatever does not grow is never refused. What members leave behind is their group's for a while ([`Left`]), so that who
//! takes the place of another finds room for it.
//!
//! # Who is refused
//! - Groups that exist may grow up to the bound, new ones come into being in seven eighths of it only. So whoever
//!   consumes goes on when there is no room for anybody else.
//! - A group is its maker's: the client address that made it or, if the log brought it back, that was the first since to
//!   have members or offsets written about it. Who is refused makes nothing its own; who lets such a group grow without
//!   that, as by asking for member ids, is charged for it until somebody uses it.
//!   The groups of one address never get more than they leave to all others, whether it makes groups or lets them grow:
//!   half of the bound at most. So no address alone can lock out another one; many together can.
//! - All coordinators that share the bound count an address once ([`MemoryShares`]).
//! - Groups with neither members nor offsets, such as those of member ids that were given out and never used, make way
//!   for others, the oldest first; for their own address before they do for others.
//!
//! Deliberately absent: the memory of requests and replies, which is the host's to bound.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::Str;

use crate::group::Group;

// What follows was measured as the growth of a process by ten thousand groups of each kind, and rounded up.

/// A group itself, its places in the coordinator's maps, and its first record in the log.
pub(crate) const GROUP_BYTES: usize = 1_792;

/// A topic with committed offsets: its place, and a map of its own.
pub(crate) const TOPIC_BYTES: usize = 1_536;

/// A committed offset.
pub(crate) const OFFSET_BYTES: usize = 208;

/// A text or bytes in a collection, beyond their own length: the handle, its place, and the allocation.
pub(crate) const ITEM_BYTES: usize = 100;

/// A classic protocol, beyond its texts: by itself, and among those of its group.
pub(crate) const PROTOCOL_BYTES: usize = 272;

/// A list of names of topics; a name in it; and a name, beyond its own length, however many lists have it.
pub(crate) const LIST_BYTES: usize = 256;
pub(crate) const LISTED_NAME_BYTES: usize = 40;
pub(crate) const NAME_BYTES: usize = 256;

/// A member, beyond its texts.
pub(crate) const MEMBER_BYTES: usize = 1_280;

/// The collections in which a group has its members, as soon as it has one: of the classic protocol, and of the other.
pub(crate) const CLASSIC_MEMBERS_BYTES: usize = 3_584;
pub(crate) const CONSUMER_MEMBERS_BYTES: usize = 2_048;

/// When a member of a consumer group is given up.
pub(crate) const TIMERS_BYTES: usize = 256;

/// A partition that a member of a consumer group holds, by itself and among those of the group.
pub(crate) const HELD_BYTES: usize = 300;

/// A member's target assignment, and a partition in it, each as if it were the only one of its topic: so that partitions
/// which change hands take what they took.
pub(crate) const TARGET_BYTES: usize = 256;
pub(crate) const TARGET_PARTITION_BYTES: usize = 128;

/// The part of the bound, as a divisor, in which no groups are made any more.
const RESERVE_DIVISOR: usize = 8;

/// What the groups of each client address take, in all coordinators of a thread that share one bound. Clones are handles
/// of the same.
#[derive(Clone, Debug, Default)]
pub struct MemoryShares {
    /// Nobody without groups is in it.
    by_maker: Rc<RefCell<BTreeMap<Str, usize>>>,
}

impl MemoryShares {
    /// Bytes that the groups of this address take; none for those of nobody.
    fn bytes_of(&self, maker: &str) -> usize {
        let by_maker = self.by_maker.borrow();
        by_maker.get(maker).copied().unwrap_or(0)
    }

    fn change(&self, maker: &Str, before_bytes: usize, after_bytes: usize) {
        if maker.is_empty() || before_bytes == after_bytes {
            return;
        }
        let mut by_maker = self.by_maker.borrow_mut();
        let bytes = by_maker.entry(maker.clone()).or_default();
        *bytes = *bytes + after_bytes - before_bytes;
        if *bytes == 0 {
            by_maker.remove(maker);
        }
    }
}

/// The sum of all groups, and what of it is whose.
#[derive(Debug, Default)]
pub(crate) struct Account {
    used_bytes: usize,
    /// Whether groups keep what their members leave behind: not those that the log is about to change further.
    keeps_left: bool,
    shares: MemoryShares,
    /// By client address; the empty one has what came from the log and was not used since. Nobody without groups is in
    /// it.
    makers: BTreeMap<Str, Maker>,
    /// Groups with nothing to lose, in the order in which they came to have nothing.
    empty: BTreeMap<u64, Str>,
    next_empty: u64,
    /// How many groups there are of each kind, and committed offsets.
    kinds: BTreeMap<Kind, usize>,
    offsets: usize,
}

/// What the groups of one address take here.
#[derive(Debug, Default)]
struct Maker {
    used_bytes: usize,
    empty: BTreeSet<u64>,
}

/// What the account knows of a group.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    maker: Str,
    /// Whether that has made the group or used it; else the next who does has it.
    is_kept: bool,
    used_bytes: usize,
    /// What of it the members take.
    members_bytes: usize,
    left: Left,
    /// As what it is counted, and for how many committed offsets.
    kind: Option<Kind>,
    offsets: usize,
    empty: Option<u64>,
}

/// A type of groups, and a state, by Kafka's names.
pub(crate) type Kind = (&'static str, &'static str);

/// What members have left behind that are gone. It counts as if they were there.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    bytes: usize,
    /// Whether all of it was there when it was looked at last.
    is_old: bool,
}

impl Entry {
    /// The entry of a group that this address is about to make; nobody's if it is empty.
    pub(crate) fn of(maker: &Str) -> Self {
        Self {
            maker: maker.clone(),
            is_kept: !maker.is_empty(),
            ..Self::default()
        }
    }
}

impl Entry {
    /// Whether it stays its maker's, whoever else uses it.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Bytes that the group takes, and that are kept for it.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Whose growth it is when this user lets the group grow.
    fn maker_for<'a>(&'a self, user: &'a Str) -> &'a Str {
        if self.is_kept || user.is_empty() {
            &self.maker
        } else {
            user
        }
    }

    /// Bytes that members have left behind.
    pub(crate) fn left_bytes(&self) -> usize {
        self.left.bytes
    }

    /// Called now and then: what has been left behind since the last but one of these calls is given up.
    pub(crate) fn age(&mut self) {
        if self.left.is_old {
            self.left = Left::default();
        }
        self.left.is_old = true;
    }

    /// Takes over what the members take now.
    fn follow_members(&mut self, members_bytes: usize, keeps_left: bool) {
        let Left { bytes, is_old } = &mut self.left;
        if members_bytes >= self.members_bytes {
            *bytes = bytes.saturating_sub(members_bytes - self.members_bytes);
        } else if keeps_left {
            *bytes += self.members_bytes - members_bytes;
            *is_old = false;
        }
        self.members_bytes = members_bytes;
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
    /// The account of a coordinator that has no groups yet.
    pub(crate) fn new(shares: MemoryShares) -> Self {
        Self {
            used_bytes: 0,
            keeps_left: false,
            shares,
            makers: BTreeMap::new(),
            empty: BTreeMap::new(),
            next_empty: 0,
            kinds: BTreeMap::new(),
            offsets: 0,
        }
    }

    /// Groups keep what their members leave behind from now on: the log is read.
    pub(crate) fn keep_left(&mut self) {
        self.keeps_left = true;
    }

    /// Makes a group this address' that nobody keeps; from then on it does, or until another uses the group.
    pub(crate) fn adopt(&mut self, group: &mut Group, maker: &Str, keeps: bool) {
        if group.entry.is_kept || maker.is_empty() {
            return;
        }
        group.entry.is_kept = keeps;
        if group.entry.maker != *maker {
            self.forget(group);
            group.entry = Entry {
                maker: maker.clone(),
                used_bytes: 0,
                empty: None,
                kind: None,
                offsets: 0,
                ..group.entry
            };
            self.settle(group);
        }
    }

    /// Bytes that a group may take more than it does, with `room_bytes` left up to the bound; one that nobody keeps as
    /// if it were its user's.
    pub(crate) fn growth_bytes(&self, entry: &Entry, user: &Str, room_bytes: usize) -> usize {
        room_bytes.saturating_sub(self.shares.bytes_of(entry.maker_for(user)))
    }

    /// Bytes that all groups take.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Takes over what has become of a group.
    pub(crate) fn settle(&mut self, group: &mut Group) {
        let members_bytes = group.members_bytes();
        let used_bytes = group.memory_bytes();
        let is_empty = group.has_nothing_to_lose();
        let kind = group.census_kind();
        let entry = &mut group.entry;
        entry.follow_members(members_bytes, self.keeps_left);
        let used_bytes = used_bytes + entry.left.bytes;
        self.offsets = self.offsets - entry.offsets + group.offsets.len();
        entry.offsets = group.offsets.len();
        if entry.kind != Some(kind) {
            let before = entry.kind.replace(kind);
            *self.kinds.entry(kind).or_default() += 1;
            self.discount(before);
        }
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
        self.shares
            .change(&entry.maker, entry.used_bytes, used_bytes);
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

    fn discount(&mut self, kind: Option<Kind>) {
        if let Some(kind) = kind
            && let Some(count) = self.kinds.get_mut(&kind)
        {
            *count -= 1;
            if *count == 0 {
                self.kinds.remove(&kind);
            }
        }
    }

    /// How many groups there are of each kind; of those of which there are none nothing is said.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (Kind, usize)> {
        self.kinds.iter().map(|(kind, count)| (*kind, *count))
    }

    /// How many offsets are committed.
    pub(crate) fn offsets(&self) -> usize {
        self.offsets
    }

    /// Forgets a group.
    pub(crate) fn forget(&mut self, group: &Group) {
        let entry = &group.entry;
        self.discount(entry.kind);
        self.offsets -= entry.offsets;
        self.used_bytes -= entry.used_bytes;
        if let Some(number) = entry.empty {
            self.empty.remove(&number);
        }
        let Some(maker) = self.makers.get_mut(&entry.maker) else {
            return;
        };
        maker.used_bytes -= entry.used_bytes;
        self.shares.change(&entry.maker, entry.used_bytes, 0);
        if let Some(number) = entry.empty {
            maker.empty.remove(&number);
        }
        // A group takes something as long as it is there.
        if maker.used_bytes == 0 {
            self.makers.remove(&entry.maker);
        }
    }

    /// The group that is to make way for one that exists, if there is one and less is left than half of what is for those;
    /// one of the same address if only that has no more.
    pub(crate) fn excess(
        &self,
        entry: &Entry,
        user: &Str,
        room_bytes: usize,
        max_bytes: usize,
    ) -> Option<Str> {
        let enough_bytes = max_bytes / (2 * RESERVE_DIVISOR);
        if room_bytes < enough_bytes {
            return self.empty.values().next().cloned();
        }
        if self.growth_bytes(entry, user, room_bytes) >= enough_bytes {
            return None;
        }
        self.oldest_empty_of(entry.maker_for(user))
    }

    fn oldest_empty_of(&self, maker: &str) -> Option<Str> {
        let number = self.makers.get(maker)?.empty.first()?;
        self.empty.get(number).cloned()
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
        let own_bytes = self.shares.bytes_of(maker);
        let way = if new_bytes > room_bytes {
            self.empty.values().next().cloned()
        } else if own_bytes.saturating_add(new_bytes) > room_bytes {
            self.oldest_empty_of(maker)
        } else {
            return Admission::Granted;
        };
        way.map_or(Admission::Refused, Admission::InPlaceOf)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        for (maker, own) in &self.makers {
            self.shares.change(maker, own.used_bytes, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, Admission, Entry, MemoryShares};
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
    fn an_address_has_one_share_of_all_coordinators() {
        let nobody = Str::default();
        let shares = MemoryShares::default();
        let mut account = Account::new(shares.clone());
        let mut other = Account::new(shares.clone());
        let grown = group(&mut account, "/a", &"x".repeat(MAX / 4));
        let _there = group(&mut other, "/a", &"y".repeat(MAX / 4));
        let room = MAX - account.used_bytes() - other.used_bytes();
        let refused =
            |account: &Account, room| account.admit("/a", 100, room, MAX) != Admission::Granted;
        assert!(refused(&account, room) && refused(&other, room));
        assert_eq!(account.growth_bytes(&grown.entry, &nobody, room), 0);
        assert_eq!(account.admit("/b", 100, room, MAX), Admission::Granted);
        // A coordinator that goes takes its groups with it.
        drop(other);
        let room = MAX - account.used_bytes();
        assert!(!refused(&account, room));
        assert_eq!(
            account.growth_bytes(&grown.entry, &nobody, room),
            room - account.used_bytes()
        );
        drop(account);
        assert!(shares.by_maker.borrow().is_empty());
    }

    #[test]
    fn what_the_log_brings_back_belongs_to_who_uses_it_first() {
        let mut account = Account::default();
        let mut loaded = group(&mut account, "", "loaded");
        let used = account.used_bytes();
        let nobody = Str::default();
        assert_eq!(account.growth_bytes(&loaded.entry, &nobody, MAX), MAX);
        // Whoever only borrows it gives way to the next.
        for user in ["", "/c", "/d"] {
            account.adopt(&mut loaded, &Str::from_static(user), false);
        }
        assert_eq!(account.shares.bytes_of("/c"), 0);
        assert_eq!(account.shares.bytes_of("/d"), used);
        let a = Str::from_static("/a");
        assert_eq!(account.growth_bytes(&loaded.entry, &a, MAX), MAX);
        for user in ["", "/a", "/b"] {
            account.adopt(&mut loaded, &Str::from_static(user), true);
        }
        assert_eq!(
            account.growth_bytes(&loaded.entry, &nobody, MAX),
            MAX - used
        );
        assert_eq!(account.shares.bytes_of("/a"), used);
        assert_eq!(account.shares.bytes_of("/b"), 0);
        assert_eq!(account.used_bytes(), used);
        account.forget(&loaded);
        assert!(account.makers.is_empty() && account.empty.is_empty());
    }

    #[test]
    fn empty_groups_of_an_address_make_way_for_its_own_that_exist() {
        let nobody = Str::default();
        let mut account = Account::default();
        let oldest = group(&mut account, "/a", "oldest");
        let grows = group(&mut account, "/a", &"x".repeat(MAX / 2));
        let fine = group(&mut account, "/b", "fine");
        let room = MAX - account.used_bytes();
        assert_eq!(account.excess(&fine.entry, &nobody, room, MAX), None);
        let way = account.excess(&grows.entry, &nobody, room, MAX);
        assert_eq!(way, Some(oldest.id.clone()));
        let way = account.excess(&fine.entry, &nobody, 1, MAX);
        assert_eq!(way, Some(oldest.id));
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
