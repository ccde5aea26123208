//! What the Criterion benches share; the benches stand beside this folder, and recorded results in `results`.
//!
//! `cargo bench -p benches --bench records` runs one of them; `hot-pieces` runs what they time under a tool that counts
//! instructions, such as valgrind.

pub mod pieces;

use records::{BatchBuilder, Compression, NewRecord};
use types::TimestampMs;

/// The size of a record's value.
pub const VALUE_BYTES: usize = 1024;

/// The time of all records, and the time at which they are checked.
pub const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

/// Words of log lines, so that values compress as such lines do: to about a quarter.
const WORDS: [&str; 16] = [
    "GET",
    "POST",
    "/api/v1/orders/",
    "/static/img/",
    "200",
    "404",
    "user=",
    "session=",
    "latency_ms=",
    "eu-west-1",
    "Mozilla/5.0",
    "checkout",
    "\"status\":",
    "true",
    "null",
    "2026-11-21T07:00:00Z",
];

/// Values of log lines, different from one another and the same in every run.
struct Lines(u64);

impl Lines {
    fn value(&mut self) -> Vec<u8> {
        let mut value = Vec::with_capacity(VALUE_BYTES + 64);
        while value.len() < VALUE_BYTES {
            // Knuth's 64-bit linear congruential generator; its high bits are the better ones.
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let chance = self.0 >> 32;
            let word = WORDS[usize::try_from(chance % 16).expect("below 16")];
            value.extend_from_slice(word.as_bytes());
            value.extend_from_slice(format!(" {:x} ", chance >> 16).as_bytes());
        }
        value.truncate(VALUE_BYTES);
        value
    }
}

/// A batch of `count` records of a kilobyte.
///
/// # Panics
/// Never: compression in memory does not fail.
#[must_use]
pub fn batch(codec: Compression, count: usize) -> Vec<u8> {
    let mut lines = Lines(7);
    let mut builder = BatchBuilder::new(codec);
    for _ in 0..count {
        let value = lines.value();
        builder.push(&NewRecord {
            timestamp: NOW,
            key: Some(&value[..8]),
            value: Some(&value),
            headers: &[],
        });
    }
    builder.build().expect("compression in memory works")
}
