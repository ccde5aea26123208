//! Apache Kafka 4.3.1's own verdicts about 187 batches, right and wrong, held against the verdicts here.
//!
//! `tests/kafka/RecordVerdicts.java` asked Kafka's classes and wrote `verdicts.tsv`. Where the two differ, a batch is
//! refused here that Kafka would store, or a client is told more than UNKNOWN_SERVER_ERROR.

use records::{InvalidBatch, ProduceRules, TimestampType};

use crate::support::{rules, validate};

const VERDICTS: &str = include_str!("verdicts.tsv");

/// What Kafka stores and Logan refuses: beginnings of the cases' names. (`docs/compatibility.md` says so, too.)
const STRICTER: [&str; 11] = [
    // Poison: Kafka skips over compressed keys and values without a look, so that only consumers find out.
    "a record that is longer than its length",
    "a record that is shorter than its length",
    "a negative length",
    "a key of length -2",
    // Offsets are the producer's to set, and clients resume behind the last one they saw.
    "an offset that is not the index",
    // Clients differ in whether they read on behind the end of compressed data.
    "byte behind compressed",
    "twice, lz4",
    // Kafka cuts such a byte off.
    "a byte behind the batch",
    // Only brokers set it.
    "delete horizon",
    // No producer sends these.
    "epoch -1",
    "transactional without producer",
];

pub(crate) struct Case<'a> {
    pub(crate) name: &'a str,
    pub(crate) rules: ProduceRules,
    pub(crate) batch: Vec<u8>,
    verdict: &'a str,
}

pub(crate) fn cases() -> Vec<Case<'static>> {
    VERDICTS.lines().skip(1).map(case).collect()
}

fn case(line: &str) -> Case<'_> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [
        name,
        timestamp_type,
        cleanup_policy,
        before,
        after,
        batch,
        verdict,
    ] = columns[..]
    else {
        unreachable!("a line has seven columns: {line}")
    };
    let number = |text: &str| text.parse().expect("a number of milliseconds");
    let timestamp_type = match timestamp_type {
        "LogAppendTime" => TimestampType::LogAppendTime,
        _ => TimestampType::CreateTime,
    };
    let byte = |pair: &[u8]| {
        let digits = std::str::from_utf8(pair).expect("hexadecimal digits");
        u8::from_str_radix(digits, 16).expect("hexadecimal digits")
    };
    Case {
        name,
        rules: ProduceRules {
            timestamp_type,
            requires_keys: cleanup_policy == "compact",
            timestamp_before_max_ms: number(before),
            timestamp_after_max_ms: number(after),
            ..rules()
        },
        batch: batch.as_bytes().chunks(2).map(byte).collect(),
        verdict,
    }
}

/// The name of the error that a client is told.
fn error_name(refused: &InvalidBatch) -> &'static str {
    match refused {
        InvalidBatch::NotOneBatch
        | InvalidBatch::UnsupportedMagic(_)
        | InvalidBatch::InvalidHeader(_)
        | InvalidBatch::Malformed(_)
        | InvalidBatch::DecompressedTooLarge
        | InvalidBatch::MissingKey(_) => "INVALID_RECORD",
        InvalidBatch::ZstdTooEarly | InvalidBatch::UnknownCompression => {
            "UNSUPPORTED_COMPRESSION_TYPE"
        }
        InvalidBatch::Corrupt(_) => "CORRUPT_MESSAGE",
        InvalidBatch::TooLarge { .. } => "MESSAGE_TOO_LARGE",
        InvalidBatch::InvalidTimestamp { .. } => "INVALID_TIMESTAMP",
    }
}

#[test]
fn verdicts_are_those_of_kafka_or_stricter_where_that_is_said() {
    let cases = cases();
    assert_eq!(cases.len(), 187);
    for Case {
        name,
        rules,
        batch,
        verdict,
    } in cases
    {
        let ours = match validate(&batch, &rules) {
            Ok(valid) => format!("NONE {}", valid.max_timestamp.0),
            Err(refused) => error_name(&refused).to_owned(),
        };
        let is_stricter = STRICTER.iter().any(|stricter| name.starts_with(stricter));
        match verdict {
            "UNKNOWN_SERVER_ERROR" => {
                let is_told = matches!(&*ours, "INVALID_RECORD" | "UNSUPPORTED_COMPRESSION_TYPE");
                assert!(is_told, "{name}: {ours}");
            }
            _ if is_stricter => assert_eq!(ours, "INVALID_RECORD", "{name}"),
            _ => assert_eq!(ours, verdict, "{name}"),
        }
    }
}

#[test]
fn every_difference_is_one() {
    let cases = cases();
    for stricter in STRICTER {
        let is_stored_by_kafka =
            |case: &Case<'_>| case.name.starts_with(stricter) && case.verdict.starts_with("NONE");
        assert!(cases.iter().any(is_stored_by_kafka), "{stricter}");
    }
}
