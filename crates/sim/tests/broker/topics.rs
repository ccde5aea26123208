//! Topics that are created, written, deleted and created again while their broker crashes: what was acknowledged holds.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest};
use sim::{Fault, Machine, Operation, Rng, SimIo, Simulation, for_each_seed};
use types::{ErrorCode, Uuid};

use crate::client::{
    Client, FETCH_VERSION, PRODUCE_VERSION, fetch_from, fetched, produce_to, produced,
};
use crate::node::{Crash, Node, NodeConfig};
use crate::oracle::batch;

const CREATE_VERSION: i16 = 7;
const DELETE_VERSION: i16 = 5;
const METADATA_VERSION: i16 = 12;
const CLIENTS: u64 = 3;
const NAMES_PER_CLIENT: u64 = 3;
const STEPS: u32 = 60;
const ROUNDS: u32 = 4;
const ROUND_MAX_MS: u64 = 400;
const BACKOFF: Duration = Duration::from_millis(10);
const ATTEMPTS_MAX: u32 = 1000;

/// What one client knows of a topic; nobody else touches it.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Its id if it exists.
    id: Option<Uuid>,
    /// Acknowledged records.
    records: i64,
    /// Records that may have been written all the same.
    unsure_records: i64,
    /// Whether a creation or deletion may have happened all the same.
    is_unsure: bool,
}

struct Shared {
    rng: Rng,
    io: SimIo,
    node: RefCell<Option<Rc<Node>>>,
    /// Changes that were acknowledged.
    changes: Cell<u32>,
}

impl Shared {
    async fn connect(&self) -> Client {
        loop {
            let node = self.node.borrow().clone();
            if let Some(node) = node
                && let Some((socket, _)) = node.connect(self.rng.index(node.shards()))
            {
                return Client::new(&self.io, socket);
            }
            self.back_off().await;
        }
    }

    async fn back_off(&self) {
        self.io.sleep_until(self.io.now() + BACKOFF).await;
    }

    fn changed(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    async fn create(&self, name: &str, known: &mut Known) -> Result<()> {
        known.is_unsure = true;
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: name.into(),
                num_partitions: 2,
                replication_factor: 1,
                ..CreatableTopic::default()
            }],
            timeout_ms: 10_000,
            ..CreateTopicsRequest::default()
        };
        let response = self.connect().await.call(CREATE_VERSION, &request).await?;
        let topic = response.topics.first().expect("one topic");
        succeed(topic.error_code)?;
        *known = Known {
            id: Some(topic.topic_id),
            ..Known::default()
        };
        self.changed();
        Ok(())
    }

    async fn delete(&self, name: &str, known: &mut Known) -> Result<()> {
        known.is_unsure = true;
        let request = DeleteTopicsRequest {
            topic_names: vec![name.into()],
            timeout_ms: 10_000,
            ..DeleteTopicsRequest::default()
        };
        let response = self.connect().await.call(DELETE_VERSION, &request).await?;
        succeed(response.responses.first().expect("one topic").error_code)?;
        *known = Known::default();
        self.changed();
        Ok(())
    }

    async fn write(&self, name: &str, known: &mut Known) -> Result<()> {
        known.unsure_records += 1;
        let batch = batch(0, None, (0, 1), 100);
        let request = produce_to(name, 1, batch);
        let response = self.connect().await.call(PRODUCE_VERSION, &request).await?;
        let response = produced(response);
        succeed(response.error_code)?;
        let earliest = known.records;
        let latest = earliest + known.unsure_records - 1;
        let offset = response.base_offset;
        assert!(
            (earliest..=latest).contains(&offset),
            "{name}: offset {offset} is not within {earliest}..={latest}"
        );
        known.records = offset + 1;
        known.unsure_records = 0;
        Ok(())
    }

    /// Asks the broker and holds its answer against what is known.
    async fn look(&self, name: &str, known: &mut Known) -> Result<()> {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(name.into()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self
            .connect()
            .await
            .call(METADATA_VERSION, &request)
            .await?;
        let topic = response.topics.first().expect("one topic");
        let found = match ErrorCode::from_code(topic.error_code) {
            Some(ErrorCode::None) => Some(topic.topic_id),
            Some(ErrorCode::UnknownTopicOrPartition) => None,
            code => return Err(Error::other(format!("{code:?}"))),
        };
        if !known.is_unsure {
            assert_eq!(found, known.id, "{name} is not what was acknowledged");
        }
        if found != known.id {
            *known = Known {
                id: found,
                ..Known::default()
            };
        }
        known.is_unsure = false;
        if found.is_none() {
            return Ok(());
        }
        let request = fetch_from(name, 1, 0, 0, 1 << 20);
        let response = self.connect().await.call(FETCH_VERSION, &request).await?;
        let data = fetched(response).map_err(|code| Error::other(format!("error {code}")))?;
        let (earliest, end) = (known.records, data.high_watermark);
        let latest = earliest + known.unsure_records;
        assert!(
            (earliest..=latest).contains(&end),
            "{name} ends at {end} and not within {earliest}..={latest}"
        );
        Ok(())
    }
}

fn succeed(code: i16) -> Result<()> {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Ok(()),
        code => Err(Error::other(format!("{code:?}"))),
    }
}

/// Does something with one of the client's topics, until it has done enough.
async fn keep_changing(shared: Rc<Shared>, client: u64) {
    let names: Vec<_> = (0..NAMES_PER_CLIENT)
        .map(|number| format!("topic-{client}-{number}"))
        .collect();
    let mut topics = vec![Known::default(); names.len()];
    for _ in 0..STEPS {
        let index = shared.rng.index(names.len());
        let (name, known) = (&names[index], &mut topics[index]);
        let result = if known.is_unsure || shared.rng.chance(1, 4) {
            shared.look(name, known).await
        } else if known.id.is_none() {
            shared.create(name, known).await
        } else if shared.rng.chance(1, 4) {
            shared.delete(name, known).await
        } else {
            shared.write(name, known).await
        };
        if result.is_err() {
            shared.back_off().await;
        }
        let pause = Duration::from_micros(shared.rng.below(20_000));
        shared.io.sleep_until(shared.io.now() + pause).await;
    }
    for (name, known) in names.iter().zip(&mut topics) {
        let mut attempts = 0;
        while let Err(error) = shared.look(name, known).await {
            attempts += 1;
            assert!(attempts < ATTEMPTS_MAX, "{name} stays unknown: {error}");
            shared.back_off().await;
        }
    }
}

async fn scenario(simulation: &Simulation, machine: &Machine, clients: &Machine) -> u32 {
    let seed = simulation.seed();
    let config = NodeConfig {
        shards: u32::try_from(seed % 3 + 1).expect("small"),
        directories: 2,
        credits: None,
        overrides: Vec::new(),
    };
    let shared = Rc::new(Shared {
        rng: simulation.rng(1),
        io: clients.shard(0),
        node: RefCell::default(),
        changes: Cell::default(),
    });
    let start = async || {
        let node = Node::start(machine, &config).await;
        *shared.node.borrow_mut() = Some(Rc::new(node.expect("it starts")));
    };
    start().await;
    let tasks = (0..CLIENTS).map(|client| {
        let changing = keep_changing(Rc::clone(&shared), client);
        shared.io.spawn(TaskClass::Foreground, changing)
    });
    let tasks: Vec<_> = tasks.collect();
    for _ in 0..ROUNDS {
        let pause = Duration::from_millis(shared.rng.between(1, ROUND_MAX_MS));
        shared.io.sleep_until(shared.io.now() + pause).await;
        let node = shared.node.borrow_mut().take();
        Crash::drawn(&shared.rng).happen(machine, node).await;
        start().await;
    }
    for task in tasks {
        task.join().await;
    }
    shared.changes.get()
}

#[test]
fn acknowledged_creations_and_deletions_survive() {
    for_each_seed(0..15, |seed| {
        let simulation = Simulation::new(seed);
        simulation.set_time_max(Duration::from_secs(600));
        let (machine, clients) = (simulation.machine(), simulation.machine());
        let outcome = simulation.run(scenario(&simulation, &machine, &clients));
        assert!(outcome.expect("it ends") > 10, "topics come and go");
    });
}

/// What becomes of a deleted topic whose directories the disk did not rename.
#[derive(Clone, Copy)]
enum Then {
    CreatedAgain,
    Restarted,
}

async fn delete_stubbornly(simulation: &Simulation, then: Then) {
    let (machine, clients) = (simulation.machine(), simulation.machine());
    let config = NodeConfig {
        shards: 2,
        directories: 1,
        credits: None,
        overrides: Vec::new(),
    };
    let shared = Shared {
        rng: simulation.rng(1),
        io: clients.shard(0),
        node: RefCell::default(),
        changes: Cell::default(),
    };
    let start = async || {
        let node = Node::start(&machine, &config).await;
        *shared.node.borrow_mut() = Some(Rc::new(node.expect("it starts")));
    };
    start().await;
    let mut known = Known::default();
    let created = shared.create("stubborn", &mut known).await;
    created.expect("a new topic");
    shared.write("stubborn", &mut known).await.expect("stored");
    let fault = Fault::new(Operation::Names).on("/stubborn-1");
    machine.disk().inject(fault);
    let deleted = shared.delete("stubborn", &mut known).await;
    deleted.expect("the topic is gone, if not its files");
    machine.disk().repair();
    if matches!(then, Then::Restarted) {
        let old = Path::new("/data/stubborn-1/00000000000000000000.log");
        assert!(machine.disk().peek(old).is_ok(), "the disk refused");
        shared.node.borrow_mut().take();
        machine.cut_power();
        start().await;
        assert!(machine.disk().peek(old).is_err(), "deleted after all");
    }
    let created = shared.create("stubborn", &mut known).await;
    created.expect("the name is free");
    let written = shared.write("stubborn", &mut known).await;
    written.expect("its partitions are online");
    shared
        .look("stubborn", &mut known)
        .await
        .expect("it is new");
}

#[test]
fn a_topic_whose_directory_keeps_its_name_is_deleted_all_the_same() {
    for then in [Then::CreatedAgain, Then::Restarted] {
        let simulation = Simulation::new(7);
        simulation.set_time_max(Duration::from_secs(600));
        let outcome = simulation.run(delete_stubbornly(&simulation, then));
        outcome.expect("it ends");
    }
}

/// While the checkpoints may have lines of a deleted topic, no topic is created: its logs would be held against them.
async fn delete_without_checkpoints(simulation: &Simulation) {
    let (machine, clients) = (simulation.machine(), simulation.machine());
    let config = NodeConfig {
        shards: 2,
        directories: 2,
        credits: None,
        overrides: Vec::new(),
    };
    let node = Node::start(&machine, &config).await;
    let shared = Shared {
        rng: simulation.rng(1),
        io: clients.shard(0),
        node: RefCell::new(Some(Rc::new(node.expect("it starts")))),
        changes: Cell::default(),
    };
    let mut known = Known::default();
    let created = shared.create("stubborn", &mut known).await;
    created.expect("a new topic");
    shared.write("stubborn", &mut known).await.expect("stored");
    // A disk that is full has not failed.
    let fault = Fault::new(Operation::Write).on("offset-checkpoint");
    machine.disk().inject(fault.error(ErrorKind::StorageFull));
    let deleted = shared.delete("stubborn", &mut known).await;
    deleted.expect("the topic is gone");
    for name in ["stubborn", "another"] {
        let refused = shared.create(name, &mut Known::default()).await;
        let refused = refused.expect_err("its offsets may be another's");
        assert_eq!(refused.to_string(), "Some(KafkaStorageError)");
    }
    machine.disk().repair();
    let created = shared.create("stubborn", &mut known).await;
    created.expect("the checkpoints are written");
    shared
        .look("stubborn", &mut known)
        .await
        .expect("it is new");
    // A directory that has failed is left to itself, and blocks nobody.
    let fault = Fault::new(Operation::Write).on("/data-1/");
    machine.disk().inject(fault);
    let deleted = shared.delete("stubborn", &mut known).await;
    deleted.expect("the topic is gone");
    let created = shared.create("another", &mut known).await;
    created.expect("it goes where it can");
    let written = shared.write("another", &mut known).await;
    written.expect("its partitions are online");
}

#[test]
fn no_topic_is_created_until_the_checkpoints_of_deleted_ones_are_written() {
    let simulation = Simulation::new(7);
    simulation.set_time_max(Duration::from_secs(600));
    let outcome = simulation.run(delete_without_checkpoints(&simulation));
    outcome.expect("it ends");
}
