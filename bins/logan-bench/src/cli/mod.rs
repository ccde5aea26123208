//! The command line: what can be said, and the examples that teach it.
//!
//! Scenario files name the same options, so that there is one grammar, one set of checks and one wording for both.

mod examples;
mod load;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use client::{ClientConfig, RetryPolicy};

pub(crate) use load::{
    ConnectionsOptions, ConsumeOptions, EndToEndOptions, FetchArgs, ProduceOptions, RunArgs,
    SendArgs, StartOption, TopicArgs,
};
pub(crate) use values::{Cores, Span};

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

/// What every command understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Brokers to ask first, separated by commas; one that answers is enough
    #[arg(
        short,
        long,
        global = true,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        default_value = "127.0.0.1:9092",
        env = "LOGAN_BOOTSTRAP_SERVER"
    )]
    pub(crate) bootstrap_server: Vec<String>,

    /// How results are written to standard output
    #[arg(short, long, global = true, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) output: OutputFormat,

    /// When to use colours; NO_COLOR turns them off, too
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub(crate) color: ColorWhen,

    /// How long a broker may take for an answer, such as 500ms or 1m
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Names and values in columns
    Table,
    /// Everything that was measured, as JSON
    Json,
    /// The same as YAML
    Yaml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
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
    },
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

impl Global {
    /// The client's limits.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let defaults = ClientConfig::default();
        let timeout: Duration = self.timeout.0;
        ClientConfig {
            bootstrap_servers: self.bootstrap_server.clone(),
            client_id: "logan-bench".to_owned(),
            connect_timeout: defaults.connect_timeout.min(timeout),
            request_timeout: timeout,
            retry: RetryPolicy {
                total_max: timeout,
                ..defaults.retry
            },
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests;
