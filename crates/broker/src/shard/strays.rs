//! What the last run left in the log directories, before any log is opened: moves that a crash interrupted, logs of topics
//! that are gone, and what deletions had still to remove. Runs on shard 0, at the start.
//!
//! The metadata log decides. A copy in the directory that it names for a partition is complete and gets the partition's
//! name; a copy anywhere else is a wish, and is gone on with. The log that a completed move has left behind is removed when
//! the one that has taken its place is seen to have all of it. Where several directories may be the log, `claims` settles it.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use io::{DirEntry, Io, TaskClass};
use metadata::{MetadataImage, TopicImage};
use rustc_hash::FxHashSet;
use storage::{LogIdentity, OpenError, checkpoint};
use types::{PartitionIndex, Uuid};

use super::claims::{self, Claims};
use super::lifecycle::Checkpoints;
use super::takeover::log_path;
use super::{LogDirectory, Shard, directory_move};
use crate::controller::Decider;
use crate::message::PartitionKey;

/// A move that is not complete.
#[derive(Debug)]
pub(super) struct Wish {
    key: PartitionKey,
    /// The index of the log directory.
    target: usize,
    /// Where the copy is.
    copy: PathBuf,
}

/// A log directory and what is in it.
struct Listed {
    index: usize,
    directory: LogDirectory,
    entries: Vec<DirEntry>,
}

impl Listed {
    /// Whether there is a directory with the name of this partition.
    fn has(&self, topic: &str, partition: PartitionIndex) -> bool {
        let log = log_path(&self.directory, topic, partition.0);
        let mut names = self.entries.iter().map(|entry| entry.name.as_ref());
        names.any(|name| log.file_name() == Some(name))
    }
}

/// What to do about a future log.
enum Fate {
    /// It is complete, and gets the partition's name, unless something else is that log.
    Claim(Arc<TopicImage>),
    /// It goes on growing.
    Keep(PartitionKey),
    /// Nobody wants it.
    Remove,
    /// What it is cannot be known now.
    Leave,
}

/// Completes moves, sets aside directories of partitions that the metadata does not know, so that a new topic of the same
/// name begins empty, and removes what deletions left behind. Returns the moves that have to go on.
pub(super) async fn sort_out<I: Io>(shard: &Rc<Shard<I>>, decider: &Decider<I>) -> Vec<Wish> {
    let mut listed = Vec::new();
    for (index, directory) in shard.online_directories() {
        match shard.io.list_dir(&directory.path).await {
            Ok(entries) => listed.push(Listed {
                index,
                directory,
                entries,
            }),
            Err(error) => {
                tracing::error!(path = %directory.path.display(), %error, "cannot list a log directory");
                super::directories::fail(shard, index, error.to_string()).await;
            }
        }
    }
    let mut wishes = Vec::new();
    let mut claims = Vec::new();
    for it in &listed {
        sort_out_futures(shard, decider.image(), it, (&mut wishes, &mut claims)).await;
    }
    let checkpoints = shard.read_checkpoints().await;
    let unsettled = settle_all(shard, &claims, &checkpoints).await;
    for it in &listed {
        set_strays_aside(shard, decider, it, (&unsettled, &checkpoints)).await;
        let (remover, parent) = (Rc::clone(shard), it.directory.path.clone());
        shard.spawn(TaskClass::Background, async move {
            if let Err(error) = remover.storage.remove_deleted(&parent).await {
                tracing::warn!(path = %parent.display(), %error, "cannot remove deleted partitions");
            }
        });
    }
    wishes
}

/// Goes on with the moves of the last run.
pub(super) fn resume<I: Io>(shard: &Rc<Shard<I>>, wishes: Vec<Wish>) {
    let resumer = Rc::clone(shard);
    shard.spawn(TaskClass::Background, async move {
        for Wish { key, target, copy } in wishes {
            tracing::info!(dir = %copy.display(), "the move of a log goes on");
            let begun = directory_move::begin_anywhere(&resumer, key, target, Some(copy));
            if let Err(code) = begun.await {
                tracing::error!(topic_id = %key.topic_id, partition = key.index, %code, "the move of a log does not go on");
            }
        }
    });
}

/// Settles what claims to be the log of each of these partitions. Returns those of which it is not known.
async fn settle_all<I: Io>(
    shard: &Shard<I>,
    claims: &[(PartitionKey, Claims)],
    checkpoints: &Checkpoints,
) -> FxHashSet<PartitionKey> {
    let mut unsettled = FxHashSet::default();
    for (key, claims) in claims {
        let directory = &shard.setup.directories[claims.directory];
        let known = checkpoints.of(directory, &claims.topic, claims.partition);
        if let Err(error) = claims::settle(shard, claims, known).await {
            tracing::error!(topic = %claims.topic, partition = key.index, %error, "cannot sort out the move of a log");
            unsettled.insert(*key);
        }
    }
    unsettled
}

async fn sort_out_futures<I: Io>(
    shard: &Rc<Shard<I>>,
    image: &MetadataImage,
    listed: &Listed,
    (wishes, claims): (&mut Vec<Wish>, &mut Vec<(PartitionKey, Claims)>),
) {
    for entry in listed.entries.iter().filter(|entry| entry.is_dir) {
        let Some(partition) = storage::parse_future_name(&entry.name) else {
            continue;
        };
        let copy = listed.directory.path.join(&entry.name);
        let topic = topic_of(shard, image, &copy).await;
        let done = match fate(shard, listed, topic, partition) {
            Fate::Claim(topic) => {
                let key = PartitionKey {
                    topic_id: topic.id,
                    index: partition.0,
                };
                // A crash leaves few of them.
                match claims.iter_mut().find(|(claimed, _)| *claimed == key) {
                    Some((_, claims)) => claims.copies.push(copy),
                    None => claims.push((
                        key,
                        Claims {
                            directory: listed.index,
                            has_home: listed.has(&topic.name, partition),
                            topic: topic.name.clone(),
                            partition: partition.0,
                            copies: vec![copy],
                        },
                    )),
                }
                continue;
            }
            Fate::Keep(key) if wishes.iter().all(|wish| wish.key != key) => {
                let target = listed.index;
                wishes.push(Wish { key, target, copy });
                continue;
            }
            Fate::Keep(_) | Fate::Remove => {
                shard.storage.delete_directory(&copy, Duration::ZERO).await
            }
            Fate::Leave => continue,
        };
        if let Err(error) = done {
            tracing::error!(%error, "cannot sort out the move of a log");
        }
    }
}

fn fate<I: Io>(
    shard: &Shard<I>,
    listed: &Listed,
    topic: Result<Option<&Arc<TopicImage>>, ()>,
    partition: PartitionIndex,
) -> Fate {
    let topic = match topic {
        Ok(Some(topic)) => topic,
        Ok(None) => return Fate::Remove,
        Err(()) => return Fate::Leave,
    };
    let Some(image) = topic.partition(partition) else {
        return Fate::Remove;
    };
    match shard.directory_of(image) {
        Ok(index) if index == listed.index => Fate::Claim(Arc::clone(topic)),
        Ok(_) => Fate::Keep(PartitionKey {
            topic_id: topic.id,
            index: partition.0,
        }),
        Err(_offline) => Fate::Leave,
    }
}

/// The topic that a partition's directory belongs to, if it is known; `Err` when the directory does not tell.
async fn topic_of<'a, I: Io>(
    shard: &Shard<I>,
    image: &'a MetadataImage,
    dir: &Path,
) -> Result<Option<&'a Arc<TopicImage>>, ()> {
    let id = topic_id_of(shard, dir).await;
    id.map(|id| image.topic(id)).ok_or(())
}

/// The future logs of a partition in a log directory.
///
/// # Errors
/// When the directory cannot be listed.
pub(super) async fn futures_of<I: Io>(
    shard: &Shard<I>,
    directory: usize,
    identity: &LogIdentity,
) -> Result<Vec<PathBuf>, OpenError> {
    let path = &shard.setup.directories[directory].path;
    let listed = shard.io.list_dir(path).await;
    let listed = listed.map_err(|source| OpenError::Io {
        act: "list directory",
        path: path.clone(),
        source,
    })?;
    let mut found = Vec::new();
    for entry in listed.iter().filter(|entry| entry.is_dir) {
        let future = path.join(&entry.name);
        if storage::parse_future_name(&entry.name) == Some(identity.partition)
            && topic_id_of(shard, &future).await == Some(identity.topic_id)
        {
            found.push(future);
        }
    }
    Ok(found)
}

/// The topic whose partition a directory holds, if it says so.
pub(super) async fn topic_id_of<I: Io>(shard: &Shard<I>, dir: &Path) -> Option<Uuid> {
    let path = dir.join(checkpoint::PARTITION_METADATA_FILE);
    let content = shard.io.read_file(&path, checkpoint::FILE_LEN_MAX).await;
    checkpoint::decode_partition_metadata(&content.ok()?).ok()
}

async fn set_strays_aside<I: Io>(
    shard: &Rc<Shard<I>>,
    decider: &Decider<I>,
    listed: &Listed,
    (unsettled, checkpoints): (&FxHashSet<PartitionKey>, &Checkpoints),
) {
    for entry in listed.entries.iter().filter(|entry| entry.is_dir) {
        let path = listed.directory.path.join(&entry.name);
        let Some((topic, partition)) = parse_log_name(&entry.name) else {
            continue;
        };
        let id = topic_id_of(shard, &path).await;
        if id.is_some_and(|id| decider.has_removed(id)) {
            remove(shard, &path, "its topic was deleted").await;
            continue;
        }
        let known = decider.image().topic_named(topic);
        let known = known.and_then(|it| Some((it.id, it.partition(partition)?)));
        let Some((topic_id, known)) = known else {
            set_aside(shard, &path, "the metadata does not know this partition").await;
            continue;
        };
        // A crash during the creation leaves the directory without its id.
        if id.is_some_and(|id| id != topic_id) {
            set_aside(shard, &path, "it belongs to a topic that is gone").await;
            continue;
        }
        let Ok(place) = shard.directory_of(known) else {
            continue;
        };
        if place == listed.index {
            continue;
        }
        let key = PartitionKey {
            topic_id,
            index: partition.0,
        };
        if unsettled.contains(&key) {
            // It may be the last one that is whole.
            continue;
        }
        // The partition has moved. What it left behind is needed no more if all of it has arrived.
        let directory = &shard.setup.directories[place];
        let home = log_path(directory, topic, partition.0);
        let (_, home_start) = checkpoints.of(directory, topic, partition.0);
        if id.is_some()
            && topic_id_of(shard, &home).await == id
            && claims::goes_as_far(shard, (&home, home_start), &path).await
        {
            remove(shard, &path, "its log has moved to another directory").await;
        } else {
            let reason = "the metadata names another directory for this partition";
            set_aside(shard, &path, reason).await;
        }
    }
}

/// The topic and the partition of a log's directory.
fn parse_log_name(name: &str) -> Option<(&str, PartitionIndex)> {
    let (topic, index) = name.rsplit_once('-')?;
    let index = index.parse().ok()?;
    (topic != metadata::CLUSTER_METADATA_TOPIC).then_some((topic, PartitionIndex(index)))
}

async fn remove<I: Io>(shard: &Shard<I>, path: &Path, reason: &str) {
    tracing::info!(path = %path.display(), "removed: {reason}");
    let removed = shard.storage.delete_directory(path, Duration::ZERO).await;
    if let Err(error) = removed {
        tracing::error!(%error, "cannot remove what nobody needs: the next start tries again");
    }
}

async fn set_aside<I: Io>(shard: &Shard<I>, path: &Path, reason: &str) {
    if let Err(error) = claims::set_aside(shard, path, reason).await {
        tracing::error!(path = %path.display(), %error, "cannot set a stray partition aside");
    }
}
