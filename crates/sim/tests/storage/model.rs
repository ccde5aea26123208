//! What a log has to hold, kept beside the real one and across its crashes.

use std::collections::BTreeMap;

use records::{
    BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, BatchIter, Compression, CompressionLevels,
    NewRecord, ProduceRules, RecordIter, Scratch, TimestampType, ValidBatch, ValidationLevel,
    validate_produce,
};
use types::{Offset, ProducerEpoch, ProducerId, TimestampMs};

/// A record's number among those of its writer; the first eight bytes of its value.
pub(crate) type RecordNumber = u64;

/// A batch that a writer has made, and may send again after a crash.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) writer: usize,
    pub(crate) bytes: Vec<u8>,
    pub(crate) first: RecordNumber,
    pub(crate) count: u64,
}

impl Batch {
    /// `count` records from number `first` on with about `len_bytes` of value each.
    pub(crate) fn new(writer: usize, first: RecordNumber, count: u64, len_bytes: usize) -> Self {
        let id = ProducerId(1000 + i64::try_from(writer).expect("few writers"));
        let sequence = i32::try_from(first).expect("few records");
        let builder = BatchBuilder::new(Compression::None);
        let mut builder = builder.producer(id, ProducerEpoch(0), sequence);
        for number in first..first + count {
            builder.push(&NewRecord {
                timestamp: TimestampMs(1_767_225_600_000),
                key: None,
                value: Some(&value(writer, number, len_bytes)),
                headers: &[],
            });
        }
        Self {
            writer,
            bytes: builder.build().expect("nothing is compressed"),
            first,
            count,
        }
    }

    /// What validation says of it.
    pub(crate) fn valid(&self) -> ValidBatch {
        let rules = ProduceRules {
            level: ValidationLevel::Full,
            batch_size_max_bytes: usize::MAX,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: i64::MAX,
            requires_keys: false,
            compression: None,
            levels: CompressionLevels::default(),
            allows_zstd: true,
            decompressed_max_bytes: usize::MAX,
        };
        let now = TimestampMs(1_767_225_600_000);
        let valid = validate_produce(&self.bytes, &rules, now, &mut Scratch::default());
        valid.expect("a batch of our own")
    }
}

/// A value that tells which record it belongs to in every byte.
fn value(writer: usize, number: RecordNumber, len_bytes: usize) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    let filler = u8::try_from((number * 31 + writer as u64 * 7) % 251).expect("below 251");
    value.resize(8 + len_bytes, filler);
    value
}

/// A batch's place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    end: Offset,
    writer: usize,
    first: RecordNumber,
}

/// The log as it should be, by base offset, and what may never be lost of it.
#[derive(Debug, Default)]
pub(crate) struct Model {
    batches: BTreeMap<Offset, Placed>,
    /// Everything below was acknowledged or read.
    promised_end: Option<Offset>,
    /// Batches that were sent again and known, across all crashes.
    pub(crate) duplicates: u64,
    /// Batches that crashes took.
    pub(crate) lost: u64,
}

/// Why a log broke its promises.
pub(crate) type Verdict = Result<(), String>;

macro_rules! hold {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err(format!($($reason)+));
        }
    };
}

impl Model {
    pub(crate) fn end(&self) -> Offset {
        let last = self.batches.last_key_value();
        last.map_or(Offset(0), |(_, placed)| placed.end)
    }

    /// Where a batch ends in the log, if it is there.
    pub(crate) fn end_of(&self, batch: &Batch) -> Option<Offset> {
        let mut placed = self.batches.values();
        let found = placed.find(|it| it.writer == batch.writer && it.first == batch.first);
        found.map(|it| it.end)
    }

    /// Notes that the log has taken `batch` at `base`.
    pub(crate) fn appended(&mut self, batch: &Batch, base: Offset, duplicate: bool) -> Verdict {
        let placed = Placed {
            end: advance(base, batch.count),
            writer: batch.writer,
            first: batch.first,
        };
        if duplicate {
            self.duplicates += 1;
            let known = self.batches.get(&base);
            hold!(
                known == Some(&placed),
                "{placed:?} is no repetition of {known:?}"
            );
            return Ok(());
        }
        let end = self.end();
        hold!(base == end, "appended at {base} instead of {end}");
        let again = self.end_of(batch);
        hold!(again.is_none(), "{placed:?} was appended twice");
        self.batches.insert(base, placed);
        Ok(())
    }

    /// Notes that everything below `end` was promised to somebody.
    pub(crate) fn promised(&mut self, end: Offset) {
        self.promised_end = self.promised_end.max(Some(end));
    }

    /// Holds what a recovered log says of itself against the promises; what is beyond its end is forgotten.
    pub(crate) fn recovered(&mut self, end: Offset) -> Verdict {
        let promised = self.promised_end.unwrap_or(Offset(0));
        hold!(
            end >= promised,
            "the log ends at {end}, but {promised} was promised"
        );
        let expected = self.end();
        hold!(end <= expected, "the log ends at {end}, beyond {expected}");
        let beyond = self.batches.split_off(&end);
        self.lost += beyond.len() as u64;
        let found = self.end();
        hold!(
            found == end,
            "the log ends at {end}, inside a batch that ends at {found}"
        );
        Ok(())
    }

    /// Checks whole batches as they were read from `offset` on; returns where they end.
    pub(crate) fn check(&self, offset: Offset, bytes: &[u8]) -> Result<Offset, String> {
        let mut expected = offset;
        for batch in BatchIter::new(bytes) {
            let (header, batch) = batch.map_err(|error| format!("at {expected}: {error}"))?;
            records::verify_crc(batch).map_err(|error| format!("at {expected}: {error}"))?;
            let base = header.base_offset;
            hold!(
                base == expected || (expected == offset && base < offset),
                "a batch at {base} follows {expected}"
            );
            let placed = self.batches.get(&base);
            let placed = placed.ok_or_else(|| format!("nothing was appended at {base}"))?;
            let end = advance(header.last_offset(), 1);
            hold!(placed.end == end, "the batch at {base} ends at {end}");
            check_records(&header, batch, placed)?;
            expected = end;
        }
        Ok(expected)
    }

    /// Every writer's records are there once and in order.
    pub(crate) fn check_order(&self) -> Verdict {
        let mut next: BTreeMap<usize, RecordNumber> = BTreeMap::new();
        for (base, placed) in &self.batches {
            let expected = next.entry(placed.writer).or_default();
            hold!(placed.first == *expected, "{placed:?} follows {expected}");
            *expected += u64::try_from(placed.end.0 - base.0).expect("batches are not empty");
        }
        Ok(())
    }
}

fn check_records(header: &BatchHeader, batch: &[u8], placed: &Placed) -> Verdict {
    let base = header.base_offset;
    let records = &batch[BATCH_HEADER_BYTES..];
    for (number, record) in (placed.first..).zip(RecordIter::new(header, records)) {
        let record = record.map_err(|error| format!("at {base}: {error}"))?;
        let found = record.value.unwrap_or_default();
        let len_bytes = found.len().saturating_sub(8);
        hold!(
            found == value(placed.writer, number, len_bytes),
            "the batch at {base} of writer {} holds other records",
            placed.writer
        );
    }
    Ok(())
}

fn advance(offset: Offset, count: u64) -> Offset {
    Offset(offset.0 + i64::try_from(count).expect("few records"))
}
