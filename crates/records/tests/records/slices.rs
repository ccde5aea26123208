//! Validation in slices comes to the same end as validation in one go, and no slice is long.

use proptest::prelude::*;
use records::{Compression, InvalidBatch, ProduceRules, Scratch, ValidBatch, Validation};

use crate::support::{NOW, Plain, build, codec, one, plain, rules, validate};
use crate::verdicts::{Case, cases};

/// Checks a batch in slices of so many bytes; the result, and how many slices it took.
fn in_slices(
    batch: &[u8],
    rules: &ProduceRules,
    budget_bytes: usize,
    scratch: &mut Scratch,
) -> (Result<ValidBatch, InvalidBatch>, usize) {
    let mut validation = Validation::new(batch, rules, NOW, std::mem::take(scratch));
    for slices in 1.. {
        if let Some(result) = validation.advance(budget_bytes) {
            *scratch = validation.into_scratch();
            return (result, slices);
        }
    }
    unreachable!("each slice goes on")
}

/// What can be compared of a result.
fn essence(result: &Result<ValidBatch, InvalidBatch>) -> String {
    format!("{result:?}")
}

#[test]
fn slices_of_any_size_come_to_the_same_verdicts() {
    let mut scratch = Scratch::default();
    for Case {
        name, rules, batch, ..
    } in cases()
    {
        let whole = essence(&validate(&batch, &rules));
        for budget_bytes in [0, 1, 2, 7, 1_000, usize::MAX] {
            let (sliced, _) = in_slices(&batch, &rules, budget_bytes, &mut scratch);
            assert_eq!(essence(&sliced), whole, "{name} by {budget_bytes} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn valid_batches_are_valid_in_slices(records in proptest::collection::vec(plain(), 1..20), from in codec(), to in codec(), budget_bytes in 1usize..3_000) {
        let batch = build(from, &records);
        let rules = ProduceRules { compression: Some(to), ..rules() };
        let (sliced, _) = in_slices(&batch, &rules, budget_bytes, &mut Scratch::default());
        prop_assert_eq!(essence(&sliced), essence(&validate(&batch, &rules)));
    }
}

#[test]
fn large_batches_take_many_slices_even_inside_of_one_record() {
    const SLICE_BYTES: usize = 64 << 10;
    const LEN: usize = 1 << 20;
    let rules = ProduceRules {
        batch_size_max_bytes: LEN,
        ..rules()
    };
    let headers = Plain {
        headers: vec![(vec![], Some(vec![])); LEN / 2],
        ..Plain::of_value(b"")
    };
    for codec in Compression::ALL
        .into_iter()
        .filter(|codec| *codec != Compression::None)
    {
        for batch in [
            one(&vec![0; LEN], codec),
            build(codec, std::slice::from_ref(&headers)),
        ] {
            let (result, slices) = in_slices(&batch, &rules, SLICE_BYTES, &mut Scratch::default());
            assert!(result.is_ok(), "{codec:?}: {result:?}");
            // A slice ends at the end of a block at the latest.
            assert!(
                slices >= LEN / SLICE_BYTES / 2,
                "{codec:?} took {slices} slices"
            );
        }
    }
}

#[test]
fn a_validation_that_is_given_up_leaves_its_memory_in_order() {
    let rules = rules();
    let batch = one(&vec![b'x'; 1 << 20], Compression::Gzip);
    let mut validation = Validation::new(&batch, &rules, NOW, Scratch::default());
    assert!(validation.advance(1).is_none());
    let mut scratch = validation.into_scratch();
    let (result, _) = in_slices(&batch, &rules, usize::MAX, &mut scratch);
    assert!(result.is_ok());
}
