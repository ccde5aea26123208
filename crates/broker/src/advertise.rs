//! How clients see this machine's shards.
//!
//! With `shard.advertise=single` the machine is one node. With `per-shard` each shard is a node of its own at the
//! same address: clients keep a connection for each node id, and the first produce or fetch request on a connection
//! shows which shard it is meant for (`docs/adr/0006`). These ids exist in responses only; in the metadata a replica
//! is a machine.

use config::{BrokerConfig, ShardAdvertise};
use protocol::Str;
use types::{NodeId, ShardId};

/// The node ids of a machine's shards lie this far apart; shard 0 has the machine's own id.
const SHARD_ID_STRIDE: i32 = 100_000;

/// A node as clients are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdvertisedNode {
    pub(crate) id: NodeId,
    pub(crate) host: Str,
    pub(crate) port: i32,
    pub(crate) rack: Option<Str>,
}

/// The address that clients of one listener are told.
#[derive(Clone, Debug)]
struct Address {
    name: Str,
    host: Str,
    port: i32,
}

/// What clients are told, by the listener that they came through.
#[derive(Clone, Debug)]
pub struct Advertise {
    mode: ShardAdvertise,
    node: NodeId,
    shards: u16,
    rack: Option<Str>,
    addresses: Vec<Address>,
}

impl Advertise {
    /// `ports` are the ports that the listeners were really opened on, in the order of the configuration; `host_name`
    /// is what clients are told where the configuration names no host.
    ///
    /// # Panics
    /// When there is not one port for each listener.
    #[must_use]
    pub fn new(config: &BrokerConfig, ports: &[u16], host_name: &str, shards: u16) -> Self {
        assert!(
            ports.len() == config.listeners.len(),
            "one port for each listener"
        );
        let addresses = config
            .listeners
            .iter()
            .zip(ports)
            .map(|(listener, port)| {
                let told = listener.advertised.as_ref().unwrap_or(&listener.bind);
                Address {
                    name: told.listener.as_str().into(),
                    host: if told.host.is_empty() {
                        host_name.into()
                    } else {
                        told.host.as_str().into()
                    },
                    port: i32::from(if told.port == 0 { *port } else { told.port }),
                }
            })
            .collect();
        Self {
            mode: config.values.shard_advertise,
            node: config.node_id,
            shards,
            rack: config.values.broker_rack.as_deref().map(Into::into),
            addresses,
        }
    }

    /// Whether every shard is a node.
    pub(crate) fn is_per_shard(&self) -> bool {
        self.mode == ShardAdvertise::PerShard
    }

    /// This machine, as the metadata knows it.
    pub(crate) fn machine(&self) -> NodeId {
        self.node
    }

    /// The node that clients are told to ask for partitions of this shard.
    pub(crate) fn node_of(&self, shard: ShardId) -> NodeId {
        match self.mode {
            ShardAdvertise::Single => self.node,
            ShardAdvertise::PerShard => NodeId(self.node.0 + i32::from(shard.0) * SHARD_ID_STRIDE),
        }
    }

    /// Whether this id names the machine or one of its shards.
    pub(crate) fn is_this_machine(&self, id: NodeId) -> bool {
        (0..self.shards).any(|shard| self.node_of(ShardId(shard)) == id)
    }

    /// Every node, by the addresses of this listener.
    pub(crate) fn nodes(&self, listener: usize) -> Vec<AdvertisedNode> {
        let shards = if self.is_per_shard() { self.shards } else { 1 };
        (0..shards)
            .map(|shard| self.node(listener, ShardId(shard)))
            .collect()
    }

    /// The node of a shard, by the address of this listener.
    pub(crate) fn node(&self, listener: usize, shard: ShardId) -> AdvertisedNode {
        let address = self.addresses.get(listener).or(self.addresses.first());
        let address = address.expect("a broker has a listener");
        AdvertisedNode {
            id: self.node_of(shard),
            host: address.host.clone(),
            port: address.port,
            rack: self.rack.clone(),
        }
    }

    /// The listeners' names, hosts and ports.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (&Str, &Str, i32)> {
        self.addresses
            .iter()
            .map(|address| (&address.name, &address.host, address.port))
    }
}
