//! Reading the state of a coordinator from its log.
//!
//! Until the end of the log as it was found is read, the coordinator answers COORDINATOR_LOAD_IN_PROGRESS. The reading
//! goes on in slices: groups of other partitions, and everything else of the shard, are served meanwhile.
//!
//! Records are slices of what was read until they are applied, which copies what is kept; they are applied many at a time.
//!
//! A damaged batch ends the loading, as in Kafka: what it said is not known, and a group that went on with older offsets
//! would not notice.

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use groups::{GroupError, GroupRecord};
use io::Io;
use records::{
    BATCH_HEADER_BYTES, BatchHeader, BatchIter, Compression, InvalidBatch, Record, RecordIter,
    decompressed_records,
};
use storage::{ReadError, ReadRequest};
use types::Offset;

use super::snapshots::{self, Loaded};
use super::{Coordinator, framing};
use crate::shard::Shard;
use crate::slice::Steps;

/// Bytes of the log that are read at a time.
const READ_BYTES: usize = 1 << 20;

/// Records that are applied at a time: some microseconds of work, within which nothing else of the shard runs.
const BULK_RECORDS: usize = 64;

/// How long the loading keeps the shard to itself. Its groups have nobody else to turn to, so it is to be over soon; what else
/// the shard serves waits this much longer at most while it lasts.
const SLICE: Duration = Duration::from_millis(1);

/// The most bytes that a compressed batch may become.
const DECOMPRESSED_MAX_BYTES: usize = 256 << 20;

/// Why the state cannot be read.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("a damaged batch behind offset {}: {problem}", .offset.0)]
    Batch { offset: Offset, problem: String },
    #[error("the record at offset {}: {source}", .offset.0)]
    Record { offset: Offset, source: GroupError },
}

/// Loads a coordinator, and lets it begin.
pub(super) async fn load<I: Io>(shard: &Rc<Shard<I>>, coordinator: &Rc<Coordinator<I>>) {
    let began = shard.io.now();
    let log = &coordinator.partition().log;
    let end = log.log_end_offset();
    let dir = log.dir().display();
    if log.wait_durable(end).await.is_err() {
        coordinator.give_up();
        return;
    }
    let mut snapshot = snapshots::load(shard, coordinator, end).await;
    let mut replayed = replay(shard, coordinator, snapshot.as_ref(), end).await;
    if let Ok(Replayed::Compacted(offset)) = replayed {
        tracing::warn!(%dir, offset = offset.0, "the log was compacted behind the snapshot of groups: all of it is read");
        coordinator.reset(&shard.group_config());
        snapshot = None;
        replayed = replay(shard, coordinator, None, end).await;
    }
    match replayed {
        Ok(Replayed::Compacted(_)) => coordinator.give_up(),
        Ok(Replayed::Whole(records)) => {
            let took: Duration = shard.io.now().saturating_since(began);
            if coordinator.begin(shard, end) && (records > 0 || snapshot.is_some()) {
                let from_snapshot = snapshot.map_or(0, |snapshot| snapshot.records);
                tracing::info!(%dir, from_snapshot, from_log = records, millis = took.as_millis(), "groups are loaded");
            }
        }
        Err(error) => {
            tracing::error!(%dir, %error, "the groups of this partition cannot be loaded");
            coordinator.give_up();
        }
    }
}

/// Records on their way into a coordinator, many in one call.
pub(super) struct Bulk<'a, I: Io> {
    coordinator: &'a Coordinator<I>,
    steps: Steps<I>,
    pending: Vec<GroupRecord>,
}

impl<'a, I: Io> Bulk<'a, I> {
    pub(super) fn new(coordinator: &'a Coordinator<I>, io: &I) -> Self {
        Self {
            coordinator,
            steps: Steps::lasting(io, SLICE),
            pending: Vec::with_capacity(BULK_RECORDS),
        }
    }

    /// Takes a record, and steps aside when these have taken long.
    pub(super) async fn push(&mut self, record: GroupRecord) {
        self.pending.push(record);
        if self.pending.len() == BULK_RECORDS {
            self.flush();
            self.steps.look().await;
        }
    }

    /// Applies what has been taken.
    pub(super) fn flush(&mut self) {
        self.coordinator.replay(&self.pending);
        self.pending.clear();
    }
}

/// How far a replay came.
enum Replayed {
    /// It is over, after so many records.
    Whole(u64),
    /// Behind the snapshot something has gone from the log, at this offset: perhaps tombstones of what the snapshot has.
    Compacted(Offset),
}

/// Applies the records of the log up to `end` that the snapshot does not have.
///
/// A snapshot is good as long as the log still has everything behind it. How far the log was compacted is noted now and then
/// only, and a crash may forget it; but every offset has a record until compaction takes it away, so the log itself tells.
async fn replay<I: Io>(
    shard: &Rc<Shard<I>>,
    coordinator: &Coordinator<I>,
    snapshot: Option<&Loaded>,
    end: Offset,
) -> Result<Replayed, LoadError> {
    let log = &coordinator.partition().log;
    let mut bulk = Bulk::new(coordinator, &shard.io);
    let from = snapshot.map_or(Offset(0), |snapshot| snapshot.start);
    let from = from.max(log.log_start_offset());
    let mut next = from;
    let mut dense_to = from;
    let mut records = 0;
    while next < end && coordinator.is_loading() {
        let request = ReadRequest {
            offset: next,
            max_bytes: READ_BYTES,
            min_one_batch: true,
            end_offset: end,
        };
        let data = log.read(request).await?;
        if data.next_offset <= next {
            break;
        }
        next = data.next_offset;
        let bytes = joined(data.chunks);
        for batch in BatchIter::new(&bytes) {
            let damaged = |problem: String| LoadError::Batch {
                offset: next,
                problem,
            };
            let (header, batch) = batch.map_err(|error| damaged(error.to_string()))?;
            let after = Offset(header.last_offset().0 + 1);
            let is_whole = i64::from(header.record_count) == after.0 - header.base_offset.0;
            if snapshot.is_some() && (header.base_offset > dense_to || !is_whole) {
                return Ok(Replayed::Compacted(dense_to));
            }
            dense_to = after;
            if header.is_control() {
                continue;
            }
            let batch = bytes.slice_ref(batch);
            let content = content(&header, &batch).map_err(|error| damaged(error.to_string()))?;
            for record in RecordIter::new(&header, &content) {
                let record = record.map_err(|error| damaged(error.to_string()))?;
                if record.offset < from || record.offset >= end {
                    continue;
                }
                records += 1;
                if let Some(decoded) = decode(&content, &record, snapshot)? {
                    bulk.push(decoded).await;
                }
            }
        }
    }
    bulk.flush();
    if snapshot.is_some() && dense_to < end && coordinator.is_loading() {
        return Ok(Replayed::Compacted(dense_to));
    }
    Ok(Replayed::Whole(records))
}

/// The records of a batch, decompressed; as long as nothing has to be, a slice of the batch.
fn content(header: &BatchHeader, batch: &Bytes) -> Result<Bytes, InvalidBatch> {
    let mut scratch = Vec::new();
    if header.compression() == Some(Compression::None) {
        return Ok(batch.slice(BATCH_HEADER_BYTES..));
    }
    decompressed_records(header, batch, &mut scratch, DECOMPRESSED_MAX_BYTES)?;
    Ok(scratch.into())
}

/// What a record of the log says; `None` if the snapshot holds it, or if nobody here knows what it is.
fn decode(
    content: &Bytes,
    record: &Record<'_>,
    snapshot: Option<&Loaded>,
) -> Result<Option<GroupRecord>, LoadError> {
    match framing::decode(content, record) {
        Ok(decoded) => Ok((!is_known(snapshot, &decoded, record.offset)).then_some(decoded)),
        // Kafka skips what a newer version, or another kind of group, has written.
        Err(GroupError::UnknownType(_)) => Ok(None),
        Err(source) => {
            let offset = record.offset;
            Err(LoadError::Record { offset, source })
        }
    }
}

/// Whether the snapshot holds this record, or what became of it.
fn is_known(snapshot: Option<&Loaded>, record: &GroupRecord, offset: Offset) -> bool {
    let reached = snapshot.and_then(|snapshot| snapshot.ahead.get(record.group_id()));
    reached.is_some_and(|reached| offset < *reached)
}

/// The chunks of a read as one: a batch may go on from one to the next.
fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() == 1 {
        return chunks.remove(0);
    }
    let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in &chunks {
        all.extend_from_slice(chunk);
    }
    all.freeze()
}
