//! Making and reading batches.

use std::io::Write as _;

use bytes::Bytes;
use proptest::prelude::*;
use records::{
    BatchBuilder, BatchHeader, Compression, CompressionLevels, InvalidBatch, NewRecord,
    ProduceRules, RecordIter, Scratch, TimestampType, ValidBatch, ValidationLevel,
    decompressed_records, validate_produce,
};
use types::{ProducerEpoch, ProducerId, TimestampMs};

pub(crate) const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

/// The most that the tests let a batch be when decompressed.
pub(crate) const DECOMPRESSED_MAX_BYTES: usize = 8 << 20;

/// Kafka's defaults.
pub(crate) fn rules() -> ProduceRules {
    ProduceRules {
        level: ValidationLevel::Full,
        batch_size_max_bytes: 1 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        requires_keys: false,
        compression: None,
        levels: CompressionLevels::default(),
        allows_zstd: true,
        decompressed_max_bytes: DECOMPRESSED_MAX_BYTES,
    }
}

pub(crate) fn validate(batch: &[u8], rules: &ProduceRules) -> Result<ValidBatch, InvalidBatch> {
    validate_produce(batch, rules, NOW, &mut Scratch::default())
}

/// A record in memory of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plain {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Plain {
    pub(crate) fn of_value(value: &[u8]) -> Self {
        Self {
            timestamp: NOW.0,
            key: None,
            value: Some(value.to_vec()),
            headers: vec![],
        }
    }
}

/// Any record that the default rules permit.
pub(crate) fn plain() -> impl Strategy<Value = Plain> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let header = (proptest::collection::vec(any::<u8>(), 0..8), bytes());
    let headers = proptest::collection::vec(header, 0..3);
    (-1_000_000i64..1_000_000, bytes(), bytes(), headers).prop_map(
        |(delta, key, value, headers)| Plain {
            timestamp: NOW.0 + delta,
            key,
            value,
            headers,
        },
    )
}

pub(crate) fn codec() -> impl Strategy<Value = Compression> {
    proptest::sample::select(&Compression::ALL[..])
}

pub(crate) fn build_with(mut builder: BatchBuilder, records: &[Plain]) -> Vec<u8> {
    for record in records {
        let header = |(key, value): &'_ (Vec<u8>, Option<Vec<u8>>)| (key.clone(), value.clone());
        let headers: Vec<_> = record.headers.iter().map(header).collect();
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_deref()))
            .collect();
        builder.push(&NewRecord {
            timestamp: TimestampMs(record.timestamp),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        });
    }
    builder.build().expect("compression in memory works")
}

/// A batch of an idempotent producer.
pub(crate) fn build(codec: Compression, records: &[Plain]) -> Vec<u8> {
    build_with(
        BatchBuilder::new(codec).producer(ProducerId(7), ProducerEpoch(1), 5),
        records,
    )
}

/// A batch of one record that is nothing but a value.
pub(crate) fn one(value: &[u8], codec: Compression) -> Vec<u8> {
    build(codec, &[Plain::of_value(value)])
}

/// All records of a batch.
pub(crate) fn read(batch: &[u8]) -> Vec<Plain> {
    let header = BatchHeader::parse(batch).expect("a whole batch");
    let mut scratch = Vec::new();
    let records = decompressed_records(&header, batch, &mut scratch, DECOMPRESSED_MAX_BYTES);
    let plain = |record: Result<records::Record<'_>, InvalidBatch>| {
        let record = record.expect("a readable record");
        Plain {
            timestamp: record.timestamp.0,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record
                .headers()
                .map(|it| (it.key.to_vec(), it.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    };
    RecordIter::new(&header, records.expect("it decompresses"))
        .map(plain)
        .collect()
}

/// What a log stores for a batch that was sent.
pub(crate) fn stored(sent: Vec<u8>, valid: &ValidBatch) -> Bytes {
    valid.replacement.clone().unwrap_or_else(|| sent.into())
}

/// The records of an uncompressed batch, as bytes.
pub(crate) fn body(records: &[Plain]) -> Vec<u8> {
    build(Compression::None, records).split_off(records::BATCH_HEADER_BYTES)
}

/// A batch with this body, whatever it is, and a header that fits it.
pub(crate) fn wrap(codec: Compression, record_count: i32, body: &[u8]) -> Vec<u8> {
    let mut batch = one(b"", Compression::None);
    batch.truncate(records::BATCH_HEADER_BYTES);
    batch.extend_from_slice(body);
    let length = i32::try_from(batch.len() - 12).expect("a small batch");
    set(&mut batch, 8, length.to_be_bytes());
    set(&mut batch, 21, codec.id().to_be_bytes());
    set(&mut batch, 23, record_count.wrapping_sub(1).to_be_bytes());
    set(&mut batch, 57, record_count.to_be_bytes());
    batch
}

/// Overwrites bytes, and makes the checksum right again.
pub(crate) fn set<const N: usize>(batch: &mut [u8], at: usize, bytes: [u8; N]) {
    batch[at..at + N].copy_from_slice(&bytes);
    let crc = records::crc_of(batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Compresses bytes that need not be records, each codec by its own library.
pub(crate) fn compress(codec: Compression, data: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => data.to_vec(),
        Compression::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(data).expect("memory takes all");
            encoder.finish().expect("memory takes all")
        }
        // A raw block, as some clients write it; the builder writes xerial's framing.
        Compression::Snappy => snap::raw::Encoder::new()
            .compress_vec(data)
            .expect("it is small"),
        Compression::Lz4 => lz4(lz4_flex::frame::FrameInfo::new(), data),
        Compression::Zstd => zstd::encode_all(data, 3).expect("memory takes all"),
    }
}

/// An LZ4 frame of this kind.
pub(crate) fn lz4(kind: lz4_flex::frame::FrameInfo, data: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(kind, Vec::new());
    encoder.write_all(data).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
