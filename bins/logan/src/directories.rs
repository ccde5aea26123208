//! The log directories before the shards start: created, locked, and known to belong to this broker.
//!
//! Ordinary blocking files, on the main thread.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use broker::LogDirectory;
use storage::checkpoint::{CLEAN_SHUTDOWN_FILE, META_PROPERTIES_FILE, MetaProperties};
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
    /// Takes the directories, and formats those that are new.
    ///
    /// # Errors
    /// A directory that cannot be created, written or locked, or that belongs to another node or cluster.
    pub(crate) fn take(paths: &[PathBuf], node: NodeId) -> Result<Self> {
        let mut locks = Vec::with_capacity(paths.len());
        let mut found = Vec::with_capacity(paths.len());
        for path in paths {
            locks.push(lock(path)?);
            found.push(read_properties(path)?);
        }
        let cluster_id = agreed_cluster(paths, &found, node)?;
        let mut list = Vec::with_capacity(paths.len());
        for (path, properties) in paths.iter().zip(found) {
            let id = match properties.and_then(|properties| properties.directory_id) {
                Some(id) => id,
                None => format(path, cluster_id, node)?,
            };
            let is_clean = path.join(CLEAN_SHUTDOWN_FILE).exists();
            list.push(LogDirectory {
                path: path.clone(),
                id,
                is_clean,
            });
        }
        Ok(Self {
            list,
            cluster_id,
            _locks: locks,
        })
    }
}

fn lock(directory: &Path) -> Result<File> {
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
    let file = match file {
        Ok(file) => file,
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
        Err(error) => return Err(error).with_context(|| format!("cannot open {}", path.display())),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "the log directory {shown} is in use by another running broker; stop it, or name another directory in log.dirs"
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn read_properties(directory: &Path) -> Result<Option<MetaProperties>> {
    let path = directory.join(META_PROPERTIES_FILE);
    match fs::read(&path) {
        Ok(content) => {
            let properties = MetaProperties::decode(&content)
                .with_context(|| format!("cannot use {}", path.display()))?;
            Ok(Some(properties))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The cluster that all formatted directories name, or a new one.
fn agreed_cluster(
    paths: &[PathBuf],
    found: &[Option<MetaProperties>],
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
