//! Each key of a topic does what it says: these tests fail if the broker takes the key and forgets it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use protocol::Records;
use protocol::messages::ProduceRequest;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use records::{BatchBuilder, BatchHeader, Compression, NewRecord};
use tests::{Broker, Launch, batch_of, create_topic, error_of, temporary_directory};
use types::{ErrorCode, TimestampMs};

const TOPIC: &str = "configured";

/// The last version of Produce that names topics.
const VERSION: i16 = 12;

/// A broker with a topic of one partition.
struct Stage {
    broker: Broker,
    directory: tempfile::TempDir,
}

impl Stage {
    fn set(configs: &[(&str, &str)]) -> Self {
        let directory = temporary_directory();
        let broker = Launch::in_directory(directory.path()).start();
        create_topic(&broker, TOPIC, 1, configs);
        Self { broker, directory }
    }

    fn produce(&self, batch: &Bytes) -> PartitionProduceResponse {
        produce(&self.broker, batch)
    }

    fn store(&self, batch: &Bytes) {
        let answer = self.produce(batch);
        assert_eq!(error_of(answer.error_code), ErrorCode::None, "{answer:?}");
    }

    /// Stops the broker, which cuts files to what is in them, and reads those that end so, the oldest first.
    fn files(self, ending: &str) -> Vec<Vec<u8>> {
        assert_eq!(self.broker.stop().code(), 0);
        let partition = self.directory.path().join(format!("{TOPIC}-0"));
        let paths = files_in(&partition, ending).into_iter();
        paths
            .map(|path| fs::read(path).expect("it can be read"))
            .collect()
    }
}

fn files_in(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the partition's directory");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == ending)
        })
        .collect();
    paths.sort();
    paths
}

fn produce(broker: &Broker, batch: &Bytes) -> PartitionProduceResponse {
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: TOPIC.into(),
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(Records::from(batch.clone())),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let response = broker.wire().call(VERSION, &request);
    response.responses[0].partition_responses[0].clone()
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("before the year 292,278,994")
}

/// A batch whose record is this much older than now, or younger.
fn aged(age_ms: i64) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(&NewRecord {
        timestamp: TimestampMs(now_ms() - age_ms),
        key: Some(b"key"),
        value: Some(b"value"),
        headers: &[],
    });
    builder.build().expect("nothing is compressed").into()
}

/// What a codec can make smaller, and with more effort much smaller.
fn text() -> Vec<u8> {
    let words = ["shard", "segment", "batch", "offset", "epoch", "leader"];
    let mut state = 1_u32;
    let mut text = String::new();
    while text.len() < 300_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let index = usize::try_from(state >> 24).expect("small") % words.len();
        text.push_str(words[index]);
        text.push_str(&(state >> 20).to_string());
    }
    text.into_bytes()
}

/// How large the text is on disk, and the codec's number.
fn stored(configs: &[(&str, &str)]) -> (usize, i16) {
    let stage = Stage::set(configs);
    stage.store(&batch_of(Compression::None, &[&text()]));
    let content = stage.files("log").remove(0);
    let header = BatchHeader::parse(&content).expect("one batch");
    (content.len(), header.attributes & 7)
}

#[test]
fn batches_are_stored_in_the_topics_codec() {
    for (codec, number) in [
        ("producer", 0),
        ("uncompressed", 0),
        ("gzip", 1),
        ("snappy", 2),
    ] {
        assert_eq!(stored(&[("compression.type", codec)]).1, number, "{codec}");
    }
    for (codec, number) in [("lz4", 3), ("zstd", 4)] {
        assert_eq!(stored(&[("compression.type", codec)]).1, number, "{codec}");
    }
}

#[test]
fn more_effort_of_gzip_makes_smaller_batches() {
    let of = |level| {
        stored(&[
            ("compression.type", "gzip"),
            ("compression.gzip.level", level),
        ])
        .0
    };
    assert!(of("9") < of("1"));
}

#[test]
fn more_effort_of_lz4_makes_smaller_batches() {
    let of = |level| {
        stored(&[
            ("compression.type", "lz4"),
            ("compression.lz4.level", level),
        ])
        .0
    };
    assert!(of("12") < of("9"), "9 is the fast compressor");
}

#[test]
fn more_effort_of_zstandard_makes_smaller_batches() {
    let of = |level| {
        stored(&[
            ("compression.type", "zstd"),
            ("compression.zstd.level", level),
        ])
        .0
    };
    assert!(of("19") < of("-50"));
}

#[test]
fn the_broker_stamps_records_where_the_topic_says_so() {
    let stage = Stage::set(&[("message.timestamp.type", "LogAppendTime")]);
    let before = now_ms();
    let answer = stage.produce(&aged(1_000_000));
    assert!(answer.log_append_time_ms >= before, "{answer:?}");
    let stage = Stage::set(&[("message.timestamp.type", "CreateTime")]);
    assert_eq!(stage.produce(&aged(1_000_000)).log_append_time_ms, -1);
}

#[test]
fn records_that_are_too_old_are_refused() {
    let stage = Stage::set(&[("message.timestamp.before.max.ms", "60000")]);
    let code = error_of(stage.produce(&aged(3_600_000)).error_code);
    assert_eq!(code, ErrorCode::InvalidTimestamp);
    stage.store(&aged(1000));
}

#[test]
fn records_from_the_future_are_refused() {
    let stage = Stage::set(&[("message.timestamp.after.max.ms", "60000")]);
    let code = error_of(stage.produce(&aged(-600_000)).error_code);
    assert_eq!(code, ErrorCode::InvalidTimestamp);
    stage.store(&aged(-1000));
}

#[test]
fn batches_above_the_topics_limit_are_refused() {
    let stage = Stage::set(&[("max.message.bytes", "1000")]);
    let answer = stage.produce(&batch_of(Compression::None, &[&[7; 1000]]));
    assert_eq!(error_of(answer.error_code), ErrorCode::MessageTooLarge);
    stage.store(&batch_of(Compression::None, &[&[7; 500]]));
}

#[test]
fn one_replica_is_not_enough_where_two_are_asked_for() {
    let stage = Stage::set(&[("min.insync.replicas", "2")]);
    let answer = stage.produce(&aged(0));
    assert_eq!(error_of(answer.error_code), ErrorCode::NotEnoughReplicas);
}

#[test]
fn segments_begin_by_size() {
    let stage = Stage::set(&[("segment.bytes", "1048576")]);
    for _ in 0..3 {
        stage.store(&batch_of(Compression::None, &[&[7; 700_000]]));
    }
    assert_eq!(stage.files("log").len(), 3);
}

#[test]
fn segments_begin_by_the_age_of_records() {
    let stage = Stage::set(&[("segment.ms", "1000")]);
    for age_ms in [30_000, 20_000, 10_000] {
        stage.store(&aged(age_ms));
    }
    assert_eq!(stage.files("log").len(), 3);
}

#[test]
fn a_full_index_begins_a_segment_and_the_interval_fills_it() {
    let stage = Stage::set(&[("index.interval.bytes", "0"), ("segment.index.bytes", "24")]);
    for _ in 0..10 {
        stage.store(&aged(0));
    }
    let segments = stage.files("log").len();
    assert!(segments > 2, "{segments}");
    // As many batches fill no index where entries are far apart.
    let stage = Stage::set(&[("segment.index.bytes", "24")]);
    for _ in 0..10 {
        stage.store(&aged(0));
    }
    assert_eq!(stage.files("log").len(), 1);
}

#[test]
fn an_index_has_an_entry_for_each_interval() {
    let len = |interval| {
        let stage = Stage::set(&[("index.interval.bytes", interval)]);
        for _ in 0..10 {
            stage.store(&aged(0));
        }
        stage.files("index")[0].len()
    };
    assert_eq!(len("4096"), 0);
    assert!(len("0") >= 8 * 5);
}

#[test]
fn a_preallocated_segment_has_all_its_blocks_at_once() {
    let blocks = |preallocate| {
        let stage = Stage::set(&[("preallocate", preallocate), ("segment.bytes", "8388608")]);
        stage.store(&aged(0));
        let partition = stage.directory.path().join(format!("{TOPIC}-0"));
        let log = files_in(&partition, "log").remove(0);
        fs::metadata(log).expect("it is there").blocks() * 512
    };
    assert!(blocks("true") >= 8 << 20);
    assert!(blocks("false") < 8 << 20);
}

#[test]
fn a_record_without_a_key_is_refused_where_keys_decide() {
    let stage = Stage::set(&[("cleanup.policy", "compact")]);
    let answer = stage.produce(&batch_of(Compression::None, &[b"no key"]));
    assert_eq!(error_of(answer.error_code), ErrorCode::InvalidRecord);
    stage.store(&aged(0));
}

#[test]
fn keys_that_could_have_no_effect_are_refused_by_name() {
    let directory = temporary_directory();
    let broker = Launch::in_directory(directory.path()).start();
    for (key, value) in [
        ("local.retention.bytes", "1000"),
        ("local.retention.ms", "1000"),
        ("remote.log.copy.disable", "true"),
        ("remote.log.delete.on.disable", "true"),
        ("remote.storage.enable", "true"),
    ] {
        let request = protocol::messages::CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: TOPIC.into(),
                num_partitions: 1,
                replication_factor: 1,
                configs: vec![CreatableTopicConfig {
                    name: key.into(),
                    value: Some(value.into()),
                }],
                ..CreatableTopic::default()
            }],
            timeout_ms: 30_000,
            validate_only: false,
        };
        let answer = broker.wire().call(7, &request).topics.remove(0);
        assert_eq!(
            error_of(answer.error_code),
            ErrorCode::InvalidConfig,
            "{key}"
        );
        let message = answer.error_message.as_deref().unwrap_or("");
        let is_named = message.contains(key) || message.contains("Tiered Storage");
        assert!(is_named, "{key}: {message}");
    }
}
