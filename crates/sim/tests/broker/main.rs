//! The real broker on simulated shards, from seeds: Kafka's protocol over simulated connections, crashes and power cuts.
//! What was acknowledged or read stays at its offset, nothing is there twice, and no producer's records change order.

mod alterations;
mod directories;
mod directory_faults;
mod drains;
mod failed_logs;
mod groups;
mod inboxes;

mod lookups;
mod moves;
mod scenario;
mod topics;

use std::cell::Cell;
use std::time::Duration;

use sim::{Machine, Simulation, Syncs, client, for_each_seed, node, oracle};

use crate::node::{Crash, NodeConfig};
use crate::scenario::{Moves, Plan, Summary};

const SEEDS: u64 = 8;

fn run(seed: u64, plan: &Plan, prepare: impl FnOnce(&Machine)) -> (Result<Summary, String>, u64) {
    let simulation = Simulation::new(seed);
    simulation.set_time_max(Duration::from_secs(600));
    let (machine, clients) = (simulation.machine(), simulation.machine());
    prepare(&machine);
    let outcome = simulation.run(scenario::run(&simulation, &machine, &clients, plan));
    (outcome.expect("a scenario ends"), simulation.trace_hash())
}

fn plan(seed: u64) -> Plan {
    let mode = if seed.is_multiple_of(2) {
        "per-shard"
    } else {
        "single"
    };
    Plan {
        node: NodeConfig {
            shards: u32::try_from(seed % 3 + 1).expect("small"),
            directories: 1,
            credits: None,
            overrides: vec![format!("shard.advertise={mode}")],
        },
        partitions: 3,
        producers: 4,
        rounds: 3,
        crashes: &[Crash::PowerCut, Crash::Kill, Crash::Drain],
        bad_network: false,
        bad_disk: false,
        moves: Moves::Nobody,
        directory_moves: false,
        is_aware: false,
    }
}

#[test]
fn what_clients_were_told_survives_crashes_and_power_cuts() {
    for_each_seed(0..SEEDS, |seed| {
        let (outcome, _) = run(seed, &plan(seed), |_| ());
        let summary = outcome.expect("the broker keeps its promises");
        assert!(summary.acknowledged > 0, "the scenario does something");
    });
}

#[test]
fn what_clients_were_told_survives_bad_networks_too() {
    for_each_seed(0..SEEDS, |seed| {
        let plan = Plan {
            bad_network: true,
            ..plan(seed)
        };
        let (outcome, _) = run(seed, &plan, |_| ());
        outcome.expect("the broker keeps its promises");
    });
}

#[test]
fn what_clients_were_told_survives_bad_disks_too() {
    for_each_seed(0..SEEDS, |seed| {
        let mut plan = Plan {
            bad_disk: true,
            ..plan(seed)
        };
        let overrides = &mut plan.node.overrides;
        overrides.push("logan.disk.reserve.bytes=65536".to_owned());
        let (outcome, _) = run(seed, &plan, |_| ());
        outcome.expect("the broker keeps its promises");
    });
}

#[test]
fn what_clients_were_told_survives_moves_between_directories() {
    let moved = Cell::new(0);
    for_each_seed(0..2 * SEEDS, |seed| {
        let mut plan = Plan {
            directory_moves: true,
            rounds: 5,
            ..plan(seed)
        };
        plan.node.directories = 3;
        let (outcome, _) = run(seed, &plan, |_| ());
        let summary = outcome.expect("the broker keeps its promises");
        moved.set(moved.get() + summary.moved);
    });
    assert!(moved.get() > SEEDS, "{} logs have moved", moved.get());
}

#[test]
fn what_clients_were_told_survives_moves_between_directories_and_shards_at_once() {
    let moved = Cell::new(0);
    for_each_seed(0..2 * SEEDS, |seed| {
        let mut plan = Plan {
            moves: Moves::Operator,
            directory_moves: true,
            rounds: 5,
            ..plan(seed)
        };
        plan.node.shards += 1;
        plan.node.directories = 3;
        let (outcome, _) = run(seed, &plan, |_| ());
        let summary = outcome.expect("the broker keeps its promises");
        assert!(summary.moves > 0, "partitions move");
        moved.set(moved.get() + summary.moved);
    });
    assert!(moved.get() > SEEDS, "{} logs have moved", moved.get());
}

#[test]
fn a_broker_that_leaves_the_sync_out_is_caught() {
    let caught = (0..10).filter(|&seed| {
        let plan = Plan {
            crashes: &[Crash::PowerCut],
            ..plan(seed)
        };
        let lying = |machine: &Machine| machine.disk().set_syncs(Syncs::Lies);
        run(seed, &plan, lying).0.is_err()
    });
    assert!(caught.count() > 5, "the checks see what a power cut takes");
}

#[test]
fn a_seed_replays_exactly() {
    let (_, first) = run(2, &plan(2), |_| ());
    let (_, again) = run(2, &plan(2), |_| ());
    assert_eq!(first, again);
}
