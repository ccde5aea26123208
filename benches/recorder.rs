//! What the flight recorder costs a request: the two events of one, and none where it is off.
//!
//! `cargo bench -p benches --bench recorder`. The clock is not read for them: the request's own readings are used.

use std::hint::black_box;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use io::Instant;
use runtime::{Recorder, RecorderSettings, Tape};
use types::{Event, RequestName, ShardId};

/// The default of `logan.recorder.events`.
const EVENTS: usize = 8192;

fn tape(events: usize) -> Tape {
    let settings = RecorderSettings {
        events,
        directory: PathBuf::new(),
        dumps_max: 1,
        stall_min: Duration::MAX,
        version: "",
        api_name: |_| None,
    };
    Recorder::new(settings, 1).tape(ShardId(0))
}

/// Notes the begin and the end of a request.
fn request(tape: &Tape, number: i32, peer: SocketAddr) {
    let request = RequestName {
        api: 1,
        version: 17,
        correlation_id: number,
        peer,
    };
    let at = Instant(u64::from(number.cast_unsigned()));
    tape.record(at, &Event::RequestBegun { request, bytes: 90 });
    let took = Duration::from_micros(70);
    tape.record(at, &Event::RequestEnded { request, took });
}

fn recorder(criterion: &mut Criterion) {
    let peer: SocketAddr = "192.0.2.1:50000".parse().expect("an address");
    for (name, events) in [("on", EVENTS), ("off", 0)] {
        let tape = tape(events);
        let mut number = 0_i32;
        criterion.bench_function(&format!("recorder/request/{name}"), |bencher| {
            bencher.iter(|| {
                number = number.wrapping_add(1);
                request(black_box(&tape), black_box(number), black_box(peer));
            });
        });
    }
}

criterion_group!(benches, recorder);
criterion_main!(benches);
