//! The control thread: HTTP beside the shards.
//!
//! Two listeners, each there if it is configured: one for machines, with the metrics in Prometheus' formats and the health
//! of the broker; and one for administrators, with a status page and a JSON API besides.
//!
//! It runs on a thread of its own with a runtime of its own, and shares nothing with the shards: it asks each of them for its
//! numbers when somebody asks it, and tells of one that does not answer.
//!
//! # Invariants
//! - At most [`CONNECTIONS_MAX`] connections of a listener are open, none for longer than [`CONNECTION_TIME_MAX`], or without
//!   a byte for [`CONNECTION_SILENCE_MAX`]. For one more the one ends that has been silent for longest.
//! - A shard that hangs holds an answer up for [`ANSWER_TIME_MAX`] and hides no other.
//! - A browser gets nothing for a page of another site, and changes nothing without a token: [`Access`].
//!
//! Deliberately absent: TLS, and users. Who may connect to a listener may read what it tells.

mod api;
mod collect;
mod guard;
mod http;
mod listener;
mod moments;
mod otlp;
mod page;
mod recorder;
mod series;
mod text;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use types::{Sample, Series, Snapshot};

pub use guard::{Access, TOKEN_LEN_MIN};
use http::{Inner, Shared};
use listener::BoundedListener;
use moments::Moments;
pub use otlp::{OtlpCounts, OtlpExporter, OtlpSettings, REQUEST_TIME_MAX, SpanSource};

/// Connections of a listener that are open at the same time.
pub const CONNECTIONS_MAX: usize = 16;

/// How long a connection may be open.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// How long a connection may be open without a byte in either direction; longer than an answer takes.
pub const CONNECTION_SILENCE_MAX: Duration = Duration::from_secs(20);

/// How long the shards may take to answer.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

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
pub type Answer = Pin<Box<dyn Future<Output = Option<Snapshot>> + Send>>;

/// A shard, which has numbers to tell. It is asked on the control thread.
pub trait Source: Send + Sync + 'static {
    /// The number of the shard.
    fn shard(&self) -> u16;

    /// Asks for the values of this moment, without waiting; the answer is awaited for [`ANSWER_TIME_MAX`].
    fn ask(&self, series: Series) -> Answer;
}

/// Where the broker stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Logs are being recovered; no connections are taken.
    Starting,
    /// It serves.
    Ready,
    /// It answers what is under way, and closes its logs.
    Stopping,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
        }
    }
}

/// What does not change while the process runs, but for the time.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Logan's version.
    pub version: &'static str,
    /// `node.id`.
    pub node_id: i32,
    /// The id of the cluster.
    pub cluster_id: String,
    /// How long the process has run.
    pub uptime: Duration,
}

/// How late a shard answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delay {
    /// 99 % of its answers came within this time.
    pub p99: Duration,
    /// The longest time.
    pub max: Duration,
    /// Times of 100 ms or more.
    pub stalls: u64,
}

/// The process around the shards. It is asked on the control thread, and must not wait but where
/// it says so.
pub trait Process: Send + Sync + 'static {
    /// Metrics of the process, and of what watches the shards.
    fn samples(&self) -> Vec<Sample>;

    /// Where it stands.
    fn phase(&self) -> Phase;

    /// What it is.
    fn facts(&self) -> Facts;

    /// How late the shards answer, by shard.
    fn delays(&self) -> Vec<Delay>;

    /// How long each shard has left the watchdog without an answer, by shard.
    fn unanswered(&self) -> Vec<Duration>;

    /// The last events that the flight recorder has, of one shard or of all, at most so many, newest last: JSON objects.
    ///
    /// # Errors
    /// Why there are none.
    fn recorded(&self, shard: Option<u16>, last: usize) -> Result<Vec<Value>, String> {
        let _of_nobody = (shard, last);
        Err("nothing is recorded".to_owned())
    }

    /// Writes all that the flight recorder has to a file, whose path it returns. It may wait for the disk.
    ///
    /// # Errors
    /// Why it cannot.
    fn dump_recorded(&self) -> Result<String, String> {
        Err("nothing is recorded".to_owned())
    }

    /// Which log lines are written: levels by module.
    fn log_filter(&self) -> String;

    /// Has other log lines written.
    ///
    /// # Errors
    /// What is wrong with the filter.
    fn set_log_filter(&self, filter: &str) -> Result<(), String>;
}

/// What the control thread serves, and where.
pub struct Setup {
    /// The shards.
    pub sources: Vec<Box<dyn Source>>,
    /// The process.
    pub process: Arc<dyn Process>,
    /// What the metrics document has of what there is much of.
    pub series: Series,
    /// Sockets that listen: where metrics and health are served, ...
    pub metrics: Option<TcpListener>,
    /// ... and where everything is.
    pub admin: Option<TcpListener>,
    /// Who may ask the latter for what.
    pub access: Access,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("metrics", &self.metrics)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

/// The control thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Control {
    metrics: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Begins to serve.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn start(setup: Setup) -> Result<Self, ControlError> {
        let address = |listener: &Option<TcpListener>| {
            let listener = listener.as_ref();
            let address = listener.map(TcpListener::local_addr).transpose();
            address.map_err(ControlError::io("read the address of a listener"))
        };
        let (metrics, admin) = (address(&setup.metrics)?, address(&setup.admin)?);
        for listener in setup.metrics.iter().chain(&setup.admin) {
            listener
                .set_nonblocking(true)
                .map_err(ControlError::io("prepare a listener"))?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(ControlError::io("start the control thread's runtime"))?;
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || runtime.block_on(serve_all(setup, stopped)))
            .map_err(ControlError::io("start the control thread"))?;
        Ok(Self {
            metrics,
            admin,
            stop,
            thread: Some(thread),
        })
    }

    /// Where metrics and health are served.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Where everything is.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread has panicked");
        }
    }
}

async fn serve_all(setup: Setup, stopped: watch::Receiver<bool>) {
    let shared = Shared::new(Inner {
        sources: setup.sources,
        process: setup.process,
        series: setup.series,
        access: setup.access,
        moments: Mutex::new(Moments::default()),
        documents: Default::default(),
    });
    let address = setup.metrics.as_ref().map(TcpListener::local_addr);
    let is_metrics_loopback = address.is_some_and(|it| it.is_ok_and(|it| it.ip().is_loopback()));
    let listeners = [
        (
            "metrics",
            setup.metrics,
            http::metrics_routes(shared.clone(), is_metrics_loopback),
        ),
        ("admin", setup.admin, http::admin_routes(shared)),
    ];
    let mut serving = JoinSet::new();
    for (name, listener, routes) in listeners {
        if let Some(listener) = listener {
            let stopped = stopped.clone();
            serving.spawn(async move {
                if let Err(error) = serve(listener, routes, stopped).await {
                    tracing::error!(%error, "the {name} listener is not served any more");
                }
            });
        }
    }
    while serving.join_next().await.is_some() {}
}

/// Serves until it is told to stop; connections that are open then are dropped.
async fn serve(
    listener: TcpListener,
    routes: Router,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = BoundedListener::new(tokio::net::TcpListener::from_std(listener)?);
    tokio::select! {
        served = axum::serve(listener, routes) => served,
        _ = stopped.wait_for(|is_stopped| *is_stopped) => Ok(()),
    }
}
