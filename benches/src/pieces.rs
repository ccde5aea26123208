//! The hot pieces of a request's path that need no executor: what each record and each request costs the processor.
//!
//! [`PIECES`] gives each a name, so that `hot-pieces` can run one alone while its instructions are counted; the Criterion
//! benches time the same functions.

use std::hint::black_box;

use bytes::Bytes;
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{FetchResponse, ProduceRequest};
use protocol::{
    ApiKey, Decoder, Records, RequestPrefix, decode_request_header, encode_request_frame,
    encode_response_frame,
};
use records::{
    Compression, CompressionLevels, ProduceRules, Scratch, TimestampType, ValidationLevel,
    validate_produce, verify_crc,
};
use types::Uuid;

use crate::{NOW, batch};

/// Records of a kilobyte for each partition of a request or response.
pub const RECORDS_PER_PARTITION: usize = 16;

const PRODUCE_VERSION: i16 = 13;
const FETCH_VERSION: i16 = 18;
const TOPIC_ID: Uuid = Uuid([7; 16]);

/// A piece: its name, and what runs it so often.
pub type Piece = (&'static str, fn(u64));

/// All of them. A name stays with its work, so that counts of two builds can be compared.
pub const PIECES: [Piece; 9] = [
    ("verify-crc/900-records", |times| crc(900, times)),
    ("validate-full/none/900-records", |times| {
        validate(Compression::None, times);
    }),
    ("validate-full/lz4/900-records", |times| {
        validate(Compression::Lz4, times);
    }),
    ("validate-full/zstd/900-records", |times| {
        validate(Compression::Zstd, times);
    }),
    ("validate-full/none/1-record", validate_one),
    ("decode-produce/1-partition", |times| decode(1, times)),
    ("decode-produce/256-partitions", |times| decode(256, times)),
    ("encode-fetch/1-partition", |times| encode(1, times)),
    ("encode-fetch/256-partitions", |times| encode(256, times)),
];

/// What a broker with Kafka's defaults asks of a batch.
#[must_use]
pub fn rules(level: ValidationLevel) -> ProduceRules {
    ProduceRules {
        level,
        batch_size_max_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        requires_keys: false,
        compression: None,
        levels: CompressionLevels::default(),
        allows_zstd: true,
        decompressed_max_bytes: 16 << 20,
    }
}

/// A produce request as it comes from a socket, without its size.
///
/// # Panics
/// Never: the request can be written.
#[must_use]
pub fn produce_frame(partitions: usize) -> Bytes {
    let batch = Bytes::from(batch(Compression::None, RECORDS_PER_PARTITION));
    let partition = |index| PartitionProduceData {
        index,
        records: Some(Records::from(batch.clone())),
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            topic_id: TOPIC_ID,
            partition_data: (0..).take(partitions).map(partition).collect(),
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let frame = encode_request_frame(PRODUCE_VERSION, 1, Some("bench"), &request);
    frame.expect("it can be written").to_bytes().slice(4..)
}

/// Reads such a frame.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn decode_produce(frame: &Bytes) -> ProduceRequest {
    let prefix = RequestPrefix::peek(frame).expect("a frame has a prefix");
    let mut decoder = Decoder::new(frame.clone());
    decode_request_header(&mut decoder, prefix).expect("a readable header");
    protocol::wire::decode_versioned(&mut decoder, prefix.api_version).expect("a readable request")
}

/// An answer with records of so many partitions.
#[must_use]
pub fn fetch_response(partitions: usize) -> FetchResponse {
    let batch = Bytes::from(batch(Compression::None, RECORDS_PER_PARTITION));
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1_000,
        last_stable_offset: 1_000,
        log_start_offset: 0,
        records: Some(Records::from_chunks(vec![batch.clone(), batch.clone()])),
        ..PartitionData::default()
    };
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: TOPIC_ID,
            partitions: (0..).take(partitions).map(partition).collect(),
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    }
}

/// Writes such an answer, and says how long it is.
///
/// # Panics
/// Never: the response can be written.
#[must_use]
pub fn encode_fetch(response: &FetchResponse) -> usize {
    let frame = encode_response_frame(ApiKey::Fetch, FETCH_VERSION, 1, response);
    frame.expect("it can be written").len()
}

fn crc(records: usize, times: u64) {
    let batch = batch(Compression::None, records);
    for _ in 0..times {
        verify_crc(black_box(&batch)).expect("the checksum is right");
    }
}

fn validate(codec: Compression, times: u64) {
    validate_records(codec, 900, times);
}

fn validate_one(times: u64) {
    validate_records(Compression::None, 1, times);
}

fn validate_records(codec: Compression, records: usize, times: u64) {
    let batch = batch(codec, records);
    let rules = rules(ValidationLevel::Full);
    let mut scratch = Scratch::default();
    for _ in 0..times {
        let checked = validate_produce(black_box(&batch), &rules, NOW, &mut scratch);
        black_box(checked.is_ok());
    }
}

fn decode(partitions: usize, times: u64) {
    let frame = produce_frame(partitions);
    for _ in 0..times {
        black_box(decode_produce(black_box(&frame)));
    }
}

fn encode(partitions: usize, times: u64) {
    let response = fetch_response(partitions);
    for _ in 0..times {
        black_box(encode_fetch(black_box(&response)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_has_a_name_of_its_own_and_runs() {
        let mut names: Vec<&str> = PIECES.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PIECES.len());
        for (_, run) in PIECES {
            run(1);
        }
    }

    #[test]
    fn a_checked_batch_is_accepted() {
        let batch = batch(Compression::Lz4, 900);
        let rules = rules(ValidationLevel::Full);
        let mut scratch = Scratch::default();
        assert!(validate_produce(&batch, &rules, NOW, &mut scratch).is_ok());
    }
}
