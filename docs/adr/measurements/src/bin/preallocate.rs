//! ADR 0003: what the blocks of the active segment should be before records are written to them.
//!
//! One log appends with direct writes. `batches`: 64 KiB and a sync each, what a single producer feels. `bulk`: eight
//! writes of 1 MiB and a sync, what a saturated log reaches. Preparing a file is timed apart, but for lazy allocation,
//! which happens between appends and is part of them.
//!
//! `cargo run --release --bin preallocate [directory]`

use std::fs;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use glommio::io::{DmaBuffer, DmaFile};
use measurements::files::{
    Extents, close, dma_buffer, on_glommio, open, prepare_file, sync_everything,
};
use measurements::{Samples, cpu_seconds, data_directory, print_load, print_machine};

const TURNS: usize = 7;
const SEGMENT_BYTES: u64 = 128 << 20;
const LAZY_STEP_MIN: u64 = 64 << 10;
const LAZY_STEP_MAX: u64 = 32 << 20;
const BATCH_BYTES: usize = 64 << 10;
const BULK_BYTES: usize = 1 << 20;
const BULK_IN_FLIGHT: usize = 8;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Every write extends the file.
    Extend,
    /// `fallocate` ahead of the writes, 64 KiB at first, doubling to 32 MiB.
    AllocateLazily,
    /// `fallocate` of the whole segment.
    Allocate,
    /// Zeroes written to the whole segment.
    Zero,
    /// An old segment, renamed.
    Recycle,
}

const WAYS: [(Way, &str); 5] = [
    (Way::Extend, "extend"),
    (Way::AllocateLazily, "fallocate, lazily"),
    (Way::Allocate, "fallocate, whole"),
    (Way::Zero, "zeroed"),
    (Way::Recycle, "recycled"),
];

#[derive(Default)]
struct Result {
    prepare_ms: Samples,
    prepare_cpu_ms: Samples,
    append_us: Samples,
    megabytes_per_second: Samples,
    cpu_us_per_append: Samples,
}

fn main() {
    let directory = data_directory();
    print_machine();
    prepare_file(&directory.join("old"), SEGMENT_BYTES, Extents::Written);
    sync_everything();
    println!(
        "shape   way                prepare_ms  prepare_cpu_ms  p50_us  p99_us  p99.9_us   max_us     MB/s  cpu_us/append"
    );
    for (shape, bytes) in [
        ("batches", BATCH_BYTES),
        ("bulk", BULK_BYTES * BULK_IN_FLIGHT),
    ] {
        let mut results: [Result; 5] = Default::default();
        for _ in 0..TURNS {
            for ((way, _), result) in WAYS.iter().zip(&mut results) {
                turn(&directory, *way, bytes, result);
            }
        }
        for ((_, name), result) in WAYS.iter().zip(&results) {
            println!(
                "{shape:<7} {name:<18} {:>10.1} {:>15.1} {:>7.0} {:>7.0} {:>9.0} {:>8.0} {:>8.1} {:>14.1}",
                result.prepare_ms.median(),
                result.prepare_cpu_ms.median(),
                result.append_us.percentile(0.5),
                result.append_us.percentile(0.99),
                result.append_us.percentile(0.999),
                result.append_us.percentile(1.0),
                result.megabytes_per_second.median(),
                result.cpu_us_per_append.median(),
            );
        }
    }
    fs::remove_dir_all(directory).expect("remove the data");
    print_load();
}

/// One segment, appended to until it is full.
fn turn(directory: &Path, way: Way, bytes: usize, result: &mut Result) {
    let (cpu, started) = (cpu_seconds(), Instant::now());
    let path = prepare(directory, way);
    result
        .prepare_ms
        .push(started.elapsed().as_secs_f64() * 1e3);
    result.prepare_cpu_ms.push((cpu_seconds() - cpu) * 1e3);
    on_glommio(directory, || async {
        let file = open(&path, 0).await;
        let buffer = dma_buffer(&file, bytes.min(BULK_BYTES));
        let mut allocated = if way == Way::AllocateLazily {
            0
        } else {
            SEGMENT_BYTES
        };
        let mut step = LAZY_STEP_MIN;
        let (cpu, begun) = (cpu_seconds(), Instant::now());
        for position in (0..SEGMENT_BYTES).step_by(bytes) {
            let started = Instant::now();
            while allocated < position + bytes as u64 {
                file.pre_allocate(allocated + step, false)
                    .await
                    .expect("allocate");
                allocated += step;
                step = (step * 2).min(LAZY_STEP_MAX);
            }
            append(&file, &buffer, position, bytes).await;
            result.append_us.push_us(started);
        }
        let appends = SEGMENT_BYTES as f64 / bytes as f64;
        result
            .megabytes_per_second
            .push(SEGMENT_BYTES as f64 / 1e6 / begun.elapsed().as_secs_f64());
        result
            .cpu_us_per_append
            .push((cpu_seconds() - cpu) * 1e6 / appends);
        drop(buffer);
        close(file).await;
    });
    match way {
        Way::Recycle => fs::rename(&path, directory.join("old")).expect("put the old segment back"),
        _ => fs::remove_file(&path).expect("remove the segment"),
    }
    sync_everything();
}

fn prepare(directory: &Path, way: Way) -> PathBuf {
    let path = directory.join("segment");
    let extents = match way {
        Way::Recycle => {
            fs::rename(directory.join("old"), &path).expect("take an old segment");
            return path;
        }
        Way::Extend | Way::AllocateLazily => Extents::None,
        Way::Allocate => Extents::Unwritten,
        Way::Zero => Extents::Written,
    };
    prepare_file(&path, SEGMENT_BYTES, extents);
    let file = fs::File::open(&path).expect("open the segment");
    file.sync_all().expect("sync the segment");
    // Direct writes to pages that are still cached would pay for dropping them.
    measurements::files::forget_pages(file.as_raw_fd());
    path
}

/// Writes `bytes` bytes in pieces of the buffer's size, all in flight together, and syncs.
async fn append(file: &Rc<DmaFile>, buffer: &Rc<DmaBuffer>, position: u64, bytes: usize) {
    let writes: Vec<_> = (0..bytes / buffer.len())
        .map(|index| {
            let (file, buffer) = (Rc::clone(file), Rc::clone(buffer));
            let position = position + (index * buffer.len()) as u64;
            glommio::spawn_local(async move {
                file.write_rc_at(buffer, position).await.expect("write");
            })
        })
        .collect();
    for write in writes {
        write.await;
    }
    file.fdatasync().await.expect("sync");
}
