//! AlterPartitionReassignments (key 45, versions 0 and 1).
//!
//! With shards as nodes a reassignment to another node of the same process is a move between shards. It is done when it
//! is answered, so there is never one to take back. How a client names a shard stands at
//! [`crate::advertise::Advertise::place_of`].
//!
//! A request that names more than [`PARTITIONS_PER_REQUEST_MAX`] partitions is refused as a whole.
//!
//! Source: KIP-455, KIP-860; `ReplicationControlManager.alterPartitionReassignments` of Kafka 4.3.1.

use std::rc::Rc;
use std::time::Duration;

use io::Io;
use metadata::{PARTITIONS_PER_REQUEST_MAX, Reassignment, Refusal, TargetReplica};
use protocol::Str;
use protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use types::{ErrorCode, NodeId, PartitionIndex};

use super::{Call, Finished, Outcome};
use crate::controller::{Command, CommandResult};

/// The first version in which a client may forbid that the number of replicas changes.
const FACTOR_SINCE: i16 = 1;

/// What a request that names too many partitions is told.
const EXCESSIVE: &str = "Unable to perform excessively large batch operation.";

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: AlterPartitionReassignmentsRequest,
) -> Outcome<AlterPartitionReassignmentsResponse> {
    let shard = Rc::clone(&call.shard);
    let audience = call.connection.audience.get();
    let target = |id: &i32| TargetReplica {
        named: NodeId(*id),
        place: shard.advertise().place_of(NodeId(*id), audience),
    };
    let partitions = request.topics.iter().map(|topic| topic.partitions.len());
    if partitions.sum::<usize>() > PARTITIONS_PER_REQUEST_MAX {
        return Outcome::Answer(AlterPartitionReassignmentsResponse {
            error_code: ErrorCode::PolicyViolation.code(),
            error_message: Some(EXCESSIVE.into()),
            ..AlterPartitionReassignmentsResponse::default()
        });
    }
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let name = topic.name.detached();
        wanted.extend(topic.partitions.iter().map(|partition| {
            let replicas = partition.replicas.as_ref();
            Reassignment {
                topic: name.clone(),
                partition: PartitionIndex(partition.partition_index),
                replicas: replicas.map(|ids| ids.iter().map(target).collect()),
            }
        }));
    }
    let allows_factor_change =
        call.version < FACTOR_SINCE || request.allow_replication_factor_change;
    let timeout = u64::try_from(request.timeout_ms).map_or(Duration::ZERO, Duration::from_millis);
    let command = Command::Reassign {
        wanted: wanted.clone(),
        allows_factor_change,
        deadline: shard.io.now() + timeout,
    };
    Outcome::Later(Box::pin(async move {
        let mut response = AlterPartitionReassignmentsResponse {
            allow_replication_factor_change: allows_factor_change,
            ..AlterPartitionReassignmentsResponse::default()
        };
        match shard.decide(command).await {
            CommandResult::Reassigned(verdicts) => {
                for (wanted, verdict) in wanted.into_iter().zip(verdicts) {
                    add(&mut response.responses, wanted, verdict.err());
                }
            }
            CommandResult::Refused(refusal) => {
                response.error_code = refusal.code.code();
                response.error_message = Some(refusal.message.into());
            }
            _ => response.error_code = ErrorCode::UnknownServerError.code(),
        }
        Finished::Answer(response)
    }))
}

/// Adds a partition to its topic, which is the last one or a new one.
fn add(
    topics: &mut Vec<ReassignableTopicResponse>,
    wanted: Reassignment,
    refusal: Option<Refusal>,
) {
    let answer = ReassignablePartitionResponse {
        partition_index: wanted.partition.0,
        error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
        error_message: refusal.map(|refusal| Str::from(refusal.message)),
    };
    match topics.last_mut() {
        Some(topic) if topic.name == wanted.topic => topic.partitions.push(answer),
        _ => topics.push(ReassignableTopicResponse {
            name: wanted.topic,
            partitions: vec![answer],
        }),
    }
}
