//! What can be said about the files of a data directory.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::examples;

#[derive(Debug, Subcommand)]
pub(crate) enum LogsCommand {
    /// Print the batches of a log, or the entries of an index
    #[command(after_help = examples::LOGS_DUMP)]
    Dump(DumpOptions),
    /// Check every batch and every index of a data directory
    #[command(after_help = examples::LOGS_VERIFY)]
    Verify(VerifyOptions),
    /// Cut damaged logs where the damage begins, keep a copy of what is cut, and rebuild wrong indexes
    #[command(after_help = examples::LOGS_REPAIR)]
    Repair(RepairOptions),
}

#[derive(Debug, Args)]
pub(crate) struct DumpOptions {
    /// A segment (.log), an index (.index, .timeindex) or the directory of a partition
    pub(crate) path: PathBuf,
    /// Print each record, too
    #[arg(short, long)]
    pub(crate) records: bool,
    /// Begin with the batch that holds this offset
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) from_offset: Option<i64>,
    /// End after this many batches or entries
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// Data directories of a stopped broker, directories of partitions, or segments
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Decompress and read each record, too
    #[arg(short, long)]
    pub(crate) records: bool,
    /// Leave out the newest segment of each partition, so that the broker may be running
    #[arg(long)]
    pub(crate) sealed_only: bool,
    /// Show sound partitions as well
    #[arg(short, long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RepairOptions {
    /// Data directories of a stopped broker, or directories of partitions
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Say what would be cut and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
