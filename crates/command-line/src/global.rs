//! What every command of every program understands.

use std::time::Duration;

use clap::{Args, ValueEnum};
use client::{ClientConfig, RetryPolicy};

use crate::{parse_duration, parse_server};

/// Options that may stand before and behind a command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Brokers to ask first, separated by commas; one that answers is enough
    #[arg(
        short,
        long,
        global = true,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        default_value = "127.0.0.1:9092",
        value_parser = parse_server,
        env = "LOGAN_BOOTSTRAP_SERVER"
    )]
    pub bootstrap_server: Vec<String>,

    /// How results are written to standard output
    #[arg(short, long, global = true, value_enum, default_value_t = OutputFormat::Table)]
    pub output: OutputFormat,

    /// When to use colours; NO_COLOR turns them off, too
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub color: ColorWhen,

    /// How long to wait for brokers before giving up, such as 500ms or 1m
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub timeout: Duration,
}

/// The form of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Aligned columns; records as lines
    Table,
    /// JSON; records as one object a line
    Json,
    /// YAML; records as one document each
    Yaml,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Global {
    /// The limits of a client that brokers know as `client_id`.
    pub fn client_config(&self, client_id: &str) -> ClientConfig {
        let defaults = ClientConfig::default();
        ClientConfig {
            bootstrap_servers: self.bootstrap_server.clone(),
            client_id: client_id.to_owned(),
            connect_timeout: defaults.connect_timeout.min(self.timeout),
            request_timeout: self.timeout,
            retry: RetryPolicy {
                total_max: self.timeout,
                ..defaults.retry
            },
            ..defaults
        }
    }
}
