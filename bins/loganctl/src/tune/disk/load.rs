//! Two logs under load, as a broker's shard has them: the same code, on the same seam.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{join, try_join_all};
use io::sync::Notify;
use io::{Instant, Io};
use records::{BatchBuilder, BatchHeader, Compression, NewRecord, ValidBatch};
use storage::{Log, LogConfig, LogIdentity, ShardStorage, StorageConfig};
use types::{LeaderEpoch, Offset, PartitionIndex, TimestampMs, Uuid};

const LOGS: i32 = 2;

/// Records of a batch, and bytes of each: what producers send that wait a little.
const RECORDS: usize = 64;
const VALUE_BYTES: usize = 256;

/// A load ends when it has written so much, if it was not over before.
const BYTES_MAX: u64 = 256 << 20;

/// Small enough for a few segments in the shortest load.
const SEGMENT_BYTES: u32 = 64 << 20;

/// Memory of the logs for what is not on the disk yet.
const STAGING_BYTES: usize = 32 << 20;

/// Appends after which the shard looks at its rings, however much there is to append.
const APPENDS_AT_ONCE: u32 = 16;

/// What is tried.
pub(super) struct Settings {
    /// Made, and removed.
    pub(super) directory: PathBuf,
    pub(super) window: Duration,
    /// Of all logs together; as much as they take where it is not given.
    pub(super) mb_per_second: Option<f64>,
    pub(super) span: Duration,
}

/// What came of it.
pub(super) struct Outcome {
    /// Of each batch, from when it was due until it was durable.
    pub(super) latencies: Vec<Duration>,
    /// Durable, of all logs together.
    pub(super) mb_per_second: f64,
}

/// The highest rate that lasts for the whole of such a span.
pub(super) fn rate_max(span: Duration) -> f64 {
    BYTES_MAX as f64 / 1e6 / span.as_secs_f64().max(f64::EPSILON)
}

/// One log's load.
struct Lane<I: Io> {
    log: Log<I>,
    /// Batches that are not durable yet: when each was due, and its end.
    open: RefCell<VecDeque<(Instant, Offset)>>,
    has_more: Notify,
    is_over: Cell<bool>,
}

/// Loads new logs, and removes them.
///
/// # Errors
/// What is wrong with the logs, in words.
pub(super) async fn run<I: Io>(io: &I, settings: &Settings) -> Result<Outcome, String> {
    let said = |error: std::io::Error| error.to_string();
    io.create_dir_all(&settings.directory).await.map_err(said)?;
    let storage = ShardStorage::new(
        io.clone(),
        StorageConfig {
            commit_window: settings.window,
            staging_bytes: STAGING_BYTES,
            // The room was looked at before anything was written.
            disk_reserve_bytes: 0,
            ..StorageConfig::default()
        },
    );
    storage.prefill(STAGING_BYTES);
    let logs = try_join_all((0..LOGS).map(|index| create(&storage, settings, index))).await?;
    let (batch, valid) = batch()?;
    let began = io.now();
    let lanes: Vec<Rc<Lane<I>>> = logs.into_iter().map(Lane::new).collect();
    let loads = lanes.iter().map(|lane| {
        let appends = lane.append(io, settings, (&batch, &valid), began);
        async move { join(appends, lane.follow(io)).await }
    });
    let mut latencies = Vec::new();
    let mut bytes = 0;
    for (appended, followed) in futures_util::future::join_all(loads).await {
        bytes += appended?;
        latencies.extend(followed?);
    }
    let span = io.now().saturating_since(began).as_secs_f64();
    for lane in &lanes {
        let closed = lane.log.close().await;
        closed.map_err(|error| error.to_string())?;
    }
    remove(io, &settings.directory).await?;
    Ok(Outcome {
        latencies,
        mb_per_second: bytes as f64 / 1e6 / span.max(f64::EPSILON),
    })
}

async fn create<I: Io>(
    storage: &ShardStorage<I>,
    settings: &Settings,
    index: i32,
) -> Result<Log<I>, String> {
    let identity = LogIdentity {
        topic: Rc::from("measured"),
        partition: PartitionIndex(index),
        topic_id: Uuid([7; 16]),
    };
    let config = LogConfig {
        segment_bytes: SEGMENT_BYTES,
        ..LogConfig::default()
    };
    let directory = settings.directory.join(format!("measured-{index}"));
    let log = Log::create(storage, &directory, identity, config).await;
    log.map_err(|error| error.to_string())
}

/// Removes the directories of the logs, off the shard's thread.
async fn remove<I: Io>(io: &I, directory: &std::path::Path) -> Result<(), String> {
    let directory = directory.to_path_buf();
    let removed = io.compute(move || std::fs::remove_dir_all(directory)).await;
    let removed = removed.and_then(|it| it);
    removed.map_err(|error| error.to_string())
}

fn batch() -> Result<(Vec<u8>, ValidBatch), String> {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = [7; VALUE_BYTES];
    for _ in 0..RECORDS {
        builder.push(&NewRecord {
            timestamp: TimestampMs(0),
            key: None,
            value: Some(&value),
            headers: &[],
        });
    }
    let bytes = builder.build().map_err(|error| error.to_string())?;
    let header = BatchHeader::parse(&bytes).map_err(|error| error.to_string())?;
    let valid = ValidBatch {
        header,
        max_timestamp: header.max_timestamp,
        max_timestamp_offset_delta: header.last_offset_delta,
        replacement: None,
    };
    Ok((bytes, valid))
}

impl<I: Io> Lane<I> {
    fn new(log: Log<I>) -> Rc<Self> {
        Rc::new(Self {
            log,
            open: RefCell::default(),
            has_more: Notify::new(),
            is_over: Cell::new(false),
        })
    }

    /// Appends until the time is over. Returns the bytes.
    async fn append(
        &self,
        io: &I,
        settings: &Settings,
        batch: (&[u8], &ValidBatch),
        began: Instant,
    ) -> Result<u64, String> {
        let outcome = self.append_all(io, settings, batch, began).await;
        self.is_over.set(true);
        self.has_more.notify_all();
        outcome
    }

    async fn append_all(
        &self,
        io: &I,
        settings: &Settings,
        (bytes, valid): (&[u8], &ValidBatch),
        began: Instant,
    ) -> Result<u64, String> {
        let of_lane = f64::from(LOGS) * bytes.len() as f64 / 1e6;
        let between = settings
            .mb_per_second
            .map(|rate| Duration::from_secs_f64(of_lane / rate.max(f64::EPSILON)));
        let lane_bytes = BYTES_MAX / u64::from(LOGS.unsigned_abs());
        let (mut appends, mut appended) = (0_u32, 0_u64);
        while io.now().saturating_since(began) < settings.span && appended < lane_bytes {
            let due = match between {
                Some(between) => began + between * appends,
                None => io.now(),
            };
            if due > io.now() {
                io.sleep_until(due).await;
            } else if appends.is_multiple_of(APPENDS_AT_ONCE) {
                io.reschedule().await;
            }
            let admitted = self.log.admit(bytes.len()).await;
            admitted.map_err(|error| error.to_string())?;
            let stored = self
                .log
                .append(bytes, valid, LeaderEpoch(0), io.wall_clock())
                .map_err(|error| error.to_string())?;
            let end = Offset(stored.last_offset.0 + 1);
            self.open.borrow_mut().push_back((due, end));
            self.has_more.notify_all();
            appends += 1;
            appended += bytes.len() as u64;
        }
        Ok(appended)
    }

    /// Waits for each batch to be durable. Returns how long that took.
    async fn follow(&self, io: &I) -> Result<Vec<Duration>, String> {
        let mut latencies = Vec::new();
        loop {
            let has_more = self.has_more.notified();
            let Some((due, end)) = self.open.borrow_mut().pop_front() else {
                if self.is_over.get() {
                    return Ok(latencies);
                }
                has_more.await;
                continue;
            };
            let durable = self.log.wait_durable(end).await;
            durable.map_err(|error| error.to_string())?;
            latencies.push(io.now().saturating_since(due));
        }
    }
}
