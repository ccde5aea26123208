//! What can be asked at a broker's admin listener.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::examples;

#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Show what the shards have done lately, as the flight recorder has it, or have the broker write it to a file
    #[command(after_help = examples::DEBUG_DUMP)]
    Dump(DumpEventsOptions),
    /// Show or change which log lines the broker writes
    #[command(after_help = examples::DEBUG_LOG_LEVELS)]
    LogLevels(LogLevelsOptions),
}

/// Where the admin listener is, and what it asks for.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdminOptions {
    /// The broker's logan.admin.listener
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9644",
        value_parser = command_line::parse_server,
        env = "LOGAN_ADMIN"
    )]
    pub(crate) admin: String,
    /// The file with the token that changes need: what the broker has as logan.admin.token.file
    #[arg(long, value_name = "FILE", env = "LOGAN_ADMIN_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DumpEventsOptions {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    /// Events of this shard only
    #[arg(long, value_name = "SHARD", conflicts_with = "write")]
    pub(crate) shard: Option<u16>,
    /// The last events only, at most 10000
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 200,
        value_parser = clap::value_parser!(u16).range(1..=10_000),
        conflicts_with = "write"
    )]
    pub(crate) last: u16,
    /// Have the broker write all events of all shards to a file of its own; needs the token
    #[arg(long)]
    pub(crate) write: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogLevelsOptions {
    #[command(flatten)]
    pub(crate) admin: AdminOptions,
    /// Levels by module, such as info,broker::groups=debug; until the next start. Needs the token
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Option<String>,
}
