//! What is tuned: a machine, the plan of the broker that runs on it, and its log directories.

use std::path::Path;

use command_line::Failure;
use config::{BrokerConfig, ShardCores, Sources};
use topology::{Choice, DataDirectory, Disk, Machine, Plan, Root};

use crate::cli::TuneOptions;

/// What the package configures, as far as it concerns tuners.
const OF_PACKAGE: &str = "log.dirs=/var/lib/logan";

/// What a broker would go by: its file, or what the package configures, and the environment over it.
///
/// # Errors
/// What no broker would start with.
pub(super) fn configured(file: Option<&Path>) -> Result<BrokerConfig, Failure> {
    let wrong = |error: config::ConfigError| {
        Failure::usage(
            error.to_string(),
            "`logan config check FILE` says everything that is wrong with a file",
        )
    };
    let (name, text) = match file {
        None => ("the package".to_owned(), OF_PACKAGE.to_owned()),
        Some(file) => {
            let text = config::read_text(file).map_err(wrong)?;
            (file.display().to_string(), text)
        }
    };
    let mut sources = Sources::from_text(&name, &text).map_err(wrong)?;
    // The broker hears it, too.
    sources
        .add_environment(std::env::vars_os())
        .map_err(wrong)?;
    BrokerConfig::from_sources(&sources).map_err(wrong)
}

/// Everything that tuners look at.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) root: Root,
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    pub(crate) data: Vec<DataDirectory>,
}

impl Target {
    /// Looks at the machine, as the broker of the configuration would.
    pub(crate) fn find(options: &TuneOptions) -> Result<Self, Failure> {
        let config = configured(options.config.as_deref())?;
        let (directories, cores) = (config.log_dirs, config.values.shard_cores);
        let root = Root::at(&options.root);
        if !root.has("sys") && !root.has("proc") {
            let problem = format!("{} has neither sys nor proc", options.root.display());
            return Err(Failure::usage(
                problem,
                "--root is a machine's, or a copy of its files",
            ));
        }
        let machine = Machine::read(&root);
        let data: Vec<_> = directories
            .iter()
            .map(|path| match std::path::absolute(path) {
                Ok(path) if root.is_system() => DataDirectory::find(&root, &path),
                _ => DataDirectory::find(&root, path),
            })
            .collect();
        let choice = match cores {
            ShardCores::Auto => Choice::Auto,
            ShardCores::Count(count) => Choice::Count(count),
            ShardCores::List(cpus) => Choice::Cpus(cpus),
            ShardCores::Nodes(nodes) => Choice::Nodes(nodes),
        };
        let plan = Plan::new(&choice, &machine, &data).map_err(|error| {
            Failure::usage(
                format!("shard.cores: {error}"),
                "`logan topology` shows which CPUs there are",
            )
        })?;
        Ok(Self {
            root,
            machine,
            plan,
            data,
        })
    }

    /// The disks below the log directories; all, where that is not known.
    pub(crate) fn disks(&self) -> Vec<&Disk> {
        let names: Vec<&String> = self.data.iter().flat_map(|data| &data.disks).collect();
        let disks = self.machine.disks.iter();
        disks
            .filter(|disk| names.is_empty() || names.contains(&&disk.name))
            .collect()
    }
}
