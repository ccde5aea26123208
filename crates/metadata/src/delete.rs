//! Deciding which topics to delete.
//!
//! Source: `kafka.server.ControllerApis#deleteTopics`; the sentences are Kafka 4.3.1's.

use std::collections::BTreeMap;

use protocol::Str;
use types::{ErrorCode, Uuid};

use crate::Decision;
use crate::error::Refusal;
use crate::image::MetadataImage;
use crate::record::{MetadataRecord, RemoveTopicRecord};

/// A topic as a request names it: by name or by id, the other one `None` or zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSelector {
    /// The name.
    pub name: Option<Str>,
    /// The id.
    pub id: Uuid,
}

/// The verdict on one selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// The topic's name, if it is known.
    pub name: Option<Str>,
    /// The topic's id, or zero.
    pub id: Uuid,
    /// Whether it is deleted.
    pub verdict: Result<(), Refusal>,
}

/// Decides on a request: each topic on its own, all that can be deleted in one batch. The reply has the order of the
/// request.
#[must_use]
pub fn decide_delete_topics(
    image: &MetadataImage,
    selectors: &[TopicSelector],
) -> Decision<Vec<DeletedTopic>> {
    let repeated = Repeated::of(image, selectors);
    let mut decision = Decision {
        records: Vec::new(),
        reply: Vec::new(),
    };
    for selector in selectors {
        let deleted = match select(image, selector, &repeated) {
            Ok((name, id)) => {
                decision
                    .records
                    .push(MetadataRecord::RemoveTopic(RemoveTopicRecord {
                        topic_id: id,
                    }));
                DeletedTopic {
                    name: Some(name),
                    id,
                    verdict: Ok(()),
                }
            }
            Err(refusal) => DeletedTopic {
                name: selector.name.clone(),
                id: selector.id,
                verdict: Err(refusal),
            },
        };
        decision.reply.push(deleted);
    }
    decision
}

/// How often each topic is named.
struct Repeated<'a> {
    names: BTreeMap<&'a Str, usize>,
    ids: BTreeMap<Uuid, usize>,
    /// The ids of the topics that are named by name.
    ids_of_names: BTreeMap<Uuid, usize>,
}

impl<'a> Repeated<'a> {
    fn of(image: &MetadataImage, selectors: &'a [TopicSelector]) -> Self {
        let mut repeated = Self {
            names: BTreeMap::new(),
            ids: BTreeMap::new(),
            ids_of_names: BTreeMap::new(),
        };
        for selector in selectors {
            match &selector.name {
                Some(name) => {
                    *repeated.names.entry(name).or_default() += 1;
                    if let Some(topic) = image.topic_named(name) {
                        *repeated.ids_of_names.entry(topic.id).or_default() += 1;
                    }
                }
                None => *repeated.ids.entry(selector.id).or_default() += 1,
            }
        }
        repeated
    }
}

fn select(
    image: &MetadataImage,
    selector: &TopicSelector,
    repeated: &Repeated<'_>,
) -> Result<(Str, Uuid), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    match &selector.name {
        Some(_) if !selector.id.is_zero() => {
            invalid("You may not specify both topic name and topic id.")
        }
        None if selector.id.is_zero() => invalid("Neither topic name nor id were specified."),
        Some(name) if repeated.names.get(name).is_some_and(|count| *count > 1) => {
            invalid("Duplicate topic name.")
        }
        None if repeated
            .ids
            .get(&selector.id)
            .is_some_and(|count| *count > 1) =>
        {
            invalid("Duplicate topic id.")
        }
        Some(name) => match image.topic_named(name) {
            Some(topic) if repeated.ids.contains_key(&topic.id) => {
                invalid("The provided topic name maps to an ID that was already supplied.")
            }
            Some(topic) => Ok((topic.name.clone(), topic.id)),
            None => {
                let message = "This server does not host this topic-partition.";
                Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, message))
            }
        },
        None => match image.topic(selector.id) {
            Some(topic) if repeated.ids_of_names.contains_key(&topic.id) => {
                invalid("The provided topic name maps to an ID that was already supplied.")
            }
            Some(topic) => Ok((topic.name.clone(), topic.id)),
            None => Err(Refusal::new(
                ErrorCode::UnknownTopicId,
                "This server does not host this topic ID.",
            )),
        },
    }
}
