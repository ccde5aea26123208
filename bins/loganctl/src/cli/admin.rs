//! What can be said about configurations, partitions and records.

use clap::{ArgGroup, Args, Subcommand};
use command_line::parse_setting;

use super::examples;
use super::values::{Moment, parse_moment};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigsCommand {
    /// Show a configuration
    #[command(after_help = examples::CONFIGS_DESCRIBE)]
    Describe {
        #[command(flatten)]
        resource: ResourceOptions,
        /// Only these keys
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
        /// Show all keys, not only those that somebody set
        #[arg(short, long)]
        all: bool,
        /// Show what each key means and every place that sets it
        #[arg(short, long)]
        details: bool,
    },
    /// Set keys; the change is in effect at once
    #[command(after_help = examples::CONFIGS_SET)]
    Set(SettingsOptions),
    /// Take keys back, so that the next weaker source counts again
    #[command(after_help = examples::CONFIGS_DELETE)]
    Delete {
        #[command(flatten)]
        resource: ResourceOptions,
        /// The keys
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        /// Let the broker check the request and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Add values to keys that are lists
    #[command(after_help = examples::CONFIGS_LISTS)]
    Append(SettingsOptions),
    /// Remove values from keys that are lists
    #[command(after_help = examples::CONFIGS_LISTS)]
    Subtract(SettingsOptions),
}

#[derive(Debug, Args)]
pub(crate) struct SettingsOptions {
    #[command(flatten)]
    pub(crate) resource: ResourceOptions,
    /// The settings
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub(crate) settings: Vec<(String, String)>,
    /// Let the broker check the request and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Whose configuration.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ResourceOptions {
    /// A topic's configuration
    #[arg(short, long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// A group's configuration
    #[arg(short, long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// The configuration of one broker
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) broker: Option<i32>,
    /// What holds for all brokers
    #[arg(long)]
    pub(crate) brokers: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PartitionsCommand {
    /// Show where partitions live, how large they are and which offsets they hold
    #[command(after_help = examples::PARTITIONS_LIST)]
    List {
        /// The topics; all if none is given
        #[arg(value_name = "TOPIC")]
        topics: Vec<String>,
        /// Show the brokers' own topics as well
        #[arg(long)]
        internal: bool,
        /// Show only those that are being moved
        #[arg(long)]
        moving: bool,
    },
    /// Move partitions to another node, shard or log directory
    #[command(after_help = examples::PARTITIONS_MOVE)]
    Move(MoveOptions),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("where").required(true).args(["to", "to_shard", "to_directory", "cancel"])))]
pub(crate) struct MoveOptions {
    /// The topic
    pub(crate) topic: String,
    /// The partitions; all of the topic if none is given
    #[arg(
        short,
        long = "partition",
        value_name = "N",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    pub(crate) partitions: Vec<i32>,
    /// The nodes that have the partitions afterwards, the leader first; with Logan, the node id of a shard
    #[arg(
        long,
        value_name = "NODE",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    pub(crate) to: Vec<i32>,
    /// The shard of a Logan broker that has the partitions afterwards, whether it shows its shards as nodes or not
    #[arg(long, value_name = "SHARD", value_parser = clap::value_parser!(i32).range(0..=65_535))]
    pub(crate) to_shard: Option<i32>,
    /// The log directory of the same broker that holds the partitions afterwards
    #[arg(long, value_name = "PATH")]
    pub(crate) to_directory: Option<String>,
    /// Take back moves that are under way
    #[arg(long)]
    pub(crate) cancel: bool,
    /// Return as soon as the broker has accepted the move
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordsCommand {
    /// Delete the oldest records of a topic
    #[command(after_help = examples::RECORDS_DELETE)]
    Delete(DeleteRecordsOptions),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("bound").required(true).args(["before_offset", "before_time", "all"])))]
pub(crate) struct DeleteRecordsOptions {
    /// The topic
    pub(crate) topic: String,
    /// Only these partitions
    #[arg(
        short,
        long = "partition",
        value_name = "N",
        value_delimiter = ',',
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    pub(crate) partitions: Vec<i32>,
    /// Delete the records before this offset; a negative one counts from the end
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) before_offset: Option<i64>,
    /// Delete what comes before the first record of this time or later, and all that is there now where no record is that
    /// young: 2026-11-21T08:00:00Z, milliseconds since 1970, or 10m for ten minutes ago
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) before_time: Option<Moment>,
    /// Delete all records that are there now
    #[arg(long)]
    pub(crate) all: bool,
    /// Only show how many offsets would go
    #[arg(long)]
    pub(crate) dry_run: bool,
}
