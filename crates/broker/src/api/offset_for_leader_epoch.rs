//! OffsetForLeaderEpoch (key 23, versions 2 to 4): where an epoch ends, for clients that look for truncation.
//!
//! Source: KIP-101, KIP-279, KIP-320; `ReplicaManager.lastOffsetForLeaderEpoch` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use types::{ErrorCode, LeaderEpoch, Uuid};

use super::{Call, Finished, Outcome};
use crate::lookup;
use crate::message::{OffsetsJob, OffsetsQuestion, OffsetsResult, PartitionKey};

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: OffsetForLeaderEpochRequest,
) -> Outcome<OffsetForLeaderEpochResponse> {
    let shard = Rc::clone(&call.shard);
    let view = shard.view();
    let mut jobs = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        // No topic has the zero id, so partitions of unknown topics are found to be unknown.
        let topic_id = view
            .topic(&topic.topic, Uuid::ZERO)
            .map_or(Uuid::ZERO, |topic| topic.id);
        for partition in &topic.partitions {
            jobs.push(OffsetsJob {
                key: PartitionKey {
                    topic_id,
                    index: partition.partition,
                },
                current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
                question: OffsetsQuestion::EpochEnd(LeaderEpoch(partition.leader_epoch)),
            });
        }
        topics.push((topic.topic.detached(), topic.partitions.len()));
    }
    Outcome::Later(Box::pin(async move {
        let found = lookup::offsets_anywhere(&shard, &jobs).await;
        let mut answers = jobs
            .iter()
            .zip(found)
            .map(|(job, result)| partition_response(job.key.index, result));
        let topic = |(topic, count)| OffsetForLeaderTopicResult {
            topic,
            partitions: answers.by_ref().take(count).collect(),
        };
        let topics = topics.into_iter().map(topic).collect();
        Finished::Answer(OffsetForLeaderEpochResponse {
            throttle_time_ms: 0,
            topics,
        })
    }))
}

fn partition_response(partition: i32, result: OffsetsResult) -> EpochEndOffset {
    match result {
        Ok(found) => EpochEndOffset {
            error_code: ErrorCode::None.code(),
            partition,
            leader_epoch: found.leader_epoch.0,
            end_offset: found.offset.0,
        },
        Err(code) => EpochEndOffset {
            error_code: code.code(),
            partition,
            leader_epoch: -1,
            end_offset: -1,
        },
    }
}
