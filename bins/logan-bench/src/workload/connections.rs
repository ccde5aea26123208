//! Many connections: opened as fast as it goes, kept, and asked a little, in turn.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{ClientConfig, Connection};
use command_line::Failure;
use hdrhistogram::Histogram;
use protocol::messages::MetadataRequest;

use super::measure::{Measured, threads};
use super::{Context, wall_clock};
use crate::cli::ConnectionsOptions;
use crate::engine::{SideStats, process_cpu};
use crate::progress::Progress;
use crate::results::{ConnectionsReport, Latency};
use crate::watch::Watched;

/// How long the main thread sleeps between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the threads share.
#[derive(Debug, Default)]
struct Progressed {
    open: AtomicU64,
    answered: AtomicU64,
    /// Set when all are open, or one failed.
    may_ask: AtomicBool,
    stop: AtomicBool,
}

/// What a thread leaves.
struct Outcome {
    connections: Vec<Connection>,
    opening: Histogram<u64>,
    asking: Histogram<u64>,
    failure: Option<Failure>,
}

/// `logan-bench connections`.
pub(crate) fn connections(
    options: &ConnectionsOptions,
    context: &Context<'_>,
) -> Result<(), Failure> {
    if options.run.ceiling.is_some() {
        return Err(Failure::usage("--ceiling is for producing", "leave it out"));
    }
    if !(options.throughput > 0.0 && options.throughput.is_finite()) {
        return Err(Failure::usage(
            "the rate of requests must be above 0",
            "use --throughput 100",
        ));
    }
    let mut watched = options.run.pid.map(Watched::new).transpose()?;
    let started_at = wall_clock();
    let total = usize::try_from(options.connections).unwrap_or(usize::MAX);
    let config = context.global.client_config("logan-bench");
    // One first: whether there is a broker at all.
    let address = reachable(&config)?;
    if let Some(watched) = &mut watched {
        watched.begin();
    }
    let count = threads(&options.run, total);
    let shared = Progressed::default();
    let began = Instant::now();
    let mut opened_after = Duration::ZERO;
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let workers: Vec<_> = (0..count)
            .map(|number| {
                let own = total / count + usize::from(number < total % count);
                let (shared, config, address) = (&shared, &config, &address);
                let each = Duration::from_secs_f64(count as f64 / options.throughput);
                let duration = options.run.duration.0;
                scope.spawn(move || work(shared, (config, address), own, each, duration))
            })
            .collect();
        let progress = Progress::new(None);
        while workers.iter().any(|worker| !worker.is_finished()) {
            let open = shared.open.load(Ordering::Relaxed);
            if opened_after.is_zero() && open == total as u64 {
                opened_after = began.elapsed();
                shared.may_ask.store(true, Ordering::Release);
            }
            if context.interrupted.load(Ordering::Relaxed) {
                shared.stop.store(true, Ordering::Relaxed);
            }
            progress.update(
                began.elapsed(),
                open + shared.answered.load(Ordering::Relaxed),
                0,
            );
            thread::sleep(LOOK_AGAIN);
        }
        let results = workers.into_iter().map(|worker| worker.join());
        results
            .map(|result| {
                result.unwrap_or_else(|_panic| {
                    Outcome::failed(Failure::refused(
                        "a worker panicked",
                        "this is a bug of logan-bench",
                    ))
                })
            })
            .collect()
    });
    let seconds = began.elapsed();
    if let Some(watched) = &mut watched {
        watched.end();
    }
    finish(
        options,
        context,
        Summary {
            started_at,
            seconds,
            opened_after,
            outcomes,
            watched,
        },
    )
}

/// What is known at the end.
struct Summary {
    started_at: std::time::SystemTime,
    seconds: Duration,
    opened_after: Duration,
    outcomes: Vec<Outcome>,
    watched: Option<Watched>,
}

fn finish(
    options: &ConnectionsOptions,
    context: &Context<'_>,
    summary: Summary,
) -> Result<(), Failure> {
    let count = summary.outcomes.len();
    let (mut opening, mut asking, mut open, mut failure) = (histogram(), histogram(), 0, None);
    for outcome in summary.outcomes {
        opening.add(&outcome.opening).expect("equal bounds");
        asking.add(&outcome.asking).expect("equal bounds");
        open += outcome.connections.len();
        failure = failure.or(outcome.failure);
    }
    if failure.is_none() && context.interrupted.load(Ordering::Relaxed) {
        failure = Some(Failure::Interrupted);
    }
    let growth = summary.watched.as_ref().and_then(Watched::growth);
    let measured = Measured {
        started_at: summary.started_at,
        seconds: summary.seconds.as_secs_f64(),
        produced: SideStats::new(),
        consumed: SideStats::new(),
        committed: SideStats::new(),
        own_cpu: process_cpu(),
        threads: count,
        watched: summary.watched,
        failure,
    };
    let mut report = context.report("connections", options, &measured);
    report.connections = Some(ConnectionsReport {
        wanted: options.connections,
        open: u32::try_from(open).unwrap_or(u32::MAX),
        seconds_to_open: summary.opened_after.as_secs_f64(),
        open_ms: Latency::new(&opening),
        request_ms: Latency::new(&asking),
        broker_bytes_per_connection: growth
            .map(|bytes| bytes as f64 / f64::from(options.connections)),
    });
    context.finish(&report, &options.run, measured.failure)
}

fn reachable(config: &ClientConfig) -> Result<String, Failure> {
    let mut last = None;
    for address in &config.bootstrap_servers {
        match Connection::open(address, config) {
            Ok(_) => return Ok(address.clone()),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(
        || Failure::usage("no broker is named", "use --bootstrap-server"),
        Failure::Client,
    ))
}

impl Outcome {
    fn failed(failure: Failure) -> Self {
        Self {
            connections: Vec::new(),
            opening: histogram(),
            asking: histogram(),
            failure: Some(failure),
        }
    }
}

/// Opens `own` connections, then asks on one after the other, one request each `each`.
fn work(
    shared: &Progressed,
    (config, address): (&ClientConfig, &str),
    own: usize,
    each: Duration,
    duration: Duration,
) -> Outcome {
    let mut outcome = Outcome {
        connections: Vec::with_capacity(own),
        opening: histogram(),
        asking: histogram(),
        failure: None,
    };
    while outcome.connections.len() < own && !shared.stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        match Connection::open(address, config) {
            Ok(connection) => {
                outcome.opening.saturating_record(micros(began.elapsed()));
                outcome.connections.push(connection);
                shared.open.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                shared.stop.store(true, Ordering::Relaxed);
                outcome.failure = Some(error.into());
            }
        }
    }
    while !shared.may_ask.load(Ordering::Acquire) && !shared.stop.load(Ordering::Relaxed) {
        thread::sleep(LOOK_AGAIN);
    }
    if let Err(failure) = ask(shared, &mut outcome, each, duration) {
        shared.stop.store(true, Ordering::Relaxed);
        outcome.failure = outcome.failure.or(Some(failure));
    }
    outcome
}

fn ask(
    shared: &Progressed,
    outcome: &mut Outcome,
    each: Duration,
    duration: Duration,
) -> Result<(), Failure> {
    let nothing = MetadataRequest {
        topics: Some(Vec::new()),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    let count = outcome.connections.len().max(1);
    let began = Instant::now();
    for number in 0u32.. {
        let due = each * number;
        if due >= duration || shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        while let Some(early) = due
            .checked_sub(began.elapsed())
            .filter(|early| !early.is_zero())
        {
            if shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            thread::sleep(early.min(LOOK_AGAIN));
        }
        let at = usize::try_from(number).unwrap_or(0) % count;
        let Some(connection) = outcome.connections.get_mut(at) else {
            return Ok(());
        };
        connection.call(&nothing)?;
        outcome
            .asking
            .saturating_record(micros(began.elapsed().saturating_sub(due)));
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are right")
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1)
}
