//! ADR 0002: how long until N dirty files are durable, and at what CPU cost.
//!
//! Every turn gives each of N files one dirty tail and waits until all are durable. Variants take turns.
//!
//! `cargo run --release --bin sync [directory]`

mod ways;

use std::fs;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use glommio::io::DmaFile;
use measurements::files::{
    Extents, close, on_glommio, open, prepare_file, sync_everything, sync_file_system, unwrite,
};
use measurements::{Samples, cpu_seconds, data_directory, print_load, print_machine};

use ways::{Job, commit, ring, threads, write_only};

/// Each file offers this many turns of the largest tail; turns then wrap around.
const FILE_BYTES: u64 = 256 << 10;
const LOG_BYTES: u64 = 2 << 30;
const LOG_CHUNK: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq)]
enum Variant {
    /// DMA write and fdatasync per file through the ring, at most this many files in flight.
    RingFdatasync(usize),
    /// The same through blocking threads, to set against `ThreadDsync`.
    ThreadFdatasync(usize),
    /// `pwritev2(RWF_DSYNC)` from blocking threads.
    ThreadDsync(usize),
    /// O_DSYNC descriptors and DMA writes through the ring.
    RingDsync(usize),
    /// DMA writes to every file, 128 in flight, then one syncfs for all of them.
    RingSyncfs,
    /// Tails copied into 1 MiB chunks of one log with one fdatasync: durable then.
    CommitLog,
    /// The same and the tails written to their files afterwards, unsynced: what the CPU pays in the end.
    CommitLogAndSegments,
}

#[derive(Default)]
struct Result {
    all_us: Samples,
    each_us: Samples,
    cpu: f64,
}

const WRITTEN_VARIANTS: [Variant; 9] = [
    Variant::RingFdatasync(8),
    Variant::RingFdatasync(32),
    Variant::RingFdatasync(128),
    Variant::ThreadFdatasync(32),
    Variant::ThreadDsync(32),
    Variant::RingDsync(32),
    Variant::RingSyncfs,
    Variant::CommitLog,
    Variant::CommitLogAndSegments,
];
const UNWRITTEN_VARIANTS: [Variant; 3] = [
    Variant::RingFdatasync(32),
    Variant::RingFdatasync(128),
    Variant::RingSyncfs,
];

fn main() {
    let directory = data_directory();
    print_machine();
    println!(
        "files tail_KiB extents    variant              turns  all_p50_ms  all_p99_ms  each_p50_ms  each_p99_ms    MB/s  \
         files/s  cpu_us/file"
    );
    for (files, turns) in [(1_usize, 200_usize), (100, 20), (1_000, 4), (10_000, 3)] {
        measure(
            &directory,
            files,
            turns,
            Extents::Written,
            &WRITTEN_VARIANTS,
        );
        measure(
            &directory,
            files,
            turns.min(4),
            Extents::Unwritten,
            &UNWRITTEN_VARIANTS,
        );
    }
    fs::remove_dir_all(directory).expect("remove the data");
    print_load();
}

/// All tails and variants on one set of files.
fn measure(directory: &Path, files: usize, turns: usize, extents: Extents, variants: &[Variant]) {
    let set = directory.join("set");
    fs::create_dir_all(&set).expect("create the set");
    for index in 0..files {
        prepare_file(&set.join(index.to_string()), FILE_BYTES, extents);
    }
    let log_path = directory.join("commit-log");
    if !log_path.exists() {
        prepare_file(&log_path, LOG_BYTES, Extents::Written);
    }
    sync_everything();
    for tail in [4_usize << 10, 16 << 10, 64 << 10] {
        let mut results: Vec<Result> = variants.iter().map(|_| Result::default()).collect();
        on_glommio(directory, || async {
            let plain = open_all(&set, files, 0).await;
            // A second set of 10,000 descriptors is beyond common limits.
            let dsync = if files < 10_000 {
                open_all(&set, files, libc::O_DSYNC).await
            } else {
                Vec::new()
            };
            let mut bench = Bench {
                plain,
                dsync,
                log: open(&log_path, 0).await,
                log_position: 0,
                position: 0,
                tail,
            };
            for _ in 0..turns {
                if extents == Extents::Unwritten {
                    bench
                        .plain
                        .iter()
                        .for_each(|file| unwrite(file.as_raw_fd(), FILE_BYTES));
                    sync_file_system(bench.log.as_raw_fd());
                    bench.position = 0;
                }
                for (&variant, result) in variants.iter().zip(&mut results) {
                    bench.turn(variant, result).await;
                }
            }
            for file in bench
                .plain
                .into_iter()
                .chain(bench.dsync)
                .chain([bench.log])
            {
                close(file).await;
            }
        });
        for (variant, result) in variants.iter().zip(&results) {
            report(files, tail, extents, *variant, result);
        }
    }
    fs::remove_dir_all(&set).expect("remove the set");
}

struct Bench {
    plain: Vec<Rc<DmaFile>>,
    dsync: Vec<Rc<DmaFile>>,
    log: Rc<DmaFile>,
    log_position: u64,
    position: u64,
    tail: usize,
}

impl Bench {
    /// One dirty tail for every file, until all are durable.
    async fn turn(&mut self, variant: Variant, result: &mut Result) {
        if matches!(variant, Variant::RingDsync(_)) && self.dsync.is_empty() {
            return;
        }
        let job = Job {
            tail: self.tail,
            position: self.position,
        };
        let cpu = cpu_seconds();
        let started = Instant::now();
        match variant {
            Variant::RingFdatasync(cap) => ring(&self.plain, job, cap, true, result, started).await,
            Variant::RingDsync(cap) => ring(&self.dsync, job, cap, false, result, started).await,
            Variant::ThreadFdatasync(count) => {
                threads(&self.plain, job, count, false, result, started)
            }
            Variant::ThreadDsync(count) => threads(&self.plain, job, count, true, result, started),
            Variant::RingSyncfs => {
                write_only(&self.plain, job).await;
                sync_file_system(self.log.as_raw_fd());
                self.plain
                    .iter()
                    .for_each(|_| result.each_us.push_us(started));
            }
            Variant::CommitLog | Variant::CommitLogAndSegments => {
                commit(
                    &self.log,
                    &mut self.log_position,
                    self.plain.len(),
                    self.tail,
                    result,
                    started,
                )
                .await;
            }
        }
        result.all_us.push_us(started);
        if variant == Variant::CommitLogAndSegments {
            write_only(&self.plain, job).await;
            // The segments' own sync, far later in a real log, here at once: the cost is the same bytes.
            sync_file_system(self.log.as_raw_fd());
        }
        result.cpu += cpu_seconds() - cpu;
        self.position = (self.position + self.tail as u64) % FILE_BYTES;
    }
}

async fn open_all(set: &Path, files: usize, flags: i32) -> Vec<Rc<DmaFile>> {
    let mut opened = Vec::with_capacity(files);
    for index in 0..files {
        opened.push(open(&set.join(index.to_string()), flags).await);
    }
    opened
}

fn report(files: usize, tail: usize, extents: Extents, variant: Variant, result: &Result) {
    let name = match variant {
        Variant::RingFdatasync(cap) => format!("ring-fdatasync-{cap}"),
        Variant::ThreadFdatasync(count) => format!("thread-fdatasync-{count}"),
        Variant::ThreadDsync(count) => format!("thread-RWF_DSYNC-{count}"),
        Variant::RingDsync(cap) => format!("ring-O_DSYNC-{cap}"),
        Variant::RingSyncfs => "ring-write+syncfs".into(),
        Variant::CommitLog => "commit-log".into(),
        Variant::CommitLogAndSegments => "commit-log+segments".into(),
    };
    let turns = result.all_us.len();
    if turns == 0 {
        return;
    }
    let seconds = result.all_us.sum() / 1e6;
    let done = (files * turns) as f64;
    println!(
        "{files:>5} {:>8} {:<10} {name:<20} {turns:>5} {:>11.3} {:>11.3} {:>12.3} {:>12.3} {:>7.1} {:>8.0} {:>12.1}",
        tail >> 10,
        if extents == Extents::Written {
            "written"
        } else {
            "unwritten"
        },
        result.all_us.percentile(0.5) / 1e3,
        result.all_us.percentile(0.99) / 1e3,
        result.each_us.percentile(0.5) / 1e3,
        result.each_us.percentile(0.99) / 1e3,
        done * tail as f64 / 1e6 / seconds,
        done / seconds,
        result.cpu * 1e6 / done,
    );
}
