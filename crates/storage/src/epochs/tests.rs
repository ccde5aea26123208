//! The epoch cache against a plain list of the epoch of every record.

use proptest::prelude::{Strategy, prop_assert_eq, proptest};
use types::{LeaderEpoch, Offset};

use super::LeaderEpochs;

fn epochs(pairs: &[(i32, i64)]) -> LeaderEpochs {
    let mut epochs = LeaderEpochs::default();
    for (epoch, start) in pairs {
        epochs.assign(LeaderEpoch(*epoch), Offset(*start));
    }
    epochs
}

fn pairs(epochs: &LeaderEpochs) -> Vec<(i32, i64)> {
    epochs
        .entries()
        .iter()
        .map(|entry| (entry.epoch.0, entry.start_offset.0))
        .collect()
}

#[test]
fn a_new_epoch_without_records_replaces_the_one_before_it() {
    assert_eq!(
        pairs(&epochs(&[(0, 0), (1, 0), (2, 5), (3, 5)])),
        [(1, 0), (3, 5)]
    );
}

#[test]
fn the_end_of_an_epoch_is_the_begin_of_the_next() {
    let epochs = epochs(&[(1, 10), (3, 20), (7, 30)]);
    let end = |epoch| {
        let (epoch, offset) = epochs.end_offset_for(LeaderEpoch(epoch), Offset(99));
        (epoch.0, offset.0)
    };
    assert_eq!(end(-1), (-1, -1));
    assert_eq!(end(0), (0, 10));
    assert_eq!(end(1), (1, 20));
    assert_eq!(end(2), (1, 20));
    assert_eq!(end(5), (3, 30));
    assert_eq!(end(7), (7, 99));
    assert_eq!(end(8), (-1, -1));
}

#[test]
fn truncating_the_start_keeps_the_covering_epoch() {
    let mut epochs = epochs(&[(1, 10), (3, 20), (7, 30)]);
    assert!(!epochs.truncate_start(Offset(5)));
    assert!(epochs.truncate_start(Offset(25)));
    assert_eq!(pairs(&epochs), [(3, 25), (7, 30)]);
    assert!(epochs.truncate_end(Offset(30)));
    assert_eq!(pairs(&epochs), [(3, 25)]);
}

fn runs() -> impl Strategy<Value = Vec<(i32, i64)>> {
    proptest::collection::vec((1..4i32, 0..5i64), 1..12)
}

proptest! {
    #[test]
    fn every_record_knows_its_epoch(runs in runs()) {
        let mut model = Vec::new();
        let mut epochs = LeaderEpochs::default();
        let mut epoch = -1;
        for (step, records) in runs {
            epoch += step;
            let start = i64::try_from(model.len()).expect("short");
            epochs.assign(LeaderEpoch(epoch), Offset(start));
            model.extend((0..records).map(|_| epoch));
        }
        for (offset, epoch) in model.iter().enumerate() {
            let offset = Offset(i64::try_from(offset).expect("short"));
            prop_assert_eq!(epochs.epoch_for_offset(offset), Some(LeaderEpoch(*epoch)));
        }
        for pair in epochs.entries().windows(2) {
            assert!(pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset);
        }
    }
}
