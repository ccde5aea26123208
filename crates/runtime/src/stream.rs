//! Connections on glommio's `TcpStream`, with gathering writes on the raw descriptor.
//!
//! # Invariants
//! - Both halves share one `TcpStream` and borrow it for the length of a poll only; glommio keeps one waker for each
//!   direction, so a pending read and a pending write do not disturb each other.
//! - A poll for readiness that is under way keeps the socket open in the kernel. So closing shuts the connection down
//!   explicitly, and a detached connection may be polled by its old reactor once more, which reads nothing.

#![expect(
    unsafe_code,
    reason = "hands descriptors to glommio and borrows them back"
)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, Result};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_io::{AsyncRead as _, AsyncWrite as _};
use socket2::SockRef;

use crate::lease::Lease;
use crate::watchdog::Activity;

/// Chunks that one system call gathers.
const GATHERED_CHUNKS_MAX: usize = 64;

/// A connection that no reactor knows: on its way from the router to a shard, or between shards.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    ends: Ends,
    lease: Option<Lease>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    peer: SocketAddr,
    local: SocketAddr,
}

impl Socket {
    /// Takes over a connected TCP socket and switches Nagle's algorithm off.
    ///
    /// # Errors
    /// The operating system's: `NotConnected` when the peer is already gone.
    pub fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        let ends = Ends {
            peer: stream.peer_addr()?,
            local: stream.local_addr()?,
        };
        Ok(Self {
            descriptor: OwnedFd::from(stream),
            ends,
            lease: None,
        })
    }

    /// The client's address.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.ends.peer
    }

    /// The address that the client connected to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.ends.local
    }

    /// Counts the connection until it is closed, wherever that happens.
    pub(crate) fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Tells the router which shard serves the connection from now on.
    pub(crate) fn moved_to(mut self, shard: types::ShardId) -> Self {
        if let Some(lease) = &mut self.lease {
            lease.move_to(shard);
        }
        self
    }
}

/// A connection of a shard.
#[derive(Debug)]
pub struct Stream {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stream: RefCell<glommio::net::TcpStream>,
    ends: Ends,
    activity: Arc<Activity>,
    /// Released last, when the descriptor is closed.
    lease: Option<Lease>,
}

impl Shared {
    fn with_descriptor<T>(&self, use_it: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        let stream = self.stream.borrow();
        // SAFETY: `stream` owns the descriptor and is borrowed until the closure has returned.
        use_it(unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) })
    }

    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let poll = Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, buffer);
        if poll.is_ready() {
            self.activity.note();
        }
        poll
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, bytes)
    }

    /// Sends what the socket buffer takes now; `None` when it takes nothing.
    fn try_gather(&self, chunks: &[Bytes]) -> Result<Option<usize>> {
        let mut slices = [IoSlice::new(&[]); GATHERED_CHUNKS_MAX];
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(chunks) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        loop {
            let sent = self.with_descriptor(|descriptor| {
                SockRef::from(&descriptor).send_vectored_with_flags(&slices[..count], flags)
            });
            match sent {
                Ok(sent) => return Ok(Some(sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Stream {
    pub(crate) fn adopt(socket: Socket, activity: Arc<Activity>) -> Self {
        let descriptor = socket.descriptor.into_raw_fd();
        // SAFETY: `into_raw_fd` gave up the ownership of this open socket, and `TcpStream` takes it.
        let stream = unsafe { glommio::net::TcpStream::from_raw_fd(descriptor) };
        Self {
            shared: Rc::new(Shared {
                stream: RefCell::new(stream),
                ends: socket.ends,
                activity,
                lease: socket.lease,
            }),
        }
    }
}

impl io::Stream for Stream {
    type Socket = Socket;
    type ReadHalf = ReadHalf;
    type WriteHalf = WriteHalf;

    fn peer_addr(&self) -> SocketAddr {
        self.shared.ends.peer
    }

    fn local_addr(&self) -> SocketAddr {
        self.shared.ends.local
    }

    fn split(self) -> (ReadHalf, WriteHalf) {
        let read = ReadHalf {
            shared: Rc::clone(&self.shared),
        };
        let write = WriteHalf {
            shared: self.shared,
        };
        (read, write)
    }

    fn detach(read: ReadHalf, write: WriteHalf) -> Result<Socket> {
        assert!(
            Rc::ptr_eq(&read.shared, &write.shared),
            "both halves are of one connection"
        );
        drop(write);
        let shared = Rc::into_inner(read.shared).expect("a connection has two halves");
        let descriptor =
            shared.with_descriptor(|descriptor| descriptor.as_fd().try_clone_to_owned())?;
        // Closes the old descriptor and withdraws its polls from this shard's reactor.
        drop(shared.stream);
        Ok(Socket {
            descriptor,
            ends: shared.ends,
            lease: shared.lease,
        })
    }
}

/// The reading half of a connection.
#[derive(Debug)]
pub struct ReadHalf {
    shared: Rc<Shared>,
}

impl io::ReadHalf for ReadHalf {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        assert!(!buffer.is_empty(), "reading needs room");
        poll_fn(|context| self.shared.poll_read(context, buffer)).await
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        assert!(!buffer.is_empty(), "reading needs room");
        // While a poll for readiness is under way glommio does not look at the socket: the answer is then `None`, and
        // `readable` completes as soon as the reactor has seen the poll's result.
        let mut context = Context::from_waker(Waker::noop());
        match self.shared.poll_read(&mut context, buffer) {
            Poll::Ready(result) => result.map(Some),
            Poll::Pending => Ok(None),
        }
    }

    async fn readable(&mut self) -> Result<()> {
        // With an empty buffer glommio waits for a poll that is under way and then reads nothing. If none is, this
        // completes at once, and the next `try_read` either gets something or starts one.
        poll_fn(|context| self.shared.poll_read(context, &mut []))
            .await
            .map(drop)
    }
}

/// The writing half of a connection.
#[derive(Debug)]
pub struct WriteHalf {
    shared: Rc<Shared>,
}

impl io::WriteHalf for WriteHalf {
    async fn write(&mut self, chunks: &[Bytes]) -> Result<usize> {
        let Some(first) = chunks.iter().find(|chunk| !chunk.is_empty()) else {
            return Ok(0);
        };
        let skip_leading_empty = chunks.iter().take_while(|chunk| chunk.is_empty()).count();
        if let Some(sent) = self.shared.try_gather(&chunks[skip_leading_empty..])? {
            return Ok(sent);
        }
        // The socket buffer is full: this tries once more and then waits until there is room.
        poll_fn(|context| self.shared.poll_write(context, first)).await
    }

    fn shutdown(&mut self) {
        let result = self
            .shared
            .with_descriptor(|descriptor| SockRef::from(&descriptor).shutdown(Shutdown::Both));
        if let Err(error) = result
            && error.kind() != ErrorKind::NotConnected
        {
            tracing::debug!(%error, "shut a connection down");
        }
    }
}
