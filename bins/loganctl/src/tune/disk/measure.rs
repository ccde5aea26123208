//! Everything that is measured, in steps of a bounded time, on one shard.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use io::{Instant, Io as _, Sender as _};
use runtime::{GlommioIo, Sender};
use serde::Serialize;

use super::choose::{Size, WINDOW_US, WRITE_BYTES, Window, median};
use super::files::{Direction, Extent};
use super::load::{self, Settings};

/// The largest writes that are compared.
const SIZES: [usize; 3] = [64 << 10, WRITE_BYTES, 1 << 20];

/// The windows that are compared, in microseconds.
const WINDOWS: [u64; 4] = [0, WINDOW_US, 1000, 2000];

/// Operations in flight.
const DEPTHS: [usize; 3] = [1, 8, 32];

/// How often each comparison is made; its candidates take turns.
const ROUNDS: usize = 3;

/// Steps that the bar shows.
pub(super) const STEPS: u64 = 1 + 3 * 3 + 2 * 3 + 3 + 2 * 4 * 3;

/// The parts of the time that steps get; those of all steps together make the whole.
const PREPARATION: u32 = 3;
const COMMITS: u32 = 1;
const OPERATIONS: u32 = 1;
const SYNCS: u32 = 1;
const LOADS: u32 = 2;
const ALL: u32 = PREPARATION + 9 * COMMITS + 6 * OPERATIONS + 3 * SYNCS + 24 * LOADS;

/// The load at which latency is measured, as a part of what the disk can do.
const LOAD_DIVISOR: f64 = 2.0;

/// What the shard begins with.
pub(super) struct Seed {
    /// Where files may be made.
    pub(super) scratch: PathBuf,
    /// For everything.
    pub(super) duration: Duration,
    /// Set when nobody wants to know any more.
    pub(super) is_over: Arc<AtomicBool>,
    pub(super) news: Sender<News>,
}

/// What the shard tells.
pub(super) enum News {
    /// So many of [`STEPS`].
    Done(u64),
    /// The last word.
    Found(Result<Measured, String>),
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    /// A commit of 1 MiB at a time, each in writes of a size, and its sync.
    pub(super) commits: Vec<Size>,
    /// 4 KiB anywhere.
    pub(super) operations: Vec<Operations>,
    /// 4 KiB to each of several files, and their syncs together.
    pub(super) syncs: Vec<Syncs>,
    /// Two logs as a broker has them.
    pub(super) loads: Vec<Window>,
    /// The load at which latency was measured.
    pub(super) load_mb_per_second: f64,
}

/// Operations of 4 KiB in a second, at a depth.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Operations {
    pub(super) direction: Direction,
    pub(super) depth: usize,
    pub(super) per_second: f64,
}

/// How long it takes until as many files are durable.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Syncs {
    pub(super) files: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Counts steps and keeps the time.
struct Steps<'a> {
    io: &'a GlommioIo,
    seed: &'a Seed,
    done: u64,
}

impl Steps<'_> {
    /// The end of a step that begins now.
    fn deadline(&self, part: u32) -> Instant {
        self.io.now() + self.span(part)
    }

    fn span(&self, part: u32) -> Duration {
        self.seed.duration / ALL * part
    }

    /// Notes the end of a step.
    fn end(&mut self) -> Result<(), String> {
        self.done += 1;
        // A bar that misses a step is no loss.
        let _ignored = self.seed.news.try_send(News::Done(self.done));
        match self.seed.is_over.load(Ordering::Relaxed) {
            true => Err("interrupted".to_owned()),
            false => Ok(()),
        }
    }
}

/// Measures the disk of the seed's directory.
///
/// # Errors
/// What the system says, in words.
pub(super) async fn measure(io: &GlommioIo, seed: Seed) -> Result<Measured, String> {
    let said = |error: std::io::Error| error.to_string();
    // As a broker does it, and for the same reason.
    io.prepare_data_directory(&seed.scratch)
        .await
        .map_err(said)?;
    let mut steps = Steps {
        io,
        seed: &seed,
        done: 0,
    };
    let path = seed.scratch.join("extent");
    let extent = Extent::make(io, &path, steps.deadline(PREPARATION))
        .await
        .map_err(said)?;
    steps.end()?;
    let commits = commits(&mut steps, &extent).await?;
    let operations = operations(&mut steps, &extent).await?;
    extent.remove(io).await.map_err(said)?;
    let syncs = syncs(&mut steps).await?;
    let best = commits.iter().map(|size| median(&size.mb_per_second));
    let rate = best.fold(0.0, f64::max) / LOAD_DIVISOR;
    let rate = rate.min(load::rate_max(steps.span(LOADS)));
    let loads = loads(&mut steps, rate).await?;
    Ok(Measured {
        commits,
        operations,
        syncs,
        loads,
        load_mb_per_second: rate,
    })
}

async fn commits(steps: &mut Steps<'_>, extent: &Extent<GlommioIo>) -> Result<Vec<Size>, String> {
    let empty = |write_bytes| Size {
        write_bytes,
        mb_per_second: Vec::new(),
    };
    let mut found = SIZES.map(empty);
    for _ in 0..ROUNDS {
        for size in &mut found {
            let deadline = steps.deadline(COMMITS);
            let speed = extent.commits(steps.io, size.write_bytes, deadline).await;
            let speed = speed.map_err(|error| error.to_string())?;
            size.mb_per_second.push(speed);
            steps.end()?;
        }
    }
    Ok(found.to_vec())
}

async fn operations(
    steps: &mut Steps<'_>,
    extent: &Extent<GlommioIo>,
) -> Result<Vec<Operations>, String> {
    let mut found = Vec::new();
    for direction in [Direction::Write, Direction::Read] {
        for depth in DEPTHS {
            let deadline = steps.deadline(OPERATIONS);
            let per_second = extent
                .operations(steps.io, direction, depth, deadline)
                .await;
            found.push(Operations {
                direction,
                depth,
                per_second: per_second.map_err(|error| error.to_string())?,
            });
            steps.end()?;
        }
    }
    Ok(found)
}

async fn syncs(steps: &mut Steps<'_>) -> Result<Vec<Syncs>, String> {
    let mut found = Vec::new();
    for files in DEPTHS {
        let deadline = steps.deadline(SYNCS);
        let took = super::files::syncs(steps.io, &steps.seed.scratch, files, deadline).await;
        let took = took.map_err(|error| error.to_string())?;
        found.push(Syncs {
            files,
            p50_ms: percentile(&took, 50),
            p99_ms: percentile(&took, 99),
        });
        steps.end()?;
    }
    Ok(found)
}

async fn loads(steps: &mut Steps<'_>, mb_per_second: f64) -> Result<Vec<Window>, String> {
    let empty = |window_us| Window {
        window_us,
        p50_ms: Vec::new(),
        p99_ms: Vec::new(),
        mb_per_second: Vec::new(),
    };
    let mut found = WINDOWS.map(empty);
    for _ in 0..ROUNDS {
        for window in &mut found {
            for rate in [Some(mb_per_second), None] {
                let settings = Settings {
                    directory: steps.seed.scratch.join("logs"),
                    window: Duration::from_micros(window.window_us),
                    mb_per_second: rate,
                    span: steps.span(LOADS),
                };
                let outcome = load::run(steps.io, &settings).await?;
                if rate.is_some() {
                    window.p50_ms.push(percentile(&outcome.latencies, 50));
                    window.p99_ms.push(percentile(&outcome.latencies, 99));
                } else {
                    window.mb_per_second.push(outcome.mb_per_second);
                }
                steps.end()?;
            }
        }
    }
    Ok(found.to_vec())
}

/// What so many of a hundred are not above, in milliseconds; 0 of none.
fn percentile(spans: &[Duration], of_hundred: usize) -> f64 {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |span| span.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_counted() {
        let steps = 1 + SIZES.len() * ROUNDS + 2 * DEPTHS.len() + DEPTHS.len();
        let loads = 2 * WINDOWS.len() * ROUNDS;
        assert_eq!(u64::try_from(steps + loads).expect("few"), STEPS);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let spans: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert!((percentile(&spans, 50) - 51.0).abs() < 1e-9);
        assert!((percentile(&spans, 99) - 100.0).abs() < 1e-9);
        assert!(percentile(&[], 99).abs() < f64::EPSILON);
    }
}
