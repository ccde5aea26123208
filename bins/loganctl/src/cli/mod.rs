//! The command line: what can be said, and the examples that teach it.

mod admin;
mod examples;
mod groups;
mod logs;
mod records;
mod topics;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use client::{ClientConfig, RetryPolicy};

pub(crate) use admin::{
    ConfigsCommand, DeleteRecordsOptions, MoveOptions, PartitionsCommand, RecordsCommand,
    ResourceOptions,
};
pub(crate) use groups::{GroupsCommand, ResetOptions};
pub(crate) use logs::{DumpOptions, LogsCommand, RepairOptions, VerifyOptions};
pub(crate) use records::{
    AcksOption, BytesFormat, CodecOption, ConsumeOptions, Field, InputFormat, ProduceOptions, Start,
};
pub(crate) use topics::{AddPartitionsOptions, AlterOptions, CreateOptions, TopicsCommand};
pub(crate) use values::Assignment;
#[cfg(test)]
pub(crate) use values::Moment;
use values::parse_duration;

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
    /// Create, list, describe, change and delete topics
    #[command(after_help = examples::TOPICS)]
    Topics {
        #[command(subcommand)]
        command: TopicsCommand,
    },
    /// Show and change configurations of topics and brokers
    #[command(after_help = examples::CONFIGS)]
    Configs {
        #[command(subcommand)]
        command: ConfigsCommand,
    },
    /// Show where partitions live, and move them
    #[command(after_help = examples::PARTITIONS)]
    Partitions {
        #[command(subcommand)]
        command: PartitionsCommand,
    },
    /// List and describe consumer groups, move their offsets, and delete them
    #[command(after_help = examples::GROUPS)]
    Groups {
        #[command(subcommand)]
        command: GroupsCommand,
    },
    /// Delete records
    #[command(after_help = examples::RECORDS)]
    Records {
        #[command(subcommand)]
        command: RecordsCommand,
    },
    /// Read, check and repair the files of a data directory, without a broker
    #[command(after_help = examples::LOGS)]
    Logs {
        #[command(subcommand)]
        command: LogsCommand,
    },
    /// Send lines of a file or of standard input to a topic
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
    /// Write the manual pages
    #[command(after_help = examples::MAN)]
    Man {
        /// An existing directory that gets a page for each command
        directory: PathBuf,
    },
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

#[cfg(test)]
mod tests;
