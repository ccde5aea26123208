//! ADR 0004: how large direct writes should be.
//!
//! One log is written from beginning to end on written extents, with so many writes in flight and an fdatasync for
//! each 1 MiB, the unit of group commit under load.
//!
//! `cargo run --release --bin write_size [directory]`

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use measurements::files::{
    Extents, close, dma_buffer, on_glommio, open, prepare_file, sync_everything,
};
use measurements::{Samples, cpu_seconds, data_directory, print_load, print_machine};

const TURNS: usize = 5;
const LOG_BYTES: u64 = 256 << 20;
const COMMIT_BYTES: usize = 1 << 20;
const SIZES: [usize; 7] = [
    16 << 10,
    32 << 10,
    64 << 10,
    128 << 10,
    256 << 10,
    512 << 10,
    1 << 20,
];
const DEPTHS: [usize; 3] = [1, 4, 64];

#[derive(Default, Clone)]
struct Result {
    megabytes_per_second: Samples,
    cpu_seconds_per_gigabyte: Samples,
    commit_us: Samples,
}

fn main() {
    let directory = data_directory();
    print_machine();
    let path = directory.join("log");
    prepare_file(&path, LOG_BYTES, Extents::Written);
    sync_everything();
    println!("write_KiB in_flight     MB/s  cpu_s/GB  commit_p50_us  commit_p99_us");
    let shapes: Vec<(usize, usize)> = DEPTHS
        .iter()
        .flat_map(|&depth| SIZES.iter().map(move |&size| (depth, size)))
        // Deeper than a commit is no other shape.
        .filter(|(depth, size)| *depth == 1 || depth.min(&(COMMIT_BYTES / size)) > &1)
        .collect();
    let mut results = vec![Result::default(); shapes.len()];
    for _ in 0..TURNS {
        for (&(depth, size), result) in shapes.iter().zip(&mut results) {
            turn(&directory, &path, depth, size, result);
        }
    }
    for ((depth, size), result) in shapes.iter().zip(&results) {
        println!(
            "{:>9} {:>9} {:>8.1} {:>9.3} {:>14.0} {:>14.0}",
            size >> 10,
            depth.min(&(COMMIT_BYTES / size)),
            result.megabytes_per_second.median(),
            result.cpu_seconds_per_gigabyte.median(),
            result.commit_us.percentile(0.5),
            result.commit_us.percentile(0.99),
        );
    }
    fs::remove_dir_all(directory).expect("remove the data");
    print_load();
}

fn turn(directory: &Path, path: &Path, depth: usize, size: usize, result: &mut Result) {
    on_glommio(directory, || async {
        let file = open(path, 0).await;
        let buffer = dma_buffer(&file, size);
        let (cpu, begun) = (cpu_seconds(), Instant::now());
        for commit in (0..LOG_BYTES).step_by(COMMIT_BYTES) {
            let started = Instant::now();
            let positions: Vec<u64> = (commit..commit + COMMIT_BYTES as u64)
                .step_by(size)
                .collect();
            for group in positions.chunks(depth) {
                let writes: Vec<_> = group
                    .iter()
                    .map(|&position| {
                        let (file, buffer) = (Rc::clone(&file), Rc::clone(&buffer));
                        glommio::spawn_local(async move {
                            file.write_rc_at(buffer, position).await.expect("write");
                        })
                    })
                    .collect();
                for write in writes {
                    write.await;
                }
            }
            file.fdatasync().await.expect("sync");
            result.commit_us.push_us(started);
        }
        result
            .megabytes_per_second
            .push(LOG_BYTES as f64 / 1e6 / begun.elapsed().as_secs_f64());
        result
            .cpu_seconds_per_gigabyte
            .push((cpu_seconds() - cpu) * 1e9 / LOG_BYTES as f64);
        drop(buffer);
        close(file).await;
    });
}
