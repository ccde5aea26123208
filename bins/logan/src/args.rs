//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap_complete::Shell;

/// Examples and exit codes for `--help`.
const AFTER_HELP: &str = "\
Examples:
  logan
      A broker on 127.0.0.1:9092 with its data in ./logan-data.
  logan --config server.properties
      A broker as the file says; keys and values are Kafka's.
  logan --override listeners=PLAINTEXT://127.0.0.1:0 --override log.dirs=/tmp/logan
      The built-in configuration with two other values, on any free port.
  logan --override shard.cores=4 --override num.partitions=8
      Four shards, each on a core of its own.
  logan --completions bash > logan.bash
      Completions for bash.

Environment:
  LOGAN_LOG   what is logged, for example info (default), debug, or broker=debug,warn
  NO_COLOR    no colours in the log

Exit codes:
  0    stopped by SIGTERM or SIGINT, every log closed
  1    could not start, or an error while running
  2    the command line or the configuration is wrong
  70   a bug: the process ended itself so as not to damage data
  143  stopped by a second signal before the logs were closed";

/// A message broker that Kafka clients talk to.
#[derive(Debug, Parser)]
#[command(name = "logan", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Read the configuration from this file (server.properties) instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set a key, over whatever the configuration says; may be given several times.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Print completions for a shell and exit.
    #[arg(long, value_name = "SHELL")]
    pub(crate) completions: Option<Shell>,
}
