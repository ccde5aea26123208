//! A listener whose connections are few and end in time, whatever the other side does.
//!
//! Lives on the control thread. A connection is closed when it is too old, when no byte has gone either way for a while, and
//! when there is no room for the next one: then it is the turn of the one that has been silent for longest. So whoever asks
//! at once is answered at once, however many others sit there and say nothing, or do not read.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::{CONNECTION_SILENCE_MAX, CONNECTION_TIME_MAX, CONNECTIONS_MAX};

/// The pause after a connection could not be accepted, most likely because too many files are open.
const PAUSE: Duration = Duration::from_millis(200);

/// The log tells of closed connections at most this often.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Accepts, and makes room if need be.
#[derive(Debug)]
pub(crate) struct BoundedListener {
    listener: TcpListener,
    room: Arc<Semaphore>,
    places: Places,
    warned: Option<Instant>,
}

impl BoundedListener {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            room: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            places: Places::default(),
            warned: None,
        }
    }

    /// A place for a connection. A silent one may have to give its own up; it does so as soon as it is polled.
    async fn place(&mut self) -> OwnedSemaphorePermit {
        if self.room.available_permits() == 0 && self.places.evict() {
            let is_due = self
                .warned
                .is_none_or(|at| at.elapsed() >= WARNING_INTERVAL);
            if is_due {
                self.warned = Some(Instant::now());
                tracing::warn!(
                    "{CONNECTIONS_MAX} connections are open to a metrics or admin listener; the one that is silent for longest is closed for the next"
                );
            }
        }
        let permit = Arc::clone(&self.room).acquire_owned();
        permit.await.expect("the semaphore is never closed")
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let permit = self.place().await;
                    return (BoundedStream::new(stream, &self.places, permit), address);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to a metrics or admin listener is not accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The connections that are open, the one that has been silent for longest first.
#[derive(Clone, Debug, Default)]
struct Places(Arc<Mutex<Seats>>);

#[derive(Debug, Default)]
struct Seats {
    next_id: u64,
    /// Never longer than there are connections.
    by_silence: VecDeque<(u64, oneshot::Sender<()>)>,
}

impl Places {
    fn with<T>(&self, change: impl FnOnce(&mut Seats) -> T) -> T {
        // Nothing that is done under it panics half way.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a connection; the receiver hears when it has to end.
    fn add(&self) -> (u64, oneshot::Receiver<()>) {
        let (evict, evicted) = oneshot::channel();
        let id = self.with(|seats| {
            seats.next_id += 1;
            seats.by_silence.push_back((seats.next_id, evict));
            seats.next_id
        });
        (id, evicted)
    }

    /// A byte has gone, one way or the other.
    fn touch(&self, id: u64) {
        self.with(|seats| {
            let position = seats.by_silence.iter().position(|(it, _)| *it == id);
            if let Some(place) = position.and_then(|at| seats.by_silence.remove(at)) {
                seats.by_silence.push_back(place);
            }
        });
    }

    fn remove(&self, id: u64) {
        self.with(|seats| seats.by_silence.retain(|(it, _)| *it != id));
    }

    /// Tells the most silent one to end; `false` if all that are open were told already.
    fn evict(&self) -> bool {
        let most_silent = self.with(|seats| seats.by_silence.pop_front());
        most_silent.is_some_and(|(_, evict)| evict.send(()).is_ok())
    }
}

/// A connection that fails when its time is over, or its place is needed.
#[derive(Debug)]
pub(crate) struct BoundedStream {
    stream: TcpStream,
    id: u64,
    places: Places,
    evicted: oneshot::Receiver<()>,
    end: Instant,
    deadline: Pin<Box<Sleep>>,
    /// Once it is, it stays so: neither may be asked again what it has said.
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl BoundedStream {
    fn new(stream: TcpStream, places: &Places, permit: OwnedSemaphorePermit) -> Self {
        let (id, evicted) = places.add();
        let now = Instant::now();
        Self {
            stream,
            id,
            places: places.clone(),
            evicted,
            end: now + CONNECTION_TIME_MAX,
            deadline: Box::pin(sleep_until(now + CONNECTION_SILENCE_MAX)),
            is_over: false,
            _permit: permit,
        }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.is_over = self.is_over
            || self.deadline.as_mut().poll(context).is_ready()
            || Pin::new(&mut self.evicted).poll(context).is_ready();
        if self.is_over {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn has_moved(&mut self) {
        let silent = Instant::now() + CONNECTION_SILENCE_MAX;
        self.deadline.as_mut().reset(silent.min(self.end));
        self.places.touch(self.id);
    }
}

impl Drop for BoundedStream {
    fn drop(&mut self) {
        self.places.remove(self.id);
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.has_moved();
        }
        polled
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.has_moved();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_connection_that_had_to_end_fails_however_often_it_is_asked() {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await;
            let mut listener = BoundedListener::new(listener.expect("a free port"));
            let address = listener.local_addr().expect("it is bound");
            let _client = TcpStream::connect(address).await.expect("it accepts");
            let (mut stream, _) = listener.accept().await;
            assert!(listener.places.evict());
            for _ in 0..2 {
                let flushed = poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await;
                let error = flushed.expect_err("it had to end");
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            }
        });
    }
}
