//! Batches that are made before the run, so that sending one costs a header and a checksum over it.
//!
//! A batch of any number of records is a header, written for each use, and the beginning of a ready-made body, whose
//! checksums are known for every record at which it may end. The two checksums are combined. Records that have room for it
//! begin with a [`Stamp`], which belongs to the part that is written for each use. With a codec, bodies are compressed
//! once for each number of records, when they are first needed, and have no stamps.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest, checksum, checksum_combine};
use records::{BATCH_HEADER_BYTES, BatchBuilder, BatchHeader, Compression, NewRecord, RecordIter};
use types::TimestampMs;

use super::{Chance, Keys, Nanos, Sizes, whole};

/// Bytes at the beginning of a batch's first value that say when its records were due.
pub(crate) const STAMP_BYTES: usize = 16;

/// Different bodies for each group, so that no cache and no codec sees the same one all the time.
const VARIANTS: usize = 4;

/// Ready-made bodies take at most this much.
const MEMORY_MAX_BYTES: usize = 1 << 30;

const CRC: CrcAlgorithm = CrcAlgorithm::Crc32Iscsi;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;

/// What bodies are made of.
#[derive(Clone, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) sizes: Sizes,
    pub(crate) compress_ratio: f64,
    pub(crate) codec: Compression,
    pub(crate) batch_bytes: usize,
    pub(crate) keys: Keys,
    pub(crate) seed: u64,
}

/// When the records of a batch were due; those in between at even distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) first: Nanos,
    pub(crate) last: Nanos,
}

/// What differs from one use of a body to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) count: usize,
    pub(crate) stamp: Stamp,
    pub(crate) timestamp: TimestampMs,
    /// Producer id, epoch, first sequence number.
    pub(crate) producer: (i64, i16, i32),
}

/// All bodies of a topic.
#[derive(Debug)]
pub(crate) struct Pool {
    groups: Vec<Group>,
    /// Weights of the groups, summed up; empty without keys.
    sums: Vec<f64>,
}

/// The bodies for one partition, or for all of them.
#[derive(Debug)]
pub(crate) struct Group {
    bodies: Vec<Body>,
}

/// Records, and where a batch of them may end.
#[derive(Debug)]
struct Body {
    codec: Compression,
    /// A whole batch without compression.
    batch: Bytes,
    /// What is written for each use: the header, and what stands before and in the stamp.
    head_bytes: usize,
    stamp_at: Option<usize>,
    /// For each number of records: the end, and the checksum from the head's end to there.
    ends: Vec<(usize, u64)>,
    packed: Vec<OnceLock<Option<Packed>>>,
}

/// A compressed body.
#[derive(Debug)]
struct Packed {
    records: Bytes,
    crc: u64,
}

impl Pool {
    /// Bodies for a topic of so many partitions.
    ///
    /// # Errors
    /// A sentence when they would take too much memory, and those of the codec.
    pub(crate) fn new(options: &PoolOptions, partitions: usize) -> Result<Arc<Self>, String> {
        let tables = options.keys.tables(partitions);
        let groups = tables.len().max(1);
        let needed = groups
            .saturating_mul(VARIANTS)
            .saturating_mul(options.batch_bytes);
        if needed > MEMORY_MAX_BYTES {
            return Err(format!(
                "ready-made batches for {groups} partitions would take {} MB; use smaller batches, fewer partitions or no keys",
                needed / 1_000_000
            ));
        }
        let mut chance = Chance::new(options.seed);
        let mut sums = Vec::new();
        let mut made = Vec::with_capacity(groups);
        for group in 0..groups {
            let table = tables.get(group);
            if let Some(table) = table {
                sums.push(sums.last().copied().unwrap_or(0.0) + table.weight());
            }
            let mut bodies = Vec::with_capacity(VARIANTS);
            for _ in 0..VARIANTS {
                let key = |chance: &mut Chance| table.and_then(|table| table.draw(chance));
                let body = Body::new(options, &mut chance, key);
                bodies.push(body.map_err(|error| format!("make batches: {error}"))?);
            }
            made.push(Group { bodies });
        }
        Ok(Arc::new(Self { groups: made, sums }))
    }

    /// The bodies of a partition.
    pub(crate) fn group(&self, partition: usize) -> &Group {
        self.groups.get(partition).unwrap_or(&self.groups[0])
    }

    /// Which partition the next batch goes to, where keys decide.
    pub(crate) fn choose(&self, chance: &mut Chance) -> Option<usize> {
        let total = self.sums.last()?;
        let wanted = chance.fraction() * total;
        Some(self.sums.partition_point(|sum| *sum <= wanted))
    }
}

impl Group {
    /// Records that a full batch has, for the body of this turn.
    pub(crate) fn full(&self, turn: usize) -> usize {
        self.bodies[turn % VARIANTS].ends.len()
    }

    /// A batch in pieces, and its size in bytes.
    pub(crate) fn batch(&self, turn: usize, one: &Use) -> (Vec<Bytes>, usize) {
        self.bodies[turn % VARIANTS].batch(one)
    }
}

impl Body {
    fn new(
        options: &PoolOptions,
        chance: &mut Chance,
        key: impl Fn(&mut Chance) -> Option<String>,
    ) -> io::Result<Self> {
        let mut builder = BatchBuilder::new(Compression::None);
        let mut ends = Vec::new();
        let mut first_value_bytes = 0;
        loop {
            let size = usize::try_from(options.sizes.draw(chance)).unwrap_or(usize::MAX);
            let is_first = builder.count() == 0;
            let needed = builder.uncompressed_len_bytes().saturating_add(size);
            if !is_first && needed > options.batch_bytes {
                break;
            }
            let value = payload(size, options.compress_ratio, chance);
            let key = key(chance);
            builder.push(&NewRecord {
                timestamp: TimestampMs(0),
                key: key.as_deref().map(str::as_bytes),
                value: Some(&value),
                headers: &[],
            });
            if is_first {
                first_value_bytes = size;
            }
            ends.push(builder.uncompressed_len_bytes());
        }
        let batch = Bytes::from(builder.build()?);
        // Behind the value stands the number of headers, one byte.
        let value_at = ends[0] - 1 - first_value_bytes;
        let has_stamp = options.codec == Compression::None && first_value_bytes >= STAMP_BYTES;
        let stamp_at = has_stamp.then_some(value_at);
        let head_bytes = stamp_at.map_or(BATCH_HEADER_BYTES, |at| at + STAMP_BYTES);
        let mut digest = Digest::new(CRC);
        let mut from = head_bytes;
        let ends: Vec<_> = ends
            .into_iter()
            .map(|end| {
                digest.update(&batch[from..end]);
                from = end;
                (end, digest.finalize())
            })
            .collect();
        Ok(Self {
            codec: options.codec,
            packed: ends.iter().map(|_| OnceLock::new()).collect(),
            batch,
            head_bytes,
            stamp_at,
            ends,
        })
    }

    fn batch(&self, one: &Use) -> (Vec<Bytes>, usize) {
        let count = one.count.clamp(1, self.ends.len());
        let packed = self.packed[count - 1].get_or_init(|| self.pack(count));
        let (body, body_crc, codec) = match packed {
            Some(packed) => (packed.records.clone(), packed.crc, self.codec),
            None => {
                let (end, crc) = self.ends[count - 1];
                (
                    self.batch.slice(self.head_bytes..end),
                    crc,
                    Compression::None,
                )
            }
        };
        let head_bytes = match codec {
            Compression::None => self.head_bytes,
            _ => BATCH_HEADER_BYTES,
        };
        let mut head = self.batch[..head_bytes].to_vec();
        let size = head.len() + body.len();
        let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
        let number = |number: usize| i32::try_from(number).expect("a batch is small");
        let (id, epoch, sequence) = one.producer;
        put(8, &number(size - 12).to_be_bytes());
        put(ATTRIBUTES_AT, &codec.id().to_be_bytes());
        put(23, &number(count - 1).to_be_bytes());
        put(27, &one.timestamp.0.to_be_bytes());
        put(35, &one.timestamp.0.to_be_bytes());
        put(43, &id.to_be_bytes());
        put(51, &epoch.to_be_bytes());
        put(53, &sequence.to_be_bytes());
        put(57, &number(count).to_be_bytes());
        if let Some(at) = self.stamp_at.filter(|_| codec == Compression::None) {
            put(at, &one.stamp.first.to_be_bytes());
            put(at + 8, &one.stamp.last.to_be_bytes());
        }
        let head_crc = checksum(CRC, &head[ATTRIBUTES_AT..]);
        let crc = checksum_combine(CRC, head_crc, body_crc, body.len() as u64);
        let crc = u32::try_from(crc).expect("a checksum of 32 bits");
        head[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        (vec![Bytes::from(head), body], size)
    }

    /// The first `count` records, compressed; nothing where there is no codec.
    fn pack(&self, count: usize) -> Option<Packed> {
        if self.codec == Compression::None {
            return None;
        }
        let header = BatchHeader::parse(&self.batch).expect("it was built here");
        let mut builder = BatchBuilder::new(self.codec);
        for record in RecordIter::new(&header, &self.batch[BATCH_HEADER_BYTES..]).take(count) {
            let record = record.expect("it was built here");
            builder.push(&NewRecord {
                timestamp: TimestampMs(0),
                key: record.key,
                value: record.value,
                headers: &[],
            });
        }
        let batch = Bytes::from(builder.build().ok()?);
        let records = batch.slice(BATCH_HEADER_BYTES..);
        Some(Packed {
            crc: checksum(CRC, &records),
            records,
        })
    }
}

/// When the records of an uncompressed batch were due, if its first value can hold that.
pub(crate) fn stamp_of(batch: &[u8], header: &BatchHeader) -> Option<Stamp> {
    if header.is_compressed() {
        return None;
    }
    let mut rest = batch.get(BATCH_HEADER_BYTES..)?;
    // Length; attributes are one byte; time and offset; then key and value with their lengths.
    varlong(&mut rest)?;
    rest = rest.get(1..)?;
    varlong(&mut rest)?;
    varlong(&mut rest)?;
    let key_bytes = varlong(&mut rest)?;
    rest = rest.get(usize::try_from(key_bytes.max(0)).ok()?..)?;
    let value_bytes = varlong(&mut rest)?;
    let value = rest.get(..usize::try_from(value_bytes).ok()?)?;
    Some(Stamp {
        first: Nanos::from_be_bytes(*value.first_chunk()?),
        last: Nanos::from_be_bytes(*value.get(8..)?.first_chunk()?),
    })
}

fn varlong(rest: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

/// Bytes that a codec makes smaller by about `ratio`: the first share is random, the rest is the same in all records.
fn payload(size: usize, ratio: f64, chance: &mut Chance) -> Vec<u8> {
    const TEXT: &[u8] = b"2026-11-21T08:00:00Z service=orders level=info region=eu-west-1 ";
    let random = usize::try_from(whole((size as f64 / ratio.max(1.0)).round()));
    let random = random.unwrap_or(size).min(size);
    let mut value: Vec<u8> = TEXT.iter().copied().cycle().take(size).collect();
    chance.fill(&mut value[..random]);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(codec: Compression) -> PoolOptions {
        PoolOptions {
            sizes: Sizes::Uniform { min: 50, max: 150 },
            compress_ratio: 4.0,
            codec,
            batch_bytes: 8192,
            keys: Keys::None,
            seed: 1,
        }
    }

    fn used(count: usize) -> Use {
        Use {
            count,
            stamp: Stamp { first: 5, last: 9 },
            timestamp: TimestampMs(1_700_000_000_000),
            producer: (7, 1, 40),
        }
    }

    #[test]
    fn batches_of_every_length_are_what_a_broker_accepts() {
        for codec in Compression::ALL {
            let pool = Pool::new(&options(codec), 1).expect("small");
            let full = pool.group(0).full(1);
            assert!(full > 50, "{full}");
            for count in [1, 2, full / 2, full] {
                let (pieces, size) = pool.group(0).batch(1, &used(count));
                let batch = pieces.concat();
                assert_eq!(batch.len(), size);
                records::verify_crc(&batch).expect("the checksum is right");
                let header = BatchHeader::parse(&batch).expect("a batch");
                assert_eq!(usize::try_from(header.record_count).ok(), Some(count));
                assert_eq!(header.last_sequence(), 39 + header.record_count);
                assert_eq!(readable_records(&batch), count, "{codec:?}");
                let stamp = stamp_of(&batch, &header);
                let expected = (codec == Compression::None).then_some(used(1).stamp);
                assert_eq!(stamp, expected);
            }
        }
    }

    /// How many records a reader finds in the batch.
    fn readable_records(batch: &[u8]) -> usize {
        let header = BatchHeader::parse(batch).expect("a batch");
        let mut scratch = Vec::new();
        let plain = records::decompressed_records(&header, batch, &mut scratch, 1 << 20);
        let plain = plain.expect("the codec's own output");
        RecordIter::new(&header, plain)
            .inspect(|record| assert!(record.is_ok(), "a record"))
            .count()
    }

    #[test]
    fn payloads_shrink_as_asked() {
        let large = PoolOptions {
            sizes: Sizes::Fixed(1000),
            ..options(Compression::Zstd)
        };
        let pool = Pool::new(&large, 1).expect("small");
        let full = pool.group(0).full(0);
        let (_, packed) = pool.group(0).batch(0, &used(full));
        let ratio = 8192.0 / packed as f64;
        assert!((2.5..6.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn too_many_batches_are_refused() {
        let keyed = PoolOptions {
            keys: Keys::Uniform { count: 10 },
            batch_bytes: 1 << 20,
            ..options(Compression::None)
        };
        assert!(Pool::new(&keyed, 1000).is_err_and(|text| text.contains("MB")));
    }

    #[test]
    fn keys_decide_where_batches_go() {
        let keyed = PoolOptions {
            keys: Keys::Uniform { count: 100 },
            ..options(Compression::None)
        };
        let pool = Pool::new(&keyed, 3).expect("small");
        let mut chance = Chance::new(1);
        let mut seen = [0; 3];
        for _ in 0..300 {
            seen[pool.choose(&mut chance).expect("keyed")] += 1;
        }
        assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    }
}
