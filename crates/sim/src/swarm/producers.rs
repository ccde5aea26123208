//! Producers: idempotent ones, which send again what was not acknowledged, and plain ones, which never do.

use std::collections::VecDeque;
use std::io::{Error, Result};

use protocol::messages::{InitProducerIdRequest, ProduceRequest};
use types::ErrorCode;

use super::stage::Actor;
use crate::client::{Client, PRODUCE_VERSION, TOPIC, produce_to, produced};
use crate::oracle::batch;

/// Kafka's `max.in.flight.requests.per.connection`.
const IN_FLIGHT_MAX: usize = 5;
const INIT_PRODUCER_ID_VERSION: i16 = 4;
const PAUSE_MAX_MS: u64 = 15;
const VALUE_MAX_BYTES: u64 = 3_000;
/// Names of plain producers begin here; each connection is a producer of its own.
const PLAIN_NAMES: u64 = 1 << 32;
/// Names of producers that want no acknowledgement.
const CARELESS_NAMES: u64 = 2 << 32;
/// Batches between two of a careless producer that it wants acknowledged.
const CARELESS_BATCHES_MAX: u64 = 12;
/// One batch of a plain producer out of this many arrives with another content than it was sent with.
const DAMAGED_ONE_IN: u64 = 12;

#[derive(Debug)]
struct Batch {
    bytes: Vec<u8>,
    first: u64,
    count: u64,
}

/// What one idempotent producer remembers from connection to connection.
#[derive(Debug)]
struct Producer {
    name: u64,
    partition: i32,
    id: Option<i64>,
    next: u64,
    unacknowledged: VecDeque<Batch>,
}

/// Produces until everything has been said and acknowledged.
pub(crate) async fn keep_producing(actor: Actor, name: u64, partition: i32) {
    let mut producer = Producer {
        name,
        partition,
        id: None,
        next: 0,
        unacknowledged: VecDeque::new(),
    };
    loop {
        let produced = match actor.connect_far().await {
            Ok(mut client) => produce_on(&actor, &mut producer, &mut client).await,
            Err(error) => Err(error),
        };
        match produced {
            Ok(()) => return,
            Err(error) => actor.tell(|| format!("begins again: {error}")),
        }
        actor.back_off().await;
    }
}

/// Produces on one connection until it breaks, a request fails, or everything has been said.
async fn produce_on(actor: &Actor, producer: &mut Producer, client: &mut Client) -> Result<()> {
    let id = match producer.id {
        Some(id) => id,
        None => init_producer_id(client).await?,
    };
    producer.id = Some(id);
    let again = producer.unacknowledged.len();
    let (mut in_flight, mut answered) = (0, 0);
    loop {
        while let Some(bytes) = next_batch(actor, producer, id, in_flight) {
            let request = request(actor, producer.partition, bytes);
            client.send(PRODUCE_VERSION, &request).await?;
            in_flight += 1;
        }
        if in_flight == 0 {
            return Ok(());
        }
        let response = client.receive::<ProduceRequest>(PRODUCE_VERSION).await?;
        actor.stage.story.operation("produce");
        let response = produced(response);
        let code = ErrorCode::from_code(response.error_code);
        take_answer(
            actor,
            producer,
            (code, response.base_offset),
            answered < again,
        )?;
        in_flight -= 1;
        answered += 1;
        actor.pause(PAUSE_MAX_MS).await;
    }
}

fn request(actor: &Actor, partition: i32, bytes: Vec<u8>) -> ProduceRequest {
    ProduceRequest {
        acks: if actor.rng.chance(1, 3) { 1 } else { -1 },
        ..produce_to(TOPIC, partition, bytes)
    }
}

fn take_answer(
    actor: &Actor,
    producer: &mut Producer,
    (code, base_offset): (Option<ErrorCode>, i64),
    may_be_known: bool,
) -> Result<()> {
    let Some(batch) = producer.unacknowledged.front() else {
        return Err(Error::other("an answer to no request"));
    };
    let (first, count) = (batch.first, batch.count);
    let history = &mut actor.stage.history.borrow_mut();
    match code {
        Some(ErrorCode::None) => {
            actor.tell(|| {
                let last = first + count - 1;
                let partition = producer.partition;
                format!("{first}..={last} are at {base_offset} of {partition}")
            });
            let learnt = history.acknowledged(producer.name, (first, count), base_offset);
            actor.stage.hold(learnt);
        }
        // The broker remembers the last batch across a restart, as Kafka's: what came before is refused.
        Some(ErrorCode::OutOfOrderSequenceNumber | ErrorCode::DuplicateSequenceNumber)
            if may_be_known =>
        {
            actor.tell(|| format!("{first} and on are known: {code:?}"));
            let learnt = history.known(producer.name, (first, count));
            actor.stage.hold(learnt);
        }
        code => return Err(Error::other(format!("{code:?}"))),
    }
    producer.unacknowledged.pop_front();
    Ok(())
}

async fn init_producer_id(client: &mut Client) -> Result<i64> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    let response = client.call(INIT_PRODUCER_ID_VERSION, &request).await?;
    super::stage::succeed(response.error_code)?;
    Ok(response.producer_id)
}

/// The batch to send when `in_flight` of the unacknowledged ones are under way.
fn next_batch(
    actor: &Actor,
    producer: &mut Producer,
    id: i64,
    in_flight: usize,
) -> Option<Vec<u8>> {
    if in_flight == IN_FLIGHT_MAX {
        return None;
    }
    if let Some(batch) = producer.unacknowledged.get(in_flight) {
        return Some(batch.bytes.clone());
    }
    if actor.stage.is_finishing.get() || (in_flight > 0 && actor.rng.chance(1, 3)) {
        return None;
    }
    let (first, count) = (producer.next, actor.rng.between(1, 5));
    let bytes = batch(producer.name, Some(id), (first, count), value_len(actor));
    producer.next += count;
    let mut history = actor.stage.history.borrow_mut();
    history.sends(producer.name, producer.partition, producer.next, true);
    producer.unacknowledged.push_back(Batch {
        bytes: bytes.clone(),
        first,
        count,
    });
    Some(bytes)
}

fn value_len(actor: &Actor) -> usize {
    usize::try_from(actor.rng.magnitude(VALUE_MAX_BYTES)).expect("small")
}

/// Produces each batch once, until it is over. Nobody knows what became of one that was not answered, so that each
/// connection is a producer of its own: only within it an order was promised.
pub(crate) async fn keep_producing_once(actor: Actor, number: u64, partition: i32) {
    let mut connections = 0;
    while !actor.stage.is_finishing.get() {
        let name = PLAIN_NAMES + (number << 16) + connections;
        connections += 1;
        if let Ok(mut client) = actor.connect_far().await
            && let Err(error) = produce_once_on(&actor, &mut client, (name, partition)).await
        {
            actor.tell(|| format!("begins again: {error}"));
        }
        actor.back_off().await;
    }
}

async fn produce_once_on(
    actor: &Actor,
    client: &mut Client,
    (name, partition): (u64, i32),
) -> Result<()> {
    let mut next = 0;
    while !actor.stage.is_finishing.get() {
        let (first, count) = (next, actor.rng.between(1, 5));
        let mut bytes = batch(name, None, (first, count), value_len(actor));
        let is_damaged = actor.rng.chance(1, DAMAGED_ONE_IN);
        if is_damaged {
            let last = bytes.len() - 2;
            bytes[last] ^= 0x10;
        }
        next += count;
        let history = &actor.stage.history;
        history.borrow_mut().sends(name, partition, next, false);
        let request = request(actor, partition, bytes);
        let response = client.call(PRODUCE_VERSION, &request).await?;
        actor.stage.story.operation("produce");
        let response = produced(response);
        if is_damaged && response.error_code == 0 {
            let taken = format!("a batch of {name} was damaged on its way, and taken");
            actor.stage.hold(Err(taken));
        }
        if is_damaged && response.error_code == ErrorCode::CorruptMessage.code() {
            actor.stage.story.fault("damaged batch");
            continue;
        }
        super::stage::succeed(response.error_code)?;
        actor.tell(|| {
            format!(
                "{first} and on are at {} of {partition}",
                response.base_offset
            )
        });
        let learnt = history
            .borrow_mut()
            .acknowledged(name, (first, count), response.base_offset);
        actor.stage.hold(learnt);
        actor.pause(PAUSE_MAX_MS).await;
    }
    Ok(())
}

/// Produces without acknowledgements. A broker closes a connection on which such a batch failed (Kafka's rule): when a later
/// one is acknowledged on it, all before it were taken.
pub(crate) async fn keep_producing_carelessly(actor: Actor, partition: i32) {
    let mut connections = 0;
    while !actor.stage.is_finishing.get() {
        let name = CARELESS_NAMES + connections;
        connections += 1;
        if let Ok(mut client) = actor.connect_far().await
            && let Err(error) = produce_carelessly_on(&actor, &mut client, (name, partition)).await
        {
            actor.tell(|| format!("begins again: {error}"));
        }
        actor.back_off().await;
    }
}

async fn produce_carelessly_on(
    actor: &Actor,
    client: &mut Client,
    (name, partition): (u64, i32),
) -> Result<()> {
    let mut next = 0;
    let history = &actor.stage.history;
    while !actor.stage.is_finishing.get() {
        let first = next;
        for _ in 0..actor.rng.between(1, CARELESS_BATCHES_MAX) {
            let count = actor.rng.between(1, 3);
            let bytes = batch(name, None, (next, count), value_len(actor));
            next += count;
            history.borrow_mut().sends(name, partition, next, false);
            let request = ProduceRequest {
                acks: 0,
                ..produce_to(TOPIC, partition, bytes)
            };
            client.send_unanswered(PRODUCE_VERSION, &request).await?;
            actor.stage.story.operation("produce without acks");
            actor.pause(PAUSE_MAX_MS).await;
        }
        let bytes = batch(name, None, (next, 1), value_len(actor));
        next += 1;
        history.borrow_mut().sends(name, partition, next, false);
        let request = produce_to(TOPIC, partition, bytes);
        let response = produced(client.call(PRODUCE_VERSION, &request).await?);
        actor.stage.story.operation("produce");
        super::stage::succeed(response.error_code)?;
        actor.tell(|| {
            let offset = response.base_offset;
            format!("{first} and on of {name} end at {offset} of {partition}")
        });
        let mut history = history.borrow_mut();
        let last = history.acknowledged(name, (next - 1, 1), response.base_offset);
        actor
            .stage
            .hold(last.and(history.known(name, (first, next - first))));
    }
    Ok(())
}
