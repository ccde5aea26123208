//! The queues of the disks that hold log directories.

use topology::Disk;

use super::finding::Finding;
use super::setting::{chosen, offers, write};
use super::target::Target;

const SCHEDULER: &str = "Logan writes large blocks in order and reads ahead by itself. On flash, and on virtual disks whose \
    host sorts again, a scheduler only adds CPU time to each request; heads that move want mq-deadline.";
const MERGES: &str = "Logan's requests are as large as the disk takes and lie beside none that could be merged: looking for \
    neighbours costs CPU time for nothing. On disks with moving heads merges are worth it.";
/// No looking for merges at all. Source: the kernel's ABI/stable/sysfs-block.
const NO_MERGES: u8 = 2;

/// Whether heads move. Virtual disks often claim it and know nothing of it.
fn has_heads(disk: &Disk) -> bool {
    let is_virtual = ["vd", "xvd"].iter().any(|it| disk.name.starts_with(it));
    disk.is_rotational == Some(true) && !is_virtual
}

pub(super) fn scheduler(target: &Target) -> Vec<Finding> {
    let found = target.disks().into_iter().filter_map(|disk| {
        let path = format!("sys/block/{}/queue/scheduler", disk.name);
        let text = target.root.text(&path)?;
        let now = chosen(&text);
        let wanted = if has_heads(disk) {
            "mq-deadline"
        } else {
            "none"
        };
        let finding = Finding::fine(&disk.name, now);
        Some(if now == wanted || !offers(&text, wanted) {
            finding
        } else {
            finding.change(wanted, vec![write(path, wanted)], SCHEDULER)
        })
    });
    found.collect()
}

pub(super) fn merges(target: &Target) -> Vec<Finding> {
    let found = target.disks().into_iter().filter_map(|disk| {
        let path = format!("sys/block/{}/queue/nomerges", disk.name);
        let now: u8 = target.root.number(&path)?;
        let finding = Finding::fine(&disk.name, format!("nomerges {now}"));
        Some(if has_heads(disk) || now == NO_MERGES {
            finding
        } else {
            let wanted = format!("nomerges {NO_MERGES}");
            finding.change(wanted, vec![write(path, &NO_MERGES)], MERGES)
        })
    });
    found.collect()
}
