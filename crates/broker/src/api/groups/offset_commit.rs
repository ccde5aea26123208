//! OffsetCommit (key 8, versions 2 to 10).
//!
//! Source: KIP-320, KIP-345, KIP-848, KIP-1206; `KafkaApis.handleOffsetCommitRequest` of Kafka 4.3.1.

use io::Io;
use protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use types::ErrorCode;

use super::one_group;
use crate::api::{Call, Outcome};

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: OffsetCommitRequest,
) -> Outcome<OffsetCommitResponse> {
    let template = template(&request);
    one_group!(call, request, OffsetCommit, |code| refused(template, code))
}

/// The answer without its error codes, which an answer of errors alone needs.
fn template(request: &OffsetCommitRequest) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            OffsetCommitResponsePartition {
                partition_index: index,
                ..OffsetCommitResponsePartition::default()
            }
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

fn refused(mut response: OffsetCommitResponse, code: ErrorCode) -> OffsetCommitResponse {
    let topics = response.topics.iter_mut();
    for partition in topics.flat_map(|topic| &mut topic.partitions) {
        partition.error_code = code.code();
    }
    response
}
