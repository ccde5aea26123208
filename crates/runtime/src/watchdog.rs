//! The watchdog: a plain thread that wakes every shard every few milliseconds and measures how late it answers. When
//! nothing has come from outside for a while it does so less often, since each wake-up costs an idle shard a turn of its
//! reactor; the first read from a socket calls it back.
//!
//! The waking matters as much as the measuring: glommio 0.9 can go to sleep with runnable tasks left, and only a
//! wake-up from outside gets it going again. So each ping wakes the shard's pulse task directly, also when an earlier
//! ping is still unanswered: a message in a queue would not wake a task that is already due to run.
//!
//! The atomics are the watchdog's own, and stand in `crossing`; no request touches them.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use io::Io as _;
use types::{Distribution, Event, ShardId};

use crate::crossing::{BUCKETS, Beats, DelayCounts, Stir};
use crate::recorder::{DumpReason, DumpRequests};
use crate::shard_io::GlommioIo;
use crate::task_names::{NO_TASK, Running, name_of};
use crate::{clock, panics};

/// The time between pings.
const PING_INTERVAL: Duration = Duration::from_millis(5);
/// The time between pings when nothing happens.
const CALM_INTERVAL: Duration = Duration::from_millis(100);
/// Pings without any activity between them after which it is calm: a second.
const QUIET_TICKS_MAX: u32 = 200;
/// A delay that is reported.
const STALL_MIN: Duration = Duration::from_millis(100);
/// A shard's stalls are logged at most this often.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Tasks that are suspected of one stall; further ones are not noted.
const SUSPECTS_MAX: usize = 16;
/// Unanswered wake-ups after which only every [`PATIENT_TICKS`]th ping wakes: each of them holds a reference to the
/// pulse task, and glommio counts those in 15 bits.
const EAGER_WAKES_MAX: u64 = 1000;
const PATIENT_TICKS: u64 = 200;
/// Whether anything reaches the shards from outside. All shards tell it, and the watchdog forgets it with each ping.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    stir: Stir,
    watchdog: OnceLock<Thread>,
}

impl Activity {
    /// Notes that something has happened. Costs a load while it happens all the time.
    pub(crate) fn note(&self) {
        if self.stir.note()
            && let Some(watchdog) = self.watchdog.get()
        {
            watchdog.unpark();
        }
    }

    /// Waits until the next ping is due, after `quiet_ticks` pings without activity. Returns how many it is then.
    fn wait(&self, quiet_ticks: u32) -> u32 {
        if quiet_ticks >= QUIET_TICKS_MAX && self.stir.settle() {
            thread::park_timeout(CALM_INTERVAL);
        } else {
            thread::sleep(PING_INTERVAL);
        }
        if self.stir.look() {
            0
        } else {
            quiet_ticks.saturating_add(1)
        }
    }
}

/// What the watchdog and one shard share.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: Beats,
    waker: OnceLock<Waker>,
    delays: DelayCounts,
    /// The task that the shard runs.
    pub(crate) running: Arc<Running>,
    /// By the task that ran during most of a stall, how many stalls there were. Only the watchdog adds to it.
    stalls_by_task: Mutex<BTreeMap<u16, u64>>,
}

impl Pulse {
    /// The shard's side: answers pings until it is dropped.
    pub(crate) async fn answer(self: Arc<Self>, io: GlommioIo) {
        poll_fn::<(), _>(|context| {
            self.waker.get_or_init(|| context.waker().clone());
            let delay = self.beats.answer(|| clock::now().0);
            if let Some(delay) = delay.filter(|it| *it >= nanos(STALL_MIN)) {
                let took = Duration::from_nanos(delay);
                io.record_now(Event::Stalled { took });
            }
            Poll::Pending
        })
        .await;
    }

    /// Tells the watchdog that the shard has ended in order.
    pub(crate) fn end(&self) {
        self.beats.end();
    }

    /// How long the shard has not answered by now; nothing after it has ended in order.
    fn silence(&self, now: io::Instant) -> Duration {
        Duration::from_nanos(self.beats.silence(now.0))
    }

    fn count(&self, delay_nanos: u64) {
        self.delays
            .add(delay_nanos, delay_nanos >= nanos(STALL_MIN));
    }

    /// All delays.
    fn distribution(&self) -> Distribution {
        let ends = (0..).map(|bucket| Duration::from_micros(1 << bucket));
        let counted = self.delays.read();
        let sum = Duration::from_nanos(counted.sum_nanos);
        Distribution::of_ends(ends.zip(counted.counts), sum)
    }

    fn delays(&self) -> ShardDelays {
        let counted = self.delays.read();
        let (counts, stalls) = (counted.counts, counted.stalls);
        let longest = Duration::from_nanos(counted.max_nanos);
        ShardDelays {
            p50: percentile(&counts, 500).min(longest),
            p99: percentile(&counts, 990).min(longest),
            p999: percentile(&counts, 999).min(longest),
            max: longest,
            pings: counts.iter().sum(),
            stalls,
        }
    }
}

/// How late a shard answered pings since the start. Percentiles are upper bounds, less than twice the true value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardDelays {
    /// Half of the pings were answered within this time.
    pub p50: Duration,
    /// 99 % were.
    pub p99: Duration,
    /// 99.9 % were.
    pub p999: Duration,
    /// The longest delay.
    pub max: Duration,
    /// Answered pings.
    pub pings: u64,
    /// Delays of 100 ms or more.
    pub stalls: u64,
}

/// The stalls of a shard, of 100 ms or more: the name of the task that ran during most of each, and how many.
pub type Stalls = Vec<(String, u64)>;

/// Reads the delays of all shards, from any thread.
#[derive(Clone, Debug)]
pub struct Delays {
    pulses: Arc<[Arc<Pulse>]>,
}

impl Delays {
    pub(crate) fn new(pulses: Arc<[Arc<Pulse>]>) -> Self {
        Self { pulses }
    }

    /// The delays since the start, by shard.
    #[must_use]
    pub fn read(&self) -> Vec<ShardDelays> {
        self.pulses.iter().map(|pulse| pulse.delays()).collect()
    }

    /// How long the shard that has been silent for the longest has not answered: nothing while all of them do.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let now = clock::now();
        let silences = self.pulses.iter().map(|pulse| pulse.silence(now));
        silences.max().unwrap_or_default()
    }

    /// All delays since the start, by shard.
    #[must_use]
    pub fn distributions(&self) -> Vec<Distribution> {
        let pulses = self.pulses.iter();
        pulses.map(|pulse| pulse.distribution()).collect()
    }

    /// How long each shard has left the last ping without an answer.
    #[must_use]
    pub fn unanswered(&self) -> Vec<Duration> {
        let now = clock::now();
        self.pulses.iter().map(|pulse| pulse.silence(now)).collect()
    }

    /// What has stalled the shards since the start, by shard.
    ///
    /// # Panics
    /// When the watchdog has panicked, which ends the process.
    #[must_use]
    pub fn stalls(&self) -> Vec<Stalls> {
        let by_task = |pulse: &Arc<Pulse>| {
            let stalls = pulse.stalls_by_task.lock();
            let stalls = stalls.expect("the process ends when the watchdog panics");
            stalls
                .iter()
                .map(|(task, count)| (name_of(*task), *count))
                .collect()
        };
        self.pulses.iter().map(by_task).collect()
    }
}

/// The running thread; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn start(
        pulses: Arc<[Arc<Pulse>]>,
        activity: Arc<Activity>,
        alarm: Alarm,
    ) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                panics::mark_vital("the watchdog");
                activity.watchdog.get_or_init(thread::current);
                watch(&pulses, &activity, &alarm, &stopped);
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watchdog panicked");
        }
    }
}

fn watch(pulses: &[Arc<Pulse>], activity: &Activity, alarm: &Alarm, stop: &AtomicBool) {
    let mut patients: Vec<_> = (0_u16..)
        .map(ShardId)
        .map(Patient::new)
        .zip(pulses)
        .collect();
    let mut quiet_ticks = 0;
    while !stop.load(Ordering::Acquire) {
        for (patient, pulse) in &mut patients {
            if !pulse.beats.has_ended() {
                patient.tick(pulse, alarm);
            }
        }
        quiet_ticks = activity.wait(quiet_ticks);
    }
}

/// What the watchdog remembers of a shard.
#[derive(Debug)]
struct Patient {
    shard: ShardId,
    unanswered_ticks: u64,
    /// Which tasks ran when the shard had not answered for a while, and how often.
    suspects: Vec<(u16, u32)>,
    logged_at: Option<io::Instant>,
    /// What the shard said of excuses at the last ping.
    excuses: u32,
    /// Whether the stall that lasts has been dumped.
    is_dumped: bool,
}

/// Who is told of a shard that does not answer.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// After this time.
    pub(crate) stall_min: Duration,
    /// Who it is.
    pub(crate) dumps: Option<DumpRequests>,
}

impl Patient {
    fn new(shard: ShardId) -> Self {
        Self {
            shard,
            unanswered_ticks: 0,
            suspects: Vec::with_capacity(SUSPECTS_MAX),
            logged_at: None,
            excuses: 0,
            is_dumped: false,
        }
    }

    fn tick(&mut self, pulse: &Pulse, alarm: &Alarm) {
        let now = clock::now();
        let (sent_at, delay_nanos) = pulse.beats.last();
        if let Some(delay_nanos) = delay_nanos {
            if sent_at != 0 && !self.is_excused(pulse) {
                self.answered(pulse, delay_nanos, now);
            }
            self.unanswered_ticks = 0;
            self.suspects.clear();
            self.excuses = pulse.running.excuses();
            self.is_dumped = false;
            pulse.beats.send(now.0);
        } else {
            self.unanswered_ticks += 1;
            self.suspect(pulse.running.task());
            let waiting = Duration::from_nanos(now.0.saturating_sub(sent_at));
            if waiting >= alarm.stall_min && !self.is_excused(pulse) {
                self.dump(waiting, alarm);
            }
            if waiting >= LOG_INTERVAL && !self.is_excused(pulse) {
                let task = self.culprit();
                self.log(now, waiting, task, "shard does not answer");
            }
        }
        let is_eager = self.unanswered_ticks < EAGER_WAKES_MAX;
        if (is_eager || self.unanswered_ticks.is_multiple_of(PATIENT_TICKS))
            && let Some(waker) = pulse.waker.get()
        {
            waker.wake_by_ref();
        }
    }

    /// Whether the shard has kept others waiting on purpose since the last ping.
    fn is_excused(&self, pulse: &Pulse) -> bool {
        let excuses = pulse.running.excuses();
        excuses != self.excuses || !excuses.is_multiple_of(2)
    }

    fn answered(&mut self, pulse: &Pulse, delay_nanos: u64, now: io::Instant) {
        pulse.count(delay_nanos);
        if delay_nanos >= nanos(STALL_MIN) {
            let task = self.culprit();
            {
                let stalls = pulse.stalls_by_task.lock();
                let mut stalls = stalls.expect("readers do not panic");
                *stalls.entry(task).or_default() += 1;
            }
            let delay = Duration::from_nanos(delay_nanos);
            self.log(now, delay, task, "shard was stalled");
        }
    }

    /// Notes which task ran at this look.
    fn suspect(&mut self, task: u16) {
        if let Some((_, looks)) = self.suspects.iter_mut().find(|(it, _)| *it == task) {
            *looks += 1;
        } else if self.suspects.len() < SUSPECTS_MAX {
            self.suspects.push((task, 1));
        }
    }

    /// The task that ran at most looks since the ping that has no answer.
    fn culprit(&self) -> u16 {
        let most = self.suspects.iter().max_by_key(|(_, looks)| *looks);
        most.map_or(NO_TASK, |(task, _)| *task)
    }

    /// Has the recorder dumped, once for each stall.
    fn dump(&mut self, delay: Duration, alarm: &Alarm) {
        if std::mem::replace(&mut self.is_dumped, true) {
            return;
        }
        if let Some(dumps) = &alarm.dumps {
            dumps.send(DumpReason::Stall {
                shard: self.shard,
                delay,
                task: name_of(self.culprit()),
            });
        }
    }

    fn log(&mut self, now: io::Instant, delay: Duration, task: u16, what: &str) {
        let is_due = self
            .logged_at
            .is_none_or(|logged_at| now - logged_at >= LOG_INTERVAL);
        if is_due {
            self.logged_at = Some(now);
            let task = name_of(task);
            tracing::warn!(shard = %self.shard, ?delay, task, "{what}");
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The upper end of the bucket that holds the given per mille of the counts.
fn percentile(counts: &[u64; BUCKETS], per_mille: u64) -> Duration {
    let total: u64 = counts.iter().sum();
    let wanted = total.saturating_mul(per_mille).div_ceil(1000);
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= wanted && seen > 0 {
            return Duration::from_micros(1 << bucket);
        }
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody is told.
    const QUIET: Alarm = Alarm {
        stall_min: Duration::MAX,
        dumps: None,
    };

    #[test]
    fn delays_are_counted_with_bounds() {
        let pulse = Pulse::default();
        assert_eq!(pulse.delays().p99, Duration::ZERO);
        for _ in 0..98 {
            pulse.count(10_000);
        }
        pulse.count(3_000_000);
        pulse.count(200_000_000);
        let delays = pulse.delays();
        assert_eq!(delays.p50, Duration::from_micros(16));
        assert_eq!(delays.p99, Duration::from_micros(4096));
        assert_eq!(delays.max, Duration::from_millis(200));
        assert_eq!(delays.p999, delays.max, "no percentile exceeds the maximum");
        assert_eq!((delays.pings, delays.stalls), (100, 1));
    }

    #[test]
    fn calm_comes_after_a_quiet_while_and_ends_with_the_first_activity() {
        let activity = Activity::default();
        assert_eq!(activity.wait(5), 6);
        activity.note();
        assert_eq!(activity.wait(5), 0);
        activity.watchdog.set(thread::current()).expect("only here");
        let began = clock::now();
        assert_eq!(activity.wait(QUIET_TICKS_MAX), QUIET_TICKS_MAX + 1);
        assert!(clock::now() - began >= CALM_INTERVAL);
        // A thread that is called back does not sleep to the end.
        let began = clock::now();
        let ticks = thread::scope(|scope| {
            scope.spawn(|| {
                while !activity.stir.is_calm() {
                    thread::yield_now();
                }
                activity.note();
            });
            activity.wait(QUIET_TICKS_MAX)
        });
        assert_eq!(ticks, 0);
        assert!(clock::now() - began < CALM_INTERVAL);
    }

    #[test]
    fn a_shard_is_silent_from_the_ping_on_that_it_does_not_answer() {
        let pulse = Arc::new(Pulse::default());
        let at = |seconds: u64| io::Instant(seconds * 1_000_000_000);
        assert_eq!(pulse.silence(at(9)), Duration::ZERO, "nobody has asked");
        pulse.beats.send(at(10).0);
        assert_eq!(pulse.silence(at(13)), Duration::from_secs(3));
        pulse.beats.answer(|| at(10).0);
        assert_eq!(pulse.silence(at(13)), Duration::ZERO);
        // The one that is silent for the longest counts, by the real clock.
        let since_start = Pulse::default();
        since_start.beats.send(1);
        let delays = Delays::new(Arc::from([Arc::default(), Arc::new(since_start)]));
        while clock::now().0 < 1000 {
            thread::yield_now();
        }
        assert!(delays.silence() > Duration::ZERO);
        pulse.beats.send(at(14).0);
        pulse.end();
        assert_eq!(
            pulse.silence(at(20)),
            Duration::ZERO,
            "it has ended in order"
        );
    }

    #[test]
    fn what_a_shard_is_excused_for_is_no_stall() {
        let pulse = Pulse::default();
        let mut patient = Patient::new(ShardId(0));
        let mut answer_late = |is_excused: bool| {
            patient.tick(&pulse, &QUIET);
            let excuse = is_excused.then(|| pulse.running.excuse());
            drop(excuse);
            pulse.beats.answer(|| clock::now().0 + nanos(STALL_MIN));
            patient.tick(&pulse, &QUIET);
            // At once, whatever else the machine does.
            pulse.beats.answer(|| 0);
            pulse.delays().stalls
        };
        assert_eq!(answer_late(true), 0);
        assert_eq!(answer_late(false), 1);
    }

    #[test]
    fn endless_delays_fit_the_last_bucket() {
        let pulse = Pulse::default();
        pulse.count(u64::MAX);
        assert_eq!(pulse.delays().pings, 1);
    }
}
