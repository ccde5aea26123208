//! What can be said about topics.

use clap::{ArgGroup, Args, Subcommand};
use command_line::parse_setting;

use super::examples;
use super::values::{Assignment, parse_assignment};

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
    /// Change the configuration of topics
    #[command(after_help = examples::ALTER)]
    Alter(AlterOptions),
    /// Give topics more partitions
    #[command(after_help = examples::ADD_PARTITIONS)]
    AddPartitions(AddPartitionsOptions),
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
    /// The nodes of a partition, such as 0=1,2; once for each partition
    #[arg(
        short,
        long,
        value_name = "PARTITION=NODE,...",
        value_parser = parse_assignment,
        conflicts_with_all = ["partitions", "replication_factor"]
    )]
    pub(crate) assign: Vec<Assignment>,
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
#[command(group(ArgGroup::new("change").required(true).multiple(true).args(["config", "delete_config"])))]
pub(crate) struct AlterOptions {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// A setting to set; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub(crate) config: Vec<(String, String)>,
    /// A setting to take back, so that the broker's default counts again; may be given several times
    #[arg(short, long, value_name = "KEY")]
    pub(crate) delete_config: Vec<String>,
    /// Let the broker check the request and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddPartitionsOptions {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Partitions that each has afterwards
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) total: i32,
    /// The nodes of a new partition, such as 4=1,2; once for each new partition
    #[arg(short, long, value_name = "PARTITION=NODE,...", value_parser = parse_assignment)]
    pub(crate) assign: Vec<Assignment>,
    /// Let the broker check the request and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
