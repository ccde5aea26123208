//! What a service manager such as systemd is told, when it has started the process: that the broker is ready, that it lives,
//! and that it is stopping.
//!
//! A thread of its own tells it, and only if there is somebody to tell. It says "alive" for as long as every shard answers the
//! runtime's watchdog: a process whose shard hangs falls silent, and is restarted. While the broker starts or stops, which may
//! take long for good reason (recovery, the logs' last syncs), the same answers buy more time.
//!
//! It is also told when the configuration is read again, and why it is refused if it is.
//!
//! Source: sd_notify(3), systemd.service(5).

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use runtime::Delays;
use sd_notify::NotifyState;

/// How often it is looked whether all is well, where nobody asks for more.
const TICK_MAX: Duration = Duration::from_secs(5);
/// Ticks within the time after which the manager gives the process up; one that comes late does no harm.
const TICKS_PER_WATCHDOG: u32 = 4;
/// The time that is asked for again and again while the broker starts or stops.
const MORE_TIME: Duration = Duration::from_secs(60);

/// The broker's life, as the manager sees it.
#[derive(Debug)]
enum Phase {
    Starting(Delays),
    Ready(String),
    Reloading,
    /// With the reason if the changed configuration is refused.
    Reloaded(Option<String>),
    Stopping,
}

/// The line to the service manager; the thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    phases: Option<Sender<Phase>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Looks who is there. Without a manager nothing is started, and all else here does nothing.
    pub(crate) fn begin() -> Self {
        let nobody = Self {
            phases: None,
            thread: None,
        };
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return nobody;
        }
        let teller = Teller {
            watchdog: sd_notify::watchdog_enabled(),
            delays: None,
            phase: "starting",
            ready_line: String::new(),
            is_deaf: false,
        };
        let (phases, news) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("service".to_owned())
            .spawn(move || teller.run(&news));
        match thread {
            Ok(thread) => Self {
                phases: Some(phases),
                thread: Some(thread),
            },
            Err(error) => {
                tracing::error!(%error, "the service manager is told nothing");
                nobody
            }
        }
    }

    /// The shards run; from here on they must answer.
    pub(crate) fn watch(&self, delays: Delays) {
        self.tell(Phase::Starting(delays));
    }

    /// Clients are served.
    pub(crate) fn ready(&self, line: &str) {
        self.tell(Phase::Ready(line.to_owned()));
    }

    /// The configuration is read again.
    pub(crate) fn reloading(&self) {
        self.tell(Phase::Reloading);
    }

    /// It is in force, or refused for this reason.
    pub(crate) fn reloaded(&self, refusal: Option<&str>) {
        self.tell(Phase::Reloaded(refusal.map(str::to_owned)));
    }

    /// The broker ends on purpose.
    pub(crate) fn stopping(&self) {
        self.tell(Phase::Stopping);
    }

    fn tell(&self, phase: Phase) {
        if let Some(phases) = &self.phases
            && phases.send(phase).is_err()
        {
            tracing::error!("the thread that tells the service manager has ended");
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.phases.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that tells the service manager panicked");
        }
    }
}

/// The thread.
struct Teller {
    watchdog: Option<Duration>,
    delays: Option<Delays>,
    phase: &'static str,
    ready_line: String,
    /// Whether the manager could not be told last time.
    is_deaf: bool,
}

impl Teller {
    fn run(mut self, news: &mpsc::Receiver<Phase>) {
        let tick = tick(self.watchdog);
        loop {
            match news.recv_timeout(tick) {
                Ok(phase) => self.enter(phase),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let silence = self.delays.as_ref().map_or(Duration::ZERO, Delays::silence);
            match sign_of_life(self.phase == "ready", silence, self.watchdog) {
                Some(sign) => self.send(&[sign]),
                None => tracing::warn!(
                    ?silence,
                    "a shard does not answer: the service manager is not told that all is well"
                ),
            }
        }
    }

    /// Tells the manager; that it cannot be told is logged when it begins.
    fn send(&mut self, states: &[NotifyState<'_>]) {
        let told = sd_notify::notify(states);
        let is_deaf = told.is_err();
        if let Err(error) = told
            && !self.is_deaf
        {
            tracing::warn!(%error, "the service manager cannot be told");
        }
        self.is_deaf = is_deaf;
    }

    fn enter(&mut self, phase: Phase) {
        match phase {
            Phase::Starting(delays) => {
                self.delays = Some(delays);
                self.send(&[NotifyState::Status("recovering logs")]);
            }
            Phase::Ready(line) => {
                self.phase = "ready";
                self.ready_line = line;
                self.say_ready(None);
            }
            Phase::Reloading => {
                // The time lets the manager tell this reload from an earlier one.
                let Ok(time) = NotifyState::monotonic_usec_now() else {
                    return;
                };
                let status = NotifyState::Status("reading the configuration again");
                self.send(&[NotifyState::Reloading, time, status]);
            }
            Phase::Reloaded(refusal) => self.say_ready(refusal.as_deref()),
            Phase::Stopping => {
                self.phase = "stopping";
                let status = "finishing requests and closing logs";
                self.send(&[NotifyState::Stopping, NotifyState::Status(status)]);
            }
        }
    }

    /// Says that clients are served, and why it is not as the file says, if it is not.
    fn say_ready(&mut self, refusal: Option<&str>) {
        let mut status = self.ready_line.clone();
        if let Some(reason) = refusal {
            // A status is one line.
            let reason = reason.replace('\n', "; ");
            status = format!("the changed configuration is refused, the old values stay: {reason}");
        }
        self.send(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }
}

/// How long the thread waits for news.
fn tick(watchdog: Option<Duration>) -> Duration {
    watchdog.map_or(TICK_MAX, |span| (span / TICKS_PER_WATCHDOG).min(TICK_MAX))
}

/// What to say while no shard has been silent for longer than this; `None` is to say nothing.
fn sign_of_life(
    is_ready: bool,
    silence: Duration,
    watchdog: Option<Duration>,
) -> Option<NotifyState<'static>> {
    let patience = watchdog.map_or(MORE_TIME, |span| span / 2);
    if silence >= patience {
        return None;
    }
    Some(match is_ready {
        true => NotifyState::Watchdog,
        false => {
            NotifyState::ExtendTimeoutUsec(u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHDOG: Option<Duration> = Some(Duration::from_secs(30));

    #[test]
    fn a_silent_shard_silences_the_process() {
        let alive = sign_of_life(true, Duration::from_secs(1), WATCHDOG);
        assert!(matches!(alive, Some(NotifyState::Watchdog)));
        assert!(sign_of_life(true, Duration::from_secs(15), WATCHDOG).is_none());
        assert!(sign_of_life(false, Duration::from_secs(15), WATCHDOG).is_none());
    }

    #[test]
    fn a_start_that_goes_on_gets_more_time() {
        let more = sign_of_life(false, Duration::from_secs(1), None);
        assert!(matches!(
            more,
            Some(NotifyState::ExtendTimeoutUsec(60_000_000))
        ));
    }

    #[test]
    fn the_manager_hears_often_enough() {
        assert_eq!(tick(None), TICK_MAX);
        assert_eq!(tick(WATCHDOG), TICK_MAX);
        assert_eq!(
            tick(Some(Duration::from_secs(2))),
            Duration::from_millis(500)
        );
    }
}
