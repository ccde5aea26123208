//! DescribeQuorum (key 55, versions 0 to 2): the metadata log has one voter, this machine.
//!
//! Source: KIP-595, KIP-836, KIP-853; `KafkaRaftClient.handleDescribeQuorumRequest` of Kafka 4.3.1.

use io::Io;
use metadata::{CLUSTER_METADATA_TOPIC, log};
use protocol::messages::describe_quorum_request;
use protocol::messages::describe_quorum_response::{
    Listener, Node, PartitionData, ReplicaState, TopicData,
};
use protocol::messages::{DescribeQuorumRequest, DescribeQuorumResponse};
use types::{ErrorCode, Uuid};

use super::{Call, Outcome};
use crate::shard::Shard;

/// The first version that names the voters' directories and addresses.
const VOTERS_SINCE: i16 = 2;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeQuorumRequest,
) -> Outcome<DescribeQuorumResponse> {
    let shard = &call.shard;
    let knows_voters = call.version >= VOTERS_SINCE;
    let topics: Vec<_> = request
        .topics
        .iter()
        .map(|topic| describe_topic(shard, topic, knows_voters))
        .collect();
    let nodes = if knows_voters {
        vec![this_node(shard)]
    } else {
        Vec::new()
    };
    Outcome::Answer(DescribeQuorumResponse {
        topics,
        nodes,
        ..DescribeQuorumResponse::default()
    })
}

fn describe_topic<I: Io>(
    shard: &Shard<I>,
    topic: &describe_quorum_request::TopicData,
    knows_voters: bool,
) -> TopicData {
    let partitions = topic.partitions.iter().map(|partition| {
        if topic.topic_name == *CLUSTER_METADATA_TOPIC && partition.partition_index == 0 {
            return quorum(shard, knows_voters);
        }
        PartitionData {
            partition_index: partition.partition_index,
            error_code: ErrorCode::UnknownTopicOrPartition.code(),
            ..PartitionData::default()
        }
    });
    TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: partitions.collect(),
    }
}

fn quorum<I: Io>(shard: &Shard<I>, knows_voters: bool) -> PartitionData {
    let now = shard.io.wall_clock().0;
    let end_offset = shard.view().image.end_offset().0;
    let leader_id = shard.advertise().machine().0;
    let directory = shard.setup.directories.first().filter(|_| knows_voters);
    let voter = ReplicaState {
        replica_id: leader_id,
        replica_directory_id: directory.map_or(Uuid::ZERO, |directory| directory.id),
        log_end_offset: end_offset,
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    };
    PartitionData {
        partition_index: 0,
        leader_id,
        leader_epoch: log::LEADER_EPOCH.0,
        high_watermark: end_offset,
        current_voters: vec![voter],
        ..PartitionData::default()
    }
}

fn this_node<I: Io>(shard: &Shard<I>) -> Node {
    let listener = |(name, host, port): (&protocol::Str, &protocol::Str, i32)| Listener {
        name: name.clone(),
        host: host.clone(),
        port: u16::try_from(port).unwrap_or(0),
    };
    Node {
        node_id: shard.advertise().machine().0,
        listeners: shard.advertise().endpoints().map(listener).collect(),
    }
}
