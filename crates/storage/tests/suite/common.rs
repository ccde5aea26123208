//! What the tests of the log share: a simulated machine, batches, and reading everything back.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use io::Io as _;
use records::{
    BatchBuilder, BatchHeader, BatchIter, Compression, NewRecord, ValidBatch, verify_crc,
};
use sim::{Machine, SimIo, Simulation};
use storage::{
    AppendError, Appended, LastKnown, Log, LogConfig, LogIdentity, OpenError, ReadRequest,
    ShardStorage, StorageConfig,
};
use types::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs, Uuid};

pub(crate) const DATA_DIR: &str = "/data";
pub(crate) const TOPIC_ID: Uuid = Uuid([7; 16]);
pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch(3);

pub(crate) fn log_dir() -> PathBuf {
    Path::new(DATA_DIR).join("topic-0")
}

pub(crate) fn segment_path(base_offset: i64, extension: &str) -> PathBuf {
    log_dir().join(format!("{base_offset:020}.{extension}"))
}

pub(crate) fn identity() -> LogIdentity {
    LogIdentity {
        topic: Rc::from("topic"),
        partition: PartitionIndex(0),
        topic_id: TOPIC_ID,
    }
}

/// Runs `test` on a machine of its own.
pub(crate) fn simulate<F: Future<Output = ()>>(
    seed: u64,
    test: impl FnOnce(Rc<Machine>, Rc<Simulation>) -> F,
) {
    let simulation = Rc::new(Simulation::new(seed));
    let machine = Rc::new(simulation.machine());
    let root = test(machine, Rc::clone(&simulation));
    simulation.run(root).expect("the test ends");
}

pub(crate) fn storage(machine: &Machine) -> ShardStorage<SimIo> {
    ShardStorage::new(machine.shard(0), StorageConfig::default())
}

pub(crate) async fn create(machine: &Machine, config: LogConfig) -> Log<SimIo> {
    create_in(&storage(machine), config).await
}

pub(crate) async fn create_in(shard: &ShardStorage<SimIo>, config: LogConfig) -> Log<SimIo> {
    let made = shard.io().create_dir_all(Path::new(DATA_DIR)).await;
    made.expect("a data directory");
    let synced = shard.io().sync_dir(Path::new("/")).await;
    synced.expect("a durable data directory");
    let log = Log::create(shard, &log_dir(), identity(), config).await;
    log.expect("a new log")
}

pub(crate) async fn reopen(
    machine: &Machine,
    config: LogConfig,
    last: LastKnown,
) -> Result<Log<SimIo>, OpenError> {
    Log::open(&storage(machine), &log_dir(), identity(), config, last).await
}

pub(crate) const CLEAN: LastKnown = LastKnown {
    is_clean: true,
    ..LastKnown::NOTHING
};

/// A batch to be appended.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) valid: ValidBatch,
}

impl From<BatchBuilder> for Batch {
    fn from(builder: BatchBuilder) -> Self {
        let bytes = builder.build().expect("a batch");
        let header = BatchHeader::parse(&bytes).expect("a batch");
        let valid = ValidBatch {
            header,
            max_timestamp: header.max_timestamp,
            max_timestamp_offset_delta: header.last_offset_delta,
            replacement: None,
        };
        Self { bytes, valid }
    }
}

pub(crate) fn fill(
    builder: &mut BatchBuilder,
    records: usize,
    value_len: usize,
    timestamp: i64,
    fill: u8,
) {
    let value = vec![fill; value_len];
    for index in 0..records {
        builder.push(&NewRecord {
            timestamp: TimestampMs(timestamp + i64::try_from(index).expect("small")),
            key: None,
            value: Some(&value),
            headers: &[],
        });
    }
}

/// A batch of `records` records whose timestamps rise by one from `timestamp`.
pub(crate) fn batch(records: usize, value_len: usize, timestamp: i64) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    let marker = u8::try_from(timestamp.rem_euclid(251)).expect("below 251");
    fill(&mut builder, records, value_len, timestamp, marker);
    builder.into()
}

/// A batch of one idempotent producer.
pub(crate) fn produced(id: i64, epoch: i16, sequence: i32, records: usize) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None).producer(
        ProducerId(id),
        ProducerEpoch(epoch),
        sequence,
    );
    fill(&mut builder, records, 10, 1000, 1);
    builder.into()
}

/// Admits and appends, as `broker` does.
pub(crate) async fn append(log: &Log<SimIo>, batch: &Batch) -> Result<Appended, AppendError> {
    log.admit(batch.bytes.len()).await?;
    log.append(&batch.bytes, &batch.valid, EPOCH, TimestampMs(1000))
}

/// Appends and waits until the batch is safe.
pub(crate) async fn commit(log: &Log<SimIo>, batch: &Batch) -> Appended {
    let appended = append(log, batch).await.expect("an append");
    let end = Offset(appended.last_offset.0 + 1);
    log.wait_durable(end).await.expect("a commit");
    appended
}

/// The batches from `offset` up to the high watermark, each as it is stored, read `max_bytes` at a time.
pub(crate) async fn read_all(
    log: &Log<SimIo>,
    offset: Offset,
    max_bytes: usize,
) -> Vec<(BatchHeader, Vec<u8>)> {
    let mut batches = Vec::new();
    let mut next = offset;
    let end = log.high_watermark();
    while next < end {
        let request = ReadRequest {
            offset: next,
            max_bytes,
            min_one_batch: true,
            end_offset: end,
        };
        let data = log.read(request).await.expect("a read");
        let bytes = data.chunks.concat();
        assert_eq!(bytes.len(), data.len_bytes);
        assert!(
            data.next_offset > next,
            "a read below the end makes progress"
        );
        let mut last = None;
        for batch in BatchIter::new(&bytes) {
            let (header, batch) = batch.expect("whole batches");
            verify_crc(batch).expect("intact batches");
            last = Some(header.last_offset());
            batches.push((header, batch.to_vec()));
        }
        assert_eq!(last, Some(Offset(data.next_offset.0 - 1)));
        next = data.next_offset;
    }
    batches
}

/// Checks that offsets are dense from 0 to the high watermark.
pub(crate) async fn assert_dense(log: &Log<SimIo>) {
    let mut next = log.log_start_offset();
    for (header, _) in read_all(log, next, 1 << 20).await {
        assert_eq!(header.base_offset, next);
        next = Offset(header.last_offset().0 + 1);
    }
    assert_eq!(next, log.high_watermark());
}

pub(crate) async fn sleep(io: &SimIo, span: Duration) {
    io.sleep_until(io.now() + span).await;
}

/// Small segments, so that rolling happens all the time.
pub(crate) fn small_segments(segment_bytes: u32) -> LogConfig {
    LogConfig {
        segment_bytes,
        index_interval_bytes: 512,
        ..LogConfig::default()
    }
}
