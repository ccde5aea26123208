//! Deciding which topics to create.
//!
//! Source: `org.apache.kafka.controller.ReplicationControlManager#createTopics` and
//! `kafka.server.ControllerApis#createTopics`: the order of the checks and their sentences are Kafka 4.3.1's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use protocol::Str;
use types::{ErrorCode, Uuid};

use crate::Decision;
use crate::assignment::{Assignment, ManualAssignment, check_manual, partition_records};
use crate::error::Refusal;
use crate::image::MetadataImage;
use crate::placement::{Load, Machine};
use crate::record::{ConfigRecord, MetadataRecord, RESOURCE_TOPIC, STRING_BYTES_MAX, TopicRecord};
use crate::topic_name::{CLUSTER_METADATA_TOPIC, metric_name, validate_topic_name};

/// The most partitions that one request may create, and the most records that it may cause.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// A topic that somebody wants to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: Str,
    /// The id that it gets: random, so that no other topic has or ever had it.
    pub id: Uuid,
    /// Its partitions; -1 leaves them to the broker or to `assignments`.
    pub partitions: i32,
    /// The machines that each partition is on; -1 leaves them to the broker or to `assignments`.
    pub replication_factor: i16,
    /// The replicas of each partition by its index, if the client chose them.
    pub assignments: Vec<(i32, ManualAssignment)>,
    /// Its own configuration values.
    pub configs: Vec<(Str, Option<Str>)>,
}

/// Says in Kafka's words why a topic cannot have a configuration.
pub type ConfigCheck<'a> = &'a dyn Fn(&[(Str, Option<Str>)]) -> Result<(), String>;

/// What the broker brings to the creation of topics.
#[derive(Clone, Copy)]
pub struct CreateTopicsRules<'a> {
    /// `num.partitions`.
    pub default_partitions: i32,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// Judges the configuration of each topic.
    pub check_configs: ConfigCheck<'a>,
    /// The machine that takes the decision.
    pub machine: &'a Machine,
}

impl fmt::Debug for CreateTopicsRules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateTopicsRules")
            .field("machine", self.machine)
            .finish_non_exhaustive()
    }
}

/// A topic that is created, or that could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: Uuid,
    /// Its partitions.
    pub partitions: i32,
    /// The machines that each partition is on.
    pub replication_factor: i16,
}

/// The verdict on every topic of a request, in its order.
pub type CreateTopicsReply = Vec<Result<CreatedTopic, Refusal>>;

/// Decides on a request: each topic on its own, all that can be created in one batch. For a request that only wants
/// to validate, the caller drops the records.
///
/// # Errors
///
/// `POLICY_VIOLATION` for all topics if the request is too large.
pub fn decide_create_topics(
    image: &MetadataImage,
    topics: &[NewTopic],
    rules: &CreateTopicsRules<'_>,
) -> Result<Decision<CreateTopicsReply>, Refusal> {
    if count_partitions(topics, rules.default_partitions) > PARTITIONS_PER_REQUEST_MAX {
        let message = "Excessively large number of partitions per request.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    let names = Names::of(image, topics);
    let mut load = Load::of(image, rules.machine);
    let mut records = Vec::new();
    let reply: CreateTopicsReply = topics
        .iter()
        .map(|topic| {
            names.check(image, topic)?;
            check_lengths(topic)?;
            (rules.check_configs)(&topic.configs)
                .map_err(|message| Refusal::new(ErrorCode::InvalidConfig, message))?;
            let assignments = assign(image, topic, rules, &mut load)?;
            let created = created(topic, &assignments)?;
            records.extend(records_of(topic, &assignments, rules.machine, &mut load));
            Ok(created)
        })
        .collect();
    excessive_batch(&records)?;
    Ok(Decision { records, reply })
}

/// Refuses a request that causes more records than Kafka puts into one batch.
///
/// # Errors
///
/// `POLICY_VIOLATION`.
pub(crate) fn excessive_batch(records: &[MetadataRecord]) -> Result<(), Refusal> {
    // Placements are this machine's own; Kafka has none, and counts the others.
    let counted = records
        .iter()
        .filter(|record| !matches!(record, MetadataRecord::Placement(_)))
        .count();
    if counted <= PARTITIONS_PER_REQUEST_MAX {
        return Ok(());
    }
    Err(excessive())
}

/// What a request that is too large is told.
pub(crate) fn excessive() -> Refusal {
    let message = "Unable to perform excessively large batch operation.";
    Refusal::new(ErrorCode::PolicyViolation, message)
}

fn count_partitions(topics: &[NewTopic], default_partitions: i32) -> usize {
    let partitions = |topic: &NewTopic| match topic.partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len(),
        -1 => usize::try_from(default_partitions).unwrap_or(0),
        partitions => usize::try_from(partitions).unwrap_or(0),
    };
    topics.iter().map(partitions).fold(0, usize::saturating_add)
}

/// The names that are taken: in metrics form those that exist, and the names and ids that a request has twice.
struct Names {
    existing: BTreeMap<String, Str>,
    repeated: BTreeSet<Str>,
    repeated_ids: BTreeSet<Uuid>,
}

impl Names {
    fn of(image: &MetadataImage, topics: &[NewTopic]) -> Self {
        let mut seen = BTreeSet::new();
        let repeated = topics
            .iter()
            .filter(|topic| !seen.insert(&topic.name))
            .map(|topic| topic.name.clone());
        let mut seen_ids = BTreeSet::new();
        let repeated_ids = topics
            .iter()
            .map(|topic| topic.id)
            .filter(|id| !seen_ids.insert(*id));
        // Only a name with one of the two characters can collide without being equal.
        let can_collide = |name: &Str| name.contains(['.', '_']);
        let wanted: BTreeSet<String> = topics
            .iter()
            .map(|topic| &topic.name)
            .filter(|name| can_collide(name))
            .map(|name| metric_name(name))
            .collect();
        let existing = image
            .topic_ids
            .keys()
            .filter(|name| !wanted.is_empty() && can_collide(name));
        let existing = existing
            .map(|name| (metric_name(name), name.clone()))
            .filter(|(form, _)| wanted.contains(form));
        Self {
            repeated: repeated.collect(),
            repeated_ids: repeated_ids.collect(),
            existing: existing.collect(),
        }
    }

    fn check(&self, image: &MetadataImage, topic: &NewTopic) -> Result<(), Refusal> {
        let name = &topic.name;
        if self.repeated.contains(name) {
            return Err(Refusal::new(
                ErrorCode::InvalidRequest,
                "Duplicate topic name.",
            ));
        }
        if &**name == CLUSTER_METADATA_TOPIC {
            let message = "Creation of internal topic __cluster_metadata is prohibited.";
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
        validate_topic_name(name)
            .map_err(|message| Refusal::new(ErrorCode::InvalidTopicException, message))?;
        if image.topic_named(name).is_some() {
            let message = format!("Topic '{}' already exists.", &**name);
            return Err(Refusal::new(ErrorCode::TopicAlreadyExists, message));
        }
        if let Some(existing) = self.existing.get(&metric_name(name)) {
            let message = format!(
                "Topic '{}' collides with existing topic: {}",
                &**name, &**existing
            );
            return Err(Refusal::new(ErrorCode::InvalidTopicException, message));
        }
        let is_taken = image.topic(topic.id).is_some() || self.repeated_ids.contains(&topic.id);
        if topic.id.is_zero() || is_taken {
            let message = format!("The topic id {} is in use; try again.", topic.id);
            return Err(Refusal::new(ErrorCode::UnknownServerError, message));
        }
        Ok(())
    }
}

/// Refuses strings that no metadata record can hold.
fn check_lengths(topic: &NewTopic) -> Result<(), Refusal> {
    for (key, value) in &topic.configs {
        let longest = key.len().max(value.as_ref().map_or(0, |value| value.len()));
        if longest > STRING_BYTES_MAX {
            let message = format!(
                "A configuration key or value has {longest} bytes; {STRING_BYTES_MAX} is the most."
            );
            return Err(Refusal::new(ErrorCode::InvalidConfig, message));
        }
    }
    Ok(())
}

/// The machines of every partition.
fn assign(
    image: &MetadataImage,
    topic: &NewTopic,
    rules: &CreateTopicsRules<'_>,
    load: &mut Load,
) -> Result<Vec<Assignment>, Refusal> {
    if !topic.assignments.is_empty() {
        return check_assignments(image, topic, rules.machine);
    }
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    }
    if topic.partitions < -1 || topic.partitions == 0 {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    }
    let partitions = if topic.partitions == -1 {
        rules.default_partitions
    } else {
        topic.partitions
    };
    let factor = match topic.replication_factor {
        -1 => rules.default_replication_factor,
        factor => factor,
    };
    let machines = image.brokers.len();
    let replicas = usize::try_from(factor).unwrap_or(0);
    if replicas == 0 || replicas > machines {
        let message = format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only {machines} broker(s) are registered or some brokers have all their log directories cordoned."
        );
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, message));
    }
    Ok((0..partitions)
        .map(|_| Assignment::on(load.choose_machines(replicas)))
        .collect())
}

fn check_assignments(
    image: &MetadataImage,
    topic: &NewTopic,
    machine: &Machine,
) -> Result<Vec<Assignment>, Refusal> {
    let set = |what: &str| {
        let message =
            format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Refusal::new(ErrorCode::InvalidRequest, message)
    };
    if topic.replication_factor != -1 {
        return Err(set("replication factor"));
    }
    if topic.partitions != -1 {
        return Err(set("numPartitions"));
    }
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    let mut assignments: BTreeMap<i32, Assignment> = BTreeMap::new();
    for (partition, manual) in &topic.assignments {
        if assignments.contains_key(partition) {
            return refuse(format!(
                "Found multiple manual partition assignments for partition {partition}"
            ));
        }
        let factor = assignments.values().next();
        let factor = factor.map(|earlier| earlier.replicas.len());
        let assignment = check_manual(image, machine, manual, factor)?;
        assignments.insert(*partition, assignment);
    }
    if assignments
        .keys()
        .zip(0..)
        .any(|(partition, expected)| *partition != expected)
    {
        return refuse("partitions should be a consecutive 0-based integer sequence".to_owned());
    }
    Ok(assignments.into_values().collect())
}

fn created(topic: &NewTopic, assignments: &[Assignment]) -> Result<CreatedTopic, Refusal> {
    let partitions = i32::try_from(assignments.len()).ok();
    let replication_factor = assignments.first().map_or(0, |first| first.replicas.len());
    let replication_factor = i16::try_from(replication_factor).ok();
    match (partitions, replication_factor) {
        (Some(partitions), Some(replication_factor)) => Ok(CreatedTopic {
            id: topic.id,
            partitions,
            replication_factor,
        }),
        _ => Err(Refusal::new(
            ErrorCode::InvalidPartitions,
            "There are too many partitions or replicas.",
        )),
    }
}

/// Kafka's order: the topic, its configuration, its partitions; each partition's placement follows it.
fn records_of(
    topic: &NewTopic,
    assignments: &[Assignment],
    machine: &Machine,
    load: &mut Load,
) -> Vec<MetadataRecord> {
    let mut records = vec![MetadataRecord::Topic(TopicRecord {
        name: topic.name.clone(),
        topic_id: topic.id,
    })];
    // Kafka keeps the last value of a key that comes twice.
    let configs: BTreeMap<&Str, &Option<Str>> = topic
        .configs
        .iter()
        .map(|(key, value)| (key, value))
        .collect();
    records.extend(configs.into_iter().map(|(key, value)| {
        MetadataRecord::Config(ConfigRecord {
            resource_type: RESOURCE_TOPIC,
            resource_name: topic.name.clone(),
            name: key.clone(),
            value: value.clone(),
        })
    }));
    for (partition_id, assignment) in (0..).zip(assignments) {
        records.extend(partition_records(
            topic.id,
            partition_id,
            assignment,
            machine,
            load,
        ));
    }
    records
}
