//! ElectLeaders (key 43, versions 0 to 2).
//!
//! The one machine leads its partitions, so an election is never needed: each partition is answered with Kafka's code
//! for that. Who asks for all partitions hears of those only that need one: of none.
//!
//! Source: KIP-183, KIP-460; `ReplicationControlManager.electLeaders` of Kafka 4.3.1.

use io::Io;
use metadata::{MetadataImage, decide_election};
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use types::{ErrorCode, PartitionIndex};

use super::{Call, Outcome};

/// The kinds of elections of the protocol. Version 0 knows the first only.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

#[expect(
    clippy::unused_async,
    reason = "handlers are async; this one has nothing to wait for"
)]
pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: ElectLeadersRequest,
) -> Outcome<ElectLeadersResponse> {
    let kind = request.election_type;
    if kind != PREFERRED && kind != UNCLEAN {
        return Outcome::Answer(ElectLeadersResponse {
            error_code: ErrorCode::InvalidRequest.code(),
            ..ElectLeadersResponse::default()
        });
    }
    let view = call.shard.view();
    let image = &view.image;
    let is_preferred = kind == PREFERRED;
    let results = match request.topic_partitions {
        Some(topics) => topics
            .iter()
            .map(|topic| named(image, topic, is_preferred))
            .collect(),
        None => needed(image, is_preferred),
    };
    Outcome::Answer(ElectLeadersResponse {
        replica_election_results: results,
        ..ElectLeadersResponse::default()
    })
}

fn named(
    image: &MetadataImage,
    topic: &TopicPartitions,
    is_preferred: bool,
) -> ReplicaElectionResult {
    let name = &topic.topic;
    let results = topic
        .partitions
        .iter()
        .map(|index| elect(image, name, *index, is_preferred));
    ReplicaElectionResult {
        partition_result: results.collect(),
        topic: topic.topic.clone(),
    }
}

/// Every partition that needs an election.
fn needed(image: &MetadataImage, is_preferred: bool) -> Vec<ReplicaElectionResult> {
    let of_topic = |topic: &std::sync::Arc<metadata::TopicImage>| {
        let results = (0..)
            .zip(&topic.partitions)
            .map(|(index, _)| elect(image, &topic.name, index, is_preferred))
            .filter(|result| result.error_code != ErrorCode::ElectionNotNeeded.code());
        ReplicaElectionResult {
            topic: topic.name.clone(),
            partition_result: results.collect(),
        }
    };
    let topics = image.topics().map(of_topic);
    topics
        .filter(|topic| !topic.partition_result.is_empty())
        .collect()
}

fn elect(image: &MetadataImage, topic: &str, index: i32, is_preferred: bool) -> PartitionResult {
    let refusal = decide_election(image, topic, PartitionIndex(index), is_preferred).err();
    PartitionResult {
        partition_id: index,
        error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
        error_message: refusal.map(|refusal| refusal.message.into()),
    }
}
