//! Headers, and the exceptions of ApiVersions.

use bytes::Bytes;
use protocol::messages::{ApiVersionsResponse, MetadataRequest, MetadataResponse};
use protocol::{
    ApiKey, DecodeError, Decoder, RequestPrefix, decode_request_header, encode_request_frame,
    encode_response_frame, request_header_version, response_header_version, versions,
};

/// All APIs of the schema.
fn keys() -> impl Iterator<Item = ApiKey> {
    (0..=i16::from(u8::MAX)).filter_map(ApiKey::from_code)
}

/// Requests and responses of flexible versions have flexible headers. Each line: an API, its last version before, and
/// its first with flexible headers. Source: the protocol guide's listing of the messages.
const FLEXIBLE_SINCE: [(ApiKey, i16); 9] = [
    (ApiKey::Produce, 9),
    (ApiKey::Fetch, 12),
    (ApiKey::ListOffsets, 6),
    (ApiKey::Metadata, 9),
    (ApiKey::FindCoordinator, 3),
    (ApiKey::CreateTopics, 5),
    (ApiKey::DeleteTopics, 4),
    (ApiKey::InitProducerId, 2),
    (ApiKey::OffsetForLeaderEpoch, 4),
];

#[test]
fn flexible_versions_have_flexible_headers() {
    for (key, since) in FLEXIBLE_SINCE {
        assert_eq!(request_header_version(key, since - 1), 1, "{key:?}");
        assert_eq!(response_header_version(key, since - 1), 0, "{key:?}");
        assert_eq!(request_header_version(key, since), 2, "{key:?}");
        assert_eq!(response_header_version(key, since), 1, "{key:?}");
    }
    assert_eq!(request_header_version(ApiKey::SaslHandshake, 1), 1);
    assert_eq!(response_header_version(ApiKey::SaslHandshake, 1), 0);
}

#[test]
fn the_response_to_api_versions_always_has_header_version_0() {
    for version in [0, 2, 3, 4, 5, 99] {
        assert_eq!(response_header_version(ApiKey::ApiVersions, version), 0);
    }
    assert_eq!(request_header_version(ApiKey::ApiVersions, 2), 1);
    assert_eq!(request_header_version(ApiKey::ApiVersions, 3), 2);
    let response = ApiVersionsResponse {
        error_code: 35,
        ..Default::default()
    };
    let frame =
        encode_response_frame(ApiKey::ApiVersions, 3, 7, &response).expect("it can be written");
    // Size, correlation id, error code, no keys, throttle time, no tags: and no tags of a header.
    assert_eq!(
        *frame.to_bytes(),
        *b"\0\0\0\x0c\0\0\0\x07\0\x23\x01\0\0\0\0\0"
    );
}

#[test]
fn header_versions_agree_with_another_implementation() {
    use kafka_protocol::messages::ApiKey as Oracle;
    for key in keys() {
        let Ok(oracle) = Oracle::try_from(key as i16) else {
            continue;
        };
        let (first, last) = key.schema_versions();
        let known = oracle.valid_versions();
        for version in first.max(known.min)..=last.min(known.max) {
            assert_eq!(
                request_header_version(key, version),
                oracle.request_header_version(version),
                "{key:?} v{version}"
            );
            assert_eq!(
                response_header_version(key, version),
                oracle.response_header_version(version),
                "{key:?} v{version}"
            );
        }
    }
}

#[test]
fn a_request_frame_is_read_back_with_its_header() {
    for (version, client_id) in [(0, None), (8, Some("")), (9, Some("a client")), (13, None)] {
        let request = MetadataRequest::default();
        let frame = encode_request_frame(version, -3, client_id, &request)
            .expect("it can be written")
            .to_bytes();
        let (size, frame) = frame.split_first_chunk::<4>().expect("a frame has a size");
        assert_eq!(
            i32::from_be_bytes(*size),
            i32::try_from(frame.len()).expect("a small frame")
        );
        let prefix = RequestPrefix::peek(frame).expect("a frame has a prefix");
        assert_eq!(
            prefix,
            RequestPrefix {
                api_key: 3,
                api_version: version,
                correlation_id: -3
            }
        );
        let mut decoder = Decoder::new(Bytes::copy_from_slice(frame));
        let header = decode_request_header(&mut decoder, prefix).expect("a readable header");
        assert_eq!(header.client_id.as_deref(), client_id);
        assert_eq!(
            (
                header.request_api_key,
                header.request_api_version,
                header.correlation_id
            ),
            (3, version, -3)
        );
    }
}

#[test]
fn a_response_frame_begins_with_its_size_and_correlation_id() {
    let response = MetadataResponse::default();
    for (version, head) in [(8, &b"\0\0\0\x2a"[..]), (9, b"\0\0\0\x2a\0")] {
        let frame = encode_response_frame(ApiKey::Metadata, version, 42, &response)
            .expect("it can be written")
            .to_bytes();
        let (size, frame) = frame.split_first_chunk::<4>().expect("a frame has a size");
        assert_eq!(
            i32::from_be_bytes(*size),
            i32::try_from(frame.len()).expect("a small frame")
        );
        assert!(frame.starts_with(head), "v{version}: {frame:?}");
    }
}

#[test]
fn unknown_keys_and_cut_headers_are_refused() {
    for len in 0..8 {
        let refused = RequestPrefix::peek(&[0; 8][..len]);
        assert_eq!(
            refused,
            Err(DecodeError::Truncated {
                needed: 8,
                remaining: len
            })
        );
    }
    for api_key in [-1, 93, 94, 4_000, i16::MIN, i16::MAX] {
        let prefix = RequestPrefix {
            api_key,
            api_version: 0,
            correlation_id: 0,
        };
        let refused =
            decode_request_header(&mut Decoder::new(Bytes::from_static(&[0; 32])), prefix);
        assert_eq!(refused, Err(DecodeError::UnknownApiKey(api_key)));
    }
    let prefix = RequestPrefix {
        api_key: 3,
        api_version: 9,
        correlation_id: 0,
    };
    let whole = b"\0\x03\0\x09\0\0\0\0\0\x02id\0";
    for len in 0..whole.len() {
        let mut decoder = Decoder::new(Bytes::from_static(&whole[..len]));
        assert!(
            decode_request_header(&mut decoder, prefix).is_err(),
            "{len} bytes"
        );
    }
    assert!(decode_request_header(&mut Decoder::new(Bytes::from_static(whole)), prefix).is_ok());
}

/// The versions that Kafka 4.3.1 advertises for the APIs that Logan begins with.
#[test]
fn advertised_versions_are_those_of_kafka_4_3() {
    let table = [
        (ApiKey::Produce, (0, 13)),
        (ApiKey::Fetch, (4, 18)),
        (ApiKey::ListOffsets, (1, 11)),
        (ApiKey::Metadata, (0, 13)),
        (ApiKey::ApiVersions, (0, 4)),
        (ApiKey::CreateTopics, (2, 7)),
        (ApiKey::DeleteTopics, (1, 6)),
        (ApiKey::InitProducerId, (0, 5)),
        (ApiKey::OffsetForLeaderEpoch, (2, 4)),
        (ApiKey::DescribeConfigs, (1, 4)),
        (ApiKey::DescribeQuorum, (0, 2)),
        (ApiKey::UpdateFeatures, (0, 2)),
        (ApiKey::DescribeCluster, (0, 2)),
        (ApiKey::DescribeTopicPartitions, (0, 0)),
        (ApiKey::DeleteGroups, (0, 2)),
        (ApiKey::TxnOffsetCommit, (0, 5)),
    ];
    for (key, range) in table {
        assert_eq!(versions::advertised(key), range, "{key:?}");
    }
    assert_eq!(versions::stable(ApiKey::Produce), (3, 13));
    for key in keys() {
        let (first, last) = versions::advertised(key);
        assert!(first <= last, "{key:?}: some clients refuse an empty range");
    }
}
