//! What is tuned: a machine, the plan of the broker that runs on it, and its log directories.

use std::path::PathBuf;

use command_line::Failure;
use config::{BrokerConfig, ShardCores, Sources};
use topology::{Choice, DataDirectory, Disk, Machine, Plan, Root};

use crate::cli::TuneOptions;

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
        let wrong = |error: config::ConfigError| {
            Failure::usage(
                error.to_string(),
                "`logan config check FILE` says everything that is wrong with a file",
            )
        };
        let (directories, cores) = match &options.config {
            None => (vec![PathBuf::from("/var/lib/logan")], ShardCores::Auto),
            Some(file) => {
                let text = config::read_text(file).map_err(wrong)?;
                let sources = Sources::from_text(&file.display().to_string(), &text);
                let config = sources.and_then(|it| BrokerConfig::from_sources(&it));
                let config = config.map_err(wrong)?;
                (config.log_dirs, config.values.shard_cores)
            }
        };
        let root = Root::at(&options.root);
        let machine = Machine::read(&root);
        let data: Vec<_> = directories
            .iter()
            .map(|path| DataDirectory::find(&root, path))
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
