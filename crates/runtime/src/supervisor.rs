//! What the main thread waits for: signals, shards that end, and whoever else nudges it.

use std::io::{ErrorKind, Read as _, Result};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use types::ShardId;

use crate::crossing::Pending;

/// The exit code after a second signal, as a shell reports a death by SIGTERM.
const EXIT_CODE_SECOND_SIGNAL: i32 = 128 + SIGTERM;
/// A signal that comes so soon after the first one is the same request: `timeout` sends one to the process and one to
/// its group.
const SAME_SIGNAL: Duration = Duration::from_millis(200);
/// Each shard ends once, and signals beyond those that fit say nothing new.
const EVENTS_MAX: usize = u16::MAX as usize + 16;

/// News for the main thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first SIGTERM or SIGINT: drain. A later one ends the process at once, without asking anybody.
    Terminate,
    /// SIGHUP: read the configuration anew.
    HangUp,
    /// Somebody who has a [`Nudge`] has something to say; many nudges may become one.
    Nudged,
    /// The main task of this shard has returned.
    ShardEnded(ShardId),
}

/// Wakes the main thread, from any other one. It never waits, and never fills the queue of events.
#[derive(Clone, Debug)]
pub struct Nudge {
    sender: EventSender,
    is_pending: Arc<Pending>,
}

impl Nudge {
    /// Makes [`Event::Nudged`] come, unless one is on its way already.
    pub fn send(&self) {
        if self.is_pending.raise() {
            self.sender.tell(Event::Nudged);
        }
    }
}

/// Collects [`Event`]s. One per process.
#[derive(Debug)]
pub struct Supervisor {
    sender: EventSender,
    events: flume::Receiver<Event>,
    is_nudged: Arc<Pending>,
}

impl Supervisor {
    /// Makes one that hears of shards only, for tests and tools.
    #[must_use]
    pub fn without_signals() -> Self {
        let (sender, events) = flume::bounded(EVENTS_MAX);
        Self {
            sender: EventSender(sender),
            events,
            is_nudged: Arc::default(),
        }
    }

    /// Makes one that also takes over SIGTERM, SIGINT and SIGHUP.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> Result<Self> {
        let supervisor = Self::without_signals();
        let (mut received, pipe) = UnixStream::pair()?;
        let is_terminating = Arc::new(AtomicBool::new(false));
        let (terminate, hang_up): (Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        for (signal, flag) in [
            (SIGTERM, &terminate),
            (SIGINT, &terminate),
            (SIGHUP, &hang_up),
        ] {
            if signal != SIGHUP {
                flag::register_conditional_shutdown(
                    signal,
                    EXIT_CODE_SECOND_SIGNAL,
                    Arc::clone(&is_terminating),
                )?;
            }
            // In this order: the byte wakes who looks at the flags.
            flag::register(signal, Arc::clone(flag))?;
            low_level::pipe::register(signal, pipe.try_clone()?)?;
        }
        let sender = supervisor.sender.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut byte = [0; 1];
                loop {
                    match received.read(&mut byte) {
                        Ok(1..) if is_terminating.load(Ordering::SeqCst) => {}
                        Ok(1..) if terminate.swap(false, Ordering::SeqCst) => {
                            sender.tell(Event::Terminate);
                            thread::sleep(SAME_SIGNAL);
                            is_terminating.store(true, Ordering::SeqCst);
                        }
                        Ok(1..) if hang_up.swap(false, Ordering::SeqCst) => {
                            sender.tell(Event::HangUp);
                        }
                        // The flag of this one was seen with another's byte.
                        Ok(1..) => {}
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Ok(0) | Err(_) => return,
                    }
                }
            })?;
        Ok(supervisor)
    }

    /// Waits for the next event.
    ///
    /// # Panics
    /// Never: the supervisor itself keeps the channel open.
    #[must_use]
    pub fn wait(&self) -> Event {
        let event = self.events.recv();
        self.heard(event.expect("the supervisor holds a sender itself"))
    }

    /// Waits for the next event for at most `span`.
    #[must_use]
    pub fn wait_for(&self, span: Duration) -> Option<Event> {
        let event = self.events.recv_timeout(span).ok()?;
        Some(self.heard(event))
    }

    /// What wakes the main thread.
    #[must_use]
    pub fn nudge(&self) -> Nudge {
        Nudge {
            sender: self.sender.clone(),
            is_pending: Arc::clone(&self.is_nudged),
        }
    }

    /// From here on another nudge is news.
    fn heard(&self, event: Event) -> Event {
        if event == Event::Nudged {
            self.is_nudged.take();
        }
        event
    }

    pub(crate) fn clone_sender(&self) -> EventSender {
        self.sender.clone()
    }
}

/// Reports to the supervisor, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct EventSender(flume::Sender<Event>);

impl EventSender {
    pub(crate) fn tell(&self, event: Event) {
        if self.0.try_send(event).is_err() {
            tracing::debug!(?event, "nobody waits for this event");
        }
    }
}
