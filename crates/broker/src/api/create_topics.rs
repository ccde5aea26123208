//! CreateTopics (key 19, versions 2 to 7).
//!
//! Source: KIP-4, KIP-464, KIP-525; `ReplicationControlManager.createTopics` and `KafkaApis` of Kafka 4.3.1.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use io::Io;
use metadata::{CreatedTopic, ManualAssignment, NewTopic, Refusal};
use protocol::Str;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use types::{NodeId, ShardId};

use super::journal::Who;
use super::{Call, Finished, Outcome};
use crate::controller::{Command, CommandResult, random_uuid};
use crate::shard::Shard;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: CreateTopicsRequest,
) -> Outcome<CreateTopicsResponse> {
    let shard = Rc::clone(&call.shard);
    let who = Who::of(&call);
    let topics: Vec<_> = request
        .topics
        .iter()
        .map(|topic| new_topic(&call, topic))
        .collect();
    let validate_only = request.validate_only;
    drop(request);
    Outcome::Later(Box::pin(async move {
        let command = Command::CreateTopics {
            topics: topics.clone(),
            validate_only,
        };
        let verdicts = match shard.decide(command).await {
            CommandResult::CreatedTopics(verdicts) => verdicts,
            CommandResult::Refused(refusal) => {
                topics.iter().map(|_| Err(refusal.clone())).collect()
            }
            _ => Vec::new(),
        };
        if !validate_only {
            let created = topics.iter().zip(&verdicts);
            let created = created.filter_map(|(topic, verdict)| {
                let partitions = verdict.as_ref().ok()?.partitions;
                Some(format!("{} ({partitions})", topic.name))
            });
            who.has(&shard, "created topics, with partitions", created);
        }
        // Kafka answers a name that is there twice once.
        let mut seen = BTreeSet::new();
        let results = topics
            .iter()
            .zip(verdicts)
            .filter(|(topic, _)| seen.insert(&topic.name))
            .map(|(topic, verdict)| match verdict {
                Ok(created) => success(&shard, topic, created, validate_only),
                Err(refusal) => failure(topic, refusal),
            });
        Finished::Answer(CreateTopicsResponse {
            throttle_time_ms: 0,
            topics: results.collect(),
        })
    }))
}

/// The topic in memory of its own, since the request's frame is not kept.
fn new_topic<I: Io>(call: &Call<I>, topic: &CreatableTopic) -> NewTopic {
    NewTopic {
        name: topic.name.detached(),
        id: random_uuid(&call.shard.io),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic
            .assignments
            .iter()
            .map(|assignment| {
                let manual = manual_assignment(call, &assignment.broker_ids);
                (assignment.partition_index, manual)
            })
            .collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| {
                (
                    config.name.detached(),
                    config.value.as_ref().map(Str::detached),
                )
            })
            .collect(),
    }
}

/// The machines that a client chose, and the shard that it means if it sees shards as nodes.
pub(super) fn manual_assignment<I: Io>(call: &Call<I>, ids: &[i32]) -> ManualAssignment {
    let advertise = call.shard.advertise();
    let audience = call.connection.audience.get();
    let shards = ids
        .iter()
        .map(|id| advertise.shard_of(NodeId(*id), audience));
    let shards: Vec<Option<ShardId>> = shards.collect();
    let brokers = ids.iter().zip(&shards).map(|(id, shard)| match shard {
        Some(_) => advertise.machine().0,
        None => *id,
    });
    ManualAssignment {
        brokers: brokers.collect(),
        shard: shards.into_iter().flatten().next(),
    }
}

fn success<I: Io>(
    shard: &Shard<I>,
    topic: &NewTopic,
    created: CreatedTopic,
    validate_only: bool,
) -> CreatableTopicResult {
    let overrides: BTreeMap<&str, &str> = topic
        .configs
        .iter()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_ref()?.as_str())))
        .collect();
    let configs = shard
        .config()
        .describe_topic(overrides)
        .into_iter()
        .map(|entry| CreatableTopicConfigs {
            name: entry.name.into(),
            value: entry.value.map(Into::into),
            read_only: entry.read_only,
            config_source: entry.source.code(),
            is_sensitive: entry.is_sensitive,
        });
    CreatableTopicResult {
        name: topic.name.clone(),
        topic_id: if validate_only {
            types::Uuid::ZERO
        } else {
            created.id
        },
        num_partitions: created.partitions,
        replication_factor: created.replication_factor,
        configs: Some(configs.collect()),
        ..CreatableTopicResult::default()
    }
}

fn failure(topic: &NewTopic, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name.clone(),
        error_code: refusal.code.code(),
        error_message: Some(refusal.message.into()),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopicResult::default()
    }
}
