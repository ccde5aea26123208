//! What clients were told, and what they may never be told again differently.

use std::collections::BTreeMap;

use records::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchIter, Compression, NewRecord, RecordIter, verify_crc,
};
use types::{ProducerEpoch, ProducerId, TimestampMs};

/// A record: its producer and its number among that producer's.
pub type RecordName = (u64, u64);

/// What is wrong, if something is.
pub type Verdict = Result<(), String>;

/// A batch of `count` records from `first` on; idempotent if there is a producer id.
///
/// # Panics
/// When a number does not fit a batch.
#[must_use]
pub fn batch(
    producer: u64,
    id: Option<i64>,
    (first, count): (u64, u64),
    len_bytes: usize,
) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    if let Some(id) = id {
        let sequence = i32::try_from(first).expect("few records");
        builder = builder.producer(ProducerId(id), ProducerEpoch(0), sequence);
    }
    for number in first..first + count {
        let mut value = [producer.to_be_bytes(), number.to_be_bytes()].concat();
        value.resize(16 + len_bytes, filler(producer, number));
        builder.push(&NewRecord {
            timestamp: TimestampMs(1_767_225_600_000),
            key: None,
            value: Some(&value),
            headers: &[],
        });
    }
    builder.build().expect("nothing is compressed")
}

fn filler(producer: u64, number: u64) -> u8 {
    let mixed = producer
        .wrapping_mul(7)
        .wrapping_add(number.wrapping_mul(31));
    u8::try_from(mixed % 251).expect("below 251")
}

/// What is known of one partition.
#[derive(Debug, Default)]
pub struct Partition {
    /// Acknowledged or read, by offset.
    facts: BTreeMap<i64, RecordName>,
}

impl Partition {
    /// Notes that the record `name` is at `offset` for ever.
    ///
    /// # Errors
    /// When something else was there.
    pub fn learn(&mut self, offset: i64, name: RecordName) -> Verdict {
        match self.facts.insert(offset, name) {
            Some(known) if known != name => {
                Err(format!("offset {offset} is {name:?} and was {known:?}"))
            }
            _ => Ok(()),
        }
    }

    /// The offset behind everything known.
    #[must_use]
    pub fn end(&self) -> i64 {
        let last = self.facts.last_key_value();
        last.map_or(0, |(offset, _)| offset + 1)
    }

    /// Learns from what a consumer has read from `offset` on; returns where it ends.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&mut self, offset: i64, bytes: &[u8]) -> Result<i64, String> {
        let mut next = offset;
        for (found, name) in decode(bytes)? {
            if found < offset {
                continue;
            }
            if found != next {
                return Err(format!("offset {found} follows {next}"));
            }
            self.learn(found, name)?;
            next += 1;
        }
        Ok(next)
    }

    /// Holds a whole partition against what was known below `known_end`, when its reading began: nothing is missing, nothing is there twice, and each
    /// producer's records stand in order.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, found: &BTreeMap<i64, RecordName>, known_end: i64) -> Verdict {
        for (offset, name) in self.facts.range(..known_end) {
            if found.get(offset) != Some(name) {
                let there = found.get(offset);
                return Err(format!("{name:?} was at {offset}, where now is {there:?}"));
            }
        }
        let mut next: BTreeMap<u64, u64> = BTreeMap::new();
        for (offset, (producer, number)) in found {
            let expected = next.entry(*producer).or_default();
            if number != expected {
                return Err(format!(
                    "at {offset}: record {number} of producer {producer} instead of {expected}"
                ));
            }
            *expected += 1;
        }
        Ok(())
    }
}

/// The records of whole batches, with their offsets.
///
/// # Errors
/// What is wrong with them.
pub fn decode(bytes: &[u8]) -> Result<Vec<(i64, RecordName)>, String> {
    let mut records = Vec::new();
    for batch in BatchIter::new(bytes) {
        let (header, batch) = batch.map_err(|error| error.to_string())?;
        let base = header.base_offset;
        verify_crc(batch).map_err(|error| format!("at {base}: {error}"))?;
        for record in RecordIter::new(&header, &batch[BATCH_HEADER_BYTES..]) {
            let record = record.map_err(|error| format!("at {base}: {error}"))?;
            let value = record.value.unwrap_or_default();
            let name = name(value).ok_or_else(|| format!("at {base}: a strange record"))?;
            records.push((record.offset.0, name));
        }
    }
    Ok(records)
}

fn name(value: &[u8]) -> Option<RecordName> {
    let (producer, rest) = value.split_first_chunk()?;
    let (number, rest) = rest.split_first_chunk()?;
    let name = (u64::from_be_bytes(*producer), u64::from_be_bytes(*number));
    let filler = filler(name.0, name.1);
    rest.iter().all(|byte| *byte == filler).then_some(name)
}
