//! `uniform`: as many partitions for each member as for every other, as far as subscriptions allow it, and as few
//! moves as that takes.
//!
//! Where all members subscribe to the same topics, each keeps what it has up to its share, and what is left fills
//! the others: one pass. Otherwise members keep everything they may, what nobody has goes to whoever has least, and
//! then topics are balanced one after the other until no single move helps.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Assignment, GroupSpec};

/// How often every topic is balanced at most. Each move brings the loads of two members closer together, and a few
/// rounds settle all groups that were tried; beyond the bound an assignment is valid but not best.
const BALANCE_ROUNDS_MAX: usize = 64;

/// No owner.
const NOBODY: usize = usize::MAX;

pub(super) fn assign(group: &GroupSpec<'_>) -> Vec<Assignment> {
    if group.members.is_empty() {
        return Vec::new();
    }
    let mut owners = Owners::of(group);
    if group.is_homogeneous() {
        owners.level(group.members.len());
    } else {
        let subscribers = subscribers(group);
        owners.fill(&subscribers);
        for _ in 0..BALANCE_ROUNDS_MAX {
            if !owners.balance(&subscribers) {
                break;
            }
        }
    }
    owners.into_assignments(group)
}

/// For each topic its subscribers.
fn subscribers(group: &GroupSpec<'_>) -> Vec<Vec<usize>> {
    let mut subscribers = vec![Vec::new(); group.topics.len()];
    for (index, member) in group.members.iter().enumerate() {
        for &topic in &*member.topics {
            subscribers[topic].push(index);
        }
    }
    subscribers
}

/// For each topic and partition the member who owns it, and how many each member owns.
struct Owners {
    partitions: Vec<Vec<usize>>,
    loads: Vec<usize>,
}

impl Owners {
    /// What members have and may keep. Should two claim one partition, the first does.
    fn of(group: &GroupSpec<'_>) -> Self {
        let mut partitions = vec![Vec::new(); group.topics.len()];
        let mut seen: Option<&Rc<[usize]>> = None;
        for topics in group.members.iter().map(|member| &member.topics) {
            // Members that subscribe to the same share a list.
            if seen.is_some_and(|seen| Rc::ptr_eq(seen, topics)) {
                continue;
            }
            seen = Some(topics);
            for &topic in &**topics {
                let (_, count) = group.topics[topic];
                partitions[topic].resize(usize::try_from(count).unwrap_or(0), NOBODY);
            }
        }
        let mut loads = vec![0; group.members.len()];
        for (index, member) in group.members.iter().enumerate() {
            for (id, claimed) in member.assigned.into_iter().flatten() {
                let Some(topic) = group.topic_index(*id) else {
                    continue;
                };
                if member.topics.binary_search(&topic).is_err() {
                    continue;
                }
                for partition in claimed {
                    let Ok(partition) = usize::try_from(*partition) else {
                        continue;
                    };
                    if let Some(owner) = partitions[topic].get_mut(partition)
                        && *owner == NOBODY
                    {
                        *owner = index;
                        loads[index] += 1;
                    }
                }
            }
        }
        Self { partitions, loads }
    }

    /// Equal subscriptions: every member gets the same number, and as many as do not divide get one more.
    fn level(&mut self, members: usize) {
        let total: usize = self.partitions.iter().map(Vec::len).sum();
        let quota = total / members;
        let mut extras = total % members;
        // Who has more than the quota already keeps one of the extras; that saves a move.
        let mut limits = vec![quota; members];
        let (rich, poor): (Vec<usize>, Vec<usize>) =
            (0..members).partition(|member| self.loads[*member] > quota);
        for member in rich.into_iter().chain(poor) {
            if extras == 0 {
                break;
            }
            limits[member] += 1;
            extras -= 1;
        }
        let mut kept = vec![0; members];
        for owner in self.partitions.iter_mut().flatten() {
            if *owner == NOBODY {
                continue;
            }
            if kept[*owner] == limits[*owner] {
                *owner = NOBODY;
            } else {
                kept[*owner] += 1;
            }
        }
        let mut needy = (0..members)
            .flat_map(|member| std::iter::repeat_n(member, limits[member] - kept[member]));
        for owner in self.partitions.iter_mut().flatten() {
            if *owner == NOBODY {
                *owner = needy
                    .next()
                    .expect("the limits add up to the number of partitions");
            }
        }
        self.loads = limits;
    }

    /// Gives what nobody owns to the subscriber with the least, topics with few subscribers first.
    fn fill(&mut self, subscribers: &[Vec<usize>]) {
        let mut order: Vec<usize> = (0..subscribers.len()).collect();
        order.sort_by_key(|topic| subscribers[*topic].len());
        for topic in order {
            let Self { partitions, loads } = self;
            let owners = &mut partitions[topic];
            if !owners.contains(&NOBODY) {
                continue;
            }
            let mut poorest: BTreeSet<(usize, usize)> = subscribers[topic]
                .iter()
                .map(|member| (loads[*member], *member))
                .collect();
            for owner in owners.iter_mut().filter(|owner| **owner == NOBODY) {
                let Some((load, member)) = poorest.pop_first() else {
                    break;
                };
                *owner = member;
                loads[member] += 1;
                poorest.insert((load + 1, member));
            }
        }
    }

    /// Moves partitions between the subscribers of each topic, from who has most to who has least. Returns whether
    /// there was anything to move.
    fn balance(&mut self, subscribers: &[Vec<usize>]) -> bool {
        let mut moved = false;
        for (topic, subscribers) in subscribers.iter().enumerate() {
            moved |= self.balance_topic(topic, subscribers);
        }
        moved
    }

    fn balance_topic(&mut self, topic: usize, subscribers: &[usize]) -> bool {
        let Self { partitions, loads } = self;
        let owners = &mut partitions[topic];
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in owners.iter().enumerate() {
            if *owner != NOBODY {
                owned.entry(*owner).or_default().push(partition);
            }
        }
        let mut poorest: BTreeSet<(usize, usize)> = subscribers
            .iter()
            .map(|member| (loads[*member], *member))
            .collect();
        let mut richest: BTreeSet<(usize, usize)> = owned
            .keys()
            .map(|member| (loads[*member], *member))
            .collect();
        let mut moved = false;
        // Ends: each pass lowers the load of a rich member or strikes it out. What is given away stays with its new
        // owner in this round.
        while let Some((load, rich)) = richest.pop_last() {
            let Some(&(least, poor)) = poorest.first() else {
                break;
            };
            if load <= least + 1 {
                break;
            }
            let Some(partition) = owned.get_mut(&rich).and_then(Vec::pop) else {
                continue;
            };
            owners[partition] = poor;
            loads[rich] -= 1;
            loads[poor] += 1;
            poorest.remove(&(load, rich));
            poorest.insert((load - 1, rich));
            poorest.remove(&(least, poor));
            poorest.insert((least + 1, poor));
            if richest.remove(&(least, poor)) {
                richest.insert((least + 1, poor));
            }
            richest.insert((load - 1, rich));
            moved = true;
        }
        moved
    }

    fn into_assignments(self, group: &GroupSpec<'_>) -> Vec<Assignment> {
        let mut assignments = vec![Assignment::new(); group.members.len()];
        for ((id, _), owners) in group.topics.iter().zip(self.partitions) {
            for (partition, owner) in (0..).zip(owners) {
                if owner != NOBODY {
                    assignments[owner].entry(*id).or_default().push(partition);
                }
            }
        }
        assignments
    }
}
