//! The log directories of the machine as one shard sees them: which can be used, and which of its logs lie where.
//!
//! A directory belongs to the whole process, the logs in it to their shards; what concerns a directory is gathered.
//! Shard 0 finds out whether a directory has failed: it writes the checkpoints there, and does so at once when a log of
//! any shard has failed. A directory that fails stays offline until the next start; its partitions answer
//! KAFKA_STORAGE_ERROR, and the others go on.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use io::Io;
use metadata::{MachineDirectory, PartitionImage};
use rustc_hash::FxHashSet;
use types::{Event, Uuid};

use super::{CONTROLLER, LogDirectory, Shard, lifecycle};
use crate::message::{Control, LogSummary, Reply, Request};

/// How long a shard waits for more of its logs to fail before it has their directories looked at.
const FAILURES_COLLECTED: Duration = Duration::from_millis(50);

/// What is known of the log directories.
#[derive(Debug)]
pub(super) struct Directories {
    /// By index, why a directory cannot be used.
    failures: BTreeMap<usize, String>,
    /// By index, the room that is known to be set aside for a checkpoint. On shard 0.
    checkpoint_reserves_bytes: BTreeMap<usize, usize>,
}

impl Directories {
    /// `failures` are those that were found when the directories were taken.
    pub(super) fn new(directories: &[LogDirectory]) -> Self {
        let failures = directories.iter().enumerate();
        Self {
            failures: failures
                .filter_map(|(index, directory)| Some((index, directory.failure.clone()?)))
                .collect(),
            checkpoint_reserves_bytes: BTreeMap::new(),
        }
    }
}

impl<I: Io> Shard<I> {
    /// The index of the log directory in which a log lies.
    pub(crate) fn directory_index(&self, log: &Path) -> Option<usize> {
        let parent = log.parent()?;
        let mut directories = self.setup.directories.iter();
        directories.position(|directory| directory.path == parent)
    }

    /// The index of the log directory that clients name by this path.
    pub(crate) fn directory_named(&self, path: &str) -> Option<usize> {
        let mut directories = self.setup.directories.iter();
        directories.position(|directory| absolute(&directory.path) == Path::new(path))
    }

    /// Why a directory cannot be used, if so.
    pub(crate) fn directory_failure(&self, index: usize) -> Option<String> {
        self.directories.borrow().failures.get(&index).cloned()
    }

    /// Whether a directory can be used.
    pub(crate) fn is_online(&self, index: usize) -> bool {
        !self.directories.borrow().failures.contains_key(&index)
    }

    /// The room that is known to be set aside for a checkpoint.
    pub(super) fn checkpoint_reserve_bytes(&self, index: usize) -> usize {
        let directories = self.directories.borrow();
        let known = directories.checkpoint_reserves_bytes.get(&index);
        known.copied().unwrap_or(0)
    }

    /// Notes how much room is set aside for a checkpoint.
    pub(super) fn set_checkpoint_reserve_bytes(&self, index: usize, reserve_bytes: usize) {
        let mut directories = self.directories.borrow_mut();
        directories
            .checkpoint_reserves_bytes
            .insert(index, reserve_bytes);
    }

    /// The directories that can be used, with their indexes.
    pub(crate) fn online_directories(&self) -> Vec<(usize, LogDirectory)> {
        let all = self.setup.directories.iter().enumerate();
        all.filter(|(index, _)| self.is_online(*index))
            .map(|(index, directory)| (index, directory.clone()))
            .collect()
    }

    /// The index of the directory that holds this machine's replica.
    ///
    /// # Errors
    /// The directory's id, when it is none of the configured ones or cannot be used.
    pub(crate) fn directory_of(&self, image: &PartitionImage) -> Result<usize, Uuid> {
        let machine = self.advertise().machine();
        let place = image
            .replicas
            .iter()
            .position(|replica| *replica == machine);
        let id = place.and_then(|place| image.directories.get(place));
        let id = id.copied().unwrap_or(Uuid::ZERO);
        let mut directories = self.setup.directories.iter();
        let index = directories.position(|directory| directory.id == id);
        index.filter(|index| self.is_online(*index)).ok_or(id)
    }

    /// The directories that new partitions may be put into, with their free space.
    pub(crate) async fn measured_directories(&self) -> Vec<MachineDirectory> {
        let mut measured = Vec::new();
        let online = self.online_directories();
        for (_, directory) in &online {
            // With one directory there is nothing to choose.
            let free_bytes = if online.len() == 1 {
                0
            } else {
                let free = self.io.free_space_bytes(&directory.path).await;
                free.unwrap_or_else(|error| {
                    tracing::warn!(path = %directory.path.display(), %error, "free space is unknown");
                    0
                })
            };
            measured.push(MachineDirectory {
                id: directory.id,
                free_bytes,
            });
        }
        measured
    }

    /// Takes note that a directory has failed: its partitions are offline from now on.
    pub(super) fn directory_failed(&self, index: usize, reason: &str) {
        let mut directories = self.directories.borrow_mut();
        if directories.failures.contains_key(&index) {
            return;
        }
        directories.failures.insert(index, reason.to_owned());
        drop(directories);
        let failed = Event::DirectoryFailed {
            index: u32::try_from(index).unwrap_or(u32::MAX),
        };
        self.io.record_now(failed);
        let lost: Vec<_> = self
            .partitions
            .borrow()
            .values()
            .filter(|partition| self.directory_index(partition.log.dir()) == Some(index))
            .map(Rc::clone)
            .collect();
        for partition in lost {
            self.offline.borrow_mut().insert(partition.key, None);
            self.partitions.borrow_mut().remove(&partition.key);
            partition.log.fence("its log directory has failed");
        }
    }
}

/// Declares a directory failed, on all shards. Runs on shard 0.
pub(super) async fn fail<I: Io>(shard: &Rc<Shard<I>>, index: usize, reason: String) {
    if !shard.is_online(index) {
        return;
    }
    let path = &shard.setup.directories[index].path;
    tracing::error!(path = %path.display(), reason, "a log directory has failed: its partitions are offline");
    shard.directory_failed(index, &reason);
    let others = shard.mesh.shards().filter(|other| *other != shard.id());
    let told = others.map(|other| {
        let message = Control::DirectoryFailed(index, reason.clone());
        async move { shard.mesh.control(other, message).await.await }
    });
    join_all(told).await;
}

/// Whether an error is the directory's, and not one that passes when there is space or there are descriptors again.
pub(super) fn is_failure(error: &Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let passes = matches!(
        error.kind(),
        ErrorKind::OutOfMemory | ErrorKind::Interrupted
    );
    !passes && !lacks_room(error) && !matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

/// Whether an error says that the disk is full.
pub(super) fn lacks_room(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// Has the directories looked at whenever logs of this shard fail.
pub(super) async fn watch<I: Io>(shard: Rc<Shard<I>>) {
    loop {
        shard.storage.log_failed().await;
        shard
            .io
            .sleep_until(shard.io.now() + FAILURES_COLLECTED)
            .await;
        if shard.is_draining() {
            return;
        }
        if shard.id() == CONTROLLER {
            lifecycle::checkpoint_now(&shard).await;
        } else {
            let save = Control::SaveCheckpoints;
            shard.mesh.control(CONTROLLER, save).await.await;
        }
    }
}

/// Every log of this shard.
pub(super) fn describe<I: Io>(shard: &Shard<I>) -> Vec<LogSummary> {
    let partitions = shard.partitions.borrow();
    let logs = partitions.values().filter_map(|partition| {
        let log = &partition.log;
        Some(LogSummary {
            directory: shard.directory_index(log.dir())?,
            topic: (&*log.identity().topic).into(),
            partition: partition.key.index,
            size_bytes: log.size_bytes(),
            offset_lag: 0,
            is_future: false,
        })
    });
    let moves = shard.directory_moves.borrow();
    let futures = moves.values().filter_map(|it| {
        let partition = partitions.get(&it.key)?;
        let log = &partition.log;
        // A move that has just been completed is no more to be seen.
        if shard.directory_index(log.dir()) == Some(it.target) {
            return None;
        }
        let end = log.log_end_offset();
        let future = it.future();
        let reached = future.as_ref().map(storage::Log::log_end_offset);
        Some(LogSummary {
            directory: it.target,
            topic: (&*log.identity().topic).into(),
            partition: it.key.index,
            size_bytes: future.as_ref().map_or(0, storage::Log::size_bytes),
            offset_lag: end.0 - reached.unwrap_or(log.log_start_offset()).0,
            is_future: true,
        })
    });
    logs.chain(futures).collect()
}

/// Every log of the process, each once.
pub(crate) async fn describe_all<I: Io>(shard: &Rc<Shard<I>>) -> Vec<LogSummary> {
    let others = shard.mesh.shards().filter(|other| *other != shard.id());
    let asked = others.map(|other| async move {
        let asked = shard.mesh.request(other, Request::DescribeLogs).await;
        asked.await
    });
    let answers = join_all(asked).await;
    let mut logs = describe(shard);
    for answer in answers {
        if let Some(Reply::Logs(theirs)) = answer {
            logs.extend(theirs);
        }
    }
    // A partition may go from one shard to another between their answers.
    let mut seen = FxHashSet::default();
    logs.retain(|log| seen.insert((log.topic.clone(), log.partition, log.is_future)));
    logs
}

/// A path as Kafka shows it: the operating system's working directory is not the client's.
pub(crate) fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
