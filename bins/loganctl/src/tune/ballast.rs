//! A file of zeros in each log directory that an operator can delete when the disk is full.

use std::fs;
use std::path::Path;

use super::finding::{Change, Finding};
use super::target::Target;

/// Its name in the log directory. No partition is called so, since those end in a dash and a number.
pub(super) const NAME: &str = "ballast";
const BYTES: u64 = 1 << 30;
/// A smaller disk gives this part of itself.
const PART: u64 = 100;
const WHY: &str = "When a disk is full, deleting topics and shortening retention need room themselves, and there is no time to \
    look for files. Deleting the ballast gives that room at once.";

pub(super) fn ballast(target: &Target) -> Vec<Finding> {
    let found = target.data.iter().filter_map(|data| {
        let inside = data.path.strip_prefix("/").unwrap_or(&data.path);
        let directory = target.root.locate("").join(inside);
        directory.is_dir().then_some(())?;
        let subject = data.path.join(NAME).display().to_string();
        let is_there = fs::metadata(directory.join(NAME)).is_ok_and(|file| file.len() > 0);
        let finding = Finding::fine(subject, if is_there { "there" } else { "none" });
        if is_there {
            return Some(finding);
        }
        let bytes = size(target, data.disks.first());
        let change = Change::Reserve {
            path: inside.join(Path::new(NAME)),
            bytes,
        };
        let wanted = format!("{} MiB", bytes >> 20);
        Some(finding.change(wanted, vec![change], WHY))
    });
    found.collect()
}

fn size(target: &Target, disk: Option<&String>) -> u64 {
    let disks = target.machine.disks.iter();
    let mut disks = disks.filter(|it| Some(&it.name) == disk);
    let whole = disks.next().and_then(|disk| disk.size_bytes);
    whole.map_or(BYTES, |bytes| BYTES.min(bytes / PART))
}
