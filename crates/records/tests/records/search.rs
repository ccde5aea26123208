//! Looking for a record by its time gives what reading all of them would give, however it is sliced.

use proptest::prelude::*;
use records::{BatchHeader, Compression, InvalidBatch, RecordTime, Scratch, TimestampSearch};
use types::{Offset, TimestampMs};

use crate::support::{NOW, build, codec, one, plain, read, wrap};

const LEN_MAX_BYTES: usize = 1 << 20;

/// The first record at or after `start` that is at least as young as `timestamp`, and the slices it took.
fn find(
    batch: &[u8],
    start: Offset,
    timestamp: TimestampMs,
    budget_bytes: usize,
    len_max_bytes: usize,
) -> (Result<Option<RecordTime>, InvalidBatch>, usize) {
    let header = BatchHeader::parse(batch).expect("a batch");
    let is_wanted = |it| it >= timestamp;
    let scratch = Scratch::default();
    let search = TimestampSearch::new((&header, batch), scratch, len_max_bytes, start, is_wanted);
    let mut search = search.expect("the codec is known");
    let mut slices = 1;
    loop {
        if let Some(result) = search.advance(budget_bytes) {
            drop(search.into_scratch());
            return (result, slices);
        }
        slices += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_finds_what_reading_all_finds(
        records in proptest::collection::vec(plain(), 1..20),
        codec in codec(),
        budget_bytes in 1_usize..300,
        start in 0_i64..20,
        at in any::<prop::sample::Index>(),
        later in 0_i64..2,
    ) {
        let batch = build(codec, &records);
        let offsets = (0..).map(Offset);
        let times: Vec<RecordTime> = read(&batch)
            .iter()
            .zip(offsets)
            .map(|(record, offset)| (TimestampMs(record.timestamp), offset))
            .collect();
        let timestamp = TimestampMs(at.get(&times).0.0 + later);
        let start = Offset(start);
        let expected = times.into_iter().find(|it| it.1 >= start && it.0 >= timestamp);
        let (found, _) = find(&batch, start, timestamp, budget_bytes, LEN_MAX_BYTES);
        prop_assert_eq!(found.expect("a good batch"), expected);
    }

    #[test]
    fn arbitrary_records_never_panic(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        codec in codec(),
        count in any::<i32>(),
    ) {
        let batch = wrap(codec, count, &body);
        drop(find(&batch, Offset(0), TimestampMs(i64::MAX), 100, LEN_MAX_BYTES));
    }
}

#[test]
fn a_large_batch_takes_many_slices_and_no_more_than_its_limit() {
    const SLICE_BYTES: usize = 64 << 10;
    for codec in Compression::ALL {
        if codec == Compression::None {
            continue;
        }
        let batch = one(&vec![0; LEN_MAX_BYTES / 2], codec);
        let find = |len_max| find(&batch, Offset(0), NOW, SLICE_BYTES, len_max);
        let (found, slices) = find(LEN_MAX_BYTES);
        assert_eq!(found, Ok(Some((NOW, Offset(0)))), "{codec:?}");
        // A block of snappy may be as large as the batch.
        assert!(
            slices > 4 || codec == Compression::Snappy,
            "{codec:?}: {slices}"
        );
        assert!(find(LEN_MAX_BYTES / 4).0.is_err(), "{codec:?}");
    }
}
