//! What the kernel says about CPUs, nodes and devices.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cgroup::Cgroup;
use crate::cpu_list;
use crate::devices::{Disk, Network};
use crate::root::Root;

const CPUS: &str = "sys/devices/system/cpu";
const NODES: &str = "sys/devices/system/node";

/// A machine, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// What its processors call themselves.
    pub model: Option<String>,
    /// The logical CPUs by the kernel's numbers, also those that are offline.
    pub cpus: BTreeMap<usize, Cpu>,
    /// The NUMA nodes; none where the kernel knows of none.
    pub nodes: BTreeMap<usize, Node>,
    /// The CPUs that are online and that the process may use, by its affinity mask, which cpusets narrow too.
    pub allowed: BTreeSet<usize>,
    /// The nodes whose memory the process may use, by its cpuset; `None` where the kernel does not say.
    pub allowed_memory: Option<BTreeSet<usize>>,
    /// Further limits.
    pub cgroup: Cgroup,
    /// The memory.
    pub memory_bytes: Option<u64>,
    /// The disks.
    pub disks: Vec<Disk>,
    /// The network devices that are made of hardware.
    pub networks: Vec<Network>,
}

/// A logical CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// The physical core that it is a hardware thread of, by the number of the core's lowest CPU.
    pub core: usize,
    /// The processor that it is in.
    pub package: Option<usize>,
    /// Its node; 0 where the kernel knows of none.
    pub node: usize,
    /// Whether it runs at all.
    pub is_online: bool,
    /// Whether the scheduler leaves it alone (`isolcpus=`).
    pub is_isolated: bool,
}

/// A NUMA node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its memory.
    pub memory_bytes: Option<u64>,
    /// How far its CPUs have it to the memory of each node, 10 being its own.
    pub distances: Vec<u32>,
}

impl Machine {
    /// Reads what is there.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let status = root.text("proc/self/status").unwrap_or_default();
        let list = |name| {
            let mut lines = status.lines();
            let list = lines.find_map(|line| line.strip_prefix(name));
            list.and_then(cpu_list::parse)
        };
        let mask = list("Cpus_allowed_list:");
        let nodes = root.numbered(NODES, "node");
        let cpus = read_cpus(root, &nodes, mask.as_ref());
        let online = cpus.iter().filter(|(_, cpu)| cpu.is_online);
        let online = online.map(|(number, _)| *number);
        let allowed = online.filter(|cpu| mask.as_ref().is_none_or(|mask| mask.contains(cpu)));
        let info = root.text("proc/cpuinfo").unwrap_or_default();
        Self {
            model: value(&info, "model name").map(str::to_owned),
            allowed: allowed.collect(),
            allowed_memory: list("Mems_allowed_list:").filter(|nodes| !nodes.is_empty()),
            cpus,
            nodes: nodes
                .into_iter()
                .map(|node| (node, Node::read(root, node)))
                .collect(),
            cgroup: Cgroup::read(root),
            memory_bytes: root
                .text("proc/meminfo")
                .and_then(|info| kilobytes(value(&info, "MemTotal")?)),
            disks: Disk::read_all(root),
            networks: Network::read_all(root),
        }
    }

    /// The memory that the process may use: the machine's, or less where a control group says so.
    #[must_use]
    pub fn usable_memory_bytes(&self) -> Option<u64> {
        let limits = self
            .memory_bytes
            .into_iter()
            .chain(self.cgroup.memory_bytes);
        limits.min()
    }

    /// The hardware threads of a physical core, whether or not they can be used.
    pub fn threads_of(&self, core: usize) -> impl Iterator<Item = usize> + '_ {
        let cpus = self.cpus.iter();
        let threads = cpus.filter(move |(_, cpu)| cpu.core == core);
        threads.map(|(number, _)| *number)
    }

    /// The node of a CPU.
    #[must_use]
    pub fn node_of(&self, cpu: usize) -> Option<usize> {
        self.cpus.get(&cpu).map(|cpu| cpu.node)
    }

    /// The nodes that have memory which the process may use; where there are several, it matters whose memory a thread uses.
    #[must_use]
    pub fn memory_nodes(&self) -> Vec<usize> {
        let nodes = self.nodes.iter();
        let with_memory = nodes.filter(|(_, node)| node.memory_bytes.is_none_or(|bytes| bytes > 0));
        let allowed = self.allowed_memory.as_ref();
        let usable = with_memory.filter(|(it, _)| allowed.is_none_or(|nodes| nodes.contains(it)));
        usable.map(|(number, _)| *number).collect()
    }
}

impl Node {
    fn read(root: &Root, node: usize) -> Self {
        let info = root.text(&format!("{NODES}/node{node}/meminfo"));
        let info = info.unwrap_or_default();
        let total = info.lines().find_map(|line| line.split_once("MemTotal:"));
        let distances = root.text(&format!("{NODES}/node{node}/distance"));
        Self {
            memory_bytes: total.and_then(|(_, total)| kilobytes(total)),
            distances: distances
                .unwrap_or_default()
                .split_whitespace()
                .filter_map(|distance| distance.parse().ok())
                .collect(),
        }
    }
}

fn read_cpus(root: &Root, nodes: &[usize], mask: Option<&BTreeSet<usize>>) -> BTreeMap<usize, Cpu> {
    let list = |path: String| root.text(&path).and_then(|text| cpu_list::parse(&text));
    let mut present: BTreeSet<usize> = root.numbered(CPUS, "cpu").into_iter().collect();
    if present.is_empty() {
        // Some sandboxes have no sysfs; the mask then says which CPUs there are.
        present = mask.cloned().unwrap_or_default();
    }
    let online = list(format!("{CPUS}/online"));
    let isolated = list(format!("{CPUS}/isolated")).unwrap_or_default();
    let mut node_of: BTreeMap<usize, usize> = BTreeMap::new();
    for &node in nodes {
        let cpus = list(format!("{NODES}/node{node}/cpulist")).unwrap_or_default();
        node_of.extend(cpus.into_iter().map(|cpu| (cpu, node)));
    }
    let cpus = present.into_iter().map(|number| {
        let topology = format!("{CPUS}/cpu{number}/topology");
        let siblings = list(format!("{topology}/thread_siblings_list"))
            .or_else(|| list(format!("{topology}/core_cpus_list")));
        let cpu = Cpu {
            core: siblings
                .and_then(|siblings| siblings.first().copied())
                .unwrap_or(number),
            package: root.number(&format!("{topology}/physical_package_id")),
            node: node_of.get(&number).copied().unwrap_or(0),
            is_online: online
                .as_ref()
                .is_none_or(|online| online.contains(&number)),
            is_isolated: isolated.contains(&number),
        };
        (number, cpu)
    });
    cpus.collect()
}

/// The value of the first `name: value`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = pairs.filter(|(found, _)| found.trim() == name);
    values.next().map(|(_, value)| value.trim())
}

/// `16 kB`, in bytes.
fn kilobytes(text: &str) -> Option<u64> {
    let number = text.trim().strip_suffix("kB")?.trim();
    number.parse::<u64>().ok()?.checked_mul(1024)
}
