//! Exports spans of requests to a collector, as OTLP over HTTP in protobuf.
//!
//! A thread of its own takes spans from a bounded queue and posts them in batches. A collector that is gone or slow keeps this
//! thread waiting and nobody else: the queue fills, and who finds it full drops its span and counts that.
//!
//! # Invariants
//! - One request is under way at a time, for [`REQUEST_TIME_MAX`] at most; a batch is tried [`TRIES_MAX`] times.
//! - While a collector fails, the log has a line about it at once, then one each [`LOG_INTERVAL`].
//!
//! Deliberately absent: TLS, authentication and gRPC, for which a collector on the same machine is the place.
//! Source: OTLP specification 1.x, "OTLP/HTTP".

mod encode;
mod messages;

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};

use prost::Message as _;
use types::{Metric, RequestSpan, Sample};

use messages::ExportResponse;

/// Spans of one request.
const BATCH_MAX: usize = 512;
/// How long spans wait for others to go with them.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// How long a request may take.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the last one may take when the broker ends.
const LAST_TIME_MAX: Duration = Duration::from_secs(2);
/// How long the end waits for the thread, which a request may keep that has begun before.
const END_WAIT: Duration = Duration::from_secs(3);
/// How often a batch is tried.
const TRIES_MAX: u32 = 4;
/// The pause after the first failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// A collector may ask for a longer one, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// While it fails the log says so this often.
const LOG_INTERVAL: Duration = Duration::from_secs(60);
/// How much of an answer is read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Where spans go below an address without a path.
const DEFAULT_PATH: &str = "/v1/traces";

static EXPORTED: Metric = Metric::counter(
    "logan_otlp_spans_exported",
    "Spans that the collector has taken.",
);
static DROPPED: Metric = Metric::counter(
    "logan_otlp_spans_dropped",
    "Spans that were given up, by reason: the collector failed, or rejected them.",
);
static FAILURES: Metric = Metric::counter(
    "logan_otlp_requests_failed",
    "Requests to the collector that failed.",
);

/// Where spans go, and who sends them.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// `http://host:port`, perhaps with a path.
    pub endpoint: String,
    /// Logan's version.
    pub version: &'static str,
    /// What tells this process from others.
    pub instance: String,
    /// The monotonic clock that spans are timed by, in nanoseconds.
    pub monotonic_nanos: fn() -> u64,
}

/// Where spans come from.
pub trait SpanSource: Send + 'static {
    /// The next span; `None` when there is none within this time.
    fn next(&mut self, wait: Duration) -> Option<RequestSpan>;
}

/// What has become of spans.
#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    failures: AtomicU64,
}

/// Reads what has become of spans, from any thread.
#[derive(Clone, Debug)]
pub struct OtlpCounts(Arc<Counts>);

impl OtlpCounts {
    /// The values of this moment.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let counts = &self.0;
        let value = |it: &AtomicU64| it.load(Ordering::Relaxed);
        vec![
            EXPORTED.is(value(&counts.exported)),
            DROPPED.is(value(&counts.failed)).with("reason", "failed"),
            DROPPED
                .is(value(&counts.rejected))
                .with("reason", "rejected"),
            FAILURES.is(value(&counts.failures)),
        ]
    }
}

/// The running exporter. When it is dropped it sends what it has, if the collector takes it soon, and ends.
#[derive(Debug)]
pub struct OtlpExporter {
    stop: Arc<AtomicBool>,
    counts: OtlpCounts,
    thread: Thread,
    /// Closed when the thread has ended.
    ended: mpsc::Receiver<()>,
}

impl OtlpExporter {
    /// Starts it.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(settings: OtlpSettings, source: impl SpanSource) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::<Counts>::default();
        let worker = Worker {
            url: url_of(&settings.endpoint),
            agent: agent(&settings),
            settings,
            source,
            stop: Arc::clone(&stop),
            counts: Arc::clone(&counts),
            failing: None,
        };
        let (running, ended) = mpsc::channel();
        let thread = thread::Builder::new().name("otlp".to_owned());
        let thread = thread.spawn(move || {
            let _running: mpsc::Sender<()> = running;
            worker.run();
        })?;
        Ok(Self {
            thread: thread.thread().clone(),
            stop,
            counts: OtlpCounts(counts),
            ended,
        })
    }

    /// What has become of spans.
    #[must_use]
    pub fn counts(&self) -> OtlpCounts {
        self.counts.clone()
    }
}

impl Drop for OtlpExporter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
        if self.ended.recv_timeout(END_WAIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the collector keeps the last spans waiting: they are given up");
        }
    }
}

/// The address with the path that OTLP has for traces, where none is given.
fn url_of(endpoint: &str) -> String {
    let rest = endpoint.strip_prefix("http://").unwrap_or(endpoint);
    match rest.split_once('/') {
        Some((_, path)) if !path.is_empty() => endpoint.to_owned(),
        _ => format!("{}{DEFAULT_PATH}", endpoint.trim_end_matches('/')),
    }
}

fn agent(settings: &OtlpSettings) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(format!("logan/{}", settings.version))
        .build();
    config.into()
}

/// What has come of a request.
enum Outcome {
    Taken,
    /// It may go well later, perhaps after the time that the collector asks for.
    Later(String, Option<Duration>),
    /// It will not.
    Never(String),
}

/// A collector that fails.
struct Failing {
    logged_at: Instant,
    /// Spans that were given up since.
    lost: u64,
}

struct Worker<S> {
    url: String,
    agent: ureq::Agent,
    settings: OtlpSettings,
    source: S,
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    failing: Option<Failing>,
}

impl<S: SpanSource> Worker<S> {
    fn run(mut self) {
        loop {
            let is_last = self.is_stopped();
            let batch = self.gather(if is_last { Duration::ZERO } else { BATCH_WAIT });
            if batch.is_empty() && is_last {
                return;
            }
            // Whoever waits for the end does not wait for a collector that fails.
            if !batch.is_empty() && !self.export(&batch) && is_last {
                return;
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Waits for spans.
    fn gather(&mut self, wait: Duration) -> Vec<RequestSpan> {
        let deadline = Instant::now() + wait;
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.source.next(left) {
                Some(span) => batch.push(span),
                None => break,
            }
        }
        batch
    }

    /// Sends a batch, or gives it up. Returns whether it was taken.
    fn export(&mut self, batch: &[RequestSpan]) -> bool {
        let count = batch.len() as u64;
        let body = encode::encode(&self.settings, self.wall_offset_nanos(), batch);
        for tried in 1.. {
            let (problem, pause) = match self.post(&body) {
                Outcome::Taken => {
                    self.succeeded(count);
                    return true;
                }
                Outcome::Never(problem) => (problem, None),
                Outcome::Later(problem, asked) => {
                    let own = PAUSE.saturating_mul(1 << tried.min(8));
                    (problem, Some(asked.unwrap_or(own).min(PAUSE_MAX)))
                }
            };
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            let again = pause.filter(|_| tried < TRIES_MAX && !self.is_stopped());
            self.failed(&problem, if again.is_some() { 0 } else { count });
            match again {
                // Ends early when the exporter is dropped.
                Some(pause) => thread::park_timeout(pause),
                None => break,
            }
        }
        self.counts.failed.fetch_add(count, Ordering::Relaxed);
        false
    }

    /// The time since 1970 at the zero of the monotonic clock.
    fn wall_offset_nanos(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let wall = since.unwrap_or_default().as_nanos();
        let wall = u64::try_from(wall).unwrap_or(u64::MAX);
        wall.saturating_sub((self.settings.monotonic_nanos)())
    }

    fn post(&self, body: &[u8]) -> Outcome {
        let time_max = if self.is_stopped() {
            LAST_TIME_MAX
        } else {
            REQUEST_TIME_MAX
        };
        let request = self.agent.post(&self.url);
        let request = request.config().timeout_global(Some(time_max)).build();
        let request = request.header("Content-Type", "application/x-protobuf");
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) => return Outcome::Later(error.to_string(), None),
        };
        let status = response.status().as_u16();
        if status == 200 {
            let mut answer = Vec::new();
            let reader = response.body_mut().as_reader();
            // What cannot be read says nothing against the spans, which were taken.
            let read = reader.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
            if read.is_ok() {
                self.note_rejected(&answer);
            }
            return Outcome::Taken;
        }
        let problem = format!("it answers with HTTP status {status}");
        if !matches!(status, 429 | 502 | 503 | 504) {
            return Outcome::Never(problem);
        }
        let asked = response.headers().get("retry-after");
        let asked = asked.and_then(|it| it.to_str().ok()?.parse().ok());
        Outcome::Later(problem, asked.map(Duration::from_secs))
    }

    /// Counts spans that the collector did not want although it took the request.
    fn note_rejected(&self, answer: &[u8]) {
        let decoded = ExportResponse::decode(answer).ok();
        let Some(partial) = decoded.and_then(|it| it.partial_success) else {
            return;
        };
        let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
        if rejected > 0 {
            self.counts.rejected.fetch_add(rejected, Ordering::Relaxed);
            tracing::debug!(
                rejected,
                reason = partial.error_message,
                "the collector does not want some spans"
            );
        }
    }

    fn succeeded(&mut self, count: u64) {
        self.counts.exported.fetch_add(count, Ordering::Relaxed);
        if let Some(failing) = self.failing.take() {
            let (url, lost) = (&self.url, failing.lost);
            tracing::info!(url, lost, "the collector takes spans again");
        }
    }

    /// Says so in the log, at once and then now and again.
    fn failed(&mut self, problem: &str, lost: u64) {
        let now = Instant::now();
        let is_due = match &self.failing {
            None => true,
            Some(failing) => now.duration_since(failing.logged_at) >= LOG_INTERVAL,
        };
        let failing = self.failing.get_or_insert(Failing {
            logged_at: now,
            lost: 0,
        });
        failing.lost += lost;
        if is_due {
            failing.logged_at = now;
            let (url, lost) = (&self.url, failing.lost);
            tracing::warn!(
                url,
                lost,
                "cannot export spans: {problem}; requests are served as ever, what does not fit the queue is dropped \
                 (logan.tracing.otlp.endpoint)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_to_their_path_unless_another_one_is_given() {
        let default = "http://127.0.0.1:4318/v1/traces";
        assert_eq!(url_of("http://127.0.0.1:4318"), default);
        assert_eq!(url_of("http://127.0.0.1:4318/"), default);
        let other = "http://collector:4318/otlp/traces";
        assert_eq!(url_of(other), other);
    }
}
