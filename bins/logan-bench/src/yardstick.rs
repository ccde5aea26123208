//! What the machine itself can do: the measure for every other result.
//!
//! Plain sockets over the loopback interface, direct writes with and without waiting for the disk, copying memory, and
//! checksums. Each runs alone and for the same time, on one thread (sockets: one for each end).

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use command_line::{Failure, Section};
use hdrhistogram::Histogram;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::results::{Latency, Machine};

/// Bytes of a write, a copy and a checksum: a large batch.
const BLOCK_BYTES: usize = 256 << 10;

/// The file is written from its beginning again after so many bytes.
const FILE_BYTES: u64 = 256 << 20;

/// Direct writes come from memory that begins at a multiple of this.
const ALIGNMENT: usize = 4096;

/// Memory that is copied: more than any cache holds.
const MEMORY_BYTES: usize = 256 << 20;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Yardstick {
    pub(crate) machine: Machine,
    pub(crate) block_bytes: usize,
    pub(crate) loopback: Speed,
    pub(crate) direct_writes: Speed,
    /// Each write waits for an fdatasync.
    pub(crate) durable_writes: Speed,
    pub(crate) memcpy: Speed,
    pub(crate) crc32c: Speed,
}

/// One thing's speed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Speed {
    pub(crate) mb_per_second: f64,
    /// Of one block, in milliseconds.
    pub(crate) latency_ms: Option<Latency>,
}

impl Yardstick {
    /// Measures everything, each for `duration`; files lie in `directory`.
    pub(crate) fn measure(
        directory: &Path,
        duration: Duration,
        interrupted: &AtomicBool,
    ) -> Result<Self, Failure> {
        let timed = |run: &mut dyn FnMut() -> io::Result<()>| timed(duration, interrupted, run);
        let on_disk = Failure::file("write directly to", directory);
        Ok(Self {
            machine: Machine::look(directory),
            block_bytes: BLOCK_BYTES,
            loopback: loopback(&timed)?,
            direct_writes: writes(directory, false, &timed).map_err(&on_disk)?,
            durable_writes: writes(directory, true, &timed).map_err(&on_disk)?,
            memcpy: memcpy(&timed)?,
            crc32c: crc(&timed)?,
        })
    }

    /// Names and figures, as people read them.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let speeds = [
            ("loopback", &self.loopback),
            ("direct writes", &self.direct_writes),
            ("with fdatasync", &self.durable_writes),
            ("memcpy", &self.memcpy),
            ("CRC-32C", &self.crc32c),
        ];
        let rows = speeds.into_iter().map(|(name, speed)| {
            let latency = speed.latency_ms.as_ref();
            let latency = latency.map_or_else(String::new, |latency| {
                format!(
                    ", p50 {:.3}  p99 {:.3}  p99.9 {:.3} ms",
                    latency.p50, latency.p99, latency.p999
                )
            });
            let text = format!("{:.0} MB/s{latency}", speed.mb_per_second);
            (name.to_owned(), text)
        });
        let block = format!("{} KiB", self.block_bytes >> 10);
        std::iter::once(("block".to_owned(), block))
            .chain(rows)
            .collect()
    }

    /// The result in sections.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let mut section = Section::new("Yardstick");
        section.row("machine", self.machine.line());
        for (name, text) in self.rows() {
            section.row(&name, text);
        }
        vec![section]
    }
}

/// Repeats `run`, which handles one block.
type Timed<'a> = &'a dyn Fn(&mut dyn FnMut() -> io::Result<()>) -> io::Result<Speed>;

fn timed(
    duration: Duration,
    interrupted: &AtomicBool,
    run: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<Speed> {
    let mut latency = histogram();
    let began = Instant::now();
    let mut blocks = 0u64;
    let mut before = began;
    while before.duration_since(began) < duration {
        if interrupted.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
        }
        run()?;
        let now = Instant::now();
        let micros = u64::try_from(now.duration_since(before).as_micros()).unwrap_or(u64::MAX);
        latency.saturating_record(micros.max(1));
        before = now;
        blocks += 1;
    }
    let seconds = before.duration_since(began).as_secs_f64().max(f64::EPSILON);
    Ok(Speed {
        mb_per_second: blocks as f64 * BLOCK_BYTES as f64 / 1e6 / seconds,
        latency_ms: Latency::new(&latency),
    })
}

fn loopback(timed: Timed<'_>) -> Result<Speed, Failure> {
    let failed = Failure::local("measure loopback sockets");
    let listener = TcpListener::bind("127.0.0.1:0").map_err(&failed)?;
    let address = listener.local_addr().map_err(&failed)?;
    let reader = thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0; BLOCK_BYTES];
        while stream.read(&mut buffer)? > 0 {}
        Ok(())
    });
    let mut stream = TcpStream::connect(address).map_err(&failed)?;
    let block = vec![7; BLOCK_BYTES];
    let mut speed = timed(&mut || stream.write_all(&block)).map_err(&failed)?;
    // How long a write takes says nothing here: most go into the socket's buffer.
    speed.latency_ms = None;
    drop(stream);
    let read = reader
        .join()
        .unwrap_or_else(|_panic| Err(io::Error::other("the reader panicked")));
    read.map_err(&failed)?;
    Ok(speed)
}

/// A file of preallocated blocks, opened for direct writes. It has a name as long as the second value lives.
fn direct_file(directory: &Path) -> io::Result<(File, NamedTempFile)> {
    let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    let path = tempfile::Builder::new()
        .prefix("yardstick-")
        .tempfile_in(directory)?;
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(direct)
        .open(path.path())?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, FILE_BYTES)?;
    file.sync_all()?;
    Ok((file, path))
}

fn writes(directory: &Path, waits: bool, timed: Timed<'_>) -> io::Result<Speed> {
    let (file, _name) = direct_file(directory)?;
    let memory = vec![7u8; BLOCK_BYTES + ALIGNMENT];
    let from = memory.as_ptr().align_offset(ALIGNMENT);
    let block = &memory[from..from + BLOCK_BYTES];
    let mut at = 0;
    timed(&mut || {
        let written = rustix::io::pwrite(&file, block, at)?;
        if written != BLOCK_BYTES {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if waits {
            rustix::fs::fdatasync(&file)?;
        }
        at = (at + BLOCK_BYTES as u64) % FILE_BYTES;
        Ok(())
    })
}

/// What the disk alone takes at a rate: two files take turns of blocks, each with one direct write and an fdatasync for all
/// that is due by then. The latency of a block counts from when it was due. No durable broker can be faster than this.
pub(crate) fn disk_at_rate(
    directory: &Path,
    (bytes_per_second, block_bytes): (f64, usize),
    duration: Duration,
    interrupted: &AtomicBool,
) -> Result<Latency, Failure> {
    const FILES: u32 = 2;
    let failed = Failure::file("write directly to", directory);
    let between = Duration::from_secs_f64(f64::from(FILES) * block_bytes as f64 / bytes_per_second);
    let latencies: io::Result<Vec<Histogram<u64>>> = thread::scope(|scope| {
        let lane = || paced_writes(directory, block_bytes, between, (duration, interrupted));
        let lanes: Vec<_> = (0..FILES).map(|_| scope.spawn(lane)).collect();
        let ended = lanes.into_iter().map(|lane| lane.join());
        ended
            .map(|lane| lane.unwrap_or_else(|_panic| Err(io::Error::other("a writer panicked"))))
            .collect()
    });
    let mut all = histogram();
    for one in latencies.map_err(&failed)? {
        all.add(&one).expect("equal bounds");
    }
    Latency::new(&all).ok_or_else(|| failed(io::Error::other("nothing was due")))
}

fn paced_writes(
    directory: &Path,
    block_bytes: usize,
    between: Duration,
    (duration, interrupted): (Duration, &AtomicBool),
) -> io::Result<Histogram<u64>> {
    /// Bytes of a write at most.
    const WRITE_MAX_BYTES: usize = 1 << 20;
    let (file, _name) = direct_file(directory)?;
    let memory = vec![7u8; WRITE_MAX_BYTES + ALIGNMENT];
    let from = memory.as_ptr().align_offset(ALIGNMENT);
    let blocks_max = u32::try_from((WRITE_MAX_BYTES / block_bytes).max(1)).unwrap_or(1);
    let mut latency = histogram();
    let (began, mut done, mut at) = (Instant::now(), 0u32, 0);
    while between * done < duration {
        if interrupted.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        thread::sleep((between * done).saturating_sub(began.elapsed()));
        let due = u32::try_from(began.elapsed().as_nanos() / between.as_nanos().max(1))
            .unwrap_or(u32::MAX - 1)
            + 1;
        let count = due.saturating_sub(done).clamp(1, blocks_max);
        let bytes = block_bytes * usize::try_from(count).unwrap_or(1);
        if at + bytes as u64 > FILE_BYTES {
            at = 0;
        }
        let written = rustix::io::pwrite(&file, &memory[from..from + bytes], at)?;
        if written != bytes {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rustix::fs::fdatasync(&file)?;
        at += bytes as u64;
        let ended = began.elapsed();
        for block in done..done + count {
            let waited = ended.saturating_sub(between * block).as_micros();
            latency.saturating_record(u64::try_from(waited).unwrap_or(u64::MAX).max(1));
        }
        done += count;
    }
    Ok(latency)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are right")
}

fn memcpy(timed: Timed<'_>) -> Result<Speed, Failure> {
    let source = vec![7u8; MEMORY_BYTES];
    let mut target = vec![0u8; MEMORY_BYTES];
    let mut at = 0;
    let mut copy = || {
        target[at..at + BLOCK_BYTES].copy_from_slice(black_box(&source[at..at + BLOCK_BYTES]));
        black_box(&mut target);
        at = (at + BLOCK_BYTES) % MEMORY_BYTES;
        Ok(())
    };
    let mut speed = timed(&mut copy).map_err(Failure::local("copy memory"))?;
    speed.latency_ms = None;
    Ok(speed)
}

fn crc(timed: Timed<'_>) -> Result<Speed, Failure> {
    let block = vec![7u8; BLOCK_BYTES];
    let mut sum = || {
        black_box(crc_fast::checksum(
            crc_fast::CrcAlgorithm::Crc32Iscsi,
            black_box(&block),
        ));
        Ok(())
    };
    let mut speed = timed(&mut sum).map_err(Failure::local("compute checksums"))?;
    speed.latency_ms = None;
    Ok(speed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_alone_keeps_up_with_a_low_rate() {
        let own = std::env::current_exe().expect("a test knows its binary");
        let directory = own.parent().expect("it lies somewhere");
        let found = disk_at_rate(
            directory,
            (4e6, 8192),
            Duration::from_millis(100),
            &AtomicBool::new(false),
        );
        let found = found.expect("there is room");
        // 400,000 bytes in blocks of 8 KiB, by two writers.
        assert!((46..=54).contains(&found.count), "{}", found.count);
        assert!(found.p50 > 0.0);
    }

    #[test]
    fn every_speed_is_found() {
        // Beside the binary: the directory for temporary files may lie in memory, without direct writes.
        let own = std::env::current_exe().expect("a test knows its binary");
        let directory = own.parent().expect("it lies somewhere");
        let moment = Duration::from_millis(20);
        let found = Yardstick::measure(directory, moment, &AtomicBool::new(false));
        let found = found.expect("nothing is missing");
        for speed in [
            &found.loopback,
            &found.direct_writes,
            &found.durable_writes,
            &found.memcpy,
            &found.crc32c,
        ] {
            assert!(speed.mb_per_second > 0.0, "{found:?}");
        }
    }
}
