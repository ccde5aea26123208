//! What can be said about consumer groups.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use command_line::parse_duration;

use super::examples;
use super::values::{Moment, TopicPartitions, parse_moment, parse_topic_partitions};

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// List groups with their kinds and states
    #[command(after_help = examples::GROUPS_LIST)]
    List {
        /// Only groups in these states
        #[arg(
            short,
            long,
            value_enum,
            ignore_case = true,
            value_delimiter = ',',
            value_name = "STATE"
        )]
        state: Vec<GroupState>,
        /// Only groups of this kind
        #[arg(short, long, value_enum, ignore_case = true, value_name = "KIND")]
        kind: Option<GroupKind>,
    },
    /// Show how far groups are, and who their members are
    #[command(after_help = examples::GROUPS_DESCRIBE)]
    Describe(DescribeGroupsOptions),
    /// Let groups without members go on from elsewhere
    #[command(after_help = examples::GROUPS_RESET)]
    ResetOffsets(ResetOptions),
    /// Make a group forget what it has committed for topics
    #[command(after_help = examples::GROUPS_DELETE_OFFSETS)]
    DeleteOffsets {
        /// The group
        #[arg(value_name = "GROUP")]
        group: String,
        /// The topics, with partitions if not all of them are meant
        #[arg(short, long, required = true, value_name = "TOPIC[:N,N-N]", value_parser = parse_topic_partitions)]
        topic: Vec<TopicPartitions>,
    },
    /// Delete groups without members, with their offsets
    #[command(after_help = examples::GROUPS_DELETE)]
    Delete(ChosenGroups),
}

/// Which groups are meant.
#[derive(Debug, Args)]
#[group(id = "chosen", required = true, multiple = false)]
pub(crate) struct ChosenGroups {
    /// The groups
    #[arg(value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// All groups that there are
    #[arg(short, long)]
    pub(crate) all: bool,
}

/// States that Kafka gives groups of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupState {
    /// It has no members
    Empty,
    /// All members have their partitions
    Stable,
    /// A classic group waits for its members to join again
    PreparingRebalance,
    /// A classic group waits for its leader to assign partitions
    CompletingRebalance,
    /// A consumer group is about to assign partitions
    Assigning,
    /// Members of a consumer group give up partitions and get others
    Reconciling,
    /// It is being deleted
    Dead,
}

/// The protocols that make groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupKind {
    /// Members join and their leader assigns
    Classic,
    /// The broker assigns (KIP-848)
    Consumer,
}

#[derive(Debug, Args)]
pub(crate) struct DescribeGroupsOptions {
    #[command(flatten)]
    pub(crate) chosen: ChosenGroups,
    /// Show the members instead of the partitions
    #[arg(short, long, conflicts_with_all = ["state", "watch"])]
    pub(crate) members: bool,
    /// Show the groups themselves instead of the partitions
    #[arg(short, long, conflicts_with = "watch")]
    pub(crate) state: bool,
    /// Ask again and again, after so much time, and show how the lag changes
    #[arg(short, long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) watch: Option<Duration>,
    /// End after having asked so many times
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("target").required(true).multiple(false).args([
    "to_earliest", "to_latest", "to_current", "to_offset", "shift_by", "to_time", "from_file",
])))]
pub(crate) struct ResetOptions {
    #[command(flatten)]
    pub(crate) chosen: ChosenGroups,
    /// The topics, with partitions if not all of them are meant; all that a group has committed if none is given
    #[arg(short, long, value_name = "TOPIC[:N,N-N]", value_parser = parse_topic_partitions, conflicts_with = "from_file")]
    pub(crate) topic: Vec<TopicPartitions>,
    /// To the first record that is there
    #[arg(long)]
    pub(crate) to_earliest: bool,
    /// To the end: records that come from now on
    #[arg(long)]
    pub(crate) to_latest: bool,
    /// To where it is already; to the end where it has committed nothing
    #[arg(long)]
    pub(crate) to_current: bool,
    /// To this offset
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) to_offset: Option<i64>,
    /// Forwards by so many records, or backwards by a negative number
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) shift_by: Option<i64>,
    /// To the first record that is not older than this: a time, or a span back from now such as 10m
    #[arg(long, value_name = "TIME", value_parser = parse_moment, visible_aliases = ["to-datetime", "by-duration"])]
    pub(crate) to_time: Option<Moment>,
    /// To what a file says
    #[arg(long, value_name = "FILE")]
    pub(crate) from_file: Option<PathBuf>,
    /// Show what would be committed and commit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Commit nothing, and write lines that --from-file and Kafka's tool read
    #[arg(long)]
    pub(crate) export: bool,
}
