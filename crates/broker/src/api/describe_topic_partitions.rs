//! DescribeTopicPartitions (key 75, version 0): metadata in pages.
//!
//! Source: KIP-966; `DescribeTopicPartitionsRequestHandler` of Kafka 4.3.1.

use io::Io;
use metadata::{TopicImage, validate_topic_name};
use protocol::Str;
use protocol::messages::describe_topic_partitions_request::Cursor as AskedCursor;
use protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use types::ErrorCode;

use super::metadata_api::{NO_AUTHORIZED_OPERATIONS, Nodes};
use super::{Call, Outcome};
use crate::advertise::Audience;
use crate::groups::is_internal;
use crate::shard::Shard;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeTopicPartitionsRequest,
) -> Outcome<DescribeTopicPartitionsResponse> {
    let shard = &call.shard;
    let limit = shard
        .config()
        .values
        .max_request_partition_size_limit
        .min(request.response_partition_limit)
        .max(1);
    let cursor = request.cursor.as_ref();
    let mut names: Vec<Str> = request.topics.into_iter().map(|topic| topic.name).collect();
    let view = shard.view();
    if names.is_empty() {
        let first = cursor.map_or("", |cursor| cursor.topic_name.as_str());
        names = view
            .image
            .topics_from(first)
            .map(|topic| topic.name.clone())
            .collect();
    } else {
        names.retain(|name| cursor.is_none_or(|cursor| *name >= cursor.topic_name));
        names.sort();
        names.dedup();
    }
    let mut page = Page {
        shard,
        audience: call.connection.audience.get(),
        remaining: usize::try_from(limit).unwrap_or(0),
        topics: Vec::new(),
    };
    let mut next_cursor = None;
    for name in names {
        let first = cursor
            .filter(|cursor| cursor.topic_name == name)
            .map_or(0, |cursor: &AskedCursor| cursor.partition_index);
        match view.image.topic_named(&name) {
            Some(topic) => next_cursor = page.add(topic, first),
            None => page.add_unknown(name),
        }
        if next_cursor.is_some() {
            break;
        }
    }
    Outcome::Answer(DescribeTopicPartitionsResponse {
        throttle_time_ms: 0,
        topics: page.topics,
        next_cursor,
    })
}

struct Page<'a, I: Io> {
    shard: &'a Shard<I>,
    audience: Audience,
    /// Partitions that still fit.
    remaining: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
}

impl<I: Io> Page<'_, I> {
    /// Adds a topic from its partition `first` on, and returns where the next page begins if the page is full.
    fn add(&mut self, topic: &TopicImage, first: i32) -> Option<Cursor> {
        let first = usize::try_from(first)
            .unwrap_or(0)
            .min(topic.partitions.len());
        let end = topic.partitions.len().min(first + self.remaining);
        let next = |index: usize| Cursor {
            topic_name: topic.name.clone(),
            partition_index: i32::try_from(index).unwrap_or(i32::MAX),
        };
        if self.remaining == 0 {
            return Some(next(first));
        }
        self.remaining -= end - first;
        let partitions = (0..)
            .zip(&topic.partitions)
            .skip(first)
            .take(end - first)
            .map(|(index, partition)| {
                let nodes = Nodes::of(self.shard, self.audience, partition);
                DescribeTopicPartitionsResponsePartition {
                    error_code: ErrorCode::None.code(),
                    partition_index: index,
                    leader_id: nodes.leader,
                    leader_epoch: partition.leader_epoch.0,
                    replica_nodes: nodes.replicas,
                    isr_nodes: nodes.isr,
                    eligible_leader_replicas: Some(Vec::new()),
                    last_known_elr: Some(Vec::new()),
                    offline_replicas: nodes.offline,
                }
            });
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::None.code(),
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: is_internal(&topic.name),
            partitions: partitions.collect(),
            topic_authorized_operations: NO_AUTHORIZED_OPERATIONS,
        });
        (end < topic.partitions.len()).then(|| next(end))
    }

    fn add_unknown(&mut self, name: Str) {
        let code = match validate_topic_name(&name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: code.code(),
            name: Some(name),
            topic_authorized_operations: NO_AUTHORIZED_OPERATIONS,
            ..DescribeTopicPartitionsResponseTopic::default()
        });
    }
}
