//! The command line: what can be said, and the examples that teach it.

mod admin;
mod debug;
mod examples;
mod groups;
mod logs;
mod records;
mod topics;
mod tune;
mod values;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use command_line::Global;

pub(crate) use admin::{
    ConfigsCommand, DeleteRecordsOptions, MoveOptions, PartitionsCommand, RecordsCommand,
    ResourceOptions,
};
pub(crate) use debug::{AdminOptions, DebugCommand, DumpEventsOptions, LogLevelsOptions};
pub(crate) use groups::{
    ChosenGroups, DescribeGroupsOptions, GroupKind, GroupState, GroupsCommand, ResetOptions,
};
pub(crate) use logs::{DumpOptions, LogsCommand, RepairOptions, VerifyOptions};
pub(crate) use records::{
    AcksOption, BytesFormat, CodecOption, ConsumeOptions, Field, InputFormat, ProduceOptions, Start,
};
pub(crate) use topics::{AddPartitionsOptions, AlterOptions, CreateOptions, TopicsCommand};
pub(crate) use tune::{DiskOptions, TuneCommand, TuneOptions};
#[cfg(test)]
pub(crate) use values::Moment;
pub(crate) use values::{Assignment, TopicPartitions};

/// Talk to Logan, or any other Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "loganctl", version, about, after_help = examples::TOP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
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
    /// List and describe consumer groups, watch their lag, move their offsets, and delete them
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
    /// Check and change the settings of this machine that matter to a broker
    #[command(after_help = examples::TUNE)]
    Tune {
        #[command(subcommand)]
        command: TuneCommand,
    },
    /// Show what a broker has done lately, and change what it logs, through its admin listener
    #[command(after_help = examples::DEBUG)]
    Debug {
        #[command(subcommand)]
        command: DebugCommand,
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

#[cfg(test)]
mod tests;
