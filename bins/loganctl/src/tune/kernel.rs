//! Settings of the kernel as a whole.

use super::finding::Finding;
use super::setting::{chosen, offers, write};
use super::target::Target;

const SWAPPINESS: &str = "Logan holds what it caches in memory of its own and reads past the page cache. Swapping that out to \
    make room for files that nobody reads again turns the cache into a disk.";
const SWAPPINESS_MAX: u32 = 1;
const HUGE_PAGES: &str = "With `always` a thread that needs memory first waits for the kernel to move pages together, for \
    milliseconds. With `madvise` only those wait that ask for it, which Logan does not.";
const CLOCKSOURCE: &str = "Every request is timed. These clocks are read without a system call; others cost a microsecond or \
    more each time.";
/// Clocks that the kernel's vDSO reads.
const CLOCKS: [&str; 4] = [
    "tsc",
    "arch_sys_counter",
    "kvm-clock",
    "hyperv_clocksource_tsc_page",
];
const IO_URING: &str =
    "Logan does all of its input and output through io_uring and does not start without it.";
const LIMITS: &str = "A connection needs one descriptor and an active partition about three; clients that come all at once \
    wait in the backlog.";
/// Names and least values.
const LEAST: [(&str, u64); 3] = [
    ("proc/sys/fs/file-max", 1_000_000),
    ("proc/sys/fs/nr_open", 1_000_000),
    ("proc/sys/net/core/somaxconn", 4096),
];

pub(super) fn swappiness(target: &Target) -> Vec<Finding> {
    let path = "proc/sys/vm/swappiness";
    let Some(now) = target.root.number::<u32>(path) else {
        return Vec::new();
    };
    let finding = Finding::fine("vm.swappiness", now.to_string());
    let swaps = target.root.text("proc/swaps").unwrap_or_default();
    // The first line is a title.
    if now <= SWAPPINESS_MAX || swaps.lines().count() < 2 {
        return vec![finding];
    }
    vec![finding.change(
        SWAPPINESS_MAX.to_string(),
        vec![write(path, &SWAPPINESS_MAX)],
        SWAPPINESS,
    )]
}

pub(super) fn huge_pages(target: &Target) -> Vec<Finding> {
    let path = "sys/kernel/mm/transparent_hugepage/defrag";
    let Some(text) = target.root.text(path) else {
        return Vec::new();
    };
    let now = chosen(&text);
    let finding = Finding::fine("defrag", now);
    if now != "always" || !offers(&text, "madvise") {
        return vec![finding];
    }
    vec![finding.change("madvise", vec![write(path, "madvise")], HUGE_PAGES)]
}

pub(super) fn clocksource(target: &Target) -> Vec<Finding> {
    let folder = "sys/devices/system/clocksource/clocksource0";
    let path = format!("{folder}/current_clocksource");
    let Some(now) = target.root.text(&path) else {
        return Vec::new();
    };
    let all = target.root.text(&format!("{folder}/available_clocksource"));
    let all = all.unwrap_or_default();
    let finding = Finding::fine("current", &now);
    if CLOCKS.contains(&now.as_str()) {
        return vec![finding];
    }
    let offered = CLOCKS.into_iter().find(|clock| offers(&all, clock));
    vec![match offered {
        Some(clock) => finding.change(clock, vec![write(path, clock)], CLOCKSOURCE),
        None => finding.by_hand(
            CLOCKS[0],
            "the kernel has found the TSC unusable: its log (dmesg) says why; in a virtual machine the host decides",
            CLOCKSOURCE,
        ),
    }]
}

pub(super) fn io_uring(target: &Target) -> Vec<Finding> {
    let path = "proc/sys/kernel/io_uring_disabled";
    match target.root.number::<u8>(path) {
        None => vec![Finding::fine(
            "kernel.io_uring_disabled",
            "not there: always on",
        )],
        Some(0) => vec![Finding::fine("kernel.io_uring_disabled", "0")],
        Some(now) => {
            let finding = Finding::fine("kernel.io_uring_disabled", now.to_string());
            vec![finding.change("0", vec![write(path, &0)], IO_URING)]
        }
    }
}

pub(super) fn limits(target: &Target) -> Vec<Finding> {
    let found = LEAST.into_iter().filter_map(|(path, least)| {
        // The largest of them says that there is no limit, and has 19 digits.
        let now: u64 = target.root.number(path)?;
        let name = path.trim_start_matches("proc/sys/").replace('/', ".");
        let finding = Finding::fine(name, now.to_string());
        Some(if now >= least {
            finding
        } else {
            finding.change(
                format!("{least} or more"),
                vec![write(path, &least)],
                LIMITS,
            )
        })
    });
    found.collect()
}
