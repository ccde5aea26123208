//! What control groups leave to the process: a part of the CPUs' time, some of the CPUs, some of the memory.
//!
//! Both versions are read. Limits of groups further up count too, and the lowest one wins. Within a container the path
//! that `/proc/self/cgroup` names is often not there, since the mount begins at the container's own group: then the root
//! of the mount speaks for it.
//!
//! Source: the kernel's admin-guide/cgroup-v2 and cgroup-v1.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cpu_list;
use crate::root::{Root, ancestors};

/// Version 1 writes "no limit of memory" as a number near this one.
const NO_MEMORY_LIMIT_MIN: u64 = 1 << 60;

/// Limits of the process; `None` where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cgroup {
    /// The time of CPUs in thousandths of one CPU: 2500 is two and a half.
    pub quota_millicpus: Option<u64>,
    /// The CPUs of the cpuset.
    pub cpuset: Option<BTreeSet<usize>>,
    /// The memory, caches of files included.
    pub memory_bytes: Option<u64>,
}

impl Cgroup {
    /// Reads the limits.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let text = root.text("proc/self/cgroup").unwrap_or_default();
        let mut found = Self::default();
        for line in text.lines() {
            let mut parts = line.splitn(3, ':');
            let (_, Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            for hierarchy in hierarchies(root, controllers) {
                found.tighten(root, &hierarchy, path.trim_matches('/'));
            }
        }
        found
    }

    /// Takes what the groups of one hierarchy say.
    fn tighten(&mut self, root: &Root, hierarchy: &str, path: &str) {
        let groups = ancestors(path).map(|group| format!("{hierarchy}/{group}"));
        for group in groups.chain([hierarchy.to_owned()]) {
            self.quota_millicpus = least(self.quota_millicpus, quota(root, &group));
            self.memory_bytes = least(self.memory_bytes, memory(root, &group));
            if self.cpuset.is_none() {
                self.cpuset = cpuset(root, &group);
            }
        }
    }
}

/// Where the hierarchy with these controllers is mounted; version 2 has one without names.
fn hierarchies(root: &Root, controllers: &str) -> Vec<String> {
    let mounts = match controllers {
        "" => vec![
            "sys/fs/cgroup/unified".to_owned(),
            "sys/fs/cgroup".to_owned(),
        ],
        _ => {
            let single = controllers
                .split(',')
                .map(|one| format!("sys/fs/cgroup/{one}"));
            let all = format!("sys/fs/cgroup/{controllers}");
            std::iter::once(all).chain(single).collect()
        }
    };
    mounts
        .into_iter()
        .filter(|mount| root.has(mount))
        .take(1)
        .collect()
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

fn quota(root: &Root, group: &str) -> Option<u64> {
    let (quota, period) = match root.text(&format!("{group}/cpu.max")) {
        Some(text) => {
            let (quota, period) = text.split_once(' ')?;
            (quota.parse().ok()?, period.trim().parse().ok()?)
        }
        None => (
            root.number::<u64>(&format!("{group}/cpu.cfs_quota_us"))?,
            root.number::<u64>(&format!("{group}/cpu.cfs_period_us"))?,
        ),
    };
    quota.saturating_mul(1000).checked_div(period)
}

fn memory(root: &Root, group: &str) -> Option<u64> {
    let limit = root
        .number(&format!("{group}/memory.max"))
        .or_else(|| root.number(&format!("{group}/memory.limit_in_bytes")));
    limit.filter(|limit| *limit < NO_MEMORY_LIMIT_MIN)
}

fn cpuset(root: &Root, group: &str) -> Option<BTreeSet<usize>> {
    let names = [
        "cpuset.cpus.effective",
        "cpuset.effective_cpus",
        "cpuset.cpus",
    ];
    let lists = names.into_iter().filter_map(|name| {
        let text = root.text(&format!("{group}/{name}"))?;
        cpu_list::parse(&text).filter(|cpus| !cpus.is_empty())
    });
    lists.into_iter().next()
}
