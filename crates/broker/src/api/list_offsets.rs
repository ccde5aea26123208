//! ListOffsets (key 2, versions 1 to 11).
//!
//! Source: KIP-79, KIP-320, KIP-734, KIP-405, KIP-1005, KIP-1023; `KafkaApis.handleListOffsetRequest` of Kafka 4.3.1.
//! Partitions of other shards are looked up there, whatever node the client asked.

use std::collections::HashSet;
use std::rc::Rc;

use io::Io;
use protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use types::{ErrorCode, LeaderEpoch, Offset, TimestampMs, Uuid};

use super::{Call, Finished, Outcome};
use crate::lookup;
use crate::message::{FoundOffset, OffsetsJob, OffsetsQuestion, OffsetsResult, PartitionKey};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The first version whose answer carries the leader epoch.
const LEADER_EPOCH_SINCE: i16 = 4;

/// What is to be answered for a partition.
enum Plan {
    Ask(usize),
    Answer(OffsetsResult),
}

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: ListOffsetsRequest,
) -> Outcome<ListOffsetsResponse> {
    let (shard, version) = (Rc::clone(&call.shard), call.version);
    let view = shard.view();
    let mut jobs = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let id = view.topic(&topic.name, Uuid::ZERO).map(|topic| topic.id);
        let mut seen = HashSet::new();
        let repeated: HashSet<i32> = topic
            .partitions
            .iter()
            .map(|it| it.partition_index)
            .filter(|index| !seen.insert(*index))
            .collect();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.partition_index;
            let plan = match (id, question(partition.timestamp, call.version)) {
                _ if repeated.contains(&index) => Plan::Answer(Err(ErrorCode::InvalidRequest)),
                (_, Err(answer)) => Plan::Answer(answer),
                (None, _) => Plan::Answer(Err(ErrorCode::UnknownTopicOrPartition)),
                (Some(topic_id), Ok(question)) => {
                    jobs.push(OffsetsJob {
                        key: PartitionKey { topic_id, index },
                        current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
                        question,
                    });
                    Plan::Ask(jobs.len() - 1)
                }
            };
            partitions.push((index, plan));
        }
        topics.push((topic.name.detached(), partitions));
    }
    Outcome::Later(Box::pin(async move {
        let found = lookup::offsets_anywhere(&shard, &jobs).await;
        let response = |(index, plan): (i32, Plan)| match plan {
            Plan::Ask(job) => partition_response(version, index, found[job]),
            Plan::Answer(result) => partition_response(version, index, result),
        };
        let topic = |(name, partitions): (_, Vec<_>)| ListOffsetsTopicResponse {
            name,
            partitions: partitions.into_iter().map(response).collect(),
        };
        Finished::Answer(ListOffsetsResponse {
            throttle_time_ms: 0,
            topics: topics.into_iter().map(topic).collect(),
        })
    }))
}

/// What a timestamp asks for, or the answer if it asks for nothing that there could be.
fn question(timestamp: i64, version: i16) -> Result<OffsetsQuestion, OffsetsResult> {
    let nothing = Ok(FoundOffset {
        offset: Offset(-1),
        timestamp: TimestampMs::NONE,
        leader_epoch: LeaderEpoch::NONE,
    });
    let since = |first: i16, answer| {
        if version >= first {
            answer
        } else {
            Err(Err(ErrorCode::UnsupportedVersion))
        }
    };
    match timestamp {
        LATEST => Ok(OffsetsQuestion::Latest),
        EARLIEST => Ok(OffsetsQuestion::Earliest),
        MAX_TIMESTAMP => since(7, Ok(OffsetsQuestion::MaxTimestamp)),
        // Without tiered storage everything is local and nothing is tiered.
        EARLIEST_LOCAL => since(8, Ok(OffsetsQuestion::Earliest)),
        LATEST_TIERED => since(9, Err(nothing)),
        EARLIEST_PENDING_UPLOAD => since(11, Err(nothing)),
        time if time < 0 => Err(Err(ErrorCode::UnsupportedVersion)),
        time => Ok(OffsetsQuestion::AtTime(TimestampMs(time))),
    }
}

fn partition_response(
    version: i16,
    partition_index: i32,
    result: OffsetsResult,
) -> ListOffsetsPartitionResponse {
    match result {
        Ok(found) => ListOffsetsPartitionResponse {
            partition_index,
            error_code: ErrorCode::None.code(),
            timestamp: found.timestamp.0,
            offset: found.offset.0,
            leader_epoch: if version >= LEADER_EPOCH_SINCE {
                found.leader_epoch.0
            } else {
                -1
            },
        },
        Err(code) => ListOffsetsPartitionResponse {
            partition_index,
            error_code: code.code(),
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
        },
    }
}
