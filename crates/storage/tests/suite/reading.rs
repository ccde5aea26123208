//! Readers that go through a log from place to place, while the disk reads in front of them.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use io::Io as _;
use sim::{Machine, SimIo};
use storage::{FetchData, Log, LogConfig, LogIdentity, ReadRequest, ShardStorage, StorageConfig};
use types::{Offset, PartitionIndex};

use crate::common::{CLEAN, DATA_DIR, TOPIC_ID, batch, commit, simulate, sleep};

const MIB: usize = 1 << 20;

/// Much longer than the disk takes for what one reader has it read ahead.
const CLIENT_PAUSE: Duration = Duration::from_millis(200);

fn with_cache(machine: &Machine, cache_bytes: usize) -> ShardStorage<SimIo> {
    let config = StorageConfig {
        cache_bytes,
        ..StorageConfig::default()
    };
    ShardStorage::new(machine.shard(0), config)
}

fn identity(partition: i32) -> LogIdentity {
    LogIdentity {
        topic: Rc::from("topic"),
        partition: PartitionIndex(partition),
        topic_id: TOPIC_ID,
    }
}

/// A log of `len_bytes` or a little more, nothing of which is in memory. Its batches have about 64 KiB.
async fn cold_log(shard: &ShardStorage<SimIo>, partition: i32, len_bytes: usize) -> Log<SimIo> {
    let dir = Path::new(DATA_DIR).join(format!("topic-{partition}"));
    let config = LogConfig::default();
    let made = shard.io().create_dir_all(Path::new(DATA_DIR)).await;
    made.expect("a data directory");
    let log = Log::create(shard, &dir, identity(partition), config.clone()).await;
    let log = log.expect("a new log");
    let sent = batch(16, 4 << 10, 1000);
    for _ in 0..len_bytes.div_ceil(sent.bytes.len()) {
        commit(&log, &sent).await;
    }
    log.close().await.expect("a clean close");
    let log = Log::open(shard, &dir, identity(partition), config, CLEAN).await;
    log.expect("it opens")
}

async fn read(log: &Log<SimIo>, offset: Offset, max_bytes: usize) -> FetchData {
    let request = ReadRequest {
        offset,
        max_bytes,
        min_one_batch: true,
        end_offset: log.high_watermark(),
    };
    log.read(request).await.expect("a read")
}

#[test]
fn a_reader_that_goes_on_where_it_was_does_not_wait_for_the_disk() {
    simulate(1, async |machine, _| {
        let io = machine.shard(0);
        let shard = with_cache(&machine, 16 * MIB);
        let log = cold_log(&shard, 0, 12 * MIB).await;
        let first = read(&log, Offset(0), MIB / 2).await;
        let mut next = read(&log, first.next_offset, MIB / 2).await.next_offset;
        while next < log.high_watermark() {
            sleep(&io, CLIENT_PAUSE).await;
            let began = io.now();
            let data = read(&log, next, MIB / 2).await;
            assert_eq!(io.now(), began, "it waited at offset {next}");
            next = data.next_offset;
        }
    });
}

#[test]
fn a_reader_that_jumps_reads_no_more_than_it_asks_for() {
    simulate(2, async |machine, _| {
        let shard = with_cache(&machine, 16 * MIB);
        let log = cold_log(&shard, 0, 12 * MIB).await;
        let before = machine.disk().counts().read_bytes;
        for offset in [160, 2400, 800, 1600] {
            read(&log, Offset(offset), 4 << 10).await;
            sleep(shard.io(), CLIENT_PAUSE).await;
        }
        let read_bytes = machine.disk().counts().read_bytes - before;
        assert!(read_bytes < MIB as u64 * 3 / 2, "{read_bytes} bytes");
    });
}

/// Bytes read from disk for each byte handed out, by a reader of each of `logs` logs, in turn.
async fn read_in_turn(machine: &Machine, cache_bytes: usize, logs: i32) -> f64 {
    const LOG_BYTES: usize = 3 * MIB;
    let shard = with_cache(machine, cache_bytes);
    let mut readers = Vec::new();
    for partition in 0..logs {
        let log = cold_log(&shard, partition, LOG_BYTES).await;
        readers.push((log, Offset(0)));
    }
    let before = machine.disk().counts().read_bytes;
    let mut handed_out = 0;
    while readers
        .iter()
        .any(|(log, next)| *next < log.high_watermark())
    {
        for (log, next) in &mut readers {
            let data = read(log, *next, MIB / 4).await;
            *next = data.next_offset;
            handed_out += data.len_bytes;
            sleep(shard.io(), CLIENT_PAUSE).await;
            assert!(shard.memory().cache_bytes <= cache_bytes);
        }
    }
    let read_bytes = machine.disk().counts().read_bytes - before;
    #[expect(clippy::cast_precision_loss, reason = "some megabytes")]
    let ratio = read_bytes as f64 / handed_out as f64;
    ratio
}

#[test]
fn what_a_few_readers_go_through_is_read_once() {
    simulate(3, async |machine, _| {
        let ratio = read_in_turn(&machine, 16 * MIB, 4).await;
        assert!(ratio < 1.05, "{ratio} bytes are read for each");
    });
}

#[test]
fn readers_of_more_logs_than_the_cache_has_room_for_have_little_read_in_vain() {
    simulate(4, async |machine, _| {
        // Until a reader has its next turn, the cache is filled three times. The cells at both ends of a read make it 1.96.
        let ratio = read_in_turn(&machine, 2 * MIB, 24).await;
        assert!(ratio < 2.2, "{ratio} bytes are read for each");
    });
}
