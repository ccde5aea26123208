//! Checkpoints and the end: what spans the logs of all shards.
//!
//! A log directory has one file for the recovery points of all its logs, whichever shard owns them, so shard 0
//! gathers and writes them.

use std::cell::Cell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::BrokerConfig;
use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use futures_util::stream;
use io::{Io, Receiver as _, TaskClass};
use rustc_hash::{FxHashMap, FxHashSet};
use storage::checkpoint;
use types::{Event, Offset, PartitionIndex, Uuid};

use super::saving::{LOGS_PER_SLICE, SavedCheckpoints, write_all};
use super::{LogDirectory, Shard, ShardCommand, ShardEvent, report};
use crate::controller::{Command, CommandResult};
use crate::message::{Control, LogCheckpoint, Reply, ShardCheckpoints};
use crate::partition::Partition;

/// Logs that are closed at the same time.
const CLOSING_MAX: usize = 64;

/// What a start has to know of the logs in all log directories before it opens them: what the checkpoint files say.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    recovery_points: FxHashMap<(Uuid, String, i32), Offset>,
    log_starts: FxHashMap<(Uuid, String, i32), Offset>,
    cleaner_offsets: FxHashMap<(Uuid, String, i32), Offset>,
    /// The copies of logs beside them, by the directory that has them.
    copies: FxHashSet<(PathBuf, PartitionIndex)>,
}

impl Checkpoints {
    /// Whether a copy lies beside a log, perhaps of another topic.
    pub(super) fn may_have_copy(&self, log: &Path, partition: PartitionIndex) -> bool {
        let parent = log.parent().unwrap_or(log);
        !self.copies.is_empty() && self.copies.contains(&(parent.to_path_buf(), partition))
    }

    /// The recovery point and the log start offset of a log; 0 where there is none.
    pub(super) fn of(
        &self,
        directory: &LogDirectory,
        topic: &str,
        partition: i32,
    ) -> (Offset, Offset) {
        let key = (directory.id, topic.to_owned(), partition);
        let find = |offsets: &FxHashMap<_, _>| offsets.get(&key).copied().unwrap_or(Offset(0));
        (find(&self.recovery_points), find(&self.log_starts))
    }

    /// Where the cleaner goes on in a log, if it was ever cleaned.
    pub(super) fn cleaner_offset(
        &self,
        directory: &LogDirectory,
        topic: &str,
        partition: i32,
    ) -> Option<Offset> {
        let key = (directory.id, topic.to_owned(), partition);
        self.cleaner_offsets.get(&key).copied()
    }
}

impl<I: Io> Shard<I> {
    /// Reads the checkpoints of all log directories. What cannot be read counts as missing: more is recovered then.
    pub(super) async fn read_checkpoints(&self) -> Checkpoints {
        let mut found = Checkpoints::default();
        for (_, directory) in self.online_directories() {
            let listed = self.io.list_dir(&directory.path).await;
            let copies = listed.iter().flatten().filter_map(|entry| {
                let partition = storage::parse_future_name(&entry.name)?;
                Some((directory.path.clone(), partition))
            });
            found.copies.extend(copies);
            for (file, offsets) in [
                (checkpoint::RECOVERY_POINT_FILE, &mut found.recovery_points),
                (checkpoint::LOG_START_OFFSET_FILE, &mut found.log_starts),
                (checkpoint::CLEANER_OFFSET_FILE, &mut found.cleaner_offsets),
            ] {
                let path = directory.path.join(file);
                let Ok(content) = self.io.read_file(&path, checkpoint::FILE_LEN_MAX).await else {
                    continue;
                };
                match checkpoint::decode_offsets(&content) {
                    Ok(lines) => {
                        offsets.extend(lines.into_iter().map(|line| {
                            ((directory.id, line.topic, line.partition.0), line.offset)
                        }))
                    }
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "ignored a checkpoint")
                    }
                }
            }
        }
        found
    }

    /// How far recovery of a log would have to look back now.
    pub(super) fn checkpoint_of(&self, partition: &Partition<I>) -> Option<LogCheckpoint> {
        let log = &partition.log;
        Some(LogCheckpoint {
            directory: self.directory_index(log.dir())?,
            topic: (&*log.identity().topic).into(),
            partition: partition.key.index,
            recovery_point: log.recovery_point(),
            log_start_offset: partition.promised_log_start(),
            cleaner_offset: log.cleaner_offset(),
        })
    }

    /// How far recovery of this shard's logs would have to look back now. Thousands of logs are looked at in slices.
    pub(super) async fn checkpoints(&self) -> ShardCheckpoints {
        let partitions: Vec<_> = self.partitions.borrow().values().map(Rc::clone).collect();
        let mut logs = Vec::with_capacity(partitions.len());
        for partitions in partitions.chunks(LOGS_PER_SLICE) {
            let checkpoints = partitions.iter().map(|it| self.checkpoint_of(it));
            logs.extend(checkpoints.flatten());
            self.io.reschedule().await;
        }
        let moves = self.directory_moves.borrow();
        // What a copy is found to be when the next start finds it in its partition's place.
        logs.extend(moves.values().filter_map(|it| {
            let partition = self.partition(it.key).ok()?;
            let source = &partition.log;
            // Not any more when the copy has taken the log's place.
            let log = it
                .future()
                .filter(|_| self.directory_index(source.dir()) != Some(it.target))?;
            Some(LogCheckpoint {
                directory: it.target,
                topic: (&*log.identity().topic).into(),
                partition: it.key.index,
                recovery_point: log.recovery_point(),
                // Records may be deleted while the copy waits to take the log's place.
                log_start_offset: log.log_start_offset().max(partition.promised_log_start()),
                cleaner_offset: it.cleaner_offset(source),
            })
        }));
        let offline = self.offline.borrow();
        logs.extend(offline.values().flatten().cloned());
        ShardCheckpoints {
            logs,
            any_failed: !offline.is_empty(),
            any_unclosed: false,
            is_partial: false,
        }
    }

    /// Answers what is under way, ends every connection and closes every log.
    pub(super) async fn drain(self: &Rc<Self>) -> ShardCheckpoints {
        self.is_draining.set(true);
        self.io.record_now(Event::Draining);
        self.draining.notify_all();
        self.close_coordinators();
        let deadline = self.io.now() + self.config().shutdown_timeout() / 2;
        for (_, connection) in self.connections.borrow().iter() {
            connection.drain();
        }
        while !self.connections.borrow().is_empty() && self.io.now() < deadline {
            let next_look = self.io.now() + Duration::from_millis(1);
            self.io.sleep_until(next_look).await;
        }
        for (_, connection) in self.connections.borrow().iter() {
            connection.close("the broker is shutting down");
        }
        let partitions: Vec<_> = self.partitions.borrow().values().map(Rc::clone).collect();
        let (any_failed, any_unclosed) = (Cell::new(false), Cell::new(false));
        stream::iter(&partitions)
            .for_each_concurrent(CLOSING_MAX, async |partition| {
                if let Err(error) = partition.log.close().await {
                    tracing::error!(dir = %partition.log.dir().display(), %error, "cannot close a log");
                    any_failed.set(true);
                    // On a full disk only what was never acknowledged is missing.
                    any_unclosed.set(any_unclosed.get() || !error.lacks_room);
                }
            })
            .await;
        let mut checkpoints = self.checkpoints().await;
        checkpoints.any_failed |= any_failed.get();
        checkpoints.any_unclosed |= any_unclosed.get();
        checkpoints
    }

    /// Sends a message to every other shard and returns what they answer together with this shard's own answer.
    async fn gather(
        &self,
        message: impl Fn() -> Control<I>,
        own: impl Future<Output = ShardCheckpoints>,
    ) -> ShardCheckpoints {
        let others = self.mesh.shards().filter(|other| *other != self.id());
        let asked = others.map(|other| {
            let message = message();
            async move { self.mesh.control(other, message).await.await }
        });
        let (answers, mut all) = join(join_all(asked), own).await;
        for answer in answers {
            match answer {
                Some(Reply::Checkpoints(checkpoints)) => {
                    all.logs.extend(checkpoints.logs);
                    all.any_failed |= checkpoints.any_failed;
                    all.any_unclosed |= checkpoints.any_unclosed;
                }
                _ => {
                    all.any_failed = true;
                    all.any_unclosed = true;
                    all.is_partial = true;
                }
            }
        }
        all
    }
}

/// Writes the recovery points and log start offsets of all logs, every `log.flush.offset.checkpoint.interval.ms`.
pub(super) async fn write_checkpoints<I: Io>(shard: Rc<Shard<I>>) {
    let interval = |config: &BrokerConfig| {
        let millis = config.values.log_flush_offset_checkpoint_interval_ms;
        Duration::from_millis(u64::try_from(millis).unwrap_or(0).max(1))
    };
    loop {
        shard.rest(interval).await;
        if shard.is_draining() {
            return;
        }
        checkpoint_now(&shard).await;
    }
}

/// How often checkpoints were gathered, and which of the last ones are on disk.
#[derive(Debug, Default)]
pub(super) struct CheckpointRuns {
    begun: u64,
    saved: SavedCheckpoints,
}

/// Writes the recovery points and log start offsets of all logs as they are now or later; those who ask meanwhile share
/// the next run. Returns of which directories they are on disk. A deleted topic's lines must be gone before a topic of the same name
/// can be created there.
pub(crate) async fn checkpoint_now<I: Io>(shard: &Rc<Shard<I>>) -> SavedCheckpoints {
    let wanted = shard.checkpoints.borrow().begun + 1;
    let _turn = shard.checkpointing.acquire(1).await;
    {
        let mut runs = shard.checkpoints.borrow_mut();
        if runs.begun >= wanted {
            return runs.saved.clone();
        }
        runs.begun = wanted;
        runs.saved = SavedCheckpoints::default();
    }
    let all = shard
        .gather(|| Control::Checkpoint, shard.checkpoints())
        .await;
    // The end writes newer ones.
    if shard.is_draining() || all.is_partial {
        return SavedCheckpoints::default();
    }
    let saved = write_all(shard, &all.logs).await;
    shard.checkpoints.borrow_mut().saved = saved.clone();
    saved
}

/// Has the controller put another configuration in force, and says what came of it.
async fn reload<I: Io>(
    shard: Rc<Shard<I>>,
    written: Arc<BrokerConfig>,
    events: I::Sender<ShardEvent>,
) {
    let outcome = match shard.decide(Command::Reload(written)).await {
        CommandResult::Reloaded => Ok(()),
        CommandResult::Refused(refusal) => Err(refusal.message),
        _ => Err("the controller did not answer".to_owned()),
    };
    report::<I>(&events, ShardEvent::Reloaded(outcome));
}

/// Carries out the process's commands on all shards, until it has drained them.
pub(super) async fn obey<I: Io>(
    shard: Rc<Shard<I>>,
    commands: I::Receiver<ShardCommand>,
    events: I::Sender<ShardEvent>,
) {
    loop {
        match commands.recv().await {
            // The controller has its own order; a drain does not wait behind it.
            Some(ShardCommand::Reload(written)) => shard.spawn(
                TaskClass::Control,
                reload(Rc::clone(&shard), written, events.clone()),
            ),
            Some(ShardCommand::Drain) => break,
            None => return,
        }
    }
    // A partition that is between two shards would be closed by neither.
    shard.moves_are_over.set(true);
    let _owners = shard.moving.acquire(1).await;
    let checkpoints = shard.gather(|| Control::Drain, shard.drain()).await;
    let closed = shard.decide(Command::Close).await;
    let is_closed = matches!(closed, CommandResult::Closed);
    // Not before: the controller may have to write checkpoints for a deletion that is still being answered.
    let _turn = shard.checkpointing.acquire(1).await;
    let saved = write_all(&shard, &checkpoints.logs).await;
    if !checkpoints.any_failed && is_closed {
        let online = shard.online_directories().into_iter();
        for (_, directory) in online.filter(|(index, _)| saved.has(*index)) {
            let path = directory.path.join(checkpoint::CLEAN_SHUTDOWN_FILE);
            if let Err(error) = shard
                .io
                .replace_file(&path, checkpoint::encode_clean_shutdown(-1))
                .await
            {
                tracing::error!(path = %path.display(), %error, "cannot mark the clean shutdown");
            }
        }
    }
    let is_whole = !checkpoints.any_unclosed && is_closed;
    report::<I>(&events, ShardEvent::Drained { is_whole });
    let others = shard.mesh.shards().filter(|other| *other != shard.id());
    join_all(others.map(|other| {
        let shard = &shard;
        async move { shard.mesh.control(other, Control::Exit).await.await }
    }))
    .await;
    shard.ended.notify_all();
}

/// Removes the marks of a clean shutdown before anything is changed, or a crash would look clean.
///
/// # Errors
/// What cannot be removed, and why.
pub(crate) async fn remove_clean_marks<I: Io>(shard: &Shard<I>) -> Result<(), String> {
    let online = shard.online_directories().into_iter();
    for (_, directory) in online.filter(|(_, directory)| directory.is_clean) {
        let path = directory.path.join(checkpoint::CLEAN_SHUTDOWN_FILE);
        let removed = match shard.io.remove_file(&path).await {
            Ok(()) => shard.io.sync_dir(&directory.path).await,
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        removed.map_err(|error| format!("cannot remove {}: {error}", path.display()))?;
    }
    Ok(())
}
