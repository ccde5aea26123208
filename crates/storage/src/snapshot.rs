//! The producer snapshot file: `<offset>.snapshot`.
//!
//! Format, big-endian: version 1 (2 bytes), CRC-32C of all that follows it (4), entry count (4), and per producer its id
//! (8), epoch (2), last sequence (4), last offset (8), offset delta (4), timestamp (8), coordinator epoch (4) and the
//! first offset of its open transaction (8, -1 for none). Kafka writes the last batch of each producer. Here the batches
//! before it that are remembered come first, as entries of their own, so that a producer that sends them again after a
//! crash or a move is understood; of entries for one producer Kafka's reader takes the last.
//! Source: `ProducerSnapshot` and `ProducerStateManager.writeSnapshot` of Kafka 4.3.1.

use std::collections::VecDeque;

use types::{Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::error::FormatError;
use crate::producer_state::{BatchMetadata, ProducerEntry, ProducerStates};

const WHAT: &str = "producer snapshot";
const VERSION: i16 = 1;
const HEADER_LEN: usize = 10;
const CRC_END: usize = 6;
const ENTRY_LEN: usize = 46;

/// With more producers than this only the last batch of each is written: it takes part of a slice of time.
const EARLIER_BATCHES_PRODUCERS_MAX: usize = 1000;

/// The file's content.
///
/// # Panics
/// Never: the number of producers is bounded far below 2^31.
#[must_use]
pub fn encode(states: &ProducerStates) -> Vec<u8> {
    let producers = states.sorted();
    let mut file = Vec::with_capacity(HEADER_LEN + producers.len() * ENTRY_LEN);
    file.extend_from_slice(&VERSION.to_be_bytes());
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&[0; 4]);
    let has_earlier = producers.len() <= EARLIER_BATCHES_PRODUCERS_MAX;
    for (id, entry) in producers {
        let earlier = entry.batches.len().saturating_sub(1);
        for batch in entry.batches.iter().take(earlier).filter(|_| has_earlier) {
            encode_entry(&mut file, id, &only(entry, batch));
        }
        encode_entry(&mut file, id, entry);
    }
    let count = (file.len() - HEADER_LEN) / ENTRY_LEN;
    let count = i32::try_from(count).expect("the number of producers is bounded");
    file[CRC_END..HEADER_LEN].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c(&file[CRC_END..]);
    file[2..CRC_END].copy_from_slice(&crc.to_be_bytes());
    file
}

/// What was known of a producer when `batch` was its last.
fn only(entry: &ProducerEntry, batch: &BatchMetadata) -> ProducerEntry {
    ProducerEntry {
        epoch: entry.epoch,
        batches: VecDeque::from([*batch]),
        last_timestamp: batch.timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        transaction_first_offset: None,
    }
}

fn encode_entry(file: &mut Vec<u8>, id: ProducerId, entry: &ProducerEntry) {
    let last = entry.batches.back();
    let transaction = entry.transaction_first_offset.map_or(-1, |offset| offset.0);
    file.extend_from_slice(&id.0.to_be_bytes());
    file.extend_from_slice(&entry.epoch.0.to_be_bytes());
    file.extend_from_slice(&last.map_or(-1, |batch| batch.last_sequence).to_be_bytes());
    file.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
    file.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
    file.extend_from_slice(&entry.last_timestamp.0.to_be_bytes());
    file.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
    file.extend_from_slice(&transaction.to_be_bytes());
}

/// Puts the producers of a snapshot into `states`.
///
/// # Errors
/// When the version is unknown, the checksum wrong, or the length not that of the entries.
pub fn decode(file: &[u8], states: &mut ProducerStates) -> Result<(), FormatError> {
    let Some((header, entries)) = file.split_first_chunk::<HEADER_LEN>() else {
        return Err(FormatError::new(WHAT, "shorter than its header"));
    };
    let version = i16::from_be_bytes([header[0], header[1]]);
    if version != VERSION {
        return Err(FormatError::new(WHAT, format!("version {version}")));
    }
    let expected = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    if crc32c(&file[CRC_END..]) != expected {
        return Err(FormatError::new(WHAT, "wrong checksum"));
    }
    let count = i32::from_be_bytes([header[6], header[7], header[8], header[9]]);
    let (entries, rest) = entries.as_chunks::<ENTRY_LEN>();
    if usize::try_from(count) != Ok(entries.len()) || !rest.is_empty() {
        return Err(FormatError::new(
            WHAT,
            format!("its length does not fit {count} entries"),
        ));
    }
    for entry in entries {
        let (id, entry) = decode_entry(entry);
        states.restore(id, entry);
    }
    Ok(())
}

fn decode_entry(bytes: &[u8; ENTRY_LEN]) -> (ProducerId, ProducerEntry) {
    let last_sequence = i32_at(bytes, 10);
    let timestamp = TimestampMs(i64_at(bytes, 26));
    let transaction = i64_at(bytes, 38);
    let mut batches = VecDeque::new();
    if last_sequence >= 0 {
        batches.push_back(BatchMetadata {
            last_sequence,
            last_offset: Offset(i64_at(bytes, 14)),
            offset_delta: i32_at(bytes, 22),
            timestamp,
        });
    }
    let entry = ProducerEntry {
        epoch: ProducerEpoch(i16::from_be_bytes([bytes[8], bytes[9]])),
        batches,
        last_timestamp: timestamp,
        coordinator_epoch: i32_at(bytes, 34),
        transaction_first_offset: (transaction >= 0).then_some(Offset(transaction)),
    };
    (ProducerId(i64_at(bytes, 0)), entry)
}

fn i64_at(bytes: &[u8; ENTRY_LEN], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn i32_at(bytes: &[u8; ENTRY_LEN], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn crc32c(bytes: &[u8]) -> u32 {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
    u32::try_from(crc).expect("a 32-bit checksum")
}

#[cfg(test)]
mod tests {
    use types::{DurationMs, Offset, ProducerEpoch, ProducerId, TimestampMs};

    use super::{decode, encode};
    use crate::producer_state::{ProducerBatch, ProducerStates};

    fn states() -> ProducerStates {
        ProducerStates::new(100, DurationMs(1000))
    }

    fn filled() -> ProducerStates {
        let mut states = states();
        for id in 0..5i64 {
            let batch = ProducerBatch {
                producer_id: ProducerId(id),
                producer_epoch: ProducerEpoch(3),
                first_sequence: 40,
                offset_delta: 2,
                timestamp: TimestampMs(77),
                transactional: id == 1,
                control: false,
            };
            states.record(&batch, Offset(id * 10), TimestampMs(77));
        }
        states
    }

    #[test]
    fn a_snapshot_restores_the_last_batch_of_each_producer() {
        let original = filled();
        let mut restored = states();
        decode(&encode(&original), &mut restored).expect("intact");
        assert_eq!(restored.sorted(), original.sorted());
    }

    #[test]
    fn a_snapshot_restores_the_batches_that_may_be_sent_again() {
        let mut original = states();
        for number in 0..7 {
            let batch = ProducerBatch {
                producer_id: ProducerId(9),
                producer_epoch: ProducerEpoch(3),
                first_sequence: number * 3,
                offset_delta: 2,
                timestamp: TimestampMs(77),
                transactional: true,
                control: false,
            };
            original.record(&batch, Offset(i64::from(number) * 3 + 2), TimestampMs(77));
        }
        let mut restored = states();
        decode(&encode(&original), &mut restored).expect("intact");
        assert_eq!(restored.sorted(), original.sorted());
    }

    #[test]
    fn an_empty_snapshot_is_ten_bytes() {
        let file = encode(&states());
        // Version 1, the CRC-32C of four zero bytes, no entries.
        assert_eq!(file, [0, 1, 0x48, 0x67, 0x4b, 0xc7, 0, 0, 0, 0]);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let file = encode(&filled());
        for at in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(decode(&damaged, &mut states()).is_err(), "bit {at}");
        }
        for len in 0..file.len() {
            assert!(decode(&file[..len], &mut states()).is_err(), "cut at {len}");
        }
    }
}
