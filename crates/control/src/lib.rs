//! The control thread: HTTP beside the shards. So far it serves `GET /metrics` in OpenMetrics' text format, which
//! Prometheus scrapes.
//!
//! It runs on a thread of its own with a runtime of its own, and shares nothing with the shards: it asks each of them for its
//! numbers when somebody asks it, and tells of one that does not answer.
//!
//! # Invariants
//! - At most [`CONNECTIONS_MAX`] connections are open, none for longer than [`CONNECTION_TIME_MAX`]; more wait in the
//!   kernel's queue, which is bounded, too.
//! - A shard that hangs holds an answer up for [`ANSWER_TIME_MAX`] and hides no other.
//!
//! Deliberately absent: authentication and TLS. Who may connect to the listener may read the metrics.

mod listener;
mod text;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::oneshot;
use types::{Metric, Sample};

use listener::BoundedListener;

/// Connections that are open at the same time.
pub const CONNECTIONS_MAX: usize = 8;

/// How long a connection may be open.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// How long the shards may take to answer.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Whether a shard has answered in time.
static SHARD_UP: Metric = Metric::gauge(
    "logan_shard_up",
    "1 if the shard has told its numbers in time, else 0; its other metrics are missing then.",
);

/// Why the control thread cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket or the thread.
    #[error("{act}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl ControlError {
    fn io(act: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { act, source }
    }
}

/// What a shard answers; `None` when it has ended.
pub type Answer = Pin<Box<dyn Future<Output = Option<Vec<Sample>>> + Send>>;

/// Somebody who has numbers to tell, such as a shard. It is asked on the control thread.
pub trait Source: Send + Sync + 'static {
    /// The number of the shard.
    fn shard(&self) -> u16;

    /// Asks for the values of this moment, without waiting; the answer is awaited for [`ANSWER_TIME_MAX`].
    fn ask(&self) -> Answer;
}

/// The control thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Begins to serve on a socket that listens.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn start(
        listener: TcpListener,
        sources: Vec<Box<dyn Source>>,
    ) -> Result<Self, ControlError> {
        let address = listener
            .local_addr()
            .map_err(ControlError::io("read the address of the metrics listener"))?;
        listener
            .set_nonblocking(true)
            .map_err(ControlError::io("prepare the metrics listener"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ControlError::io("start the control thread's runtime"))?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve(listener, sources, stopped)) {
                    tracing::error!(%error, "metrics are not served any more");
                }
            })
            .map_err(ControlError::io("start the control thread"))?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may have ended already.
        let _told = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread has panicked");
        }
    }
}

/// Serves until it is told to stop; connections that are open then are dropped.
async fn serve(
    listener: TcpListener,
    sources: Vec<Box<dyn Source>>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = BoundedListener::new(tokio::net::TcpListener::from_std(listener)?);
    let sources: Arc<[Box<dyn Source>]> = sources.into();
    let app = Router::new().route("/metrics", get(move || metrics(Arc::clone(&sources))));
    tokio::select! {
        served = axum::serve(listener, app) => served,
        _ = stopped => Ok(()),
    }
}

async fn metrics(sources: Arc<[Box<dyn Source>]>) -> impl IntoResponse {
    let text = text::encode(collect(&sources).await);
    ([(CONTENT_TYPE, text::CONTENT_TYPE)], text)
}

/// Asks all at once, then awaits one after the other, all within the same time.
async fn collect(sources: &[Box<dyn Source>]) -> Vec<Sample> {
    let deadline = tokio::time::Instant::now() + ANSWER_TIME_MAX;
    let asked: Vec<_> = sources.iter().map(|it| (it.shard(), it.ask())).collect();
    let mut samples = Vec::new();
    for (shard, answer) in asked {
        let answer = tokio::time::timeout_at(deadline, answer).await;
        let answer = answer.ok().flatten();
        let of_shard = |sample: Sample| sample.with("shard", shard.to_string());
        samples.push(of_shard(SHARD_UP.is(u64::from(answer.is_some()))));
        samples.extend(answer.unwrap_or_default().into_iter().map(of_shard));
    }
    samples
}
