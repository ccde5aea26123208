//! More clients than anybody asked for.

use std::thread;

use protocol::messages::MetadataRequest;
use tests::{Broker, Launch, Neighbour, Wire, create_topic, temporary_directory, within};

use std::time::Duration;

/// Connections at once, as far as this process may have descriptors.
const CONNECTIONS: usize = 5_000;

/// Descriptors that a process needs for all else.
const OTHER_DESCRIPTORS: usize = 200;

/// Threads that open connections.
const THREADS: usize = 8;

/// Opens `count` connections from many threads and has each of them answered.
fn flood(broker: &Broker, count: usize) -> Vec<Wire> {
    let request = MetadataRequest {
        topics: Some(Vec::new()),
        ..MetadataRequest::default()
    };
    thread::scope(|scope| {
        let request = &request;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let share = (thread..count).step_by(THREADS);
                    let mut wires: Vec<_> = share.map(|_| broker.wire()).collect();
                    let sent: Vec<_> = wires
                        .iter_mut()
                        .map(|wire| wire.send_request(9, request))
                        .collect();
                    for (wire, correlation_id) in wires.iter_mut().zip(sent) {
                        wire.receive::<MetadataRequest>(9, correlation_id);
                    }
                    wires
                })
            })
            .collect();
        let wires = threads
            .into_iter()
            .map(|thread| thread.join().expect("all are answered"));
        wires.flatten().collect()
    })
}

#[test]
fn five_thousand_connections_at_once_are_served() {
    let limit = runtime::raise_descriptor_limit().expect("the limit of open files");
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let count = CONNECTIONS.min(limit.saturating_sub(OTHER_DESCRIPTORS));
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    let neighbour = Neighbour::beside(&broker);
    let before = broker.memory_peak_bytes();
    let wires = flood(&broker, count);
    assert_eq!(wires.len(), count);
    neighbour.expect_progress();
    let grown = broker.memory_peak_bytes() - before;
    assert!(
        grown < 200 << 20,
        "memory grew by {grown} bytes for {count} idle connections"
    );
    drop(wires);
    // And again: nothing of the first ones is left over.
    drop(flood(&broker, count));
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn an_address_has_as_many_connections_as_it_may() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("max.connections.per.ip", "20")
        .start();
    create_topic(&broker, "some", 1, &[]);
    let wires: Vec<_> = (0..40).map(|_| broker.wire()).collect();
    let open = || wires.iter().filter(|wire| !wire.is_closed()).count();
    let is_bounded = within(Duration::from_secs(30), || open() <= 20);
    assert!(is_bounded, "{} are open", open());
    assert!(open() >= 15, "{} are open", open());
    drop(wires);
    // Places become free when the connections end.
    let has_room = within(Duration::from_secs(30), || {
        let mut wire = broker.wire();
        let request = MetadataRequest {
            topics: Some(Vec::new()),
            ..MetadataRequest::default()
        };
        let frame = {
            wire.send_request(9, &request);
            wire.frame()
        };
        frame.is_some()
    });
    assert!(has_room);
    assert_eq!(broker.stop().code(), 0);
}
