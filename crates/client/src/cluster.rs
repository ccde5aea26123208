//! What the client knows about the cluster: nodes, topics, leaders. Values only; the asking is done elsewhere.

use std::collections::BTreeMap;

use protocol::messages::MetadataResponse;
use protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use types::{ErrorCode, LeaderEpoch, NodeId, PartitionIndex, Uuid};

/// Topics that are remembered; beyond this the oldest knowledge is dropped altogether and asked for again.
const TOPICS_MAX: usize = 10_000;

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// A name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The rack, if the node has one.
    pub rack: Option<String>,
}

/// A topic as the cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id; [`Uuid::ZERO`] when the broker does not tell.
    pub id: Uuid,
    /// Whether brokers use it for their own purposes.
    pub is_internal: bool,
    /// Its partitions by index.
    pub partitions: BTreeMap<PartitionIndex, PartitionDescription>,
}

/// A partition as the cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// The node to produce to and fetch from, if there is one.
    pub leader: Option<NodeId>,
    /// The leader's term.
    pub leader_epoch: LeaderEpoch,
    /// Nodes that have a copy.
    pub replicas: Vec<NodeId>,
    /// Those that are up to date.
    pub in_sync: Vec<NodeId>,
    /// Those that do not answer.
    pub offline: Vec<NodeId>,
}

/// Whom to ask about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The leader's node.
    pub node: NodeId,
    /// Its term.
    pub epoch: LeaderEpoch,
    /// The topic's id; [`Uuid::ZERO`] when the broker does not tell.
    pub topic_id: Uuid,
}

/// Nodes and topics as far as they have been asked for.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    id: Option<String>,
    controller: Option<NodeId>,
    nodes: BTreeMap<NodeId, NodeAddress>,
    topics: BTreeMap<String, TopicDescription>,
}

/// A leader that a response names (KIP-951).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaderHint {
    pub(crate) node: NodeId,
    pub(crate) epoch: LeaderEpoch,
}

impl NodeAddress {
    /// `None` for a port that is none.
    pub(crate) fn new(host: &str, port: i32, rack: Option<&str>) -> Option<Self> {
        Some(Self {
            host: host.to_owned(),
            port: u16::try_from(port).ok().filter(|port| *port != 0)?,
            rack: rack.map(str::to_owned),
        })
    }

    /// `host:port`, with brackets around an IPv6 address.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Cluster {
    /// The cluster's id, if it tells one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The node that takes administrative requests.
    #[must_use]
    pub fn controller(&self) -> Option<NodeId> {
        self.controller
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<NodeId, NodeAddress> {
        &self.nodes
    }

    /// The topics that were asked for and exist.
    #[must_use]
    pub fn topics(&self) -> &BTreeMap<String, TopicDescription> {
        &self.topics
    }

    /// Whom to ask about a partition, if that is known.
    #[must_use]
    pub fn leader(&self, topic: &str, partition: PartitionIndex) -> Option<Leader> {
        let topic = self.topics.get(topic)?;
        let description = topic.partitions.get(&partition)?;
        Some(Leader {
            node: description.leader?,
            epoch: description.leader_epoch,
            topic_id: topic.id,
        })
    }

    /// Takes over a response; for each topic in it that has an error, its name and the code.
    pub(crate) fn update(&mut self, response: &MetadataResponse) -> Vec<(String, i16)> {
        self.id = response.cluster_id.as_deref().map(str::to_owned);
        self.controller = node(response.controller_id);
        self.nodes = response
            .brokers
            .iter()
            .filter_map(|broker| {
                let address = NodeAddress::new(&broker.host, broker.port, broker.rack.as_deref());
                Some((node(broker.node_id)?, address?))
            })
            .collect();
        if self.topics.len() + response.topics.len() > TOPICS_MAX {
            self.topics.clear();
        }
        let mut refused = Vec::new();
        for topic in &response.topics {
            let name = topic.name.as_deref().unwrap_or_default();
            if topic.error_code == ErrorCode::None.code() {
                self.topics.insert(name.to_owned(), describe(name, topic));
            } else {
                self.topics.remove(name);
                refused.push((name.to_owned(), topic.error_code));
            }
        }
        refused
    }

    /// Forgets a topic, so that it is asked for again.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// Forgets all topics.
    pub(crate) fn forget_all(&mut self) {
        self.topics.clear();
    }

    /// Takes over a leader that a response names, unless something newer is known; whether it is new.
    pub(crate) fn follow(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        hint: LeaderHint,
        endpoints: impl Iterator<Item = (NodeId, Option<NodeAddress>)>,
    ) -> bool {
        for (id, address) in endpoints {
            if let Some(address) = address {
                self.nodes.insert(id, address);
            }
        }
        let known = self
            .topics
            .get_mut(topic)
            .and_then(|topic| topic.partitions.get_mut(&partition));
        let Some(known) = known else { return false };
        let is_new = hint.epoch > known.leader_epoch && self.nodes.contains_key(&hint.node);
        if is_new {
            known.leader = Some(hint.node);
            known.leader_epoch = hint.epoch;
        }
        is_new
    }
}

fn describe(name: &str, topic: &MetadataResponseTopic) -> TopicDescription {
    TopicDescription {
        name: name.to_owned(),
        id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| {
                let index = PartitionIndex(partition.partition_index);
                (index, describe_partition(partition))
            })
            .collect(),
    }
}

fn describe_partition(partition: &MetadataResponsePartition) -> PartitionDescription {
    let nodes = |ids: &[i32]| ids.iter().copied().map(NodeId).collect();
    PartitionDescription {
        leader: node(partition.leader_id),
        leader_epoch: LeaderEpoch(partition.leader_epoch),
        replicas: nodes(&partition.replica_nodes),
        in_sync: nodes(&partition.isr_nodes),
        offline: nodes(&partition.offline_replicas),
    }
}

/// Kafka writes -1 for "none".
fn node(id: i32) -> Option<NodeId> {
    (id >= 0).then_some(NodeId(id))
}

#[cfg(test)]
mod tests {
    use protocol::messages::metadata_response::MetadataResponseBroker;

    use super::*;

    fn response() -> MetadataResponse {
        MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: "one".into(),
                port: 9092,
                rack: None,
            }],
            topics: vec![MetadataResponseTopic {
                name: Some("t".into()),
                partitions: vec![MetadataResponsePartition {
                    leader_id: 1,
                    leader_epoch: 4,
                    ..MetadataResponsePartition::default()
                }],
                ..MetadataResponseTopic::default()
            }],
            ..MetadataResponse::default()
        }
    }

    fn follow(cluster: &mut Cluster, epoch: i32) -> bool {
        let address = NodeAddress::new("two", 9093, None);
        let hint = LeaderHint {
            node: NodeId(2),
            epoch: LeaderEpoch(epoch),
        };
        let endpoints = [(NodeId(2), address)].into_iter();
        cluster.follow("t", PartitionIndex(0), hint, endpoints)
    }

    #[test]
    fn a_newer_leader_is_followed_with_its_endpoint() {
        let mut cluster = Cluster::default();
        assert!(cluster.update(&response()).is_empty());
        assert!(follow(&mut cluster, 5));
        let leader = cluster.leader("t", PartitionIndex(0)).expect("it is known");
        assert_eq!((leader.node, leader.epoch), (NodeId(2), LeaderEpoch(5)));
        assert_eq!(cluster.nodes()[&NodeId(2)].authority(), "two:9093");
    }

    #[test]
    fn an_older_leader_is_not_followed() {
        let mut cluster = Cluster::default();
        cluster.update(&response());
        assert!(!follow(&mut cluster, 4));
        let leader = cluster.leader("t", PartitionIndex(0)).expect("it is known");
        assert_eq!(leader.node, NodeId(1));
    }

    #[test]
    fn a_topic_with_an_error_is_forgotten_and_reported() {
        let mut cluster = Cluster::default();
        cluster.update(&response());
        let mut gone = response();
        gone.topics[0].error_code = 3;
        assert_eq!(cluster.update(&gone), [("t".to_owned(), 3)]);
        assert!(cluster.topics().is_empty());
    }

    #[test]
    fn a_node_with_an_impossible_port_is_left_out() {
        let mut cluster = Cluster::default();
        let mut odd = response();
        odd.brokers[0].port = 70_000;
        cluster.update(&odd);
        assert!(cluster.nodes().is_empty());
    }

    #[test]
    fn an_ipv6_address_is_bracketed() {
        let address = NodeAddress::new("::1", 9092, None).expect("a port");
        assert_eq!(address.authority(), "[::1]:9092");
    }
}
