//! A small Kafka client on simulated connections.

use std::io::{Error, ErrorKind, Result};

use ::io::{Io as _, ReadHalf as _, Stream as _, write_all};
use bytes::Bytes;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{
    FetchRequest, FetchResponse, ProduceRequest, ProduceResponse, ResponseHeader,
};
use protocol::wire::decode_versioned;
use protocol::{Decoder, Records, Request, Wire as _};
use sim::{ReadHalf, SimIo, Socket, WriteHalf};

pub(crate) const TOPIC: &str = "topic";
pub(crate) const PRODUCE_VERSION: i16 = 9;
pub(crate) const FETCH_VERSION: i16 = 12;
const RESPONSE_LEN_MAX: usize = 64 << 20;

/// One connection.
pub(crate) struct Client {
    input: ReadHalf,
    output: WriteHalf,
    /// Requests that are not answered yet begin here.
    answered: i32,
    sent: i32,
}

impl Client {
    pub(crate) fn new(io: &SimIo, socket: Socket) -> Self {
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
    pub(crate) async fn call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Result<R::Response> {
        self.send(version, request).await?;
        self.receive::<R>(version).await
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<()> {
        let frame = protocol::encode_request_frame(version, self.sent, Some("sim"), request);
        self.sent += 1;
        let chunks = frame.map_err(Error::other)?.into_chunks();
        write_all(&mut self.output, chunks, drop).await
    }

    /// The response to the oldest request that is not answered yet.
    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response> {
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
pub(crate) fn produce(partition: i32, batch: Vec<u8>) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: TOPIC.into(),
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
pub(crate) fn produced(response: ProduceResponse) -> PartitionProduceResponse {
    let topic = response.responses.into_iter().next().expect("one topic");
    let mut partitions = topic.partition_responses.into_iter();
    partitions.next().expect("one partition")
}

/// A fetch of one partition without a session.
pub(crate) fn fetch(partition: i32, offset: i64, max_wait_ms: i32, max_bytes: i32) -> FetchRequest {
    FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes,
        session_epoch: -1,
        topics: vec![FetchTopic {
            topic: TOPIC.into(),
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
pub(crate) fn fetched(response: FetchResponse) -> std::result::Result<PartitionData, i16> {
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
