//! The router: a plain thread that accepts connections and hands them to shards.
//!
//! It owns the listening sockets and all counts of connections; shards tell it what closed through a channel. It
//! never reads from a connection and never waits for a shard. Limits that are reached make it wait without accepting,
//! so that clients queue up in the kernel's backlog, as with Kafka.

#![expect(unsafe_code, reason = "polls several descriptors")]

mod limits;
mod listen;

use std::io::{Error, ErrorKind, Result, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use io::Instant;
use types::ShardId;

use crate::cores::stay_on;
use crate::lease::{Lease, Notice};
use crate::stream::Socket;
use crate::{clock, panics};

pub use limits::ConnectionLimits;
pub use listen::{ListenAddress, ListenError, Listeners};

use limits::Census;
use listen::Listener;

/// Connections that are accepted from one listener before the others get their turn.
const ACCEPTS_PER_TURN_MAX: usize = 64;
/// How long the router sleeps at most before it drains notices of closed connections.
const TURN: Duration = Duration::from_millis(500);
/// How long it waits at a limit, or without descriptors, before it looks again; also how late it may stop then.
const PAUSE: Duration = Duration::from_millis(50);
/// Refusals of one kind are logged at most this often.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// An accepted connection on its way to a shard.
#[derive(Debug)]
pub struct Accepted {
    /// The connection, to be [adopted](io::Io::adopt). It is counted until it is dropped, on whichever shard.
    pub socket: Socket,
    /// The index of the listener that it came in by.
    pub listener: usize,
}

/// How the router works.
#[derive(Clone, Debug, Default)]
pub struct RouterSettings {
    /// Limits of connections.
    pub limits: ConnectionLimits,
    /// The CPUs that the thread runs on; none if it may run anywhere.
    pub cpus: Vec<usize>,
    /// Where other limits come from while it runs.
    changes: Option<flume::Receiver<ConnectionLimits>>,
}

impl RouterSettings {
    /// These limits, and how they are changed later.
    #[must_use]
    pub fn changeable(limits: ConnectionLimits) -> (Self, LimitSetter) {
        // One decision at a time changes them, so that few wait.
        let (sender, changes) = flume::unbounded();
        let settings = Self {
            limits,
            cpus: Vec::new(),
            changes: Some(changes),
        };
        (settings, LimitSetter(sender))
    }
}

/// Gives a router other limits, from any thread; it follows within half a second.
#[derive(Clone, Debug)]
pub struct LimitSetter(flume::Sender<ConnectionLimits>);

impl LimitSetter {
    /// Sets them. A router that has ended does not mind.
    pub fn set(&self, limits: ConnectionLimits) {
        if self.0.send(limits).is_err() {
            tracing::debug!("the router has ended and takes no other limits");
        }
    }
}

/// What the router has done, to be read from any thread.
#[derive(Debug, Default)]
pub struct RouterCounters {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl RouterCounters {
    /// Open connections, as of the router's last turn.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that were handed to shards since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that were closed at once since the start: too many of one client, or no shard took them.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The running router. Dropping it stops accepting and closes the listening sockets; connections live on.
#[derive(Debug)]
pub struct Router {
    stop: Arc<AtomicBool>,
    wake: UnixStream,
    counters: Arc<RouterCounters>,
    thread: Option<JoinHandle<()>>,
}

impl Router {
    /// Starts accepting. `deliver` puts a connection into a shard's mailbox without waiting, or gives it back when
    /// the mailbox is full; then the connection is closed.
    ///
    /// # Errors
    /// The operating system's, when the thread cannot be started.
    ///
    /// # Panics
    /// When `shard_count` is 0.
    pub fn start(
        listeners: Listeners,
        settings: RouterSettings,
        shard_count: usize,
        deliver: impl FnMut(ShardId, Accepted) -> std::result::Result<(), Accepted> + Send + 'static,
    ) -> Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        let (notifier, notices) = flume::unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let counters = Arc::new(RouterCounters::default());
        let mut acceptor = Acceptor {
            census: Census::new(settings.limits, shard_count, clock::now()),
            changes: settings.changes,
            notifier,
            notices,
            counters: Arc::clone(&counters),
            deliver,
            logged_at: None,
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("router".to_owned())
            .spawn(move || {
                panics::mark_vital("the router");
                pin(&settings.cpus);
                acceptor.run(&listeners.sockets, &woken, &stopped);
            })?;
        Ok(Self {
            stop,
            wake,
            counters,
            thread: Some(thread),
        })
    }

    /// What it has done.
    #[must_use]
    pub fn counters(&self) -> Arc<RouterCounters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Err(error) = self.wake.write_all(&[1]) {
            tracing::debug!(%error, "wake the router");
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the router panicked");
        }
    }
}

fn pin(cpus: &[usize]) {
    if !cpus.is_empty()
        && let Err(error) = stay_on(cpus)
    {
        tracing::warn!(%error, "router stays unpinned");
    }
}

/// Why accepting stops for a moment.
enum Obstacle {
    /// A limit, or no descriptors: look again after this time, or when a connection closes.
    Wait(Duration),
    /// Nobody is in the backlog.
    Idle,
}

struct Acceptor<D> {
    census: Census,
    changes: Option<flume::Receiver<ConnectionLimits>>,
    notifier: flume::Sender<Notice>,
    notices: flume::Receiver<Notice>,
    counters: Arc<RouterCounters>,
    deliver: D,
    logged_at: Option<Instant>,
}

impl<D: FnMut(ShardId, Accepted) -> std::result::Result<(), Accepted>> Acceptor<D> {
    fn run(&mut self, listeners: &[Listener], woken: &UnixStream, stop: &AtomicBool) {
        let mut polled: Vec<_> = listeners
            .iter()
            .map(|listener| pollfd(listener.socket.as_raw_fd()))
            .chain([pollfd(woken.as_raw_fd())])
            .collect();
        while !stop.load(Ordering::Acquire) {
            self.drain_notices();
            if let Obstacle::Wait(span) = self.obstacle() {
                self.wait(span);
                continue;
            }
            if let Err(error) = poll(&mut polled, TURN) {
                self.log(&format!("poll the listeners: {error}"));
                self.wait(PAUSE);
                continue;
            }
            for (index, listener) in listeners.iter().enumerate() {
                if polled[index].revents != 0
                    && let Obstacle::Wait(span) = self.accept_some(index, listener)
                {
                    self.wait(span);
                }
            }
        }
    }

    fn drain_notices(&mut self) {
        for notice in self.notices.try_iter() {
            self.census.note(notice);
        }
        for limits in self.changes.iter().flat_map(flume::Receiver::try_iter) {
            self.census.set_limits(limits, clock::now());
        }
        let open = u64::try_from(self.census.total()).unwrap_or(u64::MAX);
        self.counters.open.store(open, Ordering::Relaxed);
    }

    /// Sleeps for at most `span` and [`PAUSE`]; a connection that closes ends it early.
    fn wait(&mut self, span: Duration) {
        if let Ok(notice) = self.notices.recv_timeout(span.min(PAUSE)) {
            self.census.note(notice);
        }
    }

    fn obstacle(&mut self) -> Obstacle {
        if self.census.is_full() {
            self.log("max.connections is reached: clients wait until a connection closes");
            return Obstacle::Wait(PAUSE);
        }
        match self.census.accept_delay(clock::now()) {
            Duration::ZERO => Obstacle::Idle,
            delay => Obstacle::Wait(delay),
        }
    }

    fn accept_some(&mut self, index: usize, listener: &Listener) -> Obstacle {
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            if let wait @ Obstacle::Wait(_) = self.obstacle() {
                return wait;
            }
            match listener.socket.accept() {
                Ok((stream, peer)) => {
                    self.census.accepted();
                    match Socket::new(stream) {
                        Ok(socket) => self.admit(socket, peer, index, listener.shard),
                        Err(error) => tracing::debug!(%peer, %error, "lost before it was served"),
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Obstacle::Idle,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.log(&format!("accept on {}: {error}", listener.address));
                        return Obstacle::Wait(PAUSE);
                    }
                },
            }
        }
        Obstacle::Idle
    }

    fn admit(&mut self, socket: Socket, peer: SocketAddr, index: usize, shard: Option<ShardId>) {
        let ip = peer.ip().to_canonical();
        if !self.census.admits(ip) {
            self.refuse(&format!("max.connections.per.ip is reached for {ip}"));
            return;
        }
        let shard = shard.unwrap_or_else(|| self.census.least_loaded());
        self.census.opened(ip, shard);
        let lease = Lease::new(self.notifier.clone(), ip, shard);
        let accepted = Accepted {
            socket: socket.with_lease(lease),
            listener: index,
        };
        match (self.deliver)(shard, accepted) {
            Ok(()) => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
            }
            // Dropping it closes it, and its lease takes it out of the counts.
            Err(_refused) => self.refuse(&format!("the mailbox of shard {shard} is full")),
        }
    }

    fn refuse(&mut self, reason: &str) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.log(reason);
    }

    fn log(&mut self, what: &str) {
        let now = clock::now();
        let is_due = self
            .logged_at
            .is_none_or(|logged_at| now - logged_at >= LOG_INTERVAL);
        if is_due {
            self.logged_at = Some(now);
            tracing::warn!(
                open = self.census.total(),
                "connections are held up: {what}"
            );
        }
    }
}

fn pollfd(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// Waits until one of the descriptors has something to report, or the time is up.
fn poll(polled: &mut [libc::pollfd], span: Duration) -> Result<()> {
    let count = libc::nfds_t::try_from(polled.len()).expect("a few listeners");
    let millis = libc::c_int::try_from(span.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the pointer and the count describe `polled`, which is borrowed exclusively.
    if unsafe { libc::poll(polled.as_mut_ptr(), count, millis) } >= 0 {
        return Ok(());
    }
    match Error::last_os_error() {
        error if error.kind() == ErrorKind::Interrupted => {
            for entry in polled {
                entry.revents = 0;
            }
            Ok(())
        }
        error => Err(error),
    }
}
