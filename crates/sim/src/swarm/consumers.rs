//! Consumers that follow a partition, and the reading of a whole one.

use std::collections::BTreeMap;
use std::io::{Error, Result};

use types::ErrorCode;

use super::stage::Actor;
use crate::client::{Client, FETCH_VERSION, TOPIC, fetch_from, fetched};
use crate::oracle::RecordName;

const WAIT_MS: i32 = 100;
const FETCHED_MAX_BYTES: u64 = 100_000;
const PAUSE_MAX_MS: u64 = 10;
/// Requests that read one partition.
const READS_MAX: u32 = 2_000;

/// Follows a partition until it is over.
pub(crate) async fn keep_consuming(actor: Actor, partition: i32) {
    let mut offset = 0;
    while !actor.stage.is_over.get() {
        if let Ok(mut client) = actor.connect_far().await {
            let consumed = consume_on(&actor, &mut client, partition, &mut offset).await;
            if let Err(error) = consumed {
                actor.tell(|| format!("begins again at {offset}: {error}"));
            }
        }
        actor.back_off().await;
    }
}

async fn consume_on(
    actor: &Actor,
    client: &mut Client,
    partition: i32,
    offset: &mut i64,
) -> Result<()> {
    let history = &actor.stage.history;
    while !actor.stage.is_over.get() {
        let max_bytes = i32::try_from(actor.rng.magnitude(FETCHED_MAX_BYTES)).expect("small");
        let floor = history.borrow().high_watermark(partition);
        let request = fetch_from(TOPIC, partition, *offset, WAIT_MS, max_bytes);
        let response = client.call(FETCH_VERSION, &request).await?;
        actor.stage.story.operation("fetch");
        let data = match fetched(response) {
            Ok(data) => data,
            Err(code) => {
                if code == ErrorCode::OffsetOutOfRange.code() && *offset <= floor {
                    let gone = format!("offset {offset} of {partition} is gone, {floor} was known");
                    actor.stage.hold(Err(gone));
                }
                return Err(Error::other(format!("error {code}")));
            }
        };
        let bytes = data.records.unwrap_or_default().into_bytes();
        let heard = (floor, data.high_watermark);
        let read = history.borrow_mut().read(partition, *offset, &bytes, heard);
        match read {
            Ok(next) => {
                if next > *offset {
                    actor.tell(|| format!("has read {partition} from {offset} to {next}"));
                }
                *offset = next;
            }
            Err(reason) => {
                actor.stage.hold(Err(reason));
                return Ok(());
            }
        }
        if actor.rng.chance(1, 20) {
            *offset = 0;
        }
        actor.pause(PAUSE_MAX_MS).await;
        if actor.rng.chance(1, 50) {
            // Another connection, perhaps to another shard.
            return Ok(());
        }
    }
    Ok(())
}

/// Reads a partition from its start to its high watermark and holds it against everything known.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn read_all(
    actor: &Actor,
    partition: i32,
) -> std::result::Result<BTreeMap<i64, RecordName>, String> {
    let mut client = actor.connect().await;
    let history = &actor.stage.history;
    let mark = history.borrow().mark(partition);
    let mut end = 0;
    for _ in 0..READS_MAX {
        let request = fetch_from(TOPIC, partition, end, 0, 1 << 20);
        let response = client.call(FETCH_VERSION, &request).await;
        let response = response.map_err(|error| format!("check of {partition}: {error}"))?;
        let data = fetched(response)
            .map_err(|code| format!("check of {partition} at {end}: error {code}"))?;
        let bytes = data.records.unwrap_or_default().into_bytes();
        let heard = (mark.high_watermark, data.high_watermark);
        let next = history.borrow_mut().read(partition, end, &bytes, heard)?;
        if next == end && end < data.high_watermark {
            return Err(format!("{partition} cannot be read at {end}"));
        }
        end = next;
        if end >= data.high_watermark {
            let history = history.borrow();
            let known = (0..end).filter_map(|offset| {
                let name = history.fact(partition, offset)?;
                Some((offset, name))
            });
            let found: BTreeMap<i64, RecordName> = known.collect();
            if mark.end > end {
                let known = mark.end;
                return Err(format!("{partition} ends at {end}, and {known} was known"));
            }
            history.check(partition, &found, &mark)?;
            return Ok(found);
        }
    }
    Err(format!("{partition} does not end at {end}"))
}
