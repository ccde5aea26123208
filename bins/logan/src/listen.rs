//! The configuration's listeners as sockets, and its limits as the router's.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, Result};
use config::{BrokerConfig, Endpoint};
use runtime::{ConnectionLimits, ListenAddress, Listeners};
use types::ShardId;

/// Opens every listener of the configuration, with a port for each shard if clients are to choose shards by ports.
///
/// # Errors
/// A host that has no address here, or a port that cannot be opened.
pub(crate) fn open(config: &BrokerConfig, shard_count: u16) -> Result<Listeners> {
    let each = broker::ports_per_listener(config, shard_count);
    let mut addresses = Vec::with_capacity(config.listeners.len() * each);
    for listener in &config.listeners {
        let first =
            address_of(&listener.bind).with_context(|| format!("listener {}", listener.bind))?;
        for shard in (0..shard_count).take(each) {
            let mut address = first;
            if first.port() != 0 {
                let port = first.port().checked_add(shard);
                address.set_port(port.with_context(|| {
                    format!("listener {} has no room for {each} ports", listener.bind)
                })?);
            }
            addresses.push(ListenAddress {
                address,
                shard: (each > 1).then_some(ShardId(shard)),
            });
        }
    }
    Ok(Listeners::bind(
        &addresses,
        config.values.socket_listen_backlog_size,
    )?)
}

fn address_of(endpoint: &Endpoint) -> Result<SocketAddr> {
    if endpoint.host.is_empty() {
        return Ok(wildcard(endpoint.port));
    }
    let resolved: Vec<SocketAddr> = (endpoint.host.as_str(), endpoint.port)
        .to_socket_addrs()
        .with_context(|| format!("cannot resolve {}", endpoint.host))?
        .collect();
    // As Java does: `localhost` is 127.0.0.1 for a file that was written for Kafka.
    let first = resolved.iter().find(|address| address.is_ipv4());
    first
        .or(resolved.first())
        .copied()
        .with_context(|| format!("{} has no address", endpoint.host))
}

/// Every interface: by IPv6, which takes IPv4 clients too, unless the machine has no IPv6.
fn wildcard(port: u16) -> SocketAddr {
    let has_ipv6 = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    if has_ipv6 {
        (Ipv6Addr::UNSPECIFIED, port).into()
    } else {
        (Ipv4Addr::UNSPECIFIED, port).into()
    }
}

/// What the router is told. No more connections than `descriptors_left` are taken, whatever `max.connections` says, so
/// that logs can always open their files.
pub(crate) fn connection_limits(
    config: &BrokerConfig,
    descriptors_left: usize,
) -> ConnectionLimits {
    let count = |value: i32| usize::try_from(value).unwrap_or(0);
    let values = &config.values;
    ConnectionLimits {
        connections_max: count(values.max_connections).min(descriptors_left),
        connections_per_ip_max: count(values.max_connections_per_ip),
        connections_per_ip_overrides: config
            .connections_per_ip
            .iter()
            .map(|(address, limit)| (*address, count(*limit)))
            .collect(),
        creation_rate_max: u32::try_from(values.max_connection_creation_rate).unwrap_or(0),
    }
}

/// The machine's own name, for listeners that clients are told no other host of.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name.to_owned()
    }
}
