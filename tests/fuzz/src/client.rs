//! The client, and a server that answers what it likes over a real socket.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use client::{
    Acks, Client, ClientConfig, ClientError, ConfigDetail, ConfigResource, Consumer, FetchLimits,
    FetchedPartition, OffsetSpec, RetryPolicy, visit_records,
};
use protocol::messages::api_versions_response::ApiVersion;
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{ApiVersionsResponse, MetadataResponse};
use protocol::{ApiKey, Message, RequestPrefix, encode_response_frame, versions};
use types::{NodeId, Offset, PartitionIndex};

use super::edits::made_batch;
use super::input::Input;
use super::memory::bounded;

const TOPIC: &str = "t";
/// The longest response that the client reads here.
const RESPONSE_MAX_BYTES: usize = 1 << 20;
/// What a conversation may take: responses decoded, a decompressed batch, and both sides' buffers.
const MEMORY_MAX_BYTES: usize = 32 << 20;
/// An answer that is not there closes the connection, so nobody waits for as long as this.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server will say: kinds of answers, and their bytes.
struct Script {
    bytes: Vec<u8>,
    at: usize,
    /// Whether the requests that every connection begins with are answered by the script too.
    lies_from_the_start: bool,
}

impl Script {
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut input = Input::new(self.bytes.get(self.at..)?);
        if input.is_empty() {
            return None;
        }
        let answer = input.text().to_vec();
        self.at = self.bytes.len() - input.rest().len();
        Some(answer)
    }
}

fn script() -> MutexGuard<'static, Script> {
    static SCRIPT: Mutex<Script> = Mutex::new(Script {
        bytes: Vec::new(),
        at: 0,
        lies_from_the_start: false,
    });
    SCRIPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A byte for what the client does; then either batches that it looks through, or what the server answers.
pub fn client(input: &[u8]) {
    let mut input = Input::new(input);
    let act = input.byte();
    if act & 1 == 0 {
        visit(&mut input);
        return;
    }
    let server = server();
    *script() = Script {
        bytes: input.rest().to_vec(),
        at: 0,
        lies_from_the_start: act & 2 == 2,
    };
    bounded(MEMORY_MAX_BYTES, || {
        // Whatever it is told, it says what is wrong with it.
        converse(server, act >> 2).ok();
    });
}

/// Batches with the right checksum, as they come with a fetch.
fn visit(input: &mut Input<'_>) {
    let offset = Offset(i64::from(input.byte()));
    let mut records = Vec::new();
    while !input.is_empty() {
        let kind = input.byte();
        let text = input.text();
        if kind & 1 == 0 {
            records.extend(made_batch(text));
        } else {
            records.extend_from_slice(text);
        }
    }
    let fetched = FetchedPartition {
        topic: TOPIC.into(),
        partition: PartitionIndex(0),
        offset,
        records: records.into(),
        high_watermark: Offset(1000),
        log_start_offset: Offset(0),
    };
    let next = visit_records(&fetched, &mut Vec::new(), |record| {
        record.headers().for_each(drop);
        ControlFlow::Continue(())
    });
    assert!(next.is_err() || next.is_ok_and(|next| next >= offset));
}

fn converse(server: SocketAddr, act: u8) -> Result<(), ClientError> {
    let config = ClientConfig {
        request_timeout: PATIENCE,
        connect_timeout: PATIENCE,
        retry: RetryPolicy {
            pause_min: Duration::from_millis(1),
            pause_max: Duration::from_millis(1),
            total_max: Duration::ZERO,
        },
        response_max_bytes: RESPONSE_MAX_BYTES,
        ..ClientConfig::of_server(server.to_string())
    };
    let mut client = Client::connect(config)?;
    let limits = FetchLimits {
        wait_max: Duration::ZERO,
        min_bytes: 0,
        max_bytes: 1 << 20,
        partition_max_bytes: 1 << 20,
    };
    let partition = PartitionIndex(0);
    match act % 16 {
        0 => client.list_topics().map(drop),
        1 => client.describe_topic(TOPIC).map(drop),
        2 => client.fetch(TOPIC, partition, Offset(0), limits).map(drop),
        3 => {
            let mut consumer = Consumer::new(client, limits);
            consumer.assign(TOPIC, partition, Offset(0));
            consumer
                .poll(Duration::from_millis(50), |_, _| ControlFlow::Continue(()))
                .map(drop)
        }
        4 => {
            let latest = client.list_offsets(TOPIC, &[partition], OffsetSpec::Latest);
            latest.map(drop)
        }
        5 => {
            let batch = Bytes::from_static(b"never looked at");
            client
                .produce(TOPIC, partition, &batch, Acks::All)
                .map(drop)
        }
        6 => client.init_producer_id().map(drop),
        7 => client.list_groups().map(drop),
        8 => client.describe_group("g").map(drop),
        9 => client.committed_offsets("g").map(drop),
        10 => client.describe_log_dirs(NodeId(1)).map(drop),
        11 => {
            let resource = ConfigResource::Topic(TOPIC.to_owned());
            client
                .describe_configs(&resource, ConfigDetail::Everything)
                .map(drop)
        }
        12 => client.coordinator("g").map(drop),
        13 => client.delete_topic(TOPIC),
        14 => client.delete_group("g"),
        _ => client.list_reassignments(None).map(drop),
    }
}

/// Where the server listens, for as long as the process lives.
fn server() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = bound.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer_all(stream, address));
            }
        });
        address
    })
}

/// Answers until the script is at its end, or the client goes.
fn answer_all(mut stream: TcpStream, address: SocketAddr) -> Option<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size).ok()?;
        let size = usize::try_from(u32::from_be_bytes(size)).ok()?;
        let mut frame = vec![0; size];
        stream.read_exact(&mut frame).ok()?;
        let prefix = RequestPrefix::peek(&frame).expect("the client's own request");
        let key = ApiKey::from_code(prefix.api_key).expect("the client's own request");
        let answer = answer(key, prefix, address)?;
        stream.write_all(&answer).ok()?;
    }
}

fn answer(key: ApiKey, prefix: RequestPrefix, address: SocketAddr) -> Option<Vec<u8>> {
    let mut script = script();
    match key {
        ApiKey::ApiVersions if !script.lies_from_the_start => honest(key, prefix, &everything()),
        ApiKey::Metadata if !script.lies_from_the_start => honest(key, prefix, &cluster(address)),
        _ => {
            let body = script.next()?;
            let mut frame = prefix.correlation_id.to_be_bytes().to_vec();
            frame.extend(body);
            let len = u32::try_from(frame.len()).ok()?;
            Some([&len.to_be_bytes()[..], &frame].concat())
        }
    }
}

fn honest<M: Message>(key: ApiKey, prefix: RequestPrefix, message: &M) -> Option<Vec<u8>> {
    let frame = encode_response_frame(key, prefix.api_version, prefix.correlation_id, message);
    Some(frame.ok()?.to_bytes().to_vec())
}

/// An offer of all that there is.
fn everything() -> ApiVersionsResponse {
    let offers = (0..100).filter_map(ApiKey::from_code).map(|key| {
        let (min_version, max_version) = versions::stable(key);
        ApiVersion {
            api_key: key as i16,
            min_version,
            max_version,
        }
    });
    ApiVersionsResponse {
        api_keys: offers.collect(),
        ..ApiVersionsResponse::default()
    }
}

/// One node, which leads the only partition.
fn cluster(address: SocketAddr) -> MetadataResponse {
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: "127.0.0.1".into(),
            port: i32::from(address.port()),
            rack: None,
        }],
        topics: vec![MetadataResponseTopic {
            name: Some(TOPIC.into()),
            topic_id: types::Uuid([7; 16]),
            partitions: vec![MetadataResponsePartition {
                leader_id: 1,
                leader_epoch: 1,
                ..MetadataResponsePartition::default()
            }],
            ..MetadataResponseTopic::default()
        }],
        ..MetadataResponse::default()
    }
}
