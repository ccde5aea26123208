//! A changed configuration under a running broker: read again, checked whole, and put in force or refused.
//!
//! On the main thread, which may wait; shards are told by a message and answer by one. A file whose writer has not closed it is
//! waited for, so that half a file is never taken for the whole, except by SIGHUP, which asks for it at once. One that says what
//! the last one said is no news. Whatever cannot be read or is impossible leaves
//! everything as it is, and is logged with file, line and reason, of which the service manager hears, too.
//!
//! Deliberately absent: values that clients set, which reach the shards without the main thread; they lie over these.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{ShardCommand, ShardEvent};
use config::{BrokerConfig, Change, ConfigError};
use io::Sender as _;
use runtime::{Event, Receiver, Sender, Supervisor};

use crate::EVENT_WAIT;
use crate::service::Service;
use crate::watch::Watch;
use crate::written::{Written, log_warnings};

/// Nudges that come within this time are one: an editor works in several steps, and changes of several files come together.
const REST: Duration = Duration::from_millis(100);

/// How many of them are waited for, while the file is nobody's.
const RESTS_MAX: usize = 20;

/// How long the shards may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Changes that are logged one by one.
const CHANGES_MAX: usize = 100;

/// Puts changed configurations in force.
#[derive(Debug)]
pub(crate) struct Reloader {
    written: Written,
    /// What the file said when it was last looked at, or why it could not be read.
    seen: Result<Option<String>, String>,
    /// Somebody has asked for it: unchanged or not, say what comes of it.
    is_wanted: bool,
    /// What is in force, without what clients have set.
    running: Arc<BrokerConfig>,
    shard_count: usize,
    watch: Option<Watch>,
}

/// Both ends to the shards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shards<'a> {
    pub(crate) commands: &'a Sender<ShardCommand>,
    pub(crate) events: &'a Receiver<ShardEvent>,
}

/// Why a configuration is not in force.
enum Refusal {
    /// It cannot be.
    Invalid(String),
    /// Something else is more urgent.
    Interrupted(Event),
}

impl Reloader {
    /// Begins with the configuration that the broker was started with, of which `text` is the file's part.
    pub(crate) fn new(
        written: Written,
        text: Option<String>,
        running: BrokerConfig,
        shard_count: usize,
    ) -> Self {
        Self {
            written,
            seen: Ok(text),
            is_wanted: false,
            running: Arc::new(running),
            shard_count,
            watch: None,
        }
    }

    /// What is in force, without what clients have set.
    pub(crate) fn running(&self) -> &BrokerConfig {
        &self.running
    }

    /// Whether there is a file that may change: a pipe is read once.
    pub(crate) fn has_file(&self) -> bool {
        let is_special = |path: &Path| path.metadata().is_ok_and(|it| !it.is_file());
        self.written.file().is_some_and(|path| !is_special(path))
    }

    /// Watches the file from now on; what has changed since it was read is noticed at once.
    pub(crate) fn watch(&mut self, supervisor: &Supervisor) {
        let Some(path) = self.written.file().filter(|_| self.has_file()) else {
            return;
        };
        match Watch::begin(path, supervisor.nudge()) {
            Ok(watch) => {
                self.watch = Some(watch);
                supervisor.nudge().send();
            }
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "cannot watch the configuration file: SIGHUP reads it again");
            }
        }
    }

    /// Reads the configuration again because of `event`. Returns what has happened meanwhile and is still to be done.
    pub(crate) fn reload(
        &mut self,
        event: Event,
        supervisor: &Supervisor,
        shards: Shards<'_>,
        service: &Service,
    ) -> Option<Event> {
        self.is_wanted |= event == Event::HangUp;
        if let Some(urgent) = self.await_rest(supervisor) {
            return Some(urgent);
        }
        self.follow();
        let text = self.written.read().map_err(|error| error.to_string());
        let is_wanted = std::mem::take(&mut self.is_wanted);
        if text == self.seen && !is_wanted {
            return None;
        }
        self.seen.clone_from(&text);
        service.reloading();
        let outcome = text
            .map_err(Refusal::Invalid)
            .and_then(|text| self.put_in_force(text.as_deref(), supervisor, shards));
        match outcome {
            Ok(()) => {
                service.reloaded(None);
                None
            }
            Err(Refusal::Invalid(reason)) => {
                refuse(&reason);
                service.reloaded(Some(&reason));
                None
            }
            Err(Refusal::Interrupted(event)) => Some(event),
        }
    }

    /// Watches the way to the file as it is now. What changes from here on is news.
    fn follow(&mut self) {
        if let (Some(watch), Some(path)) = (&mut self.watch, self.written.file())
            && let Err(error) = watch.follow(path)
        {
            let path = path.display();
            tracing::warn!(%path, %error, "cannot watch the configuration file any more: SIGHUP reads it again");
        }
    }

    fn put_in_force(
        &mut self,
        text: Option<&str>,
        supervisor: &Supervisor,
        shards: Shards<'_>,
    ) -> Result<(), Refusal> {
        let invalid = |error: ConfigError| Refusal::Invalid(error.to_string());
        let sources = self.written.sources(text).map_err(invalid)?;
        let reloaded = self.running.reloaded(&sources).map_err(invalid)?;
        let config = Arc::new(reloaded.config);
        config.check_shards(self.shard_count).map_err(invalid)?;
        if !reloaded.changed.is_empty() {
            self.tell(&config, supervisor, shards)?;
        }
        log_warnings(&config.warnings);
        log_changes(&config, &reloaded.changed, "changed");
        log_changes(&config, &reloaded.postponed, "needs a restart to change");
        let (changed, postponed) = (reloaded.changed.len(), reloaded.postponed.len());
        tracing::info!(changed, postponed, "read the configuration again");
        // What has been warned about need not be again.
        let mut running = BrokerConfig::clone(&config);
        running.warnings.extend_from_slice(&self.running.warnings);
        self.running = Arc::new(running);
        Ok(())
    }

    /// Waits until nobody nudges any more and the file has no writer, or somebody asks for it at once. Returns what is more
    /// urgent.
    fn await_rest(&mut self, supervisor: &Supervisor) -> Option<Event> {
        let mut rests = 0;
        loop {
            let left = self.watch.as_ref().and_then(Watch::unfinished);
            let left = left.filter(|_| !self.is_wanted);
            if left.is_none() && rests == RESTS_MAX {
                return None;
            }
            rests = RESTS_MAX.min(rests + 1);
            match supervisor.wait_for(left.unwrap_or(REST)) {
                None => {
                    if left.is_none() && self.is_finished() {
                        return None;
                    }
                }
                Some(Event::Nudged) => {}
                Some(Event::HangUp) => self.is_wanted = true,
                Some(urgent @ (Event::Terminate | Event::ShardEnded(_))) => return Some(urgent),
            }
        }
    }

    /// Whether the file may be read.
    fn is_finished(&self) -> bool {
        let unfinished = self.watch.as_ref().and_then(Watch::unfinished);
        self.is_wanted || unfinished.is_none()
    }

    /// Has every shard take over a configuration.
    fn tell(
        &mut self,
        config: &Arc<BrokerConfig>,
        supervisor: &Supervisor,
        shards: Shards<'_>,
    ) -> Result<(), Refusal> {
        // The late answer to an earlier one is nobody's any more.
        while shards.events.wait_for(Duration::ZERO).is_some() {}
        let command = ShardCommand::Reload(Arc::clone(config));
        if shards.commands.try_send(command).is_err() {
            return Err(Refusal::Invalid("the shards do not listen".to_owned()));
        }
        let deadline = Instant::now() + ANSWER_TIME_MAX;
        while Instant::now() < deadline {
            match shards.events.wait_for(EVENT_WAIT) {
                Some(ShardEvent::Reloaded(outcome)) => return outcome.map_err(Refusal::Invalid),
                Some(ShardEvent::Ready | ShardEvent::Failed(_) | ShardEvent::Drained { .. })
                | None => {}
            }
            match supervisor.wait_for(Duration::ZERO) {
                Some(Event::Nudged) => supervisor.nudge().send(),
                Some(Event::HangUp) => {
                    self.is_wanted = true;
                    supervisor.nudge().send();
                }
                Some(urgent @ (Event::Terminate | Event::ShardEnded(_))) => {
                    return Err(Refusal::Interrupted(urgent));
                }
                None => {}
            }
        }
        let seconds = ANSWER_TIME_MAX.as_secs();
        Err(Refusal::Invalid(format!(
            "the shards have not answered within {seconds} s"
        )))
    }
}

fn refuse(reason: &impl std::fmt::Display) {
    for line in reason.to_string().lines() {
        tracing::error!("the changed configuration is refused, the old values stay: {line}");
    }
}

fn log_changes(config: &BrokerConfig, changes: &[Change], what: &str) {
    for change in changes.iter().take(CHANGES_MAX) {
        let origin = config.origin(change.key);
        tracing::info!("{what}: {change} ({origin})");
    }
}
