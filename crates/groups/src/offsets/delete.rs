//! OffsetDelete.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;
use protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use types::ErrorCode;

use super::tombstone;
use crate::group::{Group, GroupKind, Turn};
use crate::note::Happened;

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
    // Each once, however often it is named.
    let mut seen: BTreeMap<&Str, BTreeSet<i32>> = BTreeMap::new();
    let mut names: Vec<&Str> = Vec::new();
    for topic in &request.topics {
        let partitions = seen.entry(&topic.name).or_insert_with(|| {
            names.push(&topic.name);
            BTreeSet::new()
        });
        partitions.extend(topic.partitions.iter().map(|it| it.partition_index));
    }
    let before = turn.out.records.len();
    let topics = names.into_iter().map(|name| {
        let partitions = seen.remove(name).unwrap_or_default();
        delete_topic(group, turn, name, partitions)
    });
    let topics = topics.collect();
    let partitions = turn.out.records.len() - before;
    if partitions > 0 {
        turn.out
            .note(&group.id, Happened::OffsetsDeleted { partitions });
    }
    OffsetDeleteResponse {
        topics,
        ..OffsetDeleteResponse::default()
    }
}

fn delete_topic(
    group: &Group,
    turn: &mut Turn<'_>,
    name: &Str,
    partitions: BTreeSet<i32>,
) -> OffsetDeleteResponseTopic {
    let found = turn.context.topics.by_name(name);
    let partition_count = found.map_or(0, |found| found.partitions);
    let is_subscribed = found.is_some() && group.is_subscribed(name);
    let committed = group.offsets.topics.get(name);
    let partitions = partitions.into_iter().map(|index| {
        let error = if !(0..partition_count).contains(&index) {
            ErrorCode::UnknownTopicOrPartition
        } else if is_subscribed {
            ErrorCode::GroupSubscribedToTopic
        } else {
            ErrorCode::None
        };
        let is_there = committed.is_some_and(|committed| committed.contains_key(&index));
        if error == ErrorCode::None && is_there {
            turn.write(tombstone(&group.id, name, index));
        }
        OffsetDeleteResponsePartition {
            partition_index: index,
            error_code: error.code(),
        }
    });
    OffsetDeleteResponseTopic {
        name: name.clone(),
        partitions: partitions.collect(),
    }
}
