//! Moving a partition's log to another log directory while it is written: AlterReplicaLogDirs.
//!
//! A *future* log is created in the target directory, and its presence there is what remembers the wish. Batches are
//! copied into it, within the throttle, until it holds the same; then appends wait for the few milliseconds in which
//! the rest is copied and the metadata log says which directory is the partition's. That record is the moment of the
//! move: a crash before it leaves the old log in charge, and the copy goes on after the restart; a crash after it leaves
//! a complete copy, which the restart gives the partition's name.
//!
//! Offsets, epochs and producers stay as they are, and clients notice nothing but the wait. One task for each partition
//! on the move, [`COPYING_MAX`] of a shard copy at a time.
//!
//! Deliberately absent: copies between shards. A partition that goes to another shard takes its wish along.

mod state;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use io::sync::{Notify, Permit};
use io::{Io, TaskClass};
use metadata::DirectoryChange;
use storage::{AppendError, CopyError, LastKnown, Log, OpenError};
use types::{ErrorCode, Offset, PartitionIndex};

use super::takeover::log_path;
use super::{OWNERS_TRIED_MAX, Shard, claims, throttle};
use crate::controller::{Command, CommandResult};
use crate::message::{PartitionKey, Reply, Request};
use crate::partition::Partition;
pub(crate) use state::DirectoryMove;
use state::Halt;

/// Partitions of a shard that are copied at the same time; more wait.
pub(super) const COPYING_MAX: usize = 4;

/// Bytes that are copied before the throttle is asked again.
const STEP_BYTES: usize = 256 << 10;

/// How often the new owner of a partition is asked to go on with its move.
const HAND_OVER_ATTEMPTS_MAX: u32 = 20;

/// How long a copy waits for a disk that is full, or for a metadata log that took no record.
const PAUSE: Duration = Duration::from_millis(500);

/// Begins a move, or goes on with the one whose future log was `found`. When this returns without an error the wish
/// survives a crash. A wish for the directory that holds the partition ends a move.
///
/// # Errors
/// Kafka's codes for partitions and directories that are not there.
pub(crate) async fn begin<I: Io>(
    shard: &Rc<Shard<I>>,
    key: PartitionKey,
    target: usize,
    found: Option<PathBuf>,
) -> Result<(), ErrorCode> {
    // At most one copy of a partition is under way, so that a restart never has to guess which one is complete.
    let partition = loop {
        let partition = shard.partition_here(key).await?;
        if !shard.is_online(target) || partition.log.is_fenced() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let under_way = shard.directory_moves.borrow().get(&key).map(Rc::clone);
        match under_way {
            None => break partition,
            Some(other) if found.is_some() || other.target == target && !other.is_cancelled() => {
                return discard_older(shard, &other, found.as_deref()).await;
            }
            Some(other) => {
                let ended = other.ended.notified();
                other.cancel();
                ended.await;
            }
        }
    };
    if shard.directory_index(partition.log.dir()) == Some(target) {
        return Ok(());
    }
    let identity = partition.log.identity().clone();
    let is_found = found.is_some();
    let path = match found {
        Some(path) => path,
        None => {
            let random = [shard.io.random(), shard.io.random()];
            let name = storage::future_name(&identity.topic, identity.partition, random);
            shard.setup.directories[target].path.join(name)
        }
    };
    let moving = Rc::new(DirectoryMove {
        key,
        target,
        source: Rc::clone(&partition),
        path,
        future: RefCell::default(),
        // A checkpoint may be of an earlier copy.
        recovery_point: Cell::new(Offset(0)),
        is_begun_here: !is_found,
        has_waited: Cell::new(false),
        is_blocked: Cell::new(false),
        is_source_left: Cell::new(false),
        is_cancelled: Cell::new(false),
        cancelled: Notify::new(),
        ended: Notify::new(),
    });
    let before = shard
        .directory_moves
        .borrow_mut()
        .insert(key, Rc::clone(&moving));
    assert!(before.is_none(), "nothing was awaited since the look");
    if !is_found && let Err(error) = create(shard, &moving, &partition.log).await {
        tracing::error!(dir = %moving.path.display(), %error, "cannot begin to move a log");
        forget(shard, &moving);
        return Err(ErrorCode::KafkaStorageError);
    }
    let mover = Rc::clone(shard);
    shard.spawn(TaskClass::Background, async move {
        let halt = match carry_out(&mover, &moving).await {
            // What fails because the partition goes elsewhere is no failure.
            Err(Halt::Failed(reason)) => {
                check(&mover, &moving).err().or(Some(Halt::Failed(reason)))
            }
            ended => ended.err(),
        };
        mover.remove_source(&moving).await;
        end(&mover, &moving, halt).await;
    });
    Ok(())
}

/// Removes the copy that an earlier wish has left, since a newer one is being carried out.
async fn discard_older<I: Io>(
    shard: &Shard<I>,
    newer: &DirectoryMove<I>,
    found: Option<&Path>,
) -> Result<(), ErrorCode> {
    let Some(copy) = found.filter(|copy| *copy != newer.path) else {
        return Ok(());
    };
    let removed = shard.storage.delete_directory(copy, Duration::ZERO).await;
    removed.map_err(|error| {
        tracing::warn!(dir = %copy.display(), %error, "a copy that nobody wants is not removed yet");
        ErrorCode::KafkaStorageError
    })
}

/// Makes the wish durable: the directory of the future log, with its `partition.metadata`, and nothing beside it that could
/// be taken for the same log.
async fn create<I: Io>(
    shard: &Shard<I>,
    moving: &DirectoryMove<I>,
    source: &Log<I>,
) -> Result<(), OpenError> {
    let identity = source.identity();
    claims::clear_place(shard, moving.target, source, None).await?;
    let created = Log::create(
        &shard.storage,
        &moving.path,
        identity.clone(),
        source.config(),
    );
    created.await.map(drop)
}

fn forget<I: Io>(shard: &Shard<I>, moving: &DirectoryMove<I>) {
    shard.directory_moves.borrow_mut().remove(&moving.key);
    moving.ended.notify_all();
}

/// Cleans up behind a move that has ended, and lets the next one of the partition begin.
async fn end<I: Io>(shard: &Rc<Shard<I>>, moving: &Rc<DirectoryMove<I>>, halt: Option<Halt>) {
    if matches!(halt, Some(Halt::Undecided)) {
        // The next start may find the copy to be the log: checkpoints go on saying what is known of it.
        close(moving.future()).await;
        return;
    }
    let future = moving.future.take();
    let dir = moving.path.display();
    match &halt {
        None => tracing::info!(%dir, "a partition's log has moved to another directory"),
        Some(Halt::Cancelled) => discard(shard, moving, future).await,
        Some(Halt::Failed(reason)) => {
            tracing::error!(%dir, reason, "a log cannot be moved: it stays where it is");
            discard(shard, moving, future).await;
        }
        Some(Halt::Draining | Halt::Elsewhere | Halt::NoRoom | Halt::Undecided) => {
            close(future).await;
        }
    }
    forget(shard, moving);
    if matches!(halt, Some(Halt::Elsewhere)) {
        hand_over(shard, moving).await;
    }
}

/// Asks the partition's new shard to go on with its move.
async fn hand_over<I: Io>(shard: &Rc<Shard<I>>, moving: &DirectoryMove<I>) {
    for _ in 0..HAND_OVER_ATTEMPTS_MAX {
        let found = Some(moving.path.clone());
        let begun = begin_anywhere(shard, moving.key, moving.target, found).await;
        // It may have gone further meanwhile.
        if begun != Err(ErrorCode::NotLeaderOrFollower) {
            return;
        }
        pause(shard).await;
    }
}

/// Begins a move on the shard that owns the partition.
///
/// # Errors
/// As [`begin`].
pub(crate) async fn begin_anywhere<I: Io>(
    shard: &Rc<Shard<I>>,
    key: PartitionKey,
    target: usize,
    found: Option<PathBuf>,
) -> Result<(), ErrorCode> {
    let mut begun = Err(ErrorCode::NotLeaderOrFollower);
    for _ in 0..OWNERS_TRIED_MAX {
        let found = found.clone();
        begun = match shard.view().owner(key) {
            None => Err(ErrorCode::UnknownTopicOrPartition),
            Some(owner) if owner == shard.id() => begin(shard, key, target, found).await,
            Some(owner) => {
                let request = Request::MoveLog { key, target, found };
                match shard.mesh.request(owner, request).await.await {
                    Some(Reply::MoveBegun(result)) => result,
                    _ => Err(ErrorCode::KafkaStorageError),
                }
            }
        };
        if begun != Err(ErrorCode::NotLeaderOrFollower) {
            break;
        }
    }
    begun
}

async fn close<I: Io>(future: Option<Log<I>>) {
    if let Some(future) = future
        && !future.is_fenced()
        && let Err(error) = future.hand_over().await
    {
        // The next start recovers it.
        tracing::warn!(dir = %future.dir().display(), %error, "a copy is not closed");
    }
}

async fn discard<I: Io>(shard: &Shard<I>, moving: &DirectoryMove<I>, future: Option<Log<I>>) {
    let removed = match future {
        Some(future) => future.delete().await,
        None => {
            let now = Duration::ZERO;
            shard.storage.delete_directory(&moving.path, now).await
        }
    };
    if let Err(error) = removed {
        tracing::warn!(dir = %moving.path.display(), %error, "a copy is not removed yet");
    }
}

async fn carry_out<I: Io>(shard: &Rc<Shard<I>>, moving: &Rc<DirectoryMove<I>>) -> Result<(), Halt> {
    let mut turn = Some(take_turn(shard, moving).await?);
    let _cleaner_is_away = check(shard, moving)?.log.pause_cleaning().await;
    loop {
        if turn.is_none() {
            turn = Some(take_turn(shard, moving).await?);
        }
        let partition = check(shard, moving)?;
        let future = match moving.future() {
            Some(future) => future,
            None => match open(shard, moving, &partition).await {
                Err(Halt::NoRoom) => {
                    moving.say_waiting();
                    turn = None;
                    pause(shard).await;
                    continue;
                }
                opened => opened?,
            },
        };
        match future.copy_from(&partition.log, STEP_BYTES).await {
            Ok(0) => {
                if is_clear(shard, moving).await && swap(shard, moving, &partition, &future).await?
                {
                    return Ok(());
                }
                turn = None;
                pause(shard).await;
            }
            Ok(len_bytes) => throttle::wait(shard, moving, len_bytes).await,
            Err(CopyError::Append(AppendError::DiskFull)) => {
                moving.say_waiting();
                // Copies to other directories, or away from this one, need no space here.
                turn = None;
                pause(shard).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until the move may copy.
async fn take_turn<I: Io>(shard: &Shard<I>, moving: &DirectoryMove<I>) -> Result<Permit, Halt> {
    let cancelled = moving.cancelled.notified();
    check(shard, moving)?;
    let turn = pin!(shard.copying.acquire(1));
    match select(turn, cancelled).await {
        Either::Left((turn, _)) => Ok(turn),
        Either::Right(_) => Err(Halt::Cancelled),
    }
}

/// The partition, as long as the move goes on.
fn check<I: Io>(shard: &Shard<I>, moving: &DirectoryMove<I>) -> Result<Rc<Partition<I>>, Halt> {
    if moving.is_cancelled.get() {
        return Err(Halt::Cancelled);
    }
    if shard.is_draining() {
        return Err(Halt::Draining);
    }
    if let Some(reason) = shard.directory_failure(moving.target) {
        return Err(Halt::Failed(reason));
    }
    match shard.partition(moving.key) {
        // It may have been on another shard in the meantime.
        Ok(partition) if !Rc::ptr_eq(&partition, &moving.source) => Err(Halt::Elsewhere),
        Ok(partition) => Ok(partition),
        Err(_) if shard.arriving.borrow().contains_key(&moving.key) => Err(Halt::Elsewhere),
        Err(ErrorCode::KafkaStorageError) => Err(Halt::Failed("the partition is offline".into())),
        Err(_) => Err(match shard.view().owner(moving.key) {
            Some(owner) if owner != shard.id() => Halt::Elsewhere,
            _ => Halt::Cancelled,
        }),
    }
}

async fn pause<I: Io>(shard: &Shard<I>) {
    shard.io.sleep_until(shard.io.now() + PAUSE).await;
}

/// Opens the future log where it was left, or begins it at the source's begin.
async fn open<I: Io>(
    shard: &Shard<I>,
    moving: &DirectoryMove<I>,
    partition: &Partition<I>,
) -> Result<Log<I>, Halt> {
    let source = &partition.log;
    let created = shard.io.create_dir_all(&moving.path).await;
    created.map_err(|error| Halt::Failed(error.to_string()))?;
    let last = LastKnown {
        is_clean: false,
        recovery_point: moving.recovery_point.get(),
        log_start_offset: source.copy_base().await?,
    };
    let open_copy = |last| {
        let identity = source.identity().clone();
        Log::open(
            &shard.storage,
            &moving.path,
            identity,
            source.config(),
            last,
        )
    };
    let future = match open_copy(last).await {
        Err(error @ OpenError::Corrupt { .. }) => {
            // A full disk has taken a later part of a group of writes and not an earlier one. The source has it all.
            tracing::warn!(dir = %moving.path.display(), %error, "a copy is begun anew");
            discard(shard, moving, None).await;
            let created = shard.io.create_dir_all(&moving.path).await;
            created.map_err(|error| Halt::Failed(error.to_string()))?;
            moving.recovery_point.set(Offset(0));
            open_copy(LastKnown {
                recovery_point: Offset(0),
                ..last
            })
            .await?
        }
        opened => opened?,
    };
    moving.future.replace(Some(future.clone()));
    if last.recovery_point == Offset(0) {
        // All of it was read, which counts like what is copied.
        let read_bytes = usize::try_from(future.size_bytes()).unwrap_or(usize::MAX);
        throttle::wait(shard, moving, read_bytes).await;
    }
    Ok(future)
}

/// Whether the copy can get the partition's name once the metadata says that it is the log. Nothing can be refused after that.
async fn is_clear<I: Io>(shard: &Shard<I>, moving: &DirectoryMove<I>) -> bool {
    let kept = Some(moving.path());
    let cleared = claims::clear_place(shard, moving.target, &moving.source.log, kept).await;
    if let Err(error) = &cleared
        && !moving.is_blocked.replace(true)
    {
        tracing::error!(dir = %moving.path.display(), %error,
            "a move waits: something has the log's name in the directory where it is to go");
    }
    cleared.is_ok()
}

/// Lets appends wait, completes the copy, and has the metadata say that it is the partition's log. Returns `false` when
/// that has to be tried again later.
async fn swap<I: Io>(
    shard: &Rc<Shard<I>>,
    moving: &Rc<DirectoryMove<I>>,
    partition: &Rc<Partition<I>>,
    future: &Log<I>,
) -> Result<bool, Halt> {
    let partition_epoch = shard
        .view()
        .partition(moving.key)
        .map(|image| image.partition_epoch);
    let Some(partition_epoch) = partition_epoch else {
        return Err(Halt::Cancelled);
    };
    // A coordinator of groups is loaded anew from the other log, which has to have all that this one has decided.
    shard.end_coordinators(|key| key == moving.key);
    partition.drained().await;
    if !partition.hold() {
        return Ok(false);
    }
    let identity = partition.log.identity();
    let directory = &shard.setup.directories[moving.target];
    let place = log_path(directory, &identity.topic, identity.partition.0);
    if !claims::is_free(shard, &place).await {
        go_on(shard, partition);
        return Ok(false);
    }
    let completed = complete(moving, partition, future).await;
    if !matches!(completed, Ok(true)) {
        go_on(shard, partition);
        return completed;
    }
    let change = DirectoryChange {
        topic_id: moving.key.topic_id,
        partition: PartitionIndex(moving.key.index),
        directory: shard.setup.directories[moving.target].id,
        shard: shard.id(),
        partition_epoch,
    };
    // When this returns, the shard has put the copy in the log's place.
    let decided = shard.decide(Command::ChangeDirectory(change)).await;
    let CommandResult::Refused(refusal) = decided else {
        return Ok(true);
    };
    match refusal.code {
        ErrorCode::NotController => return Err(Halt::Draining),
        ErrorCode::KafkaStorageError => {
            // The record may be on disk or not. Until the next start reads it, both logs have to stay as they are.
            partition
                .log
                .fence("its move to another directory is undecided");
            go_on(shard, partition);
            return Err(Halt::Undecided);
        }
        _ => {}
    }
    tracing::warn!(dir = %moving.path.display(), reason = refusal.message, "a move is put off");
    moving.forget_future();
    go_on(shard, partition);
    Ok(false)
}

/// Lets appends and groups go on with the log that was there before.
fn go_on<I: Io>(shard: &Rc<Shard<I>>, partition: &Rc<Partition<I>>) {
    partition.release();
    shard.follow_groups();
}

/// Copies what is left, while no appends come. Returns `false` when the disk is full.
async fn complete<I: Io>(
    moving: &DirectoryMove<I>,
    partition: &Partition<I>,
    future: &Log<I>,
) -> Result<bool, Halt> {
    let source = &partition.log;
    if source.flush().await.is_err() {
        return Ok(false);
    }
    while future.log_end_offset() < source.log_end_offset() {
        match future.copy_from(source, STEP_BYTES).await {
            Ok(0) if future.log_end_offset() < source.log_end_offset() => return Ok(false),
            Ok(_) => {}
            Err(CopyError::Append(AppendError::DiskFull)) => {
                moving.say_waiting();
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    future.adopt(source);
    // Not merely closed: a write that waits for space would go on beside the log that is opened there next.
    match future.hand_over().await {
        Ok(last) if last.is_clean => return Ok(true),
        Err(fenced) if !fenced.lacks_room => return Err(Halt::Failed(fenced.to_string())),
        Ok(_) | Err(_) => {}
    }
    moving.say_waiting();
    moving.forget_future();
    Ok(false)
}
