//! The router over loopback. Connections end on the test's thread: no executor is needed.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use runtime::{
    Accepted, ConnectionLimits, ListenAddress, Listeners, Router, RouterCounters, RouterSettings,
};
use types::ShardId;

/// Long enough for anything that should happen.
const SOON: Duration = Duration::from_secs(20);
/// Long enough to see that something does not happen.
const A_WHILE: Duration = Duration::from_millis(200);
const BACKLOG: i32 = 64;

struct Harness {
    router: Router,
    addresses: Vec<SocketAddr>,
    accepted: flume::Receiver<(ShardId, Accepted)>,
}

impl Harness {
    fn start(addresses: &[ListenAddress], limits: ConnectionLimits, mailbox_len: usize) -> Self {
        let listeners = Listeners::bind(addresses, BACKLOG).expect("free ports");
        let addresses = listeners.addresses();
        let (mailbox, accepted) = flume::bounded(mailbox_len);
        let settings = RouterSettings::changeable(limits).0;
        let router = Router::start(listeners, settings, 2, move |shard, accepted| {
            mailbox
                .try_send((shard, accepted))
                .map_err(|refused| refused.into_inner().1)
        })
        .expect("a thread");
        Self {
            router,
            addresses,
            accepted,
        }
    }

    fn local(limits: ConnectionLimits) -> Self {
        Self::start(&[anywhere("127.0.0.1:0")], limits, 64)
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0]).expect("a listener")
    }

    fn next(&self) -> (ShardId, Accepted) {
        self.accepted.recv_timeout(SOON).expect("a connection")
    }
}

fn anywhere(address: &str) -> ListenAddress {
    ListenAddress {
        address: address.parse().expect("an address"),
        shard: None,
    }
}

fn is_closed(mut client: &TcpStream) -> bool {
    client.set_read_timeout(Some(SOON)).expect("a timeout");
    match client.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Waits until a count of the router, which it publishes once per turn, has this value.
fn await_count(counters: &RouterCounters, read: impl Fn(&RouterCounters) -> u64, wanted: u64) {
    let deadline = std::time::Instant::now() + SOON;
    while read(counters) != wanted {
        assert!(
            std::time::Instant::now() < deadline,
            "{} instead of {wanted}",
            read(counters)
        );
        std::thread::yield_now();
    }
}

#[test]
fn connections_are_spread_over_shards() {
    let harness = Harness::local(ConnectionLimits::default());
    let clients: Vec<_> = (0..4).map(|_| harness.connect()).collect();
    let accepted: Vec<_> = (0..4).map(|_| harness.next()).collect();
    let shards: Vec<_> = accepted.iter().map(|(shard, _)| shard.0).collect();
    assert_eq!(shards, [0, 1, 0, 1]);
    for (client, (_, accepted)) in clients.iter().zip(&accepted) {
        let socket = &accepted.socket;
        assert_eq!(client.local_addr().expect("connected"), socket.peer_addr());
        assert_eq!(client.peer_addr().expect("connected"), socket.local_addr());
        assert_eq!(accepted.listener, 0);
    }
    let counters = harness.router.counters();
    await_count(&counters, RouterCounters::open, 4);
    drop(accepted);
    assert!(clients.iter().all(is_closed));
    await_count(&counters, RouterCounters::open, 0);
    assert_eq!((counters.accepted(), counters.refused()), (4, 0));
}

#[test]
fn a_listener_may_belong_to_one_shard() {
    let owned = ListenAddress {
        shard: Some(ShardId(1)),
        ..anywhere("127.0.0.1:0")
    };
    let harness = Harness::start(&[owned], ConnectionLimits::default(), 64);
    let _clients = [harness.connect(), harness.connect()];
    assert_eq!(harness.next().0, ShardId(1));
    assert_eq!(harness.next().0, ShardId(1));
}

#[test]
fn several_listeners_are_told_apart() {
    let addresses = [anywhere("127.0.0.1:0"), anywhere("127.0.0.1:0")];
    let harness = Harness::start(&addresses, ConnectionLimits::default(), 64);
    let _client = TcpStream::connect(harness.addresses[1]).expect("a listener");
    assert_eq!(harness.next().1.listener, 1);
}

#[test]
fn ipv6_clients_are_accepted_where_the_machine_has_ipv6() {
    let Ok(listeners) = Listeners::bind(&[anywhere("[::1]:0")], BACKLOG) else {
        return;
    };
    drop(listeners);
    let harness = Harness::start(&[anywhere("[::1]:0")], ConnectionLimits::default(), 64);
    let _client = harness.connect();
    assert!(harness.next().1.socket.peer_addr().is_ipv6());
}

#[test]
fn a_client_with_too_many_connections_is_turned_away() {
    let harness = Harness::local(ConnectionLimits {
        connections_per_ip_max: 1,
        ..ConnectionLimits::default()
    });
    let first = harness.connect();
    let (_, serving_first) = harness.next();
    let second = harness.connect();
    assert!(is_closed(&second), "one connection is what it may have");
    // The router counts when it has gone over all that arrived.
    await_count(&harness.router.counters(), RouterCounters::open, 1);
    drop(serving_first);
    assert!(is_closed(&first));
    await_count(&harness.router.counters(), RouterCounters::open, 0);
    let _third = harness.connect();
    harness.next();
    assert_eq!(harness.router.counters().refused(), 1);
}

#[test]
fn at_the_limit_clients_wait_until_a_connection_closes() {
    let harness = Harness::local(ConnectionLimits {
        connections_max: 1,
        ..ConnectionLimits::default()
    });
    let _first = harness.connect();
    let (_, serving_first) = harness.next();
    let _second = harness.connect();
    let early = harness.accepted.recv_timeout(A_WHILE);
    assert!(early.is_err(), "the second waits in the backlog");
    drop(serving_first);
    harness.next();
}

#[test]
fn a_creation_rate_delays_accepting() {
    let harness = Harness::local(ConnectionLimits {
        creation_rate_max: 4,
        ..ConnectionLimits::default()
    });
    let start = std::time::Instant::now();
    let _clients: Vec<_> = (0..6).map(|_| harness.connect()).collect();
    let _accepted: Vec<_> = (0..6).map(|_| harness.next()).collect();
    assert!(
        start.elapsed() >= Duration::from_millis(450),
        "four at once, then four a second"
    );
}

#[test]
fn a_connection_that_no_shard_takes_is_closed() {
    let harness = Harness::start(&[anywhere("127.0.0.1:0")], ConnectionLimits::default(), 1);
    let first = harness.connect();
    let second = harness.connect();
    assert!(is_closed(&second), "the mailbox holds one");
    let (_, serving_first) = harness.next();
    drop(serving_first);
    assert!(is_closed(&first));
    let counters = harness.router.counters();
    await_count(&counters, RouterCounters::open, 0);
    assert_eq!((counters.accepted(), counters.refused()), (1, 1));
}

#[test]
fn connections_outlive_the_router() {
    let harness = Harness::local(ConnectionLimits::default());
    let client = harness.connect();
    let (_, serving) = harness.next();
    let address = harness.addresses[0];
    drop(harness);
    let refused = TcpStream::connect(address).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    client.set_nonblocking(true).expect("a socket");
    let open = (&client).read(&mut [0; 1]).expect_err("open and silent");
    assert_eq!(open.kind(), ErrorKind::WouldBlock);
    drop(serving);
}
