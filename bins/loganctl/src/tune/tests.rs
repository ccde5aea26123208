//! Tuners on machines that are trees of files.

use std::fs;
use std::path::PathBuf;

use command_line::{ColorWhen, Output, OutputFormat};
use tempfile::TempDir;

use super::finding::{Change, Finding, Verdict};
use super::{TUNERS, apply, examine, explained, script};
use crate::cli::TuneOptions;

#[path = "../../../../crates/topology/fixtures/mod.rs"]
mod fixture;

/// What a machine of two sockets has on top of its shape, with everything as distributions leave it.
const SETTINGS: &str = "\
proc/sys/vm/swappiness: 60
proc/swaps: Filename\\tType\\tSize\\n/dev/sda2\\tpartition\\t8388604
proc/sys/kernel/io_uring_disabled: 2
proc/sys/fs/file-max: 9223372036854775807
proc/sys/fs/nr_open: 1048576
proc/sys/net/core/somaxconn: 128
sys/kernel/mm/transparent_hugepage/defrag: [always] defer defer+madvise madvise never
sys/devices/system/clocksource/clocksource0/current_clocksource: hpet
sys/devices/system/clocksource/clocksource0/available_clocksource: tsc hpet acpi_pm
sys/devices/system/cpu/cpu[0-127]/cpufreq/scaling_governor: powersave
sys/devices/system/cpu/cpu[0-127]/cpufreq/scaling_available_governors: performance powersave
sys/devices/system/cpu/cpu[0-127]/cpuidle/state1/latency: 2
sys/devices/system/cpu/cpu[0-127]/cpuidle/state1/disable: 0
sys/devices/system/cpu/cpu[0-127]/cpuidle/state2/name: C6
sys/devices/system/cpu/cpu[0-127]/cpuidle/state2/latency: 133
sys/devices/system/cpu/cpu[0-127]/cpuidle/state2/disable: 0
sys/block/nvme0n1/queue/scheduler: [mq-deadline] none
sys/block/nvme0n1/queue/nomerges: 0
sys/block/sda/queue/scheduler: [mq-deadline] none
proc/irq/[200-203]/smp_affinity_list: 0-127
proc/irq/[300-315]/smp_affinity_list: 0-127
var/lib/logan/meta.properties: version=1";

struct Host {
    root: TempDir,
    options: TuneOptions,
}

impl Host {
    fn new(machine: &str, settings: &str) -> Self {
        let root = TempDir::new().expect("a directory");
        fixture::unpack(machine, root.path());
        fixture::unpack_text(settings, root.path()).expect("files");
        let options = TuneOptions {
            tuners: Vec::new(),
            config: None,
            root: root.path().to_owned(),
        };
        Self { root, options }
    }

    fn findings(&self) -> Vec<Finding> {
        examine(&self.options).expect("the machine can be read")
    }

    /// What is said of one thing.
    fn finding(&self, tuner: &str, subject: &str) -> Finding {
        let found = self.findings().into_iter();
        let mut found = found.filter(|it| it.tuner == tuner && it.subject.contains(subject));
        found.next().expect("it is found")
    }

    fn text(&self, path: &str) -> String {
        let text = fs::read_to_string(self.root.path().join(path)).expect("a file");
        text.trim().to_owned()
    }
}

#[test]
fn every_tuner_finds_what_is_wrong_and_says_why() {
    let host = Host::new("two-sockets", SETTINGS);
    let findings = host.findings();
    for (name, _) in TUNERS {
        let mut of_tuner = findings.iter().filter(|it| it.tuner == *name);
        if *name == "irq-disk" {
            assert!(
                of_tuner.all(|it| it.verdict == Verdict::Fine),
                "NVMe cares for itself"
            );
            continue;
        }
        let open = of_tuner.find(|it| it.verdict == Verdict::Change);
        let open = open.expect(name);
        assert!(open.why.len() > 40 && !open.changes.is_empty(), "{open:?}");
    }
    let told = explained(&findings, &Output::plain(OutputFormat::Table));
    assert_eq!(told.matches("\nswappiness\n").count(), 1, "{told}");
}

#[test]
fn interrupts_move_beside_the_shards_at_the_device_s_node() {
    let host = Host::new("two-sockets", SETTINGS);
    let finding = host.finding("irq-network", "ens1f0");
    assert_eq!(
        (finding.now.as_str(), finding.wanted.as_str()),
        ("CPUs 32-47", "CPUs 96-127")
    );
    assert_eq!(finding.changes.len(), 16);
    assert_eq!(
        finding.changes[1],
        Change::Write {
            path: "proc/irq/301/smp_affinity_list".to_owned(),
            text: "97".to_owned()
        }
    );
    // Where every core has a shard there is no better place.
    let host = Host::new("one-node", "");
    assert_eq!(host.finding("irq-network", "eth0").verdict, Verdict::Fine);
}

#[test]
fn only_disks_that_hold_data_are_tuned() {
    let host = Host::new("two-sockets", SETTINGS);
    assert_eq!(host.finding("disk-scheduler", "nvme0n1").wanted, "none");
    assert!(host.findings().iter().all(|it| it.subject != "sda"));
}

#[test]
fn disks_with_heads_keep_their_scheduler_and_virtual_ones_have_none() {
    let settings = "\
sys/block/sdb/queue/rotational: 1
sys/block/sdb/queue/scheduler: [none] mq-deadline
sys/block/sdb/queue/nomerges: 0
sys/block/vda/queue/rotational: 1
sys/block/vda/queue/scheduler: none [mq-deadline]
sys/block/vda/queue/nomerges: 2";
    let host = Host::new("quota", settings);
    assert_eq!(host.finding("disk-scheduler", "sdb").wanted, "mq-deadline");
    assert_eq!(host.finding("disk-merges", "sdb").verdict, Verdict::Fine);
    assert_eq!(host.finding("disk-scheduler", "vda").wanted, "none");
    assert_eq!(host.finding("disk-merges", "vda").verdict, Verdict::Fine);
}

#[test]
fn what_is_well_set_or_not_there_is_fine() {
    let settings = "\
proc/sys/vm/swappiness: 60
proc/swaps: Filename\\tType\\tSize
proc/sys/kernel/io_uring_disabled: 0
sys/kernel/mm/transparent_hugepage/defrag: always defer defer+madvise [madvise] never
sys/devices/system/clocksource/clocksource0/current_clocksource: kvm-clock
sys/devices/system/clocksource/clocksource0/available_clocksource: kvm-clock hpet
sys/devices/system/cpu/cpu[0-7]/cpufreq/scaling_governor: performance";
    let host = Host::new("one-node", settings);
    for finding in host.findings() {
        assert_eq!(finding.verdict, Verdict::Fine, "{finding:?}");
    }
}

#[test]
fn a_clock_that_the_kernel_does_not_offer_is_for_the_operator() {
    let settings = "\
sys/devices/system/clocksource/clocksource0/current_clocksource: hpet
sys/devices/system/clocksource/clocksource0/available_clocksource: hpet acpi_pm";
    let host = Host::new("one-node", settings);
    let finding = host.finding("clocksource", "current");
    assert_eq!(finding.verdict, Verdict::ByHand);
    assert!(finding.by_hand.expect("advice").contains("dmesg"));
}

#[test]
fn applying_leaves_nothing_to_change_and_touches_nothing_else() {
    let host = Host::new("two-sockets", SETTINGS);
    // A ballast needs room of which a test may have none.
    let tuners = TUNERS.iter().map(|(name, _)| (*name).to_owned());
    let options = TuneOptions {
        tuners: tuners.filter(|name| name != "ballast").collect(),
        config: None,
        root: host.root.path().to_owned(),
    };
    let output = Output::local(OutputFormat::Table, ColorWhen::Never);
    let findings = examine(&options).expect("findings");
    apply::apply(&findings, &options.root, true, &output).expect("a dry run");
    assert_eq!(host.text("proc/sys/vm/swappiness"), "60");
    apply::apply(&findings, &options.root, false, &output).expect("all of it");
    assert_eq!(host.text("proc/sys/vm/swappiness"), "1");
    assert_eq!(
        host.text("sys/devices/system/cpu/cpu63/cpufreq/scaling_governor"),
        "performance"
    );
    assert_eq!(
        host.text("sys/devices/system/cpu/cpu64/cpufreq/scaling_governor"),
        "powersave"
    );
    assert_eq!(
        host.text("sys/devices/system/cpu/cpu0/cpuidle/state1/disable"),
        "0"
    );
    assert_eq!(
        host.text("sys/devices/system/cpu/cpu0/cpuidle/state2/disable"),
        "1"
    );
    assert_eq!(host.text("proc/irq/315/smp_affinity_list"), "111");
    assert_eq!(host.text("proc/irq/200/smp_affinity_list"), "0-127");
    let twice = apply::apply(&findings, &options.root.join("elsewhere"), false, &output);
    assert!(twice.is_err(), "a setting that is not there is not made up");
    assert!(!options.root.join("elsewhere").exists());
}

#[test]
fn the_script_does_what_applying_does() {
    let host = Host::new("two-sockets", SETTINGS);
    let findings = host.findings();
    let text = script::script(&findings, host.root.path());
    assert!(text.contains("# swappiness: Logan holds"), "{text}");
    let without_ballast = text.lines().filter(|line| !line.starts_with("fallocate"));
    let path = host.root.path().join("tune.sh");
    fs::write(&path, Vec::from_iter(without_ballast).join("\n")).expect("a file");
    let run = std::process::Command::new("sh")
        .arg(&path)
        .output()
        .expect("a shell");
    assert!(run.status.success(), "{run:?}");
    let left = host.findings().into_iter();
    // The fixture's disks and interrupts also say where they are in files that only a kernel changes.
    let left = left.filter(|it| it.verdict == Verdict::Change);
    let left: Vec<_> = left.map(|it| it.tuner).collect();
    assert!(
        left.iter().all(|it| [
            "irq-network",
            "disk-scheduler",
            "transparent-huge-pages",
            "ballast"
        ]
        .contains(it)),
        "{left:?}"
    );
    assert_eq!(host.text("sys/block/nvme0n1/queue/scheduler"), "none");
    assert_eq!(
        host.text("sys/kernel/mm/transparent_hugepage/defrag"),
        "madvise"
    );
}

#[test]
fn a_ballast_is_a_hundredth_of_a_small_disk_and_a_gibibyte_of_a_large_one() {
    let host = Host::new("two-sockets", SETTINGS);
    let finding = host.finding("ballast", "/var/lib/logan/ballast");
    let bytes = 1 << 30;
    let path = PathBuf::from("var/lib/logan/ballast");
    assert_eq!(finding.changes, [Change::Reserve { path, bytes }]);
    fs::write(host.root.path().join("var/lib/logan/ballast"), "0").expect("a file");
    assert_eq!(host.finding("ballast", "ballast").verdict, Verdict::Fine);
}

#[test]
fn a_small_ballast_is_made_and_found_again() {
    let host = Host::new("two-sockets", SETTINGS);
    let path = PathBuf::from("var/lib/logan/ballast");
    let reserve = Finding::fine("", "").change("", vec![Change::Reserve { path, bytes: 4096 }], "");
    let output = Output::local(OutputFormat::Table, ColorWhen::Never);
    apply::apply(&[reserve], host.root.path(), false, &output).expect("there is room");
    assert_eq!(host.finding("ballast", "ballast").verdict, Verdict::Fine);
}

#[test]
fn tuners_that_nobody_knows_are_refused() {
    let mut host = Host::new("one-node", "");
    host.options.tuners = vec!["turbo".to_owned()];
    let refused = examine(&host.options).expect_err("there is none");
    assert_eq!(refused.to_string(), "there is no tuner turbo");
}
