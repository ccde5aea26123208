//! In-memory connections: seeded fragments and delays, bounded buffers, cuts and stalls.
//!
//! # Invariants
//! - A direction delivers its bytes in order and once, whatever the fragments and delays.
//! - Sockets are `Send`, as the seam demands, so the state of a connection stands behind a lock; all of it lives on
//!   one thread and the lock is never contended.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};

use crate::world::World;

/// Bytes that one direction of a connection holds.
const BUFFERED_MAX_BYTES: usize = 64 << 10;
/// Room that a writer waits for, as sockets do: else ever smaller fragments would take turns.
const ROOM_MIN_BYTES: usize = BUFFERED_MAX_BYTES / 3;
const DELAY_MIN_NS: u64 = 5_000;
const DELAY_MAX_NS: u64 = 200_000;

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    /// Sent and not yet arrived.
    under_way: VecDeque<Bytes>,
    arrived: VecDeque<Bytes>,
    buffered_bytes: usize,
    /// Arrivals that the clock brought while the connection was stalled.
    held_back: usize,
    last_arrival: u64,
    writer_closed: bool,
    reader_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Default)]
struct State {
    /// What each side has sent.
    pipes: [Pipe; 2],
    stalled: bool,
    reset: bool,
    fragment_max_bytes: Option<usize>,
}

#[derive(Debug)]
struct Connection {
    addresses: [SocketAddr; 2],
    state: Mutex<State>,
}

impl Connection {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipe {
    fn wake_both(&mut self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }

    fn arrive(&mut self) {
        if let Some(fragment) = self.under_way.pop_front() {
            self.arrived.push_back(fragment);
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// One end of a connection; dropping it closes the connection.
#[derive(Debug)]
struct End {
    connection: Arc<Connection>,
    side: usize,
}

impl End {
    fn close(&self) {
        let mut state = self.connection.state();
        state.pipes[self.side].writer_closed = true;
        state.pipes[1 - self.side].reader_closed = true;
        for pipe in &mut state.pipes {
            pipe.wake_both();
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close();
    }
}

/// A connection between two shards.
#[derive(Debug)]
pub struct Socket {
    end: End,
}

impl Socket {
    /// The other end's address.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.end.connection.addresses[1 - self.end.side]
    }

    /// This end's address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.end.connection.addresses[self.end.side]
    }
}

/// A new connection as a test holds it.
#[derive(Debug)]
pub struct Wire {
    /// What the router would hand to a shard.
    pub server: Socket,
    /// What a client holds.
    pub client: Socket,
    /// Control over what happens between them.
    pub link: Link,
}

/// Control over a connection.
#[derive(Clone, Debug)]
pub struct Link {
    connection: Arc<Connection>,
}

impl Link {
    /// Breaks the connection: both ends get `ConnectionReset`, and what was under way is lost.
    pub fn cut(&self) {
        let mut state = self.connection.state();
        state.reset = true;
        for pipe in &mut state.pipes {
            pipe.wake_both();
        }
    }

    /// Lets nothing arrive until [`Link::resume`].
    pub fn stall(&self) {
        self.connection.state().stalled = true;
    }

    /// Ends a stall.
    pub fn resume(&self) {
        let mut state = self.connection.state();
        state.stalled = false;
        for pipe in &mut state.pipes {
            for _ in 0..std::mem::take(&mut pipe.held_back) {
                pipe.arrive();
            }
        }
    }

    /// Splits what is sent from now on into fragments of at most `len_bytes`: 1 splits at every byte.
    ///
    /// # Panics
    /// When `len_bytes` is 0.
    pub fn fragment(&self, len_bytes: usize) {
        assert!(len_bytes > 0, "a fragment is not empty");
        self.connection.state().fragment_max_bytes = Some(len_bytes);
    }
}

/// Makes a connection between two addresses. Nothing is looked up: its ends are handed to whom the test likes.
#[must_use]
pub fn connect(server: SocketAddr, client: SocketAddr) -> Wire {
    let connection = Arc::new(Connection {
        addresses: [server, client],
        state: Mutex::default(),
    });
    let [server, client] = [0, 1].map(|side| Socket {
        end: End {
            connection: Arc::clone(&connection),
            side,
        },
    });
    Wire {
        server,
        client,
        link: Link { connection },
    }
}

/// A connection of a simulated shard.
#[derive(Debug)]
pub struct Stream {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    end: End,
    world: Rc<World>,
}

impl Stream {
    pub(crate) fn adopt(world: &Rc<World>, socket: Socket) -> Self {
        Self {
            shared: Rc::new(Shared {
                end: socket.end,
                world: Rc::clone(world),
            }),
        }
    }
}

impl io::Stream for Stream {
    type Socket = Socket;
    type ReadHalf = ReadHalf;
    type WriteHalf = WriteHalf;

    fn peer_addr(&self) -> SocketAddr {
        self.shared.end.connection.addresses[1 - self.shared.end.side]
    }

    fn local_addr(&self) -> SocketAddr {
        self.shared.end.connection.addresses[self.shared.end.side]
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
        Ok(Socket { end: shared.end })
    }
}

impl Shared {
    /// Takes what has arrived: `None` when nothing has, 0 at the end.
    fn take(&self, state: &mut State, buffer: &mut [u8]) -> Result<Option<usize>> {
        if state.reset {
            return Err(Error::from(ErrorKind::ConnectionReset));
        }
        let pipe = &mut state.pipes[1 - self.end.side];
        if pipe.reader_closed {
            return Ok(Some(0));
        }
        let Some(first) = pipe.arrived.front_mut() else {
            let ended = pipe.writer_closed && pipe.under_way.is_empty();
            return Ok(ended.then_some(0));
        };
        let count = first.len().min(buffer.len());
        first.copy_to_slice(&mut buffer[..count]);
        if first.is_empty() {
            pipe.arrived.pop_front();
        }
        pipe.buffered_bytes -= count;
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        Ok(Some(count))
    }

    fn poll_take(&self, context: &Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let mut state = self.end.connection.state();
        match self.take(&mut state, buffer) {
            Ok(Some(count)) => Poll::Ready(Ok(count)),
            Err(error) => Poll::Ready(Err(error)),
            Ok(None) => {
                state.pipes[1 - self.end.side].reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_readable(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.end.connection.state();
        let reset = state.reset;
        let pipe = &mut state.pipes[1 - self.end.side];
        let ended = pipe.writer_closed && pipe.under_way.is_empty();
        if reset || ended || pipe.reader_closed || !pipe.arrived.is_empty() {
            return Poll::Ready(());
        }
        pipe.reader = Some(context.waker().clone());
        Poll::Pending
    }

    fn poll_send(&self, context: &Context<'_>, chunk: &Bytes) -> Poll<Result<usize>> {
        let mut state = self.end.connection.state();
        if state.reset {
            return Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset)));
        }
        let fragment_max = state.fragment_max_bytes;
        let pipe = &mut state.pipes[self.end.side];
        if pipe.writer_closed || pipe.reader_closed {
            return Poll::Ready(Err(Error::from(ErrorKind::BrokenPipe)));
        }
        let room = BUFFERED_MAX_BYTES - pipe.buffered_bytes;
        if room < chunk.len().min(ROOM_MIN_BYTES) {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = self.fragment_len(room.min(chunk.len()), fragment_max);
        pipe.buffered_bytes += count;
        pipe.under_way.push_back(chunk.slice(..count));
        let delay = self.world.latencies.between(DELAY_MIN_NS, DELAY_MAX_NS);
        let arrival = (self.world.now() + delay).max(pipe.last_arrival + 1);
        pipe.last_arrival = arrival;
        drop(state);
        self.arrive_at(arrival);
        Poll::Ready(Ok(count))
    }

    fn fragment_len(&self, possible: usize, fragment_max: Option<usize>) -> usize {
        if let Some(limit) = fragment_max {
            return possible.min(limit);
        }
        if self.world.latencies.chance(1, 2) {
            return possible;
        }
        let limit = u64::try_from(possible).expect("a length fits 64 bits");
        usize::try_from(self.world.latencies.magnitude(limit)).expect("at most a length")
    }

    fn arrive_at(&self, arrival: u64) {
        let connection = Arc::clone(&self.end.connection);
        let side = self.end.side;
        self.world.at(arrival, move || {
            let mut state = connection.state();
            let stalled = state.stalled;
            let pipe = &mut state.pipes[side];
            if stalled {
                pipe.held_back += 1;
            } else {
                pipe.arrive();
            }
        });
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
        poll_fn(|context| self.shared.poll_take(context, buffer)).await
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        assert!(!buffer.is_empty(), "reading needs room");
        let mut state = self.shared.end.connection.state();
        self.shared.take(&mut state, buffer)
    }

    async fn readable(&mut self) -> Result<()> {
        poll_fn(|context| self.shared.poll_readable(context)).await;
        Ok(())
    }
}

/// The writing half of a connection.
#[derive(Debug)]
pub struct WriteHalf {
    shared: Rc<Shared>,
}

impl io::WriteHalf for WriteHalf {
    async fn write(&mut self, chunks: &[Bytes]) -> Result<usize> {
        let mut sent = 0;
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            let taken = poll_fn(|context| match self.shared.poll_send(context, chunk) {
                // What was sent is reported before waiting or failing.
                Poll::Pending | Poll::Ready(Err(_)) if sent > 0 => Poll::Ready(Ok(0)),
                polled => polled,
            })
            .await?;
            sent += taken;
            if taken < chunk.len() {
                break;
            }
        }
        Ok(sent)
    }

    fn shutdown(&mut self) {
        self.shared.end.close();
    }
}

/// Addresses that listen. For tests that accept connections as a router does; shards themselves only adopt.
#[derive(Clone, Debug, Default)]
pub struct Network {
    listeners: Rc<RefCell<BTreeMap<SocketAddr, flume::Sender<Socket>>>>,
}

/// Accepts connections to one address; dropping it closes the address.
#[derive(Debug)]
pub struct Listener {
    network: Network,
    address: SocketAddr,
    accepted: flume::Receiver<Socket>,
}

/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;

impl Network {
    /// Opens an address.
    ///
    /// # Errors
    /// `AddrInUse`.
    pub fn listen(&self, address: SocketAddr) -> Result<Listener> {
        let mut listeners = self.listeners.borrow_mut();
        if listeners.contains_key(&address) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let (sender, accepted) = flume::bounded(BACKLOG);
        listeners.insert(address, sender);
        Ok(Listener {
            network: self.clone(),
            address,
            accepted,
        })
    }

    /// Connects to an address that listens, from `client`.
    ///
    /// # Errors
    /// `ConnectionRefused` when nobody listens there or the backlog is full.
    pub fn connect(&self, server: SocketAddr, client: SocketAddr) -> Result<(Socket, Link)> {
        let listeners = self.listeners.borrow();
        let listener = listeners.get(&server).ok_or(ErrorKind::ConnectionRefused)?;
        let wire = connect(server, client);
        listener
            .try_send(wire.server)
            .map_err(|_full| Error::from(ErrorKind::ConnectionRefused))?;
        Ok((wire.client, wire.link))
    }
}

impl Listener {
    /// The next connection.
    ///
    /// # Panics
    /// Never: the network keeps the sending side while the listener lives.
    pub async fn accept(&self) -> Socket {
        let next = self.accepted.recv_async().await;
        next.expect("the network holds the other side")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.network.listeners.borrow_mut().remove(&self.address);
    }
}
