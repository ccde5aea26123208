//! Connections by node, metadata, and the loops that try again.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::messages::MetadataRequest;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::{ApiKey, Request};
use types::{ErrorCode, NodeId, PartitionIndex};

use crate::cluster::{Cluster, Leader, TopicDescription};
use crate::retry::Backoff;
use crate::{ClientConfig, ClientError, Connection};

/// A client of one cluster. It holds at most one connection for each node that it needs, and one to ask for metadata.
#[derive(Debug)]
pub struct Client {
    pub(crate) config: ClientConfig,
    pub(crate) cluster: Cluster,
    asked: Option<Connection>,
    nodes: BTreeMap<NodeId, Connection>,
}

impl Client {
    /// Connects to one of the bootstrap servers and learns the cluster's nodes.
    ///
    /// # Errors
    /// [`ClientError`] of the last server when none of them answers: there is no waiting for servers to come up.
    pub fn connect(config: ClientConfig) -> Result<Self, ClientError> {
        let mut client = Self {
            config,
            cluster: Cluster::default(),
            asked: None,
            nodes: BTreeMap::new(),
        };
        let nothing = MetadataRequest {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        client.ask_metadata(&nothing)?;
        Ok(client)
    }

    /// The limits in force.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// What is known about the cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Asks for all topics and keeps what is said.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn list_topics(&mut self) -> Result<Vec<TopicDescription>, ClientError> {
        let request = MetadataRequest {
            topics: None,
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        self.with_retries(|client| client.ask_metadata(&request).map(drop))?;
        Ok(self.cluster.topics().values().cloned().collect())
    }

    /// Asks for one topic. It is not created when it does not exist.
    ///
    /// # Errors
    /// [`ClientError::Broker`] with UNKNOWN_TOPIC_OR_PARTITION when it does not exist, at once.
    pub fn describe_topic(&mut self, topic: &str) -> Result<TopicDescription, ClientError> {
        self.with_retries(|client| match client.refresh(topic) {
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                Ok(Err(error))
            }
            other => other.map(Ok),
        })?
    }

    /// Sends a request to whichever broker is at hand, and tries again while that is sensible.
    ///
    /// # Errors
    /// [`ClientError`] when the last attempt failed.
    pub fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        self.with_retries(|client| client.call_once(request))
    }

    /// Sends a request to one node, once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn call_node<R: Request>(
        &mut self,
        node: NodeId,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        self.node(node)?.call(request)
    }

    /// Whom to ask about a partition; asks for metadata when that is unknown.
    ///
    /// # Errors
    /// [`ClientError`]: an unknown topic or partition, or LEADER_NOT_AVAILABLE.
    pub fn leader(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Result<Leader, ClientError> {
        if let Some(leader) = self.cluster.leader(topic, partition) {
            return Ok(leader);
        }
        let description = self.refresh(topic)?;
        if let Some(leader) = self.cluster.leader(topic, partition) {
            return Ok(leader);
        }
        if description.partitions.contains_key(&partition) {
            return Err(ClientError::Broker {
                api: ApiKey::Metadata.name(),
                subject: format!("{topic}-{partition}"),
                code: ErrorCode::LeaderNotAvailable,
                message: None,
            });
        }
        Err(ClientError::UnknownPartition {
            topic: topic.to_owned(),
            partition,
            count: description.partitions.len(),
        })
    }

    /// The connection to a node, opened when there is none that works.
    ///
    /// # Errors
    /// [`ClientError::Connect`], and what negotiating versions gives.
    ///
    /// # Panics
    /// Never.
    pub fn node(&mut self, node: NodeId) -> Result<&mut Connection, ClientError> {
        let is_usable = self
            .nodes
            .get(&node)
            .is_some_and(|connection| !connection.is_broken());
        if !is_usable {
            let address = self.cluster.nodes().get(&node).map(|at| at.authority());
            let address = address.ok_or_else(|| ClientError::Broker {
                api: ApiKey::Metadata.name(),
                subject: format!("node {node}"),
                code: ErrorCode::BrokerNotAvailable,
                message: Some("no broker of this id is known".to_owned()),
            })?;
            let connection = Connection::open(&address, &self.config)?;
            self.nodes.insert(node, connection);
        }
        Ok(self.nodes.get_mut(&node).expect("it was made above"))
    }

    /// The open connection to a node, if there is one.
    pub(crate) fn open_node(&mut self, node: NodeId) -> Option<&mut Connection> {
        self.nodes.get_mut(&node)
    }

    /// Asks for a topic's metadata once.
    pub(crate) fn refresh(&mut self, topic: &str) -> Result<TopicDescription, ClientError> {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(topic.into()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let refused = self.ask_metadata(&request)?;
        let api = ApiKey::Metadata.name();
        if let Some((_, code)) = refused.first() {
            ClientError::check(api, *code, None, || format!("of topic {topic}"))?;
        }
        // A broker that leaves the topic out says as much as one that says that it is unknown.
        let unknown = || ClientError::Broker {
            api,
            subject: format!("of topic {topic}"),
            code: ErrorCode::UnknownTopicOrPartition,
            message: None,
        };
        let known = self.cluster.topics().get(topic).cloned();
        known.ok_or_else(unknown)
    }

    /// Repeats `attempt` while its errors are retriable and the policy's time lasts.
    pub(crate) fn with_retries<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut backoff = Backoff::new(self.config.retry);
        loop {
            match attempt(self) {
                Err(error) if error.is_retriable() && backoff.pause() => {}
                outcome => return outcome,
            }
        }
    }

    /// Repeats `attempt` with the leader of a partition, asking for the leader anew when it has moved.
    pub(crate) fn with_leader<T>(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        mut attempt: impl FnMut(&mut Self, Leader) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.with_retries(|client| {
            let leader = client.leader(topic, partition)?;
            let outcome = attempt(client, leader);
            if let Err(error) = &outcome {
                client.doubt_leader(topic, partition, leader, error);
            }
            outcome
        })
    }

    /// Forgets a topic after an error that may come of stale knowledge, unless the response has named a new leader.
    pub(crate) fn doubt_leader(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        asked: Leader,
        error: &ClientError,
    ) {
        if error.is_stale_metadata() && self.cluster.leader(topic, partition) == Some(asked) {
            self.cluster.forget(topic);
        }
    }

    /// Sends a request to whichever broker is at hand, once.
    pub(crate) fn call_once<R: Request>(
        &mut self,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        self.any()?.call(request)
    }

    fn ask_metadata(
        &mut self,
        request: &MetadataRequest,
    ) -> Result<Vec<(String, i16)>, ClientError> {
        let response = self.call_once(request)?;
        ClientError::check("Metadata", response.error_code, None, || {
            "of the cluster".to_owned()
        })?;
        if request.topics.is_none() {
            // The response is complete: what it does not mention is gone.
            self.cluster.forget_all();
        }
        Ok(self.cluster.update(&response))
    }

    /// The connection for requests that any broker answers: to a bootstrap server, else to any node that is known.
    pub(crate) fn any(&mut self) -> Result<&mut Connection, ClientError> {
        if self.asked.as_ref().is_none_or(Connection::is_broken) {
            self.asked = Some(self.open_any()?);
        }
        Ok(self.asked.as_mut().expect("it was made above"))
    }

    fn open_any(&self) -> Result<Connection, ClientError> {
        let known = self.cluster.nodes().values().map(|node| node.authority());
        let servers = self.config.bootstrap_servers.iter().cloned();
        let mut last = ClientError::InvalidConfig("no bootstrap server is given".to_owned());
        for address in servers.chain(known) {
            match Connection::open(&address, &self.config) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// How long a broker may take over a request that has a timeout of its own, in milliseconds.
    pub(crate) fn broker_timeout_ms(&self) -> i32 {
        millis(self.config.request_timeout)
    }
}

/// Whole milliseconds as Kafka's 32-bit fields hold them; longer times are cut to the greatest.
pub(crate) fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}
