//! What is measured: topics that are made for a run, their partitions, and connections to their leaders.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use client::{
    Client, ClientConfig, ClientError, Connection, NewTopic, OffsetSpec, TopicDescription,
};
use command_line::Failure;
use protocol::ApiKey;
use types::{ErrorCode, NodeId, PartitionIndex};

use crate::cli::TopicArgs;
use crate::engine::{Link, Place};

/// The last versions of Produce and Fetch that name topics instead of giving their ids.
const VERSION_WITH_NAMES: i16 = 12;

/// How long new partitions may be without a leader.
const LEADERS_MAX: Duration = Duration::from_secs(60);

/// Topics of a run. Those that were made for it are deleted when this is dropped.
#[derive(Debug)]
pub(crate) struct Target {
    client: Client,
    config: ClientConfig,
    topics: Vec<TopicDescription>,
    to_delete: Vec<String>,
    /// Groups that were made for the run.
    groups: Vec<String>,
    prefix: String,
}

/// One node, and those of the partitions that it leads.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) address: String,
    pub(crate) places: Vec<Place>,
}

impl Target {
    /// Makes what is missing.
    pub(crate) fn prepare(config: ClientConfig, wanted: &TopicArgs) -> Result<Self, Failure> {
        let client = Client::connect(config.clone())?;
        let mut target = Self {
            client,
            config,
            topics: Vec::new(),
            to_delete: Vec::new(),
            groups: Vec::new(),
            prefix: unique_prefix(),
        };
        let names: Vec<String> = match &wanted.topic {
            Some(name) => vec![name.clone()],
            None => (0..wanted.topics)
                .map(|number| format!("{}-{number}", target.prefix))
                .collect(),
        };
        for name in &names {
            target.make(name, wanted)?;
        }
        target.await_leaders(names)?;
        // Metadata may name a leader that has not heard of it yet; one that says where its log begins has.
        target.offsets(OffsetSpec::Earliest)?;
        Ok(target)
    }

    /// Uses a topic that must be there.
    pub(crate) fn existing(config: ClientConfig, topic: &str) -> Result<Self, Failure> {
        let mut client = Client::connect(config.clone())?;
        let topics = vec![client.describe_topic(topic)?];
        Ok(Self {
            client,
            config,
            topics,
            to_delete: Vec::new(),
            groups: Vec::new(),
            prefix: unique_prefix(),
        })
    }

    fn make(&mut self, name: &str, wanted: &TopicArgs) -> Result<(), Failure> {
        let is_own = wanted.topic.is_none();
        let topic = NewTopic {
            name: name.to_owned(),
            partitions: Some(wanted.partitions_per_topic),
            replication_factor: Some(wanted.replication_factor),
            configs: wanted.topic_configs.clone(),
            assignments: Vec::new(),
        };
        match self.client.create_topic(&topic, false) {
            Ok(_) if is_own && !wanted.keep_topics => self.to_delete.push(name.to_owned()),
            Ok(_) => {}
            Err(error) if !is_own && error.code() == Some(ErrorCode::TopicAlreadyExists) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Waits until every partition has a leader, and learns them.
    fn await_leaders(&mut self, names: Vec<String>) -> Result<(), Failure> {
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + LEADERS_MAX;
        for name in names {
            loop {
                let topic = self.client.describe_topic(&name);
                let is_led = topic.as_ref().is_ok_and(|topic| {
                    let mut partitions = topic.partitions.values();
                    partitions.all(|partition| partition.leader.is_some())
                });
                match topic {
                    Ok(topic) if is_led => {
                        self.topics.push(topic);
                        break;
                    }
                    Err(error) if error.code() != Some(ErrorCode::UnknownTopicOrPartition) => {
                        return Err(error.into());
                    }
                    _ if Instant::now() > deadline => {
                        let problem = format!("partitions of {name} have no leader");
                        return Err(Failure::refused(problem, "the broker's log says why"));
                    }
                    _ => std::thread::sleep(LOOK_AGAIN),
                }
            }
        }
        Ok(())
    }

    /// The nodes that lead partitions.
    pub(crate) fn nodes(&self) -> Result<Vec<Node>, Failure> {
        let mut by_node: BTreeMap<NodeId, Vec<Place>> = BTreeMap::new();
        for topic in &self.topics {
            for (index, partition) in &topic.partitions {
                let leader = partition.leader.ok_or_else(|| {
                    let problem = format!("{}-{index} has no leader", topic.name);
                    Failure::refused(problem, "wait until the broker has one for every partition")
                })?;
                by_node.entry(leader).or_default().push(Place {
                    topic: topic.name.as_str().into(),
                    id: topic.id,
                    partition: index.0,
                    group: usize::try_from(index.0).unwrap_or(0),
                });
            }
        }
        let nodes = by_node.into_iter().map(|(id, places)| {
            let address = self.client.cluster().nodes().get(&id);
            let address = address.map(|node| node.authority()).ok_or_else(|| {
                Failure::refused(
                    format!("node {id} has no address"),
                    "the broker's log says why",
                )
            })?;
            Ok(Node { address, places })
        });
        nodes.collect()
    }

    /// The greatest number of partitions that a topic has.
    pub(crate) fn partitions(&self) -> usize {
        let counts = self.topics.iter().map(|topic| topic.partitions.len());
        counts.max().unwrap_or(1)
    }

    /// How many partitions there are in all.
    pub(crate) fn places(&self) -> usize {
        let counts = self.topics.iter().map(|topic| topic.partitions.len());
        counts.sum()
    }

    pub(crate) fn topic_names(&self) -> Vec<String> {
        self.topics.iter().map(|topic| topic.name.clone()).collect()
    }

    /// The name of a group of this run, which is deleted at its end.
    pub(crate) fn group(&mut self, number: u16) -> String {
        let group = format!("{}-group-{number}", self.prefix);
        self.groups.push(group.clone());
        group
    }

    /// A connection to the coordinator of a group.
    pub(crate) fn coordinator(&mut self, group: &str) -> Result<Connection, Failure> {
        let node = self.client.coordinator(group)?;
        let address = self.client.node(node)?.address().to_owned();
        Ok(Connection::open(&address, &self.config)?)
    }

    /// The first and the last version that all sides know of `api`, once a connection is made.
    pub(crate) fn version(&self, node: &Node, api: ApiKey) -> Result<i16, Failure> {
        let connection = Connection::open(&node.address, &self.config)?;
        let has_ids = self.topics.iter().all(|topic| !topic.id.is_zero());
        let version_max = if has_ids {
            i16::MAX
        } else {
            VERSION_WITH_NAMES
        };
        Ok(connection.version_of(api, version_max)?)
    }

    /// A connection to a node, with the handshake behind it.
    pub(crate) fn link(&self, node: &Node) -> Result<Link, Failure> {
        let connection = Connection::open(&node.address, &self.config)?;
        link(connection.into_stream(), &node.address)
    }

    /// An identity for an idempotent producer.
    pub(crate) fn producer_id(&mut self) -> Result<(i64, i16), Failure> {
        let (id, epoch) = self.client.init_producer_id()?;
        Ok((id.0, epoch.0))
    }

    /// The offset that `spec` says, for every partition.
    pub(crate) fn offsets(
        &mut self,
        spec: OffsetSpec,
    ) -> Result<BTreeMap<(String, i32), i64>, Failure> {
        let mut found = BTreeMap::new();
        for topic in &self.topics {
            let partitions: Vec<PartitionIndex> = topic.partitions.keys().copied().collect();
            let listed = self.client.list_offsets(&topic.name, &partitions, spec)?;
            for (partition, offset) in listed {
                let offset = offset.offset.map_or(0, |offset| offset.0);
                found.insert((topic.name.clone(), partition.0), offset);
            }
        }
        Ok(found)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        for group in &self.groups {
            // Members that were interrupted may still be in it; then it goes when its offsets expire.
            drop(self.client.delete_group(group));
        }
        for topic in &self.to_delete {
            // The broker may be gone, and then so is the topic's purpose.
            drop(self.client.delete_topic(topic));
        }
    }
}

/// A connection that has just been opened, for the event loop.
pub(crate) fn link(stream: TcpStream, address: &str) -> Result<Link, Failure> {
    Link::new(stream, address).map_err(|source| {
        Failure::Client(ClientError::Connect {
            address: address.to_owned(),
            source,
        })
    })
}

/// A name that no other run has.
fn unique_prefix() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    format!("logan-bench-{millis:x}-{}", std::process::id())
}
