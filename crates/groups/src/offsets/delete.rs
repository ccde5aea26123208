//! OffsetDelete.

use protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use types::ErrorCode;

use super::tombstone;
use crate::group::{Group, GroupKind, Turn};

/// OffsetDelete: offsets of topics that nobody in the group subscribes to.
pub(crate) fn delete(
    group: &Group,
    turn: &mut Turn<'_>,
    request: &OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let check = match &group.kind {
        GroupKind::Classic(classic) => classic.check_offset_delete(),
        GroupKind::Consumer(_) => Ok(()),
    };
    if let Err(error) = check {
        return OffsetDeleteResponse {
            error_code: error.code(),
            ..OffsetDeleteResponse::default()
        };
    }
    let topics = request.topics.iter();
    OffsetDeleteResponse {
        topics: topics
            .map(|topic| delete_topic(group, turn, topic))
            .collect(),
        ..OffsetDeleteResponse::default()
    }
}

fn delete_topic(
    group: &Group,
    turn: &mut Turn<'_>,
    topic: &OffsetDeleteRequestTopic,
) -> OffsetDeleteResponseTopic {
    let found = turn.context.topics.by_name(&topic.name);
    let partition_count = found.map_or(0, |found| found.partitions);
    let is_subscribed = group.is_subscribed(&topic.name);
    let committed = group.offsets.topics.get(&topic.name);
    let partitions = topic.partitions.iter().map(|partition| {
        let index = partition.partition_index;
        let error = if !(0..partition_count).contains(&index) {
            ErrorCode::UnknownTopicOrPartition
        } else if is_subscribed {
            ErrorCode::GroupSubscribedToTopic
        } else {
            ErrorCode::None
        };
        let is_there = committed.is_some_and(|committed| committed.contains_key(&index));
        if error == ErrorCode::None && is_there {
            turn.write(tombstone(&group.id, &topic.name, index));
        }
        OffsetDeleteResponsePartition {
            partition_index: index,
            error_code: error.code(),
        }
    });
    OffsetDeleteResponseTopic {
        name: topic.name.clone(),
        partitions: partitions.collect(),
    }
}
