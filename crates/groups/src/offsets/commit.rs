//! OffsetCommit.

use protocol::Str;
use protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse, OffsetCommitValue};
use types::{ErrorCode, LeaderEpoch, TimestampMs};

use super::key;
use crate::consumer::ConsumerGroup;
use crate::context::{Caller, Topic, Topics};
use crate::decision::Reply;
use crate::group::{Group, GroupKind, Turn};
use crate::memory::{OFFSET_BYTES, TOPIC_BYTES};
use crate::record::{BATCH_OVERHEAD_BYTES, GroupRecord, NO_TIMESTAMP};

/// The first version that names topics by their ids.
const TOPIC_ID_VERSION: i16 = 10;

/// The first version that knows members of consumer groups, and errors that go with them.
const MEMBER_EPOCH_VERSION: i16 = 9;

/// The answer to a commit for which there is no room in memory. Consumers commit again after it; those of Java would end with
/// any code that says more.
pub(crate) const NO_ROOM_TO_COMMIT: ErrorCode = ErrorCode::CoordinatorLoadInProgress;

/// OffsetCommit. The group may have been made for it; it is vacant afterwards if the commit was refused.
pub(crate) fn commit(
    group: &mut Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &OffsetCommitRequest,
) {
    let response = match check(group, turn, caller, request) {
        Ok(()) => {
            if let GroupKind::Classic(classic) = &mut group.kind {
                classic.committed(&request.member_id, turn);
            }
            take(group, turn, caller, request)
        }
        Err(error) => refuse(turn.context.topics, caller, request, error),
    };
    turn.reply(caller, Reply::OffsetCommit(response));
}

/// Whether the group takes commits of this member in this generation or epoch.
fn check(
    group: &Group,
    turn: &Turn<'_>,
    caller: &Caller,
    request: &OffsetCommitRequest,
) -> Result<(), ErrorCode> {
    match &group.kind {
        GroupKind::Classic(_) if group.is_vacant() => {
            // Unknown so far: fine for offsets that nobody's membership goes with.
            if request.generation_id_or_member_epoch < 0 {
                Ok(())
            } else if caller.version >= MEMBER_EPOCH_VERSION {
                Err(ErrorCode::GroupIdNotFound)
            } else {
                Err(ErrorCode::IllegalGeneration)
            }
        }
        GroupKind::Classic(classic) => classic.check_commit(request),
        GroupKind::Consumer(consumer) => check_consumer(consumer, turn, caller, request),
    }
}

/// Whether a consumer group takes a commit. One that comes late may be in order for some of its partitions alone, and
/// is refused as a whole then, as by Kafka. Topics that are not known are answered one by one later on.
fn check_consumer(
    consumer: &ConsumerGroup,
    turn: &Turn<'_>,
    caller: &Caller,
    request: &OffsetCommitRequest,
) -> Result<(), ErrorCode> {
    let epoch = request.generation_id_or_member_epoch;
    let check = consumer.check_commit(&request.member_id, epoch, caller.version)?;
    for topic in &request.topics {
        if let Ok((_, found)) = find(turn.context.topics, caller, topic) {
            for partition in &topic.partitions {
                check.check(found.id, partition.partition_index)?;
            }
        }
    }
    Ok(())
}

/// Writes what can be written. All of it in one batch, or nothing.
fn take(
    group: &Group,
    turn: &mut Turn<'_>,
    caller: &Caller,
    request: &OffsetCommitRequest,
) -> OffsetCommitResponse {
    let first = turn.out.records.len();
    let topics = request.topics.iter().map(|topic| {
        let found = find(turn.context.topics, caller, topic);
        let partitions = topic.partitions.iter().map(|partition| {
            let error = match &found {
                Ok((name, found)) => {
                    take_partition(&group.id, turn, request, (name, *found), partition)
                }
                Err(error) => Err(*error),
            };
            answer(partition, error.err().unwrap_or(ErrorCode::None))
        });
        OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
        }
    });
    let topics = topics.collect();
    let records = turn.out.records.iter();
    let len: usize = records.map(GroupRecord::len_in_batch_bytes_bound).sum();
    let refusal = if BATCH_OVERHEAD_BYTES + len > turn.config.batch_len_max_bytes {
        Some(ErrorCode::InvalidCommitOffsetSize)
    } else {
        let growth = growth_bytes(group, turn, first);
        (!turn.has_room_for(growth)).then_some(NO_ROOM_TO_COMMIT)
    };
    if let Some(error) = refusal {
        turn.out.records.truncate(first);
        return refuse(turn.context.topics, caller, request, error);
    }
    let committed = turn.out.records.len() - first;
    turn.counters.offsets_committed += committed as u64;
    OffsetCommitResponse {
        topics,
        ..OffsetCommitResponse::default()
    }
}

/// Bytes by which the records from this one on let the group's offsets grow, at most. What is known already is only
/// looked for when room gets short.
fn growth_bytes(group: &Group, turn: &Turn<'_>, first: usize) -> usize {
    let commits = || {
        let records = turn.out.records.iter().skip(first);
        records.filter_map(|record| match record {
            GroupRecord::OffsetCommit { key, value } => Some((key, value.as_ref()?)),
            _ => None,
        })
    };
    let at_most = commits()
        .map(|(key, value)| TOPIC_BYTES + OFFSET_BYTES + key.topic.len() + value.metadata.len());
    let at_most = at_most.sum();
    if at_most <= turn.room_bytes {
        return at_most;
    }
    commits()
        .map(|(key, value)| group.offsets.growth_bytes(key, value))
        .sum()
}

/// The topic of a commit.
fn find(
    topics: &dyn Topics,
    caller: &Caller,
    topic: &OffsetCommitRequestTopic,
) -> Result<(Str, Topic), ErrorCode> {
    if caller.version >= TOPIC_ID_VERSION {
        let found = topics.by_id(topic.topic_id);
        let (name, found) = found.ok_or(ErrorCode::UnknownTopicId)?;
        Ok((Str::from(name), found))
    } else {
        let found = topics.by_name(&topic.name);
        let found = found.ok_or(ErrorCode::UnknownTopicOrPartition)?;
        Ok((topic.name.detached(), found))
    }
}

fn check_partition(
    topic: Topic,
    partition: &OffsetCommitRequestPartition,
) -> Result<(), ErrorCode> {
    if (0..topic.partitions).contains(&partition.partition_index) {
        Ok(())
    } else {
        Err(ErrorCode::UnknownTopicOrPartition)
    }
}

fn take_partition(
    group_id: &Str,
    turn: &mut Turn<'_>,
    request: &OffsetCommitRequest,
    (name, topic): (&Str, Topic),
    partition: &OffsetCommitRequestPartition,
) -> Result<(), ErrorCode> {
    check_partition(topic, partition)?;
    let metadata = partition.committed_metadata.as_ref();
    let metadata_len_max = turn.config.offset_metadata_len_max;
    if metadata.is_some_and(|text| !fits(text, metadata_len_max)) {
        return Err(ErrorCode::OffsetMetadataTooLarge);
    }
    let now = turn.context.wall_clock;
    let expire_timestamp = expires_at(request, now);
    // The version of the record that has an expiry has no epoch; nobody may see what a restart forgets.
    let leader_epoch = if expire_timestamp == NO_TIMESTAMP {
        partition.committed_leader_epoch
    } else {
        LeaderEpoch::NONE.0
    };
    let value = OffsetCommitValue {
        offset: partition.committed_offset,
        leader_epoch,
        metadata: metadata.cloned().unwrap_or_default(),
        commit_timestamp: now.0,
        expire_timestamp,
        topic_id: topic.id,
    };
    turn.write(GroupRecord::OffsetCommit {
        key: key(group_id, name, partition.partition_index),
        value: Some(value),
    });
    Ok(())
}

/// Up to version 4, a commit could say how long it is to be kept.
fn expires_at(request: &OffsetCommitRequest, now: TimestampMs) -> i64 {
    if request.retention_time_ms == NO_TIMESTAMP {
        NO_TIMESTAMP
    } else {
        now.0.saturating_add(request.retention_time_ms)
    }
}

/// Whether a string has no more than this many UTF-16 units, which is what Kafka counts.
fn fits(text: &str, len_max: usize) -> bool {
    // No string has more units than bytes, so most need not be counted.
    text.len() <= len_max || text.encode_utf16().nth(len_max).is_none()
}

/// The response that refuses all of it. What is not there is answered as such all the same, as by Kafka, which looks for
/// it before it asks the group.
pub(crate) fn refuse(
    topics: &dyn Topics,
    caller: &Caller,
    request: &OffsetCommitRequest,
    error: ErrorCode,
) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let found = find(topics, caller, topic);
        let partitions = topic.partitions.iter().map(|partition| {
            let found = found.as_ref().map_err(|unknown| *unknown);
            let known = found.and_then(|(_, topic)| check_partition(*topic, partition));
            answer(partition, known.err().unwrap_or(error))
        });
        OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
        }
    });
    OffsetCommitResponse {
        topics: topics.collect(),
        ..OffsetCommitResponse::default()
    }
}

fn answer(
    partition: &OffsetCommitRequestPartition,
    error: ErrorCode,
) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: error.code(),
    }
}
