//! Listening sockets.

use std::io::{Error as IoError, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use types::ShardId;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address; port 0 lets the operating system choose.
    pub address: SocketAddr,
    /// The shard that gets every connection of this listener; `None` spreads them.
    pub shard: Option<ShardId>,
}

/// Why an address cannot be listened on.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Another process listens there.
    #[error("listen on {0}: the port is in use by another process")]
    InUse(SocketAddr),
    /// No interface has the address.
    #[error("listen on {0}: no network interface of this machine has this address")]
    NotLocal(SocketAddr),
    /// Ports below 1024 need a privilege.
    #[error("listen on {0}: permission denied; ports below 1024 need CAP_NET_BIND_SERVICE")]
    Denied(SocketAddr),
    /// Anything else.
    #[error("listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: IoError,
    },
}

/// Bound sockets; clients that connect wait in the backlog until the router starts.
#[derive(Debug)]
pub struct Listeners {
    pub(super) sockets: Vec<Listener>,
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) shard: Option<ShardId>,
}

impl Listeners {
    /// Binds every address, with room for `backlog` connections that wait to be accepted.
    ///
    /// An IPv6 wildcard also takes IPv4 clients, unless the IPv4 wildcard of its port is listed beside it.
    ///
    /// # Errors
    /// The first address that cannot be listened on, and why.
    pub fn bind(addresses: &[ListenAddress], backlog: i32) -> Result<Self, ListenError> {
        let sockets = addresses
            .iter()
            .map(|listen| {
                let only_v6 = addresses.iter().any(|other| {
                    other.address.ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
                        && other.address.port() == listen.address.port()
                });
                let socket = bind(listen.address, only_v6, backlog)
                    .map_err(|error| explain(listen.address, error))?;
                Ok(Listener {
                    address: socket.local_addr().unwrap_or(listen.address),
                    socket,
                    shard: listen.shard,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { sockets })
    }

    /// The bound addresses, in the order in which they were asked for.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets
            .iter()
            .map(|listener| listener.address)
            .collect()
    }
}

fn bind(address: SocketAddr, only_v6: bool, backlog: i32) -> Result<TcpListener, IoError> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // A restarted broker gets its port back while old connections are still in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

fn explain(address: SocketAddr, source: IoError) -> ListenError {
    match source.kind() {
        ErrorKind::AddrInUse => ListenError::InUse(address),
        ErrorKind::AddrNotAvailable => ListenError::NotLocal(address),
        ErrorKind::PermissionDenied => ListenError::Denied(address),
        _ => ListenError::Other { address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> ListenAddress {
        ListenAddress {
            address: address.parse().expect("an address"),
            shard: None,
        }
    }

    #[test]
    fn a_port_in_use_is_named() {
        let first = Listeners::bind(&[at("127.0.0.1:0")], 8).expect("a free port");
        let taken = first.addresses()[0];
        let error = Listeners::bind(&[at(&taken.to_string())], 8).expect_err("taken");
        assert_eq!(
            error.to_string(),
            format!("listen on {taken}: the port is in use by another process")
        );
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = Listeners::bind(&[at("192.0.2.1:0")], 8).expect_err("not ours");
        assert!(matches!(error, ListenError::NotLocal(_)), "{error}");
    }

    #[test]
    fn both_wildcards_share_a_port() {
        let probe = Listeners::bind(&[at("127.0.0.1:0")], 8).expect("a free port");
        let port = probe.addresses()[0].port();
        drop(probe);
        let both = [at(&format!("0.0.0.0:{port}")), at(&format!("[::]:{port}"))];
        match Listeners::bind(&both, 8) {
            Ok(listeners) => assert_eq!(listeners.addresses().len(), 2),
            // A machine without IPv6 says so.
            Err(error) => assert!(matches!(error, ListenError::Other { .. }), "{error}"),
        }
    }
}
