//! What is compared: a file that names brokers and scenarios.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::scenario;

/// Rounds that make sense.
const ROUNDS_MAX: u32 = 1000;

/// The file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// How often every broker is started.
    #[serde(default = "three")]
    pub(crate) rounds: u32,
    /// Scenario files, relative to this one.
    pub(crate) scenarios: Vec<PathBuf>,
    pub(crate) broker: Vec<BrokerEntry>,
}

/// A broker, and how it is started.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrokerEntry {
    pub(crate) name: String,
    /// The program and its arguments, in which `{port}` and `{directory}` stand for a free port and an empty directory. The
    /// process itself must be the broker, or become it.
    pub(crate) command: Vec<String>,
}

fn three() -> u32 {
    3
}

impl Manifest {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(Failure::file("read", path))?;
        let refused = |problem: String| {
            let problem = format!("{}: {problem}", path.display());
            Failure::usage(problem, "`logan-bench compare --help` shows a manifest")
        };
        let manifest: Self = toml::from_str(&text)
            .map_err(|error| refused(error.to_string().trim_end().to_owned()))?;
        let has_command = |broker: &BrokerEntry| !broker.command.is_empty();
        if !(1..=ROUNDS_MAX).contains(&manifest.rounds) {
            return Err(refused(format!("there are 1 to {ROUNDS_MAX} rounds")));
        }
        if manifest.broker.is_empty() || !manifest.broker.iter().all(has_command) {
            return Err(refused("every broker needs a command".to_owned()));
        }
        if manifest.scenarios.is_empty() {
            return Err(refused("there are no scenarios".to_owned()));
        }
        Ok(manifest)
    }

    /// The names and the paths of the scenarios, all of which make sense.
    pub(crate) fn scenarios(&self, path: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
        let beside = path.parent().unwrap_or(Path::new("."));
        let found = self.scenarios.iter().map(|file| {
            let path = beside.join(file);
            scenario::words(&path)?;
            let name = file.file_stem().unwrap_or(file.as_os_str());
            Ok((name.to_string_lossy().into_owned(), path))
        });
        found.collect()
    }
}
