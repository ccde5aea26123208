//! Every record that was ever appended, by offset: what compaction may leave out, and what it may not.

use std::collections::BTreeMap;

use records::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, NewRecord, RecordIter, ValidBatch,
    decompressed_records,
};
use sim::Rng;
use types::{DurationMs, Offset, ProducerEpoch, ProducerId, TimestampMs};

/// Keys that writers choose from most of the time.
const KEYS: u64 = 10;

/// Keys that are written now and then, so that a tombstone is the last that is heard of one.
const RARE_KEYS: u64 = 100;

/// A record's content: `None` is a tombstone.
pub(crate) type Content = (u8, Option<u64>);

/// A batch that a producer has made.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Content>,
}

impl Batch {
    pub(crate) fn draw(rng: &Rng, producer: i64, sequence: i32, now: TimestampMs) -> Self {
        let codec = Compression::ALL[rng.index(Compression::ALL.len())];
        let id = ProducerId(producer);
        let mut builder = BatchBuilder::new(codec).producer(id, ProducerEpoch(0), sequence);
        let records: Vec<Content> = (0..rng.between(1, 4))
            .map(|_| {
                let is_rare = rng.chance(1, 8);
                let key = if is_rare {
                    KEYS + rng.below(RARE_KEYS)
                } else {
                    rng.below(KEYS)
                };
                let key = u8::try_from(key).expect("few keys");
                (key, (!rng.chance(1, 4)).then(|| rng.next()))
            })
            .collect();
        let padding = vec![7; usize::try_from(rng.magnitude(400)).expect("small")];
        for (key, value) in &records {
            let value = value.map(|value| [&value.to_be_bytes()[..], &padding].concat());
            builder.push(&NewRecord {
                timestamp: now,
                key: Some(&[*key]),
                value: value.as_deref(),
                headers: &[],
            });
        }
        let bytes = builder.build().expect("compression in memory works");
        Self { bytes, records }
    }

    pub(crate) fn valid(&self) -> ValidBatch {
        let header = BatchHeader::parse(&self.bytes).expect("a batch of our own");
        ValidBatch {
            header,
            max_timestamp: header.max_timestamp,
            max_timestamp_offset_delta: header.last_offset_delta,
            replacement: None,
        }
    }
}

/// The records of a stored batch.
pub(crate) fn records_of(
    header: &BatchHeader,
    batch: &[u8],
) -> Result<Vec<(Offset, Content)>, String> {
    let mut scratch = Vec::new();
    let records = if header.record_count == 0 {
        &batch[BATCH_HEADER_BYTES..]
    } else {
        decompressed_records(header, batch, &mut scratch, 1 << 20).map_err(|it| it.to_string())?
    };
    let mut found = Vec::new();
    for record in RecordIter::new(header, records) {
        let record = record.map_err(|error| error.to_string())?;
        let key = record.key.and_then(|key| key.first().copied());
        let value = match record.value {
            None => None,
            Some(value) => {
                let number = value.first_chunk().ok_or("a value was cut")?;
                Some(u64::from_be_bytes(*number))
            }
        };
        found.push((record.offset, (key.ok_or("a key is missing")?, value)));
    }
    Ok(found)
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    content: Content,
    appended_at: TimestampMs,
}

/// What the log has taken.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    promised: usize,
    pub(crate) duplicates: u64,
    pub(crate) tombstones_gone: u64,
}

macro_rules! hold {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err(format!($($reason)+));
        }
    };
}

fn index(offset: Offset) -> usize {
    usize::try_from(offset.0).expect("offsets are not negative")
}

impl Ledger {
    /// Notes that the log has taken `batch` at `base`.
    pub(crate) fn appended(
        &mut self,
        batch: &Batch,
        base: Offset,
        duplicate: bool,
        now: TimestampMs,
    ) -> Result<(), String> {
        let base = index(base);
        if duplicate {
            self.duplicates += 1;
            let known = self.entries.get(base..base + batch.records.len());
            let known: Vec<_> = known.into_iter().flatten().map(|it| it.content).collect();
            hold!(known == batch.records, "at {base} is another batch");
            return Ok(());
        }
        let end = self.entries.len();
        hold!(base == end, "appended at {base} instead of {end}");
        let entry = |content: &Content| Entry {
            content: *content,
            appended_at: now,
        };
        self.entries.extend(batch.records.iter().map(entry));
        Ok(())
    }

    pub(crate) fn promised(&mut self, end: Offset) {
        self.promised = self.promised.max(index(end));
    }

    /// Holds the end of a recovered log against what was promised.
    pub(crate) fn recovered(&mut self, end: Offset) -> Result<(), String> {
        let end = index(end);
        let (promised, known) = (self.promised, self.entries.len());
        hold!(
            end >= promised,
            "the log ends at {end}, {promised} was promised"
        );
        hold!(end <= known, "the log ends at {end}, beyond {known}");
        self.entries.truncate(end);
        Ok(())
    }

    /// A record is where it was appended.
    pub(crate) fn check_record(&self, offset: Offset, content: &Content) -> Result<(), String> {
        let entry = self.entries.get(index(offset));
        hold!(
            entry.is_some_and(|entry| entry.content == *content),
            "{content:?} at {offset}, where {entry:?} was appended"
        );
        Ok(())
    }

    /// The newest value of each key before `end`.
    fn newest(&self, end: Offset) -> BTreeMap<u8, (usize, Entry)> {
        let entries = self.entries[..index(end)].iter().enumerate();
        entries
            .map(|(at, entry)| (entry.content.0, (at, *entry)))
            .collect()
    }

    /// What a consumer knows that has read up to `end`, if it was not slower than tombstones are kept.
    pub(crate) fn check_state(&self, state: &BTreeMap<u8, u64>, end: Offset) -> Result<(), String> {
        for (key, (at, entry)) in self.newest(end) {
            let known = state.get(&key).copied();
            hold!(
                known == entry.content.1,
                "a consumer that has read up to {end} has {known:?} for key {key}, whose newest record at {at} is {entry:?}"
            );
        }
        Ok(())
    }

    /// Everything that a log holds, read while nothing changed.
    pub(crate) fn check_all(
        &mut self,
        found: &[(Offset, Content)],
        end: Offset,
        now: TimestampMs,
        delete_retention: DurationMs,
    ) -> Result<(), String> {
        let mut last_of_key: BTreeMap<u8, usize> = BTreeMap::new();
        let mut previous = None;
        for (offset, content) in found {
            self.check_record(*offset, content)?;
            hold!(Some(*offset) > previous, "{offset} follows {previous:?}");
            previous = Some(*offset);
            last_of_key.insert(content.0, index(*offset));
        }
        for (key, (at, entry)) in self.newest(end) {
            let found = last_of_key.get(&key).copied();
            if found == Some(at) {
                continue;
            }
            let is_tombstone = entry.content.1.is_none();
            hold!(
                is_tombstone,
                "the newest record {entry:?} of key {key} at {at} is lost"
            );
            hold!(
                found.is_none(),
                "key {key}, deleted at {at}, is back at {found:?}"
            );
            let age = now.0 - entry.appended_at.0;
            hold!(
                age >= delete_retention.0,
                "the tombstone of key {key} at {at} went after {age} ms"
            );
            self.tombstones_gone += 1;
        }
        Ok(())
    }
}
