//! From fetched bytes to records.

use std::ops::ControlFlow;

use records::{
    BatchError, BatchHeader, BatchIter, Record, RecordIter, decompressed_records, verify_crc,
};
use types::Offset;

use crate::{ClientError, FetchedPartition};

/// What one compressed batch may hold when decompressed.
const DECOMPRESSED_MAX_BYTES: usize = 256 << 20;

/// Calls `visit` for each record from `fetched.offset` on, until it breaks; the offset to go on with.
///
/// Checksums are verified, control records are passed over, and a batch that is cut at the end is left for the next
/// fetch. `scratch` holds one decompressed batch at a time and may be used again.
///
/// # Errors
/// [`ClientError::CorruptRecords`].
pub fn visit_records(
    fetched: &FetchedPartition,
    scratch: &mut Vec<u8>,
    mut visit: impl FnMut(&Record<'_>) -> ControlFlow<()>,
) -> Result<Offset, ClientError> {
    let mut next = fetched.offset;
    let corrupt = |offset: Offset, detail: String| ClientError::CorruptRecords {
        topic: fetched.topic.to_string(),
        partition: fetched.partition,
        offset,
        detail,
    };
    for batch in BatchIter::new(&fetched.records) {
        let (header, batch) = match batch {
            Ok(batch) => batch,
            Err(BatchError::Torn { .. }) if next > fetched.offset => break,
            Err(error) => return Err(corrupt(next, error.to_string())),
        };
        verify_crc(batch).map_err(|error| corrupt(header.base_offset, error.to_string()))?;
        if header.is_control() {
            next = next.max(after(header.last_offset()));
            continue;
        }
        let done = visit_batch(&header, batch, scratch, &mut next, &mut visit)
            .map_err(|detail| corrupt(header.base_offset, detail))?;
        if done.is_break() {
            break;
        }
        // Compaction may have removed the last records of a batch; its end stays.
        next = next.max(after(header.last_offset()));
    }
    Ok(next)
}

fn visit_batch(
    header: &BatchHeader,
    batch: &[u8],
    scratch: &mut Vec<u8>,
    next: &mut Offset,
    visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, String> {
    let records = decompressed_records(header, batch, scratch, DECOMPRESSED_MAX_BYTES)
        .map_err(|error| error.to_string())?;
    for record in RecordIter::new(header, records) {
        let record = record.map_err(|error| error.to_string())?;
        // A fetch begins with the whole batch that its offset lies in.
        if record.offset < *next {
            continue;
        }
        *next = after(record.offset);
        if visit(&record).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn after(offset: Offset) -> Offset {
    Offset(offset.0.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use records::{BatchBuilder, Compression, NewRecord};
    use types::{LeaderEpoch, PartitionIndex, TimestampMs};

    use super::*;

    fn batch(base_offset: i64, values: &[&str], control: bool) -> Vec<u8> {
        let codec = if control {
            Compression::None
        } else {
            Compression::Lz4
        };
        let mut builder = BatchBuilder::new(codec).at(Offset(base_offset), LeaderEpoch(0));
        if control {
            builder = builder.control();
        }
        for value in values {
            builder.push(&NewRecord {
                timestamp: TimestampMs(1),
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
            });
        }
        builder.build().expect("compression works in memory")
    }

    fn fetched(offset: i64, bytes: Vec<u8>) -> FetchedPartition {
        FetchedPartition {
            topic: "t".into(),
            partition: PartitionIndex(0),
            offset: Offset(offset),
            records: Bytes::from(bytes),
            high_watermark: Offset(100),
            log_start_offset: Offset(0),
        }
    }

    fn read(fetched: &FetchedPartition) -> (Vec<i64>, Result<Offset, ClientError>) {
        let mut offsets = Vec::new();
        let end = visit_records(fetched, &mut Vec::new(), |record| {
            offsets.push(record.offset.0);
            ControlFlow::Continue(())
        });
        (offsets, end)
    }

    #[test]
    fn records_before_the_offset_and_control_records_are_passed_over() {
        let bytes = [
            batch(10, &["a", "b", "c"], false),
            batch(13, &["commit"], true),
            batch(14, &["d"], false),
        ];
        let (offsets, end) = read(&fetched(11, bytes.concat()));
        assert_eq!(offsets, [11, 12, 14]);
        assert_eq!(end.expect("all is well"), Offset(15));
    }

    #[test]
    fn a_batch_cut_at_the_end_is_left_for_the_next_fetch() {
        let mut bytes = batch(0, &["a", "b"], false);
        let whole = batch(2, &["c"], false);
        bytes.extend_from_slice(&whole[..whole.len() - 1]);
        let (offsets, end) = read(&fetched(0, bytes));
        assert_eq!(offsets, [0, 1]);
        assert_eq!(end.expect("the rest comes later"), Offset(2));
    }

    #[test]
    fn a_first_batch_that_is_cut_is_an_error() {
        let mut bytes = batch(0, &["a", "b"], false);
        bytes.pop();
        let (offsets, end) = read(&fetched(0, bytes));
        assert!(offsets.is_empty());
        assert!(matches!(end, Err(ClientError::CorruptRecords { .. })));
    }

    #[test]
    fn a_flipped_bit_is_an_error_that_names_the_place() {
        let mut bytes = batch(7, &["a", "b"], false);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let (_, end) = read(&fetched(7, bytes));
        let text = end.expect_err("the checksum is wrong").to_string();
        assert!(text.starts_with("t-0 at offset 7: the CRC is"), "{text}");
    }

    #[test]
    fn a_break_ends_behind_the_record() {
        let fetched = fetched(0, batch(0, &["a", "b", "c"], false));
        let end = visit_records(&fetched, &mut Vec::new(), |record| {
            if record.offset.0 == 1 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(end.expect("all is well"), Offset(2));
    }
}
