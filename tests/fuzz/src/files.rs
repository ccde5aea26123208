//! The small files of a data directory: checkpoints, indexes, snapshots of producers, `meta.properties`.

use std::hint::black_box;
use storage::checkpoint::{
    MetaProperties, decode_epochs, decode_offsets, decode_partition_metadata, encode_epochs,
    encode_offsets, encode_partition_metadata,
};
use storage::index::{OffsetIndex, TimeIndex};
use storage::producer_state::ProducerStates;
use storage::snapshot;
use types::{DurationMs, LeaderEpoch, Offset, TimestampMs};

use super::memory::bounded;

/// What reading a file may take: a multiple of its length, and little beside.
const MEMORY_MAX_BYTES: usize = 256 << 10;
const MEMORY_PER_BYTE: usize = 128;

/// A file behind the number of its kind. What is read can be written, and is then the same.
pub fn files(input: &[u8]) {
    let Some((kind, file)) = input.split_first() else {
        return;
    };
    bounded(MEMORY_MAX_BYTES + file.len() * MEMORY_PER_BYTE, || {
        match kind % 7 {
            0 => offsets(file),
            1 => epochs(file),
            2 => partition_metadata(file),
            3 => meta_properties(file),
            4 => offset_index(file),
            5 => time_index(file),
            _ => producers(file),
        }
    });
}

fn offsets(file: &[u8]) {
    if let Ok(offsets) = decode_offsets(file) {
        assert_eq!(
            decode_offsets(&encode_offsets(&offsets)).as_ref(),
            Ok(&offsets)
        );
    }
}

fn epochs(file: &[u8]) {
    let Ok(mut epochs) = decode_epochs(file) else {
        return;
    };
    assert_eq!(decode_epochs(&encode_epochs(&epochs)).as_ref(), Ok(&epochs));
    let rising = epochs
        .entries()
        .is_sorted_by(|one, next| one.epoch < next.epoch);
    assert!(rising);
    let (latest, middle) = (epochs.latest(), Offset(7));
    black_box(epochs.end_offset_for(latest, Offset(100)));
    black_box(epochs.epoch_for_offset(middle));
    epochs.truncate_start(middle);
    epochs.truncate_end(middle);
    epochs.assign(LeaderEpoch(latest.0.saturating_add(1)), Offset(i64::MAX));
}

fn partition_metadata(file: &[u8]) {
    if let Ok(id) = decode_partition_metadata(file) {
        let again = decode_partition_metadata(&encode_partition_metadata(id));
        assert_eq!(again, Ok(id));
    }
}

fn meta_properties(file: &[u8]) {
    if let Ok(meta) = MetaProperties::decode(file) {
        assert_eq!(MetaProperties::decode(&meta.encode()).as_ref(), Ok(&meta));
    }
}

fn offset_index(file: &[u8]) {
    if let Ok(index) = OffsetIndex::decode(file, 1 << 30) {
        assert_eq!(index.encode(), file);
        for entry in index.entries() {
            assert_eq!(index.lookup(entry.relative_offset), Some(*entry));
        }
        black_box(index.lookup(u32::MAX));
    }
}

fn time_index(file: &[u8]) {
    if let Ok(index) = TimeIndex::decode(file) {
        assert_eq!(index.encode(), file);
        for entry in index.entries() {
            let below = index.lookup_below(entry.timestamp);
            assert!(below.is_none_or(|it| it.timestamp < entry.timestamp));
        }
        black_box(index.lookup_below(TimestampMs(i64::MAX)));
    }
}

/// The checksum, which chance would never find, is made right.
fn producers(file: &[u8]) {
    let mut file = file.to_vec();
    if let Some((head, rest)) = file.split_at_mut_checked(6) {
        let crc = crc32c(rest);
        head[2..].copy_from_slice(&crc.to_be_bytes());
    }
    let mut states = ProducerStates::new(1000, DurationMs(1000));
    if snapshot::decode(&file, &mut states).is_err() {
        return;
    }
    let mut again = ProducerStates::new(1000, DurationMs(1000));
    snapshot::decode(&snapshot::encode(&states), &mut again).expect("what was written is read");
    black_box(states.active());
    black_box(states.last_records());
    states.expire(TimestampMs(0));
    states.expire_surplus(TimestampMs(i64::MAX));
}

/// CRC-32C, bit by bit: inputs are small.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let is_odd = crc & 1 == 1;
            crc >>= 1;
            if is_odd {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    !crc
}
