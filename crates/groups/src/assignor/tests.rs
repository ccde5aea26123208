//! The assignors' invariants, over groups that change.

use std::collections::BTreeMap;

use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};
use protocol::Str;
use types::Uuid;

use super::{Assignment, Assignor, GroupSpec, MemberSpec};

fn id(number: usize) -> Uuid {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&u64::try_from(number).expect("small").to_be_bytes());
    Uuid(bytes)
}

/// A group that owns its names.
#[derive(Clone, Debug)]
struct Group {
    topics: Vec<i32>,
    members: BTreeMap<Str, Vec<usize>>,
}

impl Group {
    fn assign(
        &self,
        assignor: Assignor,
        before: &BTreeMap<Str, Assignment>,
    ) -> BTreeMap<Str, Assignment> {
        let spec = GroupSpec {
            members: self
                .members
                .iter()
                .map(|(member_id, topics)| MemberSpec {
                    member_id,
                    instance_id: None,
                    topics: topics.as_slice().into(),
                    assigned: before.get(member_id),
                })
                .collect(),
            topics: (0..self.topics.len())
                .map(|topic| (id(topic), self.topics[topic]))
                .collect(),
        };
        self.members
            .keys()
            .cloned()
            .zip(assignor.assign(&spec))
            .collect()
    }

    fn subscribers(&self, topic: usize) -> usize {
        self.members
            .values()
            .filter(|topics| topics.contains(&topic))
            .count()
    }

    fn is_homogeneous(&self) -> bool {
        let mut topics = self.members.values();
        let first = topics.next();
        topics.all(|topics| Some(topics) == first)
    }
}

fn size(assignment: &Assignment) -> usize {
    assignment.values().map(Vec::len).sum()
}

/// Every partition of a subscribed topic has one owner, who subscribes to it.
fn check_ownership(group: &Group, assignments: &BTreeMap<Str, Assignment>) {
    let mut owners = BTreeMap::new();
    for (member, assignment) in assignments {
        for (topic, partitions) in assignment {
            let index = (0..group.topics.len())
                .find(|index| id(*index) == *topic)
                .expect("a topic of the group");
            assert!(group.members[member].contains(&index), "not subscribed");
            assert!(!partitions.is_empty(), "an empty topic");
            assert!(partitions.is_sorted_by(|a, b| a < b), "unsorted");
            for partition in partitions {
                assert!((0..group.topics[index]).contains(partition));
                assert!(
                    owners.insert((index, *partition), member).is_none(),
                    "owned twice"
                );
            }
        }
    }
    let expected: usize = (0..group.topics.len())
        .filter(|topic| group.subscribers(*topic) > 0)
        .map(|topic| usize::try_from(group.topics[topic]).expect("positive"))
        .sum();
    assert_eq!(owners.len(), expected, "partitions without an owner");
}

/// No partition can go from a member to a fellow subscriber who has two less.
fn check_balance(group: &Group, assignments: &BTreeMap<Str, Assignment>) {
    for (rich, assignment) in assignments {
        for topic in assignment.keys() {
            for (poor, topics) in &group.members {
                let subscribed = topics.iter().any(|index| id(*index) == *topic);
                assert!(
                    !subscribed || size(assignment) <= size(&assignments[poor]) + 1,
                    "{rich} has more than {poor}"
                );
            }
        }
    }
}

fn member(number: usize) -> Str {
    Str::from(format!("member-{number:03}").as_str())
}

fn groups(homogeneous: bool) -> impl Strategy<Value = Group> {
    let topics = proptest::collection::vec(1..12i32, 1..6);
    (topics, 1..9usize).prop_flat_map(move |(topics, members)| {
        let count = topics.len();
        let subscription = proptest::collection::btree_set(0..count, 1..=count);
        let distinct = if homogeneous { 1 } else { members };
        (
            Just(topics),
            proptest::collection::vec(subscription, distinct),
            Just(members),
        )
            .prop_map(|(topics, subscriptions, members)| Group {
                topics,
                members: (0..members)
                    .map(|number| {
                        let subscription = &subscriptions[number % subscriptions.len()];
                        (member(number), subscription.iter().copied().collect())
                    })
                    .collect(),
            })
    })
}

/// A group and what becomes of it: members leave, members join, topics grow.
fn changes(homogeneous: bool) -> impl Strategy<Value = (Group, Group)> {
    (
        groups(homogeneous),
        proptest::collection::vec(0..8usize, 0..4),
        0..4usize,
        proptest::bool::ANY,
    )
        .prop_map(move |(before, leavers, joiners, grows)| {
            let mut after = before.clone();
            let subscription = before.members.values().next().cloned();
            for leaver in leavers {
                if after.members.len() > 1 {
                    after.members.remove(&member(leaver));
                }
            }
            for joiner in 0..joiners {
                let name = member(100 + joiner);
                after
                    .members
                    .insert(name, subscription.clone().unwrap_or_default());
            }
            if grows {
                after.topics[0] += 3;
            }
            (before, after)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_partition_has_one_subscribed_owner(group in groups(false), range in proptest::bool::ANY) {
        let assignor = if range { Assignor::Range } else { Assignor::Uniform };
        check_ownership(&group, &group.assign(assignor, &BTreeMap::new()));
    }

    #[test]
    fn uniform_balances_within_one_where_subscriptions_are_equal((before, after) in changes(true)) {
        prop_assert!(after.is_homogeneous());
        let first = before.assign(Assignor::Uniform, &BTreeMap::new());
        let second = after.assign(Assignor::Uniform, &first);
        check_ownership(&after, &second);
        let sizes: Vec<usize> = second.values().map(size).collect();
        let spread = sizes.iter().max().zip(sizes.iter().min()).map(|(most, least)| most - least);
        prop_assert!(spread <= Some(1));
    }

    #[test]
    fn uniform_moves_no_more_than_balance_takes((before, after) in changes(true)) {
        let first = before.assign(Assignor::Uniform, &BTreeMap::new());
        let second = after.assign(Assignor::Uniform, &first);
        let total: usize = second.values().map(size).sum();
        let quota = total / second.len();
        let mut extras = total % second.len();
        // The most that can stay: each member's old share up to the quota, and one more for as many as there are
        // extras.
        let mut could_stay = 0;
        for name in second.keys() {
            let had = first.get(name).map_or(0, size);
            could_stay += had.min(quota);
            if had > quota && extras > 0 {
                could_stay += 1;
                extras -= 1;
            }
        }
        let stayed: usize = second
            .iter()
            .filter_map(|(name, assignment)| Some((first.get(name)?, assignment)))
            .flat_map(|(old, new)| new.iter().map(move |(topic, partitions)| (old.get(topic), partitions)))
            .map(|(old, new)| new.iter().filter(|partition| old.is_some_and(|old| old.contains(partition))).count())
            .sum();
        prop_assert_eq!(stayed, could_stay);
    }

    #[test]
    fn uniform_balances_unequal_subscriptions((before, after) in changes(false)) {
        let first = before.assign(Assignor::Uniform, &BTreeMap::new());
        check_balance(&before, &first);
        let second = after.assign(Assignor::Uniform, &first);
        check_ownership(&after, &second);
        check_balance(&after, &second);
    }

    #[test]
    fn an_assignment_that_is_balanced_stays(group in groups(false)) {
        let first = group.assign(Assignor::Uniform, &BTreeMap::new());
        prop_assert_eq!(&group.assign(Assignor::Uniform, &first), &first);
    }

    #[test]
    fn range_gives_each_subscriber_one_run_of_equal_length(group in groups(false)) {
        let assignments = group.assign(Assignor::Range, &BTreeMap::new());
        for (topic, count) in group.topics.iter().enumerate() {
            let count = usize::try_from(*count).expect("positive");
            let subscribers = group.subscribers(topic);
            for (name, topics) in &group.members {
                if !topics.contains(&topic) {
                    continue;
                }
                let run = assignments[name].get(&id(topic)).map_or(&[][..], Vec::as_slice);
                prop_assert!(run.windows(2).all(|pair| pair[0] + 1 == pair[1]));
                prop_assert!((count / subscribers..=count.div_ceil(subscribers)).contains(&run.len()));
            }
        }
    }
}

#[test]
fn range_gives_the_same_numbers_of_equal_topics() {
    let group = Group {
        topics: vec![3, 3],
        members: BTreeMap::from([(member(0), vec![0, 1]), (member(1), vec![0, 1])]),
    };
    let assignments = group.assign(Assignor::Range, &BTreeMap::new());
    assert_eq!(
        assignments[&member(0)],
        Assignment::from([(id(0), vec![0, 1]), (id(1), vec![0, 1])])
    );
    assert_eq!(
        assignments[&member(1)],
        Assignment::from([(id(0), vec![2]), (id(1), vec![2])])
    );
}

#[test]
fn range_puts_static_members_first_so_that_they_keep_their_runs() {
    let [early, late] = [Str::from("a"), Str::from("z")];
    let instance = Str::from("i-1");
    let spec = |static_id: &'static str| {
        let dynamic = if static_id == "a" { &late } else { &early };
        let static_member = if static_id == "a" { &early } else { &late };
        let mut members = vec![
            MemberSpec {
                member_id: dynamic,
                instance_id: None,
                topics: [0].into(),
                assigned: None,
            },
            MemberSpec {
                member_id: static_member,
                instance_id: Some(&instance),
                topics: [0].into(),
                assigned: None,
            },
        ];
        members.sort_by_key(|member| member.member_id);
        let spec = GroupSpec {
            members,
            topics: vec![(id(0), 3)],
        };
        let position = spec
            .members
            .iter()
            .position(|member| member.instance_id.is_some())
            .expect("there");
        Assignor::Range.assign(&spec)[position].clone()
    };
    assert_eq!(spec("a"), Assignment::from([(id(0), vec![0, 1])]));
    assert_eq!(spec("z"), Assignment::from([(id(0), vec![0, 1])]));
}

#[test]
fn old_assignments_that_make_no_sense_are_dropped() {
    let group = Group {
        topics: vec![4],
        members: BTreeMap::from([(member(0), vec![0]), (member(1), vec![0])]),
    };
    let nonsense = BTreeMap::from([
        (
            member(0),
            Assignment::from([(id(0), vec![-1, 0, 1, 99]), (id(7), vec![0])]),
        ),
        (member(1), Assignment::from([(id(0), vec![1, 2])])),
    ]);
    let assignments = group.assign(Assignor::Uniform, &nonsense);
    check_ownership(&group, &assignments);
    assert_eq!(
        assignments[&member(0)],
        Assignment::from([(id(0), vec![0, 1])])
    );
}

#[test]
fn nobody_and_nothing_are_no_trouble() {
    for assignor in [Assignor::Uniform, Assignor::Range] {
        assert!(assignor.assign(&GroupSpec::default()).is_empty());
        let group = Group {
            topics: Vec::new(),
            members: BTreeMap::from([(member(0), Vec::new())]),
        };
        let assignments = group.assign(assignor, &BTreeMap::new());
        assert!(assignments[&member(0)].is_empty());
    }
}
