//! Frames of nine real clients, recorded on their way to Apache Kafka (`tests/golden`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use protocol::{
    ApiKey, Decoder, Encoder, RequestPrefix, Wire as _, decode_request_header,
    request_header_version, versions,
};

use crate::support::codecs;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");

struct Frame {
    file: String,
    key: ApiKey,
    version: i16,
    bytes: Bytes,
}

/// What the index lists, read.
fn frames() -> Vec<Frame> {
    let golden = Path::new(GOLDEN);
    let index = fs::read_to_string(golden.join("index.tsv")).expect("the index is committed");
    let frame = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, key, version, size] = columns[..] else {
            unreachable!("a line has four columns: {line}")
        };
        let number = |text: &str| text.parse::<i16>().expect("a number");
        let bytes = fs::read(golden.join(file)).expect("a listed file is committed");
        assert_eq!(bytes.len().to_string(), size, "{file}");
        Frame {
            file: file.to_owned(),
            key: ApiKey::from_code(number(key)).expect("Kafka knows the API"),
            version: number(version),
            bytes: bytes.into(),
        }
    };
    index.lines().skip(1).map(frame).collect()
}

#[test]
fn frames_of_nine_clients_are_listed() {
    let frames = frames();
    let client = |frame: &Frame| frame.file.split('/').next().map(str::to_owned);
    let clients: BTreeSet<_> = frames.iter().filter_map(client).collect();
    assert_eq!(clients.len(), 9, "{clients:?}");
    assert!(frames.len() > 100);
}

#[test]
fn real_frames_are_read_to_the_end_and_written_byte_for_byte() {
    for frame in frames() {
        let file = &frame.file;
        let prefix = RequestPrefix::peek(&frame.bytes).expect("a frame has a prefix");
        assert_eq!(
            (prefix.api_key, prefix.api_version),
            (frame.key as i16, frame.version),
            "{file}"
        );
        let mut decoder = Decoder::new(frame.bytes.clone());
        let header = decode_request_header(&mut decoder, prefix).expect("a readable header");
        let body = frame.bytes.slice(frame.bytes.len() - decoder.remaining()..);
        let (_, last) = frame.key.schema_versions();
        if frame.version > last {
            // A client newer than Kafka 4.3 asks first in a version of its own. The body is not looked at.
            assert_eq!(frame.key, ApiKey::ApiVersions, "{file}");
            continue;
        }
        let decode = codecs::find(&format!("{}Request", frame.key.name()));
        let message =
            decode(body, frame.version).unwrap_or_else(|error| unreachable!("{file}: {error}"));
        let body = message
            .encode(frame.version)
            .expect("what was read can be written");
        let mut encoder = Encoder::default();
        header
            .encode(
                &mut encoder,
                request_header_version(frame.key, frame.version),
            )
            .expect("the header was read in this version");
        let mut again = BytesMut::from(&*encoder.finish().to_bytes());
        again.extend_from_slice(&body);
        assert_eq!(again, frame.bytes, "{file}");
    }
}

#[test]
fn what_clients_send_after_they_asked_is_advertised() {
    // Kafka answered their ApiVersions request, and they chose from what Kafka 4.3.1 advertises.
    for frame in frames()
        .iter()
        .filter(|frame| frame.key != ApiKey::ApiVersions)
    {
        let (first, last) = versions::stable(frame.key);
        assert!((first..=last).contains(&frame.version), "{}", frame.file);
    }
}
