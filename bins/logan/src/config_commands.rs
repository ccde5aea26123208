//! `logan config`: checks, prints and explains configurations. Nothing is started, and no directory is touched.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use command_line::{ColorWhen, Column, Failure, Output, OutputFormat, Tabular, or_dash};
use config::{BrokerConfig, ConfigError, Effective, Origin, Sources};
use serde::Serialize;
use topology::Root;

use crate::EXIT_CODE_USAGE;
use crate::args::{Args, ConfigCommand, WrittenArgs};
use crate::cores::Cores;
use crate::metrics;
use crate::written::Written;

/// Carries out a command.
pub(crate) fn run(command: &ConfigCommand) -> ExitCode {
    match command {
        ConfigCommand::Check {
            file,
            strict,
            overrides,
        } => {
            let written = Written::new(&WrittenArgs {
                config: Some(file.clone()),
                overrides: overrides.clone(),
            });
            check(&written, &file.display().to_string(), *strict)
        }
        ConfigCommand::Print {
            keys,
            written,
            set,
            output,
            color,
        } => {
            let output = Output::local(*output, *color);
            let chosen = Chosen { keys, set: *set };
            ended(print(&Written::new(written), &chosen, &output), &output)
        }
        ConfigCommand::Docs => {
            let output = Output::local(OutputFormat::Table, ColorWhen::Auto);
            ended(output.write(&config::reference()), &output)
        }
    }
}

/// Writes a manual page for the program and for each of its commands.
pub(crate) fn write_man_pages(directory: &Path) -> ExitCode {
    let output = Output::local(OutputFormat::Table, ColorWhen::Auto);
    ended(
        command_line::write_man_pages(Args::command(), directory),
        &output,
    )
}

/// Reports what went wrong, if anything.
pub(crate) fn ended(outcome: Result<(), Failure>, output: &Output) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.report(&failure);
            failure.exit_code()
        }
    }
}

/// What a check has found, one sentence each.
#[derive(Debug, Default)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn of_error(error: &ConfigError) -> Self {
        Self {
            errors: error.to_string().lines().map(str::to_owned).collect(),
            warnings: Vec::new(),
        }
    }
}

fn check(written: &Written, name: &str, is_strict: bool) -> ExitCode {
    let text = written.read();
    let sources = text.and_then(|text| written.sources(text.as_deref()));
    let findings = match sources {
        Ok(sources) => examine(&sources, is_strict),
        Err(error) => Findings::of_error(&error),
    };
    let lines = findings
        .errors
        .iter()
        .map(|line| format!("error: {line}\n"));
    let warnings = findings.warnings.iter();
    let lines = lines.chain(warnings.map(|line| format!("warning: {line}\n")));
    let (errors, warnings) = (findings.errors.len(), findings.warnings.len());
    let verdict = match errors {
        0 => "a broker would start with it",
        _ => "no broker would start with it",
    };
    let verdict = match (is_strict, errors) {
        (true, 1..) => "refused",
        _ => verdict,
    };
    let sum = format!(
        "{name}: {verdict}; {}, {}\n",
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    let told: String = lines.collect();
    // Nobody is left to tell when these are gone; the exit code says it all the same.
    drop(std::io::stderr().lock().write_all(told.as_bytes()));
    drop(std::io::stdout().lock().write_all(sum.as_bytes()));
    match errors {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(EXIT_CODE_USAGE),
    }
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

fn examine(sources: &Sources, is_strict: bool) -> Findings {
    let config = BrokerConfig::from_sources(sources);
    let (mut findings, warnings) = match config {
        Ok(config) => {
            let mut findings = Findings::default();
            // Another machine may have other cores and files: this one's say nothing for sure.
            let cores = Cores::plan(&config, &Root::system()).err();
            let token = metrics::token(config.values.logan_admin_token_file.as_deref()).err();
            for problem in cores.into_iter().chain(token) {
                let problem = format!("{problem:#}").replace('\n', "; ");
                findings
                    .warnings
                    .push(format!("on this machine: {problem}"));
            }
            (findings, config.warnings)
        }
        Err(error) => (Findings::of_error(&error), sources.warnings()),
    };
    for warning in warnings {
        if is_strict && warning.is_unknown() {
            findings.errors.push(warning.to_string());
        } else {
            findings.warnings.push(warning.to_string());
        }
    }
    findings
}

/// Which keys are printed.
struct Chosen<'a> {
    keys: &'a [String],
    /// Those only that somebody has written.
    set: bool,
}

/// A key as it is printed.
#[derive(Debug, Serialize)]
struct Row {
    key: &'static str,
    value: Option<String>,
    source: String,
    default: Option<&'static str>,
    /// When a change takes effect.
    change: &'static str,
    documentation: &'static str,
}

impl Tabular for Row {
    const COLUMNS: &'static [Column] = &[
        Column::Text("KEY"),
        Column::Text("VALUE"),
        Column::Text("SOURCE"),
        Column::Text("CHANGE"),
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.key.to_owned(),
            or_dash(self.value.as_deref()),
            self.source.clone(),
            self.change.to_owned(),
        ]
    }
}

fn print(written: &Written, chosen: &Chosen<'_>, output: &Output) -> Result<(), Failure> {
    let wrong = |error: ConfigError| {
        Failure::usage(
            error.to_string(),
            "`logan config check FILE` says everything that is wrong with a file",
        )
    };
    let text = written.read().map_err(wrong)?;
    let sources = written.sources(text.as_deref()).map_err(wrong)?;
    let config = BrokerConfig::from_sources(&sources).map_err(wrong)?;
    let effective = config.effective();
    if let Some(unknown) = chosen
        .keys
        .iter()
        .find(|key| effective.iter().all(|known| known.definition.name != **key))
    {
        return Err(Failure::NotFound {
            problem: format!("there is no key {unknown}"),
            advice: match config::nearest(unknown) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => "`logan config docs` explains every key".to_owned(),
            },
        });
    }
    let is_chosen = |key: &&Effective| {
        let name = key.definition.name;
        let is_named = chosen.keys.is_empty() || chosen.keys.iter().any(|key| key == name);
        is_named && (!chosen.set || key.origin != Origin::Default)
    };
    let rows: Vec<Row> = effective.iter().filter(is_chosen).map(row).collect();
    output.rows(&rows)
}

fn row(key: &Effective) -> Row {
    Row {
        key: key.definition.name,
        value: key.value.clone(),
        source: key.origin.to_string(),
        default: key.definition.default,
        change: key.definition.update.name(),
        documentation: key.definition.documentation,
    }
}
