//! OffsetFetch, of one group.
//!
//! There are no transactional commits yet, so every offset is stable.

use protocol::Str;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use types::{ErrorCode, Uuid};

use super::{CommittedOffset, current_id};
use crate::context::{Caller, Context};
use crate::group::{Group, GroupKind};

/// The first version that names topics by their ids.
const TOPIC_ID_VERSION: i16 = 10;

/// OffsetFetch. A group that is not known has nothing committed.
pub(crate) fn fetch(
    group: Option<&Group>,
    context: &Context<'_>,
    caller: &Caller,
    request: &OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let mut response = OffsetFetchResponseGroup {
        group_id: request.group_id.clone(),
        ..OffsetFetchResponseGroup::default()
    };
    if let Some(error) = group.and_then(|group| check(group, request).err()) {
        response.error_code = error.code();
        return response;
    }
    response.topics = match &request.topics {
        Some(topics) => topics
            .iter()
            .map(|topic| fetch_topic(group, context, caller, topic))
            .collect(),
        None => group.map_or_else(Vec::new, |group| fetch_all(group, context)),
    };
    response
}

fn check(group: &Group, request: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
    match &group.kind {
        // Members of classic groups do not say who they are.
        GroupKind::Classic(_) => Ok(()),
        GroupKind::Consumer(consumer) => {
            consumer.check_fetch(request.member_id.as_deref(), request.member_epoch)
        }
    }
}

fn fetch_topic(
    group: Option<&Group>,
    context: &Context<'_>,
    caller: &Caller,
    topic: &OffsetFetchRequestTopics,
) -> OffsetFetchResponseTopics {
    let by_id = caller.version >= TOPIC_ID_VERSION;
    let (name, id) = if by_id {
        let found = context.topics.by_id(topic.topic_id);
        (found.map(|(name, _)| Str::from(name)), Some(topic.topic_id))
    } else {
        let id = current_id(context.topics, &topic.name);
        (Some(topic.name.clone()), id)
    };
    let partitions = topic.partition_indexes.iter().map(|index| match &name {
        Some(name) => {
            let committed = group.and_then(|group| group.offsets.get(name, *index, id));
            answer(*index, committed)
        }
        None => OffsetFetchResponsePartitions {
            error_code: ErrorCode::UnknownTopicId.code(),
            ..answer(*index, None)
        },
    });
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    }
}

fn fetch_all(group: &Group, context: &Context<'_>) -> Vec<OffsetFetchResponseTopics> {
    let topics = group.offsets.topics.iter().map(|(name, partitions)| {
        let id = current_id(context.topics, name);
        let current = partitions
            .iter()
            .filter(|(_, committed)| !committed.is_stale(id));
        OffsetFetchResponseTopics {
            name: name.clone(),
            topic_id: id.unwrap_or(Uuid::ZERO),
            partitions: current
                .map(|(index, committed)| answer(*index, Some(committed)))
                .collect(),
        }
    });
    topics
        .filter(|topic| !topic.partitions.is_empty())
        .collect()
}

fn answer(index: i32, committed: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: committed.map_or(-1, |committed| committed.offset.0),
        committed_leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: Some(
            committed
                .map(|committed| committed.metadata.clone())
                .unwrap_or_default(),
        ),
        error_code: 0,
    }
}
