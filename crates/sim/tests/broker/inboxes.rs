//! Shards whose inboxes are all full at once: nobody waits in a circle, and control has a lane of its own.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use broker::MeshCredits;
use protocol::messages::ProduceRequest;
use sim::{Machine, MailboxProbe, SimIo, Simulation, Task, for_each_seed, mailboxes};

use crate::client::{Client, PRODUCE_VERSION, TOPIC, create_topic, produce, produced, read_all};
use crate::node::{Node, NodeConfig};
use crate::oracle::{Partition, batch};

const SHARDS: usize = 3;
const PARTITIONS: usize = 3;
const CLIENTS_PER_PAIR: usize = 3;
const BATCHES: u64 = 12;
const IN_FLIGHT_MAX: u64 = 5;
/// No long polls here: a request that nobody serves is one that stays in the inbox.
const CREDITS: MeshCredits = MeshCredits {
    requests: 3,
    watches: 0,
    control: 5,
};
/// What fits beside requests: the barrier of a move.
const BARRIERS: usize = 1;
/// Requests that a full inbox holds.
const REQUESTS_MAX: usize = CREDITS.requests * (SHARDS - 1);
const REQUEST_CAPACITY: usize = (CREDITS.requests + BARRIERS) * (SHARDS - 1);
const REPLY_CAPACITY: usize = (CREDITS.requests + BARRIERS + CREDITS.control) * (SHARDS - 1);

fn probes(capacity: usize) -> Vec<MailboxProbe> {
    let probes = mailboxes().into_iter();
    let probes: Vec<_> = probes.filter(|it| it.capacity() == capacity).collect();
    assert_eq!(probes.len(), SHARDS, "each shard has one of these");
    probes
}

/// Sends batches and takes their responses in order; counts the responses.
async fn keep_producing(io: SimIo, mut client: Client, number: u64, answered: Rc<Cell<u64>>) {
    let partition = i32::try_from(number).expect("few") % i32::try_from(PARTITIONS).expect("few");
    let (mut sent, mut received) = (0, 0);
    while received < BATCHES {
        while sent < BATCHES && sent - received < IN_FLIGHT_MAX {
            let request = produce(partition, batch(number, None, (sent, 1), 100));
            let result = client.send(PRODUCE_VERSION, &request).await;
            result.expect("the broker lives");
            sent += 1;
        }
        let response = client.receive::<ProduceRequest>(PRODUCE_VERSION).await;
        let response = produced(response.expect("the broker lives"));
        assert_eq!(response.error_code, 0);
        received += 1;
        answered.set(answered.get() + 1);
        io.reschedule().await;
    }
}

fn start_clients(io: &SimIo, node: &Node, answered: &Rc<Cell<u64>>) -> Vec<Task> {
    let count = SHARDS * PARTITIONS * CLIENTS_PER_PAIR;
    let start = |number: usize| {
        // Every shard gets clients of every partition.
        let (socket, _) = node.connect(number / PARTITIONS % SHARDS).expect("room");
        let client = Client::new(io, socket);
        let (number, answered) = (number as u64, Rc::clone(answered));
        let producing = keep_producing(io.clone(), client, number, answered);
        io.spawn(TaskClass::Foreground, producing)
    };
    (0..count).map(start).collect()
}

async fn wait_until(io: &SimIo, what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        let pause = Duration::from_micros(100);
        io.sleep_until(io.now() + pause).await;
    }
    assert!(is_so(), "it never happens: {what}");
}

async fn scenario(machine: &Machine, clients: &Machine) {
    let config = NodeConfig {
        shards: u32::try_from(SHARDS).expect("few"),
        directories: 1,
        credits: Some(CREDITS),
        overrides: vec!["shard.advertise=single".to_owned()],
    };
    let node = Node::start(machine, &config).await.expect("it starts");
    let io = clients.shard(0);
    let connect = |shard| Client::new(&io, node.connect(shard).expect("room").0);
    let partitions = i32::try_from(PARTITIONS).expect("few");
    let created = create_topic(&mut connect(0), TOPIC, partitions).await;
    created.expect("a topic");

    let (inboxes, replies) = (probes(REQUEST_CAPACITY), probes(REPLY_CAPACITY));
    inboxes.iter().for_each(MailboxProbe::hold);
    let answered = Rc::new(Cell::new(0));
    let tasks = start_clients(&io, &node, &answered);
    let all_full = || inboxes.iter().all(|it| it.len() == REQUESTS_MAX);
    wait_until(&io, "every inbox is full", all_full).await;

    // What stays on its shard goes on, and so does control.
    let local = u64::try_from(SHARDS * CLIENTS_PER_PAIR).expect("few") * BATCHES;
    wait_until(&io, "local requests are answered", || {
        answered.get() == local
    })
    .await;
    let created = create_topic(&mut connect(1), "other", 2).await;
    created.expect("control has a lane of its own");
    assert!(all_full(), "nobody has taken anything");

    replies.iter().for_each(MailboxProbe::hold);
    inboxes.iter().for_each(MailboxProbe::release);
    let all_replied = || replies.iter().all(|it| it.len() == REQUESTS_MAX);
    wait_until(&io, "every reply has arrived", all_replied).await;
    replies.iter().for_each(MailboxProbe::release);
    for task in tasks {
        task.join().await;
    }
    assert!(
        inboxes.iter().chain(&replies).all(|it| it.refused() == 0),
        "whoever holds a credit finds room"
    );
    for partition in 0..partitions {
        let found = read_all(&mut connect(2), partition).await.expect("read");
        let expected = SHARDS * CLIENTS_PER_PAIR * usize::try_from(BATCHES).expect("few");
        assert_eq!(found.len(), expected);
        let checked = Partition::default().check(&found, 0);
        checked.expect("each connection's batches stand in order");
    }
}

#[test]
fn full_inboxes_never_wait_for_each_other() {
    for_each_seed(0..10, |seed| {
        let simulation = Simulation::new(seed);
        simulation.set_time_max(Duration::from_secs(60));
        let (machine, clients) = (simulation.machine(), simulation.machine());
        let outcome = simulation.run(scenario(&machine, &clients));
        outcome.expect("every request is answered");
    });
}
