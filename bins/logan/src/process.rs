//! What the control thread is told of the process: the watchdog's and the router's numbers, what the kernel counts, and
//! where the broker stands in its life.

use std::fs;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use control::{Delay, Facts, OtlpCounts, Phase};
use runtime::{Delays, DumpReason, Recorder, RouterCounters};
use serde_json::Value;
use types::{Metric, Sample, ShardId};

use crate::logging::Log;

static BUILD: Metric = Metric::gauge("logan_build_info", "1, with the version as a label.");
static READY: Metric = Metric::gauge(
    "logan_ready",
    "1 while the broker takes connections, 0 while it starts or stops.",
);
static START_TIME: Metric = Metric::gauge(
    "process_start_time_seconds",
    "When the process was started, in seconds since 1970.",
);
static CPU: Metric = Metric::counter(
    "process_cpu_seconds",
    "Time of all cores that the process has used, in the kernel too.",
);
static RESIDENT: Metric = Metric::gauge(
    "process_resident_memory_bytes",
    "Memory of the process that is in RAM.",
);
static OPEN_FILES: Metric = Metric::gauge("process_open_fds", "Descriptors that are open.");
static OPEN_FILES_MAX: Metric = Metric::gauge("process_max_fds", "Descriptors that may be open.");
static DELAY: Metric = Metric::histogram(
    "logan_shard_delay_seconds",
    "How late a shard answered the watchdog, which asks every few milliseconds: how long anything may have to wait for it.",
);
static STALLS: Metric = Metric::counter(
    "logan_shard_stalls",
    "Times in which a shard did not answer for 100 ms or more, by the task that ran most of that time.",
);
static DUMPS: Metric = Metric::counter(
    "logan_recorder_dumps",
    "Dumps of the flight recorder, by what became of them.",
);
static ROUTER_OPEN: Metric = Metric::gauge(
    "logan_router_connections",
    "Open connections, as the router counts them.",
);
static ROUTER_ACCEPTED: Metric = Metric::counter(
    "logan_router_connections_accepted",
    "Connections that the router has given to shards.",
);
static ROUTER_REFUSED: Metric = Metric::counter(
    "logan_router_connections_refused",
    "Connections that were closed at once: too many of one client, or no shard took them.",
);
static LOG_LINES_DROPPED: Metric = Metric::counter(
    "logan_log_lines_dropped",
    "Lines of the log that were not written, since nobody read them as fast as they came or writing them failed.",
);

/// The name of no task.
const NO_TASK: &str = "none";

/// What the kernel counts time in, for users.
const TICKS_PER_SECOND: u64 = 100;

/// The process.
pub(crate) struct ThisProcess {
    began: Instant,
    began_at: SystemTime,
    node_id: i32,
    cluster_id: String,
    descriptors_max: u64,
    phase: AtomicU8,
    log: Log,
    recorder: Recorder,
    delays: OnceLock<Delays>,
    router: OnceLock<Arc<RouterCounters>>,
    exported: OnceLock<OtlpCounts>,
}

impl ThisProcess {
    /// A broker that starts now.
    pub(crate) fn new(
        node_id: i32,
        cluster_id: String,
        descriptors_max: u64,
        log: Log,
        recorder: Recorder,
    ) -> Self {
        Self {
            began: Instant::now(),
            began_at: SystemTime::now(),
            node_id,
            cluster_id,
            descriptors_max,
            phase: AtomicU8::new(Phase::Starting as u8),
            log,
            recorder,
            delays: OnceLock::new(),
            router: OnceLock::new(),
            exported: OnceLock::new(),
        }
    }

    /// The shards are watched.
    pub(crate) fn watched(&self, delays: Delays) {
        self.delays.get_or_init(|| delays);
    }

    /// Connections are taken.
    pub(crate) fn ready(&self, router: Arc<RouterCounters>) {
        self.router.get_or_init(|| router);
        self.phase.store(Phase::Ready as u8, Ordering::Relaxed);
    }

    /// Spans are exported.
    pub(crate) fn exporting(&self, counts: OtlpCounts) {
        self.exported.get_or_init(|| counts);
    }

    /// The broker ends.
    pub(crate) fn stopping(&self) {
        self.phase.store(Phase::Stopping as u8, Ordering::Relaxed);
    }
}

impl ThisProcess {
    /// # Errors
    /// When nothing is recorded.
    fn expect_recorder(&self) -> Result<(), String> {
        if self.recorder.is_on() {
            return Ok(());
        }
        Err("nothing is recorded: logan.recorder.events is 0".to_owned())
    }
}

impl control::Process for ThisProcess {
    fn samples(&self) -> Vec<Sample> {
        let is_ready = u64::from(self.phase() == Phase::Ready);
        let since_epoch = self.began_at.duration_since(SystemTime::UNIX_EPOCH);
        let mut samples = vec![
            BUILD.is(1).with("version", env!("CARGO_PKG_VERSION")),
            READY.is(is_ready),
            START_TIME.lasts(since_epoch.unwrap_or_default()),
            OPEN_FILES_MAX.is(self.descriptors_max),
            LOG_LINES_DROPPED.is(self.log.lines().dropped()),
        ];
        samples.extend(cpu_time().map(|it| CPU.lasts(it)));
        samples.extend(resident_bytes().map(|it| RESIDENT.is(it)));
        samples.extend(open_files().map(|it| OPEN_FILES.is(it)));
        samples.extend(self.exported.get().iter().flat_map(|it| it.samples()));
        let (written, failed) = self.recorder.dumps();
        samples.push(DUMPS.is(written).with("result", "written"));
        samples.push(DUMPS.is(failed).with("result", "failed"));
        if let Some(router) = self.router.get() {
            samples.push(ROUTER_OPEN.is(router.open()));
            samples.push(ROUTER_ACCEPTED.is(router.accepted()));
            samples.push(ROUTER_REFUSED.is(router.refused()));
        }
        if let Some(delays) = self.delays.get() {
            let of_shard = |sample: Sample, shard: usize| sample.with("shard", shard.to_string());
            for (shard, times) in delays.distributions().into_iter().enumerate() {
                samples.push(of_shard(DELAY.spreads(times), shard));
            }
            for (shard, mut stalls) in delays.stalls().into_iter().enumerate() {
                // A counter that is there before anything happens lets the first time be seen as a change.
                if stalls.iter().all(|(task, _)| task != NO_TASK) {
                    stalls.push((NO_TASK.to_owned(), 0));
                }
                for (task, count) in stalls {
                    samples.push(of_shard(STALLS.is(count).with("task", task), shard));
                }
            }
        }
        samples
    }

    fn phase(&self) -> Phase {
        let phases = [Phase::Starting, Phase::Ready, Phase::Stopping];
        let stored = self.phase.load(Ordering::Relaxed);
        let known = phases.into_iter().find(|it| *it as u8 == stored);
        known.expect("only phases are stored")
    }

    fn facts(&self) -> Facts {
        Facts {
            version: env!("CARGO_PKG_VERSION"),
            node_id: self.node_id,
            cluster_id: self.cluster_id.clone(),
            uptime: self.began.elapsed(),
        }
    }

    fn delays(&self) -> Vec<Delay> {
        let delays = self.delays.get().map(Delays::read).unwrap_or_default();
        let delays = delays.into_iter();
        delays
            .map(|it| Delay {
                p99: it.p99,
                max: it.max,
                stalls: it.stalls,
            })
            .collect()
    }

    fn unanswered(&self) -> Vec<Duration> {
        self.delays
            .get()
            .map(Delays::unanswered)
            .unwrap_or_default()
    }

    fn recorded(&self, shard: Option<u16>, last: usize) -> Result<Vec<Value>, String> {
        self.expect_recorder()?;
        let shards = self.recorder.shards();
        if shard.is_some_and(|it| usize::from(it) >= shards) {
            return Err(format!(
                "there is no such shard: they are numbered from 0 to {}",
                shards.saturating_sub(1)
            ));
        }
        Ok(self.recorder.read_json(shard.map(ShardId), last))
    }

    fn dump_recorded(&self) -> Result<String, String> {
        self.expect_recorder()?;
        let dumped = self.recorder.dump(&DumpReason::Asked);
        match dumped {
            Ok(path) => Ok(path.display().to_string()),
            Err(error) => Err(format!(
                "cannot write to {} (logan.recorder.directory): {error}",
                self.recorder.directory().display()
            )),
        }
    }

    fn log_filter(&self) -> String {
        self.log.filter()
    }

    fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        self.log.set_filter(filter)
    }
}

/// Time of all threads, in user and system mode. Source: proc_pid_stat(5), fields 14 and 15.
fn cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let rest = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn open_files() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?;
    Some(entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(open_files().is_some_and(|count| count >= 3));
        assert!(cpu_time().is_some());
    }
}
