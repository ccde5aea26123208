//! Which NUMA node the device of a directory is attached to.
//!
//! Read once from sysfs, at the start. Where sysfs does not tell (virtual disks, network file systems, machines with one
//! node) the answer is -1, as sysfs itself says it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What sysfs says of a device that belongs to no node.
const UNKNOWN: i32 = -1;

/// Devices that lie on others (device mapper, RAID) are followed so far.
const LAYERS_MAX: usize = 8;

/// The NUMA node of the device that holds `directory`, or -1.
pub(crate) fn numa_node(directory: &Path) -> i32 {
    let number = fs::metadata(directory).map(|metadata| device_number(metadata.dev()));
    let device = number
        .and_then(|(major, minor)| fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")));
    device.map_or(UNKNOWN, |device| node_of(&device, LAYERS_MAX))
}

/// Major and minor number. Source: `gnu_dev_major` and `gnu_dev_minor` of glibc.
fn device_number(device: u64) -> (u64, u64) {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    (major, minor)
}

fn node_of(device: &Path, layers: usize) -> i32 {
    if let Some(below) = device_below(device).filter(|_| layers > 0) {
        return node_of(&below, layers - 1);
    }
    let said = device
        .ancestors()
        .filter_map(|path| fs::read_to_string(path.join("numa_node")).ok());
    let mut nodes = said.filter_map(|said| said.trim().parse::<i32>().ok());
    nodes.find(|node| *node >= 0).unwrap_or(UNKNOWN)
}

/// The first of the devices that a mapped device lies on.
fn device_below(device: &Path) -> Option<PathBuf> {
    let mut below = fs::read_dir(device.join("slaves")).ok()?;
    fs::canonicalize(below.next()?.ok()?.path()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::{LAYERS_MAX, UNKNOWN, device_number, node_of, numa_node};

    #[test]
    fn device_numbers_are_split_as_linux_does() {
        assert_eq!(device_number(0x0000_0803), (8, 3));
        assert_eq!(device_number(0x0001_0300), (259, 0));
        assert_eq!(device_number(0xfff0_00ff | 0x100), (1, 0xf_ffff));
    }

    #[test]
    fn the_nearest_device_that_knows_its_node_tells() {
        let root = tempfile::tempdir().expect("a directory");
        let controller = root.path().join("pci/nvme0");
        let disk = controller.join("nvme0n1");
        let mapped = root.path().join("virtual/dm-0");
        fs::create_dir_all(&disk).expect("a directory");
        fs::create_dir_all(mapped.join("slaves")).expect("a directory");
        assert_eq!(node_of(&disk, LAYERS_MAX), UNKNOWN);
        fs::write(root.path().join("pci/numa_node"), "1\n").expect("a file");
        assert_eq!(node_of(&disk, LAYERS_MAX), 1);
        assert_eq!(node_of(&mapped, LAYERS_MAX), UNKNOWN);
        symlink(&disk, mapped.join("slaves/nvme0n1")).expect("a link");
        assert_eq!(node_of(&mapped, LAYERS_MAX), 1);
        fs::write(controller.join("numa_node"), "-1\n").expect("a file");
        assert_eq!(node_of(&disk, LAYERS_MAX), 1, "-1 says nothing");
    }

    #[test]
    fn what_lies_on_no_device_is_unknown() {
        assert_eq!(numa_node(Path::new("/proc")), UNKNOWN);
        assert_eq!(numa_node(Path::new("/no/such/directory")), UNKNOWN);
    }
}
