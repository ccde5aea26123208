//! Damage is found, and nothing panics.

use proptest::prelude::*;
use records::{BatchError, Compression, InvalidBatch, ProduceRules, ValidationLevel};

use crate::support::{build, codec, one, plain, rules, set, validate, wrap};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_changed_byte_is_refused(records in proptest::collection::vec(plain(), 1..5), codec in codec(), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut batch = build(codec, &records);
        let at = at.index(batch.len());
        // The leader epoch is not covered by anything: the broker overwrites it.
        prop_assume!(!(12..16).contains(&at));
        batch[at] ^= flip;
        prop_assert!(validate(&batch, &rules()).is_err());
    }

    #[test]
    fn arbitrary_bytes_behind_a_header_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300), codec in codec(), count in any::<i32>()) {
        let refused = validate(&wrap(codec, count, &body), &rules());
        prop_assert!(refused.is_err() || count > 0);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(validate(&bytes, &rules()).is_err());
    }
}

#[test]
fn every_flipped_bit_under_the_checksum_is_seen_as_damage() {
    for codec in Compression::ALL {
        let sent = one(b"a value", codec);
        for level in [ValidationLevel::Full, ValidationLevel::Header] {
            let rules = ProduceRules { level, ..rules() };
            for bit in 17 * 8..sent.len() * 8 {
                let mut batch = sent.clone();
                batch[bit / 8] ^= 1 << (bit % 8);
                // A client tries again what was damaged on its way; any other error it would take for final.
                let refused = validate(&batch, &rules).expect_err("a flipped bit");
                let is_crc = matches!(
                    refused,
                    InvalidBatch::Corrupt(BatchError::CrcMismatch { .. })
                );
                assert!(is_crc, "{codec:?}, bit {bit}: {refused}");
            }
        }
    }
}

#[test]
fn every_cut_is_refused() {
    for codec in Compression::ALL {
        let sent = one(b"a value", codec);
        for len in 0..sent.len() {
            assert_eq!(
                validate(&sent[..len], &rules()).expect_err("cut"),
                InvalidBatch::NotOneBatch
            );
        }
    }
}

#[test]
fn every_field_of_the_header_may_be_forged_without_a_panic() {
    let sent = build(Compression::Zstd, &[crate::support::Plain::of_value(b"x")]);
    for at in 0..records::BATCH_HEADER_BYTES - 8 {
        for forged in [
            [0; 8],
            [0xff; 8],
            *b"\x7f\xff\xff\xff\xff\xff\xff\xff",
            *b"\x80\0\0\0\0\0\0\0",
        ] {
            let mut batch = sent.clone();
            set(&mut batch, at, forged);
            // Where it is accepted, what is stored is whole.
            if let Ok(valid) = validate(&batch, &rules()) {
                let stored = crate::support::stored(batch, &valid);
                assert!(records::verify_crc(&stored).is_ok());
                assert_eq!(crate::support::read(&stored).len(), 1);
            }
        }
    }
}
