//! A partition's directory with anything in it, opened by the real log on the simulated disk.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use io::Io as _;
use records::{
    BatchBuilder, BatchHeader, BatchIter, Compression, NewRecord, ValidBatch, verify_crc,
};
use sim::{Machine, SimIo, Simulation};
use storage::{
    LastKnown, Log, LogConfig, LogIdentity, OpenError, ReadRequest, Scrubber, ShardStorage,
    StorageConfig,
};
use types::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs, Uuid};

use super::edits::{Files, edit};
use super::input::Input;
use super::memory::bounded;

const DIRECTORY: &str = "/data/topic-0";
const EPOCH: LeaderEpoch = LeaderEpoch(3);
const NOW: TimestampMs = TimestampMs(1_767_225_600_000);

/// Batches of the directory that is changed, in segments of a few.
const BATCHES: i32 = 24;

/// Reads that look at one log.
const READS_MAX: usize = 500;

/// What opening and using a log may take at the same time: the shard's memory for tails and cache, the simulated disk, and
/// the states of producers.
const MEMORY_MAX_BYTES: usize = 48 << 20;

/// A byte that says how the log was left, a seed, and changes of a log's directory.
pub fn log(input: &[u8]) {
    let base = base();
    bounded(MEMORY_MAX_BYTES, || check(base, &mut Input::new(input)));
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 2048,
        index_interval_bytes: 256,
        ..LogConfig::default()
    }
}

fn storage(machine: &Machine) -> ShardStorage<SimIo> {
    let config = StorageConfig {
        cache_bytes: 1 << 20,
        staging_bytes: 2 << 20,
        uncommitted_bytes_max: 1 << 20,
        disk_reserve_bytes: 0,
        producer_ids_max: 100,
        ..StorageConfig::default()
    };
    ShardStorage::new(machine.shard(0), config)
}

fn identity() -> LogIdentity {
    LogIdentity {
        topic: Rc::from("topic"),
        partition: PartitionIndex(0),
        topic_id: Uuid([7; 16]),
    }
}

/// One batch, of an idempotent producer if `sequence` is at least 0.
fn batch(number: i32, sequence: i32) -> (Vec<u8>, ValidBatch) {
    let mut builder = BatchBuilder::new(Compression::None);
    if sequence >= 0 {
        builder = builder.producer(ProducerId(5), ProducerEpoch(1), sequence);
    }
    let value = [b'v'; 100];
    for index in 0..=number % 3 {
        builder.push(&NewRecord {
            timestamp: TimestampMs(NOW.0 + i64::from(number) * 1000 + i64::from(index)),
            key: Some(&number.to_be_bytes()),
            value: Some(&value),
            headers: &[],
        });
    }
    let bytes = builder.build().expect("nothing is compressed");
    let header = BatchHeader::parse(&bytes).expect("a batch");
    let valid = ValidBatch {
        header,
        max_timestamp: header.max_timestamp,
        max_timestamp_offset_delta: header.last_offset_delta,
        replacement: None,
    };
    (bytes, valid)
}

/// Appends a batch and waits until it is safe: the offset behind it. None if the log does not take it.
async fn append(log: &Log<SimIo>, (bytes, valid): &(Vec<u8>, ValidBatch)) -> Option<Offset> {
    log.admit(bytes.len()).await.ok()?;
    let appended = log.append(bytes, valid, EPOCH, NOW).ok()?;
    let end = Offset(appended.last_offset.0 + 1);
    log.wait_durable(end).await.ok()?;
    Some(end)
}

/// The files of a log with some segments, closed in good order.
fn base() -> &'static Files {
    static BASE: OnceLock<Files> = OnceLock::new();
    BASE.get_or_init(|| {
        let simulation = Simulation::new(1);
        let machine = simulation.machine();
        let made = simulation.run(async {
            let shard = storage(&machine);
            let made = shard.io().create_dir_all(Path::new("/data")).await;
            made.expect("a directory");
            let created = Log::create(&shard, Path::new(DIRECTORY), identity(), config()).await;
            let log = created.expect("a log");
            let mut sequence = 0;
            for number in 0..BATCHES {
                let batch = batch(number, if number % 2 == 0 { sequence } else { -1 });
                if number % 2 == 0 {
                    sequence += number % 3 + 1;
                }
                append(&log, &batch).await.expect("an append");
            }
            log.close().await.expect("a close");
        });
        made.expect("a log is made");
        let files = machine.disk().files().into_iter().map(|(path, _)| {
            let content = machine.disk().peek(&path).expect("it is there");
            (path, content)
        });
        files.collect()
    })
}

fn check(base: &Files, input: &mut Input<'_>) {
    let left = input.byte();
    let seed = u64::from(input.byte());
    let mut files = base.clone();
    edit(&mut files, input);
    let last = LastKnown {
        is_clean: left & 1 == 0,
        recovery_point: Offset(i64::from(left >> 4) * 4),
        log_start_offset: Offset(i64::from(left >> 1 & 7)),
    };
    let simulation = Simulation::new(seed);
    let machine = simulation.machine();
    let used = simulation.run(async {
        place(&machine, &files).await;
        use_log(&machine, last).await;
    });
    used.expect("nothing waits for ever");
}

/// Puts files on the disk of a machine, durably.
pub(super) async fn place(machine: &Machine, files: &Files) {
    let io = machine.shard(u32::MAX);
    let is_directory = |path: &Path| {
        let mut others = files.keys();
        others.any(|other| other != path && other.starts_with(path))
    };
    for (path, content) in files.iter().filter(|(path, _)| !is_directory(path)) {
        let parent = path.parent().expect("it lies in a directory");
        let made = io.create_dir_all(parent).await;
        made.expect("no file has its name");
        let placed = io.replace_file(path, content.clone()).await;
        placed.expect("no directory has its name");
    }
    let mut above: Vec<PathBuf> = Vec::new();
    for path in files.keys() {
        above.extend(path.ancestors().skip(1).map(Path::to_owned));
    }
    above.sort();
    above.dedup();
    for path in above {
        io.sync_dir(&path).await.expect("it was made");
    }
}

async fn use_log(machine: &Machine, last: LastKnown) {
    let shard = storage(machine);
    let Ok(log) = Log::open(&shard, Path::new(DIRECTORY), identity(), config(), last).await else {
        return;
    };
    let was_clean = last.is_clean;
    // What the checkpoint of a broker says that ends before it writes another one: after a clean stop everything was durable.
    let recovery_point = match was_clean {
        true => log.log_end_offset(),
        false => last.recovery_point,
    };
    read_all(&log).await;
    look_up(&log).await;
    Scrubber::new(&shard)
        .pass(&|| 1 << 30, &|| vec![log.clone()])
        .await;
    let number = 1;
    let (bytes, valid) = batch(number, -1);
    let appended = append(&log, &(bytes.clone(), valid)).await;
    log.expire(NOW).await.ok();
    log.flush().await.ok();
    let start = log.log_start_offset();
    assert!(start <= log.high_watermark() && log.high_watermark() <= log.log_end_offset());
    // What was acknowledged outlives the power, whatever else is in the directory.
    let Some(end) = appended else { return };
    drop(log);
    drop(shard);
    machine.cut_power();
    let shard = storage(machine);
    let last = LastKnown {
        recovery_point,
        log_start_offset: start,
        is_clean: false,
    };
    let opened = Log::open(&shard, Path::new(DIRECTORY), identity(), config(), last).await;
    // After a clean stop segments are not looked through, after another one a missing segment is: it is refused, not forgotten.
    let log = match opened {
        Ok(log) => log,
        Err(OpenError::Corrupt { .. }) if was_clean => return,
        Err(error) => unreachable!("what was open opens again: {error}"),
    };
    assert!(
        log.high_watermark() >= end,
        "an acknowledged batch is gone: {:?} of {end:?}",
        log.high_watermark()
    );
    let first = Offset(end.0 - i64::from(number % 3) - 1);
    let stored = read(&log, first)
        .await
        .expect("an acknowledged batch is read");
    assert_eq!(stored[8..12], bytes[8..12]);
    assert_eq!(stored[61..bytes.len()], bytes[61..]);
    log.close().await.ok();
}

async fn read(log: &Log<SimIo>, offset: Offset) -> Result<Vec<u8>, storage::ReadError> {
    let request = ReadRequest {
        offset,
        max_bytes: 4096,
        min_one_batch: true,
        end_offset: log.high_watermark(),
    };
    let data = log.read(request).await?;
    let bytes = data.chunks.concat();
    assert_eq!(bytes.len(), data.len_bytes);
    assert!(data.next_offset >= offset);
    for batch in BatchIter::new(&bytes) {
        let (header, batch) = batch.expect("whole batches");
        verify_crc(batch).expect("what is read is intact");
        assert!(header.last_offset() < data.next_offset);
    }
    Ok(bytes)
}

/// Reads what can be read, past what cannot.
async fn read_all(log: &Log<SimIo>) {
    let mut next = log.log_start_offset();
    let end = log.high_watermark();
    for _ in 0..READS_MAX {
        if next >= end {
            return;
        }
        let request = ReadRequest {
            offset: next,
            max_bytes: 1024,
            min_one_batch: true,
            end_offset: end,
        };
        next = match log.read(request).await {
            Ok(data) => {
                assert!(data.next_offset > next, "a read makes progress");
                data.next_offset
            }
            Err(_) => Offset(next.0 + 1),
        };
    }
}

async fn look_up(log: &Log<SimIo>) {
    for timestamp in [i64::MIN, NOW.0 + 5000, i64::MAX] {
        log.offset_for_timestamp(TimestampMs(timestamp))
            .await
            .map(drop)
            .ok();
    }
    log.max_timestamp_offset().await.map(drop).ok();
    black_box(log.end_offset_for_epoch(EPOCH));
    black_box(log.active_producers());
    black_box(log.damaged_ranges());
    let io = log.shard().io();
    io.sleep_until(io.now() + Duration::from_secs(2)).await;
}
