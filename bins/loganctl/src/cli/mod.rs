//! The command line: what can be said, and the examples that teach it.

mod examples;
mod values;

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use client::{ClientConfig, RetryPolicy};
use types::TimestampMs;

pub(crate) use values::Moment;
use values::{parse_duration, parse_header, parse_moment, parse_setting, parse_text};

/// Talk to Logan, or any other Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "loganctl", version, about, after_help = examples::TOP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Brokers to ask first, separated by commas; one that answers is enough
    #[arg(
        short,
        long,
        global = true,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        default_value = "127.0.0.1:9092",
        env = "LOGAN_BOOTSTRAP_SERVER"
    )]
    pub(crate) bootstrap_server: Vec<String>,

    /// How results are written
    #[arg(short, long, global = true, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) output: OutputFormat,

    /// When to use colours; NO_COLOR turns them off, too
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub(crate) color: ColorWhen,

    /// How long to wait for brokers before giving up, such as 500ms or 1m
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Aligned columns; records as lines
    Table,
    /// JSON; records as one object a line
    Json,
    /// YAML; records as one document each
    Yaml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, list, describe and delete topics
    #[command(after_help = examples::TOPICS)]
    Topics {
        #[command(subcommand)]
        command: TopicsCommand,
    },
    /// Send lines from standard input to a topic
    #[command(after_help = examples::PRODUCE)]
    Produce(ProduceOptions),
    /// Write a topic's records to standard output
    #[command(after_help = examples::CONSUME)]
    Consume(ConsumeOptions),
    /// Print a script that completes loganctl's command line in a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Create topics
    #[command(after_help = examples::CREATE)]
    Create(CreateOptions),
    /// List topics
    #[command(after_help = examples::LIST)]
    List {
        /// List the brokers' own topics as well
        #[arg(long)]
        internal: bool,
    },
    /// Show leaders, replicas, offsets and configuration of topics
    #[command(after_help = examples::DESCRIBE)]
    Describe {
        /// The topics
        #[arg(required = true, value_name = "TOPIC")]
        topics: Vec<String>,
        /// Show all of the configuration, not only what was set on the topic
        #[arg(long)]
        all_configs: bool,
    },
    /// Delete topics and all their records
    #[command(after_help = examples::DELETE)]
    Delete {
        /// The topics
        #[arg(required = true, value_name = "TOPIC")]
        topics: Vec<String>,
        /// Accept it when a topic does not exist
        #[arg(long)]
        if_exists: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateOptions {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Partitions of each; the broker's default if not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) partitions: Option<i32>,
    /// Copies of each partition; the broker's default if not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    pub(crate) replication_factor: Option<i16>,
    /// A setting of the topics; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub(crate) config: Vec<(String, String)>,
    /// Accept it when a topic exists already
    #[arg(long)]
    pub(crate) if_not_exists: bool,
    /// Let the broker check the request and create nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ProduceOptions {
    /// The topic, which must exist
    pub(crate) topic: String,
    /// What separates key and value in a line; without it, lines are values
    #[arg(short, long, value_name = "TEXT", value_parser = parse_text)]
    pub(crate) key_separator: Option<String>,
    /// A header of every record; may be given several times
    #[arg(short = 'H', long = "header", value_name = "KEY=VALUE", value_parser = parse_header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Keys and values that are this text become null
    #[arg(long, value_name = "TEXT")]
    pub(crate) null_marker: Option<String>,
    /// What the lines are
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = InputFormat::Text)]
    pub(crate) input: InputFormat,
    /// The partition of all records; without it, keys decide
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Option<i32>,
    /// What must have happened before a record counts as sent
    #[arg(short, long, value_enum, default_value_t = AcksOption::All)]
    pub(crate) acks: AcksOption,
    /// How batches are compressed
    #[arg(short = 'z', long, value_enum, value_name = "CODEC", default_value_t = CodecOption::None)]
    pub(crate) compression: CodecOption,
    /// Whether the broker recognises what is sent twice; the default with --acks all
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub(crate) idempotent: Option<bool>,
    /// Do not print what was sent
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumeOptions {
    /// The topic
    pub(crate) topic: String,
    /// Begin with the oldest record; without it and its like, only new records are shown
    #[arg(long, group = "start")]
    pub(crate) from_beginning: bool,
    /// Begin at this offset; a negative one counts from the end
    #[arg(long, group = "start", value_name = "N", allow_negative_numbers = true)]
    pub(crate) offset: Option<i64>,
    /// Begin with the first record of this time or later: 2026-11-21T08:00:00Z, milliseconds since 1970, or 10m for ten
    /// minutes ago
    #[arg(long, group = "start", value_name = "TIME", value_parser = parse_moment)]
    pub(crate) timestamp: Option<Moment>,
    /// Only these partitions
    #[arg(
        short,
        long = "partition",
        value_name = "N",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    pub(crate) partitions: Vec<i32>,
    /// End after this many records
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End where the topic ends now, instead of waiting for more
    #[arg(short = 'e', long)]
    pub(crate) until_end: bool,
    /// What a line shows of a record
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FIELD",
        value_delimiter = ',',
        default_value = "value"
    )]
    pub(crate) fields: Vec<Field>,
    /// What stands between the fields of a line
    #[arg(short, long, value_name = "TEXT", default_value = "\\t", value_parser = parse_text)]
    pub(crate) separator: String,
    /// How a line shows null
    #[arg(long, value_name = "TEXT", default_value = "NULL")]
    pub(crate) null_marker: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// Values, or keys and values
    Text,
    /// Objects as `consume --output json` writes them
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcksOption {
    /// Nothing: there is no answer, and nobody learns what was lost
    #[value(name = "0")]
    None,
    /// The leader has it
    #[value(name = "1")]
    Leader,
    /// All in-sync replicas have it
    #[value(alias = "-1")]
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodecOption {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Field {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    Value,
    Headers,
}

impl Global {
    /// The client's limits.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let defaults = ClientConfig::default();
        ClientConfig {
            bootstrap_servers: self.bootstrap_server.clone(),
            client_id: "loganctl".to_owned(),
            connect_timeout: defaults.connect_timeout.min(self.timeout),
            request_timeout: self.timeout,
            retry: RetryPolicy {
                total_max: self.timeout,
                ..defaults.retry
            },
            ..defaults
        }
    }
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Beginning,
    End,
    Offset(i64),
    Time(TimestampMs),
}

impl ConsumeOptions {
    /// Where reading begins, if it is `now`.
    pub(crate) fn start(&self, now: TimestampMs) -> Start {
        match (self.offset, self.timestamp) {
            (Some(offset), _) => Start::Offset(offset),
            (None, Some(moment)) => Start::Time(moment.at(now)),
            (None, None) if self.from_beginning => Start::Beginning,
            (None, None) => Start::End,
        }
    }
}

#[cfg(test)]
mod tests;
