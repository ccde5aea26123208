//! Clock rates and sleeping states of the CPUs that run shards.

use std::collections::BTreeSet;

use topology::cpu_list;

use super::finding::Finding;
use super::setting::write;
use super::target::Target;

const CPUS: &str = "sys/devices/system/cpu";
/// A state that takes longer to leave is noticed in latencies.
const EXIT_LATENCY_MAX_MICROS: u64 = 50;
const GOVERNOR: &str = "Other governors lower the clock between bursts and raise it milliseconds after the next one has \
    begun; a broker's load is nothing but bursts.";
const IDLE: &str = "A CPU that sleeps deeply takes 100 microseconds and more to wake up, as long as a whole produce request. \
    Shallow states remain. This costs power: leave it out where that matters more than the last percentile.";

/// The CPUs that shards run on, or may run on.
fn shard_cpus(target: &Target) -> BTreeSet<usize> {
    let pinned = target.plan.shard_cpus();
    if pinned.is_empty() {
        target.machine.allowed.clone()
    } else {
        pinned
    }
}

pub(super) fn governor(target: &Target) -> Vec<Finding> {
    let mut slow = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut changes = Vec::new();
    for cpu in shard_cpus(target) {
        let path = format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor");
        let Some(now) = target.root.text(&path) else {
            continue;
        };
        let offered = target.root.text(&format!(
            "{CPUS}/cpu{cpu}/cpufreq/scaling_available_governors"
        ));
        let is_offered = offered.is_none_or(|all| all.split(' ').any(|it| it == "performance"));
        if now != "performance" && is_offered {
            slow.insert(cpu);
            changes.push(write(path, "performance"));
        }
        names.insert(now);
    }
    if names.is_empty() {
        return vec![Finding::fine("CPUs of shards", "not to be set here")];
    }
    let now = names.into_iter().collect::<Vec<_>>().join(", ");
    if slow.is_empty() {
        return vec![Finding::fine("CPUs of shards", now)];
    }
    let subject = format!("CPUs {}", cpu_list::format(&slow));
    vec![Finding::fine(subject, now).change("performance", changes, GOVERNOR)]
}

pub(super) fn idle_states(target: &Target) -> Vec<Finding> {
    let mut sleepy = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut changes = Vec::new();
    for cpu in shard_cpus(target) {
        let idle = format!("{CPUS}/cpu{cpu}/cpuidle");
        for state in target.root.numbered(&idle, "state") {
            let state = format!("{idle}/state{state}");
            let latency: u64 = target.root.number(&format!("{state}/latency")).unwrap_or(0);
            let disable = format!("{state}/disable");
            let is_enabled = target.root.number::<u64>(&disable) == Some(0);
            if latency > EXIT_LATENCY_MAX_MICROS && is_enabled {
                sleepy.insert(cpu);
                names.extend(target.root.text(&format!("{state}/name")));
                changes.push(write(disable, &1));
            }
        }
    }
    if sleepy.is_empty() {
        return vec![Finding::fine("CPUs of shards", "no state is slow to leave")];
    }
    let now = format!(
        "sleep as deeply as {}",
        names.into_iter().collect::<Vec<_>>().join(", ")
    );
    let subject = format!("CPUs {}", cpu_list::format(&sleepy));
    let wanted = format!("states that end within {EXIT_LATENCY_MAX_MICROS} us");
    vec![Finding::fine(subject, now).change(wanted, changes, IDLE)]
}
