//! CreatePartitions (key 37, versions 0 to 3).
//!
//! Source: KIP-195; `ReplicationControlManager.createPartitions` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use metadata::{NewPartitions, Refusal};
use protocol::Str;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use types::ErrorCode;

use super::create_topics::manual_assignment;
use super::journal::Who;
use super::{Call, Finished, Outcome};
use crate::controller::{Command, CommandResult};
use crate::groups::OFFSETS_TOPIC;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: CreatePartitionsRequest,
) -> Outcome<CreatePartitionsResponse> {
    let shard = Rc::clone(&call.shard);
    let who = Who::of(&call);
    let is_fixed = |topic: &&CreatePartitionsTopic| {
        topic.name == OFFSETS_TOPIC && shard.view().image.topic_named(OFFSETS_TOPIC).is_some()
    };
    let fixed = request.topics.iter().find(is_fixed).map(|_| fixed());
    let topics: Vec<_> = request
        .topics
        .iter()
        .filter(|topic| !is_fixed(topic))
        .map(|topic| new_partitions(&call, topic))
        .collect();
    let validate_only = request.validate_only;
    drop(request);
    Outcome::Later(Box::pin(async move {
        let command = Command::CreatePartitions {
            topics: topics.clone(),
            validate_only,
        };
        let verdicts = match shard.decide(command).await {
            CommandResult::CreatedPartitions(verdicts) => verdicts,
            CommandResult::Refused(refusal) => topics
                .into_iter()
                .map(|topic| (topic.name, Err(refusal.clone())))
                .collect(),
            _ => Vec::new(),
        };
        if !validate_only {
            let grown = verdicts.iter().filter(|(_, verdict)| verdict.is_ok());
            let grown = grown.map(|(name, _)| name.to_string());
            who.has(&shard, "added partitions to topics", grown);
        }
        Finished::Answer(CreatePartitionsResponse {
            throttle_time_ms: 0,
            results: verdicts.into_iter().map(result).chain(fixed).collect(),
        })
    }))
}

/// Which partition holds a group depends on how many there are: with another one, every group would be looked for where
/// it is not. Kafka grows the topic, and loses sight of its groups when it starts next.
fn fixed() -> CreatePartitionsTopicResult {
    let message = "The number of partitions of __consumer_offsets cannot be changed, since groups are found by it.";
    let refusal = Refusal::new(ErrorCode::InvalidPartitions, message);
    result((Str::from_static(OFFSETS_TOPIC), Err(refusal)))
}

/// The topic in memory of its own, since the request's frame is not kept.
fn new_partitions<I: Io>(call: &Call<I>, topic: &CreatePartitionsTopic) -> NewPartitions {
    let assignments = topic.assignments.as_ref().map(|assignments| {
        let assignments = assignments.iter();
        assignments
            .map(|assignment| manual_assignment(call, &assignment.broker_ids))
            .collect()
    });
    NewPartitions {
        name: topic.name.detached(),
        count: topic.count,
        assignments,
    }
}

fn result((name, verdict): (Str, Result<(), Refusal>)) -> CreatePartitionsTopicResult {
    let refusal = verdict.err();
    CreatePartitionsTopicResult {
        name,
        error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
        error_message: refusal
            .map(|refusal| refusal.message)
            .filter(|message| !message.is_empty())
            .map(Into::into),
    }
}
