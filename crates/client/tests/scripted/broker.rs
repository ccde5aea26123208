//! A broker that answers as a test says: one thread, one connection after the other or several at once.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use client::{ClientConfig, RetryPolicy};
use protocol::messages::api_versions_response::ApiVersion;
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{ApiVersionsResponse, FetchResponse, MetadataResponse};
use protocol::wire::decode_versioned;
use protocol::{ApiKey, Decoder, Message, Request, RequestPrefix};
use protocol::{decode_request_header, encode_response_frame, versions};
use records::{BatchBuilder, Compression, NewRecord};
use types::TimestampMs;

/// The topic of all tests.
pub(crate) const TOPIC: &str = "t";

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) key: ApiKey,
    version: i16,
    correlation_id: i32,
    frame: Bytes,
}

/// What happens to a request.
pub(crate) enum Reply {
    Frame(Bytes),
    /// The connection is closed without an answer.
    Close,
    /// A request with acks=0.
    Nothing,
}

impl Asked {
    /// The message.
    pub(crate) fn message<R: Request>(&self) -> R {
        let mut decoder = Decoder::new(self.frame.clone());
        let prefix = RequestPrefix::peek(&self.frame).expect("a request");
        decode_request_header(&mut decoder, prefix).expect("a header");
        decode_versioned(&mut decoder, self.version).expect("a message")
    }

    pub(crate) fn reply<M: Message>(&self, message: &M) -> Reply {
        let frame = encode_response_frame(self.key, self.version, self.correlation_id, message);
        Reply::Frame(frame.expect("it can be said").to_bytes())
    }
}

/// The APIs that were asked for, in order, without ApiVersions.
pub(crate) type Log = Arc<Mutex<Vec<ApiKey>>>;

/// A port on which a [`serve`] may begin.
pub(crate) fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Answers every connection until the test's process ends. ApiVersions is answered here, the rest by `answer`, whose
/// calls are serialised.
pub(crate) fn serve(
    listener: TcpListener,
    answer: impl FnMut(&Asked) -> Reply + Send + 'static,
) -> Log {
    let log = Log::default();
    let shared = Arc::new(Mutex::new(answer));
    let for_thread = Arc::clone(&log);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (log, shared) = (Arc::clone(&for_thread), Arc::clone(&shared));
            std::thread::spawn(move || {
                converse(stream, |asked| {
                    if asked.key == ApiKey::ApiVersions {
                        return asked.reply(&everything());
                    }
                    log.lock().expect("no test panics here").push(asked.key);
                    let mut answer = shared.lock().expect("no test panics here");
                    answer(asked)
                });
            });
        }
    });
    log
}

fn converse(mut stream: TcpStream, mut answer: impl FnMut(&Asked) -> Reply) {
    loop {
        let mut size = [0; 4];
        if stream.read_exact(&mut size).is_err() {
            return;
        }
        let size = usize::try_from(i32::from_be_bytes(size)).expect("a length");
        let mut frame = vec![0; size];
        stream.read_exact(&mut frame).expect("a whole frame");
        let prefix = RequestPrefix::peek(&frame).expect("a request");
        let asked = Asked {
            key: ApiKey::from_code(prefix.api_key).expect("a known API"),
            version: prefix.api_version,
            correlation_id: prefix.correlation_id,
            frame: frame.into(),
        };
        match answer(&asked) {
            // The client may have gone meanwhile.
            Reply::Frame(bytes) => drop(stream.write_all(&bytes)),
            Reply::Close => return,
            Reply::Nothing => {}
        }
    }
}

/// An offer of what the client uses.
fn everything() -> ApiVersionsResponse {
    let keys = [
        ApiKey::Produce,
        ApiKey::Fetch,
        ApiKey::ListOffsets,
        ApiKey::Metadata,
        ApiKey::InitProducerId,
        ApiKey::DeleteRecords,
        ApiKey::DescribeConfigs,
        ApiKey::DeleteTopics,
        ApiKey::DeleteGroups,
        ApiKey::FindCoordinator,
    ];
    let offers = keys.map(|key| {
        let (min_version, max_version) = versions::advertised(key);
        ApiVersion {
            api_key: key as i16,
            min_version,
            max_version,
        }
    });
    ApiVersionsResponse {
        api_keys: offers.to_vec(),
        ..ApiVersionsResponse::default()
    }
}

/// A cluster of these nodes, in which the topic's partitions have these leaders (node and epoch).
pub(crate) fn metadata(nodes: &[(i32, SocketAddr)], leaders: &[(i32, i32)]) -> MetadataResponse {
    let brokers = nodes.iter().map(|(id, address)| MetadataResponseBroker {
        node_id: *id,
        host: "127.0.0.1".into(),
        port: i32::from(address.port()),
        rack: None,
    });
    let partitions =
        leaders
            .iter()
            .zip(0..)
            .map(|((node, epoch), index)| MetadataResponsePartition {
                partition_index: index,
                leader_id: *node,
                leader_epoch: *epoch,
                ..MetadataResponsePartition::default()
            });
    MetadataResponse {
        brokers: brokers.collect(),
        topics: vec![MetadataResponseTopic {
            name: Some(TOPIC.into()),
            topic_id: types::Uuid([7; 16]),
            partitions: partitions.collect(),
            ..MetadataResponseTopic::default()
        }],
        ..MetadataResponse::default()
    }
}

/// Short waits, so that tests that run into them are short.
pub(crate) fn config(address: SocketAddr) -> ClientConfig {
    ClientConfig {
        request_timeout: Duration::from_secs(5),
        retry: RetryPolicy {
            pause_min: Duration::from_millis(1),
            pause_max: Duration::from_millis(10),
            total_max: Duration::from_millis(300),
        },
        ..ClientConfig::of_server(address.to_string())
    }
}

/// A batch of one record.
pub(crate) fn batch(value: &[u8]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(&record(value));
    builder.build().expect("it is small").into()
}

pub(crate) fn record(value: &[u8]) -> NewRecord<'_> {
    NewRecord {
        timestamp: TimestampMs(1),
        key: None,
        value: Some(value),
        headers: &[],
    }
}

/// A response about partitions of the topic.
pub(crate) fn fetched(partitions: Vec<PartitionData>) -> FetchResponse {
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: types::Uuid([7; 16]),
            partitions,
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    }
}
