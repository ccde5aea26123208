//! Consumer groups and committed offsets: the coordinator of one partition of `__consumer_offsets`.
//!
//! A core without I/O, clock, randomness or tasks. [`GroupCoordinator::decide`] takes a request and says which
//! records to write and whom to answer what; the host appends the records as one batch, gives each to
//! [`GroupCoordinator::apply`] at once, and holds the replies until the log is durable up to them. Deadlines, which are
//! sessions, rebalances and the expiry of offsets, reach it through [`GroupCoordinator::next_deadline`] and
//! [`GroupCoordinator::on_deadline`]. A coordinator lives on the shard that owns its partition; it is plain data and
//! used by one core at a time.
//!
//! # Invariants
//! - Durable state changes only through `apply`: replaying the log gives what was there before.
//! - What a decision needs beyond the log (sessions, members that wait for a rebalance) is soft: it begins anew when
//!   the coordinator is loaded.
//! - What is kept of a request is copied out of its frame.
//! - Whatever clients can make grow has a bound, and all groups together have one in bytes
//!   ([`GroupConfig::memory_max_bytes`]).
//!
//! Deliberately absent: which partition a group belongs to, and loading, which are the host's; transactional offset
//! commits; share and streams groups, whose records are skipped.
//!
//! Source: KIP-211, KIP-345, KIP-394, KIP-429, KIP-848; behaviour of Apache Kafka 4.3.1 where they are silent.

mod assignor;
mod classic;
mod config;
mod consumer;
mod context;
mod coordinator;
mod counters;
mod decision;
mod error;
mod group;
mod memory;
mod note;
mod offsets;
pub mod record;
mod regex;

pub use classic::join_group_error;
pub use config::{ConsumerGroupConfig, GroupConfig, MigrationPolicy};
pub use context::{Caller, Context, Instant, Ticket, Topic, Topics};
pub use coordinator::{Census, GroupCoordinator, GroupFacts, GroupFilter, ListedPart};
pub use counters::Counters;
pub use decision::{Decision, Reply, Request};
pub use error::GroupError;
pub use memory::MemoryShares;
pub use note::{Happened, Note};
pub use record::GroupRecord;
