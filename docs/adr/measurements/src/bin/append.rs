//! ADR 0001: append a batch and sync it, from one pinned thread of each runtime.
//!
//! Each of N tasks appends to a file of its own, whose blocks were written before: write, fdatasync, next. tokio has no
//! file I/O of its own: its blocking pool calls pwrite and fdatasync, through the page cache as most programs do, and
//! with direct I/O.
//!
//! `cargo run --release --bin append [directory]`

use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use measurements::files::{BLOCK, Extents, dma_buffer, open, prepare_file, probe, sync_everything};
use measurements::runtimes::Runtime;
use measurements::{Samples, cpu_seconds, data_directory, print_load, print_machine};

const TURNS: usize = 7;
const FILE_BYTES: u64 = 64 << 20;
/// Files at a time, bytes of one append, appends of one task in one turn.
const SHAPES: [(usize, usize, usize); 4] = [
    (1, 4 << 10, 1_000),
    (1, 64 << 10, 1_000),
    (8, 64 << 10, 300),
    (1, 1 << 20, 300),
];

#[derive(Clone, Copy)]
enum Way {
    GlommioDirect,
    UringDirect,
    PoolDirect,
    PoolBuffered,
}

const WAYS: [(Way, Runtime, &str); 4] = [
    (Way::GlommioDirect, Runtime::Glommio, "glommio, direct"),
    (Way::UringDirect, Runtime::TokioUring, "tokio-uring, direct"),
    (Way::PoolDirect, Runtime::Tokio, "tokio pool, direct"),
    (Way::PoolBuffered, Runtime::Tokio, "tokio pool, buffered"),
];

fn main() {
    let directory = data_directory();
    print_machine();
    for index in 0..8 {
        prepare_file(
            &directory.join(index.to_string()),
            FILE_BYTES,
            Extents::Written,
        );
    }
    sync_everything();
    println!(
        "files  bytes way                      MB/s  cpu_us/append  ratio_cpu  p50_us  p99_us"
    );
    for (files, bytes, appends) in SHAPES {
        let mut rates: [Samples; 4] = Default::default();
        let mut cpus: [Samples; 4] = Default::default();
        let mut latencies: [Samples; 4] = Default::default();
        for _ in 0..TURNS {
            for (index, (way, runtime, _)) in WAYS.into_iter().enumerate() {
                let (seconds, cpu, latency) =
                    runtime.run(0, || turn(way, runtime, &directory, files, bytes, appends));
                let total = (files * appends) as f64;
                rates[index].push(total * bytes as f64 / 1e6 / seconds);
                cpus[index].push(cpu * 1e6 / total);
                latencies[index].extend(&latency);
            }
        }
        for (index, (_, _, name)) in WAYS.iter().enumerate() {
            println!(
                "{files:>5} {bytes:>7} {name:<21} {:>7.1} {:>14.1} {:>10.2} {:>7.0} {:>7.0}",
                rates[index].median(),
                cpus[index].median(),
                cpus[index].median() / cpus[0].median(),
                latencies[index].percentile(0.5),
                latencies[index].percentile(0.99),
            );
        }
    }
    fs::remove_dir_all(directory).expect("remove the data");
    print_load();
}

async fn turn(
    way: Way,
    runtime: Runtime,
    directory: &Path,
    files: usize,
    bytes: usize,
    appends: usize,
) -> (f64, f64, Samples) {
    if matches!(way, Way::GlommioDirect) {
        probe(directory).await;
    }
    let latencies = Rc::new(Cell::new(Some(Samples::default())));
    let (done, all_done) = flume::bounded::<()>(0);
    let (cpu, started) = (cpu_seconds(), Instant::now());
    for index in 0..files {
        let (path, latencies, done) = (
            directory.join(index.to_string()),
            Rc::clone(&latencies),
            done.clone(),
        );
        runtime.spawn(async move {
            let own = append(way, &path, bytes, appends).await;
            let mut all = latencies.take().expect("no task holds it across a wait");
            all.extend(&own);
            latencies.set(Some(all));
            drop(done);
        });
    }
    drop(done);
    assert!(all_done.recv_async().await.is_err());
    let latencies = latencies.take().expect("all tasks have ended");
    (
        started.elapsed().as_secs_f64(),
        cpu_seconds() - cpu,
        latencies,
    )
}

async fn append(way: Way, path: &Path, bytes: usize, appends: usize) -> Samples {
    let positions = (0..appends).map(|number| (number * bytes) as u64 % FILE_BYTES);
    let mut latencies = Samples::default();
    match way {
        Way::GlommioDirect => {
            let file = open(path, 0).await;
            let buffer = dma_buffer(&file, bytes);
            for position in positions {
                let started = Instant::now();
                file.write_rc_at(Rc::clone(&buffer), position)
                    .await
                    .expect("write");
                file.fdatasync().await.expect("sync");
                latencies.push_us(started);
            }
            measurements::files::close(file).await;
        }
        Way::UringDirect => {
            let file = tokio_uring::fs::File::from_std(open_std(path, libc::O_DIRECT));
            let mut buffer = Aligned::new(bytes);
            for position in positions {
                let started = Instant::now();
                let (result, back) = file.write_all_at(buffer, position).await;
                result.expect("write");
                buffer = back;
                file.sync_data().await.expect("sync");
                latencies.push_us(started);
            }
            file.close().await.expect("close the file");
        }
        Way::PoolDirect | Way::PoolBuffered => {
            let flags = if matches!(way, Way::PoolDirect) {
                libc::O_DIRECT
            } else {
                0
            };
            let (file, buffer) = (
                Arc::new(open_std(path, flags)),
                Arc::new(Aligned::new(bytes)),
            );
            for position in positions {
                let started = Instant::now();
                let (file, buffer) = (Arc::clone(&file), Arc::clone(&buffer));
                let work = move || {
                    file.write_all_at(buffer.as_slice(), position)?;
                    file.sync_data()
                };
                tokio::task::spawn_blocking(work)
                    .await
                    .expect("the pool lives")
                    .expect("write and sync");
                latencies.push_us(started);
            }
        }
    }
    latencies
}

fn open_std(path: &Path, flags: i32) -> File {
    OpenOptions::new()
        .write(true)
        .custom_flags(flags)
        .open(path)
        .expect("open the file")
}

/// Memory whose address is a multiple of the block size.
struct Aligned {
    memory: *mut u8,
    layout: Layout,
}

impl Aligned {
    fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes, BLOCK).expect("a valid layout");
        // SAFETY: the layout is not empty.
        let memory = unsafe { alloc(layout) };
        assert!(!memory.is_null(), "out of memory");
        // As `dma_buffer` does: untouched pages would all be the one page of zeroes.
        // SAFETY: the memory was allocated with this size and nobody else knows it.
        unsafe { memory.write_bytes(0x5a, bytes) };
        Self { memory, layout }
    }

    fn as_slice(&self) -> &[u8] {
        // SAFETY: the memory is initialised, and lives and is not written to as long as `self`.
        unsafe { std::slice::from_raw_parts(self.memory, self.layout.size()) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and dropped once.
        unsafe { dealloc(self.memory, self.layout) }
    }
}

// SAFETY: the memory belongs to this value alone and is only read.
unsafe impl Send for Aligned {}
// SAFETY: as above.
unsafe impl Sync for Aligned {}

// SAFETY: the memory stays where it is when the value moves.
unsafe impl tokio_uring::buf::IoBuf for Aligned {
    fn stable_ptr(&self) -> *const u8 {
        self.memory
    }

    fn bytes_init(&self) -> usize {
        self.layout.size()
    }

    fn bytes_total(&self) -> usize {
        self.layout.size()
    }
}
