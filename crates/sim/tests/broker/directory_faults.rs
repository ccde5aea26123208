//! Moves between directories where the file system refuses something: what they leave behind where names cannot be changed,
//! and what a start makes of several directories that claim to be the same partition's log.

use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::io::Io as _;
use sim::{Fault, Machine, Operation, SimIo, Simulation};
use storage::future_name;
use types::{ErrorCode, PartitionIndex};

use crate::client::{Client, PRODUCE_VERSION, TOPIC, create_topic, produce, produced, read_all};
use crate::directories::{logs, move_log};
use crate::node::{Node, NodeConfig, paths};
use crate::oracle::batch;

const DIRECTORIES: u8 = 2;
/// Batches of one record before and after the log has moved.
const EARLY: u64 = 5;
const LATE: u64 = 40;
const ALL: usize = 45;

/// More changes and lists of a copy's names than a move needs.
const STEPS_MAX: u32 = 24;

/// Batches of one large record.
const LARGE: u64 = 12;
const LARGE_BYTES: usize = 100_000;

/// How often the broker is asked again for what is to happen.
const LOOKS_MAX: u32 = 3_000;

fn run<F: Future<Output = ()>>(seed: u64, test: impl FnOnce(World) -> F) {
    let simulation = Simulation::new(seed);
    simulation.set_time_max(Duration::from_secs(600));
    let (machine, clients) = (simulation.machine(), simulation.machine());
    let world = World {
        io: clients.shard(0),
        _clients: clients,
        machine,
    };
    simulation.run(test(world)).expect("the test ends");
}

struct World {
    machine: Machine,
    _clients: Machine,
    io: SimIo,
}

impl World {
    async fn start(&self) -> Node {
        let config = NodeConfig {
            shards: 1,
            directories: DIRECTORIES,
            credits: None,
            overrides: Vec::new(),
        };
        let node = Node::start(&self.machine, &config).await;
        node.expect("the broker starts")
    }

    fn client(&self, node: &Node) -> Client {
        let (socket, _) = node.connect(0).expect("there is room");
        Client::new(&self.io, socket)
    }

    async fn pause(&self) {
        let pause = Duration::from_millis(50);
        self.io.sleep_until(self.io.now() + pause).await;
    }

    async fn wait_for(&self, client: &mut Client, place: &str) {
        let mut looks = 0;
        while place_of(client).await.as_deref() != Some(place) {
            assert!(looks < LOOKS_MAX, "the log does not come to {place}");
            looks += 1;
            self.pause().await;
        }
    }

    async fn names_in(&self, directory: &str) -> Vec<String> {
        let io = self.machine.shard(u32::MAX);
        let entries = io.list_dir(Path::new(directory)).await;
        let entries = entries.expect("a log directory").into_iter();
        let names = entries.map(|entry| entry.name);
        names.filter(|name| name.starts_with(TOPIC)).collect()
    }

    /// Ends the broker, and lets the disk do again what it is asked to.
    fn kill_and_repair(&self) {
        self.machine.kill();
        self.machine.disk().repair();
    }

    /// What was in the way in `directory` is there under another name.
    async fn expect_set_aside(&self, directory: &str) {
        let names = self.names_in(directory).await;
        let is_kept = names.iter().any(|name| name.ends_with("-stray"));
        assert!(is_kept, "{names:?}");
    }

    async fn rename(&self, from: &Path, to: &Path) {
        let io = self.machine.shard(u32::MAX);
        io.rename(from, to).await.expect("nothing is in the way");
        for path in [from, to] {
            let parent = path.parent().expect("it has one");
            io.sync_dir(parent).await.expect("the disk is well");
        }
    }
}

async fn place_of(client: &mut Client) -> Option<String> {
    let places = logs(client).await.expect("the broker answers");
    places.expect("it is named once").remove(&0)
}

async fn append(client: &mut Client, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let request = produce(0, batch(1, None, (number, 1), 100));
        let response = client.call(PRODUCE_VERSION, &request).await;
        let answer = produced(response.expect("the broker answers"));
        assert_eq!(answer.error_code, 0);
    }
}

async fn count(client: &mut Client) -> usize {
    let found = read_all(client, 0).await;
    found.expect("the log is whole").len()
}

fn log_in(directory: &str) -> PathBuf {
    Path::new(directory).join(format!("{TOPIC}-0"))
}

fn copy_in(directory: &str) -> PathBuf {
    Path::new(directory).join(future_name(TOPIC, PartitionIndex(0), [1, 2]))
}

/// A log that has moved, with the directory that could not be renamed then, where no name can be changed still. Returns
/// from where to where.
async fn move_and_leave_behind(world: &World, node: &Node) -> (String, String) {
    let mut client = world.client(node);
    let created = create_topic(&mut client, TOPIC, 1).await;
    created.expect("a topic");
    append(&mut client, 0..EARLY).await;
    let from = place_of(&mut client).await.expect("it lies somewhere");
    let target = paths(DIRECTORIES).position(|path| path != from);
    let target = target.expect("there are two");
    let to = paths(DIRECTORIES).nth(target).expect("there are two");
    let old = log_in(&from);
    let fault = Fault::new(Operation::Names).on(old.to_str().expect("a name"));
    let disk = world.machine.disk();
    disk.inject(fault.error(ErrorKind::ResourceBusy));
    let wished = move_log(&mut client, target, 0).await;
    wished.expect("nothing is in the way there");
    world.wait_for(&mut client, &to).await;
    append(&mut client, EARLY..EARLY + LATE).await;
    assert_eq!(count(&mut client).await, ALL);
    (from, to)
}

fn index_of(directory: &str) -> usize {
    let index = paths(DIRECTORIES).position(|path| path == directory);
    index.expect("it is one of them")
}

#[test]
fn a_directory_left_behind_is_never_taken_for_the_log_that_moves_back() {
    run(1, async |world| {
        let node = world.start().await;
        let (from, to) = move_and_leave_behind(&world, &node).await;
        let mut client = world.client(&node);
        let refused = move_log(&mut client, index_of(&from), 0).await;
        let refused = refused.expect_err("something is in the way").to_string();
        let code = ErrorCode::KafkaStorageError.code();
        assert_eq!(refused, format!("error {code}"));
        assert_eq!(place_of(&mut client).await, Some(to.clone()));
        world.machine.disk().repair();
        let wished = move_log(&mut client, index_of(&from), 0).await;
        wished.expect("nothing is in the way any more");
        world.wait_for(&mut client, &from).await;
        assert_eq!(count(&mut client).await, ALL);
        world.machine.kill();
        let node = world.start().await;
        let mut client = world.client(&node);
        assert_eq!(count(&mut client).await, ALL);
        assert_eq!(place_of(&mut client).await, Some(from));
    });
}

#[test]
fn a_log_that_has_moved_is_removed_as_soon_as_that_is_possible() {
    run(2, async |world| {
        let node = world.start().await;
        let (from, _) = move_and_leave_behind(&world, &node).await;
        assert_eq!(world.names_in(&from).await, [format!("{TOPIC}-0")]);
        world.machine.disk().repair();
        let mut looks = 0;
        while !world.names_in(&from).await.is_empty() {
            assert!(looks < LOOKS_MAX, "it is still there");
            looks += 1;
            world.pause().await;
        }
    });
}

#[test]
fn a_complete_copy_beside_an_older_log_is_the_log_at_the_next_start() {
    run(3, async |world| {
        let node = world.start().await;
        let (from, to) = move_and_leave_behind(&world, &node).await;
        world.kill_and_repair();
        // As if the copy had found the other one where it was to be.
        world.rename(&log_in(&to), &copy_in(&to)).await;
        world.rename(&log_in(&from), &log_in(&to)).await;
        let node = world.start().await;
        let mut client = world.client(&node);
        assert_eq!(count(&mut client).await, ALL);
        world.expect_set_aside(&to).await;
    });
}

#[test]
fn an_older_copy_beside_the_log_is_set_aside_at_the_next_start() {
    run(4, async |world| {
        let node = world.start().await;
        let (from, to) = move_and_leave_behind(&world, &node).await;
        world.kill_and_repair();
        world.rename(&log_in(&from), &copy_in(&to)).await;
        let node = world.start().await;
        let mut client = world.client(&node);
        assert_eq!(count(&mut client).await, ALL);
        world.expect_set_aside(&to).await;
    });
}

#[test]
fn a_log_that_goes_further_than_the_one_in_the_named_directory_is_not_deleted() {
    run(5, async |world| {
        let node = world.start().await;
        let (from, to) = move_and_leave_behind(&world, &node).await;
        world.kill_and_repair();
        let between = Path::new(&to).join("between");
        world.rename(&log_in(&to), &between).await;
        world.rename(&log_in(&from), &log_in(&to)).await;
        world.rename(&between, &log_in(&from)).await;
        world.start().await;
        world.expect_set_aside(&from).await;
    });
}

#[test]
fn a_copy_that_cannot_get_its_name_is_opened_when_it_can() {
    run(6, async |world| {
        let node = world.start().await;
        let (_, to) = move_and_leave_behind(&world, &node).await;
        world.kill_and_repair();
        world.rename(&log_in(&to), &copy_in(&to)).await;
        let copy = copy_in(&to);
        let fault = Fault::new(Operation::Names).on(copy.to_str().expect("a name"));
        let disk = world.machine.disk();
        disk.inject(fault.error(ErrorKind::ResourceBusy));
        let node = world.start().await;
        let mut client = world.client(&node);
        // Each change of the metadata has logs opened that could not be before.
        for (topic, is_well) in [("another", false), ("one more", true)] {
            if is_well {
                disk.repair();
            }
            let name = topic.replace(' ', "-");
            let created = create_topic(&mut client, &name, 1).await;
            created.expect("a topic");
            let found = read_all(&mut client, 0).await;
            assert_eq!(found.map(|found| found.len()).ok(), is_well.then_some(ALL));
        }
    });
}

/// A move in the middle of which the file system begins to refuse every change and list of the copy's names.
async fn move_into_refusal(world: &World, (spared, error): (u32, ErrorKind)) {
    let node = world.start().await;
    let mut client = world.client(&node);
    let created = create_topic(&mut client, TOPIC, 1).await;
    created.expect("a topic");
    append(&mut client, 0..EARLY).await;
    let from = place_of(&mut client).await.expect("it lies somewhere");
    let fault = Fault::new(Operation::Names).on("-future").error(error);
    world.machine.disk().inject(fault.after(spared));
    // It may be refused.
    let _wished = move_log(&mut client, 1 - index_of(&from), 0).await;
    for _ in 0..40 {
        world.pause().await;
    }
    let created = create_topic(&mut client, "another", 1).await;
    created.expect("a topic");
    let early = usize::try_from(EARLY).expect("few");
    if let Ok(found) = read_all(&mut client, 0).await {
        assert_eq!(found.len(), early, "it is offline or whole, {spared}");
    }
    world.machine.kill();
    world.machine.disk().repair();
    let node = world.start().await;
    let mut client = world.client(&node);
    assert_eq!(count(&mut client).await, early, "{spared}");
}

#[test]
fn a_move_that_meets_refused_names_at_any_step_loses_nothing() {
    for spared in 0..STEPS_MAX {
        for error in [ErrorKind::ResourceBusy, ErrorKind::StorageFull] {
            run(7 + u64::from(spared), async move |world| {
                move_into_refusal(&world, (spared, error)).await;
            });
        }
    }
}

/// A move whose copy finds no room for its segment's file until `pauses` later.
async fn move_when_space_returns(world: &World, pauses: u64) {
    let node = world.start().await;
    let mut client = world.client(&node);
    let created = create_topic(&mut client, TOPIC, 1).await;
    created.expect("a topic");
    append(&mut client, 0..EARLY + LATE).await;
    let all = ALL + usize::try_from(LARGE).expect("few");
    let from = place_of(&mut client).await.expect("it lies somewhere");
    let target = 1 - index_of(&from);
    let to = paths(DIRECTORIES).nth(target).expect("there are two");
    let fault = Fault::new(Operation::Open).on("-future/0000");
    let disk = world.machine.disk();
    disk.inject(fault.error(ErrorKind::StorageFull));
    let wished = move_log(&mut client, target, 0).await;
    wished.expect("nothing is in the way");
    for _ in 0..LATE {
        world.pause().await;
    }
    // More than a copy takes in without a look at its disk.
    for number in 0..LARGE {
        let number = EARLY + LATE + number;
        let request = produce(0, batch(1, None, (number, 1), LARGE_BYTES));
        let response = client.call(PRODUCE_VERSION, &request).await;
        let answer = produced(response.expect("the broker answers"));
        assert_eq!(answer.error_code, 0);
    }
    for _ in 0..pauses {
        world.pause().await;
    }
    assert_eq!(place_of(&mut client).await, Some(from));
    disk.repair();
    world.wait_for(&mut client, &to).await;
    assert_eq!(count(&mut client).await, all);
    world.machine.kill();
    let node = world.start().await;
    assert_eq!(count(&mut world.client(&node)).await, all);
}

#[test]
fn a_copy_that_waits_for_space_is_written_by_one_log_when_space_returns() {
    for pauses in 20..40 {
        run(31 + pauses, async move |world| {
            move_when_space_returns(&world, pauses).await;
        });
    }
}
