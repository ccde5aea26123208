//! A lean Kafka client for Logan's tools, benchmarks and tests.
//!
//! Blocking sockets of the standard library, one owner, no threads: a [`Client`] (and what is built on it) lives on
//! the thread that calls it, and every call ends within the limits of its [`ClientConfig`]. It speaks the versions
//! that both sides know, follows leaders as metadata and KIP-951 name them, pipelines requests within a bound, and
//! retries what Kafka calls retriable with a bounded back-off.
//!
//! # Entry points
//! - [`Client`]: metadata, administration, offsets, single produce and fetch requests.
//! - [`Producer`]: batches, partitions, pipelines, and retries in order; idempotent where asked.
//! - [`Consumer`]: reads assigned partitions from given offsets with long polls to every leader at once.
//! - [`Connection`]: one connection, for tests and benchmarks that need to see single requests.
//!
//! # Invariants
//! - Nothing is trusted because a broker said it: lengths are bounded before memory is taken, checksums are verified.
//! - A connection that failed in the middle of a frame is never used again.
//! - There is one connection for each node id, also where several nodes share an address.
//!
//! It administers groups and deliberately joins none; it has no transactions, fetch sessions, TLS or SASL, and no pauses for a throttle
//! time: brokers hold the connection back themselves (KIP-219).

mod admin;
mod client;
mod cluster;
mod config;
mod connection;
mod consumer;
mod error;
mod fetch;
mod offsets;
mod partitioner;
mod produce;
mod producer;
mod retry;
mod visit;

pub use admin::{
    Committed, CommittedOffsets, ConfigChange, ConfigDetail, ConfigEntry, ConfigResource,
    ConfigSource, ConfigSynonym, CreatedTopic, GroupDescription, GroupMember, ListedGroup, LogDir,
    LogDirReplica, NewTopic, Reassignment, TopicPartition,
};
pub use client::Client;
pub use cluster::{Cluster, Leader, NodeAddress, PartitionDescription, TopicDescription};
pub use config::{Acks, ClientConfig, RetryPolicy};
pub use connection::{Connection, SubmitOptions, Ticket};
pub use consumer::{Consumer, Delivered};
pub use error::{ClientError, ResponseFault};
pub use fetch::{FetchLimits, FetchedPartition};
pub use offsets::{ListedOffset, OffsetSpec};
pub use partitioner::{Partitioner, murmur2};
pub use produce::Produced;
pub use producer::{PartitionTotals, Producer, ProducerConfig};
pub use visit::visit_records;
