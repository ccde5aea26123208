//! What a shard's storage and each of its logs are told by the configuration.
//!
//! Plain values: `broker` maps Kafka's keys to them. Nothing here reads a file.

use std::time::Duration;

use types::DurationMs;

/// When the high watermark, and with it every acknowledgement, moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// With the durable offset: what a completed sync covers.
    Sync,
    /// With the written offset: completed writes. `flush.messages` and `flush.ms` schedule syncs.
    Written,
}

/// One log's configuration, Kafka's topic keys.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment never grows beyond it, and a batch larger than it is refused.
    pub segment_bytes: u32,
    /// `segment.ms`: the span of record timestamps after which a segment is rolled.
    pub segment_ms: DurationMs,
    /// `segment.index.bytes`: the bound of each index; a full one rolls the segment.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: log bytes between index entries.
    pub index_interval_bytes: u32,
    /// `logan.durability`.
    pub durability: Durability,
    /// `flush.messages`, for [`Durability::Written`]: records between syncs.
    pub flush_messages: i64,
    /// `flush.ms`, for [`Durability::Written`]: the longest time that written records stay unsynced.
    pub flush_ms: DurationMs,
    /// `segment.jitter.ms`: up to this much is taken off `segment_ms`, so that logs do not all roll at once.
    pub segment_jitter_ms: DurationMs,
    /// Whether old segments are deleted (`cleanup.policy` names `delete`).
    pub deletes: bool,
    /// Whether only the last record of each key is kept in the end (`cleanup.policy` names `compact`).
    pub compacts: bool,
    /// `retention.ms`; negative is for ever.
    pub retention_ms: DurationMs,
    /// `retention.bytes`; negative is without a limit.
    pub retention_bytes: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: DurationMs,
    /// `min.cleanable.dirty.ratio`, from 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: DurationMs,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: DurationMs,
    /// `delete.retention.ms`.
    pub delete_retention_ms: DurationMs,
    /// `preallocate`: a segment has all its blocks from the beginning, instead of growing ahead of its writes.
    pub preallocate: bool,
}

impl LogConfig {
    /// The span of record timestamps after which a segment is rolled. A compacted log rolls in time for
    /// `max.compaction.lag.ms`, since the active segment is never cleaned.
    #[must_use]
    pub fn roll_after_ms(&self) -> DurationMs {
        if self.compacts && self.max_compaction_lag_ms.0 > 0 {
            self.segment_ms.min(self.max_compaction_lag_ms)
        } else {
            self.segment_ms
        }
    }
}

impl Default for LogConfig {
    /// Kafka's defaults, with durability by sync.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: DurationMs(7 * 24 * 3_600_000),
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            durability: Durability::Sync,
            flush_messages: i64::MAX,
            flush_ms: DurationMs(i64::MAX),
            segment_jitter_ms: DurationMs(0),
            deletes: true,
            compacts: false,
            retention_ms: DurationMs(7 * 24 * 3_600_000),
            retention_bytes: -1,
            file_delete_delay_ms: DurationMs(60_000),
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: DurationMs(0),
            max_compaction_lag_ms: DurationMs(i64::MAX),
            delete_retention_ms: DurationMs(24 * 3_600_000),
            preallocate: false,
        }
    }
}

/// The sizes that the chunks of a log's tail, and so its writes, may have, in bytes, smallest first.
pub const WRITE_SIZES: [usize; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// The configuration of one shard's storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// Bytes of memory for batches that lie behind the tails of the logs. This shard's part of `logan.cache.bytes`.
    pub cache_bytes: usize,
    /// Bytes of memory for the tails of all logs: what is not written yet waits above it, and what is written moves on to
    /// the cache at once.
    pub staging_bytes: usize,
    /// Bytes that one log may hold uncommitted before [`crate::Log::admit`] waits.
    pub uncommitted_bytes_max: usize,
    /// The largest write of a log, and so the largest chunk of its tail: `logan.disk.write.bytes`. The largest of
    /// [`WRITE_SIZES`] that is not above it counts.
    pub write_bytes: usize,
    /// How long a commit waits for more under sustained load: `logan.disk.commit.window.us`. An idle log never waits.
    pub commit_window: Duration,
    /// Dirty bytes from which a commit waits no longer: `logan.disk.commit.bytes`.
    pub commit_bytes: u64,
    /// How long a tail may lie idle before its staging chunk is given back.
    pub tail_idle: Duration,
    /// Descriptors that this shard keeps open for its segments, besides a bounded number that is in use.
    pub open_files_max: usize,
    /// Bytes of loaded indexes of older segments.
    pub index_cache_bytes: usize,
    /// Bytes of the file system that appends leave free, so that metadata and deletions still work:
    /// `logan.disk.reserve.bytes`.
    pub disk_reserve_bytes: u64,
    /// `logan.producer.ids.max.per.partition`.
    pub producer_ids_max: usize,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration: DurationMs,
    /// Bytes of deleted files that are freed in a second: this shard's part of `logan.delete.bytes.per.second`.
    pub delete_bytes_per_second: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            staging_bytes: 16 << 20,
            uncommitted_bytes_max: 16 << 20,
            write_bytes: 256 << 10,
            commit_window: Duration::from_micros(500),
            commit_bytes: 1 << 20,
            tail_idle: Duration::from_secs(1),
            open_files_max: 512,
            index_cache_bytes: 8 << 20,
            disk_reserve_bytes: 64 << 20,
            producer_ids_max: 10_000,
            producer_id_expiration: DurationMs(24 * 3_600_000),
            delete_bytes_per_second: 512 << 20,
        }
    }
}
