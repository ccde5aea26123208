//! Where the interrupts of network devices and disks go.

use std::collections::BTreeSet;

use topology::{Interrupt, cpu_list};

use super::finding::Finding;
use super::setting::write;
use super::target::Target;

const WHY: &str = "An interrupt takes its CPU away from whatever runs there. A shard is alone on its CPU and everything that \
    it serves waits meanwhile, while the CPUs beside the shards have time. (irqbalance moves interrupts again: stop it, or \
    ban the CPUs of shards in its configuration.)";

pub(super) fn of_networks(target: &Target) -> Vec<Finding> {
    let networks = target.machine.networks.iter().filter(|it| it.is_up);
    let found = networks.map(|it| settled(target, &it.name, it.node, &it.interrupts));
    found.collect()
}

/// The kernel spreads the interrupts of NVMe disks itself, a queue for each CPU, and refuses changes: they answer on the CPU
/// that has asked.
pub(super) fn of_disks(target: &Target) -> Vec<Finding> {
    let found = target.disks().into_iter().map(|disk| {
        if disk.name.starts_with("nvme") {
            Finding::fine(&disk.name, "a queue for each CPU, by the kernel")
        } else {
            settled(target, &disk.name, disk.node, &disk.interrupts)
        }
    });
    found.collect()
}

fn settled(target: &Target, name: &str, node: Option<usize>, interrupts: &[Interrupt]) -> Finding {
    let shards = target.plan.shard_cpus();
    let cpus: BTreeSet<usize> = interrupts.iter().flat_map(|it| it.cpus.clone()).collect();
    let now = match interrupts.len() {
        0 => "no interrupts are known".to_owned(),
        _ => format!("CPUs {}", cpu_list::format(&cpus)),
    };
    let finding = Finding::fine(name, now);
    let disturbing = interrupts.iter().filter(|it| !it.cpus.is_disjoint(&shards));
    let places = places(target, node);
    let changes = disturbing.zip(places.iter().cycle());
    let changes = changes.map(|(interrupt, cpu)| {
        let path = format!("proc/irq/{}/smp_affinity_list", interrupt.number);
        write(path, cpu)
    });
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return finding;
    }
    finding.change(format!("CPUs {}", cpu_list::format(&places)), changes, WHY)
}

/// The CPUs beside the shards, at the device's node if there are any. None where every CPU has a shard.
fn places(target: &Target, node: Option<usize>) -> Vec<usize> {
    let beside = &target.plan.beside;
    let is_near = |cpu: &&usize| node.is_some() && target.machine.node_of(**cpu) == node;
    let near: Vec<usize> = beside.iter().filter(is_near).copied().collect();
    if near.is_empty() {
        beside.clone()
    } else {
        near
    }
}
