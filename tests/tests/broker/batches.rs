//! Batches that must not be stored: each is refused with Kafka's error, leaves no trace in the log, and harms nobody.

use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Acks, Client, OffsetSpec};
use protocol::Records;
use protocol::messages::ProduceRequest;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use records::{BatchHeader, Compression, crc_of};
use tests::{
    Broker, Launch, Neighbour, Wire, batch_of, create_topic, error_of, read_values,
    temporary_directory,
};
use types::{ErrorCode, Offset, PartitionIndex};

const TOPIC: &str = "target";

/// Where a batch has its fields.
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const COUNT_AT: usize = 57;
const RECORDS_AT: usize = 61;

/// The last version of Produce that names topics.
const VERSION: i16 = 12;

/// A broker with a topic, a neighbour, and a connection to misuse.
struct Stage {
    broker: Broker,
    neighbour: Neighbour,
    wire: Wire,
    /// What was acknowledged.
    stored: Vec<Vec<u8>>,
    _directory: tempfile::TempDir,
}

impl Stage {
    fn set(configs: &[(&str, &str)]) -> Self {
        let directory = temporary_directory();
        let broker = Launch::in_directory(directory.path()).start();
        create_topic(&broker, TOPIC, 1, configs);
        let neighbour = Neighbour::beside(&broker);
        let wire = broker.wire();
        Self {
            broker,
            neighbour,
            wire,
            stored: Vec::new(),
            _directory: directory,
        }
    }

    fn produce(&mut self, batch: impl Into<Bytes>) -> PartitionProduceResponse {
        let response = self.wire.call(VERSION, &request(batch.into()));
        response.responses[0].partition_responses[0].clone()
    }

    /// Sends a batch and asserts the refusal, then that a good one is still taken on the same connection.
    fn expect_refusal(&mut self, what: &str, batch: impl Into<Bytes>, code: ErrorCode) {
        let answer = self.produce(batch);
        assert_eq!(error_of(answer.error_code), code, "{what}: {answer:?}");
        assert_eq!(answer.base_offset, -1, "{what}");
        let value = format!("behind {what}").into_bytes();
        let answer = self.produce(batch_of(Compression::None, &[&value]));
        assert_eq!(error_of(answer.error_code), ErrorCode::None, "{what}");
        let expected = i64::try_from(self.stored.len()).expect("few");
        assert_eq!(answer.base_offset, expected, "{what} has left a trace");
        self.stored.push(value);
    }

    /// Everything that was acknowledged is there and nothing else, also after a kill.
    fn end(self, directory_holds: bool) {
        let Self {
            broker,
            neighbour,
            stored,
            _directory: directory,
            ..
        } = self;
        neighbour.expect_unharmed(&broker);
        let mut client = broker.client();
        assert_eq!(read_values(&mut client, TOPIC, PartitionIndex(0)), stored);
        if directory_holds {
            drop(broker.kill());
            let broker = Launch::in_directory(directory.path()).start();
            let mut client = broker.client();
            assert_eq!(read_values(&mut client, TOPIC, PartitionIndex(0)), stored);
        }
    }
}

fn request(batch: Bytes) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: TOPIC.into(),
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(Records::from(batch)),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}

/// A good batch, changed by `forge` and given the checksum that makes the change believable.
fn forged(codec: Compression, forge: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut batch = batch_of(codec, &[b"first", b"second", b"third"]).to_vec();
    forge(&mut batch);
    let crc = crc_of(&batch);
    batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    batch
}

#[test]
fn a_wrong_checksum_is_a_corrupt_message() {
    let mut stage = Stage::set(&[]);
    for at in [CRC_AT, ATTRIBUTES_AT, COUNT_AT, RECORDS_AT, RECORDS_AT + 3] {
        let mut batch = batch_of(Compression::None, &[b"value"]).to_vec();
        batch[at] ^= 0x40;
        stage.expect_refusal(&format!("a flip at {at}"), batch, ErrorCode::CorruptMessage);
    }
    stage.end(true);
}

#[test]
fn records_that_cannot_be_read_are_refused_in_every_codec() {
    let mut stage = Stage::set(&[]);
    for codec in Compression::ALL {
        let name = codec.name();
        let damaged = forged(codec, |batch| batch[RECORDS_AT..].fill(0xff));
        stage.expect_refusal(
            &format!("{name} of 0xff"),
            damaged,
            ErrorCode::InvalidRecord,
        );
        let zeroed = forged(codec, |batch| batch[RECORDS_AT..].fill(0));
        stage.expect_refusal(
            &format!("{name} of zeroes"),
            zeroed,
            ErrorCode::InvalidRecord,
        );
        let more = forged(codec, |batch| {
            batch[LAST_OFFSET_DELTA_AT..][..4].copy_from_slice(&3_i32.to_be_bytes());
            batch[COUNT_AT..][..4].copy_from_slice(&4_i32.to_be_bytes());
        });
        stage.expect_refusal(
            &format!("{name} of 3 for 4"),
            more,
            ErrorCode::InvalidRecord,
        );
        let fewer = forged(codec, |batch| {
            batch[LAST_OFFSET_DELTA_AT..][..4].copy_from_slice(&1_i32.to_be_bytes());
            batch[COUNT_AT..][..4].copy_from_slice(&2_i32.to_be_bytes());
        });
        stage.expect_refusal(
            &format!("{name} of 3 for 2"),
            fewer,
            ErrorCode::InvalidRecord,
        );
    }
    stage.end(true);
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let mut stage = Stage::set(&[]);
    let none = Compression::None;
    let uncounted = forged(none, |batch| batch[COUNT_AT..][..4].fill(0));
    stage.expect_refusal("no records", uncounted, ErrorCode::InvalidRecord);
    let countless = forged(none, |batch| {
        batch[LAST_OFFSET_DELTA_AT..][..4].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
        batch[COUNT_AT..][..4].copy_from_slice(&i32::MAX.to_be_bytes());
    });
    stage.expect_refusal("a forged count", countless, ErrorCode::InvalidRecord);
    let elsewhere = forged(none, |batch| batch[7] = 9);
    stage.expect_refusal("an offset of its own", elsewhere, ErrorCode::InvalidRecord);
    let control = forged(none, |batch| batch[ATTRIBUTES_AT + 1] |= 0x20);
    stage.expect_refusal("a control batch", control, ErrorCode::InvalidRecord);
    let codec = forged(none, |batch| batch[ATTRIBUTES_AT + 1] |= 0x07);
    stage.expect_refusal("codec 7", codec, ErrorCode::UnsupportedCompressionType);
    for magic in [0, 1] {
        let old = forged(none, |batch| batch[MAGIC_AT] = magic);
        stage.expect_refusal(&format!("magic {magic}"), old, ErrorCode::InvalidRecord);
    }
    let batch = batch_of(none, &[b"value"]);
    let two = [&batch[..], &batch[..]].concat();
    stage.expect_refusal("two batches", two, ErrorCode::InvalidRecord);
    stage.expect_refusal("no batch", Bytes::new(), ErrorCode::InvalidRecord);
    let cut = batch.slice(..batch.len() - 1);
    stage.expect_refusal("a cut batch", cut, ErrorCode::InvalidRecord);
    stage.end(false);
}

#[test]
fn a_batch_above_the_limit_is_too_large() {
    let mut stage = Stage::set(&[("max.message.bytes", "10000")]);
    let value = vec![b'x'; 10_000];
    for codec in [Compression::None, Compression::Gzip] {
        // What counts is what is stored: the compressed batch is small.
        let batch = batch_of(codec, &[&value]);
        if codec == Compression::None {
            stage.expect_refusal(
                "10,000 bytes and a header",
                batch,
                ErrorCode::MessageTooLarge,
            );
        } else {
            assert_eq!(error_of(stage.produce(batch).error_code), ErrorCode::None);
            stage.stored.push(value.clone());
        }
    }
    stage.end(false);
}

#[test]
fn the_default_limit_is_kafkas() {
    let mut stage = Stage::set(&[]);
    let tried = 1_048_000;
    let overhead = batch_of(Compression::None, &[&vec![7; tried]]).len() - tried;
    let fitting = 1_048_588 - overhead;
    let answer = stage.produce(batch_of(Compression::None, &[&vec![7; fitting]]));
    assert_eq!(error_of(answer.error_code), ErrorCode::None);
    stage.stored.push(vec![7; fitting]);
    let larger = batch_of(Compression::None, &[&vec![7; fitting + 1]]);
    stage.expect_refusal("one byte more", larger, ErrorCode::MessageTooLarge);
    stage.end(false);
}

/// A batch of one record of zeroes, and how large a bomb of this codec still fits a request.
fn bomb(codec: Compression) -> Bytes {
    let mebibytes = match codec {
        Compression::None => 0,
        Compression::Gzip => 512,
        Compression::Snappy => 16,
        Compression::Lz4 => 200,
        Compression::Zstd => 512,
    };
    let value = vec![0; mebibytes << 20];
    batch_of(codec, &[&value])
}

/// Memory is bounded whatever a batch claims to hold, and the neighbour goes on.
fn defuse(codec: Compression) {
    let bomb = bomb(codec);
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    assert!(BatchHeader::parse(&bomb).is_ok());
    let mut stage = Stage::set(&[]);
    let before = stage.broker.memory_peak_bytes();
    let began = Instant::now();
    for _ in 0..3 {
        let answer = stage.produce(bomb.clone());
        let code = error_of(answer.error_code);
        // Smaller ones are what they say: many zeroes, which Kafka stores too.
        if codec == Compression::Snappy {
            assert_eq!(code, ErrorCode::None, "{answer:?}");
        } else {
            assert_eq!(code, ErrorCode::InvalidRecord, "{answer:?}");
            let message = answer.error_message.as_deref().unwrap_or_default();
            assert!(message.contains("larger than permitted"), "{message}");
        }
        stage.neighbour.expect_progress();
    }
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    let grown = stage.broker.memory_peak_bytes() - before;
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    stage.neighbour.expect_unharmed(&stage.broker);
    assert_eq!(stage.broker.stop().code(), 0);
}

#[test]
fn a_bomb_of_gzip_costs_no_memory() {
    defuse(Compression::Gzip);
}

#[test]
fn a_bomb_of_snappy_costs_no_memory() {
    defuse(Compression::Snappy);
}

#[test]
fn a_bomb_of_lz4_costs_no_memory() {
    defuse(Compression::Lz4);
}

#[test]
fn a_bomb_of_zstd_costs_no_memory() {
    defuse(Compression::Zstd);
}

#[test]
fn an_error_with_acks_0_ends_the_connection() {
    let mut stage = Stage::set(&[]);
    let mut damaged = batch_of(Compression::None, &[b"value"]).to_vec();
    damaged[CRC_AT] ^= 1;
    let silent = ProduceRequest {
        acks: 0,
        ..request(damaged.into())
    };
    stage.wire.send_request(VERSION, &silent);
    stage.wire.expect_closed();
    assert_eq!(end_of(&mut stage.broker.client()), Some(Offset(0)));
    stage.wire = stage.broker.wire();
    let mut client = stage.broker.client();
    let batch = batch_of(Compression::None, &[b"good"]);
    let produced = client.produce(TOPIC, PartitionIndex(0), &batch, Acks::Leader);
    assert!(produced.is_ok(), "{produced:?}");
    stage.stored.push(b"good".to_vec());
    stage.end(false);
}

#[test]
fn acks_that_kafka_does_not_know_are_refused() {
    let mut stage = Stage::set(&[]);
    for acks in [2, -2, i16::MAX, i16::MIN] {
        let batch = batch_of(Compression::None, &[b"value"]);
        let odd = ProduceRequest {
            acks,
            ..request(batch)
        };
        let response = stage.wire.call(VERSION, &odd);
        let answer = &response.responses[0].partition_responses[0];
        assert_eq!(error_of(answer.error_code), ErrorCode::InvalidRequiredAcks);
    }
    stage.end(false);
}

fn end_of(client: &mut Client) -> Option<Offset> {
    let partitions = [PartitionIndex(0)];
    let listed = client.list_offsets(TOPIC, &partitions, OffsetSpec::Latest);
    listed.expect("the topic is there")[&PartitionIndex(0)].offset
}
