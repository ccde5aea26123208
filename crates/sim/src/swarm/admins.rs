//! Administrators that alter configurations, and move partitions between shards and logs between directories.

use std::collections::BTreeMap;
use std::io::Result;

use protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, DescribeConfigsRequest,
    IncrementalAlterConfigsRequest, MetadataRequest,
};

use super::stage::{Actor, succeed};
use crate::client::TOPIC;
use crate::node::paths;

const ALTER_CONFIGS_VERSION: i16 = 1;
const DESCRIBE_CONFIGS_VERSION: i16 = 4;
const REASSIGNMENTS_VERSION: i16 = 0;
const METADATA_VERSION: i16 = 9;
const ALTER_DIRECTORIES_VERSION: i16 = 2;
const TOPIC_RESOURCE: i8 = 2;
/// Where a topic's own value comes from in DescribeConfigs.
const TOPIC_SOURCE: i8 = 1;
/// Set in one request, always to the same value.
const KEYS: [&str; 2] = ["delete.retention.ms", "file.delete.delay.ms"];
const TIMEOUT_MS: i32 = 30_000;
const PAUSE_MAX_MS: u64 = 60;

/// Sets two keys to ever greater numbers, both at once.
pub(crate) async fn keep_altering(actor: Actor) {
    let (mut settled, mut sent) = (0_u64, 0_u64);
    while !actor.stage.is_finishing.get() {
        let done = if actor.rng.chance(1, 3) {
            look(&actor, &mut settled, sent).await
        } else {
            sent += 1;
            alter(&actor, sent).await.map(|()| settled = sent)
        };
        if let Err(error) = done {
            actor.tell(|| format!("{error}"));
            actor.back_off().await;
        }
        actor.pause(PAUSE_MAX_MS).await;
    }
    while let Err(error) = look(&actor, &mut settled, sent).await {
        actor.tell(|| format!("{error}"));
        actor.back_off().await;
    }
}

async fn alter(actor: &Actor, value: u64) -> Result<()> {
    let config = |key: &str| AlterableConfig {
        name: key.into(),
        config_operation: 0,
        value: Some(value.to_string().as_str().into()),
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: TOPIC.into(),
            configs: KEYS.map(config).to_vec(),
        }],
        validate_only: false,
    };
    // Where its connection broke, an older change could come after a newer one.
    let mut client = actor.connect().await;
    let response = client.call(ALTER_CONFIGS_VERSION, &request).await?;
    actor.stage.story.operation("alter configs");
    let mut answers = response.responses.iter();
    answers.try_for_each(|it| succeed(it.error_code))
}

async fn look(actor: &Actor, settled: &mut u64, sent: u64) -> Result<()> {
    let floor = *settled;
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: TOPIC.into(),
            configuration_keys: Some(KEYS.map(Into::into).to_vec()),
        }],
        ..DescribeConfigsRequest::default()
    };
    let mut client = actor.connect_far().await?;
    let response = client.call(DESCRIBE_CONFIGS_VERSION, &request).await?;
    actor.stage.story.operation("describe configs");
    let mut answers = response.results.iter();
    answers.try_for_each(|it| succeed(it.error_code))?;
    let configs = response.results.iter().flat_map(|result| &result.configs);
    let own = configs.filter(|config| config.config_source == TOPIC_SOURCE);
    let values: Vec<u64> = own
        .filter_map(|config| config.value.as_ref()?.parse().ok())
        .collect();
    let value = values.first().copied().unwrap_or(0);
    let is_whole = values.iter().all(|other| *other == value) && [0, 2].contains(&values.len());
    if !is_whole || !(floor..=sent).contains(&value) {
        let verdict = format!("the values are {values:?} and not within {floor}..={sent}");
        actor.stage.hold(Err(verdict));
    }
    *settled = value;
    Ok(())
}

/// Moves partitions to shards by chance; the epochs of their leaders never fall.
pub(crate) async fn keep_moving(actor: Actor) {
    let mut epochs = BTreeMap::new();
    while !actor.stage.is_finishing.get() {
        if let Err(error) = move_some(&actor, &mut epochs).await {
            actor.tell(|| format!("{error}"));
            actor.back_off().await;
        }
        actor.pause(PAUSE_MAX_MS).await;
    }
}

async fn move_some(actor: &Actor, epochs: &mut BTreeMap<i32, i32>) -> Result<()> {
    let shards = actor
        .stage
        .node
        .borrow()
        .as_ref()
        .map_or(1, |it| it.shards());
    let (topic, partition) = random_partition(actor);
    let shard = i32::try_from(actor.rng.index(shards)).expect("few shards");
    let request = AlterPartitionReassignmentsRequest {
        timeout_ms: TIMEOUT_MS,
        topics: vec![ReassignableTopic {
            name: topic.as_str().into(),
            partitions: vec![ReassignablePartition {
                partition_index: partition,
                // Shard k has this name in every mode.
                replicas: Some(vec![-1 - shard]),
            }],
        }],
        ..AlterPartitionReassignmentsRequest::default()
    };
    let mut client = actor.connect_far().await?;
    let response = client.call(REASSIGNMENTS_VERSION, &request).await?;
    actor.stage.story.operation("move partition");
    succeed(response.error_code)?;
    actor.tell(|| format!("{topic}-{partition} goes to shard {shard}"));
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(TOPIC.into()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let response = client.call(METADATA_VERSION, &request).await?;
    actor.stage.story.operation("metadata");
    for found in response.topics.iter().flat_map(|topic| &topic.partitions) {
        let before = epochs.insert(found.partition_index, found.leader_epoch);
        if before.is_some_and(|before| before > found.leader_epoch) {
            let verdict = format!("the leader's epoch fell from {before:?}: {found:?}");
            actor.stage.hold(Err(verdict));
        }
    }
    Ok(())
}

/// Moves logs to directories by chance.
pub(crate) async fn keep_moving_logs(actor: Actor) {
    let directories = actor.stage.mix.directories();
    while !actor.stage.is_finishing.get() {
        if let Err(error) = move_log(&actor, directories).await {
            actor.tell(|| format!("{error}"));
            actor.back_off().await;
        }
        actor.pause(PAUSE_MAX_MS).await;
    }
}

async fn move_log(actor: &Actor, directories: u8) -> Result<()> {
    let target = actor.rng.index(usize::from(directories));
    let path = paths(directories).nth(target);
    let path = path.expect("an index below their number");
    let (topic, partition) = random_partition(actor);
    let request = AlterReplicaLogDirsRequest {
        dirs: vec![AlterReplicaLogDir {
            path: path.as_str().into(),
            topics: vec![AlterReplicaLogDirTopic {
                name: topic.as_str().into(),
                partitions: vec![partition],
            }],
        }],
    };
    let mut client = actor.connect_far().await?;
    let response = client.call(ALTER_DIRECTORIES_VERSION, &request).await?;
    actor.stage.story.operation("move log");
    actor.tell(|| format!("the log of {topic}-{partition} goes to {path}"));
    let mut answers = response.results.iter().flat_map(|topic| &topic.partitions);
    answers.try_for_each(|it| succeed(it.error_code))
}

fn random_partition(actor: &Actor) -> (String, i32) {
    let kept = actor.stage.kept.borrow();
    if !kept.is_empty() && actor.rng.chance(1, 2) {
        return (kept[actor.rng.index(kept.len())].clone(), 0);
    }
    let count = usize::try_from(actor.stage.mix.partitions).expect("few partitions");
    let partition = i32::try_from(actor.rng.index(count)).expect("few partitions");
    (TOPIC.to_owned(), partition)
}
