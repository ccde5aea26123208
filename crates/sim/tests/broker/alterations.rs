//! Configurations that change and topics that grow while their broker crashes: a request happens wholly or not at all, and
//! what was acknowledged holds.

use std::cell::RefCell;
use std::io::{Error, Result};
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};
use sim::{Machine, Rng, SimIo, Simulation, for_each_seed};
use types::ErrorCode;

use crate::client::Client;
use crate::node::{Node, NodeConfig};

const TOPICS: [&str; 2] = ["one", "other"];
const STEPS: usize = 40;
const ROUNDS: u32 = 5;
const ROUND_MAX_MS: u64 = 300;
const BACKOFF: Duration = Duration::from_millis(10);
const ATTEMPTS_MAX: u32 = 1000;

const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;

/// What each request sets, all to the same value: two keys of one topic, one of another, and one of all brokers.
const VALUES: [(i8, &str, &[&str]); 3] = [
    (
        TOPIC_RESOURCE,
        TOPICS[0],
        &["delete.retention.ms", "flush.ms"],
    ),
    (TOPIC_RESOURCE, TOPICS[1], &["flush.ms"]),
    (BROKER_RESOURCE, "", &["log.flush.interval.ms"]),
];

/// A number that only grows: the last one acknowledged, and the last one asked for.
#[derive(Clone, Copy, Debug)]
struct Known {
    acknowledged: usize,
    asked: usize,
}

impl Known {
    fn check(&mut self, found: usize, what: &str) {
        let Self {
            acknowledged,
            asked,
        } = *self;
        assert!(
            (acknowledged..=asked).contains(&found),
            "{what}: {found} is not within {self:?}"
        );
        // What is there now stays.
        self.acknowledged = found;
        self.asked = found;
    }
}

struct Admin {
    rng: Rng,
    io: SimIo,
    node: RefCell<Option<Rc<Node>>>,
}

impl Admin {
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

    async fn create(&self) -> Result<()> {
        let topic = |name: &str| CreatableTopic {
            name: name.into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: TOPICS.map(topic).to_vec(),
            timeout_ms: 10_000,
            ..CreateTopicsRequest::default()
        };
        let response = self.connect().await.call(7, &request).await?;
        response
            .topics
            .iter()
            .try_for_each(|topic| match ErrorCode::from_code(topic.error_code) {
                Some(ErrorCode::TopicAlreadyExists) => Ok(()),
                _ => succeed(topic.error_code),
            })
    }

    async fn alter(&self, values: &mut Known) -> Result<()> {
        values.asked += 1;
        let value = values.asked.to_string();
        let resource = |(kind, name, keys): (i8, &str, &[&str])| AlterConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configs: keys
                .iter()
                .map(|key| AlterableConfig {
                    name: (*key).into(),
                    config_operation: 0,
                    value: Some(value.as_str().into()),
                })
                .collect(),
        };
        let request = IncrementalAlterConfigsRequest {
            resources: VALUES.map(resource).to_vec(),
            validate_only: false,
        };
        let response = self.connect().await.call(1, &request).await?;
        response
            .responses
            .iter()
            .try_for_each(|it| succeed(it.error_code))?;
        values.acknowledged = values.asked;
        Ok(())
    }

    async fn grow(&self, partitions: &mut Known) -> Result<()> {
        let count = partitions.acknowledged + 1;
        partitions.asked = count;
        let topic = |name: &str| CreatePartitionsTopic {
            name: name.into(),
            count: i32::try_from(count).expect("small"),
            assignments: None,
        };
        let request = CreatePartitionsRequest {
            topics: TOPICS.map(topic).to_vec(),
            timeout_ms: 10_000,
            validate_only: false,
        };
        let response = self.connect().await.call(3, &request).await?;
        response
            .results
            .iter()
            .try_for_each(|it| succeed(it.error_code))?;
        partitions.acknowledged = count;
        Ok(())
    }

    /// Asks for everything: it must be of one request, and of none before the last acknowledged one.
    async fn look(&self, values: &mut Known, partitions: &mut Known) -> Result<()> {
        let resource = |(kind, name, keys): (i8, &str, &[&str])| DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: Some(keys.iter().map(|key| (*key).into()).collect()),
        };
        let request = DescribeConfigsRequest {
            resources: VALUES.map(resource).to_vec(),
            ..DescribeConfigsRequest::default()
        };
        let response = self.connect().await.call(4, &request).await?;
        response
            .results
            .iter()
            .try_for_each(|it| succeed(it.error_code))?;
        let configs = response.results.iter().flat_map(|result| &result.configs);
        // Before the first change there is nothing of all brokers, and topics have Kafka's defaults.
        let set = configs.filter(|config| matches!(config.config_source, 1 | 3));
        let set: Vec<usize> = set
            .filter_map(|config| config.value.as_ref()?.parse().ok())
            .collect();
        let value = set.first().copied().unwrap_or(0);
        let count = if value == 0 { 0 } else { 4 };
        assert_eq!(set, vec![value; count], "half a change");
        values.check(value, "the values");
        let topics = TOPICS.map(|name| MetadataRequestTopic {
            name: Some(name.into()),
            ..MetadataRequestTopic::default()
        });
        let request = MetadataRequest {
            topics: Some(topics.to_vec()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self.connect().await.call(12, &request).await?;
        response
            .topics
            .iter()
            .try_for_each(|it| succeed(it.error_code))?;
        let counts: Vec<usize> = response
            .topics
            .iter()
            .map(|it| it.partitions.len())
            .collect();
        assert_eq!(counts[0], counts[1], "half a growth");
        partitions.check(counts[0], "the partitions");
        Ok(())
    }
}

fn succeed(code: i16) -> Result<()> {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Ok(()),
        code => Err(Error::other(format!("{code:?}"))),
    }
}

/// Changes and looks until it has done enough; how often a change was acknowledged.
async fn administer(admin: Rc<Admin>) -> usize {
    while admin.create().await.is_err() {
        admin.back_off().await;
    }
    let mut values = Known {
        acknowledged: 0,
        asked: 0,
    };
    let mut partitions = Known {
        acknowledged: 1,
        asked: 1,
    };
    for _ in 0..STEPS {
        let is_unsure = partitions.asked > partitions.acknowledged;
        let result = if is_unsure || admin.rng.chance(1, 3) {
            admin.look(&mut values, &mut partitions).await
        } else if admin.rng.chance(1, 2) {
            admin.alter(&mut values).await
        } else {
            admin.grow(&mut partitions).await
        };
        if result.is_err() {
            admin.back_off().await;
        }
        let pause = Duration::from_micros(admin.rng.below(20_000));
        admin.io.sleep_until(admin.io.now() + pause).await;
    }
    let mut attempts = 0;
    while let Err(error) = admin.look(&mut values, &mut partitions).await {
        attempts += 1;
        assert!(attempts < ATTEMPTS_MAX, "the state stays unknown: {error}");
        admin.back_off().await;
    }
    values.acknowledged + partitions.acknowledged
}

async fn scenario(simulation: &Simulation, machine: &Machine, clients: &Machine) -> usize {
    let config = NodeConfig {
        shards: u32::try_from(simulation.seed() % 3 + 1).expect("small"),
        directories: 1,
        credits: None,
        overrides: Vec::new(),
    };
    let admin = Rc::new(Admin {
        rng: simulation.rng(1),
        io: clients.shard(0),
        node: RefCell::default(),
    });
    let start = async || {
        let node = Node::start(machine, &config).await;
        *admin.node.borrow_mut() = Some(Rc::new(node.expect("it starts")));
    };
    start().await;
    let done = Rc::new(RefCell::new(0));
    let task = {
        let (admin, done) = (Rc::clone(&admin), Rc::clone(&done));
        let io = admin.io.clone();
        io.spawn(TaskClass::Foreground, async move {
            let count = administer(admin).await;
            *done.borrow_mut() = count;
        })
    };
    for _ in 0..ROUNDS {
        let pause = Duration::from_millis(admin.rng.between(1, ROUND_MAX_MS));
        admin.io.sleep_until(admin.io.now() + pause).await;
        drop(admin.node.borrow_mut().take());
        if admin.rng.chance(1, 3) {
            machine.kill();
        } else {
            machine.cut_power();
        }
        start().await;
    }
    task.join().await;
    *done.borrow()
}

#[test]
fn changes_of_configurations_and_partitions_happen_wholly_or_not_at_all() {
    for_each_seed(0..15, |seed| {
        let simulation = Simulation::new(seed);
        simulation.set_time_max(Duration::from_secs(600));
        let (machine, clients) = (simulation.machine(), simulation.machine());
        let outcome = simulation.run(scenario(&simulation, &machine, &clients));
        assert!(outcome.expect("it ends") > 5, "something changes");
    });
}
