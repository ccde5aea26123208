//! What the checks of a produced batch cost: everything against the header alone, 1 KB records, each codec.
//!
//! Throughput counts the values of the records, not their compressed bytes.

use std::hint::black_box;
use std::time::Duration;

use benches::pieces::rules;
use benches::{NOW, VALUE_BYTES, batch};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use records::{Compression, Scratch, ValidationLevel, validate_produce, verify_crc};

/// Records in a batch: what a producer sends that waits for little, and what it sends under load.
const COUNTS: [usize; 2] = [16, 900];

fn validate(criterion: &mut Criterion) {
    let mut scratch = Scratch::default();
    for (name, level) in [
        ("full", ValidationLevel::Full),
        ("header", ValidationLevel::Header),
    ] {
        let mut group = criterion.benchmark_group(format!("validate {name}"));
        let rules = rules(level);
        for codec in Compression::ALL {
            for count in COUNTS {
                let batch = batch(codec, count);
                group.throughput(Throughput::Bytes((count * VALUE_BYTES) as u64));
                let id = BenchmarkId::new(codec.name(), format!("{count} records"));
                group.bench_with_input(id, &batch, |bencher, batch| {
                    bencher.iter(|| validate_produce(black_box(batch), &rules, NOW, &mut scratch));
                });
            }
        }
        group.finish();
    }
}

fn checksum(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify_crc");
    for count in COUNTS {
        let batch = batch(Compression::None, count);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        let id = BenchmarkId::from_parameter(format!("{count} records"));
        group.bench_with_input(id, &batch, |bencher, batch| {
            bencher.iter(|| verify_crc(black_box(batch)))
        });
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
    targets = validate, checksum
}
criterion_main!(benches);
