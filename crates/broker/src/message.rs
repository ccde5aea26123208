//! What shards tell each other.
//!
//! Everything here crosses threads: identifiers, `Bytes` (frames on their way in, log chunks on their way out) and
//! immutable snapshots behind `Arc`. No message refers to the state of a shard.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use config::BrokerConfig;
use groups::GroupFilter;
use io::{Instant, Io};
use metadata::{Measured, MetadataImage, PartitionMove};
use protocol::Str;
use records::ValidBatch;
use storage::ActiveProducer;
use storage::LastKnown;
use types::{ErrorCode, LeaderEpoch, Offset, TimestampMs, Uuid};

use crate::connection::Migration;
use crate::controller::{Command, CommandResult};
use crate::groups::{Answered, GroupAnswer, GroupJob, ListedGroups};
use crate::shard::SavedCheckpoints;

/// A partition as requests between shards name it: a deleted topic's successor of the same name is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PartitionKey {
    pub(crate) topic_id: Uuid,
    pub(crate) index: i32,
}

/// A request for partitions of the receiving shard.
#[derive(Debug)]
pub(crate) enum Request {
    /// Append; answered when durable, or at once where `wait_durable` is false.
    Append(AppendJob),
    /// Read what is there now, all together at most `max_bytes` beyond the first batch.
    Read {
        jobs: Vec<ReadJob>,
        max_bytes: usize,
    },
    /// Answer when any of these partitions has grown beyond the named offset, or at the deadline.
    Watch {
        targets: Vec<WatchTarget>,
        deadline: Instant,
    },
    /// Answer at once: what the sender sent before has its place in its log then.
    Barrier,
    /// Look up offsets.
    Offsets(Vec<OffsetsJob>),
    /// Say what every log of the shard is and where it lies.
    DescribeLogs,
    /// Move a log to another directory; answered when the wish survives a crash.
    MoveLog {
        key: PartitionKey,
        /// The index of the log directory.
        target: usize,
        /// Where an earlier attempt has left its copy.
        found: Option<PathBuf>,
    },
    /// Name the producers of these partitions.
    Producers(Vec<PartitionKey>),
    /// Move log start offsets.
    DeleteRecords(Vec<DeleteRecordsJob>),
    /// Ask a group's coordinator; acknowledged at once where the answer may take long.
    Group(Box<GroupJob>),
    /// What the receiver has asked of a group, and was only acknowledged.
    GroupAnswer(Box<GroupAnswer>),
    /// Name the groups of the shard's coordinators.
    ListGroups(Box<GroupFilter>),
}

/// A message that keeps the shards in step.
pub(crate) enum Control<I: Io> {
    /// The new state of the cluster, and what this broker's configuration says; answered when this shard's logs exist.
    Image(Arc<MetadataImage>, Arc<BrokerConfig>),
    /// A new state of the cluster in which partitions go to other shards; answered when this shard sends nothing more to
    /// their old owners.
    Announce(Arc<Announcement>),
    /// Let go of these partitions, which others expect by now.
    Release(Vec<PartitionKey>),
    /// Take partitions over that their old owners have let go of.
    Adopt(Vec<HandedOver>),
    /// A change to decide, for the controller's shard.
    Decide(Box<Command>),
    /// A connection that belongs here.
    Migrate(Box<Migration<I>>),
    /// Report how far recovery has to look back.
    Checkpoint,
    /// Say what each partition has cost since this was asked last.
    MeasureLoad,
    /// Make the log start offsets of all logs durable, for the controller's shard.
    SaveCheckpoints,
    /// The log directory of this index has failed, and why.
    DirectoryFailed(usize, String),
    /// Answer what is under way, accept nothing more, and close the logs.
    Drain,
    /// End.
    Exit,
}

/// A reply to a [`Request`] or [`Control`].
#[derive(Debug)]
pub(crate) enum Reply {
    Done,
    /// It drains: what was watched for will not come.
    Draining,
    Appended(AppendResult),
    Read(Vec<ReadResult>),
    Offsets(Vec<OffsetsResult>),
    Logs(Vec<LogSummary>),
    MoveBegun(Result<(), ErrorCode>),
    Producers(Vec<ProducersResult>),
    Decided(Box<CommandResult>),
    Checkpoints(ShardCheckpoints),
    DeletedRecords(Vec<DeleteRecordsResult>),
    /// Which checkpoints are on disk.
    Saved(SavedCheckpoints),
    Released(Vec<HandedOver>),
    Group(Box<Answered>),
    ListedGroups(ListedGroups),
    Loads(Vec<Measured>),
}

/// That partitions are about to move.
#[derive(Debug)]
pub(crate) struct Announcement {
    /// The state of the cluster with the moves; nothing else has changed.
    pub(crate) image: Arc<MetadataImage>,
    pub(crate) moves: Vec<PartitionMove>,
}

/// A partition on its way from one shard to another.
#[derive(Clone, Debug)]
pub(crate) struct HandedOver {
    pub(crate) key: PartitionKey,
    /// What the next owner has to know to open the log; `None` if nobody had it open, or it has failed.
    pub(crate) last: Option<LastKnown>,
    /// Whether the log has failed and nobody may open it before the next start.
    pub(crate) has_failed: bool,
    /// What the checkpoints are to say of it as long as nobody has it open.
    pub(crate) checkpoint: Option<LogCheckpoint>,
}

impl From<&PartitionMove> for PartitionKey {
    fn from(moved: &PartitionMove) -> Self {
        Self {
            topic_id: moved.topic_id,
            index: moved.partition.0,
        }
    }
}

/// How far recovery of a shard's logs has to look back.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardCheckpoints {
    pub(crate) logs: Vec<LogCheckpoint>,
    /// Whether a log failed, so that the next start has to look closer.
    pub(crate) any_failed: bool,
    /// Whether a log that was open could not be closed, although its disk has room.
    pub(crate) any_unclosed: bool,
    /// Whether a shard did not answer, so that logs are missing.
    pub(crate) is_partial: bool,
}

/// What the checkpoint files of a log directory say about one log.
#[derive(Clone, Debug)]
pub(crate) struct LogCheckpoint {
    /// The index of the log directory.
    pub(crate) directory: usize,
    pub(crate) topic: Str,
    pub(crate) partition: i32,
    pub(crate) recovery_point: Offset,
    pub(crate) log_start_offset: Offset,
    /// Where the cleaner goes on, if the log was ever cleaned.
    pub(crate) cleaner_offset: Option<Offset>,
}

/// A log as DescribeLogDirs shows it.
#[derive(Clone, Debug)]
pub(crate) struct LogSummary {
    /// The index of the log directory.
    pub(crate) directory: usize,
    pub(crate) topic: Str,
    pub(crate) partition: i32,
    pub(crate) size_bytes: u64,
    /// Offsets that it lacks of the partition's end.
    pub(crate) offset_lag: i64,
    /// Whether it will take the place of the partition's log in another directory.
    pub(crate) is_future: bool,
}

pub(crate) type ProducersResult = Result<Vec<ActiveProducer>, ErrorCode>;

/// One validated batch for one partition.
#[derive(Debug)]
pub(crate) struct AppendJob {
    pub(crate) key: PartitionKey,
    pub(crate) batch: Bytes,
    pub(crate) valid: ValidBatch,
    pub(crate) now: TimestampMs,
    pub(crate) wait_durable: bool,
}

/// Where a batch went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppendedAt {
    pub(crate) base_offset: Offset,
    pub(crate) next_offset: Offset,
    /// The broker's time, where the topic uses LogAppendTime; else -1.
    pub(crate) append_time: TimestampMs,
    pub(crate) log_start_offset: Offset,
}

pub(crate) type AppendResult = Result<AppendedAt, ErrorCode>;

/// One partition of a fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadJob {
    pub(crate) key: PartitionKey,
    pub(crate) offset: Offset,
    pub(crate) max_bytes: usize,
    /// Whether the first batch is returned even if it exceeds `max_bytes`.
    pub(crate) min_one_batch: bool,
    /// The leader epoch that the client knows; -1 if it does not say.
    pub(crate) current_leader_epoch: LeaderEpoch,
    /// The epoch of the client's last record; -1 if it does not say (KIP-595's truncation check).
    pub(crate) last_fetched_epoch: LeaderEpoch,
}

/// What a partition has for a [`ReadJob`].
#[derive(Clone, Debug)]
pub(crate) struct ReadResult {
    pub(crate) error: Option<ErrorCode>,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) high_watermark: Offset,
    pub(crate) log_start_offset: Offset,
    /// Whether there are more records than fitted.
    pub(crate) has_more: bool,
    /// Set where the client's log has diverged: the epoch and its end offset here.
    pub(crate) diverging: Option<(LeaderEpoch, Offset)>,
}

impl ReadResult {
    /// A failure, with Kafka's placeholders for what is unknown.
    pub(crate) fn failed(error: ErrorCode) -> Self {
        Self {
            error: Some(error),
            chunks: Vec::new(),
            has_more: false,
            high_watermark: Offset(-1),
            log_start_offset: Offset(-1),
            diverging: None,
        }
    }

    /// Bytes of records in it.
    pub(crate) fn len_bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }
}

/// A partition that a long poll waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchTarget {
    pub(crate) key: PartitionKey,
    /// What the reader wants next.
    pub(crate) offset: Offset,
    /// The high watermark that the reader has seen.
    pub(crate) high_watermark: Offset,
}

/// A look-up of one partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OffsetsJob {
    pub(crate) key: PartitionKey,
    pub(crate) current_leader_epoch: LeaderEpoch,
    pub(crate) question: OffsetsQuestion,
}

/// What a look-up asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetsQuestion {
    /// The first offset that is still there.
    Earliest,
    /// The high watermark.
    Latest,
    /// The record with the greatest timestamp (KIP-734).
    MaxTimestamp,
    /// The first record at or after a time.
    AtTime(TimestampMs),
    /// The end of an epoch (OffsetForLeaderEpoch).
    EpochEnd(LeaderEpoch),
}

/// The answer: an offset, its timestamp and its epoch, with -1 for what there is none of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundOffset {
    pub(crate) offset: Offset,
    pub(crate) timestamp: TimestampMs,
    pub(crate) leader_epoch: LeaderEpoch,
}

pub(crate) type OffsetsResult = Result<FoundOffset, ErrorCode>;

/// A partition whose records below an offset are to go; -1 is the high watermark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeleteRecordsJob {
    pub(crate) key: PartitionKey,
    pub(crate) before: Offset,
}

/// The log start offset then.
pub(crate) type DeleteRecordsResult = Result<Offset, ErrorCode>;

impl<I: Io> std::fmt::Debug for Control<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Image(..) => "Image",
            Self::Announce(_) => "Announce",
            Self::Release(_) => "Release",
            Self::Adopt(_) => "Adopt",
            Self::Decide(_) => "Decide",
            Self::Migrate(_) => "Migrate",
            Self::Checkpoint => "Checkpoint",
            Self::MeasureLoad => "MeasureLoad",
            Self::SaveCheckpoints => "SaveCheckpoints",
            Self::DirectoryFailed(..) => "DirectoryFailed",
            Self::Drain => "Drain",
            Self::Exit => "Exit",
        })
    }
}
