//! Checking a produced batch, without holding up the shard however large it becomes.
//!
//! What is not compressed is checked in one go. Decompression goes in slices, and a recompression to a helper thread.

use bytes::Bytes;
use io::{Defect, Io};
use records::{
    BATCH_HEADER_BYTES, BatchError, Compression, InvalidBatch, ProduceRules, Scratch, ValidBatch,
    Validation, validate_produce, verify_crc,
};
use types::TimestampMs;

use super::CRC;
use crate::shard::Shard;

/// Decompressed bytes that are checked before the shard serves others: about 100 µs of work.
const DECOMPRESSED_SLICE_BYTES: usize = 256 << 10;

/// Decompressed bytes of a batch whose recompression does not count as long.
const SHORT_RECOMPRESSION_BYTES: usize = 4 << 20;

/// The slices of a batch that does not count as long.
const SHORT_BATCH_SLICES: usize = 16;

/// Where the low byte of a batch's attributes is, and its bits that name the codec.
const ATTRIBUTES_LOW_BYTE: usize = 22;
const CODEC_MASK: u8 = 0x07;

/// Why a batch is not taken.
pub(super) enum Unfit {
    Invalid(InvalidBatch),
    /// The helper thread that compressed it again panicked.
    Panicked,
}

/// Checks what came for a partition.
pub(super) async fn check<I: Io>(
    shard: &Shard<I>,
    records: &Bytes,
    rules: &ProduceRules,
    now: TimestampMs,
) -> Result<ValidBatch, Unfit> {
    if I::has_defect(Defect::SkipCrc)
        && let Some(believed) = believed(records)
    {
        let mut scratch = shard.scratch.borrow_mut();
        let valid = validate_produce(&believed, rules, now, &mut scratch);
        let mut valid = valid.map_err(Unfit::Invalid)?;
        valid.replacement.get_or_insert(believed);
        return Ok(valid);
    }
    if is_to_be_recompressed(records, rules) {
        return recompress(shard, records, rules, now).await;
    }
    let validated = if is_compressed(records) {
        validate_in_slices(shard, records, rules, now).await
    } else {
        let mut scratch = shard.scratch.borrow_mut();
        validate_produce(records, rules, now, &mut scratch)
    };
    validated.map_err(Unfit::Invalid)
}

/// A batch whose checksum is wrong, with the right one.
fn believed(records: &[u8]) -> Option<Bytes> {
    if records.len() < BATCH_HEADER_BYTES {
        return None;
    }
    let Err(BatchError::CrcMismatch { computed, .. }) = verify_crc(records) else {
        return None;
    };
    let mut believed = records.to_vec();
    believed[CRC].copy_from_slice(&computed.to_be_bytes());
    Some(believed.into())
}

/// Decompresses a slice at a time, since a small batch may become very large; the shard serves others in between.
/// One batch at a time is under way, because a codec's window may be large; one that turns out to be long begins
/// again in a queue of such, so that the others do not wait for it.
async fn validate_in_slices<I: Io>(
    shard: &Shard<I>,
    records: &[u8],
    rules: &ProduceRules,
    now: TimestampMs,
) -> Result<ValidBatch, InvalidBatch> {
    {
        let _turn = shard.decompressing.acquire(1).await;
        let short = validate_slices(shard, records, rules, now, SHORT_BATCH_SLICES);
        if let Some(result) = short.await {
            return result;
        }
    }
    let _turn = shard.decompressing_long.acquire(1).await;
    let long = validate_slices(shard, records, rules, now, usize::MAX);
    long.await.expect("it has all the slices that it wants")
}

/// `None` when the batch takes more than `slices_max`.
async fn validate_slices<I: Io>(
    shard: &Shard<I>,
    records: &[u8],
    rules: &ProduceRules,
    now: TimestampMs,
    slices_max: usize,
) -> Option<Result<ValidBatch, InvalidBatch>> {
    let scratch = shard.scratch.take();
    let mut validation = Validation::new(records, rules, now, scratch);
    let mut slices = 0;
    let result = loop {
        if slices == slices_max {
            break None;
        }
        slices += 1;
        match validation.advance(DECOMPRESSED_SLICE_BYTES) {
            None => shard.io.reschedule().await,
            result => break result,
        }
    };
    shard.scratch.replace(validation.into_scratch());
    result
}

/// Recompressing may take long, and codecs cannot do it in slices: a helper thread does. One batch at a time, and one
/// that turns out to be long begins again in a queue of such.
async fn recompress<I: Io>(
    shard: &Shard<I>,
    records: &Bytes,
    rules: &ProduceRules,
    now: TimestampMs,
) -> Result<ValidBatch, Unfit> {
    if rules.decompressed_max_bytes > SHORT_RECOMPRESSION_BYTES {
        let _turn = shard.recompressing.acquire(1).await;
        let short = ProduceRules {
            decompressed_max_bytes: SHORT_RECOMPRESSION_BYTES,
            ..*rules
        };
        match recompress_within(shard, records, short, now).await {
            Err(Unfit::Invalid(InvalidBatch::DecompressedTooLarge)) => {}
            result => return result,
        }
    }
    let _turn = shard.recompressing_long.acquire(1).await;
    recompress_within(shard, records, *rules, now).await
}

async fn recompress_within<I: Io>(
    shard: &Shard<I>,
    records: &Bytes,
    rules: ProduceRules,
    now: TimestampMs,
) -> Result<ValidBatch, Unfit> {
    let records = records.clone();
    let work = move || validate_produce(&records, &rules, now, &mut Scratch::default());
    let computed = shard.io.compute(work).await;
    let validated = computed.map_err(|_panicked| Unfit::Panicked)?;
    validated.map_err(Unfit::Invalid)
}

/// Whether what should be a batch says that it has another codec than its topic wants.
fn is_to_be_recompressed(records: &[u8], rules: &ProduceRules) -> bool {
    let codec = records
        .get(ATTRIBUTES_LOW_BYTE)
        .and_then(|attributes| Compression::from_id(i16::from(attributes & CODEC_MASK)));
    rules
        .compression
        .is_some_and(|target| codec != Some(target))
}

/// Whether what should be a batch says that it is compressed.
fn is_compressed(records: &[u8]) -> bool {
    records
        .get(ATTRIBUTES_LOW_BYTE)
        .is_some_and(|attributes| attributes & CODEC_MASK != 0)
}
