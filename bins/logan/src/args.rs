//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use command_line::{ColorWhen, OutputFormat};

/// Examples and exit codes for `--help`.
const AFTER_HELP: &str = "\
Examples:
  logan
      A broker on 127.0.0.1:9092 with its data in ./logan-data.
  logan --config server.properties
      A broker as the file says; keys and values are Kafka's, and a Kafka 4.3 broker's file works as it is.
  logan config check server.properties
      Everything that is wrong with the file, without starting anything.
  logan topology --config server.properties
      The machine, where the broker's threads would run on it, and why.
  logan --override listeners=PLAINTEXT://127.0.0.1:0 --override log.dirs=/tmp/logan
      The built-in configuration with two other values, on any free port.
  LOGAN_SHARD_CORES=4 LOGAN_NUM_PARTITIONS=8 logan --config server.properties
      Keys in the environment: above the file, below --override.
  logan --completions bash > logan.bash
      Completions for bash.

Environment:
  LOGAN_<KEY>  a key in upper case with underscores for its dots, as LOGAN_LOG_RETENTION_MS;
               without a second LOGAN_ for keys that begin with `logan.`, as LOGAN_CACHE_BYTES
  LOGAN_LOG    what is logged, for example info (default), debug, or broker=debug,warn
  LOGAN_LOG_FORMAT
               text (default), or json for an object a line
  NO_COLOR     no colours in the log

Files:
  /etc/logan/server.properties
               where the package has the configuration
  /var/lib/logan
               where it has the data: below each of log.dirs a directory for each partition, meta.properties, and the lock
               of the broker that runs

Signals:
  HUP          read the file again (a change of the file is noticed without it, too);
               without --config: end as by TERM
  TERM, INT    finish what is under way, close the logs and end; a second one ends at once

Exit codes:
  0    stopped by SIGTERM or SIGINT, every log closed, or before it was ready
  1    could not start (a port in use, a directory that cannot be used), or an error while running
  2    the command line or the configuration is wrong
  70   a bug: the process ended itself so as not to damage data
  143  stopped by a second signal before the logs were closed";

const CONFIG: &str = "\
Examples:
  logan config check server.properties --strict
  logan config print --config server.properties
  logan config docs > configuration.md";

const CHECK: &str = "\
The environment (LOGAN_<KEY>) and --override count as they would at a start.

Examples:
  logan config check server.properties
  logan config check server.properties --strict                 also refuse what is unknown
  logan config check server.properties --override node.id=7

Exit codes:
  0  a broker would start with it
  2  it would not; or, with --strict, something in it is unknown";

const PRINT: &str = "\
Examples:
  logan config print                                            the built-in configuration
  logan config print --config server.properties --set           what somebody has written somewhere
  logan config print log.retention.ms log.retention.hours --config server.properties
  logan config print --config server.properties --output json | jq -r '.[] | select(.change == \"restart\").key'

Exit codes:
  0  printed
  2  the configuration is wrong
  3  there is no such key";

const DOCS: &str = "\
Examples:
  logan config docs | less
  logan config docs > configuration.md";

const TOPOLOGY: &str = "\
Nothing is started, and nothing on the machine is changed.

Examples:
  logan topology
  logan topology --config server.properties
  logan topology --override shard.cores=nodes:0                 what would be, otherwise
  logan topology --output json | jq -c '.plan.shards[]'
  logan topology --root ./copy-of-another-machine               with its /sys and /proc in it

Exit codes:
  0  shown
  2  the configuration is wrong, or asks for CPUs that are not there";

const MAN: &str = "\
Examples:
  logan man ~/.local/share/man/man1                             then: man logan-config-check";

/// A message broker that Kafka clients talk to.
#[derive(Debug, Parser)]
#[command(name = "logan", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) written: WrittenArgs,
    /// Print completions for a shell and exit.
    #[arg(long, value_name = "SHELL")]
    pub(crate) completions: Option<Shell>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Where the configuration is written.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct WrittenArgs {
    /// Read the configuration from this file (server.properties) instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set a key, over whatever the configuration says; may be given several times.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check, show and explain configurations, without starting a broker.
    #[command(after_help = CONFIG)]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Show the machine, where the broker's threads would run on it, and why.
    #[command(after_help = TOPOLOGY)]
    Topology(TopologyArgs),
    /// Write the manual pages of logan.
    #[command(after_help = MAN)]
    Man {
        /// An existing directory that gets a page for each command.
        directory: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct TopologyArgs {
    #[command(flatten)]
    pub(crate) written: WrittenArgs,
    /// Look at the `sys` and `proc` below this directory instead of this machine's.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) root: Option<PathBuf>,
    /// How it is written.
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) output: OutputFormat,
    /// When to use colours; NO_COLOR turns them off, too.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub(crate) color: ColorWhen,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say everything that is wrong with a file, where, and what would be right.
    #[command(after_help = CHECK)]
    Check {
        /// The file (server.properties).
        file: PathBuf,
        /// Take keys and variables that nobody knows for errors.
        #[arg(long)]
        strict: bool,
        /// Set a key, over whatever the file says; may be given several times.
        #[arg(long = "override", value_name = "KEY=VALUE")]
        overrides: Vec<String>,
    },
    /// Print the values that count, and where each comes from.
    #[command(after_help = PRINT)]
    Print {
        /// These keys only.
        keys: Vec<String>,
        #[command(flatten)]
        written: WrittenArgs,
        /// Leave out what has its default.
        #[arg(long)]
        set: bool,
        /// How the values are written.
        #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
        output: OutputFormat,
        /// When to use colours; NO_COLOR turns them off, too.
        #[arg(long, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
        color: ColorWhen,
    },
    /// Print the reference of all keys, in Markdown.
    #[command(after_help = DOCS)]
    Docs,
}
