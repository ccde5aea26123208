//! How an event lies in six words.
//!
//! | word | of a request or a connection | of a log | of the others |
//! |---|---|---|---|
//! | 0 | kind (8 bits), flag (8), API (16), correlation id (32) | kind, flag, -, partition | kind, flag, -, number |
//! | 1, 2 | the address, as one of IPv6 | the name | - |
//! | 3 | port (16), version (16), bytes (32) | the name | - |
//! | 4 | nanoseconds | nanoseconds | nanoseconds |
//! | 5 | - | - | - |

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{CloseReason, EVENT_WORDS, Event, LogName, MessageLane, RequestName, ShortName};
use crate::{PartitionIndex, ShardId};

/// The kinds, which word 0 begins with. A dump is read by the program that wrote it, so they may change.
mod kind {
    pub(super) const REQUEST_BEGUN: u8 = 1;
    pub(super) const REQUEST_ENDED: u8 = 2;
    pub(super) const REQUEST_PANICKED: u8 = 3;
    pub(super) const CONNECTION_OPENED: u8 = 4;
    pub(super) const CONNECTION_CLOSED: u8 = 5;
    pub(super) const SYNC_SUBMITTED: u8 = 6;
    pub(super) const SYNC_COMPLETED: u8 = 7;
    pub(super) const LOG_FENCED: u8 = 8;
    pub(super) const MESSAGE_SLOW: u8 = 9;
    pub(super) const STALLED: u8 = 10;
    pub(super) const PARTITION_OPENED: u8 = 11;
    pub(super) const PARTITION_RELEASED: u8 = 12;
    pub(super) const GROUPS_REBALANCED: u8 = 13;
    pub(super) const DIRECTORY_FAILED: u8 = 14;
    pub(super) const DRAINING: u8 = 15;
}

impl Event {
    /// The event as words.
    #[must_use]
    #[inline]
    pub fn to_words(&self) -> [u64; EVENT_WORDS] {
        match *self {
            Self::RequestBegun { request, bytes } => {
                of_request(kind::REQUEST_BEGUN, request, bytes, Duration::ZERO)
            }
            Self::RequestEnded { request, took } => {
                of_request(kind::REQUEST_ENDED, request, 0, took)
            }
            Self::RequestPanicked { request } => {
                of_request(kind::REQUEST_PANICKED, request, 0, Duration::ZERO)
            }
            Self::ConnectionOpened { peer, has_moved } => {
                of_connection(kind::CONNECTION_OPENED, peer, has_moved.into())
            }
            Self::ConnectionClosed { peer, reason } => {
                of_connection(kind::CONNECTION_CLOSED, peer, reason as u8)
            }
            Self::SyncSubmitted { log } => of_log(kind::SYNC_SUBMITTED, log, false, Duration::ZERO),
            Self::SyncCompleted { log, took, is_ok } => {
                of_log(kind::SYNC_COMPLETED, log, is_ok, took)
            }
            Self::LogFenced { log } => of_log(kind::LOG_FENCED, log, false, Duration::ZERO),
            Self::PartitionOpened { log } => {
                of_log(kind::PARTITION_OPENED, log, false, Duration::ZERO)
            }
            Self::PartitionReleased { log } => {
                of_log(kind::PARTITION_RELEASED, log, false, Duration::ZERO)
            }
            Self::MessageSlow { shard, lane, took } => {
                of_number(kind::MESSAGE_SLOW, lane as u8, shard.0.into(), took)
            }
            Self::Stalled { took } => of_number(kind::STALLED, 0, 0, took),
            Self::GroupsRebalanced {
                partition,
                rebalances,
            } => {
                let mut words = of_number(
                    kind::GROUPS_REBALANCED,
                    0,
                    partition.0.cast_unsigned(),
                    Duration::ZERO,
                );
                words[1] = rebalances.into();
                words
            }
            Self::DirectoryFailed { index } => {
                of_number(kind::DIRECTORY_FAILED, 0, index, Duration::ZERO)
            }
            Self::Draining => of_number(kind::DRAINING, 0, 0, Duration::ZERO),
        }
    }

    /// The event that these words are; `None` when they are none.
    #[must_use]
    pub fn of_words(words: [u64; EVENT_WORDS]) -> Option<Self> {
        let head = Head::of(words[0]);
        let took = Duration::from_nanos(words[4]);
        let request = || RequestName {
            api: head.short.cast_signed(),
            version: half(words[3], 1).cast_signed(),
            correlation_id: head.long.cast_signed(),
            peer: peer_of(words),
        };
        let log = || LogName {
            topic: ShortName::of_words([words[1], words[2], words[3]]),
            partition: PartitionIndex(head.long.cast_signed()),
        };
        Some(match head.kind {
            kind::REQUEST_BEGUN => Self::RequestBegun {
                request: request(),
                bytes: upper(words[3]),
            },
            kind::REQUEST_ENDED => Self::RequestEnded {
                request: request(),
                took,
            },
            kind::REQUEST_PANICKED => Self::RequestPanicked { request: request() },
            kind::CONNECTION_OPENED => Self::ConnectionOpened {
                peer: peer_of(words),
                has_moved: head.flag != 0,
            },
            kind::CONNECTION_CLOSED => Self::ConnectionClosed {
                peer: peer_of(words),
                reason: *CloseReason::ALL.get(usize::from(head.flag))?,
            },
            kind::SYNC_SUBMITTED => Self::SyncSubmitted { log: log() },
            kind::SYNC_COMPLETED => Self::SyncCompleted {
                log: log(),
                took,
                is_ok: head.flag != 0,
            },
            kind::LOG_FENCED => Self::LogFenced { log: log() },
            kind::PARTITION_OPENED => Self::PartitionOpened { log: log() },
            kind::PARTITION_RELEASED => Self::PartitionReleased { log: log() },
            kind::MESSAGE_SLOW => Self::MessageSlow {
                shard: ShardId(u16::try_from(head.long).ok()?),
                lane: *MessageLane::ALL.get(usize::from(head.flag))?,
                took,
            },
            kind::STALLED => Self::Stalled { took },
            kind::GROUPS_REBALANCED => Self::GroupsRebalanced {
                partition: PartitionIndex(head.long.cast_signed()),
                rebalances: u32::try_from(words[1]).ok()?,
            },
            kind::DIRECTORY_FAILED => Self::DirectoryFailed { index: head.long },
            kind::DRAINING => Self::Draining,
            _ => return None,
        })
    }
}

/// Word 0.
struct Head {
    kind: u8,
    flag: u8,
    short: u16,
    long: u32,
}

impl Head {
    #[inline]
    fn word(self) -> u64 {
        let [kind, flag] = [self.kind, self.flag].map(u64::from);
        kind | flag << 8 | u64::from(self.short) << 16 | u64::from(self.long) << 32
    }

    fn of(word: u64) -> Self {
        let [kind, flag, ..] = word.to_le_bytes();
        Self {
            kind,
            flag,
            short: half(word, 1),
            long: upper(word),
        }
    }
}

/// One of the four 16-bit parts of a word, the lowest first.
fn half(word: u64, place: u32) -> u16 {
    u16::try_from(word >> (16 * place) & 0xFFFF).expect("16 bits are left")
}

/// The upper 32 bits of a word.
fn upper(word: u64) -> u32 {
    u32::try_from(word >> 32).expect("32 bits are left")
}

#[inline]
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[inline]
fn of_request(kind: u8, request: RequestName, bytes: u32, took: Duration) -> [u64; EVENT_WORDS] {
    let head = Head {
        kind,
        flag: 0,
        short: request.api.cast_unsigned(),
        long: request.correlation_id.cast_unsigned(),
    };
    let [low, high] = address(request.peer);
    let port = u64::from(request.peer.port());
    let version = u64::from(request.version.cast_unsigned());
    let third = port | version << 16 | u64::from(bytes) << 32;
    [head.word(), low, high, third, nanos(took), 0]
}

#[inline]
fn of_connection(kind: u8, peer: SocketAddr, flag: u8) -> [u64; EVENT_WORDS] {
    let head = Head {
        kind,
        flag,
        short: 0,
        long: 0,
    };
    let [low, high] = address(peer);
    [head.word(), low, high, peer.port().into(), 0, 0]
}

#[inline]
fn of_log(kind: u8, log: LogName, flag: bool, took: Duration) -> [u64; EVENT_WORDS] {
    let head = Head {
        kind,
        flag: flag.into(),
        short: 0,
        long: log.partition.0.cast_unsigned(),
    };
    let [first, second, third] = log.topic.words();
    [head.word(), first, second, third, nanos(took), 0]
}

#[inline]
fn of_number(kind: u8, flag: u8, number: u32, took: Duration) -> [u64; EVENT_WORDS] {
    let head = Head {
        kind,
        flag,
        short: 0,
        long: number,
    };
    [head.word(), 0, 0, 0, nanos(took), 0]
}

#[inline]
fn address(peer: SocketAddr) -> [u64; 2] {
    let bits = match peer.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let low = u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits are left");
    let high = u64::try_from(bits >> 64).expect("64 bits are left");
    [low, high]
}

fn peer_of(words: [u64; EVENT_WORDS]) -> SocketAddr {
    let bits = u128::from(words[1]) | u128::from(words[2]) << 64;
    let ip = IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical();
    SocketAddr::new(ip, half(words[3], 0))
}
