//! Which cores the shards run on.
//!
//! Plain decisions over what the operating system reports; nothing is pinned here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use thiserror::Error;

/// What the configuration asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CoreChoice {
    /// One shard for each physical core that the process may use.
    #[default]
    Auto,
    /// So many shards; on physical cores first, then on their other hardware threads, unpinned if there are more.
    Count(usize),
    /// One shard on each of these logical CPUs.
    List(Vec<usize>),
}

/// The logical CPUs that the process may use, each with the physical core that it is a hardware thread of.
///
/// A physical core is named by its lowest hardware thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    core_of_cpu: BTreeMap<usize, usize>,
}

/// Where shards and helper threads run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorePlan {
    /// The CPU of each shard, by shard index; `None` for a shard that is not pinned.
    pub shards: Vec<Option<usize>>,
    /// CPUs that the process may use and that no shard is pinned to.
    pub spare: Vec<usize>,
}

/// A choice that cannot be followed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CorePlanError {
    /// No shard at all.
    #[error("at least one shard is needed")]
    NoShard,
    /// More than shard ids go.
    #[error("{0} shards are more than {max}", max = u16::MAX)]
    TooManyShards(usize),
    /// A CPU that does not exist, or that the affinity mask or cpuset of the process leaves out.
    #[error("CPU {cpu} is not among those that this process may use: {allowed:?}")]
    NotAllowed {
        /// The CPU that was asked for.
        cpu: usize,
        /// What would be right.
        allowed: Vec<usize>,
    },
    /// A CPU that is listed twice.
    #[error("CPU {0} is listed twice; shards share no CPU")]
    Repeated(usize),
}

impl Topology {
    /// Reads the affinity mask of the process and the hardware threads in sysfs. Where sysfs is missing every CPU
    /// counts as a core of its own.
    #[must_use]
    pub fn detect() -> Self {
        let allowed = core_affinity::get_core_ids().unwrap_or_default();
        let pairs = allowed.into_iter().map(|core| {
            let path = format!(
                "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list",
                core.id
            );
            let first = fs::read_to_string(path)
                .ok()
                .and_then(|siblings| lowest_cpu(&siblings));
            (core.id, first.unwrap_or(core.id))
        });
        Self::new(pairs)
    }

    /// Makes one of pairs of a logical CPU and its physical core.
    pub fn new(core_of_cpu: impl IntoIterator<Item = (usize, usize)>) -> Self {
        Self {
            core_of_cpu: core_of_cpu.into_iter().collect(),
        }
    }

    fn cpus(&self) -> Vec<usize> {
        self.core_of_cpu.keys().copied().collect()
    }

    /// One hardware thread of each physical core, then the others.
    fn physical_first(&self) -> (Vec<usize>, Vec<usize>) {
        let mut cores_seen = BTreeSet::new();
        let (first, others): (Vec<_>, Vec<_>) = self
            .core_of_cpu
            .iter()
            .partition(|&(_, core)| cores_seen.insert(*core));
        let cpus = |pairs: Vec<(&usize, &usize)>| pairs.into_iter().map(|(&cpu, _)| cpu).collect();
        (cpus(first), cpus(others))
    }
}

impl CorePlan {
    /// Decides where shards run.
    ///
    /// # Errors
    /// When the choice names CPUs that may not be used, or no shard.
    pub fn new(choice: &CoreChoice, topology: &Topology) -> Result<Self, CorePlanError> {
        let (physical, others) = topology.physical_first();
        let shards = match choice {
            CoreChoice::Auto if physical.is_empty() => vec![None],
            CoreChoice::Auto => physical.into_iter().map(Some).collect(),
            CoreChoice::Count(count) if *count > physical.len() + others.len() => {
                vec![None; *count]
            }
            CoreChoice::Count(count) => physical
                .into_iter()
                .chain(others)
                .take(*count)
                .map(Some)
                .collect(),
            CoreChoice::List(cpus) => pinned_to(cpus, topology)?,
        };
        match shards.len() {
            0 => return Err(CorePlanError::NoShard),
            count if count > usize::from(u16::MAX) => {
                return Err(CorePlanError::TooManyShards(count));
            }
            _ => {}
        }
        let spare = topology
            .cpus()
            .into_iter()
            .filter(|&cpu| !shards.contains(&Some(cpu)))
            .collect();
        Ok(Self { shards, spare })
    }
}

fn pinned_to(cpus: &[usize], topology: &Topology) -> Result<Vec<Option<usize>>, CorePlanError> {
    let mut shards = Vec::with_capacity(cpus.len());
    for &cpu in cpus {
        if !topology.core_of_cpu.contains_key(&cpu) {
            return Err(CorePlanError::NotAllowed {
                cpu,
                allowed: topology.cpus(),
            });
        }
        if shards.contains(&Some(cpu)) {
            return Err(CorePlanError::Repeated(cpu));
        }
        shards.push(Some(cpu));
    }
    Ok(shards)
}

/// The first number of a sysfs CPU list such as `0,64` or `2-3`; lists are sorted.
fn lowest_cpu(list: &str) -> Option<usize> {
    let digits = list
        .trim_start()
        .split(|c: char| !c.is_ascii_digit())
        .next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four CPUs on two cores; 0 and 2 are the first hardware threads.
    fn two_cores() -> Topology {
        Topology::new([(0, 0), (1, 0), (2, 2), (3, 2)])
    }

    fn plan(choice: &CoreChoice, topology: &Topology) -> (Vec<Option<usize>>, Vec<usize>) {
        let plan = CorePlan::new(choice, topology).expect("a plan");
        (plan.shards, plan.spare)
    }

    #[test]
    fn auto_takes_one_hardware_thread_of_each_core() {
        let (shards, spare) = plan(&CoreChoice::Auto, &two_cores());
        assert_eq!(shards, [Some(0), Some(2)]);
        assert_eq!(spare, [1, 3]);
    }

    #[test]
    fn auto_respects_an_affinity_mask_without_the_first_thread() {
        let (shards, spare) = plan(&CoreChoice::Auto, &Topology::new([(1, 0), (2, 2), (3, 2)]));
        assert_eq!(shards, [Some(1), Some(2)]);
        assert_eq!(spare, [3]);
    }

    #[test]
    fn auto_runs_one_unpinned_shard_where_nothing_is_known() {
        let (shards, _) = plan(&CoreChoice::Auto, &Topology::new([]));
        assert_eq!(shards, [None]);
    }

    #[test]
    fn a_count_fills_physical_cores_first() {
        let (shards, spare) = plan(&CoreChoice::Count(3), &two_cores());
        assert_eq!(shards, [Some(0), Some(2), Some(1)]);
        assert_eq!(spare, [3]);
    }

    #[test]
    fn more_shards_than_cpus_are_unpinned() {
        let (shards, spare) = plan(&CoreChoice::Count(5), &two_cores());
        assert_eq!(shards, [None; 5]);
        assert_eq!(spare, [0, 1, 2, 3]);
    }

    #[test]
    fn impossible_choices_are_refused() {
        let error = |choice| CorePlan::new(&choice, &two_cores()).expect_err("impossible");
        assert_eq!(error(CoreChoice::Count(0)), CorePlanError::NoShard);
        assert_eq!(error(CoreChoice::List(vec![])), CorePlanError::NoShard);
        assert_eq!(
            error(CoreChoice::List(vec![1, 1])),
            CorePlanError::Repeated(1)
        );
        assert_eq!(
            error(CoreChoice::List(vec![9])).to_string(),
            "CPU 9 is not among those that this process may use: [0, 1, 2, 3]"
        );
        assert_eq!(
            error(CoreChoice::Count(70_000)),
            CorePlanError::TooManyShards(70_000)
        );
    }

    #[test]
    fn sysfs_lists_are_read() {
        assert_eq!(lowest_cpu("0,64\n"), Some(0));
        assert_eq!(lowest_cpu("12-13\n"), Some(12));
        assert_eq!(lowest_cpu(""), None);
    }

    #[test]
    fn this_machine_has_a_cpu() {
        let plan = CorePlan::new(&CoreChoice::Auto, &Topology::detect()).expect("a plan");
        assert!(!plan.shards.is_empty());
    }
}
