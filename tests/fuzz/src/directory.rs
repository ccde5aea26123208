//! A whole data directory with anything in it, taken by the real broker on the simulated disk.

use std::sync::OnceLock;
use std::time::Duration;

use io::Io as _;
use sim::client::{PRODUCE_VERSION, create_topic, produce};
use sim::{Simulation, oracle};

use super::edits::{Files, edit};
use super::input::Input;
use super::log::place;
use super::memory::bounded;
use super::node::{ask, commit, connect, drain, start};

/// What a broker may take: its configured memory for tails, cache, requests and groups, the simulated disk, and its tasks.
const MEMORY_MAX_BYTES: usize = 96 << 20;

/// A byte for shards and the mark of a clean end, a seed, and changes of the directory.
pub fn directory(input: &[u8]) {
    let base = base();
    bounded(MEMORY_MAX_BYTES, || check(base, &mut Input::new(input)));
}

/// What a broker leaves that has had a topic, some records and a group.
fn base() -> &'static Files {
    static BASE: OnceLock<Files> = OnceLock::new();
    BASE.get_or_init(|| {
        let simulation = Simulation::new(1);
        let (machine, clients) = (simulation.machine(), simulation.machine());
        let made = simulation.run(async {
            let io = clients.shard(0);
            let node = start(&io, &machine, 1).await.expect("an empty disk");
            let mut client = connect(&io, &node).await;
            let created = create_topic(&mut client, sim::client::TOPIC, 2).await;
            created.expect("a topic");
            for number in 0..6 {
                let batch = oracle::batch(1, None, (number, 1), 20);
                let partition = i32::from(number % 2 == 1);
                let request = produce(partition, batch);
                let called = client.call(PRODUCE_VERSION, &request).await;
                called.expect("an answer");
            }
            for _ in 0..50 {
                commit(&mut client).await.expect("an answer");
                io.sleep_until(io.now() + Duration::from_millis(100)).await;
            }
            drop(client);
            drain(&io, &node).await;
        });
        made.expect("a data directory is made");
        let files = machine.disk().files().into_iter().map(|(path, _)| {
            let content = machine.disk().peek(&path).expect("it is there");
            (path, content)
        });
        files
            .filter(|(_, content)| content.len() < 1 << 18)
            .collect()
    })
}

fn check(base: &Files, input: &mut Input<'_>) {
    let shape = input.byte();
    let seed = u64::from(input.byte());
    let mut files = base.clone();
    if shape & 1 == 1 {
        files.retain(|path, _| !path.ends_with(storage::checkpoint::CLEAN_SHUTDOWN_FILE));
    }
    edit(&mut files, input);
    let simulation = Simulation::new(seed);
    let (machine, clients) = (simulation.machine(), simulation.machine());
    let used = simulation.run(async {
        place(&machine, &files).await;
        let io = clients.shard(0);
        let shards = u32::from(shape >> 1 & 1) + 1;
        for _ in 0..2 {
            let Some(node) = start(&io, &machine, shards).await else {
                return;
            };
            ask(&io, &node).await;
            drain(&io, &node).await;
            // The next one runs in another process.
            machine.kill();
        }
    });
    used.expect("nothing waits for ever");
}
