//! The machine that a run took place on, as far as it tells.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
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
    /// Below the directory that is written to.
    pub(crate) disk: Option<Disk>,
}

/// Where files lie.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Disk {
    pub(crate) file_system: Option<String>,
    pub(crate) mount_options: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) scheduler: Option<String>,
}

impl Machine {
    /// Asks the system; `directory` says which disk is meant.
    pub(crate) fn look(directory: &Path) -> Self {
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
            disk: Disk::below(directory),
        }
    }

    /// All of it in a line.
    pub(crate) fn line(&self) -> String {
        let unknown = || "unknown".to_owned();
        format!(
            "{} cores ({}), {} NUMA node(s), {:.1} GB, Linux {}, governor {}{}",
            self.cores,
            self.processor.clone().unwrap_or_else(unknown),
            self.numa_nodes,
            self.memory_bytes.unwrap_or(0) as f64 / 1e9,
            self.kernel.clone().unwrap_or_else(unknown),
            self.governor.clone().unwrap_or_else(unknown),
            self.disk.as_ref().map_or_else(String::new, Disk::line),
        )
    }
}

impl Disk {
    fn below(directory: &Path) -> Option<Self> {
        let device = fs::metadata(directory).ok()?.dev();
        let number = format!(
            "{}:{}",
            rustix::fs::major(device),
            rustix::fs::minor(device)
        );
        let mounts = read("/proc/self/mountinfo").unwrap_or_default();
        let mount = mounts.lines().find_map(|line| parse_mount(line, &number));
        let (file_system, mount_options) = mount.unzip();
        // A partition has no queue of its own; the disk stands above it.
        let own = fs::canonicalize(format!("/sys/dev/block/{number}")).ok();
        let whole = own.as_ref().and_then(|own| {
            let mut candidates = own.ancestors().take(2);
            candidates.find(|path| path.join("queue").is_dir())
        });
        let fact = |name: &str| read(whole?.join(name).to_str()?);
        let name = whole.and_then(|path| path.file_name());
        Some(Self {
            file_system,
            mount_options,
            device: name.map(|name| name.to_string_lossy().into_owned()),
            model: fact("device/model"),
            scheduler: fact("queue/scheduler").map(|all| chosen(&all)),
        })
    }

    fn line(&self) -> String {
        let unknown = || "unknown".to_owned();
        format!(
            ", {} on {} (model {}, scheduler {})",
            self.file_system.clone().unwrap_or_else(unknown),
            self.device.clone().unwrap_or_else(unknown),
            self.model.clone().unwrap_or_else(unknown),
            self.scheduler.clone().unwrap_or_else(unknown),
        )
    }
}

/// File system and options of the mount of this device. Source: proc_pid_mountinfo(5).
fn parse_mount(line: &str, device: &str) -> Option<(String, String)> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(2);
    (left.next() == Some(device)).then_some(())?;
    let options = left.nth(2)?;
    let file_system = right.split(' ').next()?;
    Some((file_system.to_owned(), options.to_owned()))
}

/// The one in brackets.
fn chosen(schedulers: &str) -> String {
    let behind = schedulers.split_once('[').map(|(_, behind)| behind);
    let found = behind.and_then(|behind| behind.split_once(']'));
    found.map_or(schedulers, |(found, _)| found).to_owned()
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
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
        assert!(Machine::look(Path::new(".")).cores > 0);
    }

    #[test]
    fn a_mount_is_found_by_its_device() {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let found = parse_mount(line, "98:0");
        assert_eq!(found, Some(("ext3".to_owned(), "rw,noatime".to_owned())));
        assert_eq!(parse_mount(line, "98:1"), None);
    }

    #[test]
    fn the_scheduler_in_use_stands_in_brackets() {
        assert_eq!(chosen("none [mq-deadline] kyber"), "mq-deadline");
        assert_eq!(chosen("none"), "none");
    }
}
