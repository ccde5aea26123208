//! However much a batch would be when decompressed, checking it takes little memory.
//!
//! The allocator counts for the whole process: this file has a single test, so that nothing else allocates meanwhile.
//! What Zstandard's own library takes is not counted; it is bounded by its window.

use peak_alloc::PeakAlloc;
use records::{
    BatchBuilder, Compression, CompressionLevels, InvalidBatch, NewRecord, ProduceRules, Scratch,
    TimestampType, ValidationLevel, crc_of, validate_produce,
};
use types::TimestampMs;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

/// What checking may take beside the batch itself: a block of the codec, and the state of an inflater.
const MEMORY_MAX_BYTES: usize = 512 << 10;

/// What a batch may be when decompressed.
const DECOMPRESSED_MAX_BYTES: usize = 8 << 20;

fn rules() -> ProduceRules {
    ProduceRules {
        level: ValidationLevel::Full,
        batch_size_max_bytes: 16 << 20,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        requires_keys: false,
        compression: None,
        levels: CompressionLevels::default(),
        allows_zstd: true,
        decompressed_max_bytes: DECOMPRESSED_MAX_BYTES,
    }
}

/// A batch of records of a kilobyte, or of one record, that is `len` bytes when decompressed.
fn batch(codec: Compression, len: usize, value_len: usize) -> Vec<u8> {
    let value = vec![0; value_len];
    let mut builder = BatchBuilder::new(codec);
    for _ in 0..len / value_len {
        builder.push(&NewRecord {
            timestamp: NOW,
            key: None,
            value: Some(&value),
            headers: &[],
        });
    }
    builder.build().expect("compression in memory works")
}

/// Checks a batch, and holds the memory that this took against the bound.
fn check(what: &str, batch: &[u8]) -> Result<(), InvalidBatch> {
    let mut scratch = Scratch::default();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = validate_produce(batch, &rules(), NOW, &mut scratch);
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(
        peak <= MEMORY_MAX_BYTES,
        "{what}: {peak} bytes for a batch of {}",
        batch.len()
    );
    result.map(|valid| assert!(valid.replacement.is_none(), "{what}"))
}

/// A batch whose records are these bytes.
fn forged(codec: Compression, body: &[u8]) -> Vec<u8> {
    let mut batch = batch(Compression::None, 1, 1);
    batch.truncate(records::BATCH_HEADER_BYTES);
    batch.extend_from_slice(body);
    let length = u32::try_from(batch.len() - 12).expect("a small batch");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[21..23].copy_from_slice(&codec.id().to_be_bytes());
    let crc = crc_of(&batch);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

#[test]
fn bombs_and_honest_batches_are_walked_in_bounded_memory() {
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let name = codec.name();
        for value_len in [1 << 10, DECOMPRESSED_MAX_BYTES / 2] {
            let honest = batch(codec, DECOMPRESSED_MAX_BYTES / 2, value_len);
            assert_eq!(check(name, &honest), Ok(()), "{name}");
        }
        for value_len in [1 << 10, 64 << 20] {
            let bomb = batch(codec, 64 << 20, value_len);
            assert_eq!(
                check(name, &bomb),
                Err(InvalidBatch::DecompressedTooLarge),
                "{name}"
            );
        }
    }
    // Sizes that lie, of blocks that would be large.
    let snappy_of_4_gib = forged(Compression::Snappy, b"\xff\xff\xff\xff\x0f\0\0\0\0");
    assert!(check("snappy", &snappy_of_4_gib).is_err());
    let snappy_of_8_mib = forged(Compression::Snappy, b"\x80\x80\x80\x04\0\0\0\0\0");
    assert!(check("snappy", &snappy_of_8_mib).is_err());
    let header = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73];
    let lz4_of_4_mib = forged(
        Compression::Lz4,
        &[&header[..], b"\x04\0\0\0\x1fa\x01\0"].concat(),
    );
    assert!(check("lz4", &lz4_of_4_mib).is_err());
}
