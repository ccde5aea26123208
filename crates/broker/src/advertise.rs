//! How clients see this machine's shards.
//!
//! With `shard.advertise=single` the machine is one node. With `per-shard` each shard is a node of its own at the
//! same address: clients keep a connection for each node id, and the first produce or fetch request on a connection
//! shows which shard it is meant for (`docs/adr/0006`). These ids exist in responses only; in the metadata a replica
//! is a machine.
//!
//! Not every client keeps a connection for each node: kafkajs takes all nodes at its bootstrap address for one, and
//! then drops records without an error. So shards are shown only to clients that name themselves (KIP-511) and are
//! known to do right; the others see one node, whose partitions are all served through it.

use config::{BrokerConfig, ShardAdvertise};
use metadata::ReplicaPlace;
use protocol::Str;
use types::{NodeId, ShardId};

use crate::connection::ClientSoftware;

/// The node ids of a machine's shards lie this far apart; shard 0 has the machine's own id.
const SHARD_ID_STRIDE: i32 = 100_000;

/// Clients that keep a connection for each node id, as they name themselves in ApiVersions, from this version on.
/// Each was seen to (`docs/adr/0006`): librdkafka before 2.10 forgets all but the last of several nodes at its
/// bootstrap address.
const SHARD_AWARE_SOFTWARE: &[(&str, (u32, u32))] = &[
    ("apache-kafka-java", (2, 4)),
    ("confluent-kafka-python", (2, 10)),
    ("kafka-python", (2, 0)),
    ("kgo", (0, 0)),
    ("librdkafka", (2, 10)),
    ("logan", (0, 0)),
    ("sarama", (0, 0)),
];

/// Whom a client sees behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// One node, the machine.
    Machine,
    /// A node for each shard.
    Shards,
}

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
    /// One, or one for each shard.
    ports: Vec<i32>,
}

impl Address {
    fn port(&self, shard: ShardId) -> i32 {
        let port = self.ports.get(usize::from(shard.0)).or(self.ports.first());
        *port.expect("a listener has a port")
    }
}

/// How many ports each listener opens.
#[must_use]
pub fn ports_per_listener(config: &BrokerConfig, shards: u16) -> usize {
    match config.values.shard_advertise {
        ShardAdvertise::PerShardPort => usize::from(shards),
        ShardAdvertise::PerShard | ShardAdvertise::Single => 1,
    }
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
    /// `ports` are the ports that were really opened, [`ports_per_listener`] for each listener in the order of the
    /// configuration; `host_name` is what clients are told where the configuration names no host.
    ///
    /// # Panics
    /// When there are fewer ports.
    #[must_use]
    pub fn new(config: &BrokerConfig, ports: &[u16], host_name: &str, shards: u16) -> Self {
        let each = ports_per_listener(config, shards);
        assert!(
            ports.len() == config.listeners.len() * each,
            "every listener has its ports"
        );
        let addresses = config
            .listeners
            .iter()
            .zip(ports.chunks(each))
            .map(|(listener, ports)| {
                let told = listener.advertised.as_ref().unwrap_or(&listener.bind);
                Address {
                    name: told.listener.as_str().into(),
                    host: if told.host.is_empty() {
                        host_name.into()
                    } else {
                        told.host.as_str().into()
                    },
                    ports: match told.port {
                        0 => ports.iter().map(|port| i32::from(*port)).collect(),
                        first => (i32::from(first)..).take(each).collect(),
                    },
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

    /// What a client sees.
    pub(crate) fn audience(&self, software: Option<&ClientSoftware>) -> Audience {
        let is_aware = software.is_some_and(is_shard_aware);
        match self.mode {
            ShardAdvertise::PerShardPort => Audience::Shards,
            ShardAdvertise::PerShard if is_aware => Audience::Shards,
            ShardAdvertise::PerShard | ShardAdvertise::Single => Audience::Machine,
        }
    }

    /// Whether the port that a client came through shows which shard it means.
    pub(crate) fn has_port_per_shard(&self) -> bool {
        self.mode == ShardAdvertise::PerShardPort
    }

    /// This machine, as the metadata knows it.
    pub(crate) fn machine(&self) -> NodeId {
        self.node
    }

    /// The node that clients are told to ask for partitions of this shard.
    pub(crate) fn node_of(&self, shard: ShardId, audience: Audience) -> NodeId {
        match audience {
            Audience::Machine => self.node,
            Audience::Shards => NodeId(self.node.0 + i32::from(shard.0) * SHARD_ID_STRIDE),
        }
    }

    /// Where a replica is to be that a client names by `id`: on the shard whose node id it is, whether shards are shown or
    /// not, and on shard k for -1 - k, which no node has. Who sees one node means the machine by the machine's own id,
    /// and any shard will do.
    pub(crate) fn place_of(&self, id: NodeId, audience: Audience) -> Option<ReplicaPlace> {
        let mut shards = (0..self.shards).map(ShardId);
        let shard = shards.find(|shard| {
            id == self.node_of(*shard, Audience::Shards) || id.0 == -1 - i32::from(shard.0)
        })?;
        let is_machine = audience == Audience::Machine && id == self.node;
        Some(ReplicaPlace {
            machine: self.node,
            shard: (!is_machine).then_some(shard),
        })
    }

    /// Whether this id names the machine or one of its shards.
    pub(crate) fn is_this_machine(&self, id: NodeId) -> bool {
        (0..self.shards).any(|shard| self.node_of(ShardId(shard), Audience::Shards) == id)
    }

    /// The shard that this id names to a client who sees shards as nodes. To one who sees the machine, the machine's
    /// own id names no shard, and the others are still the shards'.
    pub(crate) fn shard_of(&self, id: NodeId, audience: Audience) -> Option<ShardId> {
        let shards = (0..self.shards).map(ShardId);
        let mut shards = shards.filter(|_| audience == Audience::Shards || id != self.node);
        shards.find(|shard| self.node_of(*shard, Audience::Shards) == id)
    }

    /// Every node, by the addresses of this listener.
    pub(crate) fn nodes(&self, listener: usize, audience: Audience) -> Vec<AdvertisedNode> {
        let shards = if audience == Audience::Shards {
            self.shards
        } else {
            1
        };
        (0..shards)
            .map(|shard| self.node(listener, ShardId(shard), audience))
            .collect()
    }

    /// The node of a shard, by the address of this listener.
    pub(crate) fn node(
        &self,
        listener: usize,
        shard: ShardId,
        audience: Audience,
    ) -> AdvertisedNode {
        let address = self.addresses.get(listener).or(self.addresses.first());
        let address = address.expect("a broker has a listener");
        AdvertisedNode {
            id: self.node_of(shard, audience),
            host: address.host.clone(),
            port: address.port(shard),
            rack: self.rack.clone(),
        }
    }

    /// The listeners' names, hosts and ports.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (&Str, &Str, i32)> {
        self.addresses
            .iter()
            .map(|address| (&address.name, &address.host, address.port(ShardId(0))))
    }
}

fn is_shard_aware(software: &ClientSoftware) -> bool {
    let known = SHARD_AWARE_SOFTWARE
        .iter()
        .find(|(name, _)| *name == software.name);
    known.is_some_and(|(_, since)| version_of(&software.version) >= *since)
}

/// The major and minor version at the beginning of a text such as `v2.10.1-RC1`; 0 for what is none.
fn version_of(text: &str) -> (u32, u32) {
    let mut numbers = text
        .trim_start_matches('v')
        .split(|letter: char| !letter.is_ascii_digit());
    let mut next = || {
        numbers
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    };
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::{ClientSoftware, is_shard_aware, version_of};

    #[test]
    fn only_known_software_of_known_versions_sees_shards() {
        let table = [
            ("librdkafka", "2.16.0", true),
            ("librdkafka", "2.10.0", true),
            ("librdkafka", "2.9.9", false),
            ("confluent-kafka-python", "2.16.1-rdkafka-2.16.0", true),
            ("kgo", "v1.22.2", true),
            ("sarama", "unknown", true),
            ("kafkajs", "2.2.4", false),
        ];
        for (name, version, expected) in table {
            let software = ClientSoftware {
                name: name.to_owned(),
                version: version.to_owned(),
            };
            assert_eq!(is_shard_aware(&software), expected, "{name} {version}");
        }
    }

    #[test]
    fn versions_begin_with_two_numbers() {
        assert_eq!(version_of("v2.10.1-RC1"), (2, 10));
        assert_eq!(version_of("3"), (3, 0));
        assert_eq!(version_of("unknown"), (0, 0));
    }
}
