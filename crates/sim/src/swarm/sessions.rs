//! A consumer with a fetch session: it names a partition again only where something has changed, and still gets everything.
//!
//! Source: KIP-227, `FetchSessionHandler` of Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, Result};

use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use protocol::messages::{FetchRequest, FetchResponse};

use super::stage::{Actor, succeed};
use crate::client::{Client, FETCH_VERSION, TOPIC};

const WAIT_MS: i32 = 50;
const FETCHED_MAX_BYTES: u64 = 50_000;
const PAUSE_MAX_MS: u64 = 10;

/// What it knows of a session.
#[derive(Debug, Default)]
struct Session {
    id: i32,
    /// 0 asks for a new one.
    epoch: i32,
    /// Partitions in it, each with the offset that the broker was told.
    told: BTreeMap<i32, i64>,
}

/// Follows all partitions until it is over and everything that is known was read.
pub(crate) async fn keep_consuming(actor: Actor) {
    let mut offsets: BTreeMap<i32, i64> = (0..actor.stage.mix.partitions)
        .map(|partition| (partition, 0))
        .collect();
    while !is_done(&actor, &offsets) {
        let mut client = actor.connect_unknown().await;
        let consumed = consume_on(&actor, &mut client, &mut offsets).await;
        if let Err(error) = consumed {
            actor.tell(|| format!("begins again at {offsets:?}: {error}"));
        }
        actor.back_off().await;
    }
}

fn is_done(actor: &Actor, offsets: &BTreeMap<i32, i64>) -> bool {
    let history = actor.stage.history.borrow();
    let has_all = |(at, to): (&i32, &i64)| *to >= history.high_watermark(*at);
    actor.stage.is_over.get() && offsets.iter().all(has_all)
}

async fn consume_on(
    actor: &Actor,
    client: &mut Client,
    offsets: &mut BTreeMap<i32, i64>,
) -> Result<()> {
    let mut session = Session::default();
    while !is_done(actor, offsets) {
        let request = request(actor, &mut session, offsets);
        let floors: BTreeMap<i32, i64> = {
            let history = actor.stage.history.borrow();
            let floors = offsets.keys().map(|at| (*at, history.high_watermark(*at)));
            floors.collect()
        };
        let response = client.call(FETCH_VERSION, &request).await?;
        actor.stage.story.operation("session fetch");
        succeed(response.error_code)?;
        session.id = response.session_id;
        // Without an id every request is a whole one.
        session.epoch = if session.id == 0 {
            0
        } else {
            session.epoch + 1
        };
        take(actor, response, (offsets, &floors))?;
        actor.pause(PAUSE_MAX_MS).await;
        if actor.rng.chance(1, 30) && !actor.stage.is_over.get() {
            // Somebody seeks.
            offsets.values_mut().for_each(|offset| *offset = 0);
        }
        if actor.rng.chance(1, 50) {
            return Ok(());
        }
    }
    Ok(())
}

fn request(actor: &Actor, session: &mut Session, offsets: &BTreeMap<i32, i64>) -> FetchRequest {
    // Now and then a partition is put aside.
    let is_aside = |_: &i32| !actor.stage.is_over.get() && actor.rng.chance(1, 10);
    let aside: BTreeSet<i32> = offsets.keys().copied().filter(is_aside).collect();
    if session.epoch == 0 {
        session.told.clear();
    }
    let forgotten: Vec<i32> = session.told.keys().copied().collect();
    let forgotten: Vec<i32> = forgotten
        .into_iter()
        .filter(|at| aside.contains(at))
        .collect();
    let max_bytes = if actor.stage.is_over.get() {
        FETCHED_MAX_BYTES
    } else {
        actor.rng.magnitude(FETCHED_MAX_BYTES)
    };
    let max_bytes = i32::try_from(max_bytes).expect("small");
    let mut partitions = Vec::new();
    for (partition, offset) in offsets.iter().filter(|(at, _)| !aside.contains(at)) {
        if session.told.insert(*partition, *offset) != Some(*offset) {
            partitions.push(FetchPartition {
                partition: *partition,
                current_leader_epoch: -1,
                fetch_offset: *offset,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: max_bytes,
                ..FetchPartition::default()
            });
        }
    }
    for partition in &forgotten {
        session.told.remove(partition);
    }
    let topic = |partitions: Vec<FetchPartition>| FetchTopic {
        topic: TOPIC.into(),
        partitions,
        ..FetchTopic::default()
    };
    let forgotten_topic = |partitions: Vec<i32>| ForgottenTopic {
        topic: TOPIC.into(),
        partitions,
        ..ForgottenTopic::default()
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms: WAIT_MS,
        min_bytes: 1,
        max_bytes: max_bytes.saturating_mul(2),
        session_id: session.id,
        session_epoch: session.epoch,
        topics: Some(partitions)
            .filter(|it| !it.is_empty())
            .map(topic)
            .into_iter()
            .collect(),
        forgotten_topics_data: Some(forgotten)
            .filter(|it| !it.is_empty())
            .map(forgotten_topic)
            .into_iter()
            .collect(),
        ..FetchRequest::default()
    }
}

fn take(
    actor: &Actor,
    response: FetchResponse,
    (offsets, floors): (&mut BTreeMap<i32, i64>, &BTreeMap<i32, i64>),
) -> Result<()> {
    for data in response.responses.into_iter().flat_map(|it| it.partitions) {
        let partition = data.partition_index;
        let Some(offset) = offsets.get_mut(&partition) else {
            let verdict = format!("nobody asked for {partition}");
            actor.stage.hold(Err(verdict));
            return Err(Error::other("not asked for"));
        };
        if data.error_code != 0 {
            return Err(Error::other(format!("error {}", data.error_code)));
        }
        let bytes = data.records.unwrap_or_default().into_bytes();
        let heard = (floors[&partition], data.high_watermark);
        let mut history = actor.stage.history.borrow_mut();
        match history.read(partition, *offset, &bytes, heard) {
            Ok(next) => *offset = next,
            Err(reason) => {
                drop(history);
                actor.stage.hold(Err(reason));
                return Err(Error::other("broken"));
            }
        }
    }
    Ok(())
}
