//! DeleteRecords (key 21, versions 0 to 2).
//!
//! Source: KIP-107; `ReplicaManager.deleteRecords` and `Partition.deleteRecordsOnLeader` of Kafka 4.3.1.
//! Partitions of other shards are changed there, whatever node the client asked. The answer comes when the new log start
//! offsets are on disk: no crash brings the records back.

use std::rc::Rc;

use io::Io;
use protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use types::{Offset, Uuid};

use super::{Call, Finished, Outcome};
use crate::lookup;
use crate::message::{DeleteRecordsJob, DeleteRecordsResult, PartitionKey};

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DeleteRecordsRequest,
) -> Outcome<DeleteRecordsResponse> {
    let shard = Rc::clone(&call.shard);
    let view = shard.view();
    let mut jobs = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        // No topic has the id zero.
        let topic_id = view
            .topic(&topic.name, Uuid::ZERO)
            .map_or(Uuid::ZERO, |topic| topic.id);
        let first = jobs.len();
        jobs.extend(topic.partitions.iter().map(|partition| DeleteRecordsJob {
            key: PartitionKey {
                topic_id,
                index: partition.partition_index,
            },
            before: Offset(partition.offset),
        }));
        topics.push((topic.name.detached(), first..jobs.len()));
    }
    Outcome::Later(Box::pin(async move {
        let results = lookup::delete_records_anywhere(&shard, &jobs).await;
        let topic = |(name, places): (_, std::ops::Range<usize>)| DeleteRecordsTopicResult {
            name,
            partitions: places
                .map(|place| partition_result(&jobs[place], results[place]))
                .collect(),
        };
        Finished::Answer(DeleteRecordsResponse {
            throttle_time_ms: 0,
            topics: topics.into_iter().map(topic).collect(),
        })
    }))
}

fn partition_result(
    job: &DeleteRecordsJob,
    result: DeleteRecordsResult,
) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult {
        partition_index: job.key.index,
        low_watermark: result.map_or(-1, |start| start.0),
        error_code: result.err().map_or(0, |code| code.code()),
    }
}
