//! What the host tells the core at each call: the time, a random number, and the cluster's topics.
//!
//! Plain data and one trait. Nothing here is kept beyond a call.

use std::time::Duration;

use protocol::Str;
use types::{TimestampMs, Uuid};

/// A point of monotonic time: the span since an arbitrary start that stays the same for the coordinator's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub Duration);

impl Instant {
    /// This long after; the end of time if that does not fit.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// The span since `earlier`; zero if that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A topic as groups see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id; a topic that is deleted and created again gets another.
    pub id: Uuid,
    /// The number of its partitions, at least 1.
    pub partitions: i32,
}

/// The topics of the cluster; they do not change during a call.
pub trait Topics {
    /// The topic of this name.
    fn by_name(&self, name: &str) -> Option<Topic>;

    /// The name and the topic of this id.
    fn by_id(&self, id: Uuid) -> Option<(&str, Topic)>;

    /// All names, in ascending order.
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_>;

    /// A number that grows with each change of the set of topics or of their partitions.
    fn version(&self) -> u64;
}

/// What the host knows at the moment of a call.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// For sessions and every other deadline.
    pub now: Instant,
    /// For commit timestamps and the retention of offsets.
    pub wall_clock: TimestampMs,
    /// Fresh for each call: what member ids are made of.
    pub random: Uuid,
    /// The cluster's topics.
    pub topics: &'a dyn Topics,
    /// Bytes that the groups of other coordinators take that share this one's
    /// [`GroupConfig::memory_max_bytes`](crate::GroupConfig::memory_max_bytes).
    pub memory_elsewhere_bytes: usize,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("wall_clock", &self.wall_clock)
            .field("random", &self.random)
            .field("memory_elsewhere_bytes", &self.memory_elsewhere_bytes)
            .finish_non_exhaustive()
    }
}

/// The host's name of a request that waits for its reply. The host never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where the reply goes.
    pub ticket: Ticket,
    /// The request's version.
    pub version: i16,
    /// The request header's client id; empty if it has none.
    pub client_id: Str,
    /// The client's address as Kafka writes it: `/127.0.0.1`.
    pub client_host: Str,
}
