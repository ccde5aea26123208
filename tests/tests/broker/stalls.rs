//! Clients that stop in the middle: they hold memory of the broker, so they are bounded and then closed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use client::Acks;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use records::Compression;
use tests::{Launch, Neighbour, Wire, batch_of, create_topic, temporary_directory, within};
use types::PartitionIndex;

/// Longer than a broker may tolerate a stalled client: its grace of 10 seconds, and the time that a busy machine takes.
const CLOSED_WITHIN: Duration = Duration::from_secs(30);

/// What a request may have (`socket.request.max.bytes`).
const REQUEST_MAX_BYTES: i32 = 100 << 20;

/// The frame's size, a header of a produce request, and then nothing.
fn half_a_frame(size: i32, arrived: usize) -> Vec<u8> {
    let mut head = size.to_be_bytes().to_vec();
    head.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff]);
    head.resize(arrived, 0);
    head
}

fn expect_closed_in_time(wire: &Wire) {
    assert!(
        within(CLOSED_WITHIN, || wire.is_closed()),
        "a stalled client is still connected"
    );
}

#[test]
fn a_client_that_sends_half_a_frame_and_stalls_is_closed() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    let neighbour = Neighbour::beside(&broker);
    let stalled = [1, 3, 4, 14, 5_000, 300_000].map(|arrived| {
        let mut wire = broker.wire();
        wire.send(&half_a_frame(1_000_000, 300_000)[..arrived]);
        wire
    });
    neighbour.expect_progress();
    stalled.iter().for_each(expect_closed_in_time);
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_client_that_drips_below_the_minimum_rate_is_closed() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("logan.request.bytes.per.second.min", "100000")
        .start();
    let mut dripping = broker.wire();
    dripping.send(&half_a_frame(1_000_000, 100));
    let mut is_closed = false;
    let began = Instant::now();
    while !is_closed && began.elapsed() < CLOSED_WITHIN {
        dripping.offer(&[0; 100]);
        is_closed = within(Duration::from_millis(100), || dripping.is_closed());
    }
    assert!(
        is_closed,
        "a client of 1,000 bytes a second is still connected"
    );
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn three_clients_that_announce_the_largest_request_and_stall_starve_nobody() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, "large", 2, &[]);
    let neighbour = Neighbour::beside(&broker);
    let before = broker.memory_peak_bytes();
    let stalled = [0; 3].map(|_| {
        let mut wire = broker.wire();
        wire.send(&half_a_frame(REQUEST_MAX_BYTES, 1_000_000));
        wire
    });
    // Requests that do not fit the shard's receive buffer need memory of the same budget.
    let mut client = broker.impatient_client();
    let batch = batch_of(Compression::None, &[&vec![b'x'; 1_000_000]]);
    for round in 0..20 {
        let produced = client.produce("large", PartitionIndex(round % 2), &batch, Acks::All);
        assert!(produced.is_ok(), "{produced:?}");
    }
    let grown = broker.memory_peak_bytes() - before;
    assert!(
        grown < 100 << 20,
        "memory grew by {grown} bytes for what was only announced"
    );
    stalled.iter().for_each(expect_closed_in_time);
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn clients_that_fill_the_request_memory_and_stall_give_it_back() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("logan.request.memory.bytes", "4194304")
        .start();
    create_topic(&broker, "large", 2, &[]);
    let neighbour = Neighbour::beside(&broker);
    // More than both shards have, whichever they come to.
    let stalled = [0; 8].map(|_| {
        let mut wire = broker.wire();
        wire.stream()
            .set_write_timeout(Some(Duration::from_secs(1)))
            .expect("a socket");
        wire.offer(&half_a_frame(REQUEST_MAX_BYTES, 4 << 20));
        wire
    });
    // It may have to wait until the stalled ones are closed, and is served then.
    let mut client = broker.impatient_client();
    let batch = batch_of(Compression::None, &[&vec![b'x'; 1_000_000]]);
    for partition in [0, 1] {
        let produced = client.produce("large", PartitionIndex(partition), &batch, Acks::All);
        assert!(produced.is_ok(), "{produced:?}");
    }
    stalled.iter().for_each(expect_closed_in_time);
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_client_that_never_reads_its_responses_is_closed() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, "wide", 1, &[]);
    let mut client = broker.client();
    let batch: Bytes = batch_of(Compression::None, &[&vec![b'x'; 1_000_000]]);
    for _ in 0..16 {
        let produced = client.produce("wide", PartitionIndex(0), &batch, Acks::All);
        produced.expect("it is taken");
    }
    let neighbour = Neighbour::beside(&broker);
    let before = broker.memory_peak_bytes();
    let request = FetchRequest {
        replica_id: -1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: "wide".into(),
            partitions: vec![FetchPartition {
                partition_max_bytes: 50 << 20,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    // 3 x 100 responses of 16 MB each, were they all made.
    let mut deaf = [0; 3].map(|_| broker.wire());
    for wire in &mut deaf {
        for _ in 0..100 {
            wire.send_request(12, &request);
        }
    }
    neighbour.expect_progress();
    for wire in &deaf {
        // Its socket holds answers, so that it does not look closed from here; the broker says that it is.
        let is_closed = within(CLOSED_WITHIN, || is_reset(wire));
        assert!(is_closed, "a deaf client is still connected");
        neighbour.expect_progress();
    }
    let grown = broker.memory_peak_bytes() - before;
    assert!(
        grown < 200 << 20,
        "memory grew by {grown} bytes for one that does not read"
    );
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

/// Whether the other side is gone, although there may be bytes that were not read: writing tells.
fn is_reset(wire: &Wire) -> bool {
    use std::io::{ErrorKind, Write as _};
    let mut stream = wire.stream();
    stream.set_nonblocking(true).expect("a socket");
    let written = stream.write(&[0]);
    matches!(written, Err(error) if error.kind() != ErrorKind::WouldBlock)
}
