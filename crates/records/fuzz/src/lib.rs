//! What the fuzz targets check; the ordinary tests run it too, over the committed corpora.
//!
//! The targets make the checksum right before they look, since chance would never find one.

use records::{
    BATCH_HEADER_BYTES, BatchHeader, BatchIter, Compression, CompressionLevels, InvalidBatch,
    ProduceRules, RecordIter, Scratch, TimestampType, ValidationLevel, crc_of,
    decompressed_records, validate_produce, verify_crc,
};
use types::TimestampMs;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);
const DECOMPRESSED_MAX_BYTES: usize = 1 << 20;

/// A batch as a client sends it: what is accepted is whole, and all of its records can be read.
pub fn validate(input: &[u8]) {
    let mut batch = input.to_vec();
    fit(&mut batch);
    let mut scratch = Scratch::default();
    for compression in [None, Some(Compression::None)] {
        let Ok(valid) = validate_produce(&batch, &rules(compression), NOW, &mut scratch) else {
            continue;
        };
        let stored = valid.replacement.as_deref().unwrap_or(&batch);
        verify_crc(stored).expect("what is stored has the right checksum");
        assert_eq!(BatchHeader::parse(stored), Ok(valid.header));
        let count = read(stored).expect("what is accepted can be read");
        assert_eq!(i32::try_from(count), Ok(valid.header.record_count));
    }
}

/// Compressed data behind a byte that names its codec: what comes out is bounded, and the same twice.
pub fn decompress(input: &[u8]) {
    let Some((codec, data)) = input.split_first() else {
        return;
    };
    let mut batch = vec![0; BATCH_HEADER_BYTES];
    batch[16] = 2;
    batch[22] = codec & 7;
    batch.extend_from_slice(data);
    fit(&mut batch);
    let header = BatchHeader::parse(&batch).expect("it was made so");
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let first = decompressed_records(&header, &batch, &mut first, DECOMPRESSED_MAX_BYTES);
    let second = decompressed_records(&header, &batch, &mut second, DECOMPRESSED_MAX_BYTES);
    assert_eq!(first, second);
    if header.is_compressed() {
        assert!(
            first.is_err() || first.is_ok_and(|records| records.len() <= DECOMPRESSED_MAX_BYTES)
        );
    }
}

/// A log of batches, as recovery and consumers walk it.
pub fn walk(input: &[u8]) {
    let mut batches = BatchIter::new(input);
    let mut whole = 0;
    while let Some(Ok((header, batch))) = batches.next() {
        assert_eq!(batch.len(), header.size_bytes);
        whole += batch.len();
        // Records that cannot be read are errors, here as anywhere.
        read(batch).ok();
    }
    assert_eq!(batches.position(), whole);
    assert!(whole <= input.len());
}

/// Makes length and checksum right.
fn fit(batch: &mut [u8]) {
    if batch.len() < BATCH_HEADER_BYTES {
        return;
    }
    let length = i32::try_from(batch.len() - 12).expect("inputs are small");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc_of(batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn read(batch: &[u8]) -> Result<usize, InvalidBatch> {
    let header = BatchHeader::parse(batch)?;
    let mut scratch = Vec::new();
    let records = decompressed_records(&header, batch, &mut scratch, DECOMPRESSED_MAX_BYTES)?;
    let mut count = 0;
    for record in RecordIter::new(&header, records) {
        let record = record?;
        count += 1;
        record.headers().for_each(drop);
    }
    Ok(count)
}

fn rules(compression: Option<Compression>) -> ProduceRules {
    ProduceRules {
        level: ValidationLevel::Full,
        batch_size_max_bytes: usize::MAX,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        requires_keys: false,
        compression,
        levels: CompressionLevels::default(),
        allows_zstd: true,
        decompressed_max_bytes: DECOMPRESSED_MAX_BYTES,
    }
}
