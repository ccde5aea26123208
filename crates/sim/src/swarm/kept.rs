//! Logs that lose records on purpose: by request, because they are too much, or because newer ones have the same key. What
//! goes is what may go, and the rest is as it was.
//!
//! Each log has one writer, which is also the one that looks, so that it knows at every moment what must be there. Its
//! changes go over connections that nothing happens to, as those of [`super::topics`].
//!
//! # The rules
//! - No record has another offset than the one it was acknowledged or found at, and none that nobody sent is there.
//! - Records that were deleted by request do not come back; others than those that were asked for are not deleted.
//! - Retention leaves as many bytes as it was told to.
//! - Compaction leaves the last record of every key, unless that has no value.

use std::collections::BTreeMap;
use std::io::{Error, Result};

use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest};
use records::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchIter, Compression, NewRecord, RecordIter, verify_crc,
};
use types::{ErrorCode, TimestampMs};

use super::stage::{Actor, succeed};
use crate::client::{
    CREATE_TOPICS_VERSION, Client, FETCH_VERSION, PRODUCE_VERSION, creation, fetch_from, fetched,
    produce_to, produced,
};
use crate::oracle::Verdict;

const DELETE_RECORDS_VERSION: i16 = 2;
const LIST_OFFSETS_VERSION: i16 = 7;
const EARLIEST: i64 = -2;
const TIMEOUT_MS: i32 = 10_000;
const PAUSE_MAX_MS: u64 = 15;
const VALUE_MAX_BYTES: u64 = 2_000;
const RETENTION_BYTES: usize = 16_384;
const KEYS: u64 = 5;
const BATCH_RECORDS_MAX: u64 = 4;
const READS_MAX: u32 = 2_000;

/// Why records leave a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Somebody asks for it.
    Trimmed,
    /// The log is too large.
    Retained,
    /// Newer ones have their keys.
    Compacted,
}

/// A record: its number, its key, and whether it has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    number: u64,
    key: u64,
    has_value: bool,
}

/// What the writer knows of its log.
#[derive(Debug, Default)]
struct Known {
    /// Everything that was sent, by its number; numbers have no gaps.
    sent: Vec<Record>,
    /// Acknowledged or found, by offset.
    facts: BTreeMap<i64, Record>,
    /// Where what was acknowledged or found ends.
    end: i64,
    /// Records below this were deleted by an acknowledged request.
    trimmed: i64,
    /// The greatest offset that a request has named.
    asked: i64,
}

/// Writes and looks until faults are over; then looks once more.
pub(crate) async fn keep_log(actor: Actor, keeping: Keeping) {
    let topic = format!("kept-{keeping:?}").to_lowercase();
    let mut known = Known::default();
    let mut exists = false;
    while !actor.stage.is_finishing.get() {
        let done = if !exists {
            let created = create(&actor, &topic, keeping).await;
            exists = created.is_ok();
            created
        } else {
            step(&actor, &topic, (keeping, &mut known)).await
        };
        if let Err(error) = done {
            actor.tell(|| format!("{topic}: {error}"));
            actor.back_off().await;
        }
        actor.pause(PAUSE_MAX_MS).await;
    }
    while exists && let Err(error) = look(&actor, &topic, (keeping, &mut known)).await {
        actor.tell(|| format!("{topic}: {error}"));
        actor.back_off().await;
    }
}

async fn create(actor: &Actor, topic: &str, keeping: Keeping) -> Result<()> {
    let retention_bytes = RETENTION_BYTES.to_string();
    let configs: &[(&str, &str)] = match keeping {
        Keeping::Trimmed => &[],
        Keeping::Retained => &[("retention.bytes", &retention_bytes)],
        Keeping::Compacted => &[
            ("cleanup.policy", "compact"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("delete.retention.ms", "0"),
        ],
    };
    let request = creation(topic, 1, configs);
    let mut client = actor.connect().await;
    let response = client.call(CREATE_TOPICS_VERSION, &request).await?;
    actor.stage.story.operation("create topic");
    let code = response.topics.first().map_or(0, |it| it.error_code);
    if ErrorCode::from_code(code) != Some(ErrorCode::TopicAlreadyExists) {
        succeed(code)?;
    }
    actor.stage.kept.borrow_mut().push(topic.to_owned());
    Ok(())
}

async fn step(actor: &Actor, topic: &str, log: (Keeping, &mut Known)) -> Result<()> {
    let (keeping, known) = log;
    match actor.rng.below(12) {
        0 => look(actor, topic, (keeping, known)).await,
        1..3 if keeping == Keeping::Trimmed && known.end > known.trimmed => {
            trim(actor, topic, known).await
        }
        _ => write(actor, topic, (keeping, known)).await,
    }
}

async fn write(actor: &Actor, topic: &str, (keeping, known): (Keeping, &mut Known)) -> Result<()> {
    let first = known.sent.len();
    for _ in 0..actor.rng.between(1, BATCH_RECORDS_MAX) {
        known.sent.push(Record {
            number: u64::try_from(known.sent.len()).expect("few records"),
            key: actor.rng.below(KEYS),
            has_value: keeping != Keeping::Compacted || !actor.rng.chance(1, 6),
        });
    }
    let len = usize::try_from(actor.rng.magnitude(VALUE_MAX_BYTES)).expect("small");
    let bytes = batch(&known.sent[first..], len);
    let request = produce_to(topic, 0, bytes);
    let mut client = actor.connect().await;
    let response = produced(client.call(PRODUCE_VERSION, &request).await?);
    actor.stage.story.operation("produce");
    succeed(response.error_code)?;
    let base = response.base_offset;
    actor.tell(|| format!("{topic}: from number {first} on at {base}"));
    let mut verdict = Ok(());
    if base < known.end {
        verdict = Err(format!("{topic}: {base} follows {}", known.end));
    }
    let written: Vec<Record> = known.sent[first..].to_vec();
    for (offset, record) in (base..).zip(written) {
        verdict = verdict.and_then(|()| known.learn(topic, offset, record));
    }
    actor.stage.hold(verdict);
    Ok(())
}

fn batch(records: &[Record], len_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    for record in records {
        let mut value = record.number.to_be_bytes().to_vec();
        value.resize(8 + len_bytes, value[7]);
        let header = record.number.to_be_bytes();
        builder.push(&NewRecord {
            timestamp: TimestampMs(1_767_225_600_000),
            key: Some(&record.key.to_be_bytes()),
            value: record.has_value.then_some(&value),
            headers: &[(b"number", Some(&header))],
        });
    }
    builder.build().expect("nothing is compressed")
}

impl Known {
    fn learn(&mut self, topic: &str, offset: i64, record: Record) -> Verdict {
        let number = usize::try_from(record.number).ok();
        let sent = number.and_then(|number| self.sent.get(number));
        if sent != Some(&record) {
            return Err(format!(
                "{topic}: {record:?} at {offset}, and {sent:?} was sent"
            ));
        }
        self.end = self.end.max(offset + 1);
        match self.facts.insert(offset, record) {
            Some(fact) if fact != record => Err(format!(
                "{topic}: offset {offset} is {record:?} and was {fact:?}"
            )),
            _ => Ok(()),
        }
    }

    /// A whole log as it is now, from `start` to `end`, which ended at `known_end` at least when its reading began.
    fn check(
        &self,
        keeping: Keeping,
        (start, end): (i64, i64),
        (found, size_bytes): (&BTreeMap<i64, Record>, usize),
    ) -> Verdict {
        if end < self.end {
            return Err(format!("it ends at {end}, and {} was known", self.end));
        }
        let mut numbers = found.values().map(|record| record.number);
        if !numbers
            .clone()
            .zip(numbers.by_ref().skip(1))
            .all(|(a, b)| a < b)
        {
            return Err("its records are not in order".to_owned());
        }
        match keeping {
            Keeping::Trimmed if !(self.trimmed..=self.asked.max(0)).contains(&start) => {
                Err(format!(
                    "it begins at {start}, and {} was asked for, {} acknowledged",
                    self.asked, self.trimmed
                ))
            }
            Keeping::Trimmed => Self::check_whole((start, end), found),
            Keeping::Retained => {
                if start > 0 && size_bytes < RETENTION_BYTES {
                    return Err(format!("{size_bytes} bytes are left of {RETENTION_BYTES}"));
                }
                Self::check_whole((start, end), found)
            }
            Keeping::Compacted => self.check_keys(found),
        }
    }

    fn check_whole((start, end): (i64, i64), found: &BTreeMap<i64, Record>) -> Verdict {
        match (start..end).find(|offset| !found.contains_key(offset)) {
            Some(missing) => Err(format!("{missing} of {start}..{end} is missing")),
            None => Ok(()),
        }
    }

    fn check_keys(&self, found: &BTreeMap<i64, Record>) -> Verdict {
        let mut last: BTreeMap<u64, Record> = BTreeMap::new();
        last.extend(found.values().map(|record| (record.key, *record)));
        for key in 0..KEYS {
            let written: Vec<&Record> = self
                .facts
                .values()
                .filter(|record| record.key == key)
                .collect();
            let Some(newest) = written.iter().map(|record| record.number).max() else {
                continue;
            };
            let is_right = match last.get(&key) {
                Some(record) => record.number >= newest,
                // A tombstone may be gone, the newest known one or one that was never acknowledged.
                None => self.sent.iter().any(|record| {
                    record.key == key && record.number >= newest && !record.has_value
                }),
            };
            if !is_right {
                let there = last.get(&key);
                return Err(format!(
                    "number {newest} of key {key} is gone; {there:?} is there"
                ));
            }
        }
        Ok(())
    }
}

async fn trim(actor: &Actor, topic: &str, known: &mut Known) -> Result<()> {
    let count = u64::try_from(known.end - known.trimmed).expect("an end is behind");
    let before = known.trimmed + i64::try_from(actor.rng.between(1, count)).expect("few");
    known.asked = known.asked.max(before);
    let request = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic.into(),
            partitions: vec![DeleteRecordsPartition {
                partition_index: 0,
                offset: before,
            }],
        }],
        timeout_ms: TIMEOUT_MS,
    };
    let mut client = actor.connect().await;
    let response = client.call(DELETE_RECORDS_VERSION, &request).await?;
    actor.stage.story.operation("delete records");
    let mut answers = response.topics.iter().flat_map(|it| &it.partitions);
    let answer = answers.next();
    let answer = answer.ok_or_else(|| Error::other("no partition in the answer"))?;
    succeed(answer.error_code)?;
    actor.tell(|| format!("{topic}: begins at {before}"));
    let low = answer.low_watermark;
    if !(before..=known.asked).contains(&low) {
        let verdict = format!("{topic} begins at {low} after a request for {before}");
        actor.stage.hold(Err(verdict));
    }
    known.trimmed = known.trimmed.max(before);
    Ok(())
}

/// Reads everything and holds it against what is known. Records may leave while it is read; then it reads again.
async fn look(actor: &Actor, topic: &str, (keeping, known): (Keeping, &mut Known)) -> Result<()> {
    let mut client = actor.connect_far().await?;
    let start = earliest(actor, &mut client, topic).await?;
    let (end, found, size_bytes) = read(actor, &mut client, (topic, start)).await?;
    if earliest(actor, &mut client, topic).await? != start {
        return Ok(());
    }
    actor.stage.story.operation(match (keeping, start) {
        (Keeping::Compacted, _) if found.len() < known.facts.len() => "look at a compacted log",
        (Keeping::Compacted, _) | (_, 0) => "look at a whole log",
        (Keeping::Trimmed, _) => "look at a trimmed log",
        (Keeping::Retained, _) => "look at a retained log",
    });
    let mut verdict = Ok(());
    for (offset, record) in &found {
        verdict = verdict.and_then(|()| known.learn(topic, *offset, *record));
    }
    let checked = known.check(keeping, (start, end), (&found, size_bytes));
    let checked = checked.map_err(|reason| format!("{topic}: {reason}"));
    actor.stage.hold(verdict.and(checked));
    known.end = known.end.max(end);
    Ok(())
}

async fn earliest(actor: &Actor, client: &mut Client, topic: &str) -> Result<i64> {
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.into(),
            partitions: vec![ListOffsetsPartition {
                partition_index: 0,
                current_leader_epoch: -1,
                timestamp: EARLIEST,
            }],
        }],
        ..ListOffsetsRequest::default()
    };
    let response = client.call(LIST_OFFSETS_VERSION, &request).await?;
    actor.stage.story.operation("list offsets");
    let mut answers = response.topics.iter().flat_map(|it| &it.partitions);
    let answer = answers.next();
    let answer = answer.ok_or_else(|| Error::other("no partition in the answer"))?;
    succeed(answer.error_code)?;
    Ok(answer.offset)
}

async fn read(
    actor: &Actor,
    client: &mut Client,
    (topic, start): (&str, i64),
) -> Result<(i64, BTreeMap<i64, Record>, usize)> {
    let (mut found, mut size_bytes) = (BTreeMap::new(), 0);
    let mut next = start;
    for _ in 0..READS_MAX {
        let request = fetch_from(topic, 0, next, 0, 1 << 20);
        let response = client.call(FETCH_VERSION, &request).await?;
        actor.stage.story.operation("fetch");
        let data = fetched(response).map_err(|code| Error::other(format!("error {code}")))?;
        let bytes = data.records.unwrap_or_default().into_bytes();
        let (end, records) = decode(&bytes).map_err(Error::other)?;
        found.extend(records.into_iter().filter(|(offset, _)| *offset >= next));
        if next >= data.high_watermark || end.is_none() {
            return Ok((data.high_watermark, found, size_bytes));
        }
        size_bytes += bytes.len();
        next = end.unwrap_or(next).max(next);
    }
    Err(Error::other(format!("{topic} does not end at {next}")))
}

type Decoded = (Option<i64>, Vec<(i64, Record)>);

/// Where the batches end, and their records.
fn decode(bytes: &[u8]) -> std::result::Result<Decoded, String> {
    let (mut end, mut found) = (None, Vec::new());
    for batch in BatchIter::new(bytes) {
        let (header, batch) = batch.map_err(|error| error.to_string())?;
        verify_crc(batch).map_err(|error| error.to_string())?;
        for record in RecordIter::new(&header, &batch[BATCH_HEADER_BYTES..]) {
            let record = record.map_err(|error| error.to_string())?;
            let number = |bytes: Option<&[u8]>| {
                let bytes = bytes.and_then(|bytes| bytes.first_chunk());
                bytes.map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes))
            };
            let mut headers = record.headers();
            let header = headers.next();
            found.push((
                record.offset.0,
                Record {
                    number: number(header.and_then(|header| header.value)),
                    key: number(record.key),
                    has_value: record.value.is_some(),
                },
            ));
        }
        end = Some(header.last_offset().0 + 1);
    }
    Ok((end, found))
}
