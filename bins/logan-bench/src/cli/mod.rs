//! The command line: what can be said, and the examples that teach it.
//!
//! Scenario files name the same options, so that there is one grammar, one set of checks and one wording for both.

mod examples;
mod load;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use command_line::Global;

pub(crate) use load::{
    ConnectionsOptions, ConsumeOptions, EndToEndOptions, FetchArgs, GroupProtocol, ProduceOptions,
    RunArgs, SendArgs, StartOption, TopicArgs,
};
pub(crate) use values::{Cores, Span, parse_bytes};
use values::{parse_confidence, parse_percent};

/// Measure Logan, or any other Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "logan-bench", version, about, after_help = examples::TOP, disable_help_subcommand = true)]
#[command(args_override_self = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// `logan-bench guard`.
#[derive(Clone, Debug, Args)]
pub(crate) struct GuardOptions {
    /// A manifest of two brokers: the build that is known, then the one that is judged
    pub(crate) manifest: PathBuf,
    /// Write everything that was measured to this file, as JSON
    #[arg(long, value_name = "PATH")]
    pub(crate) report: Option<PathBuf>,
    /// How sure one must be, above 0.5 and below 1
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = parse_confidence)]
    pub(crate) confidence: f64,
    /// A change for the worse by less than this is none, in percent
    #[arg(long, value_name = "PERCENT", default_value = "3", value_parser = parse_percent)]
    pub(crate) tolerance: f64,
    /// The same for counts of instructions, which hardly vary
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = parse_percent)]
    pub(crate) tolerance_of_counts: f64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send records, at a rate or as fast as the broker takes them
    #[command(after_help = examples::PRODUCE, args_override_self = true)]
    Produce(ProduceOptions),
    /// Read records: all there are, or those that come
    #[command(after_help = examples::CONSUME, args_override_self = true)]
    Consume(ConsumeOptions),
    /// Send and read at the same time, and measure from one end to the other
    #[command(after_help = examples::END_TO_END, args_override_self = true)]
    EndToEnd(EndToEndOptions),
    /// Open many connections, keep them, and ask a little on them
    #[command(after_help = examples::CONNECTIONS, args_override_self = true)]
    Connections(ConnectionsOptions),
    /// Start brokers in turn and run the same scenarios against each of them
    #[command(after_help = examples::COMPARE)]
    Compare {
        /// The manifest, in TOML
        manifest: PathBuf,
        /// Write everything that was measured to this file, as JSON
        #[arg(long, value_name = "PATH")]
        report: Option<PathBuf>,
        /// Write a page with charts to this file
        #[arg(long, value_name = "PATH")]
        html: Option<PathBuf>,
        /// Measure each thing that the machine itself can do for so long; 0s leaves that out
        #[arg(long, value_name = "DURATION", default_value = "1s")]
        yardstick: Span,
    },
    /// Compare two builds by paired runs, and say with what confidence something changed
    #[command(after_help = examples::GUARD)]
    Guard(GuardOptions),
    /// Measure what the machine itself can do: sockets, disk, memory, checksums
    #[command(after_help = examples::YARDSTICK)]
    Yardstick {
        /// The directory whose disk is written to, 256 MiB
        #[arg(long, value_name = "PATH", default_value = ".")]
        directory: PathBuf,
        /// Measure each of the five for so long
        #[arg(long, value_name = "DURATION", default_value = "3s")]
        duration: Span,
    },
    /// Run a scenario from a file; options behind it beat the file
    #[command(after_help = examples::RUN)]
    Run {
        /// A scenario in TOML, or a workload of the OpenMessaging Benchmark in YAML
        file: PathBuf,
        /// Options of the scenario's workload
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "OPTIONS"
        )]
        overrides: Vec<String>,
    },
    /// Print a script that completes logan-bench's command line in a shell
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
