//! An administrator that creates topics, writes to them, deletes them and creates them again: what was acknowledged is so,
//! and a topic is there with all of its partitions or not at all.
//!
//! Its changes go over connections that nothing happens to: what becomes of a change whose connection broke may be decided
//! long after the next look, and nobody could hold it against a broker.

use std::io::{Error, Result};

use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{DeleteTopicsRequest, MetadataRequest};
use types::{ErrorCode, Uuid};

use super::stage::{Actor, succeed};
use crate::client::{
    CREATE_TOPICS_VERSION, FETCH_VERSION, PRODUCE_VERSION, creation, fetch_from, fetched,
    produce_to, produced,
};
use crate::oracle::batch;

const DELETE_VERSION: i16 = 5;
const METADATA_VERSION: i16 = 12;
const NAMES: usize = 3;
const PARTITIONS: i32 = 3;
const TIMEOUT_MS: i32 = 10_000;
const PAUSE_MAX_MS: u64 = 30;

/// What the administrator knows of a topic; nobody else touches it.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Its id if it exists.
    id: Option<Uuid>,
    /// Acknowledged records of its last partition.
    records: i64,
    /// Records that may have been written all the same.
    unsure_records: i64,
    /// Whether a creation or deletion may have happened all the same.
    is_unsure: bool,
}

/// Changes topics until faults are over, and then looks at them once more.
pub(crate) async fn keep_changing(actor: Actor) {
    let names: Vec<String> = (0..NAMES)
        .map(|number| format!("fleeting-{}-{number}", actor.name))
        .collect();
    let mut topics = vec![Known::default(); NAMES];
    while !actor.stage.is_finishing.get() {
        let index = actor.rng.index(NAMES);
        if let Err(error) = change(&actor, &names[index], &mut topics[index]).await {
            actor.tell(|| format!("{}: {error}", names[index]));
            actor.back_off().await;
        }
        actor.pause(PAUSE_MAX_MS).await;
    }
    for (name, known) in names.iter().zip(&mut topics) {
        while let Err(error) = look(&actor, name, known).await {
            actor.tell(|| format!("{name}: {error}"));
            actor.back_off().await;
        }
    }
}

async fn change(actor: &Actor, name: &str, known: &mut Known) -> Result<()> {
    if known.is_unsure || actor.rng.chance(1, 4) {
        look(actor, name, known).await
    } else if known.id.is_none() {
        create(actor, name, known).await
    } else if actor.rng.chance(1, 4) {
        delete(actor, name, known).await
    } else {
        write(actor, name, known).await
    }
}

async fn create(actor: &Actor, name: &str, known: &mut Known) -> Result<()> {
    known.is_unsure = true;
    let request = creation(name, PARTITIONS, &[]);
    let mut client = actor.connect().await;
    let response = client.call(CREATE_TOPICS_VERSION, &request).await?;
    actor.stage.story.operation("create topic");
    let topic = response.topics.first();
    let topic = topic.ok_or_else(|| Error::other("no topic in the answer"))?;
    succeed(topic.error_code)?;
    actor.tell(|| format!("{name} is created"));
    *known = Known {
        id: Some(topic.topic_id),
        ..Known::default()
    };
    Ok(())
}

async fn delete(actor: &Actor, name: &str, known: &mut Known) -> Result<()> {
    known.is_unsure = true;
    let request = DeleteTopicsRequest {
        topic_names: vec![name.into()],
        timeout_ms: TIMEOUT_MS,
        ..DeleteTopicsRequest::default()
    };
    let mut client = actor.connect().await;
    let response = client.call(DELETE_VERSION, &request).await?;
    actor.stage.story.operation("delete topic");
    response
        .responses
        .iter()
        .try_for_each(|topic| succeed(topic.error_code))?;
    actor.tell(|| format!("{name} is deleted"));
    *known = Known::default();
    Ok(())
}

async fn write(actor: &Actor, name: &str, known: &mut Known) -> Result<()> {
    known.unsure_records += 1;
    let request = produce_to(name, PARTITIONS - 1, batch(0, None, (0, 1), 100));
    let mut client = actor.connect().await;
    let response = produced(client.call(PRODUCE_VERSION, &request).await?);
    actor.stage.story.operation("produce");
    succeed(response.error_code)?;
    let possible = known.records..known.records + known.unsure_records;
    let offset = response.base_offset;
    if !possible.contains(&offset) {
        let verdict = format!("{name}: offset {offset} is not within {possible:?}");
        actor.stage.hold(Err(verdict));
    }
    known.records = offset + 1;
    known.unsure_records = 0;
    Ok(())
}

/// Asks the broker and holds its answer against what is known.
async fn look(actor: &Actor, name: &str, known: &mut Known) -> Result<()> {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(name.into()),
            ..MetadataRequestTopic::default()
        }]),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    let mut client = actor.connect_far().await?;
    let response = client.call(METADATA_VERSION, &request).await?;
    actor.stage.story.operation("metadata");
    let topic = response.topics.first();
    let topic = topic.ok_or_else(|| Error::other("no topic in the answer"))?;
    let found = match ErrorCode::from_code(topic.error_code) {
        Some(ErrorCode::None) => Some(topic.topic_id),
        Some(ErrorCode::UnknownTopicOrPartition) => None,
        code => return Err(Error::other(format!("{code:?}"))),
    };
    let count = topic.partitions.len();
    if found.is_some() && i32::try_from(count) != Ok(PARTITIONS) {
        let verdict = format!("{name} has {count} of {PARTITIONS} partitions");
        actor.stage.hold(Err(verdict));
    }
    if !known.is_unsure && found != known.id {
        let was = known.id;
        let verdict = format!("{name} is {found:?}, and {was:?} was acknowledged");
        actor.stage.hold(Err(verdict));
    }
    if known.is_unsure && actor.stage.is_metadata_unsure.get() {
        // Only the next start decides.
        return Ok(());
    }
    if found != known.id {
        *known = Known {
            id: found,
            ..Known::default()
        };
    }
    known.is_unsure = false;
    if found.is_some() {
        look_inside(actor, name, known).await?;
    }
    Ok(())
}

async fn look_inside(actor: &Actor, name: &str, known: &Known) -> Result<()> {
    let request = fetch_from(name, PARTITIONS - 1, 0, 0, 1 << 20);
    let mut client = actor.connect_far().await?;
    let response = client.call(FETCH_VERSION, &request).await?;
    let data = fetched(response).map_err(|code| Error::other(format!("error {code}")))?;
    let end = data.high_watermark;
    let possible = known.records..=known.records + known.unsure_records;
    if !possible.contains(&end) {
        let verdict = format!("{name} ends at {end} and not within {possible:?}");
        actor.stage.hold(Err(verdict));
    }
    Ok(())
}
