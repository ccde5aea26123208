//! Options of the workloads. Their long names are the keys of scenario files.
//!
//! Names follow kafka-producer-perf-test and the OpenMessaging Benchmark where those have one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use client::Acks;
use command_line::parse_setting;
use records::Compression;
use serde::Serialize;

use super::values::{Cores, Span, parse_bytes, parse_ratio, parse_span_above_zero};
use crate::load::{Keys, Rate, Sizes};

/// How long, by whom, and what is kept of it.
#[derive(Clone, Debug, Args, Serialize)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunArgs {
    /// Measure for so long
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub(crate) duration: Span,
    /// Run for so long before, without measuring
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub(crate) warmup: Span,
    /// Worker threads; half of the cores if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Cores of the worker threads: auto (the last ones), none (not pinned), or a list
    #[arg(long, value_name = "CORES", default_value = "auto")]
    pub(crate) cores: Cores,
    /// Process id of the broker on this machine, to measure what it uses
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Write everything that was measured to this file, as JSON
    #[arg(long, value_name = "PATH")]
    #[serde(skip)]
    pub(crate) report: Option<PathBuf>,
    /// A line about this run in the report
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// Measure for so long what the same load reaches against a built-in sink that throws everything away
    #[arg(long, value_name = "DURATION")]
    pub(crate) ceiling: Option<Span>,
}

/// What is written to or read from.
#[derive(Clone, Debug, Args, Serialize)]
#[command(next_help_heading = "Topics")]
pub(crate) struct TopicArgs {
    /// Use this topic, which is created if it does not exist and kept; without it, topics are made for the run and deleted
    #[arg(long, value_name = "NAME")]
    pub(crate) topic: Option<String>,
    /// Topics to be made for the run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) topics: u16,
    /// Partitions of each topic
    #[arg(long, alias = "partitions", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub(crate) partitions_per_topic: i32,
    /// Copies of each partition
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i16).range(1..))]
    pub(crate) replication_factor: i16,
    /// A setting of the topics; may be given several times
    #[arg(long = "topic-config", value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub(crate) topic_configs: Vec<(String, String)>,
    /// Keep the topics that were made
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) keep_topics: bool,
}

/// What is sent.
#[derive(Clone, Debug, Args, Serialize)]
#[command(next_help_heading = "Producers")]
pub(crate) struct SendArgs {
    /// Producers, each with connections of its own; every one writes to all partitions
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) producers: u32,
    /// Bytes of a record's value: 1000, uniform:100-2000, normal:1000:200 or mix:100=9,10000=1
    #[arg(
        long,
        alias = "message-size",
        value_name = "SIZES",
        default_value = "1000"
    )]
    pub(crate) record_size: Sizes,
    /// Records a second of all producers together: max, 50000, 50MB, ramp:1000-50000 or steps:1000,5000
    #[arg(
        long,
        alias = "producer-rate",
        value_name = "RATE",
        default_value = "max",
        allow_hyphen_values = true
    )]
    pub(crate) throughput: Rate,
    /// End after so many records of all producers together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) num_records: Option<u64>,
    /// Largest batch before compression, in bytes
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = parse_bytes)]
    pub(crate) batch_size: u64,
    /// How long a batch may wait for more records
    #[arg(long, value_name = "DURATION", default_value = "0ms")]
    pub(crate) linger: Span,
    /// What must have happened before a record counts as sent
    #[arg(long, value_enum, default_value_t = AcksOption::All)]
    pub(crate) acks: AcksOption,
    /// Whether the broker recognises what is sent twice
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) idempotence: bool,
    /// How batches are compressed
    #[arg(long, value_enum, value_name = "CODEC", default_value_t = CodecOption::None)]
    pub(crate) compression: CodecOption,
    /// How many times smaller a good codec makes the values
    #[arg(long, value_name = "RATIO", default_value = "1", value_parser = parse_ratio)]
    pub(crate) compress_ratio: f64,
    /// Keys, which decide about partitions: none, uniform:1000 or zipf:1000:0.99
    #[arg(long, value_name = "KEYS", default_value = "none")]
    pub(crate) keys: Keys,
    /// Requests without an answer on each connection
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) in_flight: u16,
    /// Where the random numbers begin
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// How is read.
#[derive(Clone, Debug, Args, Serialize)]
#[command(next_help_heading = "Consumers")]
pub(crate) struct FetchArgs {
    /// Subscriptions, each of which reads everything
    #[arg(long, alias = "subscriptions-per-topic", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) subscriptions: u16,
    /// Consumers that share the partitions of a subscription
    #[arg(long, alias = "consumer-per-subscription", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) consumers_per_subscription: u16,
    /// Bytes of an answer at most
    #[arg(long, alias = "fetch-size", value_name = "BYTES", default_value = "50MiB", value_parser = parse_bytes)]
    pub(crate) fetch_max_bytes: u64,
    /// Bytes of one partition in an answer at most
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = parse_bytes)]
    pub(crate) partition_max_bytes: u64,
    /// Bytes that the broker waits for before it answers
    #[arg(long, value_name = "BYTES", default_value = "1", value_parser = parse_bytes)]
    pub(crate) fetch_min_bytes: u64,
    /// How long the broker waits for them
    #[arg(long, value_name = "DURATION", default_value = "500ms")]
    pub(crate) fetch_max_wait: Span,
    /// Whether checksums are verified
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) check_crcs: bool,
    /// Whether the broker is asked to remember what is read, as Kafka's clients do (KIP-227)
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) fetch_sessions: bool,
    /// How the consumers of a subscription share its partitions
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value_t = GroupProtocol::None)]
    pub(crate) group_protocol: GroupProtocol,
    /// How often the members of a group commit how far they are
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_span_above_zero)]
    pub(crate) commit_interval: Span,
}

/// `logan-bench produce`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct ProduceOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) topics: TopicArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) send: SendArgs,
    /// Read everything back behind the run, and verify checksums and counts
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", help_heading = "Producers")]
    pub(crate) read_back: bool,
}

/// `logan-bench consume`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct ConsumeOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunArgs,
    /// The topic to read; without it, one is made and filled
    #[arg(long, value_name = "NAME")]
    pub(crate) topic: Option<String>,
    /// Partitions of the topic that is made
    #[arg(long, alias = "partitions", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub(crate) partitions_per_topic: i32,
    /// Bytes that the topic that is made is filled with
    #[arg(long, value_name = "BYTES", default_value = "1GB", value_parser = parse_bytes)]
    pub(crate) fill: u64,
    /// Bytes of a value in the topic that is made
    #[arg(
        long,
        alias = "message-size",
        value_name = "SIZES",
        default_value = "1000"
    )]
    pub(crate) record_size: Sizes,
    /// Where reading begins: earliest reads what is there and ends, latest reads what comes for --duration
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = StartOption::Earliest)]
    pub(crate) from: StartOption,
    /// Drop the system's caches before (needs root); a broker's own cache goes only when it is started anew
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) drop_caches: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) fetch: FetchArgs,
}

/// `logan-bench end-to-end`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct EndToEndOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) topics: TopicArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) send: SendArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) fetch: FetchArgs,
}

/// `logan-bench connections`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct ConnectionsOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) run: RunArgs,
    /// Connections to open and keep
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// Requests a second on all of them together, in turn
    #[arg(
        long,
        alias = "producer-rate",
        value_name = "N",
        default_value_t = 100.0
    )]
    pub(crate) throughput: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AcksOption {
    /// There is no answer
    #[value(alias = "0")]
    None,
    /// The leader has it
    #[value(alias = "1")]
    Leader,
    /// All in-sync replicas have it
    #[value(alias = "-1")]
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CodecOption {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupProtocol {
    /// Evenly, without a group
    None,
    /// As members of a consumer group, by the broker's assignment (KIP-848)
    Consumer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StartOption {
    /// The oldest record: catching up
    Earliest,
    /// The next record: the tail
    Latest,
}

impl AcksOption {
    pub(crate) fn acks(self) -> Acks {
        match self {
            Self::None => Acks::None,
            Self::Leader => Acks::Leader,
            Self::All => Acks::All,
        }
    }
}

impl CodecOption {
    pub(crate) fn codec(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip => Compression::Gzip,
            Self::Snappy => Compression::Snappy,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd => Compression::Zstd,
        }
    }
}
