//! A connection that does not block: frames out in order, frames in as they come.
//!
//! The buffer of what comes in is initialised once and used again; whole frames are handed out as slices of it.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use bytes::{Bytes, BytesMut};
use client::{ClientError, ResponseFault};
use protocol::messages::ResponseHeader;
use protocol::wire::decode_versioned;
use protocol::{
    ChunkList, DecodeError, Decoder, Request, Wire as _, encode_request_frame,
    response_header_version,
};

/// Pieces of requests given to the system at once.
const WRITE_SLICES_MAX: usize = 64;

/// What the buffer has at first.
const READ_BYTES: usize = 64 << 10;

/// The largest response that is read.
const FRAME_MAX_BYTES: usize = 256 << 20;

/// The size field and the correlation id.
const FRAME_MIN_BYTES: usize = 8;

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    address: String,
    out: VecDeque<Bytes>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    inbox: BytesMut,
    filled: usize,
    next_correlation_id: i32,
}

impl Link {
    /// Takes over a connection on which nothing is under way.
    pub(crate) fn new(stream: TcpStream, address: &str) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            address: address.to_owned(),
            out: VecDeque::new(),
            sent: 0,
            inbox: BytesMut::zeroed(READ_BYTES),
            filled: 0,
            next_correlation_id: 0,
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Puts a request behind those that wait to be sent; its correlation id.
    pub(crate) fn queue<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Result<i32, ClientError> {
        let id = self.next_correlation_id;
        let frame: ChunkList = encode_request_frame(version, id, Some("logan-bench"), request)
            .map_err(|source| ClientError::Encode {
                api: R::KEY.name(),
                source,
            })?;
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1) & i32::MAX;
        let pieces = frame.into_chunks().into_iter();
        self.out.extend(pieces.filter(|piece| !piece.is_empty()));
        Ok(id)
    }

    /// Whether there is something left to send.
    pub(crate) fn wants_write(&self) -> bool {
        !self.out.is_empty()
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self, api: &'static str) -> Result<(), ClientError> {
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.out) {
                let from = if count == 0 { self.sent } else { 0 };
                *slice = IoSlice::new(&piece[from..]);
                count += 1;
            }
            match self.stream.write_vectored(&slices[..count]) {
                Ok(0) => return Err(self.lost(api, io::ErrorKind::WriteZero.into())),
                Ok(written) => self.pass(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(api, error)),
            }
        }
        Ok(())
    }

    fn pass(&mut self, mut written: usize) {
        while let Some(piece) = self.out.front() {
            let left = piece.len() - self.sent;
            if written < left {
                self.sent += written;
                return;
            }
            written -= left;
            self.sent = 0;
            self.out.pop_front();
        }
    }

    /// Reads once; whether anything came.
    pub(crate) fn fill(&mut self, api: &'static str) -> Result<bool, ClientError> {
        let wanted = match self.inbox[..self.filled].first_chunk::<4>() {
            Some(size) => 4 + self.frame_len(api, *size)?,
            None => READ_BYTES,
        };
        if self.inbox.len() < wanted {
            self.inbox.resize(wanted, 0);
        }
        loop {
            match self.stream.read(&mut self.inbox[self.filled..]) {
                Ok(0) => {
                    let error = io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the broker closed the connection",
                    );
                    return Err(self.lost(api, error));
                }
                Ok(read) => {
                    self.filled += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(api, error)),
            }
        }
    }

    /// The whole frames that have come, without their sizes, given to `each` one after the other.
    pub(crate) fn frames(
        &mut self,
        api: &'static str,
        mut each: impl FnMut(Bytes) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let mut consumed = 0;
        let whole = std::mem::take(&mut self.inbox).freeze();
        let mut outcome = Ok(());
        while outcome.is_ok() {
            let rest = &whole[consumed..self.filled];
            let Some(size) = rest.first_chunk::<4>() else {
                break;
            };
            match self.frame_len(api, *size) {
                Ok(length) if rest.len() < 4 + length => break,
                Ok(length) => {
                    let from = consumed + 4;
                    consumed = from + length;
                    outcome = each(whole.slice(from..consumed));
                }
                Err(error) => outcome = Err(error),
            }
        }
        // The frames are gone by now, so that the memory comes back as it is.
        self.inbox = whole
            .try_into_mut()
            .unwrap_or_else(|kept| BytesMut::from(kept.as_ref()));
        self.inbox.copy_within(consumed..self.filled, 0);
        self.filled -= consumed;
        outcome
    }

    fn frame_len(&self, api: &'static str, size: [u8; 4]) -> Result<usize, ClientError> {
        let announced = i32::from_be_bytes(size);
        let length = usize::try_from(announced).ok();
        let accepted = FRAME_MIN_BYTES - 4..=FRAME_MAX_BYTES;
        length
            .filter(|length| accepted.contains(length))
            .ok_or_else(|| {
                self.bad(
                    api,
                    ResponseFault::Length {
                        length: announced,
                        max: FRAME_MAX_BYTES,
                    },
                )
            })
    }

    pub(crate) fn lost(&self, api: &'static str, source: io::Error) -> ClientError {
        lost(&self.address, api, source)
    }

    pub(crate) fn bad(&self, api: &'static str, fault: ResponseFault) -> ClientError {
        bad(&self.address, api, fault)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

fn lost(address: &str, api: &'static str, source: io::Error) -> ClientError {
    ClientError::ConnectionLost {
        address: address.to_owned(),
        api,
        source,
    }
}

pub(crate) fn bad(address: &str, api: &'static str, fault: ResponseFault) -> ClientError {
    ClientError::BadResponse {
        address: address.to_owned(),
        api,
        fault,
    }
}

/// Reads a response that must answer `expected`.
pub(crate) fn response<R: Request>(
    address: &str,
    body: Bytes,
    version: i16,
    expected: Option<i32>,
) -> Result<R::Response, ClientError> {
    let api = R::KEY.name();
    let decode = |body| -> Result<(i32, R::Response), DecodeError> {
        let mut decoder = Decoder::new(body);
        let header =
            ResponseHeader::decode(&mut decoder, response_header_version(R::KEY, version))?;
        let response = decode_versioned(&mut decoder, version)?;
        decoder.finish()?;
        Ok((header.correlation_id, response))
    };
    let (found, response) = decode(body)
        .map_err(|source| bad(address, api, ResponseFault::Decode { version, source }))?;
    match expected {
        Some(expected) if expected == found => Ok(response),
        other => Err(bad(
            address,
            api,
            ResponseFault::Correlation {
                expected: other.unwrap_or(-1),
                found,
            },
        )),
    }
}
