//! Kafka's rules one by one, and a model of a producer that retries at random.

use proptest::prelude::{any, prop_assert_eq, proptest};
use types::{DurationMs, Offset, ProducerEpoch, ProducerId, TimestampMs};

use super::{ProducerBatch, ProducerStates, SequenceCheck, sequence_after, sequence_before};
use crate::error::AppendError;

fn batch(id: i64, epoch: i16, first_sequence: i32, records: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        first_sequence,
        offset_delta: records - 1,
        timestamp: TimestampMs(100),
        transactional: false,
        control: false,
    }
}

fn states() -> ProducerStates {
    ProducerStates::new(3, DurationMs(1000))
}

const NOW: TimestampMs = TimestampMs(100);

/// Checks and records, giving the offset of the last record.
fn append(
    states: &mut ProducerStates,
    batch: &ProducerBatch,
    last_offset: i64,
) -> Result<SequenceCheck, AppendError> {
    let check = states.check(batch, NOW)?;
    if check == SequenceCheck::New {
        states.record(batch, Offset(last_offset), NOW);
    }
    Ok(check)
}

#[test]
fn five_batches_are_recognised_and_the_sixth_is_out_of_order() {
    let mut states = states();
    for number in 0..6 {
        let last_offset = i64::from(number) * 10 + 9;
        append(&mut states, &batch(1, 0, number * 10, 10), last_offset).expect("in order");
    }
    for number in 1..6 {
        let found = states.check(&batch(1, 0, number * 10, 10), NOW);
        let Ok(SequenceCheck::Duplicate(original)) = found else {
            unreachable!("batch {number} gave {found:?}");
        };
        assert_eq!(original.first_offset(), Offset(i64::from(number) * 10));
    }
    assert!(matches!(
        states.check(&batch(1, 0, 0, 10), NOW),
        Err(AppendError::OutOfOrderSequence {
            expected_after: 59,
            found: 0,
            ..
        })
    ));
}

#[test]
fn a_gap_is_refused_and_changes_nothing() {
    let mut states = states();
    append(&mut states, &batch(1, 0, 0, 3), 2).expect("first");
    assert!(append(&mut states, &batch(1, 0, 4, 1), 3).is_err());
    append(&mut states, &batch(1, 0, 3, 1), 3).expect("next in line");
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    let mut states = states();
    append(&mut states, &batch(1, 4, 77, 1), 0).expect("its records may have been deleted");
}

#[test]
fn a_new_epoch_starts_at_zero_and_fences_the_old_one() {
    let mut states = states();
    append(&mut states, &batch(1, 0, 0, 3), 2).expect("first");
    assert!(append(&mut states, &batch(1, 1, 3, 1), 3).is_err());
    append(&mut states, &batch(1, 1, 0, 1), 3).expect("restarted");
    assert!(matches!(
        states.check(&batch(1, 0, 3, 1), NOW),
        Err(AppendError::InvalidProducerEpoch {
            current: ProducerEpoch(1),
            found: ProducerEpoch(0),
            ..
        })
    ));
    // A batch of the old epoch with the same numbers is no duplicate any more.
    assert_eq!(states.get(ProducerId(1)).map(|e| e.batches.len()), Some(1));
}

#[test]
fn sequences_wrap_to_zero() {
    let mut states = states();
    append(&mut states, &batch(1, 0, i32::MAX - 1, 2), 1).expect("up to the end");
    append(&mut states, &batch(1, 0, 0, 2), 3).expect("wrapped");
    let mut states = self::states();
    append(&mut states, &batch(1, 0, i32::MAX - 1, 5), 4).expect("wraps within the batch");
    let again = states.check(&batch(1, 0, i32::MAX - 1, 5), NOW);
    assert!(matches!(again, Ok(SequenceCheck::Duplicate(_))));
    append(&mut states, &batch(1, 0, 3, 1), 5).expect("follows");
}

#[test]
fn the_number_of_producers_is_bounded_and_the_longest_silent_make_room() {
    let mut states = states();
    for id in 0..3 {
        append(&mut states, &batch(id, 0, 0, 1), id).expect("room");
    }
    states.record(&batch(0, 0, 1, 1), Offset(3), TimestampMs(NOW.0 + 1));
    let fourth = batch(3, 0, 0, 1);
    assert_eq!(
        states.check(&fourth, TimestampMs(1099)),
        Ok(SequenceCheck::New)
    );
    let left: Vec<_> = states.sorted().into_iter().map(|(id, _)| id).collect();
    assert_eq!(
        left,
        [ProducerId(0), ProducerId(2)],
        "the first has spoken since"
    );
}

#[test]
fn expired_producers_make_room_before_others() {
    let mut states = states();
    for id in 0..3 {
        append(&mut states, &batch(id, 0, 0, 1), id).expect("room");
    }
    let fourth = batch(3, 0, 0, 1);
    assert_eq!(
        states.check(&fourth, TimestampMs(1100)),
        Ok(SequenceCheck::New)
    );
    assert!(states.is_empty());
}

proptest! {
    #[test]
    fn stepping_back_undoes_stepping_ahead(sequence in 0..=i32::MAX, count in 0..=i32::MAX) {
        prop_assert_eq!(sequence_before(sequence_after(sequence, count), count), sequence);
    }

    #[test]
    fn whatever_is_retried_is_stored_once(retries in proptest::collection::vec((1..4i32, any::<bool>(), 0..5usize), 1..30)) {
        let mut states = states();
        let mut sent: Vec<(ProducerBatch, i64)> = Vec::new();
        let (mut sequence, mut end) = (i32::MAX - 20, 0i64);
        for (records, retry, back) in retries {
            if let Some((old, last_offset)) = sent.iter().rev().nth(back).filter(|_| retry) {
                let Ok(SequenceCheck::Duplicate(found)) = states.check(old, NOW) else {
                    unreachable!("a retry of the last five is known");
                };
                prop_assert_eq!(found.last_offset, Offset(*last_offset));
            } else {
                let next = batch(1, 0, sequence, records);
                end += i64::from(records);
                prop_assert_eq!(append(&mut states, &next, end - 1), Ok(SequenceCheck::New));
                sent.push((next, end - 1));
                sequence = sequence_after(sequence, records);
            }
        }
    }
}
