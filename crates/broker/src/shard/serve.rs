//! What a shard does for the others: the loops over its mailboxes.

use std::pin::pin;
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::{select, select_all};
use io::{Instant, Io, Receiver as _, TaskClass};
use types::ErrorCode;

use super::lifecycle::checkpoint_now;
use super::{Shard, directories, directory_move};
use crate::connection;
use crate::controller::Asker;
use crate::lookup;
use crate::mesh::{Envelope, ReturnAddress};
use crate::message::{
    AppendJob, AppendResult, Control, OffsetsJob, ReadJob, Reply, Request, WatchTarget,
};
use crate::partition::{Landing, Submitted};
use crate::slice::TimeSlice;

/// Serves appends, reads and look-ups. Appends enter their logs in the order of arrival.
pub(super) async fn serve_requests<I: Io>(
    shard: Rc<Shard<I>>,
    inbox: I::Receiver<Envelope<Request>>,
) {
    let mut slice = TimeSlice::new(|| shard.io.now());
    while let Some(envelope) = slice.wait(inbox.recv()).await {
        let to = envelope.return_address();
        match envelope.body {
            Request::Append(job) => append(&shard, to, job),
            Request::Barrier => shard.mesh.reply_to(to, Reply::Done),
            Request::Read { jobs, max_bytes } => {
                let mut read = Box::pin(answer_read(Rc::clone(&shard), to, jobs, max_bytes));
                // What is in memory is answered here; what has to come from disk goes on by itself.
                if read.as_mut().now_or_never().is_none() {
                    shard.spawn(TaskClass::Foreground, read);
                }
            }
            Request::Watch { targets, deadline } => {
                shard.spawn(
                    TaskClass::Foreground,
                    answer_watch(Rc::clone(&shard), to, targets, deadline),
                );
            }
            Request::DescribeLogs => {
                let logs = directories::describe(&shard);
                shard.mesh.reply_to(to, Reply::Logs(logs));
            }
            Request::MoveLog { key, target, found } => {
                let mover = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    let begun = directory_move::begin(&mover, key, target, found).await;
                    mover.mesh.reply_to(to, Reply::MoveBegun(begun));
                });
            }
            Request::Producers(keys) => {
                let asked = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    let producers = lookup::producers(&asked, &keys).await;
                    asked.mesh.reply_to(to, Reply::Producers(producers));
                });
            }
            Request::DeleteRecords(jobs) => {
                let asked = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    let results = lookup::delete_records(&asked, &jobs).await;
                    asked.mesh.reply_to(to, Reply::DeletedRecords(results));
                });
            }
            Request::Group(job) => shard.ask_for(to, *job),
            Request::GroupAnswer(answer) => {
                shard.group_answered(*answer);
                shard.mesh.reply_to(to, Reply::Done);
            }
            Request::ListGroups(filter) => {
                let asked = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    let listed = asked.list_groups_here(&filter).await;
                    asked.mesh.reply_to(to, Reply::ListedGroups(listed));
                });
            }
            Request::Offsets(jobs) => {
                shard.spawn(
                    TaskClass::Foreground,
                    answer_offsets(Rc::clone(&shard), to, jobs),
                );
            }
        }
        if slice.is_used_up() {
            shard.io.reschedule().await;
            slice.restart();
        }
    }
}

fn append<I: Io>(shard: &Rc<Shard<I>>, to: ReturnAddress, job: AppendJob) {
    let wait_durable = job.wait_durable;
    match shard.submit(job) {
        Submitted::Done(Ok((_, at))) if !wait_durable => {
            shard.mesh.reply_to(to, Reply::Appended(Ok(at)));
        }
        Submitted::Done(Err(code)) => shard.mesh.reply_to(to, Reply::Appended(Err(code))),
        Submitted::Done(landing) => {
            let replier = Rc::clone(shard);
            shard.spawn(TaskClass::Foreground, async move {
                let result = settle(landing, wait_durable).await;
                replier.mesh.reply_to(to, Reply::Appended(result));
            });
        }
        Submitted::Queued(answer) => {
            let replier = Rc::clone(shard);
            shard.spawn(TaskClass::Foreground, async move {
                let landing = answer.await.unwrap_or(Err(ErrorCode::KafkaStorageError));
                let result = settle(landing, wait_durable).await;
                replier.mesh.reply_to(to, Reply::Appended(result));
            });
        }
    }
}

async fn settle<I: Io>(landing: Landing<I>, wait_durable: bool) -> AppendResult {
    match landing {
        Ok((partition, at)) if wait_durable => partition.wait_durable(at).await,
        Ok((_, at)) => Ok(at),
        Err(code) => Err(code),
    }
}

async fn answer_read<I: Io>(
    shard: Rc<Shard<I>>,
    to: ReturnAddress,
    jobs: Vec<ReadJob>,
    max_bytes: usize,
) {
    let results = lookup::read_all(&shard, &jobs, max_bytes).await;
    shard.mesh.reply_to(to, Reply::Read(results));
}

async fn answer_offsets<I: Io>(shard: Rc<Shard<I>>, to: ReturnAddress, jobs: Vec<OffsetsJob>) {
    let results = lookup::all_offsets(&shard, &jobs).await;
    shard.mesh.reply_to(to, Reply::Offsets(results));
}

async fn answer_watch<I: Io>(
    shard: Rc<Shard<I>>,
    to: ReturnAddress,
    targets: Vec<WatchTarget>,
    deadline: Instant,
) {
    let patience = deadline.saturating_since(shard.io.now());
    let grown = pin!(wait_for_growth(&shard, &targets));
    let waited = select(grown, shard.drain_begins());
    io::timeout(&shard.io, patience, waited).await.ok();
    let reply = if shard.is_draining() {
        Reply::Draining
    } else {
        Reply::Done
    };
    shard.mesh.reply_to(to, reply);
}

/// Waits until a partition's high watermark differs from what its reader saw, or what the reader wants or the whole
/// partition has gone.
pub(crate) async fn wait_for_growth<I: Io>(shard: &Shard<I>, targets: &[WatchTarget]) {
    loop {
        let mut waiters = Vec::with_capacity(targets.len());
        for target in targets {
            let Ok(partition) = shard.partition(target.key) else {
                return;
            };
            let grown = partition.log.watch_high_watermark();
            let log = &partition.log;
            let has_grown = log.high_watermark() != target.high_watermark;
            let is_deleted = log.log_start_offset() > target.offset;
            if has_grown || is_deleted || shard.is_draining() {
                return;
            }
            // A fenced log never grows again; a reader that looked at once would spin.
            if !partition.log.is_fenced() {
                waiters.push(grown);
            }
        }
        if waiters.is_empty() {
            return std::future::pending().await;
        }
        select_all(waiters).await;
    }
}

/// Serves metadata, migration and shutdown.
pub(super) async fn serve_control<I: Io>(
    shard: Rc<Shard<I>>,
    inbox: I::Receiver<Envelope<Control<I>>>,
) {
    while let Some(envelope) = inbox.recv().await {
        let to = envelope.return_address();
        match envelope.body {
            Control::Image(image, written) => {
                // The controller sends the next one only after this one is answered.
                let taker = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    taker.take_over(image, &written).await;
                    taker.mesh.reply_to(to, Reply::Done);
                });
            }
            Control::Announce(announcement) => {
                let announcer = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    announcer.announce(&announcement).await;
                    announcer.mesh.reply_to(to, Reply::Done);
                });
            }
            Control::Release(keys) => {
                let releaser = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    let released = releaser.release(&keys).await;
                    releaser.mesh.reply_to(to, Reply::Released(released));
                });
            }
            Control::Adopt(handed_over) => {
                let adopter = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    adopter.adopt(handed_over).await;
                    adopter.mesh.reply_to(to, Reply::Done);
                });
            }
            Control::Decide(command) => shard.controller.submit(*command, Asker::Remote(to)),
            Control::Migrate(migration) => {
                shard.mesh.reply_to(to, Reply::Done);
                shard.spawn(
                    TaskClass::Foreground,
                    connection::serve_migrated(Rc::clone(&shard), *migration),
                );
            }
            Control::Checkpoint => {
                let asked = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    let checkpoints = asked.checkpoints().await;
                    asked.mesh.reply_to(to, Reply::Checkpoints(checkpoints));
                });
            }
            Control::MeasureLoad => shard.mesh.reply_to(to, Reply::Loads(shard.loads())),
            Control::SaveCheckpoints => {
                let saver = Rc::clone(&shard);
                shard.spawn(TaskClass::Control, async move {
                    let saved = checkpoint_now(&saver).await;
                    saver.mesh.reply_to(to, Reply::Saved(saved));
                });
            }
            Control::DirectoryFailed(index, reason) => {
                shard.directory_failed(index, &reason);
                shard.mesh.reply_to(to, Reply::Done);
            }
            Control::Drain => {
                let drained = Rc::clone(&shard);
                shard.spawn(TaskClass::Foreground, async move {
                    let checkpoints = drained.drain().await;
                    drained.mesh.reply_to(to, Reply::Checkpoints(checkpoints));
                });
            }
            Control::Exit => {
                shard.mesh.reply_to(to, Reply::Done);
                shard.ended.notify_all();
            }
        }
    }
}
