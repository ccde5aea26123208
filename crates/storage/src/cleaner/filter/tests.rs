//! The rules, one by one.

use records::{BatchBuilder, BatchHeader, Compression, NewRecord, WhenEmpty};
use rustc_hash::FxHashMap;
use types::{DurationMs, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use super::{BatchFate, BatchPolicy, Retention};
use crate::cleaner::offset_map::{HashKeys, OffsetMap};
use crate::cleaner::transactions::{AbortedTransaction, CleanedTransactions, Marker};
use crate::producer_state::LastRecord;

const NOW: TimestampMs = TimestampMs(1_000_000);
const PRODUCER: ProducerId = ProducerId(7);

fn map(entries: &[(&[u8], i64)], latest: i64) -> OffsetMap {
    let mut map = OffsetMap::new(HashKeys([1, 2]), 10_000, 0.9, 100);
    for (key, offset) in entries {
        assert!(map.put(key, Offset(*offset)));
    }
    map.reaches(Offset(latest));
    map
}

fn retention(map: &OffsetMap) -> Retention<'_> {
    Retention {
        map,
        now: NOW,
        delete_retention: DurationMs(500),
        records_bytes_max: 1 << 20,
        keeps_tombstones: false,
    }
}

fn header(control: bool, horizon: Option<i64>) -> BatchHeader {
    let mut builder = BatchBuilder::new(Compression::None)
        .at(Offset(10), LeaderEpoch(0))
        .producer(PRODUCER, ProducerEpoch(3), 0)
        .transactional();
    if control {
        builder = builder.control();
    }
    builder.push(&NewRecord {
        timestamp: TimestampMs(horizon.unwrap_or(0)),
        key: Some(b"k"),
        value: None,
        headers: &[],
    });
    let bytes = builder.build().expect("nothing is compressed");
    let mut header = BatchHeader::parse(&bytes).expect("just built");
    if horizon.is_some() {
        header.attributes |= 0x40;
    }
    header
}

fn decide(header: &BatchHeader, marker: Option<Marker>, last: Option<LastRecord>) -> BatchFate {
    let map = map(&[], 0);
    let producers: FxHashMap<_, _> = last.into_iter().map(|last| (PRODUCER, last)).collect();
    let mut transactions = CleanedTransactions::default();
    retention(&map).decide(header, marker, &mut transactions, &producers, false)
}

fn policy(fate: BatchFate) -> BatchPolicy {
    match fate {
        BatchFate::Filter(policy) => policy,
        BatchFate::Drop => unreachable!("the batch stays"),
    }
}

/// Whether a record of key `k` at offset 10 stays.
fn stays(map: &OffsetMap, horizon: Option<i64>, value: Option<&[u8]>) -> bool {
    let header = header(false, horizon);
    let fate = retention(map).decide(
        &header,
        None,
        &mut CleanedTransactions::default(),
        &FxHashMap::default(),
        false,
    );
    let mut builder = BatchBuilder::new(Compression::None).at(Offset(10), LeaderEpoch(0));
    builder.push(&NewRecord {
        timestamp: TimestampMs(1),
        key: Some(b"k"),
        value,
        headers: &[],
    });
    let bytes = builder.build().expect("nothing is compressed");
    let stored = BatchHeader::parse(&bytes).expect("just built");
    let mut records = records::RecordIter::new(&stored, &bytes[records::BATCH_HEADER_BYTES..]);
    let record = records.next().expect("one").expect("readable");
    retention(map).retains(&policy(fate), &record)
}

#[test]
fn the_newest_of_a_key_stays_and_what_the_map_does_not_reach() {
    assert!(stays(&map(&[(b"k", 10)], 20), None, Some(b"v")));
    assert!(!stays(&map(&[(b"k", 11)], 20), None, Some(b"v")));
    assert!(
        stays(&map(&[(b"k", 11)], 9), None, Some(b"v")),
        "the map ends before it"
    );
    assert!(stays(&map(&[(b"other", 11)], 20), None, Some(b"v")));
}

#[test]
fn a_tombstone_stays_until_its_horizon() {
    let newest = map(&[(b"k", 10)], 20);
    assert!(stays(&newest, None, None), "it has no horizon yet");
    assert!(stays(&newest, Some(NOW.0 + 1), None));
    assert!(!stays(&newest, Some(NOW.0), None));
    assert!(
        stays(&newest, Some(NOW.0), Some(b"v")),
        "a value beside a tombstone"
    );
}

#[test]
fn the_last_batch_of_a_producer_stays_as_a_header() {
    let batch = header(false, None);
    let keeps = |data_offset: Option<i64>| {
        let last = LastRecord {
            data_offset: data_offset.map(Offset),
            epoch: ProducerEpoch(3),
        };
        policy(decide(&batch, None, Some(last))).rules.when_empty
    };
    assert_eq!(keeps(Some(10)), WhenEmpty::Keep);
    assert_eq!(keeps(Some(11)), WhenEmpty::Drop);
    assert_eq!(keeps(None), WhenEmpty::Drop, "no marker");
    let marker = header(true, None);
    let last = |epoch| LastRecord {
        data_offset: None,
        epoch: ProducerEpoch(epoch),
    };
    let fenced = decide(&marker, Some(Marker::Commit), Some(last(3)));
    assert_eq!(policy(fenced).rules.when_empty, WhenEmpty::Keep);
    let older = decide(&marker, Some(Marker::Commit), Some(last(4)));
    assert_eq!(policy(older).rules.when_empty, WhenEmpty::Drop);
}

#[test]
fn a_marker_of_nothing_gets_a_horizon_and_goes_after_it() {
    let first = policy(decide(&header(true, None), Some(Marker::Commit), None));
    assert!(first.rules.is_marker_of_nothing);
    assert_eq!(first.rules.delete_horizon, TimestampMs(NOW.0 + 500));
    let waiting = decide(&header(true, Some(NOW.0 + 1)), Some(Marker::Commit), None);
    assert!(matches!(waiting, BatchFate::Filter(_)));
    let over = decide(&header(true, Some(NOW.0)), Some(Marker::Commit), None);
    assert!(matches!(over, BatchFate::Drop));
    let unknown = decide(&header(true, Some(NOW.0)), Some(Marker::Other), None);
    assert!(matches!(unknown, BatchFate::Filter(_)));
}

#[test]
fn aborted_records_go_at_once() {
    let map = map(&[(b"k", 10)], 20);
    let mut transactions = CleanedTransactions::new([AbortedTransaction {
        producer_id: PRODUCER,
        first_offset: Offset(10),
    }]);
    let producers = FxHashMap::default();
    let batch = header(false, None);
    let fate = retention(&map).decide(&batch, None, &mut transactions, &producers, false);
    assert!(matches!(fate, BatchFate::Drop));
    let fate = retention(&map).decide(&batch, None, &mut transactions, &producers, true);
    assert_eq!(policy(fate).rules.when_empty, WhenEmpty::Keep);
}
