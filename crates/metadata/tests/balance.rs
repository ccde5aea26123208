//! Decisions of the balancer: what moves, what stays, and that it comes to rest.

use std::collections::BTreeSet;
use std::time::Duration;

use metadata::{
    BalanceRules, Balancer, Measured, PartitionLoad, PartitionMove, WORK_DIFFERENCE_MIN, Weighed,
    decide_balance,
};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use types::{PartitionIndex, ShardId, Uuid};

/// A hundredth of a core, far above what is not worth a move.
const UNIT: u64 = 10_000_000;

const TOPIC: Uuid = Uuid([7; 16]);

fn rules(shards: u16, moves_max: usize) -> BalanceRules {
    BalanceRules {
        shards,
        threshold_percent: 20,
        moves_max,
    }
}

/// Partitions from shard and work, in units.
fn weighed(partitions: &[(u16, u64)]) -> Vec<Weighed> {
    let weigh = |(index, (shard, work)): (i32, &(u16, u64))| Weighed {
        topic_id: TOPIC,
        partition: PartitionIndex(index),
        shard: ShardId(*shard),
        work: work * UNIT,
        may_move: true,
    };
    (0..).zip(partitions).map(weigh).collect()
}

/// Which partition goes where.
fn short(moves: &[PartitionMove]) -> Vec<(i32, u16, u16)> {
    let short = |it: &PartitionMove| (it.partition.0, it.from.0, it.to.0);
    moves.iter().map(short).collect()
}

fn apply(partitions: &mut [Weighed], moves: &[PartitionMove]) {
    for moved in moves {
        let at = usize::try_from(moved.partition.0).expect("counted from 0");
        assert_eq!(partitions[at].shard, moved.from);
        partitions[at].shard = moved.to;
    }
}

fn works(partitions: &[Weighed], shards: u16) -> Vec<u64> {
    let of = |shard| partitions.iter().filter(move |it| it.shard.0 == shard);
    (0..shards)
        .map(|shard| of(shard).map(|it| it.work).sum())
        .collect()
}

#[test]
fn the_decision_for_each_case_is_the_one_in_the_table() {
    type Case = (
        &'static str,
        u16,
        &'static [(u16, u64)],
        &'static [(i32, u16, u16)],
    );
    let cases: &[Case] = &[
        ("nothing has work", 2, &[(0, 0), (0, 0)], &[]),
        ("all is even", 2, &[(0, 5), (1, 5)], &[]),
        ("within the threshold", 2, &[(0, 55), (0, 1), (1, 50)], &[]),
        ("one shard", 1, &[(0, 50), (0, 50)], &[]),
        (
            "two hot ones together",
            2,
            &[(0, 50), (0, 50)],
            &[(0, 0, 1)],
        ),
        ("a single hot one stays", 2, &[(0, 100)], &[]),
        (
            "and so do trifles beside it",
            2,
            &[(0, 100), (0, 1), (0, 1)],
            &[],
        ),
        (
            "what matters beside it goes",
            2,
            &[(0, 100), (0, 8), (0, 8)],
            &[(1, 0, 1), (2, 0, 1)],
        ),
        (
            "the best fit goes, not the largest",
            2,
            &[(0, 70), (0, 40), (0, 20), (1, 30)],
            &[(1, 0, 1)],
        ),
        (
            "a stuck shard hides no other",
            3,
            &[(0, 90), (1, 30), (1, 30)],
            &[(1, 1, 2)],
        ),
        (
            "a gone shard is left alone",
            2,
            &[(5, 100), (0, 10), (1, 10)],
            &[],
        ),
        (
            "the coldest gets it",
            3,
            &[(0, 40), (0, 40), (1, 10), (2, 5)],
            &[(1, 0, 2), (3, 2, 1)],
        ),
    ];
    for (what, shards, partitions, expected) in cases {
        let moves = decide_balance(&weighed(partitions), &rules(*shards, 10));
        assert_eq!(short(&moves), *expected, "{what}");
    }
}

#[test]
fn trifles_move_nothing() {
    let mut partitions = weighed(&[(0, 1), (0, 1)]);
    for partition in &mut partitions {
        partition.work = WORK_DIFFERENCE_MIN / 2;
    }
    assert_eq!(decide_balance(&partitions, &rules(2, 10)), []);
    partitions[0].work += 1;
    assert_eq!(decide_balance(&partitions, &rules(2, 10)).len(), 1);
}

#[test]
fn what_may_not_move_is_weighed_all_the_same() {
    let mut partitions = weighed(&[(0, 50), (0, 50), (1, 5)]);
    partitions[0].may_move = false;
    let moves = decide_balance(&partitions, &rules(2, 10));
    assert_eq!(short(&moves), [(1, 0, 1)]);
    partitions[1].may_move = false;
    assert_eq!(decide_balance(&partitions, &rules(2, 10)), []);
}

#[test]
fn bytes_and_time_both_are_work() {
    let second = Duration::from_secs(1);
    let idle = PartitionLoad::default();
    assert!(idle.is_idle());
    assert_eq!(idle.work(second), 0);
    let load = PartitionLoad {
        bytes_in: 1_000,
        bytes_out: 500,
        busy: Duration::from_nanos(200),
    };
    assert_eq!(load.work(second), 1_700);
    assert_eq!(load.work(Duration::from_secs(2)), 850);
    let endless = PartitionLoad {
        bytes_in: u64::MAX,
        bytes_out: u64::MAX,
        busy: Duration::MAX,
    };
    assert_eq!(endless.work(Duration::ZERO), 1 << 40);
}

fn measured(partitions: &[(u16, u64)]) -> Vec<Measured> {
    let measure = |(index, (shard, units)): (i32, &(u16, u64))| Measured {
        topic_id: TOPIC,
        partition: PartitionIndex(index),
        shard: ShardId(*shard),
        load: PartitionLoad {
            bytes_in: units * UNIT,
            ..PartitionLoad::default()
        },
    };
    (0..).zip(partitions).map(measure).collect()
}

/// A balancer that is told something each second.
struct Told {
    balancer: Balancer,
    now: Duration,
}

impl Told {
    fn second(&mut self, partitions: &[(u16, u64)]) -> Vec<(i32, u16, u16)> {
        let second = Duration::from_secs(1);
        self.now += second;
        let times = (self.now, Duration::from_secs(10));
        let measured = measured(partitions);
        short(&self.balancer.decide(&measured, second, times, &rules(2, 1)))
    }
}

fn told() -> Told {
    Told {
        balancer: Balancer::default(),
        now: Duration::ZERO,
    }
}

#[test]
fn a_partition_that_has_moved_stays_for_a_while() {
    let mut told = told();
    assert_eq!(told.second(&[(0, 50), (0, 50), (0, 50)]), [(0, 0, 1)]);
    // Now this one alone is hot, with another on its shard.
    for _ in 0..9 {
        let moves = told.second(&[(1, 90), (0, 0), (0, 0), (1, 0)]);
        assert_eq!(moves, [], "at {:?}", told.now);
    }
    // The pause is over, and it has company.
    let moves = told.second(&[(1, 20), (0, 0), (0, 0), (1, 120)]);
    assert_eq!(moves, [(0, 1, 0)]);
}

#[test]
fn one_busy_moment_counts_half_and_a_pause_in_the_load_does_too() {
    let mut told = told();
    for _ in 0..8 {
        assert_eq!(told.second(&[(0, 50), (1, 50)]), []);
    }
    // What is not measured this time has not gone.
    assert_eq!(told.second(&[(0, 50)]), []);
    let after: Vec<_> = (0..20)
        .flat_map(|_| told.second(&[(0, 50), (1, 50)]))
        .collect();
    assert_eq!(after, []);
}

#[test]
fn what_has_become_idle_is_forgotten() {
    let mut told = told();
    told.second(&[(0, 50), (0, 50)]);
    for _ in 0..100 {
        told.second(&[]);
    }
    assert!(
        format!("{:?}", told.balancer).ends_with("{} }"),
        "nothing is left"
    );
}

fn any_partitions() -> impl Strategy<Value = (u16, Vec<Weighed>)> {
    (1..6_u16).prop_flat_map(|shards| {
        let one = (0..shards, 0..1000_u64, 0..4_u32, any::<bool>());
        let all = prop::collection::vec(one, 0..60);
        all.prop_map(move |found| {
            let weigh =
                |(index, (shard, work, scale, fixed)): (i32, (u16, u64, u32, bool))| Weighed {
                    topic_id: TOPIC,
                    partition: PartitionIndex(index),
                    shard: ShardId(shard),
                    work: work * 10_u64.pow(3 + 2 * scale),
                    may_move: fixed,
                };
            (shards, (0..).zip(found).map(weigh).collect())
        })
    })
}

proptest! {
    #[test]
    fn it_comes_to_rest_and_moves_nothing_back(
        (shards, partitions) in any_partitions(),
        moves_max in 1..6_usize,
        threshold_percent in 1..100_u32,
    ) {
        let rules = BalanceRules { shards, threshold_percent, moves_max };
        let mut partitions = partitions;
        let squares = |works: Vec<u64>| works.iter().map(|it| u128::from(*it).pow(2)).sum::<u128>();
        let mut last: Vec<PartitionMove> = Vec::new();
        // Far more rounds than it takes, since each lowers the sum of squares.
        let mut rounds = 0;
        loop {
            let before = works(&partitions, shards);
            let moves = decide_balance(&partitions, &rules);
            prop_assert!(moves.len() <= moves_max);
            let moved: BTreeSet<_> = moves.iter().map(|it| it.partition).collect();
            prop_assert_eq!(moved.len(), moves.len(), "a partition moves once");
            for moved in &moves {
                let back = last.iter().any(|it| it.partition == moved.partition && it.from == moved.to && it.to == moved.from);
                prop_assert!(!back, "{:?} after {:?}", moved, last);
                prop_assert!(partitions[usize::try_from(moved.partition.0).expect("counted from 0")].may_move);
            }
            apply(&mut partitions, &moves);
            let after = works(&partitions, shards);
            prop_assert!(after.iter().max() <= before.iter().max(), "the busiest gets no busier");
            if moves.is_empty() {
                break;
            }
            prop_assert!(squares(after) < squares(before));
            last = moves;
            rounds += 1;
            prop_assert!(rounds < 1000, "it never ends");
        }
    }

    #[test]
    fn nothing_moves_within_the_threshold(
        (shards, partitions) in any_partitions(),
        threshold_percent in 1..100_u32,
    ) {
        let works = works(&partitions, shards);
        let all: u64 = works.iter().sum();
        let spread = works.iter().max().expect("a shard") - works.iter().min().expect("a shard");
        let threshold = u128::from(all / u64::from(shards)) * u128::from(threshold_percent) / 100;
        let rules = BalanceRules { shards, threshold_percent, moves_max: 10 };
        if u128::from(spread) <= threshold {
            prop_assert_eq!(decide_balance(&partitions, &rules), []);
        }
    }

    #[test]
    fn what_is_measured_less_exactly_than_the_threshold_moves_nothing_back(
        (shards, partitions) in any_partitions(),
        errors in prop::collection::vec(0..101_u64, 60),
    ) {
        // The errors of all partitions together stay below half the threshold.
        let rules = BalanceRules { shards, threshold_percent: 50, moves_max: 1 };
        let moves = decide_balance(&partitions, &rules);
        let mut after = partitions;
        apply(&mut after, &moves);
        for (partition, error) in after.iter_mut().zip(errors) {
            partition.work = partition.work * (1950 + error) / 2000;
        }
        let again = decide_balance(&after, &rules);
        for moved in again {
            let back = moves.iter().any(|it| it.partition == moved.partition);
            prop_assert!(!back, "{:?} after {:?}", moved, moves);
        }
    }
}
