//! What Kafka refuses is refused, with the error that Kafka would give.
//!
//! The rules were read off Kafka 4.3.1: `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords` and
//! `LogValidator`.

use records::{
    BatchBuilder, BatchError, Compression, InvalidBatch, ProduceRules, TimestampType,
    ValidationLevel,
};
use types::{ProducerEpoch, ProducerId};

use crate::support::{
    NOW, Plain, body, build, build_with, compress, one, read, rules, set, stored, validate, wrap,
};

fn refuse(batch: &[u8], rules: &ProduceRules) -> InvalidBatch {
    validate(batch, rules).expect_err("Kafka refuses it")
}

fn at(timestamp: i64) -> Plain {
    Plain {
        timestamp,
        ..Plain::of_value(b"x")
    }
}

/// A batch with some bytes of its header replaced, and a checksum that says so.
fn patched<const N: usize>(at: usize, bytes: [u8; N]) -> Vec<u8> {
    let mut batch = one(b"x", Compression::None);
    set(&mut batch, at, bytes);
    batch
}

#[test]
fn a_partition_gets_exactly_one_batch() {
    let batch = one(b"x", Compression::Zstd);
    assert_eq!(refuse(&[], &rules()), InvalidBatch::NotOneBatch);
    assert_eq!(
        refuse(&[batch.clone(), batch.clone()].concat(), &rules()),
        InvalidBatch::NotOneBatch
    );
    assert_eq!(
        refuse(&[&batch[..], b"\0"].concat(), &rules()),
        InvalidBatch::NotOneBatch
    );
}

#[test]
fn only_magic_2_is_taken() {
    for magic in [0, 1] {
        assert_eq!(
            refuse(&patched(16, [magic]), &rules()),
            InvalidBatch::UnsupportedMagic(0_i8.saturating_add_unsigned(magic))
        );
    }
    for magic in [3, 0x7f, 0xff] {
        let refused = refuse(&patched(16, [magic]), &rules());
        assert!(
            matches!(
                refused,
                InvalidBatch::Corrupt(BatchError::UnsupportedMagic(_))
            ),
            "{refused:?}"
        );
    }
}

#[test]
fn sizes_are_checked() {
    let batch = one(b"x", Compression::None);
    let size = batch.len();
    let limited = |batch_size_max_bytes| ProduceRules {
        batch_size_max_bytes,
        ..rules()
    };
    assert_eq!(
        refuse(&batch, &limited(size - 1)),
        InvalidBatch::TooLarge {
            size,
            max: size - 1
        }
    );
    assert!(validate(&batch, &limited(size)).is_ok());
    for length in [0, -1, i32::MIN, 48] {
        let refused = refuse(&patched(8, length.to_be_bytes()), &rules());
        assert_eq!(
            refused,
            InvalidBatch::Corrupt(BatchError::InvalidLength(length))
        );
    }
    assert_eq!(
        refuse(&patched(8, i32::MAX.to_be_bytes()), &rules()),
        InvalidBatch::NotOneBatch
    );
}

#[test]
fn headers_that_only_brokers_write_or_that_contradict_themselves_are_refused() {
    let with_producer = |sequence: i32, epoch| {
        let builder = BatchBuilder::new(Compression::None).producer(
            ProducerId(1),
            ProducerEpoch(epoch),
            sequence,
        );
        build_with(builder, &[at(NOW.0)])
    };
    let anonymous = |builder| build_with(builder, &[at(NOW.0)]);
    let cases = [
        ("base offset", patched(0, 1_i64.to_be_bytes())),
        (
            "no records",
            wrap(Compression::None, 0, &body(&[at(NOW.0)])),
        ),
        (
            "a negative count",
            wrap(Compression::None, -1, &body(&[at(NOW.0)])),
        ),
        (
            "a last offset that does not fit the count",
            patched(23, 1_i32.to_be_bytes()),
        ),
        (
            "more records than bytes",
            wrap(Compression::None, i32::MAX, &body(&[at(NOW.0)])),
        ),
        (
            "control",
            anonymous(BatchBuilder::new(Compression::None).control()),
        ),
        ("a delete horizon", patched(21, 0x40_i16.to_be_bytes())),
        ("a negative sequence number", with_producer(-1, 0)),
        ("a negative epoch", with_producer(0, -1)),
        (
            "transactional without producer",
            anonymous(BatchBuilder::new(Compression::None).transactional()),
        ),
    ];
    for (what, batch) in cases {
        for level in [ValidationLevel::Full, ValidationLevel::Header] {
            let refused = refuse(&batch, &ProduceRules { level, ..rules() });
            assert!(
                matches!(refused, InvalidBatch::InvalidHeader(_)),
                "{what}: {refused}"
            );
        }
    }
    assert!(validate(&with_producer(0, 0), &rules()).is_ok());
}

#[test]
fn codecs_are_checked() {
    let zstd = one(b"x", Compression::Zstd);
    assert_eq!(
        refuse(
            &zstd,
            &ProduceRules {
                allows_zstd: false,
                ..rules()
            }
        ),
        InvalidBatch::ZstdTooEarly
    );
    for codec in 5_i16..8 {
        assert_eq!(
            refuse(&patched(21, codec.to_be_bytes()), &rules()),
            InvalidBatch::UnknownCompression
        );
    }
}

#[test]
fn compacted_topics_need_keys() {
    let rules = ProduceRules {
        requires_keys: true,
        ..rules()
    };
    let keyed = Plain {
        key: Some(vec![]),
        ..at(NOW.0)
    };
    for codec in Compression::ALL {
        assert!(validate(&build(codec, &[keyed.clone(), keyed.clone()]), &rules).is_ok());
        let refused = refuse(&build(codec, &[keyed.clone(), at(NOW.0)]), &rules);
        assert!(
            matches!(refused, InvalidBatch::MissingKey(fault) if fault.index == 1),
            "{refused}"
        );
    }
}

#[test]
fn timestamps_are_bounded_on_both_sides() {
    let rules = ProduceRules {
        timestamp_before_max_ms: 1_000,
        timestamp_after_max_ms: 50,
        ..rules()
    };
    for codec in Compression::ALL {
        for timestamp in [NOW.0 - 1_000, NOW.0, NOW.0 + 50, -1] {
            assert!(
                validate(&build(codec, &[at(timestamp)]), &rules).is_ok(),
                "{timestamp}"
            );
        }
        for timestamp in [NOW.0 - 1_001, NOW.0 + 51, 0, i64::MAX, i64::MIN] {
            let refused = refuse(&build(codec, &[at(NOW.0), at(timestamp)]), &rules);
            assert!(
                matches!(refused, InvalidBatch::InvalidTimestamp { fault, .. } if fault.index == 1),
                "{refused}"
            );
            let append_time = ProduceRules {
                timestamp_type: TimestampType::LogAppendTime,
                ..rules
            };
            assert!(validate(&build(codec, &[at(NOW.0), at(timestamp)]), &append_time).is_ok());
        }
    }
    let by_header = ProduceRules {
        level: ValidationLevel::Header,
        ..rules
    };
    assert!(matches!(
        refuse(&one_late(&rules), &by_header),
        InvalidBatch::InvalidTimestamp { .. }
    ));
}

fn one_late(rules: &ProduceRules) -> Vec<u8> {
    build(
        Compression::None,
        &[at(NOW.0 + rules.timestamp_after_max_ms + 1)],
    )
}

#[test]
fn producers_may_not_claim_append_time() {
    let claim = |timestamp: i64| {
        let mut batch = build(Compression::None, &[at(timestamp)]);
        set(&mut batch, 21, 0x08_i16.to_be_bytes());
        batch
    };
    let append_time = ProduceRules {
        timestamp_type: TimestampType::LogAppendTime,
        ..rules()
    };
    assert!(matches!(
        refuse(&claim(NOW.0), &append_time),
        InvalidBatch::InvalidTimestamp { .. }
    ));
    // Where producers stamp, Kafka looks at the time itself, and removes the claim.
    assert!(matches!(
        refuse(&claim(-1), &rules()),
        InvalidBatch::InvalidTimestamp { .. }
    ));
    let sent = claim(NOW.0 - 4);
    let valid = validate(&sent, &rules()).expect("Kafka takes it");
    assert_eq!(valid.header.timestamp_type(), TimestampType::CreateTime);
    assert_eq!(read(&stored(sent, &valid)), [at(NOW.0 - 4)]);
}

/// Record bytes that no consumer could read, each broken at one place. The first byte of a record is its length.
fn poison() -> Vec<(&'static str, i32, Vec<u8>)> {
    let good = body(&[Plain::of_value(b"value")]);
    let with = |at: usize, byte| {
        let mut records = good.clone();
        records[at] = byte;
        records
    };
    // Length, attributes, timestamp and offset deltas, key (null), value length, "value", header count.
    assert_eq!(good, b"\x16\0\0\0\x01\x0avalue\0");
    let record =
        |fields: &[u8]| [&[u8::try_from(fields.len() * 2).expect("short")], fields].concat();
    vec![
        ("an offset that is not the index", 1, with(3, 2)),
        ("a record that is longer than its length", 1, with(0, 0x14)),
        ("a record that is shorter than its length", 1, with(0, 0x18)),
        ("a negative length", 1, with(0, 0x01)),
        ("a key beyond the end", 1, with(4, 0x20)),
        ("a key of length -2", 1, with(4, 0x03)),
        ("a value beyond the end", 1, with(5, 0x7e)),
        ("a negative number of headers", 1, with(11, 0x01)),
        ("headers that are not there", 1, with(11, 0x02)),
        ("fewer records than the header says", 2, good.clone()),
        (
            "more records than the header says",
            1,
            [&good[..], &good].concat(),
        ),
        ("a byte behind the records", 1, [&good[..], b"\0"].concat()),
        (
            "a header without key",
            1,
            record(b"\0\0\0\x01\x01\x02\x01\x01"),
        ),
        (
            "a number that does not end",
            1,
            record(b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\x01\x01\0"),
        ),
        (
            "an offset above 32 bits",
            1,
            record(b"\0\0\x80\x80\x80\x80\x80\x01\x01\x01\0"),
        ),
        ("nothing", 1, vec![]),
    ]
}

#[test]
fn records_that_no_consumer_could_read_are_refused_compressed_or_not() {
    for (what, count, records) in poison() {
        for codec in Compression::ALL {
            let batch = wrap(codec, count, &compress(codec, &records));
            let refused = refuse(&batch, &rules());
            let is_expected = matches!(
                refused,
                InvalidBatch::Malformed(_) | InvalidBatch::InvalidHeader(_)
            );
            assert!(is_expected, "{what}, {codec:?}: {refused}");
        }
    }
    for codec in Compression::ALL {
        let good = compress(codec, &body(&[Plain::of_value(b"value")]));
        assert!(
            validate(&wrap(codec, 1, &good), &rules()).is_ok(),
            "{codec:?}"
        );
    }
}

#[test]
fn header_validation_does_not_look_at_records() {
    let rules = ProduceRules {
        level: ValidationLevel::Header,
        ..rules()
    };
    for (what, count, records) in poison() {
        let batch = wrap(
            Compression::Gzip,
            count,
            &compress(Compression::Gzip, &records),
        );
        assert!(validate(&batch, &rules).is_ok(), "{what}");
    }
}
