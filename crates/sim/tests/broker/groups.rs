//! Offsets that are committed and fetched while their broker crashes: what was acknowledged, or read, stays.

use std::cell::{Cell, RefCell};
use std::io::{Error, Result};
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use protocol::messages::{FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest};
use sim::{Machine, Rng, SimIo, Simulation, for_each_seed};
use types::ErrorCode;

use crate::client::{Client, create_topic};
use crate::node::{Crash, Node, NodeConfig};

const TOPIC: &str = "topic";
const PARTITIONS: i32 = 2;
const FIND_VERSION: i16 = 3;
const COMMIT_VERSION: i16 = 8;
const FETCH_VERSION: i16 = 7;
const CLIENTS: u64 = 4;
const STEPS: i64 = 60;
const ROUNDS: u32 = 5;
const ROUND_MAX_MS: u64 = 400;
const BACKOFF: Duration = Duration::from_millis(10);
const ATTEMPTS_MAX: u32 = 2_000;

struct Shared {
    rng: Rng,
    io: SimIo,
    node: RefCell<Option<Rc<Node>>>,
    /// Commits that were acknowledged.
    commits: Cell<u32>,
    /// What went back, or was there twice.
    broken: RefCell<Vec<String>>,
}

/// What one client knows of its group.
#[derive(Default)]
struct Known {
    /// The last offset that was acknowledged or read; none is less than all.
    settled: i64,
    /// The last offset that was sent.
    sent: i64,
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

    /// Finds the coordinator, which makes its topic. One node is shown, so it is behind any connection.
    async fn find(&self, group: &str) -> Result<Client> {
        let request = FindCoordinatorRequest {
            key: group.into(),
            ..FindCoordinatorRequest::default()
        };
        let mut client = self.connect().await;
        let response = client.call(FIND_VERSION, &request).await?;
        succeed(response.error_code)?;
        Ok(client)
    }

    async fn commit(&self, group: &str, known: &mut Known) -> Result<()> {
        known.sent += 1;
        let partitions = (0..PARTITIONS).map(|partition_index| OffsetCommitRequestPartition {
            partition_index,
            committed_offset: known.sent,
            ..OffsetCommitRequestPartition::default()
        });
        let request = OffsetCommitRequest {
            group_id: group.into(),
            topics: vec![OffsetCommitRequestTopic {
                name: TOPIC.into(),
                partitions: partitions.collect(),
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        };
        let mut client = self.find(group).await?;
        let response = client.call(COMMIT_VERSION, &request).await?;
        for partition in &response.topics[0].partitions {
            succeed(partition.error_code)?;
        }
        known.settled = known.sent;
        self.commits.set(self.commits.get() + 1);
        Ok(())
    }

    /// Reads what is committed, and holds it against what is known.
    async fn look(&self, group: &str, known: &mut Known) -> Result<()> {
        let request = OffsetFetchRequest {
            group_id: group.into(),
            topics: Some(vec![OffsetFetchRequestTopic {
                name: TOPIC.into(),
                partition_indexes: (0..PARTITIONS).collect(),
            }]),
            ..OffsetFetchRequest::default()
        };
        let mut client = self.find(group).await?;
        let response = client.call(FETCH_VERSION, &request).await?;
        succeed(response.error_code)?;
        let partitions = &response.topics[0].partitions;
        let found: Vec<i64> = partitions.iter().map(|it| it.committed_offset).collect();
        // Nothing committed is -1.
        let least = if known.settled == 0 {
            -1
        } else {
            known.settled
        };
        let is_possible = |offset: &i64| (least..=known.sent).contains(offset);
        // The partitions of a commit are written together.
        if !found.iter().all(is_possible) || found[0] != found[1] {
            let (settled, sent) = (known.settled, known.sent);
            let problem = format!("{group}: {found:?}, acknowledged {settled}, sent {sent}");
            self.broken.borrow_mut().push(problem);
        }
        known.settled = known.settled.max(found[0]);
        Ok(())
    }
}

fn succeed(code: i16) -> Result<()> {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Ok(()),
        code => Err(Error::other(format!("{code:?}"))),
    }
}

/// Commits and looks, until it has done enough.
async fn keep_committing(shared: Rc<Shared>, client: u64) {
    let group = format!("group-{client}");
    let mut known = Known::default();
    for _ in 0..STEPS {
        let result = if shared.rng.chance(1, 3) {
            shared.look(&group, &mut known).await
        } else {
            shared.commit(&group, &mut known).await
        };
        if result.is_err() {
            shared.back_off().await;
        }
        let pause = Duration::from_micros(shared.rng.below(20_000));
        shared.io.sleep_until(shared.io.now() + pause).await;
    }
    let mut attempts = 0;
    while let Err(error) = shared.look(&group, &mut known).await {
        attempts += 1;
        assert!(attempts < ATTEMPTS_MAX, "{group} stays unknown: {error}");
        shared.back_off().await;
    }
}

async fn scenario(
    simulation: &Simulation,
    machine: &Machine,
    clients: &Machine,
) -> (u32, Vec<String>) {
    let config = NodeConfig {
        shards: u32::try_from(simulation.seed() % 3 + 1).expect("small"),
        directories: 1,
        credits: None,
        overrides: vec![
            "shard.advertise=single".to_owned(),
            "offsets.topic.num.partitions=3".to_owned(),
        ],
    };
    let shared = Rc::new(Shared {
        rng: simulation.rng(1),
        io: clients.shard(0),
        node: RefCell::default(),
        commits: Cell::default(),
        broken: RefCell::default(),
    });
    let start = async || {
        let node = Node::start(machine, &config).await;
        *shared.node.borrow_mut() = Some(Rc::new(node.expect("it starts")));
    };
    start().await;
    let mut client = shared.connect().await;
    let created = create_topic(&mut client, TOPIC, PARTITIONS).await;
    created.expect("a new topic");
    let tasks = (0..CLIENTS).map(|client| {
        let committing = keep_committing(Rc::clone(&shared), client);
        shared.io.spawn(TaskClass::Foreground, committing)
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
    (shared.commits.get(), shared.broken.take())
}

fn run(seed: u64, prepare: impl FnOnce(&Machine)) -> (u32, Vec<String>) {
    let simulation = Simulation::new(seed);
    simulation.set_time_max(Duration::from_secs(600));
    let (machine, clients) = (simulation.machine(), simulation.machine());
    prepare(&machine);
    let outcome = simulation.run(scenario(&simulation, &machine, &clients));
    outcome.expect("a scenario ends")
}

#[test]
fn a_coordinator_answers_when_its_records_are_durable() {
    for_each_seed(0..15, |seed| {
        let (commits, broken) = run(seed, |_| ());
        assert!(commits > 10, "offsets are committed");
        assert!(broken.is_empty(), "{broken:?}");
    });
}
