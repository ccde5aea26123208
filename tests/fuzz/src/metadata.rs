//! The metadata log and its snapshots: batches with the right checksum and any records in them.

use metadata::snapshot::{self, SnapshotId};
use metadata::{MetadataImage, log};
use types::{LeaderEpoch, Offset, TimestampMs};

use super::edits::made_batch;
use super::input::Input;
use super::memory::bounded;

/// What reading a log may take: a multiple of its length, and little beside.
const MEMORY_MAX_BYTES: usize = 1 << 20;
const MEMORY_PER_BYTE: usize = 512;

/// Batches, each behind its length; the first byte says whether they are a log or a snapshot, and how much is right of them.
pub fn metadata(input: &[u8]) {
    bounded(MEMORY_MAX_BYTES + input.len() * MEMORY_PER_BYTE, || {
        let mut input = Input::new(input);
        let mode = input.byte();
        let file = if mode & 1 == 0 {
            batches(&mut input)
        } else {
            input.rest().to_vec()
        };
        if mode & 2 == 0 {
            replay(&file);
        } else {
            decode(&file);
        }
    });
}

fn batches(input: &mut Input<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut offset = 0_i64;
    while !input.is_empty() {
        let kind = input.byte();
        let mut batch = made_batch(input.text());
        if kind & 1 == 0 {
            batch[..8].copy_from_slice(&offset.to_be_bytes());
            batch = made_batch(&batch);
        }
        offset += i64::from(i32::from_be_bytes([
            batch[23], batch[24], batch[25], batch[26],
        ])) + 1;
        file.extend(batch);
    }
    file
}

/// A log: what is valid of it says the same again.
fn replay(file: &[u8]) {
    let Ok(replay) = log::replay(MetadataImage::new(), file) else {
        return;
    };
    assert!(replay.valid_bytes <= file.len());
    let valid = &file[..replay.valid_bytes];
    let again = log::replay(MetadataImage::new(), valid).expect("its valid part is valid");
    assert_eq!(again, replay);
    let image = snapshot::encode(&replay.image, LeaderEpoch(1), TimestampMs(0));
    let id = SnapshotId {
        end_offset: replay.image.end_offset(),
        epoch: LeaderEpoch(1),
    };
    let decoded = snapshot::decode(id, &image).expect("a snapshot that was written is read");
    assert_eq!(decoded, replay.image);
}

fn decode(file: &[u8]) {
    let id = SnapshotId {
        end_offset: Offset(3),
        epoch: LeaderEpoch(1),
    };
    snapshot::decode(id, file).map(drop).ok();
}
