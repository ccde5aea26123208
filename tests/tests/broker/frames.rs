//! Frames that no client would send: the connection ends, with a reason in the log, and nobody else notices.

use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use protocol::wire::decode_exact;
use protocol::{ApiKey, versions};
use tests::{Broker, Chance, Launch, Neighbour, error_of, temporary_directory};
use types::ErrorCode;

/// `socket.request.max.bytes` here.
const REQUEST_MAX_BYTES: i32 = 1 << 20;

/// Runs `misbehave` against a broker that another client is using.
fn beside_a_neighbour(misbehave: impl FnOnce(&Broker)) {
    let directory = temporary_directory();
    let max = REQUEST_MAX_BYTES.to_string();
    let launch = Launch::in_directory(directory.path()).with("socket.request.max.bytes", max);
    let broker = launch.start();
    let neighbour = Neighbour::beside(&broker);
    misbehave(&broker);
    neighbour.expect_unharmed(&broker);
    assert_eq!(broker.stop().code(), 0);
}

/// A request header of version 1 without a client id.
fn header(key: i16, version: i16) -> Vec<u8> {
    [
        &key.to_be_bytes()[..],
        &version.to_be_bytes(),
        &77_i32.to_be_bytes(),
        &(-1_i16).to_be_bytes(),
    ]
    .concat()
}

#[test]
fn a_length_that_no_request_has_ends_the_connection() {
    beside_a_neighbour(|broker| {
        for size in [-1, i32::MIN, REQUEST_MAX_BYTES + 1, i32::MAX] {
            let mut wire = broker.wire();
            wire.send(&size.to_be_bytes());
            wire.expect_closed();
            broker.expect_log(&format!(
                "a request of {size} bytes; socket.request.max.bytes is {REQUEST_MAX_BYTES}"
            ));
        }
        for size in 0..8 {
            let mut wire = broker.wire();
            wire.send_frame(&vec![0; size]);
            wire.expect_closed();
        }
        broker.expect_log("a request without a header");
    });
}

#[test]
fn another_protocol_ends_the_connection() {
    beside_a_neighbour(|broker| {
        let greetings: [&[u8]; 3] = [
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"SSH-2.0-OpenSSH_9.6\r\n",
        ];
        for greeting in greetings {
            let mut wire = broker.wire();
            wire.send(greeting);
            wire.expect_closed();
        }
    });
}

#[test]
fn a_frame_that_ends_with_its_connection_is_forgotten() {
    beside_a_neighbour(|broker| {
        for sent in [1, 3, 4, 5, 100, 400_000] {
            let mut wire = broker.wire();
            let frame = [&500_000_i32.to_be_bytes()[..], &header(0, 9), &[0; 500_000]].concat();
            wire.send(&frame[..sent]);
            wire.finish();
            wire.expect_closed();
        }
    });
}

#[test]
fn a_body_that_is_cut_ends_the_connection() {
    beside_a_neighbour(|broker| {
        let whole = [&header(3, 1)[..], &0_i32.to_be_bytes()].concat();
        for length in 8..whole.len() {
            let mut wire = broker.wire();
            wire.send_frame(&whole[..length]);
            wire.expect_closed();
        }
        broker.expect_log("malformed Metadata");
        let mut wire = broker.wire();
        wire.send_frame(&whole);
        assert!(wire.frame().is_some(), "the whole request is answered");
        // Kafka does not look at what follows a message, and librdkafka 2.16 sends such bytes.
        wire.send_frame(&[&whole[..], &[0]].concat());
        assert!(wire.frame().is_some(), "and so is one with more behind it");
    });
}

#[test]
fn a_forged_number_of_elements_costs_no_memory() {
    beside_a_neighbour(|broker| {
        let before = broker.memory_peak_bytes();
        for count in [i32::MAX, 0x1000_0000, 1_000_000] {
            for (key, version) in [(0, 3), (1, 4), (2, 1), (3, 1), (19, 2), (20, 1), (32, 1)] {
                let mut wire = broker.wire();
                let numbers = [count.to_be_bytes(); 16].concat();
                wire.send_frame(&[header(key, version), numbers].concat());
                wire.expect_closed();
            }
        }
        let grown = broker.memory_peak_bytes() - before;
        assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    });
}

#[test]
fn an_unknown_api_ends_the_connection() {
    beside_a_neighbour(|broker| {
        // FindCoordinator and SaslHandshake are Kafka's and not offered yet.
        for key in [10, 17, 93, 999, -1, i16::MAX, i16::MIN] {
            let mut wire = broker.wire();
            wire.send_frame(&header(key, 0));
            wire.expect_closed();
        }
        broker.expect_log("a request for an API that is not offered");
    });
}

#[test]
fn an_unknown_version_ends_the_connection() {
    beside_a_neighbour(|broker| {
        for key in [
            ApiKey::Produce,
            ApiKey::Fetch,
            ApiKey::Metadata,
            ApiKey::CreateTopics,
        ] {
            let (first, last) = versions::stable(key);
            for version in [first - 1, last + 1, i16::MAX, i16::MIN] {
                let mut wire = broker.wire();
                wire.send_frame(&header(key as i16, version));
                wire.expect_closed();
            }
        }
        broker.expect_log("a request of a version that is not offered");
    });
}

#[test]
fn api_versions_of_an_unknown_version_is_answered_in_version_0() {
    beside_a_neighbour(|broker| {
        let (first, last) = versions::advertised(ApiKey::ApiVersions);
        for version in [last + 1, 99, i16::MAX, -1] {
            let mut wire = broker.wire();
            // What follows the header cannot be understood, and must not be looked at.
            wire.send_frame(&[header(18, version), vec![0xff; 20]].concat());
            let frame = wire.frame().expect("an answer");
            assert_eq!(frame[..4], 77_i32.to_be_bytes(), "the header of version 0");
            let response = decode_exact::<ApiVersionsResponse>(frame.slice(4..), 0);
            let response = response.expect("the body of version 0");
            let code = error_of(response.error_code);
            assert_eq!(code, ErrorCode::UnsupportedVersion);
            let offers = response.api_keys.iter();
            let offers: Vec<_> = offers
                .map(|it| (it.api_key, it.min_version, it.max_version))
                .collect();
            assert_eq!(offers, [(18, first, last)]);
            // The connection lives on: the client asks again in a version that it was told.
            let named = ApiVersionsRequest {
                client_software_name: "test".into(),
                client_software_version: "1".into(),
            };
            assert_eq!(wire.call(last, &named).error_code, 0);
        }
    });
}

#[test]
fn chance_bytes_behind_a_header_do_no_harm() {
    beside_a_neighbour(|broker| {
        let mut chance = Chance::new(20_261_121);
        for round in 0..300 {
            let key = [0, 1, 2, 3, 18, 19, 20, 22, 23, 32, 55, 57, 60, 75][round % 14];
            let api = ApiKey::from_code(key).expect("one of Kafka's");
            let (first, last) = versions::stable(api);
            let versions = u64::try_from(last - first + 1).expect("not negative");
            let version = first + i16::try_from(chance.below(versions)).expect("few");
            let body: Vec<_> = (0..chance.below(200))
                .map(|_| u8::try_from(chance.below(256)).expect("a byte"))
                .collect();
            let mut wire = broker.wire();
            wire.send_frame(&[header(key, version), body].concat());
            // Whether it happens to be a request matters not: the connection answers or ends.
            wire.finish();
            drop(wire.frame());
        }
    });
}

#[test]
fn requests_that_were_sent_before_a_bad_one_are_answered() {
    beside_a_neighbour(|broker| {
        let bad_length = (-5_i32).to_be_bytes().to_vec();
        let unknown_api = [&10_i32.to_be_bytes()[..], &header(999, 0)].concat();
        for bad in [bad_length, unknown_api] {
            let mut wire = broker.wire();
            let request = MetadataRequest {
                topics: Some(Vec::new()),
                ..MetadataRequest::default()
            };
            let sent = [0; 20].map(|_| wire.send_request(9, &request));
            wire.send(&bad);
            for correlation_id in sent {
                wire.receive::<MetadataRequest>(9, correlation_id);
            }
            wire.expect_closed();
        }
    });
}
