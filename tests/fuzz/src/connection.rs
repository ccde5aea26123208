//! Whole connections: rows of frames, whole, cut, malformed or late, against a broker on the simulator.
//!
//! Whatever comes, the broker goes on: somebody who means well is served afterwards, it ends in good order, and it has taken no
//! more memory than its bounds allow.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use io::{Io as _, ReadHalf as _, Stream as _, Task as _, TaskClass, write_all};
use sim::client::create_topic;
use sim::node::Node;
use sim::{Link, SimIo, Simulation, WriteHalf};

use super::input::Input;
use super::memory::bounded;
use super::node::{connect, drain, serve, start, within};
use super::requests;

const STEPS_MAX: usize = 64;
const CONNECTIONS_MAX: usize = 4;

/// How long one write of the fuzzed client may take, in virtual time: it does not read while it waits, if it says so.
const WRITE_TIME_MAX: Duration = Duration::from_secs(2);

/// What a broker may take: its configured memory for tails, cache, requests, responses and groups, the simulated disk and
/// network, and its tasks.
const MEMORY_MAX_BYTES: usize = 96 << 20;

/// A byte for the number of shards, a seed, and steps.
pub fn connection(input: &[u8]) {
    bounded(MEMORY_MAX_BYTES, || check(&mut Input::new(input)));
}

/// A connection of the one who may mean anything.
struct Wire {
    output: WriteHalf,
    link: Link,
    /// Whether what arrives is read.
    reads: Rc<Cell<bool>>,
    sent: i32,
}

fn check(input: &mut Input<'_>) {
    let shards = u32::from(input.byte() & 1) + 1;
    let simulation = Simulation::new(u64::from(input.byte()));
    let (machine, clients) = (simulation.machine(), simulation.machine());
    let used = simulation.run(async {
        let io = clients.shard(0);
        let node = start(&io, &machine, shards).await.expect("an empty disk");
        let mut client = connect(&io, &node).await;
        let created = create_topic(&mut client, sim::client::TOPIC, 3).await;
        created.expect("a topic");
        drop(client);
        misbehave(&io, &node, input).await;
        // Its own topic, which nobody else knows how to harm: what was asked for may have deleted or changed the other.
        make_again(&io, &node).await;
        serve(&io, &node).await;
        drain(&io, &node).await;
    });
    used.expect("nothing waits for ever");
}

/// Deletes the topic, if it is still there, and makes it anew.
async fn make_again(io: &SimIo, node: &Node) {
    let mut client = connect(io, node).await;
    let made = within(io, Duration::from_secs(600), async {
        let request = protocol::messages::DeleteTopicsRequest {
            topic_names: vec![sim::client::TOPIC.into()],
            timeout_ms: 10_000,
            ..protocol::messages::DeleteTopicsRequest::default()
        };
        client.call(5, &request).await.expect("an answer");
        create_topic(&mut client, sim::client::TOPIC, 1).await
    });
    made.await.expect("in time").expect("a topic");
}

async fn misbehave(io: &SimIo, node: &Node, input: &mut Input<'_>) {
    let mut wires: Vec<Wire> = Vec::new();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let step = input.byte();
        let which = usize::from(step >> 6);
        if wires.len() <= which.min(CONNECTIONS_MAX - 1) {
            wires.extend(open(io, node, input));
        }
        let Some(wire) = wires.get_mut(which) else {
            continue;
        };
        match step % 12 {
            0..=5 => {
                let frame = requests::frame(wire.sent, input);
                send(io, wire, frame).await;
            }
            6 => {
                let frame = requests::raw(wire.sent, input);
                send(io, wire, frame).await;
            }
            7 => {
                let bytes = input.text().to_vec();
                send(io, wire, bytes).await;
            }
            8 => {
                let span = Duration::from_millis(u64::from(input.short()));
                io.sleep_until(io.now() + span).await;
            }
            9 => wire.reads.set(!wire.reads.get()),
            10 => wire.link.fragment(usize::from(input.byte()) + 1),
            _ => {
                wires.swap_remove(which).link.cut();
            }
        }
    }
}

fn open(io: &SimIo, node: &Node, input: &mut Input<'_>) -> Option<Wire> {
    let shard = input.below(node.shards());
    let (socket, link) = node.connect(shard)?;
    let stream = io.adopt(socket).expect("clients do not crash");
    let (mut from, output) = stream.split();
    let reads = Rc::new(Cell::new(true));
    let is_reading = Rc::clone(&reads);
    let clock = io.clone();
    let reader = async move {
        let mut buffer = vec![0; 4096];
        loop {
            if !is_reading.get() {
                let pause = Duration::from_millis(100);
                clock.sleep_until(clock.now() + pause).await;
            } else if !matches!(from.read(&mut buffer).await, Ok(1..)) {
                return;
            }
        }
    };
    io.spawn(TaskClass::Foreground, reader).detach();
    Some(Wire {
        output,
        link,
        reads,
        sent: 0,
    })
}

/// Writes what can be written in time; a connection that the broker has closed takes nothing.
async fn send(io: &SimIo, wire: &mut Wire, bytes: Vec<u8>) {
    wire.sent += 1;
    let chunks = vec![Bytes::from(bytes)];
    let written = write_all(&mut wire.output, chunks, drop);
    within(io, WRITE_TIME_MAX, written).await;
}
