//! What a shard remembers of what it has done: plain values that fit a slot of the flight recorder.
//!
//! An event is six words, so that noting one allocates nothing and copies little. Names are cut to [`NAME_BYTES_MAX`].
//! Deliberately absent: records, keys, and whatever else clients store.

mod name;
mod words;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use crate::{PartitionIndex, ShardId};

pub use name::{NAME_BYTES_MAX, ShortName};

/// Words that an event is stored in.
pub const EVENT_WORDS: usize = 6;

/// A log, as far as its name fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogName {
    /// The topic.
    pub topic: ShortName,
    /// The partition.
    pub partition: PartitionIndex,
}

/// Which request of which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestName {
    /// The key of the API.
    pub api: i16,
    /// Its version.
    pub version: i16,
    /// What the client counts its requests by.
    pub correlation_id: i32,
    /// The client's address.
    pub peer: SocketAddr,
}

/// Why a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client has closed it.
    Ended,
    /// It has moved to another shard.
    Moved,
    /// The client has sent what ends a connection.
    Refused,
    /// Reading or writing has failed.
    Failed,
    /// It was closed as one that is idle or stuck.
    Swept,
    /// The shard drains.
    Drained,
}

/// How a message travels between shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageLane {
    /// Appends, reads and look-ups.
    Request,
    /// Metadata, moves of connections and partitions, shutdown.
    Control,
}

/// Something that has happened on a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handler of a request begins.
    RequestBegun {
        /// The request.
        request: RequestName,
        /// Its size.
        bytes: u32,
    },
    /// The last byte of its response is with the kernel, or it has none.
    RequestEnded {
        /// The request.
        request: RequestName,
        /// The time since its last byte was read.
        took: Duration,
    },
    /// A panic ended the connection of this request, and nothing else.
    RequestPanicked {
        /// The request.
        request: RequestName,
    },
    /// The shard serves a connection.
    ConnectionOpened {
        /// The client's address.
        peer: SocketAddr,
        /// Whether another shard has handed it over.
        has_moved: bool,
    },
    /// The shard does not serve a connection any more.
    ConnectionClosed {
        /// The client's address.
        peer: SocketAddr,
        /// Why.
        reason: CloseReason,
    },
    /// A segment is being synced.
    SyncSubmitted {
        /// The log.
        log: LogName,
    },
    /// The sync of a segment has come back.
    SyncCompleted {
        /// The log.
        log: LogName,
        /// How long it took.
        took: Duration,
        /// Whether it has succeeded.
        is_ok: bool,
    },
    /// A log has been stopped for good after a failed write or sync.
    LogFenced {
        /// The log.
        log: LogName,
    },
    /// A message to another shard was answered late.
    MessageSlow {
        /// The other shard.
        shard: ShardId,
        /// How it travelled.
        lane: MessageLane,
        /// The time until its reply.
        took: Duration,
    },
    /// The shard has answered the watchdog late.
    Stalled {
        /// How late.
        took: Duration,
    },
    /// The shard leads a partition from now on.
    PartitionOpened {
        /// Its log.
        log: LogName,
    },
    /// A partition goes to another shard.
    PartitionReleased {
        /// Its log.
        log: LogName,
    },
    /// Groups of a partition of `__consumer_offsets` have ended rebalances.
    GroupsRebalanced {
        /// The partition.
        partition: PartitionIndex,
        /// How many rebalances that were.
        rebalances: u32,
    },
    /// A log directory cannot be used any more.
    DirectoryFailed {
        /// Its place in the configuration.
        index: u32,
    },
    /// The shard answers what is under way, and ends.
    Draining,
}

/// A value that an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventValue {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// A time span.
    Span(Duration),
    /// Yes or no.
    Is(bool),
    /// The key of an API.
    Api(i16),
}

impl Event {
    /// What has happened, as one word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RequestBegun { .. } => "request-begun",
            Self::RequestEnded { .. } => "request-ended",
            Self::RequestPanicked { .. } => "request-panicked",
            Self::ConnectionOpened { .. } => "connection-opened",
            Self::ConnectionClosed { .. } => "connection-closed",
            Self::SyncSubmitted { .. } => "sync-submitted",
            Self::SyncCompleted { .. } => "sync-completed",
            Self::LogFenced { .. } => "log-fenced",
            Self::MessageSlow { .. } => "message-slow",
            Self::Stalled { .. } => "stalled",
            Self::PartitionOpened { .. } => "partition-opened",
            Self::PartitionReleased { .. } => "partition-released",
            Self::GroupsRebalanced { .. } => "groups-rebalanced",
            Self::DirectoryFailed { .. } => "directory-failed",
            Self::Draining => "draining",
        }
    }

    /// What it tells besides, by name.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, EventValue)> {
        use EventValue::{Is, Number, Span, Text};
        match *self {
            Self::RequestBegun { request, bytes } => {
                let mut fields = request.fields();
                fields.push(("bytes", Number(bytes.into())));
                fields
            }
            Self::RequestEnded { request, took } => {
                let mut fields = request.fields();
                fields.push(("took", Span(took)));
                fields
            }
            Self::RequestPanicked { request } => request.fields(),
            Self::ConnectionOpened { peer, has_moved } => {
                vec![client(peer), ("hasMoved", Is(has_moved))]
            }
            Self::ConnectionClosed { peer, reason } => {
                vec![client(peer), ("reason", Text(reason.name().to_owned()))]
            }
            Self::SyncSubmitted { log }
            | Self::LogFenced { log }
            | Self::PartitionOpened { log }
            | Self::PartitionReleased { log } => log.fields(),
            Self::SyncCompleted { log, took, is_ok } => {
                let mut fields = log.fields();
                fields.extend([("took", Span(took)), ("isOk", Is(is_ok))]);
                fields
            }
            Self::MessageSlow { shard, lane, took } => vec![
                ("to", Number(shard.0.into())),
                ("lane", Text(lane.name().to_owned())),
                ("took", Span(took)),
            ],
            Self::Stalled { took } => vec![("took", Span(took))],
            Self::GroupsRebalanced {
                partition,
                rebalances,
            } => vec![
                ("partition", Number(partition.0.into())),
                ("rebalances", Number(rebalances.into())),
            ],
            Self::DirectoryFailed { index } => vec![("directory", Number(index.into()))],
            Self::Draining => Vec::new(),
        }
    }
}

fn client(peer: SocketAddr) -> (&'static str, EventValue) {
    ("client", EventValue::Text(peer.to_string()))
}

impl RequestName {
    fn fields(self) -> Vec<(&'static str, EventValue)> {
        vec![
            ("api", EventValue::Api(self.api)),
            ("version", EventValue::Number(self.version.into())),
            (
                "correlationId",
                EventValue::Number(self.correlation_id.into()),
            ),
            client(self.peer),
        ]
    }
}

impl LogName {
    fn fields(self) -> Vec<(&'static str, EventValue)> {
        vec![
            ("topic", EventValue::Text(self.topic.to_string())),
            ("partition", EventValue::Number(self.partition.0.into())),
        ]
    }
}

impl CloseReason {
    const ALL: [Self; 6] = [
        Self::Ended,
        Self::Moved,
        Self::Refused,
        Self::Failed,
        Self::Swept,
        Self::Drained,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Moved => "moved",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Swept => "swept",
            Self::Drained => "drained",
        }
    }
}

impl MessageLane {
    const ALL: [Self; 2] = [Self::Request, Self::Control];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Control => "control",
        }
    }
}
