//! What a fetch session tells about topics that nobody knows, and what a long poll must not hold up.

use std::io::Read as _;
use std::time::{Duration, Instant};

use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::FetchResponse;
use tests::{Launch, create_topic, temporary_directory};
use types::{ErrorCode, Uuid};

/// The version of the fetches by topic id.
const BY_ID: i16 = 13;
/// The version of the fetches by topic name.
const BY_NAME: i16 = 12;

fn fetch(topics: Vec<FetchTopic>, (session_id, session_epoch): (i32, i32)) -> FetchRequest {
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 100,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_id,
        session_epoch,
        topics,
        ..FetchRequest::default()
    }
}

fn codes(response: &FetchResponse) -> Vec<Option<ErrorCode>> {
    let partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| ErrorCode::from_code(partition.error_code))
        .collect()
}

#[test]
fn a_session_keeps_telling_of_an_id_that_nobody_knows() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    let mut wire = broker.wire();
    let unknown = FetchTopic {
        topic_id: Uuid([7; 16]),
        partitions: vec![FetchPartition {
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        }],
        ..FetchTopic::default()
    };
    let response = wire.call(BY_ID, &fetch(vec![unknown], (0, 0)));
    let session = response.session_id;
    assert_ne!(session, 0, "the session begins: {response:?}");
    assert_eq!(codes(&response), [Some(ErrorCode::UnknownTopicId)]);
    for epoch in 1..3 {
        let response = wire.call(BY_ID, &fetch(Vec::new(), (session, epoch)));
        assert_eq!(response.error_code, 0, "{response:?}");
        assert_eq!(codes(&response), [Some(ErrorCode::UnknownTopicId)]);
    }
}

#[test]
fn a_malformed_request_ends_a_long_poll_before_it() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    create_topic(&broker, "quiet", 1, &[]);
    let mut wire = broker.wire();
    let quiet = FetchTopic {
        topic: "quiet".into(),
        partitions: vec![FetchPartition {
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        }],
        ..FetchTopic::default()
    };
    let mut patient = fetch(vec![quiet], (0, -1));
    patient.max_wait_ms = 3_600_000;
    let began = Instant::now();
    let correlation_id = wire.send_request(BY_NAME, &patient);
    wire.send(&(-1_i32).to_be_bytes());
    let response = wire.receive::<FetchRequest>(BY_NAME, correlation_id);
    assert_eq!(
        codes(&response),
        [Some(ErrorCode::None)],
        "it is answered first"
    );
    let mut rest = Vec::new();
    let ended = wire.stream().read_to_end(&mut rest);
    assert!(
        matches!(ended, Ok(0) | Err(_)),
        "and the connection ends: {ended:?}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}
