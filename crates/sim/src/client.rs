//! A small Kafka client on simulated connections.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};

use ::io::{Io as _, ReadHalf as _, Stream as _, write_all};
use bytes::Bytes;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, FetchRequest, FetchResponse, ProduceRequest,
    ProduceResponse, ResponseHeader,
};
use protocol::wire::decode_versioned;
use protocol::{Decoder, Records, Request, Wire as _};

use crate::net::{ReadHalf, Socket, WriteHalf};
use crate::oracle::{RecordName, Verdict, decode};
use crate::shard::SimIo;

/// The topic that most scenarios use.
pub const TOPIC: &str = "topic";
/// The version of Produce that [`produce`] is for.
pub const PRODUCE_VERSION: i16 = 9;
/// The version of Fetch that [`fetch`] is for.
pub const FETCH_VERSION: i16 = 12;
const API_VERSIONS_VERSION: i16 = 3;
/// The version of CreateTopics that [`creation`] is for.
pub const CREATE_TOPICS_VERSION: i16 = 7;
/// Requests that read one partition.
const READS_MAX: u32 = 500;
const RESPONSE_LEN_MAX: usize = 64 << 20;

/// One connection.
#[derive(Debug)]
pub struct Client {
    input: ReadHalf,
    output: WriteHalf,
    /// Requests that are not answered yet begin here.
    answered: i32,
    sent: i32,
}

impl Client {
    /// Talks over `socket`, on a machine that does not crash.
    ///
    /// # Panics
    /// When it has crashed.
    #[must_use]
    pub fn new(io: &SimIo, socket: Socket) -> Self {
        let stream = io.adopt(socket).expect("clients do not crash");
        let (input, output) = stream.split();
        Self {
            input,
            output,
            answered: 0,
            sent: 0,
        }
    }

    /// Sends a request and reads its response. Nothing else may be under way.
    ///
    /// # Errors
    /// The connection's, and what cannot be decoded.
    pub async fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.send(version, request).await?;
        self.receive::<R>(version).await
    }

    /// Names a client that is known to keep a connection for each shard.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn introduce(&mut self) -> Result<()> {
        let request = ApiVersionsRequest {
            client_software_name: "logan".into(),
            client_software_version: "1.0".into(),
        };
        self.call(API_VERSIONS_VERSION, &request).await.map(drop)
    }

    /// Sends a request and does not wait for its response.
    ///
    /// # Errors
    /// The connection's.
    pub async fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<()> {
        let frame = protocol::encode_request_frame(version, self.sent, Some("sim"), request);
        self.sent += 1;
        let chunks = frame.map_err(Error::other)?.into_chunks();
        write_all(&mut self.output, chunks, drop).await
    }

    /// Sends a request that gets no response: a Produce with acks=0. Nothing else may be under way.
    ///
    /// # Errors
    /// The connection's.
    pub async fn send_unanswered<R: Request>(&mut self, version: i16, request: &R) -> Result<()> {
        self.answered += 1;
        self.send(version, request).await
    }

    /// The response to the oldest request that is not answered yet.
    ///
    /// # Errors
    /// The connection's, and what cannot be decoded.
    ///
    /// # Panics
    /// When it is the answer to another request.
    pub async fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response> {
        let mut size = [0; 4];
        self.fill(&mut size).await?;
        let size = usize::try_from(i32::from_be_bytes(size)).map_err(Error::other)?;
        assert!(size <= RESPONSE_LEN_MAX, "a response of {size} bytes");
        let mut frame = vec![0; size];
        self.fill(&mut frame).await?;
        let mut decoder = Decoder::new(Bytes::from(frame));
        let header_version = protocol::response_header_version(R::KEY, version);
        let header = ResponseHeader::decode(&mut decoder, header_version);
        let header = header.map_err(Error::other)?;
        assert_eq!(header.correlation_id, self.answered, "answered in order");
        self.answered += 1;
        decode_versioned::<R::Response>(&mut decoder, version).map_err(Error::other)
    }

    async fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let count = self.input.read(&mut buffer[filled..]).await?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            filled += count;
        }
        Ok(())
    }
}

/// One batch for one partition, to be acknowledged when durable.
#[must_use]
pub fn produce(partition: i32, batch: Vec<u8>) -> ProduceRequest {
    produce_to(TOPIC, partition, batch)
}

/// As [`produce`], to any topic.
#[must_use]
pub fn produce_to(topic: &str, partition: i32, batch: Vec<u8>) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.into(),
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(Records::from_chunks(vec![Bytes::from(batch)])),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    }
}

/// The one partition of a response.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn produced(response: ProduceResponse) -> PartitionProduceResponse {
    let topic = response.responses.into_iter().next().expect("one topic");
    let mut partitions = topic.partition_responses.into_iter();
    partitions.next().expect("one partition")
}

/// A fetch of one partition without a session.
#[must_use]
pub fn fetch(partition: i32, offset: i64, max_wait_ms: i32, max_bytes: i32) -> FetchRequest {
    fetch_from(TOPIC, partition, offset, max_wait_ms, max_bytes)
}

/// As [`fetch`], of any topic.
#[must_use]
pub fn fetch_from(
    topic: &str,
    partition: i32,
    offset: i64,
    max_wait_ms: i32,
    max_bytes: i32,
) -> FetchRequest {
    FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: topic.into(),
            partitions: vec![FetchPartition {
                partition,
                current_leader_epoch: -1,
                fetch_offset: offset,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: max_bytes,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    }
}

/// The one partition of a response.
///
/// # Errors
/// Its error code, or the response's.
///
/// # Panics
/// When there is none.
pub fn fetched(response: FetchResponse) -> std::result::Result<PartitionData, i16> {
    if response.error_code != 0 {
        return Err(response.error_code);
    }
    let topic = response.responses.into_iter().next().expect("one topic");
    let data = topic.partitions.into_iter().next().expect("one partition");
    if data.error_code == 0 {
        Ok(data)
    } else {
        Err(data.error_code)
    }
}

/// A request for a topic, with configurations of its own.
#[must_use]
pub fn creation(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreateTopicsRequest {
    let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    });
    CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        }],
        timeout_ms: 10_000,
        ..CreateTopicsRequest::default()
    }
}

/// Makes a topic; its partitions have their logs when this returns.
///
/// # Errors
/// Why it is not made.
pub async fn create_topic(client: &mut Client, name: &str, partitions: i32) -> Verdict {
    let request = creation(name, partitions, &[]);
    let response = client.call(CREATE_TOPICS_VERSION, &request).await;
    let response = response.map_err(|error| format!("create: {error}"))?;
    match response.topics.first() {
        Some(topic) if topic.error_code == 0 => Ok(()),
        topic => Err(format!("create: {topic:?}")),
    }
}

/// Reads a partition from its start to its high watermark.
///
/// # Errors
/// What cannot be read, or is not as it should be.
pub async fn read_all(
    client: &mut Client,
    partition: i32,
) -> std::result::Result<BTreeMap<i64, RecordName>, String> {
    let mut found = BTreeMap::new();
    let mut offset = 0;
    for _ in 0..READS_MAX {
        let request: FetchRequest = fetch(partition, offset, 0, 1 << 20);
        let response = client.call(FETCH_VERSION, &request).await;
        let data = match fetched(response.map_err(|error| format!("check: {error}"))?) {
            Ok(data) => data,
            Err(code) => {
                return Err(format!("check of {partition} at {offset}: error {code}"));
            }
        };
        let begin = offset;
        let records = decode(&data.records.unwrap_or_default().into_bytes())?;
        // The first batch may begin before the offset.
        for (at, name) in records.into_iter().skip_while(|(at, _)| *at < begin) {
            if at != offset {
                return Err(format!("offset {at} follows {offset}"));
            }
            found.insert(at, name);
            offset += 1;
        }
        if offset >= data.high_watermark {
            return Ok(found);
        }
    }
    Err(format!("partition {partition} does not end at {offset}"))
}
