//! Reads and look-ups of partitions that this shard owns, for its own clients and for other shards.

use std::rc::Rc;

use io::Io;
use storage::ReadRequest;
use types::{ErrorCode, LeaderEpoch, Offset, TimestampMs};

use crate::anywhere::Asking;
use crate::errors;
use crate::groups::is_internal;
use crate::load::timed;
use crate::message::{
    DeleteRecordsJob, DeleteRecordsResult, FoundOffset, OffsetsJob, OffsetsQuestion, OffsetsResult,
    PartitionKey, ProducersResult, ReadJob, ReadResult, Reply, Request,
};
use crate::partition::{Partition, PromisedStart};
use crate::shard::{SavedCheckpoints, Shard};
use crate::slice::Steps;

/// Reads several partitions one after the other, all together at most `max_bytes`. Only the first that has records
/// may exceed its limit.
pub(crate) async fn read_all<I: Io>(
    shard: &Shard<I>,
    jobs: &[ReadJob],
    max_bytes: usize,
) -> Vec<ReadResult> {
    let mut results = Vec::with_capacity(jobs.len());
    let mut len_bytes = 0;
    let mut steps = Steps::new(&shard.io);
    for job in jobs {
        steps.step().await;
        let job = ReadJob {
            min_one_batch: job.min_one_batch && len_bytes == 0,
            max_bytes: job.max_bytes.min(max_bytes.saturating_sub(len_bytes)),
            ..*job
        };
        let result = read(shard, job).await;
        len_bytes += result.len_bytes();
        results.push(result);
    }
    results
}

/// Reads one partition.
pub(crate) async fn read<I: Io>(shard: &Shard<I>, job: ReadJob) -> ReadResult {
    loop {
        let partition = match shard.partition_here(job.key).await {
            Ok(partition) => partition,
            Err(code) => return ReadResult::failed(code),
        };
        let reading = read_partition(shard, &partition, job);
        let result = if shard.measures_load.get() {
            let (result, busy) = timed(&shard.io, reading).await;
            partition.meter.count_busy(busy);
            result
        } else {
            reading.await
        };
        match result {
            Ok(result) => {
                partition.meter.count_out(result.len_bytes());
                partition.traffic.count_out(result.len_bytes());
                return result;
            }
            // The log has moved to another directory under the read.
            Err(_) if partition.has_successor() => {}
            Err(code) => return ReadResult::failed(code),
        }
    }
}

async fn read_partition<I: Io>(
    shard: &Shard<I>,
    partition: &Partition<I>,
    job: ReadJob,
) -> Result<ReadResult, ErrorCode> {
    partition.check_epoch(job.current_leader_epoch)?;
    let log = &partition.log;
    let high_watermark = log.high_watermark();
    let mut result = ReadResult {
        error: None,
        chunks: Vec::new(),
        has_more: false,
        high_watermark,
        log_start_offset: log.log_start_offset(),
        diverging: None,
    };
    if job.last_fetched_epoch != LeaderEpoch::NONE {
        let (epoch, end) = log.end_offset_for_epoch(job.last_fetched_epoch);
        if epoch == LeaderEpoch::NONE || end.0 < 0 {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if epoch < job.last_fetched_epoch || end < job.offset {
            result.diverging = Some((epoch, end));
            return Ok(result);
        }
    }
    if job.offset < result.log_start_offset || job.offset > log.log_end_offset() {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    if job.offset < high_watermark && (job.max_bytes > 0 || job.min_one_batch) {
        let request = ReadRequest {
            offset: job.offset,
            max_bytes: job.max_bytes,
            min_one_batch: job.min_one_batch,
            end_offset: high_watermark,
        };
        let data = log.read(request).await.map_err(|error| {
            // Consumers ask again and again.
            if shard.log_limit.admit(shard.io.now()) {
                tracing::warn!(dir = %log.dir().display(), %error, "cannot read a log");
            }
            errors::read(&error)
        })?;
        result.has_more = data.next_offset < high_watermark;
        result.chunks = data.chunks;
    } else if job.offset >= high_watermark && log.is_fenced() {
        // What it holds can be read, but more will never come: who waits for it has to hear.
        return Err(ErrorCode::KafkaStorageError);
    }
    Ok(result)
}

/// Looks up an offset.
///
/// # Errors
/// Kafka's codes for unknown partitions and wrong epochs.
pub(crate) async fn offsets<I: Io>(shard: &Shard<I>, job: OffsetsJob) -> OffsetsResult {
    loop {
        let partition = shard.partition_here(job.key).await?;
        let result = offsets_of(&partition, job).await;
        // As in `read`.
        if result.is_ok() || !partition.has_successor() {
            return result;
        }
    }
}

async fn offsets_of<I: Io>(partition: &Partition<I>, job: OffsetsJob) -> OffsetsResult {
    partition.check_epoch(job.current_leader_epoch)?;
    let log = &partition.log;
    let epoch = partition.leader_epoch();
    let without_time = |offset, leader_epoch| FoundOffset {
        offset,
        timestamp: TimestampMs::NONE,
        leader_epoch,
    };
    let nothing = without_time(Offset(-1), LeaderEpoch::NONE);
    Ok(match job.question {
        OffsetsQuestion::Earliest => {
            let start = log.log_start_offset();
            without_time(start, log.epoch_for_offset(start).unwrap_or(epoch))
        }
        OffsetsQuestion::Latest => without_time(log.last_stable_offset(), epoch),
        OffsetsQuestion::EpochEnd(asked) => {
            let (found, end) = log.end_offset_for_epoch(asked);
            without_time(end, found)
        }
        OffsetsQuestion::MaxTimestamp => {
            let found = log
                .max_timestamp_offset()
                .await
                .map_err(|error| errors::read(&error))?;
            found.map_or(nothing, |it| it.into())
        }
        OffsetsQuestion::AtTime(time) => {
            let found = log
                .offset_for_timestamp(time)
                .await
                .map_err(|error| errors::read(&error))?;
            found.map_or(nothing, |it| it.into())
        }
    })
}

impl From<storage::TimestampOffset> for FoundOffset {
    fn from(found: storage::TimestampOffset) -> Self {
        Self {
            offset: found.offset,
            timestamp: found.timestamp,
            leader_epoch: found.leader_epoch,
        }
    }
}

/// Looks up offsets of partitions that this shard owns.
pub(crate) async fn all_offsets<I: Io>(
    shard: &Shard<I>,
    jobs: &[OffsetsJob],
) -> Vec<OffsetsResult> {
    let mut results = Vec::with_capacity(jobs.len());
    let mut steps = Steps::new(&shard.io);
    for job in jobs {
        steps.step().await;
        results.push(offsets(shard, *job).await);
    }
    results
}

/// Looks up offsets of any shard's partitions, in the order of the jobs. Partitions that move meanwhile are followed.
pub(crate) async fn offsets_anywhere<I: Io>(
    shard: &Shard<I>,
    jobs: &[OffsetsJob],
) -> Vec<OffsetsResult> {
    let ask_here = async |jobs: Vec<OffsetsJob>| all_offsets(shard, &jobs).await;
    let answers = |reply| match reply {
        Reply::Offsets(answers) => Some(answers),
        _ => None,
    };
    let asking = Asking {
        key_of: |job: &OffsetsJob| job.key,
        request: Request::Offsets,
        answers,
    };
    asking.anywhere(shard, jobs, ask_here).await
}

/// The producers of partitions that this shard owns.
pub(crate) async fn producers<I: Io>(
    shard: &Shard<I>,
    keys: &[PartitionKey],
) -> Vec<ProducersResult> {
    let mut results = Vec::with_capacity(keys.len());
    let mut steps = Steps::new(&shard.io);
    for key in keys {
        steps.step().await;
        let partition = shard.partition_here(*key).await;
        results.push(partition.map(|it| it.log.active_producers()));
    }
    results
}

/// The producers of any shard's partitions, in the order of the keys. Partitions that move meanwhile are followed.
pub(crate) async fn producers_anywhere<I: Io>(
    shard: &Shard<I>,
    keys: &[PartitionKey],
) -> Vec<ProducersResult> {
    let ask_here = async |keys: Vec<PartitionKey>| producers(shard, &keys).await;
    let answers = |reply| match reply {
        Reply::Producers(answers) => Some(answers),
        _ => None,
    };
    let asking = Asking {
        key_of: |key: &PartitionKey| *key,
        request: Request::Producers,
        answers,
    };
    asking.anywhere(shard, keys, ask_here).await
}

/// Deletes records of partitions of this shard: their new log start offsets go to disk first, and take effect when they are
/// there. Where that fails nothing has happened, but for a start that an earlier checkpoint has taken along and that a
/// crash then finds.
pub(crate) async fn delete_records<I: Io>(
    shard: &Rc<Shard<I>>,
    jobs: &[DeleteRecordsJob],
) -> Vec<DeleteRecordsResult> {
    let mut promised = Vec::with_capacity(jobs.len());
    let mut steps = Steps::new(&shard.io);
    for job in jobs {
        steps.step().await;
        let partition = shard.partition_here(job.key).await;
        promised.push(partition.and_then(|it| promise(shard, &it, job.before)));
    }
    if promised.iter().all(Result::is_err) {
        return promised
            .into_iter()
            .map(|it| it.map(|it| it.start))
            .collect();
    }
    let saved = shard.save_log_starts().await;
    let mut results = Vec::with_capacity(jobs.len());
    for promised in promised {
        steps.step().await;
        results.push(promised.and_then(|it| keep(shard, &it, &saved)));
    }
    results
}

/// # Errors
/// INVALID_TOPIC_EXCEPTION for a topic of the broker's own, POLICY_VIOLATION where the topic is compacted only,
/// OFFSET_OUT_OF_RANGE beyond the high watermark.
fn promise<I: Io>(
    shard: &Shard<I>,
    partition: &Rc<Partition<I>>,
    before: Offset,
) -> Result<PromisedStart<I>, ErrorCode> {
    let view = shard.view();
    let topic = view.image.topic(partition.key.topic_id);
    if topic.is_some_and(|topic| is_internal(&topic.name)) {
        return Err(ErrorCode::InvalidTopicException);
    }
    let log = &partition.log;
    if !log.config().deletes {
        return Err(ErrorCode::PolicyViolation);
    }
    let start = log.start_after_deletion(before);
    let start = start.map_err(|error| errors::delete_records(&error))?;
    Ok(partition.promise_start(start))
}

/// # Errors
/// KAFKA_STORAGE_ERROR where the start is not on disk, NOT_LEADER_OR_FOLLOWER where another log has taken the place of
/// the one that it was meant for.
fn keep<I: Io>(
    shard: &Shard<I>,
    promised: &PromisedStart<I>,
    saved: &SavedCheckpoints,
) -> DeleteRecordsResult {
    let partition = &promised.partition;
    let now = shard.partition(partition.key)?;
    if !Rc::ptr_eq(&now, partition) {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    let log = &partition.log;
    let directory = shard.directory_index(log.dir());
    if !directory.is_some_and(|index| saved.has(index)) {
        return Err(ErrorCode::KafkaStorageError);
    }
    log.delete_records(promised.start)
        .map_err(|error| errors::delete_records(&error))
}

/// Deletes records of any shard's partitions; results are in the order of the jobs. Partitions that move meanwhile are
/// followed.
pub(crate) async fn delete_records_anywhere<I: Io>(
    shard: &Rc<Shard<I>>,
    jobs: &[DeleteRecordsJob],
) -> Vec<DeleteRecordsResult> {
    let ask_here = async |jobs: Vec<DeleteRecordsJob>| delete_records(shard, &jobs).await;
    let answers = |reply| match reply {
        Reply::DeletedRecords(answers) => Some(answers),
        _ => None,
    };
    let asking = Asking {
        key_of: |job: &DeleteRecordsJob| job.key,
        request: Request::DeleteRecords,
        answers,
    };
    asking.anywhere(shard, jobs, ask_here).await
}
