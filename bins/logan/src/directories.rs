//! The log directories before the shards start: created, locked, and known to belong to this broker.
//!
//! Ordinary blocking files, on the main thread.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use broker::LogDirectory;
use storage::checkpoint::{
    CLEAN_SHUTDOWN_FILE, META_PROPERTIES_FILE, MetaProperties, PARTITION_METADATA_FILE,
};
use topology::{DataDirectory, Root};
use types::{NodeId, Uuid};

/// Kafka's name for the file whose lock a running broker holds.
const LOCK_FILE: &str = ".lock";

/// The log directories of this broker. They are locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Directories {
    /// In the order of the configuration.
    pub(crate) list: Vec<LogDirectory>,
    /// The cluster that they belong to.
    pub(crate) cluster_id: Uuid,
    _locks: Vec<File>,
}

impl Directories {
    /// Takes the directories, and formats those that are new. One that cannot be used is offline while the others serve,
    /// except the first, which has the metadata log.
    ///
    /// # Errors
    /// A first directory that cannot be created, written or locked, or that has no metadata log though there are partitions;
    /// and any that belongs to another node or cluster or is in use.
    pub(crate) fn take(paths: &[PathBuf], node: NodeId) -> Result<Self> {
        let mut locks = Vec::with_capacity(paths.len());
        let mut taken = Vec::with_capacity(paths.len());
        for (index, path) in paths.iter().enumerate() {
            match take_one(path) {
                Ok((lock, properties)) => {
                    locks.push(lock);
                    taken.push(Ok(properties));
                }
                Err(Unusable::Broken(error)) if index > 0 => taken.push(Err(error)),
                Err(Unusable::Broken(error) | Unusable::Foreign(error)) => return Err(error),
            }
        }
        let found: Vec<_> = taken
            .iter()
            .map(|taken| taken.as_ref().ok().and_then(Option::as_ref))
            .collect();
        let cluster_id = agreed_cluster(paths, &found, node)?;
        if found.iter().any(Option::is_some) {
            expect_metadata_log(paths)?;
        }
        let mut list = Vec::with_capacity(paths.len());
        for (index, (path, taken)) in paths.iter().zip(taken).enumerate() {
            let id = taken.and_then(|properties| {
                let known = properties.and_then(|properties| properties.directory_id);
                known.map_or_else(|| format(path, cluster_id, node), Ok)
            });
            let id = match id {
                Err(error) if index == 0 => return Err(error),
                id => id.map_err(|error| format!("{error:#}")),
            };
            let directory = LogDirectory {
                path: path.clone(),
                is_clean: id.is_ok() && path.join(CLEAN_SHUTDOWN_FILE).exists(),
                failure: id.as_ref().err().cloned(),
                numa_node: numa_node(path),
                id: id.unwrap_or(Uuid::ZERO),
            };
            announce(&directory);
            list.push(directory);
        }
        Ok(Self {
            list,
            cluster_id,
            _locks: locks,
        })
    }
}

/// Why a directory cannot be taken.
#[derive(Debug)]
enum Unusable {
    /// The disk, or its permissions.
    Broken(anyhow::Error),
    /// It is not this broker's.
    Foreign(anyhow::Error),
}

fn take_one(path: &Path) -> Result<(File, Option<MetaProperties>), Unusable> {
    let lock = lock(path)?;
    let file = path.join(META_PROPERTIES_FILE);
    match fs::read(&file) {
        Ok(content) => {
            let properties = MetaProperties::decode(&content)
                .with_context(|| format!("cannot use {}", file.display()));
            Ok((lock, Some(properties.map_err(Unusable::Foreign)?)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((lock, None)),
        Err(error) => {
            let error = anyhow::Error::new(error);
            let error = error.context(format!("cannot read {}", file.display()));
            Err(Unusable::Broken(error))
        }
    }
}

/// Says where a directory lies, or that it cannot be used.
fn announce(directory: &LogDirectory) {
    let path = directory.path.display();
    match &directory.failure {
        None => {
            let numa_node = directory.numa_node;
            tracing::info!(%path, id = %directory.id, numa_node, "took a log directory");
        }
        Some(reason) => {
            tracing::error!(%path, reason, "a log directory cannot be used: its partitions are offline");
        }
    }
}

fn lock(directory: &Path) -> Result<File, Unusable> {
    let file = open_lock(directory).map_err(Unusable::Broken)?;
    let shown = directory.display();
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Unusable::Foreign(anyhow!(
            "the log directory {shown} is in use by another running broker; stop it, or name another directory in log.dirs"
        ))),
        Err(TryLockError::Error(error)) => Err(Unusable::Broken(
            anyhow::Error::new(error).context(format!("cannot lock {shown}")),
        )),
    }
}

fn open_lock(directory: &Path) -> Result<File> {
    let shown = directory.display();
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create the log directory {shown}"))?;
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path);
    match file {
        Ok(file) => Ok(file),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            bail!(
                "the log directory {shown} cannot be written: {error}; log.dirs must name directories of the broker's user"
            )
        }
        Err(error) => Err(error).with_context(|| format!("cannot open {}", path.display())),
    }
}

/// The cluster that all formatted directories name, or a new one.
fn agreed_cluster(
    paths: &[PathBuf],
    found: &[Option<&MetaProperties>],
    node: NodeId,
) -> Result<Uuid> {
    let mut agreed: Option<(&Path, Uuid)> = None;
    for (path, properties) in paths.iter().zip(found) {
        let Some(properties) = properties else {
            continue;
        };
        let shown = path.join(META_PROPERTIES_FILE);
        let shown = shown.display();
        if properties.node_id != node.0 {
            bail!(
                "{shown} says node.id={}, the configuration says {node}; correct node.id or log.dirs",
                properties.node_id
            );
        }
        let Some(cluster_id) = Uuid::parse(&properties.cluster_id) else {
            bail!(
                "{shown}: cluster.id={} is not an id of 22 characters",
                properties.cluster_id
            );
        };
        match agreed {
            Some((other, id)) if id != cluster_id => bail!(
                "{shown} belongs to cluster {cluster_id}, but {} to cluster {id}; log.dirs must name directories of one broker",
                other.display()
            ),
            _ => agreed = Some((path, cluster_id)),
        }
    }
    agreed.map_or_else(random_id, |(_, id)| Ok(id))
}

/// Refuses a first directory without the metadata log when it lies in another one, or is gone: a broker that began a new
/// log there would know none of the partitions that there are.
fn expect_metadata_log(paths: &[PathBuf]) -> Result<()> {
    let has_metadata = |path: &&PathBuf| {
        let log = fs::metadata(broker::metadata_log(path));
        log.is_ok_and(|log| log.len() > 0)
    };
    let Some(first) = paths.first().filter(|first| !has_metadata(first)) else {
        return Ok(());
    };
    let first = first.display();
    if let Some(other) = paths.iter().find(has_metadata) {
        let other = other.display();
        bail!(
            "the metadata log is in {other}, and log.dirs begins with {first}; name {other} first, and new directories after it"
        );
    }
    // A start that was broken off may have formatted directories, and nothing more.
    if let Some(log) = paths.iter().find_map(|path| any_partition(path)) {
        let log = log.display();
        bail!(
            "there is no metadata log, or an empty one, in {first}, the first of log.dirs, but a partition in {log}; \
             name the directory that has __cluster_metadata-0 first; if its log is empty, bring it back from a copy"
        );
    }
    Ok(())
}

/// A partition in a log directory, if there is one.
fn any_partition(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?.flatten();
    let mut logs = entries.map(|entry| entry.path());
    logs.find(|log| log.join(PARTITION_METADATA_FILE).exists())
}

fn format(directory: &Path, cluster_id: Uuid, node: NodeId) -> Result<Uuid> {
    let id = random_id()?;
    let properties = MetaProperties {
        cluster_id: cluster_id.to_string(),
        node_id: node.0,
        directory_id: Some(id),
    };
    let path = directory.join(META_PROPERTIES_FILE);
    replace(&path, &properties.encode())
        .with_context(|| format!("cannot write {}", path.display()))?;
    sync_directory(directory)?;
    Ok(id)
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn sync_directory(directory: &Path) -> Result<()> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.with_context(|| format!("cannot sync {}", directory.display()))
}

/// A random id of the kernel's.
fn random_id() -> Result<Uuid> {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.context("cannot read random bytes")?;
    Ok(Uuid::from_random(bytes))
}

/// The node of the disk that holds a directory, or -1, as the kernel writes it.
fn numa_node(path: &Path) -> i32 {
    let node = DataDirectory::find(&Root::system(), path).node;
    node.and_then(|node| i32::try_from(node).ok()).unwrap_or(-1)
}
