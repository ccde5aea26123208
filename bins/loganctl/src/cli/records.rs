//! What can be said about producing and consuming.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use types::TimestampMs;

use super::values::{Moment, parse_header, parse_moment, parse_text};

#[derive(Debug, Args)]
pub(crate) struct ProduceOptions {
    /// The topic, which must exist
    pub(crate) topic: String,
    /// Read this file instead of standard input
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
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
    /// How keys stand in lines
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BytesFormat::Text)]
    pub(crate) key_format: BytesFormat,
    /// How values stand in lines
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BytesFormat::Text)]
    pub(crate) value_format: BytesFormat,
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
    /// Send at most this many records a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
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
    #[arg(
        long,
        alias = "timestamp",
        group = "start",
        value_name = "TIME",
        value_parser = parse_moment
    )]
    pub(crate) from_time: Option<Moment>,
    /// End before the first record of this time or later, at the latest where the topic ends now
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) to_time: Option<Moment>,
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
    /// Show at most this many records a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
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
    /// How a line shows keys
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BytesFormat::Text)]
    pub(crate) key_format: BytesFormat,
    /// How a line shows values
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = BytesFormat::Text)]
    pub(crate) value_format: BytesFormat,
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

/// How bytes stand in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BytesFormat {
    /// As they are
    Text,
    /// Two hexadecimal digits for each byte
    Hex,
    /// Base64 with padding
    Base64,
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
        match (self.offset, self.from_time) {
            (Some(offset), _) => Start::Offset(offset),
            (None, Some(moment)) => Start::Time(moment.at(now)),
            (None, None) if self.from_beginning => Start::Beginning,
            (None, None) => Start::End,
        }
    }

    /// Whether reading ends at an offset that is known when it begins.
    pub(crate) fn has_end(&self) -> bool {
        self.until_end || self.to_time.is_some()
    }
}
