//! Disks and network devices: which NUMA node they are attached to, and which CPUs take their interrupts.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::cpu_list;
use crate::root::{Root, ancestors};

/// Block devices that are no disks.
const NO_DISKS: [&str; 8] = ["loop", "ram", "zram", "sr", "fd", "nbd", "dm-", "md"];
/// Devices that lie on others (device mapper, RAID) are followed so far.
const LAYERS_MAX: usize = 8;
/// What a disk is measured in, whatever its own blocks are. Source: the kernel's ABI/stable/sysfs-block.
const SECTOR_BYTES: u64 = 512;

/// An interrupt line and the CPUs that it may come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interrupt {
    /// Its number, as in `/proc/irq`.
    pub number: u32,
    /// Where it goes.
    pub cpus: BTreeSet<usize>,
}

/// A whole disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// As in `/sys/block`.
    pub name: String,
    /// The node that it is attached to, where the kernel knows.
    pub node: Option<usize>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// What the manufacturer calls it.
    pub model: Option<String>,
    /// Whether it has heads that move.
    pub is_rotational: Option<bool>,
    /// Its interrupts.
    pub interrupts: Vec<Interrupt>,
}

/// A network device that is made of hardware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    /// As in `/sys/class/net`.
    pub name: String,
    /// The node that it is attached to, where the kernel knows.
    pub node: Option<usize>,
    /// Its speed in megabits per second, while it has a link.
    pub speed_mbit: Option<u32>,
    /// Whether it has a link.
    pub is_up: bool,
    /// Its interrupts.
    pub interrupts: Vec<Interrupt>,
}

/// Where a directory lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DataDirectory {
    /// The directory.
    pub path: PathBuf,
    /// The disks below its file system; none where that is not known.
    pub disks: Vec<String>,
    /// The node of the first disk whose node is known.
    pub node: Option<usize>,
    /// The type of its file system.
    pub file_system: Option<String>,
}

impl Disk {
    pub(crate) fn read_all(root: &Root) -> Vec<Self> {
        let names = root.names("sys/block").into_iter();
        let disks = names.filter(|name| !NO_DISKS.iter().any(|no_disk| name.starts_with(no_disk)));
        disks.filter_map(|name| Self::read(root, name)).collect()
    }

    fn read(root: &Root, name: String) -> Option<Self> {
        let device = root.resolve(&format!("sys/block/{name}"))?;
        let sectors: Option<u64> = root.number(&format!("{device}/size"));
        if sectors == Some(0) {
            return None;
        }
        Some(Self {
            node: node_of(root, &device, LAYERS_MAX),
            size_bytes: sectors.map(|sectors| sectors.saturating_mul(SECTOR_BYTES)),
            model: root.text(&format!("{device}/device/model")),
            is_rotational: root
                .number::<u8>(&format!("{device}/queue/rotational"))
                .map(|flag| flag != 0),
            interrupts: interrupts(root, &device),
            name,
        })
    }
}

impl Network {
    pub(crate) fn read_all(root: &Root) -> Vec<Self> {
        let names = root.names("sys/class/net").into_iter();
        names.filter_map(|name| Self::read(root, name)).collect()
    }

    fn read(root: &Root, name: String) -> Option<Self> {
        let device = root.resolve(&format!("sys/class/net/{name}"))?;
        if device.starts_with("sys/devices/virtual/") {
            return None;
        }
        let state = root.text(&format!("{device}/operstate"));
        Some(Self {
            node: node_of(root, &device, LAYERS_MAX),
            // -1 while there is no link.
            speed_mbit: root.number(&format!("{device}/speed")),
            is_up: state.as_deref() == Some("up"),
            interrupts: interrupts(root, &device),
            name,
        })
    }
}

impl DataDirectory {
    /// Finds the disks below `path`, which need not exist yet: the mount table decides by its longest beginning.
    #[must_use]
    pub fn find(root: &Root, path: &Path) -> Self {
        let absolute = absolute(root, path);
        let mounts = root.text("proc/self/mountinfo").unwrap_or_default();
        let mounts = mounts.lines().filter_map(parse_mount);
        // Of two at one place the later one covers the earlier.
        let mount = mounts
            .filter(|mount| absolute.starts_with(&mount.point))
            .max_by_key(|mount| mount.point.components().count());
        let Some(mount) = mount else {
            return Self {
                path: path.to_owned(),
                ..Self::default()
            };
        };
        let device = root.resolve(&format!("sys/dev/block/{}", mount.device));
        let disks = device.map_or_else(Vec::new, |device| disks_below(root, &device, LAYERS_MAX));
        let nodes = disks
            .iter()
            .filter_map(|disk| node_of(root, &root.resolve(&format!("sys/block/{disk}"))?, 0));
        Self {
            path: path.to_owned(),
            node: nodes.into_iter().next(),
            disks,
            file_system: Some(mount.file_system),
        }
    }
}

/// Without links, as far as the path exists.
fn absolute(root: &Root, path: &Path) -> PathBuf {
    if !root.is_system() {
        return path.to_owned();
    }
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = path.ancestors().find_map(|part| {
        let real = part.canonicalize().ok()?;
        Some(real.join(path.strip_prefix(part).ok()?))
    });
    // `join` with nothing leaves a slash behind, which `components` drops.
    let found = existing.unwrap_or(path);
    found
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

struct Mount {
    device: String,
    point: PathBuf,
    file_system: String,
}

/// Source: proc_pid_mountinfo(5).
fn parse_mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(2);
    let device = left.next()?.to_owned();
    let point = left.nth(1)?;
    Some(Mount {
        device,
        point: PathBuf::from(unescaped(point)),
        file_system: right.split(' ').next()?.to_owned(),
    })
}

/// Blanks, tabs, line ends and backslashes are written as `\` and three octal digits.
fn unescaped(text: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    escapes
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The whole disks that a block device lies on: itself, the one that it is a part of, or those below it.
fn disks_below(root: &Root, device: &str, layers: usize) -> Vec<String> {
    let below = slaves(root, device);
    if !below.is_empty() && layers > 0 {
        let mut disks: Vec<String> = below
            .iter()
            .flat_map(|device| disks_below(root, device, layers - 1))
            .collect();
        disks.dedup();
        return disks;
    }
    let is_part = root.has(&format!("{device}/partition"));
    let whole = match device.rsplit_once('/') {
        Some((parent, _)) if is_part => parent,
        _ => device,
    };
    let name = whole.rsplit('/').next().unwrap_or(whole);
    vec![name.to_owned()]
}

fn slaves(root: &Root, device: &str) -> Vec<String> {
    let names = root.names(&format!("{device}/slaves"));
    let paths = names
        .iter()
        .filter_map(|name| root.resolve(&format!("{device}/slaves/{name}")));
    paths.collect()
}

/// The node that the nearest device above knows of. -1 says nothing.
fn node_of(root: &Root, device: &str, layers: usize) -> Option<usize> {
    if layers > 0 {
        let below = slaves(root, device);
        if !below.is_empty() {
            let mut nodes = below
                .iter()
                .filter_map(|device| node_of(root, device, layers - 1));
            return nodes.next();
        }
    }
    let mut said = ancestors(device).filter_map(|path| root.number(&format!("{path}/numa_node")));
    said.find_map(|node: i64| usize::try_from(node).ok())
}

/// Those of the nearest device above that has any: the function on the bus, not the bridges above it.
fn interrupts(root: &Root, device: &str) -> Vec<Interrupt> {
    let numbers = ancestors(device).find_map(|path| {
        let numbers = root.numbered(&format!("{path}/msi_irqs"), "");
        (!numbers.is_empty()).then_some(numbers)
    });
    let interrupts = numbers.into_iter().flatten().filter_map(|number| {
        let list = ["effective_affinity_list", "smp_affinity_list"]
            .into_iter()
            .filter_map(|name| root.text(&format!("proc/irq/{number}/{name}")))
            .find(|list| !list.is_empty())?;
        Some(Interrupt {
            number: u32::try_from(number).ok()?,
            cpus: cpu_list::parse(&list)?,
        })
    });
    interrupts.collect()
}
