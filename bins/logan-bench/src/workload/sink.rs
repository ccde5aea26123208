//! A sink that answers produce requests and throws away what they bring: the ceiling of the harness.
//!
//! It costs what receiving from a socket costs any broker, on a thread for each connection, and nothing else. Its threads
//! end with their connections.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::{Bytes, BytesMut};
use command_line::Failure;
use protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use protocol::messages::{ProduceRequest, ProduceResponse};
use protocol::wire::decode_versioned;
use protocol::{ApiKey, Decoder, RequestPrefix, decode_request_header, encode_response_frame};

use crate::engine::Link;
use crate::target::link;

/// The largest request that is taken.
const FRAME_MAX_BYTES: usize = 256 << 20;

/// A sink on a free port of the loopback interface.
#[derive(Debug)]
pub(crate) struct Sink {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Sink {
    /// Starts one that speaks this version of Produce.
    pub(crate) fn start(version: i16) -> Result<Self, Failure> {
        let failed = Failure::local("start the built-in sink");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(&failed)?;
        let address = listener.local_addr().map_err(&failed)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_over);
        let accept = move || {
            for stream in listener.incoming().flatten() {
                if flag.load(Ordering::Relaxed) {
                    return;
                }
                let serve = move || {
                    // It ends when the harness hangs up.
                    drop(serve(stream, version));
                };
                drop(thread::Builder::new().name("sink".to_owned()).spawn(serve));
            }
        };
        let builder = thread::Builder::new().name("sink-accept".to_owned());
        drop(builder.spawn(accept).map_err(&failed)?);
        Ok(Self { address, is_over })
    }

    /// A connection to it.
    pub(crate) fn link(&self) -> Result<Link, Failure> {
        let failed = Failure::local("connect to the built-in sink");
        let stream = TcpStream::connect(self.address).map_err(&failed)?;
        link(stream, &self.address.to_string())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, version: i16) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut memory = BytesMut::zeroed(1 << 20);
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let length = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
        if length > FRAME_MAX_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if memory.len() < length {
            memory.resize(length, 0);
        }
        stream.read_exact(&mut memory[..length])?;
        let whole = memory.freeze();
        let answer = answer(whole.slice(..length), version);
        memory = whole
            .try_into_mut()
            .unwrap_or_else(|kept| BytesMut::from(kept.as_ref()));
        for piece in answer.ok_or(io::ErrorKind::InvalidData)? {
            stream.write_all(&piece)?;
        }
    }
}

fn answer(frame: Bytes, version: i16) -> Option<Vec<Bytes>> {
    let prefix = RequestPrefix::peek(&frame).ok()?;
    let mut decoder = Decoder::new(frame);
    decode_request_header(&mut decoder, prefix).ok()?;
    let request: ProduceRequest = decode_versioned(&mut decoder, version).ok()?;
    if request.acks == 0 {
        return Some(Vec::new());
    }
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|partition| PartitionProduceResponse {
                index: partition.index,
                ..PartitionProduceResponse::default()
            })
            .collect(),
    });
    let response = ProduceResponse {
        responses: responses.collect(),
        ..ProduceResponse::default()
    };
    let frame = encode_response_frame(ApiKey::Produce, version, prefix.correlation_id, &response);
    Some(frame.ok()?.into_chunks())
}
