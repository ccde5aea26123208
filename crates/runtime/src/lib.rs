//! The glommio implementation of `io`, and the process around it: pinned shards, router, watchdog, signals.
//!
//! This is the only crate that names glommio.
//!
//! | thread | what it does |
//! |---|---|
//! | `shard-*` | one glommio executor each, pinned: [`Shards`], [`GlommioIo`] |
//! | `helper-*` | blocking calls for all shards: [`Helper`] |
//! | `router` | accepts and hands connections over: [`Router`] |
//! | `watchdog` | wakes shards and measures their delay: [`Delays`] |
//! | `dump` | writes the flight recorder down when a shard stalls: [`Recorder`] |
//! | `signals` | SIGTERM and SIGINT: [`Supervisor`] |
//!
//! # Invariants
//! - No queue has a latency target and the preempt timer keeps its default; the watchdog pings every shard.
//! - No shard polls for disk completions: [`GlommioIo::prepare_data_directory`] runs before any other file is opened.
//! - A panic outside [`io::contain`] on a shard, or on a thread that the broker needs, ends the process.

mod buffer;
mod clock;
mod cores;
mod crossing;
mod directory;
mod entropy;
mod file;
mod helper;
mod host;
mod lease;
mod mailbox;
mod panics;
mod probe;
mod recorder;
mod router;
mod shard_io;
mod shards;
mod stream;
mod supervisor;
mod task;
mod task_names;
mod watchdog;

/// The atomics of `crossing`, which `tests/loom` exchanges for others.
mod atomics {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
}

pub use buffer::Buffer;
pub use clock::now as monotonic_now;
pub use cores::{CorePlan, Seat, stay_on};
pub use file::File;
pub use helper::Helper;
pub use host::{Facts, HostError, raise_descriptor_limit};
pub use mailbox::{Receiver, Sender};
pub use panics::{EXIT_CODE_PANIC, on_fatal_panic};
pub use recorder::{DUMP_EVENTS_MAX, DumpReason, Recorded, Recorder, RecorderSettings, Tape};
pub use router::{
    Accepted, ConnectionLimits, LimitSetter, ListenAddress, ListenError, Listeners, Router,
    RouterCounters, RouterSettings,
};
pub use shard_io::GlommioIo;
pub use shards::{Shards, StartError};
pub use stream::{ReadHalf, Socket, Stream, WriteHalf};
pub use supervisor::{Event, Nudge, Supervisor};
pub use task::Task;
pub use watchdog::{Delays, ShardDelays, Stalls};
