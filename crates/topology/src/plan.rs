//! The decision: which CPU each shard runs on, which ones are left for the threads beside them, and why.
//!
//! # Rules
//! - A shard takes a whole physical core; its other hardware threads are for the threads beside the shards.
//! - CPUs that are isolated from the scheduler belong to somebody who pins threads to them. That may be this broker, but only
//!   its operator knows: they are used when a list names them, or when the process may use nothing else.
//! - Where a quota leaves less time than there are cores, shards are as many as the quota pays for, and pinned nowhere: every
//!   container with the same quota would otherwise choose the same cores.
//! - A number of shards is placed on as few nodes as possible, those of the data first: a hop within a node is the cheaper one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use thiserror::Error;

use crate::advice;
use crate::cpu_list;
use crate::devices::DataDirectory;
use crate::machine::Machine;

/// The most shards that ids are there for.
const SHARDS_MAX: usize = u16::MAX as usize;
const MILLICPUS_PER_CPU: u64 = 1000;

/// What the configuration asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// One shard for each physical core that the process may use.
    #[default]
    Auto,
    /// So many shards; on physical cores first, then on their other hardware threads, pinned nowhere if there are more.
    Count(usize),
    /// One shard on each of these logical CPUs.
    Cpus(Vec<usize>),
    /// One shard for each physical core of these nodes that the process may use.
    Nodes(Vec<usize>),
}

/// Where a shard runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seat {
    /// The logical CPU that it is pinned to, if any.
    pub cpu: Option<usize>,
    /// The node whose memory it uses first; none where there is no choice.
    pub memory_node: Option<usize>,
}

/// Where the threads of a broker run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The shards by their ids.
    pub shards: Vec<Seat>,
    /// CPUs without a shard, for the threads beside them (control, watchdog, helpers); none if those may run anywhere.
    pub beside: Vec<usize>,
    /// Those of them that the router uses: near the network, and on cores without a shard where there are any.
    pub router: Vec<usize>,
    /// Why it is so.
    pub reasons: Vec<String>,
    /// What the operator might change.
    pub advice: Vec<String>,
}

/// A choice that cannot be followed on this machine.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// No shard at all.
    #[error("at least one shard is needed")]
    NoShard,
    /// More than shard ids go.
    #[error("{0} shards are more than {SHARDS_MAX}")]
    TooManyShards(usize),
    /// The machine has no such CPU.
    #[error("CPU {cpu} does not exist; this machine has the CPUs {present}")]
    NoCpu {
        /// The CPU that was asked for.
        cpu: usize,
        /// What there is, as a list.
        present: String,
    },
    /// The CPU does not run.
    #[error("CPU {cpu} is offline; these are online: {online}")]
    Offline {
        /// The CPU that was asked for.
        cpu: usize,
        /// What runs, as a list.
        online: String,
    },
    /// The affinity mask or cpuset of the process leaves the CPU out.
    #[error("CPU {cpu} is not among those that this process may use: {allowed}")]
    NotAllowed {
        /// The CPU that was asked for.
        cpu: usize,
        /// What would be right, as a list.
        allowed: String,
    },
    /// A CPU that is listed twice.
    #[error("CPU {0} is listed twice; shards share no CPU")]
    Repeated(usize),
    /// The machine has no such node.
    #[error("NUMA node {node} does not exist; this machine has the nodes {present}")]
    NoNode {
        /// The node that was asked for.
        node: usize,
        /// What there is, as a list.
        present: String,
    },
    /// The process may use no CPU of the node.
    #[error("NUMA node {node} has no CPU that this process may use: {allowed}")]
    EmptyNode {
        /// The node that was asked for.
        node: usize,
        /// What it may use, as a list.
        allowed: String,
    },
}

impl Plan {
    /// Decides. `data` are the log directories: a number of shards prefers their nodes, and advice is about them.
    ///
    /// # Errors
    /// When the choice names CPUs or nodes that may not be used, or no shard.
    pub fn new(
        choice: &Choice,
        machine: &Machine,
        data: &[DataDirectory],
    ) -> Result<Self, PlanError> {
        let mut draft = Draft::new(machine, data);
        let cpus = draft.choose(choice)?;
        match cpus.len() {
            0 => return Err(PlanError::NoShard),
            count if count > SHARDS_MAX => return Err(PlanError::TooManyShards(count)),
            _ => {}
        }
        Ok(draft.finish(cpus))
    }

    /// The CPUs that shards are pinned to.
    #[must_use]
    pub fn shard_cpus(&self) -> BTreeSet<usize> {
        self.shards.iter().filter_map(|seat| seat.cpu).collect()
    }
}

/// A plan that is being made.
struct Draft<'a> {
    machine: &'a Machine,
    data: &'a [DataDirectory],
    /// What may be used without being named.
    candidates: BTreeSet<usize>,
    reasons: Vec<String>,
}

impl<'a> Draft<'a> {
    fn new(machine: &'a Machine, data: &'a [DataDirectory]) -> Self {
        let mut reasons = Vec::new();
        let is_isolated = |cpu: &usize| machine.cpus.get(cpu).is_some_and(|cpu| cpu.is_isolated);
        let (isolated, usual): (BTreeSet<usize>, BTreeSet<usize>) =
            machine.allowed.iter().partition(|cpu| is_isolated(cpu));
        let count = machine.cpus.len();
        if machine.allowed.len() < count && !machine.allowed.is_empty() {
            let offline = machine.cpus.iter().filter(|(_, cpu)| !cpu.is_online);
            let offline: Vec<usize> = offline.map(|(number, _)| *number).collect();
            let mut reason = format!(
                "{} of {count} CPUs may be used: {}",
                machine.allowed.len(),
                cpu_list::format(&machine.allowed)
            );
            if !offline.is_empty() {
                reason += &format!(" (offline: {})", cpu_list::format(&offline));
            }
            reasons.push(reason);
        }
        let candidates = if usual.is_empty() { isolated } else { usual };
        Self {
            machine,
            data,
            candidates,
            reasons,
        }
    }

    fn say(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }

    fn choose(&mut self, choice: &Choice) -> Result<Vec<Option<usize>>, PlanError> {
        match choice {
            Choice::Auto => Ok(self.auto()),
            Choice::Count(count) => Ok(self.count(*count)),
            Choice::Cpus(cpus) => self.listed(cpus),
            Choice::Nodes(nodes) => self.on_nodes(nodes),
        }
    }

    fn auto(&mut self) -> Vec<Option<usize>> {
        let cores = self.cores(&self.node_order());
        if cores.is_empty() {
            self.say("the kernel does not say which CPUs there are: one shard, pinned nowhere");
            return vec![None];
        }
        if let Some(paid) = self.scarce_cpus(cores.len()) {
            self.say(format!(
                "a CPU quota of {} leaves less time than {} have: {}, pinned nowhere, as other containers would choose the same cores",
                self.quota_text(),
                counted(cores.len(), "core"),
                counted(paid, "shard")
            ));
            return vec![None; paid];
        }
        self.say(format!(
            "shard.cores=auto: one shard for each of {}",
            counted(cores.len(), "physical core")
        ));
        cores.into_iter().map(Some).collect()
    }

    fn count(&mut self, count: usize) -> Vec<Option<usize>> {
        let order = self.node_order_of_data();
        let cores = self.cores(&order);
        if self.scarce_cpus(cores.len()).is_some() {
            self.say(format!(
                "shard.cores={count}: pinned nowhere, since there is a CPU quota of {}",
                self.quota_text()
            ));
            self.warn_of_quota(count);
            return vec![None; count];
        }
        let siblings = self.siblings(&cores, &order);
        if count > cores.len() + siblings.len() {
            self.say(format!(
                "shard.cores={count}: more than the {} CPUs that may be used, so that none is pinned",
                cores.len() + siblings.len()
            ));
            return vec![None; count];
        }
        self.say(match count > cores.len() {
            false => format!("shard.cores={count}: on physical cores of their own"),
            true => format!(
                "shard.cores={count}: more than the {} physical cores, so that some share one",
                cores.len()
            ),
        });
        let cpus = cores.into_iter().chain(siblings).take(count);
        cpus.map(Some).collect()
    }

    fn listed(&mut self, cpus: &[usize]) -> Result<Vec<Option<usize>>, PlanError> {
        let mut seen = BTreeSet::new();
        for &cpu in cpus {
            self.check(cpu)?;
            if !seen.insert(cpu) {
                return Err(PlanError::Repeated(cpu));
            }
        }
        self.say(format!(
            "shard.cores names the CPUs {}",
            cpu_list::format(cpus)
        ));
        self.warn_of_quota(cpus.len());
        let cores = cpus.iter().filter_map(|cpu| self.machine.cpus.get(cpu));
        let cores: BTreeSet<usize> = cores.map(|cpu| cpu.core).collect();
        if cores.len() < cpus.len() {
            self.say("some of them are hardware threads of one core, and slow each other down");
        }
        Ok(cpus.iter().copied().map(Some).collect())
    }

    /// A CPU that is named may also be an isolated one outside the affinity mask, if the cpuset has it: isolation keeps
    /// it out of the mask of every process.
    fn check(&self, cpu: usize) -> Result<(), PlanError> {
        let machine = self.machine;
        if machine.allowed.contains(&cpu) {
            return Ok(());
        }
        let allowed = cpu_list::format(&machine.allowed);
        let Some(known) = machine.cpus.get(&cpu) else {
            return Err(PlanError::NoCpu {
                cpu,
                present: cpu_list::format(machine.cpus.keys()),
            });
        };
        let cpuset = machine.cgroup.cpuset.as_ref();
        match known {
            known if !known.is_online => {
                let online = machine.cpus.iter().filter(|(_, cpu)| cpu.is_online);
                Err(PlanError::Offline {
                    cpu,
                    online: cpu_list::format(online.map(|(number, _)| number)),
                })
            }
            known if known.is_isolated && cpuset.is_none_or(|cpuset| cpuset.contains(&cpu)) => {
                Ok(())
            }
            _ => Err(PlanError::NotAllowed { cpu, allowed }),
        }
    }

    fn on_nodes(&mut self, nodes: &[usize]) -> Result<Vec<Option<usize>>, PlanError> {
        let present = self.node_order();
        for &node in nodes {
            if !present.contains(&node) && !self.machine.nodes.contains_key(&node) {
                return Err(PlanError::NoNode {
                    node,
                    present: cpu_list::format(&present),
                });
            }
            if self.cores(&[node]).is_empty() {
                return Err(PlanError::EmptyNode {
                    node,
                    allowed: cpu_list::format(&self.machine.allowed),
                });
            }
        }
        let cores = self.cores(nodes);
        self.say(format!(
            "shard.cores names nodes: one shard for each of {} of {}",
            counted(cores.len(), "physical core"),
            cpu_list::format(nodes)
        ));
        self.warn_of_quota(cores.len());
        Ok(cores.into_iter().map(Some).collect())
    }

    /// One CPU of each physical core, node by node in this order.
    fn cores(&self, nodes: &[usize]) -> Vec<usize> {
        let mut first_of_core = BTreeMap::new();
        for cpu in &self.candidates {
            if let Some(known) = self.machine.cpus.get(cpu) {
                first_of_core.entry(known.core).or_insert(*cpu);
            }
        }
        let cpus: BTreeSet<usize> = first_of_core.into_values().collect();
        self.by_node(&cpus, nodes)
    }

    /// The hardware threads that are left.
    fn siblings(&self, cores: &[usize], nodes: &[usize]) -> Vec<usize> {
        let left = self.candidates.iter().filter(|cpu| !cores.contains(cpu));
        self.by_node(&left.copied().collect(), nodes)
    }

    fn by_node(&self, cpus: &BTreeSet<usize>, nodes: &[usize]) -> Vec<usize> {
        let on = |node| {
            let cpus = cpus.iter().copied();
            cpus.filter(move |cpu| self.machine.node_of(*cpu) == Some(node))
        };
        nodes.iter().flat_map(|&node| on(node)).collect()
    }

    /// The nodes that have CPUs, ascending.
    fn node_order(&self) -> Vec<usize> {
        let nodes = self.machine.cpus.values().map(|cpu| cpu.node);
        Vec::from_iter(nodes.collect::<BTreeSet<_>>())
    }

    /// The nodes of the data come first, then those of the network.
    fn node_order_of_data(&self) -> Vec<usize> {
        let data: BTreeSet<usize> = self.data.iter().filter_map(|data| data.node).collect();
        let linked = self.machine.networks.iter().filter(|it| it.is_up);
        let linked: BTreeSet<usize> = linked.filter_map(|it| it.node).collect();
        let mut order = self.node_order();
        order.sort_by_key(|node| (!data.contains(node), !linked.contains(node), *node));
        order
    }

    /// How many CPUs a quota pays for, if those are fewer than there are; at least one.
    fn scarce_cpus(&self, cores: usize) -> Option<usize> {
        let quota = self.machine.cgroup.quota_millicpus?;
        let paid = usize::try_from(quota / MILLICPUS_PER_CPU).unwrap_or(usize::MAX);
        (paid < cores).then_some(paid.max(1))
    }

    /// Says so where a quota pays for fewer shards than there are.
    fn warn_of_quota(&mut self, shards: usize) {
        if self.scarce_cpus(shards).is_some() {
            self.say(format!(
                "there are more shards than the quota pays for, {}: they wait for each other",
                self.quota_text()
            ));
        }
    }

    fn quota_text(&self) -> String {
        let quota = self.machine.cgroup.quota_millicpus.unwrap_or(0);
        let (whole, rest) = (quota / MILLICPUS_PER_CPU, quota % MILLICPUS_PER_CPU);
        let text = format!("{whole}.{rest:03}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        format!("{text} CPUs")
    }

    fn finish(mut self, cpus: Vec<Option<usize>>) -> Plan {
        let nodes = self.machine.memory_nodes();
        let seat = |cpu: Option<usize>| Seat {
            cpu,
            memory_node: cpu
                .and_then(|cpu| self.machine.node_of(cpu))
                .filter(|node| nodes.len() > 1 && nodes.contains(node)),
        };
        let shards: Vec<Seat> = cpus.into_iter().map(seat).collect();
        let mut plan = Plan {
            shards,
            ..Plan::default()
        };
        self.place_beside(&mut plan);
        if plan.shards.iter().any(|seat| seat.memory_node.is_some()) {
            self.say(format!(
                "memory: each shard takes that of its own node first, of {} nodes",
                nodes.len()
            ));
        }
        plan.reasons = self.reasons;
        plan.advice = advice::of(&plan, self.machine, self.data);
        plan
    }

    fn place_beside(&mut self, plan: &mut Plan) {
        let shards = plan.shard_cpus();
        if shards.is_empty() {
            self.say("router, control, watchdog and helpers run anywhere, as the shards do");
            return;
        }
        let core_of = |cpu: &usize| self.machine.cpus.get(cpu).map(|cpu| cpu.core);
        let cores: BTreeSet<usize> = shards.iter().filter_map(core_of).collect();
        let left = self.candidates.iter().filter(|cpu| !shards.contains(cpu));
        let (shared, free): (Vec<usize>, Vec<usize>) =
            left.partition(|cpu| core_of(cpu).is_some_and(|core| cores.contains(&core)));
        let linked = self.machine.networks.iter().filter(|it| it.is_up);
        let linked: BTreeSet<usize> = linked.filter_map(|it| it.node).collect();
        let near = |cpus: &[usize]| -> Vec<usize> {
            let near = cpus.iter().copied();
            near.filter(|cpu| {
                self.machine
                    .node_of(*cpu)
                    .is_some_and(|it| linked.contains(&it))
            })
            .collect()
        };
        let choices = [near(&free), free.clone(), near(&shared), shared.clone()];
        plan.router = choices
            .into_iter()
            .find(|cpus| !cpus.is_empty())
            .unwrap_or_default();
        let reason = match (free.is_empty(), shared.is_empty()) {
            (true, true) => {
                "router, control, watchdog and helpers run anywhere: every core has a shard"
                    .to_owned()
            }
            (true, false) => format!(
                "router, control, watchdog and helpers run beside the shards, on the other hardware threads of their cores: {}",
                cpu_list::format(&shared)
            ),
            (false, _) => format!(
                "router, control, watchdog and helpers run beside the shards, on {}",
                cpu_list::format(free.iter().chain(&shared))
            ),
        };
        self.say(reason);
        plan.beside = free.into_iter().chain(shared).collect();
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
