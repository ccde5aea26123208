//! The flight recorder: each shard keeps its last events in a ring of its own, for whoever wants to know what it did before
//! something went wrong.
//!
//! The shard alone writes its ring, some nanoseconds for an event; every other thread may read it at any time, also when the
//! shard hangs or has panicked ([`ring`]). What is read becomes a file ([`dump`]) when the process ends by a panic and when a
//! shard stalls, and an answer of the admin API.
//!
//! # Invariants
//! - The shard's thread writes no file, takes no lock and allocates nothing for an event.
//! - A dump has at most [`DUMP_EVENTS_MAX`] events, and the directory at most so many dumps as the settings say.
//!
//! Deliberately absent: anything that clients store, and events of other threads.

mod dump;
mod json;
pub(crate) mod ring;

/// What rings are made of.
pub(crate) mod atomic {
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
}

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use io::Instant;
use types::{EVENT_WORDS, Event, ShardId};

use crate::clock;
pub use dump::{DUMP_EVENTS_MAX, DumpReason};
pub(crate) use dump::{DumpRequests, Dumper, dump_at_the_end};
use ring::{Ring, RingWriter, ring};

/// An event's words, and the time before them.
const WORDS: usize = EVENT_WORDS + 1;

/// What a recorder keeps, and where it dumps that.
#[derive(Clone, Debug)]
pub struct RecorderSettings {
    /// The events that each shard keeps at least; 0 keeps none.
    pub events: usize,
    /// Where dumps are written.
    pub directory: PathBuf,
    /// The dumps that are kept there; older ones are removed.
    pub dumps_max: usize,
    /// How long a shard must have stalled for a dump.
    pub stall_min: Duration,
    /// The program's version, for dumps.
    pub version: &'static str,
    /// The names of APIs, by their keys.
    pub api_name: fn(i16) -> Option<&'static str>,
}

impl RecorderSettings {
    /// Records nothing.
    #[must_use]
    pub fn off() -> Self {
        Self {
            events: 0,
            directory: PathBuf::new(),
            dumps_max: 0,
            stall_min: Duration::MAX,
            version: "",
            api_name: |_| None,
        }
    }
}

/// An event of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Whose.
    pub shard: ShardId,
    /// The how manieth of the shard it was.
    pub number: u64,
    /// When, by the monotonic clock.
    pub at: Instant,
    /// What.
    pub event: Event,
}

/// Reads what all shards have recorded, from any thread.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: RecorderSettings,
    /// By shard; each makes its own when it starts, in memory of its node.
    rings: Box<[OnceLock<Arc<Ring<WORDS>>>]>,
    /// Held while a dump is written: one at a time.
    writing: Mutex<()>,
    dumps: AtomicU64,
    failed_dumps: AtomicU64,
}

/// What a shard writes to, and it alone.
#[derive(Debug, Default)]
pub struct Tape(Option<RingWriter<WORDS>>);

impl Tape {
    /// Notes what has happened at this time.
    #[inline]
    pub fn record(&self, at: Instant, event: &Event) {
        if let Some(writer) = &self.0 {
            let [first, second, third, fourth, fifth, sixth] = event.to_words();
            writer.write([at.0, first, second, third, fourth, fifth, sixth]);
        }
    }
}

impl Recorder {
    /// Makes one for so many shards.
    #[must_use]
    pub fn new(settings: RecorderSettings, shards: usize) -> Self {
        let rings = (0..shards).map(|_| OnceLock::new());
        Self(Arc::new(Inner {
            settings,
            rings: rings.collect(),
            writing: Mutex::default(),
            dumps: AtomicU64::new(0),
            failed_dumps: AtomicU64::new(0),
        }))
    }

    /// One that records nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::new(RecorderSettings::off(), 0)
    }

    /// Whether anything is recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.settings.events > 0
    }

    /// How many shards it is made for.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.0.rings.len()
    }

    /// Where dumps are written.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0.settings.directory
    }

    pub(crate) fn stall_min(&self) -> Duration {
        self.0.settings.stall_min
    }

    /// What the shard of this number writes to. It is made once, by the shard's thread; a second one records nothing.
    #[must_use]
    pub fn tape(&self, shard: ShardId) -> Tape {
        let place = self.0.rings.get(usize::from(shard.0));
        let Some(place) = place.filter(|_| self.is_on()) else {
            return Tape::default();
        };
        let (writer, ring) = ring(self.0.settings.events);
        match place.set(ring) {
            Ok(()) => Tape(Some(writer)),
            Err(_there) => Tape::default(),
        }
    }

    /// The last events of a shard, or of all: at most so many, the newest of them, in the order of time.
    #[must_use]
    pub fn read(&self, shard: Option<ShardId>, events_max: usize) -> Vec<Recorded> {
        let shards = (0..).map(ShardId).zip(&self.0.rings);
        let wanted = shards.filter(|(number, _)| shard.is_none_or(|it| it == *number));
        let mut events = Vec::new();
        for (shard, place) in wanted {
            let Some(ring) = place.get() else { continue };
            let entries = ring.read();
            let surplus = entries.len().saturating_sub(events_max);
            let last = entries.into_iter().skip(surplus);
            events.extend(last.filter_map(|(number, [at, words @ ..])| {
                Some(Recorded {
                    shard,
                    number,
                    at: Instant(at),
                    event: Event::of_words(words)?,
                })
            }));
        }
        events.sort_by_key(|it| it.at);
        let surplus = events.len().saturating_sub(events_max);
        events.drain(..surplus);
        events
    }

    /// The last events as [`Recorder::read`] gives them, each as a JSON object.
    #[must_use]
    pub fn read_json(&self, shard: Option<ShardId>, events_max: usize) -> Vec<serde_json::Value> {
        let clocks = json::Clocks::now();
        let events = self.read(shard, events_max).into_iter();
        let api_name = self.0.settings.api_name;
        let object = |it| json::object(&it, &clocks, api_name);
        events.map(object).collect()
    }

    /// How many dumps were written, and how many could not be.
    #[must_use]
    pub fn dumps(&self) -> (u64, u64) {
        let count = |it: &AtomicU64| it.load(std::sync::atomic::Ordering::Relaxed);
        (count(&self.0.dumps), count(&self.0.failed_dumps))
    }
}

#[cfg(test)]
mod tests;
