//! A connection that sends whatever a test wants, right or wrong.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::ResponseHeader;
use protocol::wire::decode_versioned;
use protocol::{Decoder, Request, Wire as _, encode_request_frame, response_header_version};
use types::ErrorCode;

/// How long a test waits for bytes.
const TIME_MAX: Duration = Duration::from_secs(60);

/// A connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Wire {
    /// A connection to `host:port`.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the broker accepts");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(TIME_MAX)).expect("a socket");
        stream.set_write_timeout(Some(TIME_MAX)).expect("a socket");
        Self {
            stream,
            next_correlation_id: 0,
        }
    }

    /// The socket itself.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the broker has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker takes it");
    }

    /// Sends bytes that the broker may refuse by closing the connection before it has them all.
    pub fn offer(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// Sends a request `count` times, or as much of that as the broker takes before a write times out.
    ///
    /// # Panics
    /// When the request has no such form.
    pub fn offer_requests<R: Request>(&mut self, version: i16, request: &R, count: usize) {
        self.offer(&encoded(version, 0, request).repeat(count));
    }

    /// Sends a size and what follows it.
    ///
    /// # Panics
    /// When the broker has closed the connection.
    pub fn send_frame(&mut self, frame: &[u8]) {
        let size = i32::try_from(frame.len()).expect("a small frame");
        self.send(&[&size.to_be_bytes()[..], frame].concat());
    }

    /// Sends a request in a version, whatever the broker offers; its correlation id.
    ///
    /// # Panics
    /// When the request has no such form, or the connection is closed.
    pub fn send_request<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        self.send(&encoded(version, correlation_id, request));
        correlation_id
    }

    /// Sends a request and reads its response, which must be one of this version and no byte longer.
    ///
    /// # Panics
    /// When there is no such response.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation_id = self.send_request(version, request);
        self.receive::<R>(version, correlation_id)
    }

    /// Reads the response to a request that was sent.
    ///
    /// # Panics
    /// When there is none.
    pub fn receive<R: Request>(&mut self, version: i16, correlation_id: i32) -> R::Response {
        let name = R::KEY.name();
        let frame = self.frame();
        let frame = frame.unwrap_or_else(|| unreachable!("no answer to {name} v{version}"));
        let mut decoder = Decoder::new(frame);
        let header = ResponseHeader::decode(&mut decoder, response_header_version(R::KEY, version));
        let header = header.expect("a header");
        assert_eq!(header.correlation_id, correlation_id, "{name} v{version}");
        let response = decode_versioned::<R::Response>(&mut decoder, version);
        let response = response
            .unwrap_or_else(|error| unreachable!("{name} v{version} cannot be read: {error}"));
        assert_eq!(
            decoder.remaining(),
            0,
            "{name} v{version} is followed by more"
        );
        response
    }

    /// Reads a response's bytes behind its size; `None` when the broker has closed the connection instead.
    ///
    /// # Panics
    /// When neither happens in time.
    pub fn frame(&mut self) -> Option<Bytes> {
        let mut size = [0; 4];
        if !self.read_exact(&mut size) {
            return None;
        }
        let size = usize::try_from(i32::from_be_bytes(size)).expect("a size is not negative");
        let mut frame = vec![0; size];
        assert!(self.read_exact(&mut frame), "a response ends in the middle");
        Some(frame.into())
    }

    /// Waits until the broker closes the connection.
    ///
    /// # Panics
    /// When it does not, or answers.
    pub fn expect_closed(&mut self) {
        let answer = self.frame();
        assert_eq!(answer, None, "an answer instead of the end");
    }

    /// Whether the broker has closed the connection by now, without waiting for it.
    ///
    /// # Panics
    /// When the socket is unusable.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0; 1]);
        self.stream.set_nonblocking(false).expect("a socket");
        match peeked {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub fn finish(&mut self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    fn read_exact(&mut self, target: &mut [u8]) -> bool {
        match self.stream.read_exact(target) {
            Ok(()) => true,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                unreachable!("neither an answer nor the end within {TIME_MAX:?}")
            }
            Err(_closed) => false,
        }
    }
}

/// A request as it is sent, its size included.
///
/// # Panics
/// When the request has no form in this version.
pub(crate) fn encoded<R: Request>(version: i16, correlation_id: i32, request: &R) -> Bytes {
    let frame = encode_request_frame(version, correlation_id, Some("test"), request);
    let frame = frame.unwrap_or_else(|error| {
        unreachable!("{} v{version} cannot be said: {error}", R::KEY.name())
    });
    frame.to_bytes()
}

/// The error of this number.
///
/// # Panics
/// When Kafka has none of it.
#[must_use]
pub fn error_of(code: i16) -> ErrorCode {
    ErrorCode::from_code(code).expect("one of Kafka's error codes")
}
