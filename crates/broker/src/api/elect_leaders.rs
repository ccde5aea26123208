//! ElectLeaders (key 43, versions 0 to 2).
//!
//! The one machine leads its partitions, so an election is never needed: each partition is answered with Kafka's code
//! for that. Who asks for all partitions hears of those only that need one: of none.
//!
//! A request that names more than [`PARTITIONS_PER_REQUEST_MAX`] partitions is refused as a whole.
//!
//! Source: KIP-183, KIP-460; `ReplicationControlManager.electLeaders` of Kafka 4.3.1.

use std::sync::Arc;

use io::Io;
use metadata::{MetadataImage, PARTITIONS_PER_REQUEST_MAX, TopicImage, decide_election};
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use types::{ErrorCode, PartitionIndex};

use super::{Call, Outcome};
use crate::slice::Steps;

/// The kinds of elections of the protocol. Version 0 knows the first only.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: ElectLeadersRequest,
) -> Outcome<ElectLeadersResponse> {
    let refused = |code: ErrorCode| {
        Outcome::Answer(ElectLeadersResponse {
            error_code: code.code(),
            ..ElectLeadersResponse::default()
        })
    };
    let kind = request.election_type;
    if kind != PREFERRED && kind != UNCLEAN {
        return refused(ErrorCode::InvalidRequest);
    }
    let named = request.topic_partitions.iter().flatten();
    let count: usize = named.map(|topic| topic.partitions.len()).sum();
    if count > PARTITIONS_PER_REQUEST_MAX {
        return refused(ErrorCode::PolicyViolation);
    }
    let view = call.shard.view();
    let image = &view.image;
    let is_preferred = kind == PREFERRED;
    let mut steps = Steps::new(&call.shard.io);
    let mut results = Vec::new();
    match request.topic_partitions {
        Some(topics) => {
            for topic in &topics {
                results.push(elect_named(image, topic, is_preferred, &mut steps).await);
            }
        }
        None => {
            for topic in image.topics() {
                steps.step().await;
                results.extend(needed(image, topic, is_preferred));
            }
        }
    }
    Outcome::Answer(ElectLeadersResponse {
        replica_election_results: results,
        ..ElectLeadersResponse::default()
    })
}

async fn elect_named<I: Io>(
    image: &MetadataImage,
    topic: &TopicPartitions,
    is_preferred: bool,
    steps: &mut Steps<I>,
) -> ReplicaElectionResult {
    let mut results = Vec::with_capacity(topic.partitions.len());
    for index in &topic.partitions {
        steps.step().await;
        results.push(elect(image, &topic.topic, *index, is_preferred));
    }
    ReplicaElectionResult {
        partition_result: results,
        topic: topic.topic.clone(),
    }
}

/// The partitions of a topic that need an election, if there are any.
fn needed(
    image: &MetadataImage,
    topic: &Arc<TopicImage>,
    is_preferred: bool,
) -> Option<ReplicaElectionResult> {
    let results = (0..)
        .zip(&topic.partitions)
        .map(|(index, _)| elect(image, &topic.name, index, is_preferred))
        .filter(|result| result.error_code != ErrorCode::ElectionNotNeeded.code());
    let results: Vec<_> = results.collect();
    (!results.is_empty()).then(|| ReplicaElectionResult {
        topic: topic.name.clone(),
        partition_result: results,
    })
}

fn elect(image: &MetadataImage, topic: &str, index: i32, is_preferred: bool) -> PartitionResult {
    let refusal = decide_election(image, topic, PartitionIndex(index), is_preferred).err();
    PartitionResult {
        partition_id: index,
        error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
        error_message: refusal.map(|refusal| refusal.message.into()),
    }
}
