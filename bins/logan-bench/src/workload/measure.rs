//! One run: lanes spread over worker threads, watched by the main thread until they are done.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use command_line::Failure;
use core_affinity::CoreId;

use super::wall_clock;
use crate::cli::{Cores, RunArgs};
use crate::engine::{self, Lane, Shared, SideStats, Window, Worker, WorkerResult, nanos};
use crate::load::Nanos;
use crate::progress::Progress;
use crate::watch::Watched;

/// Between two looks at the broker's memory.
const SAMPLE_EVERY: Nanos = 100_000_000;

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) warmup: Duration,
    /// `None` runs until the lanes are done.
    pub(crate) duration: Option<Duration>,
    /// How often each record is delivered; 0 where nothing is consumed.
    pub(crate) fan_out: u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) started_at: SystemTime,
    pub(crate) seconds: f64,
    pub(crate) produced: SideStats,
    pub(crate) consumed: SideStats,
    pub(crate) committed: SideStats,
    pub(crate) own_cpu: Duration,
    pub(crate) threads: usize,
    pub(crate) watched: Option<Watched>,
    /// Why it ended early.
    pub(crate) failure: Option<Failure>,
}

/// Runs the lanes.
pub(crate) fn measure(
    setup: Setup,
    run: &RunArgs,
    mut watched: Option<Watched>,
    interrupted: &AtomicBool,
) -> Result<Measured, Failure> {
    let started_at = wall_clock();
    let count = |kind: fn(&Lane) -> bool| setup.lanes.iter().filter(|lane| kind(lane)).count();
    let shared = Arc::new(Shared {
        producers_open: AtomicUsize::new(count(|lane| matches!(lane, Lane::Producer(_)))),
        consumers_open: AtomicUsize::new(count(|lane| matches!(lane, Lane::Consumer(_)))),
        fan_out: AtomicU64::new(setup.fan_out),
        ..Shared::default()
    });
    let length = setup.duration.map(|duration| setup.warmup + duration);
    let window = Window {
        epoch: Instant::now(),
        begin: nanos(setup.warmup),
        end: length.map_or(Nanos::MAX, nanos),
    };
    let workers = spread(setup.lanes, run, window, &shared)?;
    let count = workers.len();
    let progress = Progress::new(length);
    let (mut has_begun, mut has_ended, mut sampled) = (false, false, 0);
    let results = engine::run(workers, &shared, |shared| {
        let now = window.now();
        if interrupted.load(Ordering::Relaxed) {
            shared.stop.store(true, Ordering::Relaxed);
        }
        if let Some(watched) = &mut watched {
            if !has_begun && now >= window.begin {
                has_begun = true;
                watched.begin();
            } else if !has_ended && now >= window.end {
                has_ended = true;
                watched.end();
            } else if has_begun && !has_ended && now >= sampled + SAMPLE_EVERY {
                sampled = now;
                watched.sample();
            }
        }
        let (sent, read) = (&shared.acknowledged, &shared.delivered);
        let records = sent
            .load(Ordering::Relaxed)
            .max(read.load(Ordering::Relaxed));
        let bytes = shared.bytes.load(Ordering::Relaxed);
        progress.update(window.epoch.elapsed(), records, bytes);
    })?;
    if let Some(watched) = watched.as_mut().filter(|_| !has_ended) {
        watched.end();
    }
    drop(progress);
    let mut measured = Measured {
        started_at,
        seconds: 0.0,
        produced: SideStats::new(),
        consumed: SideStats::new(),
        committed: SideStats::new(),
        own_cpu: Duration::ZERO,
        threads: count,
        watched,
        failure: None,
    };
    collect(&mut measured, results);
    if measured.failure.is_none() && interrupted.load(Ordering::Relaxed) {
        measured.failure = Some(Failure::Interrupted);
    }
    measured.seconds = seconds(&measured, &window, length.is_some());
    Ok(measured)
}

/// How long the window was open.
fn seconds(measured: &Measured, window: &Window, has_length: bool) -> f64 {
    let is_whole = has_length && measured.failure.is_none();
    let last = measured.produced.last.max(measured.consumed.last);
    let ended_early = is_whole && window.now() < window.end;
    let end = if is_whole && !ended_early {
        window.end
    } else {
        last
    };
    Duration::from_nanos(end.saturating_sub(window.begin)).as_secs_f64()
}

fn collect(measured: &mut Measured, results: Vec<WorkerResult>) {
    for result in results {
        measured.produced.add(&result.produced);
        measured.consumed.add(&result.consumed);
        measured.committed.add(&result.committed);
        measured.own_cpu += result.cpu;
        if measured.failure.is_none() {
            measured.failure = result.failure;
        }
    }
}

/// How many worker threads so many connections get.
pub(crate) fn threads(run: &RunArgs, lanes: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = run.threads.map_or(cores.div_ceil(2), usize::from);
    wanted.min(lanes).max(1)
}

fn spread(
    lanes: Vec<Lane>,
    run: &RunArgs,
    window: Window,
    shared: &Arc<Shared>,
) -> Result<Vec<Worker>, Failure> {
    let count = threads(run, lanes.len());
    let cores = choose_cores(&run.cores)?;
    let mut workers: Vec<Worker> = (0..count)
        .map(|number| Worker {
            lanes: Vec::new(),
            window,
            shared: Arc::clone(shared),
            core: (!cores.is_empty()).then(|| cores[number % cores.len()]),
        })
        .collect();
    for (lane, number) in lanes.into_iter().zip(0..) {
        workers[number % count].lanes.push(lane);
    }
    Ok(workers)
}

fn choose_cores(wanted: &Cores) -> Result<Vec<CoreId>, Failure> {
    let mut there = core_affinity::get_core_ids().unwrap_or_default();
    there.sort_unstable();
    match wanted {
        Cores::None => Ok(Vec::new()),
        Cores::Auto => {
            there.reverse();
            Ok(there)
        }
        Cores::List(list) => list
            .iter()
            .map(|id| {
                let core = there.iter().find(|core| core.id == *id);
                core.copied().ok_or_else(|| {
                    let ids: Vec<String> = there.iter().map(|core| core.id.to_string()).collect();
                    let advice = format!("--cores may name {}", ids.join(", "));
                    Failure::usage(format!("there is no core {id} for this process"), advice)
                })
            })
            .collect(),
    }
}

/// What the system's caches are dropped by.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// Refuses where the system's caches cannot be dropped: better said before a topic is filled.
pub(crate) fn may_drop_caches() -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).open(DROP_CACHES);
    opened.map(drop).map_err(|error| {
        let advice = "run as root, or leave out --drop-caches";
        Failure::usage(
            format!("the system's caches cannot be dropped: {DROP_CACHES}: {error}"),
            advice,
        )
    })
}

/// Drops what the system has cached of files.
pub(crate) fn drop_caches() -> Result<(), Failure> {
    rustix::fs::sync();
    let failed = Failure::file("drop the system's caches by", Path::new(DROP_CACHES));
    std::fs::write(DROP_CACHES, "3").map_err(failed)
}
