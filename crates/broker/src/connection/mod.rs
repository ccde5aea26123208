//! A client's connection, on the shard that serves it.
//!
//! One task runs a reader and a writer side by side. The reader takes requests in order and carries out what must
//! happen in order (above all appends); what a response still waits for (durability, a long poll, another shard)
//! goes on in the writer, which sends responses in the order of their requests.
//!
//! # Invariants
//! - At most `queued.max.requests` responses are owed; then nothing more is read.
//! - Appends of one connection enter each log in the order in which they were sent.
//! - A connection moves to another shard only between requests and with no response owed.

mod inbound;
mod outbound;
mod refusals;
mod sweep;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::{Either, select};
use io::sync::{Notified, Notify};
use io::{Instant, Io, Stream as _};
use types::{CloseReason, Event, ShardId};

use crate::advertise::{Advertise, Audience};
use crate::api::{self, Dispatched};
use crate::message::Control;
use crate::shard::Shard;
use crate::slice::TimeSlice;
use crate::traffic::add;

pub(crate) use inbound::{Frame, Inbound, Progress, ReceiveBuffers};
pub(crate) use outbound::{Held, Outbound, Pending, Response};
use refusals::Refusals;
pub(crate) use sweep::sweep_connections;

/// A connection that the router, or another shard, gives to this one.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The connection itself.
    pub socket: S,
    /// Which of the configured listeners accepted it.
    pub listener: usize,
}

/// A connection on its way to the shard that owns what it asks for.
#[derive(Debug)]
pub(crate) struct Migration<I: Io> {
    accepted: Accepted<I::Socket>,
    /// What was read and is to be served there, size fields included.
    unread: Bytes,
    software: Option<ClientSoftware>,
}

/// What a client calls itself in ApiVersions (KIP-511).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientSoftware {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// What the shard knows of one connection.
pub(crate) struct Connection {
    pub(crate) listener: usize,
    pub(crate) peer: SocketAddr,
    pub(crate) outbound: Outbound,
    pub(crate) software: RefCell<Option<ClientSoftware>>,
    /// Whether its shard was chosen by what it asked for. Until then it is served from wherever it is, as one that sees
    /// one node is; afterwards it moves again only if the choice was wrong.
    pub(crate) is_settled: Cell<bool>,
    /// Batches that were refused because other shards lead their partitions.
    pub(crate) refused_batches: Refusals,
    /// Fetches, likewise.
    pub(crate) refused_fetches: Refusals,
    /// Whether the client is told of the machine or of its shards.
    pub(crate) audience: Cell<Audience>,
    progress: Progress,
    last_request: Cell<Instant>,
    close: Notify,
    close_reason: Cell<Option<&'static str>>,
    draining: Notify,
    is_draining: Cell<bool>,
    sweep: Cell<sweep::Observed>,
    /// Why it is gone, when it is.
    ended_by: Cell<CloseReason>,
}

impl Connection {
    /// Asks the connection to end now, dropping what it still owes.
    pub(crate) fn close(&self, reason: &'static str) {
        self.close_reason.set(Some(reason));
        self.close.notify_all();
    }

    /// Notes what the client calls itself.
    pub(crate) fn introduce(&self, software: ClientSoftware, advertise: &Advertise) {
        self.audience.set(advertise.audience(Some(&software)));
        self.software.replace(Some(software));
    }

    /// Settles the connection with the shard that it is meant for, if that is known; returns it if it is not `here`.
    pub(crate) fn settle(&self, here: ShardId, meant: Option<ShardId>) -> Option<ShardId> {
        self.is_settled.set(meant.is_some());
        meant.filter(|meant| *meant != here)
    }

    /// Asks the connection to read no more and to end when everything is answered; long polls end at once.
    pub(crate) fn drain(&self) {
        self.is_draining.set(true);
        self.draining.notify_all();
    }

    /// Whether it reads no more.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    /// Completes when it begins to drain.
    pub(crate) fn drain_begins(&self) -> Notified {
        self.draining.notified()
    }
}

/// A connection's place in the shard's list, given up when its task ends in any way.
struct Registered<I: Io> {
    shard: Rc<Shard<I>>,
    connection: Rc<Connection>,
    key: usize,
}

impl<I: Io> Drop for Registered<I> {
    fn drop(&mut self) {
        self.shard.connections.borrow_mut().try_remove(self.key);
        // Responses in the making may hold the connection, which holds them.
        self.connection.outbound.clear();
        let closed = Event::ConnectionClosed {
            peer: self.connection.peer,
            reason: self.connection.ended_by.get(),
        };
        self.shard.io.record_now(closed);
    }
}

enum Exit {
    Ended,
    /// The client sent what ends a connection. What it asked for before is answered.
    Refused,
    /// The shard drains: what is owed is sent, nothing more is read.
    Drained,
    Migrate {
        target: ShardId,
        unread: Bytes,
    },
}

impl Exit {
    fn close_reason(&self) -> CloseReason {
        match self {
            Self::Ended => CloseReason::Ended,
            Self::Refused => CloseReason::Refused,
            Self::Drained => CloseReason::Drained,
            Self::Migrate { .. } => CloseReason::Moved,
        }
    }
}

/// Serves a connection until it ends or moves to another shard.
pub(crate) async fn serve<I: Io>(shard: Rc<Shard<I>>, accepted: Accepted<I::Socket>) {
    add(&shard.counters.connections_accepted, 1);
    serve_from(shard, accepted, Bytes::new(), None).await;
}

/// Serves a connection that another shard gave away.
pub(crate) async fn serve_migrated<I: Io>(shard: Rc<Shard<I>>, migration: Migration<I>) {
    let Migration {
        accepted,
        unread,
        software,
    } = migration;
    add(&shard.counters.connections_received, 1);
    serve_from(shard, accepted, unread, Some(software)).await;
}

async fn serve_from<I: Io>(
    shard: Rc<Shard<I>>,
    accepted: Accepted<I::Socket>,
    unread: Bytes,
    migrated: Option<Option<ClientSoftware>>,
) {
    let Accepted { socket, listener } = accepted;
    let stream = match shard.io.adopt(socket) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "cannot take over a connection");
            return;
        }
    };
    let peer = stream.peer_addr();
    let has_moved = migrated.is_some();
    let is_settled = has_moved || shard.advertise().has_port_per_shard();
    let software = migrated.flatten();
    let connection = Rc::new(Connection {
        listener,
        peer,
        outbound: Outbound::new(shard.limits.responses_per_connection_max),
        is_settled: Cell::new(is_settled),
        refused_batches: Refusals::default(),
        refused_fetches: Refusals::default(),
        audience: Cell::new(shard.advertise().audience(software.as_ref())),
        software: RefCell::new(software),
        progress: Progress::default(),
        last_request: Cell::new(shard.io.now()),
        close: Notify::new(),
        close_reason: Cell::new(None),
        draining: Notify::new(),
        is_draining: Cell::new(shard.is_draining()),
        sweep: Cell::default(),
        ended_by: Cell::new(CloseReason::Ended),
    });
    let opened = Event::ConnectionOpened { peer, has_moved };
    shard.io.record_now(opened);
    let key = shard
        .connections
        .borrow_mut()
        .insert(Rc::clone(&connection));
    let _registered = Registered {
        shard: Rc::clone(&shard),
        connection: Rc::clone(&connection),
        key,
    };
    run(&shard, &connection, stream, unread).await;
}

/// Runs the connection until it ends here.
async fn run<I: Io>(
    shard: &Rc<Shard<I>>,
    connection: &Rc<Connection>,
    stream: I::Stream,
    unread: Bytes,
) {
    let (mut read, mut write) = stream.split();
    let mut inbound = Inbound::new(
        shard.limits.request_len_max_bytes,
        shard.request_budget.clone(),
        unread,
    );
    let exit = {
        let reader = pin!(read_requests(shard, connection, &mut read, &mut inbound));
        let on_sent = |sent: &[Held]| {
            let now = shard.io.now();
            for held in sent {
                if let Some(made) = held.made() {
                    shard.requests.sent(made, now);
                    shard
                        .io
                        .record(now, made.watch().ended(connection.peer, now));
                }
                if let Some(span) = held.span() {
                    shard.tracing.ended(span, now);
                }
            }
        };
        let writer = pin!(connection.outbound.send_all(&mut write, on_sent));
        let closed = pin!(connection.close.notified());
        match select(reader, select(writer, closed)).await {
            Either::Left((Ok(Exit::Ended), _)) => None,
            Either::Left((Ok(exit), rest)) => {
                connection.ended_by.set(exit.close_reason());
                connection.drain();
                connection.outbound.finish();
                match (rest.await, exit) {
                    (Either::Left((Ok(()), _)), Exit::Migrate { target, unread }) => {
                        Some((target, unread))
                    }
                    _ => None,
                }
            }
            Either::Left((Err(error), _)) | Either::Right((Either::Left((Err(error), _)), _)) => {
                connection.ended_by.set(CloseReason::Failed);
                log_end(shard, connection, &error);
                None
            }
            Either::Right((Either::Left((Ok(()), _)), _)) => None,
            Either::Right((Either::Right(_), _)) => {
                let is_draining = connection.is_draining();
                connection.ended_by.set(if is_draining {
                    CloseReason::Drained
                } else {
                    CloseReason::Swept
                });
                let reason = connection.close_reason.take().unwrap_or("shutting down");
                tracing::debug!(peer = %connection.peer, reason, "closed a connection");
                None
            }
        }
    };
    if let Some((target, unread)) = exit {
        migrate(
            shard,
            connection,
            I::Stream::detach(read, write),
            target,
            unread,
        )
        .await;
    }
}

async fn migrate<I: Io>(
    shard: &Rc<Shard<I>>,
    connection: &Connection,
    socket: Result<I::Socket>,
    target: ShardId,
    unread: Bytes,
) {
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(peer = %connection.peer, %error, "cannot detach a connection");
            return;
        }
    };
    let accepted = Accepted {
        socket,
        listener: connection.listener,
    };
    let software = connection.software.borrow().clone();
    let migration = Box::new(Migration {
        accepted,
        unread,
        software,
    });
    shard
        .mesh
        .control(target, Control::Migrate(migration))
        .await
        .await;
}

async fn read_requests<I: Io>(
    shard: &Rc<Shard<I>>,
    connection: &Rc<Connection>,
    stream: &mut <I::Stream as io::Stream>::ReadHalf,
    inbound: &mut Inbound,
) -> Result<Exit> {
    let mut slice = TimeSlice::new(|| shard.io.now());
    let mut arrived = shard.io.now();
    loop {
        let received_before = connection.progress.received_bytes.get();
        let draining = connection.drain_begins();
        if connection.is_draining() {
            return Ok(Exit::Drained);
        }
        let frame = {
            let next = pin!(async {
                connection.outbound.has_room().await;
                let frame =
                    inbound.next_frame(stream, &shard.receive_buffers, &connection.progress);
                slice.wait(frame).await
            });
            match select(next, draining).await {
                Either::Left((Err(error), _)) if error.kind() == ErrorKind::InvalidData => {
                    add(&shard.counters.closed_malformed, 1);
                    log_end(shard, connection, &error);
                    return Ok(Exit::Refused);
                }
                Either::Left((frame, _)) => frame?,
                Either::Right(_) => return Ok(Exit::Drained),
            }
        };
        let Some(frame) = frame else {
            return Ok(Exit::Ended);
        };
        let now = shard.io.now();
        connection.last_request.set(now);
        // What came along with an earlier request has been here as long as that.
        if connection.progress.received_bytes.get() != received_before {
            arrived = now;
        }
        let is_own_buffer = frame.reservation.is_some();
        let bytes = frame.bytes.clone();
        match api::dispatch(shard, connection, frame, arrived).await {
            Dispatched::Respond(pending) => connection.outbound.push(pending),
            Dispatched::Close => {
                add(&shard.counters.closed_malformed, 1);
                return Ok(Exit::Refused);
            }
            Dispatched::Migrate(target) => {
                let unread = with_frame_before(&bytes, &inbound.take_unread());
                return Ok(Exit::Migrate { target, unread });
            }
        }
        if is_own_buffer {
            shard.receive_buffers.recycle(bytes);
        }
        if slice.is_used_up() {
            shard.io.reschedule().await;
            slice.restart();
        }
    }
}

/// Puts a request back in front of what was read behind it.
fn with_frame_before(frame: &Bytes, rest: &Bytes) -> Bytes {
    let mut unread = BytesMut::with_capacity(4 + frame.len() + rest.len());
    unread.put_i32(i32::try_from(frame.len()).expect("frames are cut by a 32-bit size"));
    unread.put_slice(frame);
    unread.put_slice(rest);
    unread.freeze()
}

fn log_end<I: Io>(shard: &Shard<I>, connection: &Connection, error: &std::io::Error) {
    let peer = connection.peer;
    match error.kind() {
        ErrorKind::InvalidData => {
            if shard.log_limit.admit(shard.io.now()) {
                tracing::warn!(%peer, %error, "closed a connection: malformed request");
            }
        }
        _ => tracing::debug!(%peer, %error, "a connection ended"),
    }
}
