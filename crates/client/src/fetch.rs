//! Fetch requests and their responses.

use std::time::Duration;

use bytes::Bytes;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::fetch_response::{FetchResponse, PartitionData};
use protocol::{ApiKey, Str};
use types::{LeaderEpoch, NodeId, Offset, PartitionIndex, Uuid};

use crate::client::millis;
use crate::cluster::{Leader, LeaderHint, NodeAddress};
use crate::connection::SubmitOptions;
use crate::{Client, ClientError, ResponseFault};

/// The last version that names topics instead of giving their ids.
const VERSION_WITH_NAMES: i16 = 12;

/// How much a fetch brings, and how long it waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// How long the broker waits for [`FetchLimits::min_bytes`].
    pub wait_max: Duration,
    /// Bytes that end the waiting.
    pub min_bytes: i32,
    /// Bytes in a response; the first batch comes whole even when it is larger.
    pub max_bytes: i32,
    /// Bytes of one partition in a response, with the same exception.
    pub partition_max_bytes: i32,
}

/// Records of one partition as they lie in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedPartition {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: PartitionIndex,
    /// The offset that was asked for; the first batch may begin before it.
    pub offset: Offset,
    /// Batches; the last one may be cut.
    pub records: Bytes,
    /// The end of what may be read.
    pub high_watermark: Offset,
    /// The beginning of what is there.
    pub log_start_offset: Offset,
}

/// Where to read on, in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: PartitionIndex,
    pub(crate) offset: Offset,
    pub(crate) leader: Leader,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            wait_max: Duration::from_millis(500),
            min_bytes: 1,
            max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
        }
    }
}

impl Client {
    /// Reads from one partition, waiting for records as `limits` say; there may be none.
    ///
    /// # Errors
    /// [`ClientError`], with OFFSET_OUT_OF_RANGE for an offset that is not there.
    pub fn fetch(
        &mut self,
        topic: &str,
        partition: PartitionIndex,
        offset: Offset,
        limits: FetchLimits,
    ) -> Result<FetchedPartition, ClientError> {
        self.with_leader(topic, partition, |client, leader| {
            let position = Position {
                topic,
                partition,
                offset,
                leader,
            };
            let request = fetch_request(&[position], limits);
            let connection = client.node(leader.node)?;
            let ticket = connection.submit(&request, options(&[position], limits))?;
            let response = connection.complete(ticket)?;
            client.check_fetch(&response)?;
            let answer = answer_for(&response, position).cloned();
            let Some(answer) = answer else {
                let fault = ResponseFault::Missing(format!("{topic}-{partition}"));
                let connection = client.node(leader.node)?;
                return Err(connection.bad_response(ApiKey::Fetch.name(), fault));
            };
            client.fetched(position, answer, &response)
        })
    }

    /// The error of a whole response.
    pub(crate) fn check_fetch(&self, response: &FetchResponse) -> Result<(), ClientError> {
        ClientError::check("Fetch", response.error_code, None, || {
            format!("from {}", self.config.bootstrap_servers.join(","))
        })
    }

    /// What an answer says about a partition; leaders that it names are followed.
    pub(crate) fn fetched(
        &mut self,
        position: Position<'_>,
        answer: PartitionData,
        response: &FetchResponse,
    ) -> Result<FetchedPartition, ClientError> {
        let (topic, partition) = (position.topic, position.partition);
        if answer.current_leader.leader_id >= 0 {
            let hint = LeaderHint {
                node: NodeId(answer.current_leader.leader_id),
                epoch: LeaderEpoch(answer.current_leader.leader_epoch),
            };
            let endpoints = response.node_endpoints.iter().map(|end| {
                let address = NodeAddress::new(&end.host, end.port, end.rack.as_deref());
                (NodeId(end.node_id), address)
            });
            self.cluster.follow(topic, partition, hint, endpoints);
        }
        ClientError::check("Fetch", answer.error_code, None, || {
            format!("from {topic}-{partition} at offset {}", position.offset)
        })?;
        Ok(FetchedPartition {
            topic: topic.into(),
            partition,
            offset: position.offset,
            records: answer.records.unwrap_or_default().into_bytes(),
            high_watermark: Offset(answer.high_watermark),
            log_start_offset: Offset(answer.log_start_offset),
        })
    }
}

/// Versions from 13 on need the ids of all topics.
pub(crate) fn options(positions: &[Position<'_>], limits: FetchLimits) -> SubmitOptions {
    let has_ids = positions
        .iter()
        .all(|position| !position.leader.topic_id.is_zero());
    SubmitOptions {
        version_max: if has_ids {
            i16::MAX
        } else {
            VERSION_WITH_NAMES
        },
        broker_wait: limits.wait_max,
    }
}

/// A request without a session; `positions` of one topic stand together.
pub(crate) fn fetch_request(positions: &[Position<'_>], limits: FetchLimits) -> FetchRequest {
    let same_topic = |a: &Position<'_>, b: &Position<'_>| a.topic == b.topic;
    let topics = positions.chunk_by(same_topic).map(|group| FetchTopic {
        topic: group[0].topic.into(),
        topic_id: group[0].leader.topic_id,
        partitions: group.iter().map(|at| partition_of(at, limits)).collect(),
    });
    FetchRequest {
        max_wait_ms: millis(limits.wait_max),
        min_bytes: limits.min_bytes,
        max_bytes: limits.max_bytes,
        topics: topics.collect(),
        ..FetchRequest::default()
    }
}

fn partition_of(position: &Position<'_>, limits: FetchLimits) -> FetchPartition {
    FetchPartition {
        partition: position.partition.0,
        current_leader_epoch: position.leader.epoch.0,
        fetch_offset: position.offset.0,
        partition_max_bytes: limits.partition_max_bytes,
        ..FetchPartition::default()
    }
}

/// The answer about a partition. Responses give a topic's name or its id, depending on their version.
pub(crate) fn answer_for<'a>(
    response: &'a FetchResponse,
    position: Position<'_>,
) -> Option<&'a PartitionData> {
    let wanted = position.leader.topic_id;
    response
        .responses
        .iter()
        .filter(|topic| {
            topic.topic == position.topic
                || (topic.topic_id != Uuid::ZERO && topic.topic_id == wanted)
        })
        .flat_map(|topic| &topic.partitions)
        .find(|answer| answer.partition_index == position.partition.0)
}
