//! The keys of a topic: Kafka's 33 public ones, and Logan's own.
//!
//! Names, types, defaults and permitted values are Kafka 4.3.1's; a test holds this table against them.

use crate::definition::Validator::{Any, BetweenDouble, BetweenOrMinusOne, Custom, ListOf, OneOf};
use crate::definition::{at_least, between, keys};
use crate::kinds::{
    CLEANUP_POLICIES, COMPRESSION_TYPES, CleanupPolicy, CompressionType, DURABILITIES, Durability,
    TIMESTAMP_TYPES, TimestampType, check_throttled_replicas,
};

keys! {
    /// The configuration of one topic: the broker's defaults with the topic's own values over them.
    pub struct TopicConfig from TOPIC_DEFINITIONS;
    "cleanup.policy" => cleanup_policy: CleanupPolicy = Some("delete"), ListOf(CLEANUP_POLICIES), Dynamic, Honoured,
        ["log.cleanup.policy" * 1], "What may happen to old records: `delete`, `compact`, both, or neither. On compacted topics, records need a key.";
    "compression.gzip.level" => compression_gzip_level: i32 = Some("-1"), BetweenOrMinusOne(1, 9), Dynamic, Honoured,
        ["compression.gzip.level" * 1], "The level where batches are recompressed with gzip; -1 is the codec's own default.";
    "compression.lz4.level" => compression_lz4_level: i32 = Some("9"), between(1, 17), Dynamic, Honoured,
        ["compression.lz4.level" * 1], "The level where batches are recompressed with LZ4: 9 is the fast compressor, every other one searches longer.";
    "compression.type" => compression_type: CompressionType = Some("producer"), OneOf(COMPRESSION_TYPES), Dynamic, Honoured,
        ["compression.type" * 1], "How batches are stored: `producer` keeps what was sent; another codec recompresses batches that differ.";
    "compression.zstd.level" => compression_zstd_level: i32 = Some("3"), between(-131_072, 22), Dynamic, Honoured,
        ["compression.zstd.level" * 1], "The level where batches are recompressed with Zstandard.";
    "delete.retention.ms" => delete_retention_ms: i64 = Some("86400000"), at_least(0), Dynamic, Honoured,
        ["log.cleaner.delete.retention.ms" * 1], "How long compaction keeps the markers of deleted keys.";
    "file.delete.delay.ms" => file_delete_delay_ms: i64 = Some("60000"), at_least(0), Dynamic, Honoured,
        ["log.segment.delete.delay.ms" * 1], "How long a deleted segment's file stays on disk.";
    "flush.messages" => flush_messages: i64 = Some("9223372036854775807"), at_least(1), Dynamic, Honoured,
        ["log.flush.interval.messages" * 1], "With `logan.durability=written`: the number of records after which the log is synced.";
    "flush.ms" => flush_ms: i64 = Some("9223372036854775807"), at_least(0), Dynamic, Honoured,
        ["log.flush.interval.ms" * 1, "log.flush.scheduler.interval.ms" * 1], "With `logan.durability=written`: the time after which a written record is synced.";
    "follower.replication.throttled.replicas" => follower_replication_throttled_replicas: Vec<String> = Some(""), Custom(check_throttled_replicas), Dynamic, Honoured,
        [], "The replicas whose catching up is throttled on the followers.";
    "index.interval.bytes" => index_interval_bytes: i32 = Some("4096"), at_least(0), Dynamic, Honoured,
        ["log.index.interval.bytes" * 1], "The bytes of log between two entries of the offset index.";
    "leader.replication.throttled.replicas" => leader_replication_throttled_replicas: Vec<String> = Some(""), Custom(check_throttled_replicas), Dynamic, Honoured,
        [], "The replicas whose catching up is throttled on the leader.";
    "local.retention.bytes" => local_retention_bytes: i64 = Some("-2"), at_least(-2), Dynamic, Refused,
        ["log.local.retention.bytes" * 1], "With tiered storage: the bytes of a partition that stay on this disk; -2 follows `retention.bytes`.";
    "local.retention.ms" => local_retention_ms: i64 = Some("-2"), at_least(-2), Dynamic, Refused,
        ["log.local.retention.ms" * 1], "With tiered storage: the time that segments stay on this disk; -2 follows `retention.ms`.";
    "logan.durability" => durability: Durability = Some("sync"), OneOf(DURABILITIES), Dynamic, Honoured,
        ["logan.durability" * 1], "What must have happened to a batch before it is acknowledged and consumed: `sync`, it survives a power cut; `written`, its write has completed.";
    "max.compaction.lag.ms" => max_compaction_lag_ms: i64 = Some("9223372036854775807"), at_least(1), Dynamic, Honoured,
        ["log.cleaner.max.compaction.lag.ms" * 1], "The longest that a record stays out of compaction's reach.";
    "max.message.bytes" => max_message_bytes: i32 = Some("1048588"), at_least(0), Dynamic, Honoured,
        ["message.max.bytes" * 1], "The size of the largest batch that is accepted, after compression, with its header.";
    "message.timestamp.after.max.ms" => message_timestamp_after_max_ms: i64 = Some("3600000"), at_least(0), Dynamic, Honoured,
        ["log.message.timestamp.after.max.ms" * 1], "How far a record's timestamp may lie after the broker's clock; ignored for LogAppendTime.";
    "message.timestamp.before.max.ms" => message_timestamp_before_max_ms: i64 = Some("9223372036854775807"), at_least(0), Dynamic, Honoured,
        ["log.message.timestamp.before.max.ms" * 1], "How far a record's timestamp may lie before the broker's clock; ignored for LogAppendTime.";
    "message.timestamp.type" => message_timestamp_type: TimestampType = Some("CreateTime"), OneOf(TIMESTAMP_TYPES), Dynamic, Honoured,
        ["log.message.timestamp.type" * 1], "Whose clock stamps records: the producer's (`CreateTime`) or the broker's (`LogAppendTime`).";
    "min.cleanable.dirty.ratio" => min_cleanable_dirty_ratio: f64 = Some("0.5"), BetweenDouble(0.0, 1.0), Dynamic, Honoured,
        ["log.cleaner.min.cleanable.ratio" * 1], "The share of uncompacted bytes from which a log is compacted.";
    "min.compaction.lag.ms" => min_compaction_lag_ms: i64 = Some("0"), at_least(0), Dynamic, Honoured,
        ["log.cleaner.min.compaction.lag.ms" * 1], "The shortest that a record stays out of compaction's reach.";
    "min.insync.replicas" => min_insync_replicas: i32 = Some("1"), at_least(1), Dynamic, Honoured,
        ["min.insync.replicas" * 1], "The replicas in sync that an append with acks=all needs.";
    "preallocate" => preallocate: bool = Some("false"), Any, Dynamic, Honoured,
        ["log.preallocate" * 1], "Whether a segment has all its blocks from the beginning; else it grows ahead of its writes.";
    "remote.log.copy.disable" => remote_log_copy_disable: bool = Some("false"), Any, Dynamic, Refused,
        [], "With tiered storage: no further segments are copied away.";
    "remote.log.delete.on.disable" => remote_log_delete_on_disable: bool = Some("false"), Any, Dynamic, Refused,
        [], "With tiered storage: switching it off deletes what was copied away.";
    "remote.storage.enable" => remote_storage_enable: bool = Some("false"), Any, Dynamic, Refused,
        [], "Tiered storage, which this broker does not have: `true` is refused.";
    "retention.bytes" => retention_bytes: i64 = Some("-1"), Any, Dynamic, Honoured,
        ["log.retention.bytes" * 1], "The size of a partition above which old segments are deleted; -1 is unlimited.";
    "retention.ms" => retention_ms: i64 = Some("604800000"), at_least(-1), Dynamic, Honoured,
        ["log.retention.ms" * 1, "log.retention.minutes" * 60_000, "log.retention.hours" * 3_600_000], "The age from which segments are deleted; -1 is unlimited.";
    "segment.bytes" => segment_bytes: i32 = Some("1073741824"), at_least(1_048_576), Dynamic, Honoured,
        ["log.segment.bytes" * 1], "The size at which the next segment begins.";
    "segment.index.bytes" => segment_index_bytes: i32 = Some("10485760"), at_least(4), Dynamic, Honoured,
        ["log.index.size.max.bytes" * 1], "The largest size of a segment's offset index; a full index begins the next segment.";
    "segment.jitter.ms" => segment_jitter_ms: i64 = Some("0"), at_least(0), Dynamic, Honoured,
        ["log.roll.jitter.ms" * 1, "log.roll.jitter.hours" * 3_600_000], "A random time taken off `segment.ms`, so that partitions do not all begin a segment at once.";
    "segment.ms" => segment_ms: i64 = Some("604800000"), at_least(1), Dynamic, Honoured,
        ["log.roll.ms" * 1, "log.roll.hours" * 3_600_000], "The age at which the next segment begins even if this one is not full.";
    "unclean.leader.election.enable" => unclean_leader_election_enable: bool = Some("false"), Any, Dynamic, Honoured,
        ["unclean.leader.election.enable" * 1], "Whether a replica that is not in sync may become leader.";
}
