//! `loganctl debug`: what a broker's admin listener tells and changes, for people.

mod admin;
mod events;

use command_line::{Failure, Output, OutputFormat};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::{DebugCommand, DumpEventsOptions, LogLevelsOptions};
use admin::Admin;
use events::Events;

/// Where a dump was written.
#[derive(Debug, Deserialize, Serialize)]
struct Dumped {
    path: String,
}

/// Which log lines are written.
#[derive(Debug, Deserialize, Serialize)]
struct LogLevels {
    filter: String,
}

/// Carries out a command.
pub(crate) fn run(
    command: &DebugCommand,
    timeout: std::time::Duration,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        DebugCommand::Dump(options) => {
            let admin = Admin::new(&options.admin, timeout)?;
            dump(&admin, options, output)
        }
        DebugCommand::LogLevels(options) => {
            let admin = Admin::new(&options.admin, timeout)?;
            log_levels(&admin, options, output)
        }
    }
}

fn dump(admin: &Admin, options: &DumpEventsOptions, output: &Output) -> Result<(), Failure> {
    if options.write {
        let dumped: Dumped = admin.post("/api/v1/recorder")?;
        return tell(output, &dumped, &dumped.path);
    }
    let shard = options.shard.map(|it| format!("&shard={it}"));
    let path = format!(
        "/api/v1/recorder?last={}{}",
        options.last,
        shard.unwrap_or_default()
    );
    let Events { events } = admin.get(&path)?;
    output.rows(&events)
}

fn log_levels(admin: &Admin, options: &LogLevelsOptions, output: &Output) -> Result<(), Failure> {
    const PATH: &str = "/api/v1/log-levels";
    let levels: LogLevels = match &options.filter {
        Some(filter) => admin.put(PATH, &json!({ "filter": filter }))?,
        None => admin.get(PATH)?,
    };
    tell(output, &levels, &levels.filter)
}

/// One value: a line for people, an object for programs.
fn tell<T: Serialize>(output: &Output, value: &T, line: &str) -> Result<(), Failure> {
    match output.format() {
        OutputFormat::Table => output.write(&format!("{line}\n")),
        OutputFormat::Json | OutputFormat::Yaml => output.write(&output.structured(value)?),
    }
}
