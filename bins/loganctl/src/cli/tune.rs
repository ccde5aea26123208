//! What can be asked about the machine's settings.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::examples;

#[derive(Debug, Subcommand)]
pub(crate) enum TuneCommand {
    /// Show which settings of this machine could be better for a broker, and why; changes nothing
    #[command(after_help = examples::TUNE_CHECK)]
    Check(TuneOptions),
    /// Change the settings that could be better; needs root
    #[command(after_help = examples::TUNE_APPLY)]
    Apply(ApplyOptions),
    /// Print the changes as a shell script; changes nothing
    #[command(after_help = examples::TUNE_SCRIPT)]
    Script(ScriptOptions),
    /// Measure the disks of log directories, and leave there what a broker should make of it
    #[command(after_help = examples::TUNE_DISK)]
    Disk(DiskOptions),
}

#[derive(Debug, Args)]
pub(crate) struct TuneOptions {
    /// These tuners only
    #[arg(value_name = "TUNER")]
    pub(crate) tuners: Vec<String>,
    /// The broker's file, which says where its data lies and which cores have shards; without it /var/lib/logan and auto.
    /// LOGAN_* variables count above it, as for the broker
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Look at (and change) the `sys` and `proc` below this directory instead of this machine's
    #[arg(long, value_name = "DIRECTORY", default_value = "/")]
    pub(crate) root: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyOptions {
    #[command(flatten)]
    pub(crate) tune: TuneOptions,
    /// Say what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiskOptions {
    /// Log directories; those of the file where none is named, or /var/lib/logan
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directories: Vec<PathBuf>,
    /// The broker's file, which says where its data lies
    #[arg(short, long, value_name = "FILE", conflicts_with = "directories")]
    pub(crate) config: Option<PathBuf>,
    /// How long each directory is measured; shorter is less sure
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Measure, and leave nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScriptOptions {
    #[command(flatten)]
    pub(crate) tune: TuneOptions,
}
