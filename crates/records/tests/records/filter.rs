//! Leaving records out of batches: what stays keeps its place, its time and its content.

use proptest::prelude::*;
use records::{
    BatchBuilder, BatchFilter, BatchHeader, Compression, FilterRules, Filtered, InvalidBatch,
    Record, RecordIter, Scratch, WhenEmpty, decompressed_records, verify_crc,
};
use types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::support::{DECOMPRESSED_MAX_BYTES, NOW, Plain, build_with, codec, plain, read, set};

const BASE: Offset = Offset(1000);
const HORIZON: TimestampMs = TimestampMs(NOW.0 + 86_400_000);
const ATTRIBUTES_AT: usize = 21;
const DELETE_HORIZON: i16 = 0x40;

fn rules(when_empty: WhenEmpty) -> FilterRules {
    FilterRules {
        when_empty,
        delete_horizon: HORIZON,
        is_marker_of_nothing: false,
        decompressed_max_bytes: DECOMPRESSED_MAX_BYTES,
    }
}

fn stored(codec: Compression, records: &[Plain]) -> Vec<u8> {
    let builder = BatchBuilder::new(codec).at(BASE, LeaderEpoch(4)).producer(
        ProducerId(7),
        ProducerEpoch(1),
        5,
    );
    build_with(builder, records)
}

fn record(key: &[u8], value: Option<&[u8]>) -> Plain {
    Plain {
        key: Some(key.to_vec()),
        value: value.map(<[u8]>::to_vec),
        ..Plain::of_value(b"")
    }
}

fn filter(
    batch: &[u8],
    rules: FilterRules,
    mut retains: impl FnMut(&Record<'_>) -> bool,
) -> Result<Filtered, InvalidBatch> {
    let header = BatchHeader::parse(batch).expect("a whole batch");
    let mut scratch = Scratch::default();
    let mut filter = BatchFilter::new(&header, batch, rules, &mut scratch)?;
    loop {
        if let Some(filtered) = filter.advance(&mut retains)? {
            return Ok(filtered);
        }
    }
}

/// What is in the log afterwards.
fn retained(
    batch: &[u8],
    rules: FilterRules,
    retains: impl FnMut(&Record<'_>) -> bool,
) -> Option<Vec<u8>> {
    let filtered = filter(batch, rules, retains).expect("a readable batch");
    let batch = match filtered {
        Filtered::Dropped => return None,
        Filtered::Unchanged => batch.to_vec(),
        Filtered::Rewritten { batch, .. } => batch,
    };
    verify_crc(&batch).expect("the checksum is right");
    Some(batch)
}

fn header(batch: &[u8]) -> BatchHeader {
    BatchHeader::parse(batch).expect("a whole batch")
}

fn offsets(batch: &[u8]) -> Vec<i64> {
    let header = header(batch);
    let mut scratch = Vec::new();
    let records = decompressed_records(&header, batch, &mut scratch, DECOMPRESSED_MAX_BYTES);
    RecordIter::new(&header, records.expect("it decompresses"))
        .map(|record| record.expect("a readable record").offset.0)
        .collect()
}

proptest! {
    #[test]
    fn what_is_retained_keeps_offset_time_and_content(
        codec in codec(),
        chosen in proptest::collection::vec((plain(), any::<bool>()), 1..40),
        keeps_empty in any::<bool>(),
    ) {
        let records: Vec<_> = chosen.iter().map(|(record, _)| record.clone()).collect();
        let original = stored(codec, &records);
        let when_empty = if keeps_empty { WhenEmpty::Keep } else { WhenEmpty::Drop };
        let mut choice = chosen.iter().map(|(_, is_retained)| *is_retained);
        let after = retained(&original, rules(when_empty), |_| choice.next() == Some(true));
        let expected: Vec<_> = chosen.iter().filter(|it| it.1).map(|it| it.0.clone()).collect();
        let Some(after) = after else {
            prop_assert!(expected.is_empty() && !keeps_empty);
            return Ok(());
        };
        let (before, now) = (header(&original), header(&after));
        prop_assert_eq!(now.base_offset, before.base_offset);
        prop_assert_eq!(now.last_offset(), before.last_offset());
        prop_assert_eq!(now.leader_epoch, before.leader_epoch);
        prop_assert_eq!(now.producer_id, before.producer_id);
        prop_assert_eq!(now.producer_epoch, before.producer_epoch);
        prop_assert_eq!(now.base_sequence, before.base_sequence);
        prop_assert_eq!(now.last_sequence(), before.last_sequence());
        prop_assert_eq!(now.size_bytes, after.len());
        prop_assert_eq!(&read(&after), &expected);
        let kept_offsets: Vec<_> = (BASE.0..).zip(&chosen).filter(|it| it.1.1).map(|it| it.0).collect();
        prop_assert_eq!(offsets(&after), kept_offsets);
        if let Some(newest) = expected.iter().map(|record| record.timestamp).max() {
            prop_assert_eq!(now.max_timestamp.0, newest);
            prop_assert_eq!(now.compression(), Some(codec));
        }
        let has_tombstone = expected.iter().any(|record| record.value.is_none());
        prop_assert_eq!(now.delete_horizon(), has_tombstone.then_some(HORIZON));
        // The horizon stands once, and a second pass that leaves nothing out changes nothing.
        let again = filter(&after, rules(WhenEmpty::Keep), |_| true);
        prop_assert_eq!(again, Ok(Filtered::Unchanged));
    }

    #[test]
    fn damaged_records_are_refused(
        codec in codec(),
        records in proptest::collection::vec(plain(), 1..10),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let mut batch = stored(codec, &records);
        let at = records::BATCH_HEADER_BYTES + at.index(batch.len() - records::BATCH_HEADER_BYTES);
        batch[at] ^= flip;
        // Whatever it is now, it ends, and does not panic.
        drop(filter(&batch, rules(WhenEmpty::Drop), |record| record.value.is_some()));
    }
}

#[test]
fn a_batch_that_loses_nothing_is_not_touched() {
    let batch = stored(Compression::Gzip, &[record(b"a", Some(b"1"))]);
    let filtered = filter(&batch, rules(WhenEmpty::Drop), |_| true);
    assert_eq!(filtered, Ok(Filtered::Unchanged));
}

#[test]
fn an_empty_batch_is_a_header_that_still_tells_sequence_and_offsets() {
    let records = [record(b"a", Some(b"1")), record(b"b", None)];
    for codec in Compression::ALL {
        let batch = stored(codec, &records);
        let dropped = filter(&batch, rules(WhenEmpty::Drop), |_| false);
        assert_eq!(dropped, Ok(Filtered::Dropped));
        let kept = retained(&batch, rules(WhenEmpty::Keep), |_| false).expect("it is kept");
        assert_eq!(kept.len(), records::BATCH_HEADER_BYTES);
        let now = header(&kept);
        assert_eq!(now.record_count, 0);
        assert_eq!(now.last_offset(), Offset(1001));
        assert_eq!(now.last_sequence(), 6);
        assert_eq!(now.compression(), Some(Compression::None));
        assert_eq!(now.max_timestamp, NOW);
        assert_eq!(now.base_timestamp, TimestampMs::NONE);
        assert!(!now.has_delete_horizon());
        let again = filter(&kept, rules(WhenEmpty::Keep), |_| true);
        assert_eq!(again, Ok(Filtered::Unchanged));
        let gone = filter(&kept, rules(WhenEmpty::Drop), |_| true);
        assert_eq!(gone, Ok(Filtered::Dropped));
    }
}

#[test]
fn a_delete_horizon_stays_and_so_do_the_records_times() {
    let mut later = record(b"b", Some(b"2"));
    later.timestamp += 500;
    let records = [record(b"a", None), later.clone()];
    let batch = stored(Compression::Lz4, &records);
    let first = retained(&batch, rules(WhenEmpty::Drop), |_| true).expect("all is kept");
    assert_eq!(header(&first).delete_horizon(), Some(HORIZON));
    assert_eq!(read(&first), records);
    let mut at_a_later_time = rules(WhenEmpty::Drop);
    at_a_later_time.delete_horizon = TimestampMs(HORIZON.0 + 1);
    let second = retained(&first, at_a_later_time, |record| record.value.is_some());
    let second = second.expect("one is kept");
    assert_eq!(header(&second).delete_horizon(), Some(HORIZON));
    assert_eq!(read(&second), [later]);
}

#[test]
fn the_marker_of_a_transaction_without_records_gets_a_horizon() {
    let builder = BatchBuilder::new(Compression::None)
        .at(BASE, LeaderEpoch(4))
        .producer(ProducerId(7), ProducerEpoch(1), -1)
        .transactional()
        .control();
    let marker = build_with(builder, &[record(&[0, 0, 0, 1], Some(&[0; 6]))]);
    let kept = filter(&marker, rules(WhenEmpty::Drop), |_| true);
    assert_eq!(kept, Ok(Filtered::Unchanged));
    let of_nothing = FilterRules {
        is_marker_of_nothing: true,
        ..rules(WhenEmpty::Drop)
    };
    let marked = retained(&marker, of_nothing, |_| true).expect("it stays for a while");
    let now = header(&marked);
    assert_eq!(now.delete_horizon(), Some(HORIZON));
    assert!(now.is_control() && now.is_transactional());
    assert_eq!(read(&marked), read(&marker));
}

#[test]
fn records_of_the_brokers_time_keep_it() {
    let mut batch = stored(
        Compression::None,
        &[record(b"a", Some(b"1")), record(b"a", None)],
    );
    records::set_timestamps(
        &mut batch,
        records::TimestampType::LogAppendTime,
        TimestampMs(NOW.0 + 9),
    );
    let after = retained(&batch, rules(WhenEmpty::Drop), |record| {
        record.value.is_none()
    });
    let after = after.expect("one is kept");
    assert_eq!(
        header(&after).timestamp_type(),
        records::TimestampType::LogAppendTime
    );
    assert_eq!(header(&after).max_timestamp, TimestampMs(NOW.0 + 9));
    assert_eq!(read(&after)[0].timestamp, NOW.0 + 9);
}

#[test]
fn more_than_may_be_decompressed_is_refused() {
    let batch = stored(Compression::Zstd, &[record(b"a", Some(&[0; 100_000]))]);
    let tight = FilterRules {
        decompressed_max_bytes: 50_000,
        ..rules(WhenEmpty::Drop)
    };
    let refused = filter(&batch, tight, |_| true);
    assert_eq!(refused, Err(InvalidBatch::DecompressedTooLarge));
}

#[test]
fn an_unknown_codec_is_refused() {
    let mut batch = stored(Compression::None, &[record(b"a", None)]);
    set(
        &mut batch,
        ATTRIBUTES_AT,
        (7 | DELETE_HORIZON).to_be_bytes(),
    );
    let refused = filter(&batch, rules(WhenEmpty::Drop), |_| true);
    assert_eq!(refused, Err(InvalidBatch::UnknownCompression));
}
