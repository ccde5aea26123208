//! A tree of sysfs and procfs, as a machine, a container or somebody else may show it.

use std::fs;
use std::hint::black_box;
use std::os::unix::fs::symlink;
use std::path::{Component, Path};

use tempfile::TempDir;
use topology::{Choice, DataDirectory, Machine, Plan, Root, cpu_list};

use super::memory::bounded;

/// What reading a machine may take, beyond a multiple of its files: lists of CPUs are short to write and long to hold, and
/// end at the most that any kernel has.
const MEMORY_MAX_BYTES: usize = 8 << 20;
const MEMORY_PER_BYTE: usize = 4096;

const FILES_MAX: usize = 200;

/// Lines of `path: text` for a file, and of `path -> target` for a link.
pub fn machine(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let directory = directory();
    for line in text.lines().take(FILES_MAX) {
        // Names that the file system refuses are left out.
        place(directory.path(), line);
    }
    let root = Root::at(directory.path());
    bounded(MEMORY_MAX_BYTES + input.len() * MEMORY_PER_BYTE, || {
        look(&root, &text);
    });
}

fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory")
}

fn place(directory: &Path, line: &str) -> Option<()> {
    let is_below = |path: &str| {
        let mut parts = Path::new(path).components();
        parts.all(|part| matches!(part, Component::Normal(_)))
    };
    let with_parent = |path: &str| {
        let path = directory.join(path);
        fs::create_dir_all(path.parent()?).ok()?;
        Some(path)
    };
    if let Some((path, target)) = line.split_once(" -> ") {
        let path = with_parent(Some(path).filter(|path| is_below(path))?)?;
        return symlink(target, path).ok();
    }
    let (path, text) = line.split_once(": ")?;
    let path = with_parent(Some(path).filter(|path| is_below(path))?)?;
    // Through a link out of the directory nothing is written.
    let parent = fs::canonicalize(path.parent()?).ok()?;
    if path.is_symlink() || !parent.starts_with(fs::canonicalize(directory).ok()?) {
        return None;
    }
    fs::write(path, text.replace("\\n", "\n").replace("\\t", "\t") + "\n").ok()
}

fn look(root: &Root, text: &str) {
    let machine = Machine::read(root);
    black_box(machine.usable_memory_bytes());
    black_box(machine.memory_nodes());
    let data = [DataDirectory::find(root, Path::new("/data/logan"))];
    let choices = [
        Choice::Auto,
        Choice::Count(3),
        Choice::Cpus(vec![0, 2]),
        Choice::Nodes(vec![0]),
    ];
    for choice in &choices {
        let Ok(plan) = Plan::new(choice, &machine, &data) else {
            continue;
        };
        let seats = plan.shards.iter().filter_map(|seat| seat.cpu);
        let mut cpus: Vec<_> = seats.collect();
        cpus.sort_unstable();
        let count = cpus.len();
        cpus.dedup();
        assert_eq!(cpus.len(), count, "each CPU is for one shard at most");
        assert!(cpus.iter().all(|cpu| machine.cpus[cpu].is_online));
    }
    for line in text.lines() {
        if let Some(list) = cpu_list::parse(line) {
            let written = cpu_list::format(&list);
            assert!(list.is_empty() || cpu_list::parse(&written) == Some(list));
        }
    }
}
