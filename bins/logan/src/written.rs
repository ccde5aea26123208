//! Where the configuration is written: a file or the built-in text, the environment over it, overrides over both; and what
//! was measured of the disks below them all.
//!
//! Environment and overrides are those that the process was started with; the file can be read again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{ConfigError, Sources, Warning};

use crate::args::WrittenArgs;

/// Warnings that are logged at once; a file may cause as many as it has lines.
const WARNINGS_MAX: usize = 100;

/// The places, strongest last.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    file: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    overrides: Vec<String>,
}

impl Written {
    /// What this process was started with.
    pub(crate) fn new(args: &WrittenArgs) -> Self {
        Self {
            file: args.config.clone(),
            environment: std::env::vars_os().collect(),
            overrides: args.overrides.clone(),
        }
    }

    /// The file, if there is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The text of the file; `None` without one.
    ///
    /// # Errors
    /// A file that cannot be read, or is none.
    pub(crate) fn read(&self) -> Result<Option<String>, ConfigError> {
        self.file.as_deref().map(config::read_text).transpose()
    }

    /// All sources, with this text of the file, and what lies in the log directories now.
    ///
    /// # Errors
    /// Whatever is no `.properties` text, no `KEY=VALUE` or no text at all.
    pub(crate) fn sources(&self, text: Option<&str>) -> Result<Sources, ConfigError> {
        let mut sources = match (&self.file, text) {
            (Some(path), Some(text)) => Sources::from_text(&path.display().to_string(), text)?,
            _ => Sources::development(),
        };
        sources.add_environment(self.environment.iter().cloned())?;
        for argument in &self.overrides {
            sources.add_override(argument)?;
        }
        sources.add_measured();
        Ok(sources)
    }
}

/// Logs each warning in a line of its own, up to a bound.
pub(crate) fn log_warnings(warnings: &[Warning]) {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        tracing::warn!("{warning}");
    }
    if let Some(more @ 1..) = warnings.len().checked_sub(WARNINGS_MAX) {
        tracing::warn!("{more} more warnings of this kind; `logan config check FILE` shows all");
    }
}
