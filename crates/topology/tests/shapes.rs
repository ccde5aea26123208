//! Plans for machines of well-known shapes, read from trees that describe them.

#[path = "../fixtures/mod.rs"]
mod fixture;

use std::path::Path;

use tempfile::TempDir;
use topology::{Choice, DataDirectory, Machine, Plan, Root, cpu_list};

/// A machine that a tree describes.
struct Shape {
    _tree: TempDir,
    root: Root,
    machine: Machine,
}

impl Shape {
    fn of(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fixture::unpack(name, directory.path());
        Self::read(directory)
    }

    fn of_text(tree: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fixture::unpack_text(tree, directory.path()).expect("a tree");
        Self::read(directory)
    }

    fn read(directory: TempDir) -> Self {
        let root = Root::at(directory.path());
        Self {
            machine: Machine::read(&root),
            root,
            _tree: directory,
        }
    }

    fn plan(&self, choice: &Choice) -> Plan {
        Plan::new(choice, &self.machine, &[]).expect("a plan")
    }

    fn refusal(&self, choice: &Choice) -> String {
        let refused = Plan::new(choice, &self.machine, &[]);
        refused.expect_err("it cannot be followed").to_string()
    }

    fn data(&self, path: &str) -> DataDirectory {
        DataDirectory::find(&self.root, Path::new(path))
    }
}

/// The CPUs of the shards in their order.
fn seats(plan: &Plan) -> Vec<Option<usize>> {
    plan.shards.iter().map(|seat| seat.cpu).collect()
}

fn pinned(cpus: impl IntoIterator<Item = usize>) -> Vec<Option<usize>> {
    cpus.into_iter().map(Some).collect()
}

fn says(sentences: &[String], part: &str) -> bool {
    sentences.iter().any(|sentence| sentence.contains(part))
}

#[test]
fn one_node_has_a_shard_on_every_core_and_nothing_beside() {
    let shape = Shape::of("one-node");
    assert_eq!(
        shape.machine.model.as_deref(),
        Some("Small Server CPU @ 3.00GHz")
    );
    assert_eq!(shape.machine.memory_bytes, Some(32_768_000 * 1024));
    assert_eq!(shape.machine.cgroup.quota_millicpus, None);
    let plan = shape.plan(&Choice::Auto);
    assert_eq!(seats(&plan), pinned(0..8));
    assert!(plan.shards.iter().all(|seat| seat.memory_node.is_none()));
    assert_eq!((plan.beside, plan.router), (vec![], vec![]));
    assert!(says(&plan.reasons, "run anywhere: every core has a shard"));
    assert_eq!(
        plan.advice, [""; 0],
        "there is nowhere to move interrupts to"
    );
}

#[test]
fn disks_and_networks_are_found_with_their_interrupts() {
    let shape = Shape::of("one-node");
    let [disk] = shape.machine.disks.as_slice() else {
        panic_with(&shape.machine.disks)
    };
    assert_eq!((disk.name.as_str(), disk.node), ("nvme0n1", None));
    assert_eq!(disk.size_bytes, Some(1_953_525_168 * 512));
    assert_eq!(disk.model.as_deref(), Some("Sample NVMe 1T"));
    let [network] = shape.machine.networks.as_slice() else {
        panic_with(&shape.machine.networks)
    };
    assert_eq!((network.name.as_str(), network.is_up), ("eth0", true));
    assert_eq!(network.speed_mbit, Some(10_000));
    let cpus = network
        .interrupts
        .iter()
        .map(|it| cpu_list::format(&it.cpus));
    assert_eq!(cpus.collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    let data = shape.data("/var/lib/logan");
    assert_eq!(data.disks, ["nvme0n1"], "the disk of the partition");
    assert_eq!(data.file_system.as_deref(), Some("ext4"));
}

fn panic_with(found: &dyn std::fmt::Debug) -> ! {
    unreachable!("one was expected: {found:?}")
}

#[test]
fn interrupts_on_shards_are_pointed_out_where_there_is_room_beside() {
    let shape = Shape::of("one-node");
    let plan = shape.plan(&Choice::Cpus(vec![0, 1, 4]));
    assert_eq!(plan.beside, [2, 3, 5, 6, 7]);
    assert!(says(
        &plan.advice,
        "interrupts of eth0 come to CPUs that run shards (0-1)"
    ));
    let plan = shape.plan(&Choice::Cpus(vec![4, 5, 6, 7]));
    assert_eq!(plan.advice, [""; 0]);
}

#[test]
fn two_sockets_have_their_second_threads_beside_the_shards() {
    let shape = Shape::of("two-sockets");
    let plan = shape.plan(&Choice::Auto);
    assert_eq!(seats(&plan), pinned(0..64));
    assert_eq!(plan.shards[0].memory_node, Some(0));
    assert_eq!(plan.shards[63].memory_node, Some(1));
    let mut narrow = shape.machine;
    narrow.allowed_memory = Some([0].into());
    let of_one = Plan::new(&Choice::Auto, &narrow, &[]).expect("a plan");
    assert!(of_one.shards.iter().all(|it| it.memory_node.is_none()));
    assert_eq!(plan.beside, Vec::from_iter(64..128));
    assert_eq!(
        plan.router,
        Vec::from_iter(96..128),
        "beside the network's socket"
    );
    assert!(says(
        &plan.reasons,
        "one shard for each of 64 physical cores"
    ));
    assert!(says(&plan.reasons, "of its own node first, of 2 nodes"));
    assert!(says(
        &plan.advice,
        "interrupts of ens1f0 come to CPUs that run shards (32-47)"
    ));
}

#[test]
fn data_is_followed_through_the_layers_to_its_node() {
    let shape = Shape::of("two-sockets");
    let data = shape.data("/var/lib/logan/not-yet");
    assert_eq!(
        (data.disks.as_slice(), data.node),
        (&["nvme0n1".to_owned()][..], Some(1))
    );
    assert_eq!(data.file_system.as_deref(), Some("xfs"));
    let plan = |choice| Plan::new(&choice, &shape.machine, std::slice::from_ref(&data));
    let few = plan(Choice::Count(4)).expect("a plan");
    assert_eq!(seats(&few), pinned(32..36), "at the node of the data");
    let far = plan(Choice::Nodes(vec![0])).expect("a plan");
    assert_eq!(seats(&far), pinned(0..32));
    assert!(
        says(&far.advice, "at node 1, where no shard runs"),
        "{far:?}"
    );
    assert!(says(&far.advice, "consider shard.cores=nodes:1"));
    assert!(says(
        &far.advice,
        "ens1f0 is attached to node 1, where no shard runs"
    ));
    let all = plan(Choice::Auto).expect("a plan");
    assert!(says(&all.advice, "best on the shards of the CPUs 32-63"));
    assert!(says(
        &all.advice,
        "interrupts of nvme0n1 come to CPUs that run shards (32-35)"
    ));
}

#[test]
fn more_shards_than_cores_share_them_and_more_than_cpus_are_unpinned() {
    let shape = Shape::of("two-sockets");
    let plan = shape.plan(&Choice::Count(66));
    assert_eq!(plan.shards.len(), 66);
    // The node of the network comes first, cores before their second threads.
    assert_eq!(plan.shards[0].cpu, Some(32));
    assert_eq!(
        (plan.shards[64].cpu, plan.shards[65].cpu),
        (Some(96), Some(97))
    );
    assert!(says(&plan.reasons, "so that some share one"));
    let plan = shape.plan(&Choice::Count(129));
    assert_eq!(seats(&plan), [None; 129]);
    assert!(plan.beside.is_empty());
}

#[test]
fn eight_nodes_are_filled_near_the_data_first() {
    let shape = Shape::of("eight-nodes");
    let both = [shape.data("/data/a"), shape.data("/data/b/logan")];
    assert_eq!(both.each_ref().map(|data| data.node), [Some(2), Some(5)]);
    let plan = Plan::new(&Choice::Count(16), &shape.machine, &both).expect("a plan");
    assert_eq!(seats(&plan), pinned((16..24).chain(40..48)));
    assert_eq!(plan.shards[8].memory_node, Some(5));
    // Whole cores are free at the network's node 2? No: they have shards. So the router is beside them elsewhere.
    assert!(plan.router.iter().all(|cpu| !(16..24).contains(cpu)));
    let auto = shape.plan(&Choice::Auto);
    assert_eq!(seats(&auto), pinned(0..64));
    assert_eq!(
        auto.router,
        Vec::from_iter(80..88),
        "second threads at the network's node"
    );
    let chosen = shape.plan(&Choice::Nodes(vec![2, 5]));
    assert_eq!(chosen.shards.len(), 16);
    assert!(!says(&auto.advice, "enp200s0"), "it has no link");
}

#[test]
fn nodes_that_cannot_be_used_are_refused() {
    let shape = Shape::of("eight-nodes");
    assert_eq!(
        shape.refusal(&Choice::Nodes(vec![8])),
        "NUMA node 8 does not exist; this machine has the nodes 0-7"
    );
    let mut narrow = shape.machine;
    narrow.allowed = (0..8).collect();
    let refused = Plan::new(&Choice::Nodes(vec![0, 1]), &narrow, &[]);
    assert_eq!(
        refused.expect_err("node 1 is closed").to_string(),
        "NUMA node 1 has no CPU that this process may use: 0-7"
    );
}

#[test]
fn a_cpuset_of_three_has_two_cores_and_a_thread_beside() {
    let shape = Shape::of("cpuset-of-three");
    let plan = shape.plan(&Choice::Auto);
    assert_eq!(seats(&plan), pinned([2, 3]));
    assert_eq!((plan.beside, plan.router), (vec![7], vec![7]));
    assert!(says(&plan.reasons, "3 of 8 CPUs may be used: 2-3,7"));
    assert_eq!(
        shape.refusal(&Choice::Cpus(vec![2, 4])),
        "CPU 4 is not among those that this process may use: 2-3,7"
    );
    assert_eq!(
        shape.data("/data/logan").disks,
        [""; 0],
        "sysfs does not tell"
    );
}

#[test]
fn offline_cpus_run_nothing_and_split_no_core() {
    let shape = Shape::of("offline-cpus");
    let plan = shape.plan(&Choice::Auto);
    assert_eq!(seats(&plan), pinned([0, 2, 6, 8, 10, 12, 14]));
    assert_eq!(plan.beside, [1, 7, 9, 11, 13, 15]);
    assert!(says(&plan.reasons, "(offline: 3-5)"));
    assert_eq!(
        shape.refusal(&Choice::Cpus(vec![4])),
        "CPU 4 is offline; these are online: 0-2,6-15"
    );
    assert_eq!(
        shape.refusal(&Choice::Cpus(vec![16])),
        "CPU 16 does not exist; this machine has the CPUs 0-15"
    );
}

#[test]
fn a_quota_pays_for_so_many_shards_which_are_pinned_nowhere() {
    let shape = Shape::of("quota");
    assert_eq!(shape.machine.cgroup.quota_millicpus, Some(2500));
    assert_eq!(shape.machine.usable_memory_bytes(), Some(4 << 30));
    let plan = shape.plan(&Choice::Auto);
    assert_eq!(seats(&plan), [None, None]);
    assert!(plan.beside.is_empty());
    assert!(says(&plan.reasons, "a CPU quota of 2.5 CPUs"), "{plan:?}");
    let more = shape.plan(&Choice::Count(4));
    assert_eq!(seats(&more), [None; 4]);
    assert!(says(&more.reasons, "more shards than the quota pays for"));
    // Who names CPUs knows that nobody else does.
    assert_eq!(
        seats(&shape.plan(&Choice::Cpus(vec![0, 1]))),
        pinned([0, 1])
    );
    let named = shape.plan(&Choice::Cpus(vec![0, 1, 2, 3]));
    assert!(says(&named.reasons, "more shards than the quota pays for"));
    let mut tiny = shape.machine;
    tiny.cgroup.quota_millicpus = Some(250);
    let plan = Plan::new(&Choice::Auto, &tiny, &[]).expect("a plan");
    assert_eq!(seats(&plan), [None]);
}

#[test]
fn isolated_cpus_are_used_when_they_are_named_or_nothing_else_is_there() {
    let shape = Shape::of("isolated");
    let plan = shape.plan(&Choice::Auto);
    assert_eq!(seats(&plan), pinned(0..4));
    assert!(says(
        &plan.advice,
        "if they were isolated for this broker: shard.cores=4-7"
    ));
    let named = shape.plan(&Choice::Cpus(vec![4, 5, 6, 7]));
    assert_eq!(seats(&named), pinned(4..8));
    assert_eq!(named.beside, [0, 1, 2, 3]);
    let mut given = shape.machine;
    given.allowed = (0..8).collect();
    let plan = Plan::new(&Choice::Auto, &given, &[]).expect("a plan");
    assert_eq!(
        seats(&plan),
        pinned(0..4),
        "somebody else may pin threads to them"
    );
    given.allowed = (6..8).collect();
    let plan = Plan::new(&Choice::Auto, &given, &[]).expect("a plan");
    assert_eq!(seats(&plan), pinned(6..8), "nothing else was given");
    given.cgroup.cpuset = Some((0..4).collect());
    given.allowed = (0..4).collect();
    let refused = Plan::new(&Choice::Cpus(vec![4]), &given, &[]);
    assert!(refused.is_err(), "the cpuset leaves it out");
}

#[test]
fn a_machine_that_tells_nothing_runs_one_unpinned_shard() {
    let empty = tempfile::tempdir().expect("a directory");
    let machine = Machine::read(&Root::at(empty.path()));
    assert_eq!(machine, Machine::default());
    let plan = Plan::new(&Choice::Auto, &machine, &[]).expect("a plan");
    assert_eq!(seats(&plan), [None]);
    let nowhere = DataDirectory::find(&Root::at(empty.path()), Path::new("/data"));
    assert_eq!(nowhere.disks, [""; 0]);
    // A sandbox without sysfs still has the mask.
    let status = "proc/self/status: Cpus_allowed_list:\\t4-5";
    let shape = Shape::of_text(status);
    assert_eq!(seats(&shape.plan(&Choice::Auto)), pinned([4, 5]));
}

#[test]
fn impossible_numbers_are_refused() {
    let shape = Shape::of("one-node");
    assert_eq!(
        shape.refusal(&Choice::Count(0)),
        "at least one shard is needed"
    );
    assert_eq!(
        shape.refusal(&Choice::Cpus(vec![])),
        "at least one shard is needed"
    );
    assert_eq!(
        shape.refusal(&Choice::Count(70_000)),
        "70000 shards are more than 65535"
    );
    assert_eq!(
        shape.refusal(&Choice::Cpus(vec![1, 1])),
        "CPU 1 is listed twice; shards share no CPU"
    );
}

#[test]
fn damaged_files_leave_things_unknown() {
    let tree = "\
proc/self/status: Cpus_allowed_list:\\t0-1,x
proc/self/cgroup: nonsense
proc/meminfo: MemTotal: many kB
sys/devices/system/cpu/online: 0-99999999999
sys/devices/system/cpu/cpu[0-1]/topology/thread_siblings_list: ?
sys/devices/system/node/node0/cpulist: 1-0
sys/fs/cgroup/cpu.max: 5 0";
    let shape = Shape::of_text(tree);
    assert_eq!(shape.machine.memory_bytes, None);
    assert_eq!(seats(&shape.plan(&Choice::Auto)), pinned([0, 1]));
}

#[test]
fn this_machine_has_a_plan() {
    let machine = Machine::read(&Root::system());
    let plan = Plan::new(&Choice::Auto, &machine, &[]).expect("a plan");
    assert!(!plan.shards.is_empty());
}
