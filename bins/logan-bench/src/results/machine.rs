//! The machine that a run took place on, as far as it tells.

use std::fs;
use std::thread;

use serde::Serialize;

/// Facts that another person needs to judge figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// Cores that the harness may use.
    pub(crate) cores: usize,
    pub(crate) processor: Option<String>,
    pub(crate) numa_nodes: usize,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) kernel: Option<String>,
    pub(crate) governor: Option<String>,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path: &str| {
            fs::read_to_string(path)
                .ok()
                .map(|text| text.trim().to_owned())
        };
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = read("/proc/meminfo").and_then(|text| value(&text, "MemTotal"));
        let kilobytes = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let nodes = fs::read_dir("/sys/devices/system/node").map(|entries| {
            let names = entries.flatten().map(|entry| entry.file_name());
            names
                .filter(|name| is_numa_node(&name.to_string_lossy()))
                .count()
        });
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            processor: read("/proc/cpuinfo").and_then(|text| value(&text, "model name")),
            numa_nodes: nodes.unwrap_or(0).max(1),
            memory_bytes: kilobytes.map(|kilobytes| kilobytes * 1024),
            kernel: read("/proc/sys/kernel/osrelease"),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        }
    }

    /// All of it in a line.
    pub(crate) fn line(&self) -> String {
        let unknown = || "unknown".to_owned();
        format!(
            "{} cores ({}), {} NUMA node(s), {:.1} GB, Linux {}, governor {}",
            self.cores,
            self.processor.clone().unwrap_or_else(unknown),
            self.numa_nodes,
            self.memory_bytes.unwrap_or(0) as f64 / 1e9,
            self.kernel.clone().unwrap_or_else(unknown),
            self.governor.clone().unwrap_or_else(unknown),
        )
    }
}

fn is_numa_node(name: &str) -> bool {
    let digits = name.strip_prefix("node");
    digits.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbered_nodes_count() {
        assert!(is_numa_node("node0"));
        assert!(!is_numa_node("node") && !is_numa_node("possible") && !is_numa_node("nodex"));
        assert!(Machine::look().cores > 0);
    }
}
