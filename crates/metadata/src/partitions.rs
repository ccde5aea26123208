//! Deciding about further partitions of topics.
//!
//! Source: `org.apache.kafka.controller.ReplicationControlManager#createPartitions` and
//! `kafka.server.ControllerApis#createPartitions`: the order of the checks and their sentences are Kafka 4.3.1's.

use std::collections::BTreeSet;

use protocol::Str;
use types::ErrorCode;

use crate::Decision;
use crate::assignment::{Assignment, ManualAssignment, check_manual, partition_records};
use crate::create::{PARTITIONS_PER_REQUEST_MAX, excessive_batch};
use crate::error::Refusal;
use crate::image::{MetadataImage, TopicImage};
use crate::placement::{Load, Machine};
use crate::record::MetadataRecord;

/// A topic that somebody wants to have more partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub name: Str,
    /// How many partitions it is to have altogether.
    pub count: i32,
    /// Where each new one goes, in the order of their indexes, if the client chose.
    pub assignments: Option<Vec<ManualAssignment>>,
}

/// The verdict on every topic of a request: first on those that it names twice, each once, then on the others in its
/// order.
pub type CreatePartitionsReply = Vec<(Str, Result<(), Refusal>)>;

/// Decides on a request: each topic on its own, all that can grow in one batch. For a request that only wants to
/// validate, the caller drops the records.
///
/// # Errors
///
/// `POLICY_VIOLATION` for all topics if the request is too large.
pub fn decide_create_partitions(
    image: &MetadataImage,
    topics: &[NewPartitions],
    machine: &Machine,
) -> Result<Decision<CreatePartitionsReply>, Refusal> {
    let mut seen = BTreeSet::new();
    let repeated: BTreeSet<&Str> = topics
        .iter()
        .map(|topic| &topic.name)
        .filter(|name| !seen.insert(*name))
        .collect();
    let duplicate = || Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name.");
    let mut reply: CreatePartitionsReply = repeated
        .iter()
        .map(|name| ((*name).clone(), Err(duplicate())))
        .collect();
    let mut load = Load::of(image, machine);
    let mut records = Vec::new();
    for topic in topics
        .iter()
        .filter(|topic| !repeated.contains(&topic.name))
    {
        let added = grow(image, topic, machine, &mut load, records.len());
        let verdict = added.map(|added| records.extend(added));
        reply.push((topic.name.clone(), verdict));
    }
    excessive_batch(&records)?;
    Ok(Decision { records, reply })
}

/// The records of one topic's new partitions. `earlier` is how many records the request has caused already.
fn grow(
    image: &MetadataImage,
    wanted: &NewPartitions,
    machine: &Machine,
    load: &mut Load,
    earlier: usize,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let Some(topic) = image.topic_named(&wanted.name) else {
        let code = ErrorCode::UnknownTopicOrPartition;
        // Kafka says no more.
        return Err(Refusal::new(code, ""));
    };
    let (present, additional) = count(topic, wanted)?;
    // Placing tens of thousands of partitions, only to refuse them, would keep others waiting.
    if earlier.saturating_add(additional) > 2 * PARTITIONS_PER_REQUEST_MAX {
        let message = "Excessively large number of partitions per request.";
        return Err(Refusal::new(ErrorCode::PolicyViolation, message));
    }
    let assignments = assign(image, topic, wanted, machine, load, additional)?;
    let indexes = i32::try_from(present).unwrap_or(i32::MAX)..;
    let records = indexes.zip(&assignments).flat_map(|(index, assignment)| {
        partition_records(topic.id, index, assignment, machine, load)
    });
    Ok(records.collect())
}

/// How many partitions there are, and how many are wanted beside them.
fn count(topic: &TopicImage, wanted: &NewPartitions) -> Result<(usize, usize), Refusal> {
    let present = topic.partitions.len();
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidPartitions, message));
    match usize::try_from(wanted.count) {
        Ok(count) if count == present => {
            refuse(format!("Topic already has {present} partition(s)."))
        }
        Ok(count) if count > present => Ok((present, count - present)),
        _ => refuse(format!(
            "The topic {} currently has {present} partition(s); {} would not be an increase.",
            &*wanted.name, wanted.count
        )),
    }
}

fn assign(
    image: &MetadataImage,
    topic: &TopicImage,
    wanted: &NewPartitions,
    machine: &Machine,
    load: &mut Load,
    additional: usize,
) -> Result<Vec<Assignment>, Refusal> {
    let factor = topic
        .partitions
        .first()
        .map_or(1, |first| first.replicas.len());
    let Some(manual) = &wanted.assignments else {
        let on = |_| Assignment::on(load.choose_machines(factor));
        return Ok((0..additional).map(on).collect());
    };
    if manual.len() != additional {
        let message = format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
            manual.len()
        );
        return Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, message));
    }
    manual
        .iter()
        .map(|manual| check_manual(image, machine, manual, Some(factor)))
        .collect()
}
