//! Producers and consumers that live through the crashes of their broker.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, Result};
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use protocol::messages::{InitProducerIdRequest, ProduceRequest};
use sim::{Disk, Fault, Link, Machine, Operation, Rng, SimIo, Simulation, Socket, Task};
use types::ErrorCode;

use crate::client::{
    Client, FETCH_VERSION, PRODUCE_VERSION, TOPIC, create_topic, fetch, fetched, produce, produced,
    read_all,
};
use crate::directories::{logs, move_log};
use crate::moves;
use crate::node::{Crash, Node, NodeConfig};
use crate::oracle::{Partition, RecordName, Verdict, batch};

/// Kafka's `max.in.flight.requests.per.connection`.
const IN_FLIGHT_MAX: usize = 5;
const INIT_PRODUCER_ID_VERSION: i16 = 4;
const ROUND_MAX_MS: u64 = 800;
/// How long a client waits before it connects again.
const BACKOFF: Duration = Duration::from_millis(20);
const ATTEMPTS_MAX: u32 = 500;

/// Who moves partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moves {
    Nobody,
    Operator,
    Balancer,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) node: NodeConfig,
    pub(crate) partitions: i32,
    pub(crate) producers: u64,
    pub(crate) rounds: u32,
    pub(crate) crashes: &'static [Crash],
    /// Whether connections break, stall and arrive byte by byte.
    pub(crate) bad_network: bool,
    /// Whether writes and syncs of logs fail and the disk fills up.
    pub(crate) bad_disk: bool,
    /// Who moves partitions between shards all the time.
    pub(crate) moves: Moves,
    /// Whether clients name themselves as ones that know shards apart.
    pub(crate) is_aware: bool,
    /// Whether logs move between the directories.
    pub(crate) directory_moves: bool,
}

/// What happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) acknowledged: u64,
    pub(crate) known: u64,
    /// Partitions that were moved.
    pub(crate) moves: u64,
    /// Look-ups that were answered.
    pub(crate) lookups: u64,
    /// Requests of producers and consumers that were refused.
    pub(crate) errors: u64,
    /// Logs that were seen in another directory than before.
    pub(crate) moved: u64,
}

#[derive(Debug)]
struct Batch {
    bytes: Vec<u8>,
    first: u64,
    count: u64,
}

#[derive(Debug, Default)]
struct Producer {
    id: Option<i64>,
    next: u64,
    unacknowledged: VecDeque<Batch>,
}

/// What clients share; it outlives every broker.
pub(crate) struct Shared {
    pub(crate) rng: Rng,
    pub(crate) io: SimIo,
    bad_network: bool,
    is_aware: bool,
    node: RefCell<Option<Rc<Node>>>,
    partitions: RefCell<Vec<Partition>>,
    broken: RefCell<Option<String>>,
    summary: Cell<Summary>,
    is_finishing: Cell<bool>,
    pub(crate) is_over: Cell<bool>,
}

impl Shared {
    pub(crate) fn hold(&self, verdict: Verdict) {
        if let Err(reason) = verdict {
            self.broken.borrow_mut().get_or_insert(reason);
        }
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Summary)) {
        let mut summary = self.summary.get();
        change(&mut summary);
        self.summary.set(summary);
    }

    /// Something happens to a connection.
    fn harm(&self, link: Link) {
        let io = self.io.clone();
        let delay = Duration::from_micros(self.rng.magnitude(500_000));
        let harm = self.rng.below(4);
        if harm == 0 {
            link.fragment(usize::try_from(self.rng.magnitude(64)).expect("small"));
            return;
        }
        let harming = async move {
            io.sleep_until(io.now() + delay).await;
            match harm {
                1 => link.cut(),
                2 => {
                    link.stall();
                    io.sleep_until(io.now() + delay).await;
                    link.resume();
                }
                _ => {}
            }
        };
        self.io.spawn(TaskClass::Foreground, harming).detach();
    }

    async fn live(&self, max_ms: u64) {
        let span = Duration::from_millis(self.rng.between(1, max_ms));
        self.io.sleep_until(self.io.now() + span).await;
    }

    pub(crate) async fn pause(&self, max_ms: u64) {
        let pause = Duration::from_micros(self.rng.below(max_ms * 1000));
        self.io.sleep_until(self.io.now() + pause).await;
    }

    pub(crate) async fn back_off(&self) {
        self.io.sleep_until(self.io.now() + BACKOFF).await;
    }

    /// A connection to any shard, as soon as there is a broker; it works as long as the broker does.
    async fn connect(&self) -> Client {
        let (socket, _) = self.dial().await;
        Client::new(&self.io, socket)
    }

    /// A connection over the network of the plan.
    async fn connect_far(&self) -> Result<Client> {
        let (socket, link) = self.dial().await;
        if self.bad_network {
            self.harm(link);
        }
        self.introduce(Client::new(&self.io, socket)).await
    }

    /// As [`Shared::connect`], by a client that says who it is where the plan wants it.
    pub(crate) async fn connect_known(&self) -> Result<Client> {
        self.introduce(self.connect().await).await
    }

    async fn introduce(&self, mut client: Client) -> Result<Client> {
        if self.is_aware {
            client.introduce().await?;
        }
        Ok(client)
    }

    pub(crate) fn is_aware(&self) -> bool {
        self.is_aware
    }

    /// How many shards the broker has, 1 when there is none.
    pub(crate) fn shards(&self) -> usize {
        self.node.borrow().as_ref().map_or(1, |node| node.shards())
    }

    async fn dial(&self) -> (Socket, Link) {
        loop {
            let node = self.node.borrow().clone();
            if let Some(node) = node
                && let Some(dialled) = node.connect(self.rng.index(node.shards()))
            {
                return dialled;
            }
            self.back_off().await;
        }
    }
}

/// Runs a plan on a machine.
pub(crate) async fn run(
    simulation: &Simulation,
    machine: &Machine,
    clients: &Machine,
    plan: &Plan,
) -> std::result::Result<Summary, String> {
    let count = usize::try_from(plan.partitions).expect("few partitions");
    let shared = Rc::new(Shared {
        rng: simulation.rng(1),
        io: clients.shard(0),
        bad_network: plan.bad_network,
        is_aware: plan.is_aware,
        node: RefCell::default(),
        partitions: RefCell::new((0..count).map(|_| Partition::default()).collect()),
        broken: RefCell::default(),
        summary: Cell::default(),
        is_finishing: Cell::default(),
        is_over: Cell::default(),
    });
    start(&shared, machine, plan).await?;
    create_topic(&mut shared.connect().await, TOPIC, plan.partitions).await?;
    let (producers, mut others) = start_clients(&shared, plan);
    others.extend(moves::start(&shared, plan));
    if plan.directory_moves {
        let (shared, plan) = (Rc::clone(&shared), plan.clone());
        let io = shared.io.clone();
        let moving = async move { keep_moving_logs(&shared, &plan).await };
        others.push(io.spawn(TaskClass::Foreground, moving));
    }
    for _ in 0..plan.rounds {
        if plan.crashes.is_empty() {
            shared.live(ROUND_MAX_MS).await;
            check_broken(&shared)?;
            continue;
        }
        live_and_crash(&shared, machine, plan).await;
        check_broken(&shared)?;
        start(&shared, machine, plan).await?;
        check_all(&shared, plan.partitions).await?;
    }
    shared.is_finishing.set(true);
    let mut sent = Vec::new();
    for (task, producer) in producers {
        task.join().await;
        sent.push(producer.borrow().next);
    }
    shared.is_over.set(true);
    for task in others {
        task.join().await;
    }
    check_broken(&shared)?;
    let found = check_all(&shared, plan.partitions).await?;
    for (producer, sent) in (0..).zip(sent) {
        let there = found.iter().filter(|(found, _)| *found == producer);
        let there = u64::try_from(there.count()).expect("few records");
        if there != sent {
            return Err(format!("{there} of {sent} records of producer {producer}"));
        }
    }
    Ok(shared.summary.get())
}

async fn start(shared: &Shared, machine: &Machine, plan: &Plan) -> Verdict {
    let node = Node::start(machine, &plan.node).await?;
    *shared.node.borrow_mut() = Some(Rc::new(node));
    Ok(())
}

/// Lets clients work for a while, harms the disk if the plan says so, and ends the broker.
async fn live_and_crash(shared: &Shared, machine: &Machine, plan: &Plan) {
    shared.live(ROUND_MAX_MS).await;
    let mut crash = plan.crashes[shared.rng.index(plan.crashes.len())];
    if plan.bad_disk {
        if harm_disk(shared, machine.disk()) == Harm::Syncs {
            // What a failed sync covered may be readable and go with the next power cut; nobody could tell.
            crash = Crash::PowerCut;
        }
        shared.live(ROUND_MAX_MS / 2).await;
    }
    let node = shared.node.borrow_mut().take();
    crash.happen(machine, node).await;
    machine.disk().repair();
    let capacity_bytes = sim::DEFAULT_CAPACITY_BYTES;
    machine.disk().set_capacity_bytes(capacity_bytes);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Writes,
    Syncs,
    Space,
}

/// Something goes wrong with the logs of the topic.
fn harm_disk(shared: &Shared, disk: &Disk) -> Harm {
    let after = u32::try_from(shared.rng.below(6)).expect("small");
    let fault = |operation| Fault::new(operation).on(TOPIC).after(after);
    match shared.rng.below(4) {
        0 => {
            disk.inject(fault(Operation::Write).times(1));
            Harm::Writes
        }
        1 => {
            disk.inject(fault(Operation::Sync).times(1));
            Harm::Syncs
        }
        2 => {
            disk.inject(fault(Operation::Write));
            Harm::Writes
        }
        _ => {
            disk.set_capacity_bytes(disk.used_bytes() + shared.rng.below(256 << 10));
            Harm::Space
        }
    }
}

fn check_broken(shared: &Shared) -> Verdict {
    let broken = shared.broken.borrow().clone();
    broken.map_or(Ok(()), Err)
}

type Producing = (Task, Rc<RefCell<Producer>>);

fn start_clients(shared: &Rc<Shared>, plan: &Plan) -> (Vec<Producing>, Vec<Task>) {
    let spawn = |number: u64| {
        let partition = i32::try_from(number).expect("few") % plan.partitions;
        let producer = Rc::new(RefCell::new(Producer::default()));
        let (shared, state) = (Rc::clone(shared), Rc::clone(&producer));
        let io = shared.io.clone();
        let producing = async move { keep_producing(&shared, &state, number, partition).await };
        (io.spawn(TaskClass::Foreground, producing), producer)
    };
    let producers = (0..plan.producers).map(spawn).collect();
    let follow = |partition: i32| {
        let shared = Rc::clone(shared);
        let io = shared.io.clone();
        let consuming = async move { keep_consuming(&shared, partition).await };
        io.spawn(TaskClass::Foreground, consuming)
    };
    (producers, (0..plan.partitions).map(follow).collect())
}

async fn keep_producing(
    shared: &Shared,
    producer: &RefCell<Producer>,
    number: u64,
    partition: i32,
) {
    let mut last = None;
    for _ in 0..ATTEMPTS_MAX {
        let produced = match shared.connect_far().await {
            Ok(mut client) => produce_on(shared, producer, &mut client, (number, partition)).await,
            Err(error) => Err(error),
        };
        match produced {
            Ok(()) => return,
            Err(error) => last = Some(error),
        }
        shared.back_off().await;
    }
    shared.hold(Err(format!("producer {number} gets nowhere: {last:?}")));
}

/// Produces on one connection until it breaks, a request fails, or everything has been said.
async fn produce_on(
    shared: &Shared,
    producer: &RefCell<Producer>,
    client: &mut Client,
    (number, partition): (u64, i32),
) -> Result<()> {
    let known = producer.borrow().id;
    let id = match known {
        Some(id) => id,
        None => init_producer_id(client).await?,
    };
    producer.borrow_mut().id = Some(id);
    let again = producer.borrow().unacknowledged.len();
    let (mut in_flight, mut answered) = (0, 0);
    loop {
        while let Some(bytes) = next_batch(shared, producer, (number, id), in_flight) {
            let request = produce(partition, bytes);
            client.send(PRODUCE_VERSION, &request).await?;
            in_flight += 1;
        }
        if in_flight == 0 {
            return Ok(());
        }
        let response = client.receive::<ProduceRequest>(PRODUCE_VERSION).await?;
        let response = produced(response);
        let code = ErrorCode::from_code(response.error_code);
        let may_be_known = answered < again;
        match code {
            Some(ErrorCode::None) => {
                acknowledge(shared, producer, (number, partition), response.base_offset);
            }
            // The broker remembers the last batch across a restart, as Kafka's: what came before is refused.
            Some(ErrorCode::OutOfOrderSequenceNumber | ErrorCode::DuplicateSequenceNumber)
                if may_be_known =>
            {
                producer.borrow_mut().unacknowledged.pop_front();
                shared.count(|summary| summary.known += 1);
            }
            code => {
                shared.count(|summary| summary.errors += 1);
                return Err(Error::other(format!("{code:?}")));
            }
        }
        in_flight -= 1;
        answered += 1;
        shared.pause(15).await;
    }
}

async fn init_producer_id(client: &mut Client) -> Result<i64> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    let response = client.call(INIT_PRODUCER_ID_VERSION, &request).await?;
    if response.error_code == 0 {
        Ok(response.producer_id)
    } else {
        Err(Error::other(format!("error {}", response.error_code)))
    }
}

/// The batch to send when `in_flight` of the unacknowledged ones are under way.
fn next_batch(
    shared: &Shared,
    producer: &RefCell<Producer>,
    (number, id): (u64, i64),
    in_flight: usize,
) -> Option<Vec<u8>> {
    let mut producer = producer.borrow_mut();
    if in_flight == IN_FLIGHT_MAX {
        return None;
    }
    if let Some(batch) = producer.unacknowledged.get(in_flight) {
        return Some(batch.bytes.clone());
    }
    if shared.is_finishing.get() || (in_flight > 0 && shared.rng.chance(1, 3)) {
        return None;
    }
    let (first, count) = (producer.next, shared.rng.between(1, 5));
    let len_bytes = usize::try_from(shared.rng.magnitude(5000)).expect("small");
    let bytes = batch(number, Some(id), (first, count), len_bytes);
    producer.next += count;
    producer.unacknowledged.push_back(Batch {
        bytes: bytes.clone(),
        first,
        count,
    });
    Some(bytes)
}

fn acknowledge(
    shared: &Shared,
    producer: &RefCell<Producer>,
    (number, partition): (u64, i32),
    base_offset: i64,
) {
    let batch = producer.borrow_mut().unacknowledged.pop_front();
    let batch = batch.expect("a response belongs to a request");
    let partition = usize::try_from(partition).expect("partitions are counted from 0");
    let mut partitions = shared.partitions.borrow_mut();
    for (offset, record) in (base_offset..).zip(batch.first..batch.first + batch.count) {
        shared.hold(partitions[partition].learn(offset, (number, record)));
    }
    shared.count(|summary| summary.acknowledged += batch.count);
}

async fn keep_consuming(shared: &Shared, partition: i32) {
    let mut offset = 0;
    while !shared.is_over.get() {
        let Ok(mut client) = shared.connect_far().await else {
            shared.back_off().await;
            continue;
        };
        if consume_on(shared, &mut client, partition, &mut offset)
            .await
            .is_err()
        {
            shared.back_off().await;
        }
    }
}

async fn consume_on(
    shared: &Shared,
    client: &mut Client,
    partition: i32,
    offset: &mut i64,
) -> Result<()> {
    let index = usize::try_from(partition).expect("partitions are counted from 0");
    while !shared.is_over.get() {
        let max_bytes = i32::try_from(shared.rng.magnitude(100_000)).expect("small");
        let request = fetch(partition, *offset, 100, max_bytes);
        let data = match fetched(client.call(FETCH_VERSION, &request).await?) {
            Ok(data) => data,
            Err(code) => {
                let known = shared.partitions.borrow()[index].end();
                if code == ErrorCode::OffsetOutOfRange.code() && *offset <= known {
                    shared.hold(Err(format!("offset {offset} is gone, {known} was the end")));
                }
                shared.count(|summary| summary.errors += 1);
                return Err(Error::other(format!("error {code}")));
            }
        };
        let bytes = data.records.unwrap_or_default().into_bytes();
        let read = shared.partitions.borrow_mut()[index].read(*offset, &bytes);
        match read {
            Ok(next) => *offset = next,
            Err(reason) => shared.hold(Err(reason)),
        }
        if shared.rng.chance(1, 20) {
            *offset = 0;
        }
        shared.pause(10).await;
        if shared.rng.chance(1, 50) {
            // Another connection, perhaps to another shard.
            return Ok(());
        }
    }
    Ok(())
}

/// Has logs moved to directories by chance, and looks where they are.
async fn keep_moving_logs(shared: &Shared, plan: &Plan) {
    let mut places = BTreeMap::new();
    while !shared.is_over.get() {
        let mut client = shared.connect().await;
        let target = shared.rng.index(usize::from(plan.node.directories));
        let partition = i32::try_from(
            shared
                .rng
                .index(usize::try_from(plan.partitions).expect("few")),
        );
        let wanted = move_log(&mut client, target, partition.expect("few")).await;
        shared.pause(100).await;
        match wanted.and(logs(&mut client).await) {
            Ok(logs) => shared.hold(logs.map(|found| {
                let moved = found.iter().filter(|(log, place)| {
                    let before: Option<String> = places.insert(**log, (*place).clone());
                    before.is_some_and(|before| before != **place)
                });
                let moved = moved.count() as u64;
                shared.count(|summary| summary.moved += moved);
            })),
            // The broker has ended, or the partition is not there yet.
            Err(_) => shared.back_off().await,
        }
    }
}

/// Reads every partition from its start to its high watermark and holds it against everything known.
async fn check_all(
    shared: &Shared,
    partitions: i32,
) -> std::result::Result<Vec<RecordName>, String> {
    let mut names = Vec::new();
    for partition in 0..partitions {
        let index = usize::try_from(partition).expect("partitions are counted from 0");
        let known_end = shared.partitions.borrow()[index].end();
        let found = read_all(&mut shared.connect().await, partition).await?;
        shared.partitions.borrow()[index].check(&found, known_end)?;
        names.extend(found.into_values());
    }
    Ok(names)
}
