//! Dumps of the flight recorder: files of lines, each a JSON object. The first says why and when, the others are events.
//!
//! They are written on a thread of their own, that of the process' end or the one that waits for [`DumpRequests`], or by
//! whoever asks for one; never by a shard. The names begin alike and hold the time, so that the oldest are found and removed.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Result, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use io::Instant;
use serde_json::json;
use types::ShardId;

use super::{Recorder, json};
use crate::clock;

/// The most events of one dump, over all shards: less than 100 MB.
pub const DUMP_EVENTS_MAX: usize = 1 << 18;
/// Stalls are dumped at most this often; those between say little else.
const STALL_INTERVAL: Duration = Duration::from_secs(60);
/// Requests that may wait.
const REQUESTS_MAX: usize = 4;
/// How long the end of the process waits for its dump.
const END_WAIT: Duration = Duration::from_secs(3);

/// How names of dumps begin and end.
const PREFIX: &str = "logan-recorder-";
const SUFFIX: &str = ".jsonl";

/// Why there is a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpReason {
    /// Somebody asks for one.
    Asked,
    /// A thread has panicked that the broker cannot go on without.
    Panic {
        /// What it said, and where.
        message: String,
    },
    /// A shard does not answer.
    Stall {
        /// Which.
        shard: ShardId,
        /// For how long it has not.
        delay: Duration,
        /// The task that runs there.
        task: String,
    },
}

impl DumpReason {
    fn name(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Panic { .. } => "panic",
            Self::Stall { .. } => "stall",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Asked => "somebody has asked for it".to_owned(),
            Self::Panic { message } => message.clone(),
            Self::Stall { shard, delay, task } => {
                format!("shard {shard} has not answered for {delay:?}; it runs {task}")
            }
        }
    }
}

impl Recorder {
    /// Writes what all shards have recorded to a new file, and removes the oldest ones that are too many. Returns its path.
    ///
    /// # Errors
    /// The operating system's.
    pub fn dump(&self, reason: &DumpReason) -> Result<PathBuf> {
        let written = self.write_dump(reason);
        let counter = match written {
            Ok(_) => &self.0.dumps,
            Err(_) => &self.0.failed_dumps,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        written
    }

    fn write_dump(&self, reason: &DumpReason) -> Result<PathBuf> {
        // Whoever has panicked with it has left a file that is cut short.
        let _writing = self
            .0
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let settings = &self.0.settings;
        fs::create_dir_all(&settings.directory)?;
        make_room(&settings.directory, settings.dumps_max)?;
        let clocks = json::Clocks::now();
        let path = settings.directory.join(name_at(SystemTime::now(), reason));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(&path)?;
        let mut file = BufWriter::new(file);
        let head = json!({
            "logan": settings.version,
            "reason": reason.name(),
            "detail": reason.detail(),
            "timestamp": clocks.wall().0,
            "monotonicNanos": clocks.monotonic().0,
            "shards": self.0.rings.len(),
        });
        writeln!(file, "{head}")?;
        for event in self.read(None, DUMP_EVENTS_MAX) {
            let line = json::object(&event, &clocks, settings.api_name);
            writeln!(file, "{line}")?;
        }
        file.flush()?;
        Ok(path)
    }
}

/// `logan-recorder-<nanoseconds since 1970>-<reason>.jsonl`: in the order of time.
fn name_at(now: SystemTime, reason: &DumpReason) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.unwrap_or_default().as_nanos();
    format!("{PREFIX}{nanos:020}-{}{SUFFIX}", reason.name())
}

/// Removes the oldest dumps, so that with another one there are no more than `dumps_max`.
fn make_room(directory: &Path, dumps_max: usize) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let is_dump = name
            .to_str()
            .is_some_and(|it| it.starts_with(PREFIX) && it.ends_with(SUFFIX));
        if is_dump {
            names.push(name);
        }
    }
    names.sort_unstable();
    let surplus = (names.len() + 1).saturating_sub(dumps_max.max(1));
    for name in names.iter().take(surplus) {
        fs::remove_file(directory.join(name))?;
    }
    Ok(())
}

/// Dumps for a panic, from the thread that panicks, on another one: what this one holds and has left half-done does not
/// matter there. Waits until that is done, but not for long. Whoever comes second waits likewise and dumps nothing.
pub(crate) fn dump_at_the_end(recorder: &Recorder, message: String) -> Option<PathBuf> {
    static BEGUN: Once = Once::new();
    if !recorder.is_on() {
        return None;
    }
    let mut is_first = false;
    BEGUN.call_once(|| is_first = true);
    if !is_first {
        // The first one ends the process.
        thread::sleep(END_WAIT);
        return None;
    }
    let (done, is_done) = flume::bounded(1);
    let recorder = recorder.clone();
    let thread = thread::Builder::new().name("dump".to_owned());
    let started = thread.spawn(move || {
        let dumped = recorder.dump(&DumpReason::Panic { message });
        // Nobody waits any more when it has taken too long.
        drop(done.send(dumped.ok()));
    });
    started.ok()?;
    is_done.recv_timeout(END_WAIT).ok().flatten()
}

/// Where the watchdog says that a shard stalls; it never waits.
#[derive(Clone, Debug)]
pub(crate) struct DumpRequests(flume::Sender<DumpReason>);

impl DumpRequests {
    pub(crate) fn send(&self, reason: DumpReason) {
        // What does not fit is a stall beside others.
        drop(self.0.try_send(reason));
    }
}

/// The thread that dumps for the watchdog; it ends when all [`DumpRequests`] are gone.
#[derive(Debug)]
pub(crate) struct Dumper(Option<JoinHandle<()>>);

impl Dumper {
    /// Starts it, if anything is recorded.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn start(recorder: &Recorder) -> Result<(Self, Option<DumpRequests>)> {
        if !recorder.is_on() {
            return Ok((Self(None), None));
        }
        let (requests, received) = flume::bounded(REQUESTS_MAX);
        let recorder = recorder.clone();
        let thread = thread::Builder::new()
            .name("dump".to_owned())
            .spawn(move || dump_stalls(&recorder, &received))?;
        Ok((Self(Some(thread)), Some(DumpRequests(requests))))
    }
}

impl Drop for Dumper {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that dumps the flight recorder has panicked");
        }
    }
}

fn dump_stalls(recorder: &Recorder, requests: &flume::Receiver<DumpReason>) {
    let mut last: Option<Instant> = None;
    while let Ok(reason) = requests.recv() {
        let now = clock::now();
        if last.is_some_and(|last| now.saturating_since(last) < STALL_INTERVAL) {
            continue;
        }
        last = Some(now);
        match recorder.dump(&reason) {
            Ok(path) => {
                tracing::warn!(path = %path.display(), "{}: what the shards did before is written down", reason.detail())
            }
            Err(error) => tracing::error!(
                directory = %recorder.directory().display(), %error,
                "{}: what the shards did before cannot be written down", reason.detail()
            ),
        }
    }
}
