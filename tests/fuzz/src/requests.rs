//! Request frames of every API that the broker may be asked, as an input describes them.

use bytes::Bytes;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, JoinGroupRequest, ListOffsetsRequest, MetadataRequest,
};
use protocol::{Request, Str, versions};
use records::Compression;
use sim::client::{fetch_from, produce_to};

use super::edits::made_batch;
use super::input::Input;

/// Bytes of a frame that may be changed afterwards.
const EDITS_MAX: u8 = 8;
/// A frame without its first four bytes, which say its length.
const SIZE_LEN: usize = 4;

/// A frame with its size: a well-made request, of which some bytes may be changed.
pub(super) fn frame(correlation_id: i32, input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.byte();
    let made = if kind < 128 {
        any(correlation_id, input)
    } else {
        sensible(kind, correlation_id, input)
    };
    let mut frame = made.unwrap_or_default();
    let edits = input.byte() % EDITS_MAX;
    for _ in 0..edits {
        if frame.len() > SIZE_LEN {
            let at = SIZE_LEN + input.below(frame.len() - SIZE_LEN);
            frame[at] = input.byte();
        }
    }
    frame
}

/// A header of any API, and any bytes behind it.
pub(super) fn raw(correlation_id: i32, input: &mut Input<'_>) -> Vec<u8> {
    let mut body = input.short().to_be_bytes().to_vec();
    body.extend(u16::from(input.byte() % 20).to_be_bytes());
    body.extend(correlation_id.to_be_bytes());
    // A client id that is none, and for flexible headers no tags.
    body.extend([0xff, 0xff]);
    body.extend_from_slice(input.text());
    let len = u32::try_from(body.len()).expect("inputs are small");
    [&len.to_be_bytes()[..], &body].concat()
}

/// A request of any API with nothing in it.
fn any(correlation_id: i32, input: &mut Input<'_>) -> Option<Vec<u8>> {
    let wanted = input.byte();
    let version = input.byte();
    let mut places = 0..;
    macro_rules! default {
        ($request:ident, $response:ident) => {
            if places.next() == Some(u32::from(wanted % 90)) {
                let request = protocol::messages::$request::default();
                return encode(correlation_id, version, &request);
            }
        };
    }
    protocol::for_each_api!(default);
    None
}

fn encode<R: Request>(correlation_id: i32, version: u8, request: &R) -> Option<Vec<u8>> {
    let (first, last) = versions::stable(R::KEY);
    let count = last.checked_sub(first)?.checked_add(1)?;
    let version = first + i16::from(version) % count;
    let frame = protocol::encode_request_frame(version, correlation_id, Some("fuzz"), request);
    Some(frame.ok()?.into_chunks().concat())
}

fn name(input: &mut Input<'_>) -> Str {
    const NAMES: [&str; 8] = [
        "topic",
        "u",
        "v",
        "__consumer_offsets",
        "",
        "a.b",
        "a_b",
        "g",
    ];
    match input.byte() {
        small @ 0..200 => NAMES[usize::from(small) % NAMES.len()].into(),
        _ => String::from_utf8_lossy(input.take(20)).as_ref().into(),
    }
}

/// A request that means something.
fn sensible(kind: u8, id: i32, input: &mut Input<'_>) -> Option<Vec<u8>> {
    let version = input.byte();
    let topic = name(input);
    let number = i32::from(input.byte()) - 2;
    let long = i64::from(input.short()) - 5;
    match kind % 12 {
        0 => encode(id, version, &produce_to(&topic, number, records(input))),
        1 => {
            let mut request = fetch_from(&topic, number, long, number, i32::from(input.short()));
            request.session_epoch = i32::from(input.byte()) - 1;
            request.session_id = i32::from(input.byte());
            encode(id, version, &request)
        }
        2 => encode(id, version, &list_offsets(topic, number, long)),
        3 => encode(id, version, &create_topics(topic, number, input)),
        4 => {
            let request = DeleteTopicsRequest {
                topic_names: vec![topic],
                timeout_ms: 1000,
                ..DeleteTopicsRequest::default()
            };
            encode(id, version, &request)
        }
        5 => encode(id, version, &delete_records(topic, number, long)),
        6 => encode(id, version, &join(topic, input)),
        7 => {
            let request = ConsumerGroupHeartbeatRequest {
                group_id: "new".into(),
                member_id: name(input),
                member_epoch: number,
                rebalance_timeout_ms: 1000,
                subscribed_topic_names: Some(vec![topic]),
                topic_partitions: Some(Vec::new()),
                ..ConsumerGroupHeartbeatRequest::default()
            };
            encode(id, version, &request)
        }
        8 => encode(id, version, &alter(topic, input)),
        9 => {
            let request = CreatePartitionsRequest {
                topics: vec![CreatePartitionsTopic {
                    name: topic,
                    count: number,
                    ..CreatePartitionsTopic::default()
                }],
                timeout_ms: 1000,
                validate_only: number % 2 == 1,
            };
            encode(id, version, &request)
        }
        10 => {
            let request = InitProducerIdRequest {
                transactional_id: (number % 2 == 0).then_some(topic),
                producer_id: long,
                ..InitProducerIdRequest::default()
            };
            encode(id, version, &request)
        }
        _ => {
            let request = MetadataRequest {
                topics: None,
                ..MetadataRequest::default()
            };
            encode(id, version, &request)
        }
    }
}

/// Batches: one as producers make it, or any bytes with the right length and checksum.
fn records(input: &mut Input<'_>) -> Vec<u8> {
    let kind = input.byte();
    let text = input.text();
    if kind & 1 == 1 {
        return made_batch(text);
    }
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    let mut builder = records::BatchBuilder::new(codecs[usize::from(kind >> 1) % codecs.len()]);
    if kind & 64 != 0 {
        let epoch = types::ProducerEpoch(i16::from(kind & 2));
        builder = builder.producer(types::ProducerId(3), epoch, i32::from(kind >> 4));
    }
    builder.push(&records::NewRecord {
        timestamp: types::TimestampMs(1_767_225_600_000),
        key: Some(b"k"),
        value: Some(text),
        headers: &[],
    });
    let mut batch = builder.build().unwrap_or_default();
    if let Some(byte) = batch.get_mut(usize::from(input.byte())) {
        *byte ^= input.byte();
    }
    batch
}

fn list_offsets(name: Str, partition: i32, timestamp: i64) -> ListOffsetsRequest {
    ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name,
            partitions: vec![ListOffsetsPartition {
                partition_index: partition,
                timestamp,
                ..ListOffsetsPartition::default()
            }],
        }],
        ..ListOffsetsRequest::default()
    }
}

fn create_topics(name: Str, partitions: i32, input: &mut Input<'_>) -> CreateTopicsRequest {
    let configs = (0..input.byte() % 3).map(|_| CreatableTopicConfig {
        name: key(input),
        value: Some(value(input)),
    });
    CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name,
            // Thousands of partitions take the simulator long, and are refused or made by the same code as ten.
            num_partitions: partitions % 8,
            replication_factor: 1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        }],
        timeout_ms: 1000,
        ..CreateTopicsRequest::default()
    }
}

fn delete_records(name: Str, partition: i32, offset: i64) -> DeleteRecordsRequest {
    DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name,
            partitions: vec![DeleteRecordsPartition {
                partition_index: partition,
                offset,
            }],
        }],
        timeout_ms: 1000,
    }
}

fn join(group_id: Str, input: &mut Input<'_>) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id,
        session_timeout_ms: 6000 + i32::from(input.short()),
        rebalance_timeout_ms: i32::from(input.short()),
        member_id: name(input),
        group_instance_id: (input.byte() & 1 == 1).then(|| "static".into()),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".into(),
            metadata: Bytes::copy_from_slice(input.text()),
        }],
        ..JoinGroupRequest::default()
    }
}

fn alter(name: Str, input: &mut Input<'_>) -> IncrementalAlterConfigsRequest {
    let resource_type = [2, 4, 8, 16, 32][usize::from(input.byte() % 5)];
    let validate_only = input.byte() & 1 == 1;
    let configs = (0..=input.byte() % 3).map(|_| AlterableConfig {
        name: key(input),
        config_operation: i8::try_from(input.byte() % 5).expect("below 5"),
        value: Some(value(input)),
    });
    IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type,
            resource_name: name,
            configs: configs.collect(),
        }],
        validate_only,
    }
}

fn key(input: &mut Input<'_>) -> Str {
    let topic = config::TOPIC_DEFINITIONS.iter().map(|it| it.name);
    let broker = config::BROKER_DEFINITIONS.iter().map(|it| it.name);
    let group = config::GROUP_DEFINITIONS.iter().map(|it| it.name);
    let names: Vec<&str> = topic.chain(broker).chain(group).collect();
    names[input.below(names.len())].into()
}

fn value(input: &mut Input<'_>) -> Str {
    const VALUES: [&str; 10] = [
        "",
        "0",
        "-1",
        "1000",
        "9223372036854775807",
        "compact",
        "delete",
        "zstd",
        "true",
        "1.5",
    ];
    match input.byte() {
        small @ 0..200 => VALUES[usize::from(small) % VALUES.len()].into(),
        _ => String::from_utf8_lossy(input.take(30)).as_ref().into(),
    }
}
