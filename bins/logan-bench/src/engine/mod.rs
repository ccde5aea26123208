//! The load: worker threads, each with an event loop over its share of the connections.
//!
//! A lane is one connection with what is done on it: producing to some partitions, fetching from some, or being a member of
//! a group. A worker owns its
//! lanes, its histograms and its counters; what workers share are a few atomics that tell the main thread how far they
//! are. Sockets do not block; a worker sleeps in `epoll` until a socket is ready or a record is due.
//!
//! # Invariants
//! - In an open loop a record's latency counts from the time at which it was due by the plan, however late it was sent.
//! - Nothing is counted that was due, or answered, outside of the window.
//! - The first failure ends all workers; what was measured until then is kept.
//!
//! It deliberately tries nothing again: a benchmark that hides a refused request has measured something else.

mod consumer;
mod link;
mod member;
mod producer;
mod session;
mod stats;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use command_line::Failure;

use crate::load::Nanos;

pub(crate) use consumer::{ConsumerLane, FetchOptions, Reading};
pub(crate) use link::Link;
pub(crate) use member::{Member, MemberLane};
pub(crate) use producer::{Identity, Pacing, ProducerLane, ProducerOptions};
pub(crate) use stats::SideStats;
pub(crate) use worker::{Lane, Worker, WorkerResult, process_cpu};

/// How long answers are waited for behind the end of the window.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(10);

/// A partition, and where it lives.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) topic: protocol::Str,
    pub(crate) id: types::Uuid,
    pub(crate) partition: i32,
    /// Its number among all partitions of the topic, for what is ready-made by partition.
    pub(crate) group: usize,
}

/// The times of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// When the run begins: every [`Nanos`] counts from there.
    pub(crate) epoch: Instant,
    /// What is due or answered from here on is counted.
    pub(crate) begin: Nanos,
    /// ... and before here.
    pub(crate) end: Nanos,
}

/// What workers tell each other and the main thread.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// End now, and keep what there is.
    pub(crate) stop: AtomicBool,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Producers that may still send.
    pub(crate) producers_open: AtomicUsize,
    /// Consumers that still read.
    pub(crate) consumers_open: AtomicUsize,
    /// Times that each record is delivered.
    pub(crate) fan_out: AtomicU64,
}

impl Window {
    pub(crate) fn now(&self) -> Nanos {
        nanos(self.epoch.elapsed())
    }

    pub(crate) fn holds(&self, time: Nanos) -> bool {
        (self.begin..self.end).contains(&time)
    }
}

impl Shared {
    /// Whether every record that was acknowledged has been delivered as often as it should be.
    pub(crate) fn is_delivered(&self) -> bool {
        let wanted =
            self.acknowledged.load(Ordering::Relaxed) * self.fan_out.load(Ordering::Relaxed);
        self.producers_open.load(Ordering::Acquire) == 0
            && self.delivered.load(Ordering::Relaxed) >= wanted
    }
}

/// A span in nanoseconds; those beyond 500 years are cut.
pub(crate) fn nanos(span: Duration) -> Nanos {
    Nanos::try_from(span.as_nanos()).unwrap_or(Nanos::MAX)
}

/// Runs workers on threads of their own until all have ended. `watch` is called now and then with how far they are.
pub(crate) fn run(
    workers: Vec<Worker>,
    shared: &Arc<Shared>,
    mut watch: impl FnMut(&Shared),
) -> Result<Vec<WorkerResult>, Failure> {
    const LOOK_AGAIN: Duration = Duration::from_millis(20);
    let mut threads = Vec::with_capacity(workers.len());
    for (worker, number) in workers.into_iter().zip(0..) {
        let builder = std::thread::Builder::new().name(format!("bench-{number}"));
        let thread = builder.spawn(move || worker.run());
        threads.push(thread.map_err(Failure::local("start a thread"))?);
    }
    while threads.iter().any(|thread| !thread.is_finished()) {
        watch(shared);
        std::thread::sleep(LOOK_AGAIN);
    }
    watch(shared);
    let results = threads.into_iter().map(|thread| {
        thread
            .join()
            .map_err(|_panic| Failure::refused("a worker panicked", "this is a bug of logan-bench"))
    });
    results.collect()
}
