//! What is compared: a file that names brokers and scenarios.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use command_line::{Failure, parse_duration};
use serde::{Deserialize, Serialize};

use crate::cli::parse_bytes;
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
    /// What runs for a broker's `warm_up`; the first scenario if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) warm_up_scenario: Option<PathBuf>,
    pub(crate) broker: Vec<BrokerEntry>,
    /// Rates at which the disk alone is measured in every round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) disk_alone: Vec<DiskAlone>,
}

/// The scenarios of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct RunPlan {
    /// Their names and paths.
    pub(crate) scenarios: Vec<(String, PathBuf)>,
    pub(crate) warm_up: PathBuf,
}

/// What the disk alone takes at the rate of a scenario: a broker cannot be faster.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiskAlone {
    /// The name of the scenario beside which the figures stand.
    pub(crate) scenario: String,
    /// Bytes a second, such as 50MB.
    pub(crate) rate: String,
    /// Bytes of a write, a multiple of 4 KiB up to 1 MiB.
    pub(crate) block: String,
    /// How long it is measured in each round.
    pub(crate) duration: String,
}

/// A broker, and how it is started.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrokerEntry {
    pub(crate) name: String,
    /// The program and its arguments, in which `{port}` and `{directory}` stand for a free port and an empty directory. The
    /// process itself must be the broker, or become it.
    pub(crate) command: Vec<String>,
    /// For how long the scenario of the warm-up runs against it, each time it was started, before anything is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) warm_up: Option<String>,
    /// A program that runs the hot pieces of this build, whose instructions `guard` counts: without arguments it prints
    /// their names, with a name and a number it runs that piece so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hot_pieces: Option<PathBuf>,
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
        let names: BTreeSet<&str> = manifest
            .broker
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        if names.len() < manifest.broker.len() {
            return Err(refused("two brokers have one name".to_owned()));
        }
        let spans = manifest
            .broker
            .iter()
            .filter_map(|one| one.warm_up.as_ref());
        for span in spans {
            parse_duration(span).map_err(|problem| refused(format!("warm_up: {problem}")))?;
        }
        for alone in &manifest.disk_alone {
            alone
                .parsed()
                .map_err(|problem| refused(format!("disk_alone: {problem}")))?;
        }
        Ok(manifest)
    }

    /// What is run, all of which makes sense.
    pub(crate) fn plan(&self, path: &Path) -> Result<RunPlan, Failure> {
        let scenarios = self.scenarios(path)?;
        let warm_up = match &self.warm_up_scenario {
            None => scenarios[0].1.clone(),
            Some(file) => {
                let path = path.parent().unwrap_or(Path::new(".")).join(file);
                scenario::words(&path)?;
                path
            }
        };
        Ok(RunPlan { scenarios, warm_up })
    }

    fn scenarios(&self, path: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
        let beside = path.parent().unwrap_or(Path::new("."));
        let found = self.scenarios.iter().map(|file| {
            let path = beside.join(file);
            scenario::words(&path)?;
            let name = file.file_stem().unwrap_or(file.as_os_str());
            Ok((name.to_string_lossy().into_owned(), path))
        });
        let found: Vec<(String, PathBuf)> = found.collect::<Result<_, Failure>>()?;
        for alone in &self.disk_alone {
            if !found.iter().any(|(name, _)| *name == alone.scenario) {
                let problem = format!("disk_alone names no scenario: {}", alone.scenario);
                let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
                return Err(Failure::usage(
                    problem,
                    format!("there are {}", names.join(", ")),
                ));
            }
        }
        Ok(found)
    }
}

impl DiskAlone {
    /// Bytes a second, bytes of a block, and how long.
    pub(crate) fn parsed(&self) -> Result<(f64, usize, Duration), String> {
        const SECTOR_BYTES: u64 = 4096;
        const BLOCK_MAX_BYTES: u64 = 1 << 20;
        let block = parse_bytes(&self.block)?;
        if !block.is_multiple_of(SECTOR_BYTES) || block > BLOCK_MAX_BYTES {
            return Err("a block is a multiple of 4 KiB, and at most 1 MiB".to_owned());
        }
        Ok((
            parse_bytes(&self.rate)? as f64,
            usize::try_from(block).unwrap_or(usize::MAX),
            parse_duration(&self.duration)?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_of_the_repository_make_sense() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/perf/manifests");
        let entries = std::fs::read_dir(folder).expect("it is committed");
        let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        assert!(paths.len() >= 4);
        for path in paths {
            let manifest = Manifest::read(&path).expect("it makes sense");
            manifest.plan(&path).expect("its scenarios make sense");
        }
    }

    fn refused(text: &str) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("m.toml");
        std::fs::write(&path, text).expect("room");
        let manifest = Manifest::read(&path).and_then(|manifest| manifest.plan(&path));
        manifest.expect_err(text).to_string()
    }

    #[test]
    fn manifests_that_make_no_sense_are_refused() {
        let broker = "[[broker]]\nname = 'a'\ncommand = ['x']\n";
        let head = "scenarios = ['s.toml']\n";
        for (text, said) in [
            (format!("{head}rouds = 3\n{broker}"), "rouds"),
            (format!("{head}rounds = 0\n{broker}"), "rounds"),
            (format!("scenarios = []\n{broker}"), "no scenarios"),
            (head.to_owned(), "broker"),
            (format!("{head}{broker}{broker}"), "one name"),
            (format!("{head}{broker}warm_up = 'long'\n"), "warm_up"),
            (
                format!(
                    "{head}{broker}[[disk_alone]]\nscenario = 's'\nrate = '1MB'\nblock = '5'\nduration = '1s'\n"
                ),
                "4 KiB",
            ),
            (format!("{head}{broker}"), "s.toml"),
        ] {
            let found = refused(&text);
            assert!(found.contains(said), "{text}: {found}");
        }
    }
}
