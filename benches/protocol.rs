//! What the codec costs beside the records, which it never copies: reading produce requests, writing fetch responses.

use std::hint::black_box;
use std::time::Duration;

use benches::pieces::{decode_produce, encode_fetch, fetch_response, produce_frame};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Partitions in a request or response.
const PARTITIONS: [usize; 3] = [1, 16, 256];

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
        let write = || encode_fetch(black_box(&response));
        group.throughput(Throughput::Bytes(write() as u64));
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
