//! Which cores run a shard: what the configuration asks for, if this machine has it.

use anyhow::{Context as _, Result};
use config::{BrokerConfig, ShardCores};
use runtime::{CorePlan, Seat};
use topology::{Choice, DataDirectory, Machine, Plan, Root};

use crate::log_lines::Lines;

/// A machine, and the plan for it.
#[derive(Debug)]
pub(crate) struct Cores {
    pub(crate) machine: Machine,
    /// Where the log directories lie.
    pub(crate) data: Vec<DataDirectory>,
    pub(crate) plan: Plan,
}

impl Cores {
    /// Looks at the machine below `root` and plans.
    ///
    /// # Errors
    /// When `shard.cores` cannot be followed there.
    pub(crate) fn plan(config: &BrokerConfig, root: &Root) -> Result<Self> {
        let machine = Machine::read(root);
        let directories = config.log_dirs.iter();
        let data: Vec<_> = directories
            .map(|path| DataDirectory::find(root, path))
            .collect();
        let choice = choice(&config.values.shard_cores);
        let plan = Plan::new(&choice, &machine, &data).context("shard.cores")?;
        config.check_shards(plan.shards.len())?;
        Ok(Self {
            machine,
            data,
            plan,
        })
    }

    /// How many shards there are.
    pub(crate) fn shard_count(&self) -> usize {
        self.plan.shards.len()
    }

    /// Where threads run.
    pub(crate) fn seats(&self) -> CorePlan {
        let seats = self.plan.shards.iter().map(|seat| Seat {
            cpu: seat.cpu,
            memory_node: seat.memory_node,
        });
        CorePlan {
            shards: seats.collect(),
            beside: self.plan.beside.clone(),
        }
    }

    /// Tells why, and moves the main thread and the one that writes the log beside the shards, with every thread that the main
    /// thread starts from now on. A shard pins itself elsewhere.
    pub(crate) fn settle(&self, lines: &Lines) {
        for reason in &self.plan.reasons {
            tracing::info!("{reason}");
        }
        for advice in &self.plan.advice {
            tracing::info!("advice: {advice}");
        }
        if self.plan.beside.is_empty() {
            return;
        }
        lines.settle(&self.plan.beside);
        if let Err(error) = runtime::stay_on(&self.plan.beside) {
            tracing::warn!(%error, "threads beside the shards run anywhere");
        }
    }

    /// The memory that the process may use, from which the default cache is sized.
    pub(crate) fn memory_bytes(&self) -> u64 {
        const UNKNOWN_BYTES: u64 = 1 << 30;
        self.machine.usable_memory_bytes().unwrap_or(UNKNOWN_BYTES)
    }
}

fn choice(cores: &ShardCores) -> Choice {
    match cores {
        ShardCores::Auto => Choice::Auto,
        ShardCores::Count(count) => Choice::Count(*count),
        ShardCores::List(cpus) => Choice::Cpus(cpus.clone()),
        ShardCores::Nodes(nodes) => Choice::Nodes(nodes.clone()),
    }
}
