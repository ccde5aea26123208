//! What an operator might change: facts about devices and CPUs that the plan itself can do nothing about.

use std::collections::BTreeSet;

use crate::cpu_list;
use crate::devices::{DataDirectory, Interrupt};
use crate::machine::Machine;
use crate::plan::Plan;

/// All of it, a sentence each.
pub(crate) fn of(plan: &Plan, machine: &Machine, data: &[DataDirectory]) -> Vec<String> {
    let shards = plan.shard_cpus();
    let mut advice = Vec::new();
    advice.extend(isolated(machine, &shards));
    advice.extend(
        data.iter()
            .filter_map(|data| distant_data(data, machine, &shards)),
    );
    advice.extend(distant_networks(machine, &shards));
    advice.extend(interrupts(plan, machine, data));
    advice
}

fn isolated(machine: &Machine, shards: &BTreeSet<usize>) -> Option<String> {
    let cpus = machine.cpus.iter();
    let unused = cpus.filter(|(number, cpu)| {
        let is_reachable = machine.cgroup.cpuset.as_ref();
        let is_reachable = is_reachable.is_none_or(|cpuset| cpuset.contains(number));
        cpu.is_isolated && cpu.is_online && is_reachable && !shards.contains(number)
    });
    let unused: Vec<usize> = unused.map(|(number, _)| *number).collect();
    (!unused.is_empty()).then(|| {
        let list = cpu_list::format(&unused);
        format!(
            "the CPUs {list} are isolated from the scheduler and stay unused; if they were isolated for this broker: shard.cores={}",
            match unused.as_slice() {
                [only] => format!("{only}-{only}"),
                _ => list.clone(),
            }
        )
    })
}

/// The nodes that shards are pinned on; none if they are pinned nowhere, or there is one node only.
fn shard_nodes(machine: &Machine, shards: &BTreeSet<usize>) -> BTreeSet<usize> {
    if machine.nodes.len() < 2 {
        return BTreeSet::new();
    }
    shards
        .iter()
        .filter_map(|cpu| machine.node_of(*cpu))
        .collect()
}

fn distant_data(
    data: &DataDirectory,
    machine: &Machine,
    shards: &BTreeSet<usize>,
) -> Option<String> {
    let nodes = shard_nodes(machine, shards);
    let node = data.node?;
    let disks = data.disks.join(", ");
    let path = data.path.display();
    if nodes.is_empty() || nodes.iter().eq([&node]) {
        return None;
    }
    Some(if nodes.contains(&node) {
        let near = shards
            .iter()
            .filter(|cpu| machine.node_of(**cpu) == Some(node));
        format!(
            "{path} lies on {disks} at node {node}: the busiest partitions are best on the shards of the CPUs {} (loganctl partitions move)",
            cpu_list::format(near)
        )
    } else {
        format!(
            "{path} lies on {disks} at node {node}, where no shard runs: every byte crosses between nodes; consider shard.cores=nodes:{node}"
        )
    })
}

fn distant_networks(machine: &Machine, shards: &BTreeSet<usize>) -> Vec<String> {
    let nodes = shard_nodes(machine, shards);
    let networks = machine.networks.iter().filter(|it| it.is_up);
    let distant = networks.filter_map(|network| {
        let node = network.node?;
        (!nodes.is_empty() && !nodes.contains(&node)).then(|| {
            format!(
                "{} is attached to node {node}, where no shard runs: every byte crosses between nodes",
                network.name
            )
        })
    });
    distant.collect()
}

/// Interrupts that come to the CPUs of shards although there are others.
fn interrupts(plan: &Plan, machine: &Machine, data: &[DataDirectory]) -> Vec<String> {
    let shards = plan.shard_cpus();
    if plan.beside.is_empty() {
        return Vec::new();
    }
    let networks = machine.networks.iter().filter(|it| it.is_up);
    let networks = networks.map(|it| (&it.name, &it.interrupts));
    let is_used = |name: &String| data.iter().any(|data| data.disks.contains(name));
    let disks = machine.disks.iter().filter(|it| is_used(&it.name));
    let disks = disks.map(|it| (&it.name, &it.interrupts));
    let sentences = networks.chain(disks).filter_map(|(name, interrupts)| {
        let disturbing = interrupts.iter().filter(|it| is_among(it, &shards));
        let cpus: BTreeSet<usize> = disturbing.flat_map(|it| it.cpus.iter().copied()).collect();
        let cpus = cpu_list::format(cpus.intersection(&shards));
        (cpus != "none").then(|| {
            format!(
                "interrupts of {name} come to CPUs that run shards ({cpus}); `loganctl tune check` says how to move them beside"
            )
        })
    });
    sentences.collect()
}

fn is_among(interrupt: &Interrupt, cpus: &BTreeSet<usize>) -> bool {
    !interrupt.cpus.is_disjoint(cpus)
}
