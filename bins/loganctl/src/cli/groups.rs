//! What can be said about consumer groups.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use command_line::parse_duration;

use super::examples;
use super::values::{Moment, parse_moment};

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// List groups with their kinds and states
    #[command(after_help = examples::GROUPS_LIST)]
    List,
    /// Show how far groups are, and who their members are
    #[command(after_help = examples::GROUPS_DESCRIBE)]
    Describe {
        /// The groups
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
        /// Show the members instead of the partitions
        #[arg(short, long)]
        members: bool,
        /// Ask again and again, after so much time, and show how the lag changes
        #[arg(short, long, value_name = "DURATION", value_parser = parse_duration)]
        watch: Option<Duration>,
    },
    /// Let a group without members go on from elsewhere
    #[command(after_help = examples::GROUPS_RESET)]
    ResetOffsets(ResetOptions),
    /// Delete groups without members, with their offsets
    #[command(after_help = examples::GROUPS_DELETE)]
    Delete {
        /// The groups
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
    },
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("target").required(true).multiple(false).args(
    ["to_earliest", "to_latest", "to_offset", "shift_by", "to_time"]
)))]
pub(crate) struct ResetOptions {
    /// The group
    #[arg(value_name = "GROUP")]
    pub(crate) group: String,
    /// The topics; all that the group has committed if none is given
    #[arg(short, long, value_name = "TOPIC")]
    pub(crate) topic: Vec<String>,
    /// Only these partitions of each topic
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Vec<i32>,
    /// To the first record that is there
    #[arg(long)]
    pub(crate) to_earliest: bool,
    /// To the end: records that come from now on
    #[arg(long)]
    pub(crate) to_latest: bool,
    /// To this offset
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) to_offset: Option<i64>,
    /// Forwards by so many records, or backwards by a negative number
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) shift_by: Option<i64>,
    /// To the first record that is not older than this
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) to_time: Option<Moment>,
    /// Show what would be committed and commit nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
