//! Writing the checkpoints of the log directories, each directory for itself.
//!
//! Shard 0 does it, for the logs of all shards. What is known afterwards is known of each directory: one that is full or
//! has failed keeps nobody from what concerns another.
//!
//! A full directory is freed by deleting, and a deletion needs a checkpoint. So each directory has a file of zeros that
//! gives its room to the checkpoint that finds none; the next checkpoint that is written sets room aside again, since the
//! one that it has replaced has left as much. A crash in between costs only the room that was set aside.

use std::path::Path;
use std::rc::Rc;

use io::Io;
use storage::checkpoint::{self, OffsetsText};
use types::PartitionIndex;

use super::{Shard, directories};
use crate::message::LogCheckpoint;

/// Logs whose checkpoints are written between two turns of the reactor: less than a slice of time.
pub(super) const LOGS_PER_SLICE: usize = 256;

/// The file that keeps room for a checkpoint.
const RESERVE_FILE: &str = "checkpoint-reserve";

/// The room that is kept where the checkpoints are small.
const RESERVE_MIN_BYTES: usize = 64 << 10;

/// Whether the checkpoints of a log directory are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    Yes,
    /// The directory is full.
    NoRoom,
    No,
}

/// Which log directories have their checkpoints on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavedCheckpoints(Vec<Saved>);

impl SavedCheckpoints {
    /// How it is with the directory of this index.
    pub(crate) fn of(&self, index: usize) -> Saved {
        self.0.get(index).copied().unwrap_or(Saved::No)
    }

    /// Whether the checkpoints of the directory of this index are on disk.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.of(index) == Saved::Yes
    }
}

/// Writes the checkpoints of every directory that can be used.
pub(super) async fn write_all<I: Io>(
    shard: &Rc<Shard<I>>,
    checkpoints: &[LogCheckpoint],
) -> SavedCheckpoints {
    let mut saved = vec![Saved::No; shard.setup.directories.len()];
    for (index, directory) in shard.online_directories() {
        saved[index] = write_directory(shard, index, &directory.path, checkpoints).await;
    }
    SavedCheckpoints(saved)
}

async fn write_directory<I: Io>(
    shard: &Rc<Shard<I>>,
    index: usize,
    directory: &Path,
    checkpoints: &[LogCheckpoint],
) -> Saved {
    let mut recovery = OffsetsText::default();
    let mut starts = OffsetsText::default();
    let mut cleaned = OffsetsText::default();
    for checkpoints in checkpoints.chunks(LOGS_PER_SLICE) {
        for it in checkpoints.iter().filter(|it| it.directory == index) {
            let (topic, partition) = (it.topic.as_str(), PartitionIndex(it.partition));
            recovery.push(topic, partition, it.recovery_point);
            if it.log_start_offset.0 > 0 {
                starts.push(topic, partition, it.log_start_offset);
            }
            if let Some(offset) = it.cleaner_offset {
                cleaned.push(topic, partition, offset);
            }
        }
        shard.io.reschedule().await;
    }
    let mut largest_bytes = 0;
    for (file, offsets) in [
        (checkpoint::RECOVERY_POINT_FILE, recovery),
        (checkpoint::LOG_START_OFFSET_FILE, starts),
        (checkpoint::CLEANER_OFFSET_FILE, cleaned),
    ] {
        let content = offsets.into_bytes();
        largest_bytes = largest_bytes.max(content.len());
        let saved = write_checkpoint(shard, index, &directory.join(file), content).await;
        if saved != Saved::Yes {
            return saved;
        }
    }
    keep_reserve(shard, index, directory, largest_bytes).await;
    Saved::Yes
}

/// Writes a checkpoint. A directory that refuses it twice has failed, unless it lacks nothing but room.
async fn write_checkpoint<I: Io>(
    shard: &Rc<Shard<I>>,
    directory: usize,
    path: &Path,
    content: Vec<u8>,
) -> Saved {
    for is_last in [false, true] {
        let Err(error) = shard.io.replace_file(path, content.clone()).await else {
            return Saved::Yes;
        };
        if directories::lacks_room(&error) {
            if !is_last && give_reserve(shard, directory, path).await {
                continue;
            }
            tracing::error!(path = %path.display(), %error, "no room for a checkpoint");
            return Saved::NoRoom;
        }
        tracing::error!(path = %path.display(), %error, "cannot write a checkpoint");
        if !directories::is_failure(&error) {
            return Saved::No;
        }
        if is_last {
            directories::fail(shard, directory, error.to_string()).await;
        }
    }
    Saved::No
}

/// Sets room aside for the next checkpoint that finds none.
async fn keep_reserve<I: Io>(
    shard: &Shard<I>,
    index: usize,
    directory: &Path,
    largest_bytes: usize,
) {
    let wanted = (2 * largest_bytes)
        .next_power_of_two()
        .max(RESERVE_MIN_BYTES);
    if shard.checkpoint_reserve_bytes(index) >= wanted {
        return;
    }
    let path = directory.join(RESERVE_FILE);
    match shard.io.replace_file(&path, vec![0; wanted]).await {
        Ok(()) => shard.set_checkpoint_reserve_bytes(index, wanted),
        // The next checkpoint tries again.
        Err(error) => tracing::debug!(path = %path.display(), %error, "no room is set aside"),
    }
}

/// Gives up the room beside `checkpoint` that was set aside. Returns whether there was any.
async fn give_reserve<I: Io>(shard: &Shard<I>, directory: usize, checkpoint: &Path) -> bool {
    let path = checkpoint.with_file_name(RESERVE_FILE);
    shard.set_checkpoint_reserve_bytes(directory, 0);
    shard.io.remove_file(&path).await.is_ok()
}
