//! One connection to one broker: versions, pipelined requests, deadlines.
//!
//! It belongs to one thread. Responses are read in the order of the requests, as Kafka sends them. After a failure in
//! the middle of a frame, or a response that cannot be right, the connection refuses all further work.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::marker::PhantomData;
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, ResponseHeader};
use protocol::wire::decode_versioned;
use protocol::{
    ApiKey, ChunkList, DecodeError, Decoder, Request, Wire as _, encode_request_frame,
    response_header_version, versions,
};
use types::ErrorCode;

use crate::{ClientConfig, ClientError, ResponseFault};

/// What memory for a response grows by, so that an announced length costs nothing until its bytes arrive.
const READ_STEP_BYTES: usize = 1 << 20;

/// Pieces of a request given to the system at once.
const WRITE_SLICES_MAX: usize = 64;

/// What a response must at least have: its correlation id.
const RESPONSE_MIN_BYTES: usize = 4;

/// Versions of an API's response to a version that it does not know are 0 (KIP-511).
const API_VERSIONS_FALLBACK: i16 = 0;

/// Numbers connections, so that a ticket is never mistaken for one of a later connection to the same node.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A connection with negotiated versions.
#[derive(Debug)]
pub struct Connection {
    serial: u64,
    stream: TcpStream,
    address: String,
    client_id: String,
    /// Key, first and last version that the broker offers, sorted by key.
    offered: Vec<(i16, i16, i16)>,
    in_flight: VecDeque<InFlight>,
    in_flight_max: usize,
    response_max_bytes: usize,
    request_timeout: Duration,
    next_correlation_id: i32,
    is_broken: bool,
}

/// A request whose response has not been read.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    correlation_id: i32,
    api: &'static str,
    deadline: Instant,
    waited: Duration,
}

/// The claim to the response of a submitted request. Dropping it is fine: the response is skipped.
#[derive(Debug)]
#[must_use = "the response is read by Connection::complete"]
pub struct Ticket<R> {
    connection: u64,
    correlation_id: i32,
    version: i16,
    request: PhantomData<fn() -> R>,
}

/// What is particular about one request.
#[derive(Clone, Copy, Debug)]
pub struct SubmitOptions {
    /// The greatest version to use, below what both sides know.
    pub version_max: i16,
    /// Time that the request asks the broker to wait, added to the request timeout.
    pub broker_wait: Duration,
}

impl Default for SubmitOptions {
    fn default() -> Self {
        Self {
            version_max: i16::MAX,
            broker_wait: Duration::ZERO,
        }
    }
}

impl Connection {
    /// Connects to `address` (`host:port`) and asks for the versions that the broker speaks. Looking up a name takes as
    /// long as the system lets it.
    ///
    /// # Errors
    /// [`ClientError::Connect`], and what a request gives.
    pub fn open(address: &str, config: &ClientConfig) -> Result<Self, ClientError> {
        let stream =
            connect(address, config.connect_timeout).map_err(|source| ClientError::Connect {
                address: address.to_owned(),
                source,
            })?;
        let mut connection = Self {
            serial: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            stream,
            address: address.to_owned(),
            client_id: config.client_id.clone(),
            offered: Vec::new(),
            in_flight: VecDeque::new(),
            in_flight_max: config.in_flight_max.max(1),
            response_max_bytes: config.response_max_bytes,
            request_timeout: config.request_timeout,
            next_correlation_id: 0,
            is_broken: false,
        };
        connection.negotiate()?;
        Ok(connection)
    }

    /// `host:port` as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Requests whose responses have not been read.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether the connection must be replaced.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The greatest version of `key` that both sides know, at most `version_max`.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`].
    pub fn version_of(&self, key: ApiKey, version_max: i16) -> Result<i16, ClientError> {
        let (first, last) = versions::stable(key);
        let last = last.min(version_max);
        let common = self
            .offered
            .binary_search_by_key(&(key as i16), |offer| offer.0)
            .ok()
            .map(|at| (self.offered[at].1.max(first), self.offered[at].2.min(last)));
        match common {
            Some((low, high)) if low <= high => Ok(high),
            _ => Err(ClientError::Unsupported {
                address: self.address.clone(),
                api: key.name(),
                first,
                last,
            }),
        }
    }

    /// The socket, for those who go on with an event loop of their own, as the benchmark does.
    ///
    /// # Panics
    /// When a response has not been read.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        assert!(self.in_flight.is_empty(), "responses would be lost");
        self.stream
    }

    /// Sends a request and reads its response.
    ///
    /// # Errors
    /// Those of [`Connection::submit`] and [`Connection::complete`].
    pub fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        let ticket = self.submit(request, SubmitOptions::default())?;
        self.complete(ticket)
    }

    /// Sends a request without waiting for its response. The caller keeps the number of open requests within the
    /// configuration's `in_flight_max`.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] and [`ClientError::Encode`], after which the connection is still good, and those of
    /// the network.
    ///
    /// # Panics
    /// When `in_flight_max` requests are open already.
    pub fn submit<R: Request>(
        &mut self,
        request: &R,
        options: SubmitOptions,
    ) -> Result<Ticket<R>, ClientError> {
        assert!(
            self.in_flight.len() < self.in_flight_max,
            "complete requests before more than in_flight_max are open"
        );
        let version = self.version_of(R::KEY, options.version_max)?;
        self.submit_version(request, version, options.broker_wait)
    }

    /// Sends a request that the broker will not answer: a produce request with acks=0.
    ///
    /// # Errors
    /// As [`Connection::submit`].
    pub fn submit_unanswered<R: Request>(
        &mut self,
        request: &R,
        options: SubmitOptions,
    ) -> Result<(), ClientError> {
        let version = self.version_of(R::KEY, options.version_max)?;
        self.send(request, version).map(drop)
    }

    /// Reads the response to a request, waiting for it until its deadline. Responses to earlier requests are passed
    /// over, and lost to their tickets.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`], [`ClientError::ConnectionLost`], [`ClientError::BadResponse`]; the connection is
    /// broken then.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a ticket is worth one response"
    )]
    pub fn complete<R: Request>(&mut self, ticket: Ticket<R>) -> Result<R::Response, ClientError> {
        let api = R::KEY.name();
        if ticket.connection != self.serial {
            return Err(self.bad_response(api, ResponseFault::PassedOver));
        }
        let body = self.frame_for(ticket.correlation_id, api)?;
        let decoded = decode_response::<R>(body, ticket.version);
        decoded.map_err(|source| {
            let version = ticket.version;
            self.break_with(api, ResponseFault::Decode { version, source })
        })
    }

    /// Waits until bytes of a response are there, at most `wait`; whether they are. A closed connection and a response
    /// that is overdue count as readable, so that completing the request tells what happened.
    ///
    /// # Errors
    /// [`ClientError::ConnectionLost`].
    pub fn wait_readable(&mut self, wait: Duration) -> Result<bool, ClientError> {
        let now = Instant::now();
        if self
            .in_flight
            .front()
            .is_some_and(|open| open.deadline <= now)
        {
            return Ok(true);
        }
        // Zero would mean "for ever" to the system.
        let wait = wait.max(Duration::from_millis(1));
        let peeked = self
            .stream
            .set_read_timeout(Some(wait))
            .and_then(|()| self.stream.peek(&mut [0; 1]));
        match peeked {
            Ok(_) => Ok(true),
            Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::Interrupted => {
                Ok(false)
            }
            Err(source) => Err(self.lost("Fetch", source)),
        }
    }

    fn negotiate(&mut self) -> Result<(), ClientError> {
        let (_, newest) = versions::stable(ApiKey::ApiVersions);
        let mut response = self.ask_versions(newest)?;
        if response.error_code == ErrorCode::UnsupportedVersion.code() {
            let key = ApiKey::ApiVersions as i16;
            let offer = response.api_keys.iter().find(|offer| offer.api_key == key);
            let version = offer.map_or(API_VERSIONS_FALLBACK, |offer| offer.max_version);
            response = self.ask_versions(version.clamp(API_VERSIONS_FALLBACK, newest))?;
        }
        ClientError::check("ApiVersions", response.error_code, None, || {
            format!("to {}", self.address)
        })?;
        self.offered = response
            .api_keys
            .iter()
            .map(|offer| (offer.api_key, offer.min_version, offer.max_version))
            .collect();
        self.offered.sort_unstable();
        Ok(())
    }

    fn ask_versions(&mut self, version: i16) -> Result<ApiVersionsResponse, ClientError> {
        let request = ApiVersionsRequest {
            // Logan shows its shards to clients of this name, since this one keeps a connection for each node.
            client_software_name: "logan".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
        };
        let ticket = self.submit_version(&request, version, Duration::ZERO)?;
        let api = ApiKey::ApiVersions.name();
        let body = self.frame_for(ticket.correlation_id, api)?;
        // A broker that does not know the version answers in version 0, whose first field is the error.
        let refused = decode_response::<ApiVersionsRequest>(body.clone(), API_VERSIONS_FALLBACK)
            .ok()
            .filter(|response| response.error_code == ErrorCode::UnsupportedVersion.code());
        match refused {
            Some(response) => Ok(response),
            None => decode_response::<ApiVersionsRequest>(body, version)
                .map_err(|source| self.break_with(api, ResponseFault::Decode { version, source })),
        }
    }

    fn submit_version<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        broker_wait: Duration,
    ) -> Result<Ticket<R>, ClientError> {
        let correlation_id = self.send(request, version)?;
        let waited = self.request_timeout + broker_wait;
        self.in_flight.push_back(InFlight {
            correlation_id,
            api: R::KEY.name(),
            deadline: Instant::now() + waited,
            waited,
        });
        Ok(Ticket {
            connection: self.serial,
            correlation_id,
            version,
            request: PhantomData,
        })
    }

    fn send<R: Request>(&mut self, request: &R, version: i16) -> Result<i32, ClientError> {
        let api = R::KEY.name();
        let correlation_id = self.next_correlation_id;
        let frame = encode_request_frame(version, correlation_id, Some(&self.client_id), request)
            .map_err(|source| ClientError::Encode { api, source })?;
        self.refuse_if_broken(api)?;
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1) & i32::MAX;
        let deadline = Instant::now() + self.request_timeout;
        match self.write(frame, deadline) {
            Ok(()) => Ok(correlation_id),
            Err(error) => Err(self.failed(api, error, self.request_timeout)),
        }
    }

    fn write(&mut self, frame: ChunkList, deadline: Instant) -> io::Result<()> {
        let chunks = frame.into_chunks();
        let slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        for group in slices.chunks(WRITE_SLICES_MAX) {
            let mut group = group.to_vec();
            let mut rest = group.as_mut_slice();
            while !rest.is_empty() {
                self.stream.set_write_timeout(Some(until(deadline)?))?;
                match self.stream.write_vectored(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => IoSlice::advance_slices(&mut rest, written),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Reads frames until that of `correlation_id`; its body behind the size.
    fn frame_for(&mut self, correlation_id: i32, api: &'static str) -> Result<Bytes, ClientError> {
        loop {
            self.refuse_if_broken(api)?;
            let Some(next) = self.in_flight.front().copied() else {
                return Err(self.bad_response(api, ResponseFault::PassedOver));
            };
            if !self.is_open(correlation_id) {
                return Err(self.bad_response(api, ResponseFault::PassedOver));
            }
            let body = self.read_frame(next)?;
            self.in_flight.pop_front();
            let found = Decoder::new(body.clone())
                .i32()
                .expect("a frame has at least a correlation id");
            if found != next.correlation_id {
                let expected = next.correlation_id;
                return Err(self.break_with(api, ResponseFault::Correlation { expected, found }));
            }
            if found == correlation_id {
                return Ok(body);
            }
        }
    }

    fn is_open(&self, correlation_id: i32) -> bool {
        self.in_flight
            .iter()
            .any(|open| open.correlation_id == correlation_id)
    }

    fn read_frame(&mut self, request: InFlight) -> Result<Bytes, ClientError> {
        let mut size = [0; 4];
        if let Err(error) = self.read_exact(&mut size, request.deadline) {
            return Err(self.failed(request.api, error, request.waited));
        }
        let announced = i32::from_be_bytes(size);
        let accepted = RESPONSE_MIN_BYTES..=self.response_max_bytes;
        let length = usize::try_from(announced)
            .ok()
            .filter(|length| accepted.contains(length));
        let Some(length) = length else {
            let fault = ResponseFault::Length {
                length: announced,
                max: self.response_max_bytes,
            };
            return Err(self.break_with(request.api, fault));
        };
        let mut body = Vec::new();
        while body.len() < length {
            let from = body.len();
            body.resize(length.min(from + READ_STEP_BYTES), 0);
            if let Err(error) = self.read_exact(&mut body[from..], request.deadline) {
                return Err(self.failed(request.api, error, request.waited));
            }
        }
        Ok(body.into())
    }

    fn read_exact(&mut self, mut target: &mut [u8], deadline: Instant) -> io::Result<()> {
        while !target.is_empty() {
            self.stream.set_read_timeout(Some(until(deadline)?))?;
            match self.stream.read(target) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => target = &mut target[read..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn refuse_if_broken(&self, api: &'static str) -> Result<(), ClientError> {
        if self.is_broken {
            return Err(ClientError::ConnectionLost {
                address: self.address.clone(),
                api,
                source: io::ErrorKind::NotConnected.into(),
            });
        }
        Ok(())
    }

    fn failed(&mut self, api: &'static str, error: io::Error, waited: Duration) -> ClientError {
        if is_timeout(&error) {
            self.close();
            return ClientError::TimedOut {
                address: self.address.clone(),
                api,
                waited,
            };
        }
        self.lost(api, error)
    }

    fn lost(&mut self, api: &'static str, error: io::Error) -> ClientError {
        self.close();
        let source = match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the broker closed the connection",
            ),
            _ => error,
        };
        ClientError::ConnectionLost {
            address: self.address.clone(),
            api,
            source,
        }
    }

    fn break_with(&mut self, api: &'static str, fault: ResponseFault) -> ClientError {
        self.close();
        self.bad_response(api, fault)
    }

    pub(crate) fn bad_response(&self, api: &'static str, fault: ResponseFault) -> ClientError {
        ClientError::BadResponse {
            address: self.address.clone(),
            api,
            fault,
        }
    }

    fn close(&mut self) {
        self.is_broken = true;
        self.in_flight.clear();
        // The peer may be gone already, which is as good as closed.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

fn connect(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The time left until `deadline`, as the system's timeouts want it: never zero.
fn until(deadline: Instant) -> io::Result<Duration> {
    deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// The two ways in which systems report a socket's timeout.
fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn decode_response<R: Request>(body: Bytes, version: i16) -> Result<R::Response, DecodeError> {
    let mut decoder = Decoder::new(body);
    ResponseHeader::decode(&mut decoder, response_header_version(R::KEY, version))?;
    let response = decode_versioned(&mut decoder, version)?;
    decoder.finish()?;
    Ok(response)
}

#[cfg(test)]
mod tests;
