//! Reads and look-ups of partitions that this shard owns, for its own clients and for other shards.

use std::collections::BTreeMap;
use std::rc::Rc;

use io::Io;
use storage::ReadRequest;
use types::{ErrorCode, LeaderEpoch, Offset, ShardId, TimestampMs};

use crate::errors;
use crate::message::{
    DeleteRecordsJob, DeleteRecordsResult, FoundOffset, OffsetsJob, OffsetsQuestion, OffsetsResult,
    PartitionKey, ProducersResult, ReadJob, ReadResult, Reply, Request,
};
use crate::partition::Partition;
use crate::shard::{OWNERS_TRIED_MAX, Shard};
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
        match read_partition(&partition, job).await {
            Ok(result) => return result,
            // The log has moved to another directory under the read.
            Err(_) if partition.has_successor() => {}
            Err(code) => return ReadResult::failed(code),
        }
    }
}

async fn read_partition<I: Io>(
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
            tracing::warn!(dir = %log.dir().display(), %error, "cannot read a log");
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

/// Looks up offsets of any shard's partitions, in the order of the jobs. Partitions that move meanwhile are followed.
pub(crate) async fn offsets_anywhere<I: Io>(
    shard: &Shard<I>,
    jobs: &[OffsetsJob],
) -> Vec<OffsetsResult> {
    let mut results: Vec<OffsetsResult> = vec![Err(ErrorCode::NotLeaderOrFollower); jobs.len()];
    let has_moved = |result: &OffsetsResult| matches!(result, Err(ErrorCode::NotLeaderOrFollower));
    for _ in 0..OWNERS_TRIED_MAX {
        let places: Vec<usize> = (0..jobs.len())
            .filter(|place| has_moved(&results[*place]))
            .collect();
        if places.is_empty() {
            break;
        }
        ask_owners(shard, jobs, &places, &mut results).await;
    }
    results
}

async fn ask_owners<I: Io>(
    shard: &Shard<I>,
    jobs: &[OffsetsJob],
    places: &[usize],
    results: &mut [OffsetsResult],
) {
    let view = shard.view();
    let mut foreign: BTreeMap<ShardId, Vec<usize>> = BTreeMap::new();
    let mut steps = Steps::new(&shard.io);
    for &place in places {
        steps.step().await;
        match view.owner(jobs[place].key) {
            Some(owner) if owner == shard.id() => {
                results[place] = offsets(shard, jobs[place]).await;
            }
            Some(owner) => foreign.entry(owner).or_default().push(place),
            None => results[place] = Err(ErrorCode::UnknownTopicOrPartition),
        }
    }
    let mut pending = Vec::with_capacity(foreign.len());
    for (owner, places) in foreign {
        let jobs = places.iter().map(|place| jobs[*place]).collect();
        pending.push((
            places,
            shard.mesh.request(owner, Request::Offsets(jobs)).await,
        ));
    }
    for (places, reply) in pending {
        let Some(Reply::Offsets(answers)) = reply.await else {
            for place in places {
                results[place] = Err(ErrorCode::KafkaStorageError);
            }
            continue;
        };
        for (place, answer) in places.into_iter().zip(answers) {
            results[place] = answer;
        }
    }
}

/// The producers of partitions that this shard owns.
pub(crate) fn producers<I: Io>(shard: &Shard<I>, keys: &[PartitionKey]) -> Vec<ProducersResult> {
    let of = |key: &PartitionKey| Ok(shard.partition(*key)?.log.active_producers());
    keys.iter().map(of).collect()
}

/// The producers of any shard's partitions, in the order of the keys.
pub(crate) async fn producers_anywhere<I: Io>(
    shard: &Shard<I>,
    keys: &[PartitionKey],
) -> Vec<ProducersResult> {
    let view = shard.view();
    let mut results: Vec<ProducersResult> =
        vec![Err(ErrorCode::UnknownTopicOrPartition); keys.len()];
    let mut foreign: BTreeMap<ShardId, Vec<usize>> = BTreeMap::new();
    for (place, key) in keys.iter().enumerate() {
        match view.owner(*key) {
            Some(owner) if owner == shard.id() => {
                results[place] = producers(shard, &[*key]).remove(0);
            }
            Some(owner) => foreign.entry(owner).or_default().push(place),
            None => {}
        }
    }
    for (owner, places) in foreign {
        let keys = places.iter().map(|place| keys[*place]).collect();
        let reply = shard.mesh.request(owner, Request::Producers(keys)).await;
        let answers = match reply.await {
            Some(Reply::Producers(answers)) => answers,
            _ => vec![Err(ErrorCode::KafkaStorageError); places.len()],
        };
        for (place, answer) in places.into_iter().zip(answers) {
            results[place] = answer;
        }
    }
    results
}

/// Moves the log start offset of a partition of this shard. It is durable after [`Shard::save_log_starts`].
///
/// # Errors
/// POLICY_VIOLATION where the topic is compacted only, OFFSET_OUT_OF_RANGE beyond the high watermark.
pub(crate) fn delete_records<I: Io>(
    shard: &Shard<I>,
    job: DeleteRecordsJob,
) -> DeleteRecordsResult {
    let log = &shard.partition(job.key)?.log;
    if !log.config().deletes {
        return Err(ErrorCode::PolicyViolation);
    }
    log.delete_records(job.before)
        .map_err(|error| errors::delete_records(&error))
}

/// Deletes records of any shard's partitions and makes that durable; results are in the order of the jobs.
pub(crate) async fn delete_records_anywhere<I: Io>(
    shard: &Rc<Shard<I>>,
    jobs: &[DeleteRecordsJob],
) -> Vec<DeleteRecordsResult> {
    let view = shard.view();
    let unknown = Err(ErrorCode::UnknownTopicOrPartition);
    let mut results: Vec<DeleteRecordsResult> = vec![unknown; jobs.len()];
    let mut foreign: BTreeMap<ShardId, Vec<usize>> = BTreeMap::new();
    for (place, job) in jobs.iter().enumerate() {
        match view.owner(job.key) {
            Some(owner) if owner == shard.id() => results[place] = delete_records(shard, *job),
            Some(owner) => foreign.entry(owner).or_default().push(place),
            None => {}
        }
    }
    let mut pending = Vec::with_capacity(foreign.len());
    for (owner, places) in foreign {
        let jobs = places.iter().map(|place| jobs[*place]).collect();
        let request = Request::DeleteRecords(jobs);
        pending.push((places, shard.mesh.request(owner, request).await));
    }
    for (places, reply) in pending {
        let answers = match reply.await {
            Some(Reply::DeletedRecords(answers)) => answers,
            _ => vec![Err(ErrorCode::KafkaStorageError); places.len()],
        };
        for (place, answer) in places.into_iter().zip(answers) {
            results[place] = answer;
        }
    }
    if results.iter().any(Result::is_ok) && !shard.save_log_starts().await {
        for result in results.iter_mut().filter(|result| result.is_ok()) {
            *result = Err(ErrorCode::KafkaStorageError);
        }
    }
    results
}
