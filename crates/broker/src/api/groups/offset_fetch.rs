//! OffsetFetch (key 9, versions 1 to 10), for one group or, from version 8 on, for several.
//!
//! Source: KIP-447, KIP-709, KIP-848, KIP-1206; `KafkaApis.handleOffsetFetchRequest` of Kafka 4.3.1.

use futures_util::future::join_all;
use groups::{Reply, Request};
use io::Io;
use protocol::Str;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use types::{ErrorCode, Uuid};

use super::{ask, foreign_target};
use crate::api::{Call, Finished, Outcome};

/// The first version that asks for several groups.
const GROUPS_SINCE: i16 = 8;

pub(in crate::api) async fn handle<I: Io>(
    call: Call<I>,
    request: OffsetFetchRequest,
) -> Outcome<OffsetFetchResponse> {
    let version = call.version;
    let require_stable = request.require_stable;
    let groups = groups_of(request, version);
    if let Some(target) = groups
        .first()
        .and_then(|group| foreign_target(&call, &group.group_id))
    {
        return Outcome::Migrate(target);
    }
    let mut asked = Vec::with_capacity(groups.len());
    for group in groups {
        let id = group.group_id.clone();
        let request = Request::OffsetFetch {
            group,
            require_stable,
        };
        asked.push((id.clone(), ask(&call, &id, request).await));
    }
    Outcome::Later(Box::pin(async move {
        let answers = asked.into_iter().map(|(id, asking)| async move {
            match asking.answer().await {
                Ok(Reply::OffsetFetch(group)) => group,
                Ok(_) => refused(id, ErrorCode::UnknownServerError),
                Err(code) => refused(id, code),
            }
        });
        Finished::Answer(response(join_all(answers).await, version))
    }))
}

/// What is asked for, in the form of the later versions.
fn groups_of(request: OffsetFetchRequest, version: i16) -> Vec<OffsetFetchRequestGroup> {
    if version >= GROUPS_SINCE {
        return request.groups;
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            topic_id: Uuid::ZERO,
            partition_indexes: topic.partition_indexes,
        });
        topics.collect()
    });
    vec![OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics,
        ..OffsetFetchRequestGroup::default()
    }]
}

fn refused(group_id: Str, code: ErrorCode) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup {
        group_id,
        error_code: code.code(),
        ..OffsetFetchResponseGroup::default()
    }
}

fn response(mut groups: Vec<OffsetFetchResponseGroup>, version: i16) -> OffsetFetchResponse {
    if version >= GROUPS_SINCE {
        return OffsetFetchResponse {
            groups,
            ..OffsetFetchResponse::default()
        };
    }
    let group = groups.pop().unwrap_or_default();
    let topics = group.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter();
        OffsetFetchResponseTopic {
            name: topic.name,
            partitions: partitions
                .map(|partition| OffsetFetchResponsePartition {
                    partition_index: partition.partition_index,
                    committed_offset: partition.committed_offset,
                    committed_leader_epoch: partition.committed_leader_epoch,
                    metadata: partition.metadata,
                    error_code: partition.error_code,
                })
                .collect(),
        }
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}
