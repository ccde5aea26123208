//! Requests and clients that each are allowed and together, or by their number of parts, are not.

use std::time::Duration;

use client::Acks;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{ListOffsetsRequest, MetadataRequest};
use records::Compression;
use tests::{Launch, Neighbour, Wire, batch_of, create_topic, temporary_directory};
use types::PartitionIndex;

/// A version of ListOffsets that names topics and has no tagged fields.
const LIST_OFFSETS: i16 = 2;

fn list_offsets(partitions: usize) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition {
        timestamp: -1,
        ..ListOffsetsPartition::default()
    };
    ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: "crowded".into(),
            partitions: vec![partition; partitions],
        }],
        ..ListOffsetsRequest::default()
    }
}

#[test]
fn hundreds_of_half_frames_starve_nobody() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("logan.request.memory.bytes", "4194304")
        .start();
    create_topic(&broker, "large", 2, &[]);
    let neighbour = Neighbour::beside(&broker);
    // Each announces more than all the memory there is, and none has sent more than six bytes.
    let announced: Vec<Wire> = (0..400)
        .map(|_| {
            let mut wire = broker.wire();
            wire.send(&[0x05, 0xa0, 0, 0, 0, 0]);
            wire
        })
        .collect();
    neighbour.expect_progress();
    let mut client = broker.impatient_client();
    let batch = batch_of(Compression::None, &[&vec![b'x'; 900_000]]);
    for partition in [0, 1] {
        let produced = client.produce("large", PartitionIndex(partition), &batch, Acks::All);
        assert!(produced.is_ok(), "{produced:?}");
    }
    let still_there = announced.iter().filter(|wire| !wire.is_closed()).count();
    assert_eq!(still_there, 400, "somebody had to go first");
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn clients_that_never_read_answers_of_any_kind_take_bounded_memory() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path())
        .with("logan.request.memory.bytes", "33554432")
        .with("logan.response.queue.bytes", "4194304")
        .start();
    create_topic(&broker, "crowded", 500, &[]);
    let neighbour = Neighbour::beside(&broker);
    let before = broker.memory_peak_bytes();
    let large = list_offsets(40_000);
    // 24 x 60 answers of 1.2 MB to one, and of 20 KB to the other request.
    let mut deaf: Vec<Wire> = (0..24).map(|_| broker.wire()).collect();
    for (index, wire) in deaf.iter_mut().enumerate() {
        wire.stream()
            .set_write_timeout(Some(Duration::from_millis(20)))
            .expect("a socket");
        if index % 2 == 0 {
            wire.offer_requests(LIST_OFFSETS, &large, 60);
        } else {
            wire.offer_requests(1, &MetadataRequest::default(), 60);
        }
    }
    neighbour.expect_progress();
    neighbour.expect_progress();
    let grown = broker.memory_peak_bytes() - before;
    assert!(
        grown < 200 << 20,
        "memory grew by {grown} bytes for those who do not read"
    );
    drop(deaf);
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

#[test]
fn a_request_of_too_many_parts_ends_its_connection_alone() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, "crowded", 1, &[]);
    let neighbour = Neighbour::beside(&broker);
    let mut wire = broker.wire();
    let answer = wire.call(LIST_OFFSETS, &list_offsets(40_000));
    assert_eq!(answer.topics[0].partitions.len(), 40_000);
    wire.send_request(LIST_OFFSETS, &list_offsets(1_000_000));
    wire.expect_closed();
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}
