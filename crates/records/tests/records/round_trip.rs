//! What is built is valid, reads back, and stays so when it is patched.

use proptest::prelude::*;
use records::{
    BatchHeader, BatchIter, Compression, ProduceRules, TimestampType, set_offset_and_epoch,
    set_timestamps, verify_crc,
};
use types::{LeaderEpoch, Offset, TimestampMs};

use crate::support::{Plain, build, codec, one, plain, read, rules, stored, validate};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_built_is_valid_and_reads_back(records in proptest::collection::vec(plain(), 1..20), codec in codec()) {
        let batch = build(codec, &records);
        let valid = validate(&batch, &rules()).expect("a valid batch");
        let max = records.iter().map(|record| record.timestamp).max().expect("one at least");
        prop_assert_eq!(valid.max_timestamp, TimestampMs(max));
        let of_max = records.iter().position(|record| record.timestamp == max);
        prop_assert_eq!(usize::try_from(valid.max_timestamp_offset_delta).ok(), of_max);
        prop_assert!(valid.replacement.is_none(), "what is right is stored as it came");
        prop_assert_eq!(read(&batch), records);
    }

    #[test]
    fn recompression_keeps_the_records(records in proptest::collection::vec(plain(), 1..10), from in codec(), to in codec()) {
        let batch = build(from, &records);
        let valid = validate(&batch, &ProduceRules { compression: Some(to), ..rules() }).expect("a valid batch");
        prop_assert_eq!(valid.replacement.is_some(), from != to);
        prop_assert_eq!(valid.header.compression(), Some(to));
        prop_assert_eq!(valid.header.base_sequence, 5);
        let stored = stored(batch, &valid);
        prop_assert_eq!(BatchHeader::parse(&stored), Ok(valid.header));
        prop_assert!(verify_crc(&stored).is_ok());
        prop_assert_eq!(read(&stored), records);
    }

    #[test]
    fn offset_and_epoch_are_patched_under_a_valid_checksum(records in proptest::collection::vec(plain(), 1..5), codec in codec(), offset in 0..i64::MAX / 2, epoch in 0..i32::MAX) {
        let mut batch = build(codec, &records);
        let before = BatchHeader::parse(&batch).expect("a whole batch");
        set_offset_and_epoch(&mut batch, Offset(offset), LeaderEpoch(epoch));
        prop_assert!(verify_crc(&batch).is_ok());
        let patched = BatchHeader { base_offset: Offset(offset), leader_epoch: LeaderEpoch(epoch), ..before };
        prop_assert_eq!(BatchHeader::parse(&batch), Ok(patched));
        prop_assert_eq!(patched.last_offset().0 - offset + 1, i64::from(patched.record_count));
        prop_assert_eq!(read(&batch), records);
    }

    #[test]
    fn timestamps_are_patched_with_the_checksum(records in proptest::collection::vec(plain(), 1..5), codec in codec(), now in any::<i64>()) {
        let mut batch = build(codec, &records);
        let before = BatchHeader::parse(&batch).expect("a whole batch");
        set_timestamps(&mut batch, TimestampType::LogAppendTime, TimestampMs(now));
        prop_assert!(verify_crc(&batch).is_ok());
        prop_assert!(read(&batch).iter().all(|record| record.timestamp == now));
        set_timestamps(&mut batch, TimestampType::CreateTime, before.max_timestamp);
        prop_assert_eq!(BatchHeader::parse(&batch), Ok(before));
        prop_assert_eq!(read(&batch), records);
    }
}

#[test]
fn append_time_replaces_the_timestamp_and_the_checksum() {
    let rules = ProduceRules {
        timestamp_type: TimestampType::LogAppendTime,
        ..rules()
    };
    for codec in Compression::ALL {
        let sent = build(
            codec,
            &[Plain {
                timestamp: 3,
                ..Plain::of_value(b"x")
            }],
        );
        let valid = validate(&sent, &rules).expect("valid");
        assert_eq!(valid.max_timestamp, crate::support::NOW);
        let stored = stored(sent, &valid);
        assert!(verify_crc(&stored).is_ok());
        assert_eq!(read(&stored), [Plain::of_value(b"x")]);
    }
}

#[test]
fn a_wrong_greatest_timestamp_is_put_right() {
    let mut sent = one(b"x", Compression::Lz4);
    crate::support::set(&mut sent, 35, 9_i64.to_be_bytes());
    let valid = validate(&sent, &rules()).expect("valid");
    assert_eq!(valid.header.max_timestamp, crate::support::NOW);
    let stored = stored(sent, &valid);
    assert!(verify_crc(&stored).is_ok());
    assert_eq!(BatchHeader::parse(&stored), Ok(valid.header));
    assert_eq!(read(&stored), [Plain::of_value(b"x")]);
}

#[test]
fn a_cut_batch_ends_the_walk_where_it_was_whole() {
    let first = one(b"first", Compression::None);
    let mut log = first.clone();
    log.extend_from_slice(&one(b"second", Compression::None));
    for cut in first.len() + 1..log.len() {
        let mut batches = BatchIter::new(&log[..cut]);
        assert!(batches.next().expect("the first").is_ok());
        assert!(batches.next().expect("the torn one").is_err());
        assert_eq!(batches.position(), first.len());
        assert!(batches.next().is_none());
    }
}

#[test]
fn sequence_numbers_wrap_to_zero() {
    let mut batch = build(
        Compression::None,
        &[
            Plain::of_value(b"1"),
            Plain::of_value(b"2"),
            Plain::of_value(b"3"),
        ],
    );
    for (base, last) in [
        (0, 2),
        (i32::MAX - 2, i32::MAX),
        (i32::MAX - 1, 0),
        (i32::MAX, 1),
        (-1, -1),
    ] {
        crate::support::set(&mut batch, 53, base.to_be_bytes());
        assert_eq!(
            BatchHeader::parse(&batch)
                .expect("a whole batch")
                .last_sequence(),
            last
        );
    }
}

#[test]
fn the_checksum_is_castagnoli() {
    let batch = [&[0; 21][..], b"123456789"].concat();
    assert_eq!(records::crc_of(&batch), 0xe306_9283);
}
