//! Batches that nine real clients sent to Apache Kafka (`tests/golden`).

use std::fs;
use std::path::Path;

use protocol::messages::ProduceRequest;
use protocol::{Decoder, RequestPrefix, decode_request_header};
use records::{BatchHeader, BatchIter, Compression, ProduceRules, ValidationLevel};

use crate::support::{read, rules, stored, validate};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");

/// The batches of all recorded produce requests, each with its file's name.
fn batches() -> Vec<(String, Vec<u8>)> {
    let golden = Path::new(GOLDEN);
    let index = fs::read_to_string(golden.join("index.tsv")).expect("the index is committed");
    let files = index.lines().filter_map(|line| line.split('\t').next());
    let mut batches = Vec::new();
    for file in files.filter(|file| file.contains("/Produce-")) {
        let frame = fs::read(golden.join(file)).expect("a listed file is committed");
        let prefix = RequestPrefix::peek(&frame).expect("a frame has a prefix");
        let mut decoder = Decoder::new(frame.into());
        decode_request_header(&mut decoder, prefix).expect("a readable header");
        let request: ProduceRequest =
            protocol::wire::decode_versioned(&mut decoder, prefix.api_version)
                .expect("a readable request");
        for partition in request
            .topic_data
            .into_iter()
            .flat_map(|topic| topic.partition_data)
        {
            let records = partition.records.expect("a client sends records");
            batches.push((file.to_owned(), records.into_bytes().to_vec()));
        }
    }
    batches
}

/// Kafka's rules at the time of the recording.
fn recorded_rules(batch: &[u8]) -> ProduceRules {
    let header = BatchHeader::parse(batch).expect("a whole batch");
    ProduceRules {
        timestamp_after_max_ms: header.max_timestamp.0,
        ..rules()
    }
}

#[test]
fn real_batches_are_valid_as_they_are() {
    let batches = batches();
    assert!(batches.len() >= 50, "{} batches", batches.len());
    for (file, batch) in batches {
        for level in [ValidationLevel::Full, ValidationLevel::Header] {
            let rules = ProduceRules {
                level,
                ..recorded_rules(&batch)
            };
            let valid =
                validate(&batch, &rules).unwrap_or_else(|error| unreachable!("{file}: {error}"));
            assert!(valid.replacement.is_none(), "{file}");
            let codec = valid
                .header
                .compression()
                .expect("a codec that Kafka knows");
            assert!(
                file.ends_with(&format!("-{}.bin", codec.name())),
                "{file} holds {codec:?}"
            );
        }
    }
}

#[test]
fn real_batches_iterate_and_keep_their_records_through_every_codec() {
    for (file, batch) in batches() {
        assert_eq!(
            BatchIter::new(&batch).filter(Result::is_ok).count(),
            1,
            "{file}"
        );
        let records = read(&batch);
        let header = BatchHeader::parse(&batch).expect("a whole batch");
        assert_eq!(
            i32::try_from(records.len()).ok(),
            Some(header.record_count),
            "{file}"
        );
        for codec in Compression::ALL {
            let rules = ProduceRules {
                compression: Some(codec),
                ..recorded_rules(&batch)
            };
            let valid = validate(&batch, &rules).expect("it was valid before");
            assert_eq!(
                read(&stored(batch.clone(), &valid)),
                records,
                "{file} as {codec:?}"
            );
        }
    }
}
