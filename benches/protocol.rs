//! What the codec costs beside the records, which it never copies: reading produce requests, writing fetch responses.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{FetchResponse, ProduceRequest};
use protocol::{
    ApiKey, Decoder, Records, RequestPrefix, decode_request_header, encode_request_frame,
    encode_response_frame,
};
use records::Compression;
use types::Uuid;

/// Partitions in a request or response.
const PARTITIONS: [usize; 3] = [1, 16, 256];

/// Records of a kilobyte for each partition.
const RECORDS: usize = 16;

const PRODUCE_VERSION: i16 = 13;
const FETCH_VERSION: i16 = 18;
const TOPIC_ID: Uuid = Uuid([7; 16]);

fn produce_frame(partitions: usize) -> Bytes {
    let batch = Bytes::from(benches::batch(Compression::None, RECORDS));
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

fn decode_produce(frame: &Bytes) -> ProduceRequest {
    let prefix = RequestPrefix::peek(frame).expect("a frame has a prefix");
    let mut decoder = Decoder::new(frame.clone());
    decode_request_header(&mut decoder, prefix).expect("a readable header");
    protocol::wire::decode_versioned(&mut decoder, prefix.api_version).expect("a readable request")
}

fn fetch_response(partitions: usize) -> FetchResponse {
    let batch = Bytes::from(benches::batch(Compression::None, RECORDS));
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

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode produce request");
    for partitions in PARTITIONS {
        let frame = produce_frame(partitions);
        group.throughput(Throughput::Bytes(frame.len() as u64));
        let id = BenchmarkId::from_parameter(format!("{partitions} partitions"));
        group.bench_with_input(id, &frame, |bencher, frame| {
            bencher.iter(|| decode_produce(black_box(frame)))
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode fetch response");
    for partitions in PARTITIONS {
        let response = fetch_response(partitions);
        let write = || encode_response_frame(ApiKey::Fetch, FETCH_VERSION, 1, black_box(&response));
        group.throughput(Throughput::Bytes(
            write().expect("it can be written").len() as u64
        ));
        let id = BenchmarkId::from_parameter(format!("{partitions} partitions"));
        group.bench_with_input(id, &response, |bencher, _| bencher.iter(write));
    }
    group.finish();
}

/// Short runs: enough to compare, not to publish.
fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = short();
    targets = decode, encode
}
criterion_main!(benches);
