//! A partition that this shard owns: its log, and the queue of appends that wait to be admitted.
//!
//! Appends enter the log in the order in which they were submitted. Nearly always a log admits a batch at once;
//! when it does not (too much is uncommitted, a segment is being preallocated), batches queue here, first come,
//! first served, whichever connection or shard they came from.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use io::sync::{Answer, Notify, Promise, oneshot};
use io::{Io, Task as _, TaskClass};
use storage::{Fenced, LastKnown, Log, LogConfig};
use types::{ErrorCode, LeaderEpoch, Offset};

use crate::errors;
use crate::load::LoadMeter;
use crate::message::{AppendJob, AppendResult, AppendedAt, PartitionKey};
use crate::shard::Shard;
use crate::traffic::PartitionTraffic;

/// How often the deletion of a log is tried before its topic's deletion is answered.
const DELETE_ATTEMPTS_MAX: u32 = 3;

/// The pause after the first failure; it grows by as much each time.
const DELETE_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A partition on its own shard.
pub(crate) struct Partition<I: Io> {
    pub(crate) key: PartitionKey,
    pub(crate) log: Log<I>,
    pub(crate) meter: LoadMeter,
    pub(crate) traffic: PartitionTraffic,
    io: I,
    leader_epoch: Cell<LeaderEpoch>,
    config: RefCell<LogConfig>,
    queue: RefCell<AppendQueue<I>>,
    draining: Cell<bool>,
    /// The queue has become empty.
    drained: Notify,
    /// Appends wait for the log to be replaced.
    is_held: Cell<bool>,
    /// The log is being handed over to another shard.
    is_leaving: Cell<bool>,
    /// Log start offsets that are on their way to disk, and count only when they are there.
    promised_starts: RefCell<Vec<Offset>>,
    /// The same partition with the log that has replaced this one's.
    successor: RefCell<Option<Rc<Self>>>,
}

/// Batches that wait for their place in a log, with who waits for it. Connections wait for each that they queue, and
/// other shards hold a credit for theirs: that bounds it.
pub(crate) type AppendQueue<I> = VecDeque<(AppendJob, Promise<Landing<I>>)>;

/// Where a batch went, with the partition to ask about its durability.
pub(crate) type Landing<I> = Result<(Rc<Partition<I>>, AppendedAt), ErrorCode>;

/// What became of a submitted batch.
pub(crate) enum Submitted<I: Io> {
    /// It is in the log's buffer, or refused.
    Done(Landing<I>),
    /// It waits its turn.
    Queued(Answer<Landing<I>>),
}

/// A log start offset that is on its way to disk. One for each deletion that is under way.
pub(crate) struct PromisedStart<I: Io> {
    pub(crate) partition: Rc<Partition<I>>,
    pub(crate) start: Offset,
}

impl<I: Io> Drop for PromisedStart<I> {
    fn drop(&mut self) {
        let mut promised = self.partition.promised_starts.borrow_mut();
        if let Some(place) = promised.iter().position(|it| *it == self.start) {
            promised.swap_remove(place);
        }
    }
}

impl<I: Io> Partition<I> {
    pub(crate) fn new(
        shard: &Shard<I>,
        key: PartitionKey,
        leader_epoch: LeaderEpoch,
        config: LogConfig,
        log: Log<I>,
    ) -> Rc<Self> {
        let traffic = shard.traffic.begin(key.topic_id, &log.identity().topic);
        Rc::new(Self {
            key,
            log,
            traffic,
            meter: LoadMeter::new(&shard.measures_load),
            io: shard.io.clone(),
            leader_epoch: Cell::new(leader_epoch),
            config: RefCell::new(config),
            queue: RefCell::default(),
            draining: Cell::new(false),
            drained: Notify::new(),
            is_held: Cell::new(false),
            is_leaving: Cell::new(false),
            promised_starts: RefCell::default(),
            successor: RefCell::default(),
        })
    }

    /// Has the checkpoints say that the log starts at `start`, or later, until the answer is dropped.
    pub(crate) fn promise_start(self: &Rc<Self>, start: Offset) -> PromisedStart<I> {
        self.promised_starts.borrow_mut().push(start);
        PromisedStart {
            partition: Rc::clone(self),
            start,
        }
    }

    /// Where the log starts in the checkpoints.
    pub(crate) fn promised_log_start(&self) -> Offset {
        let promised = self.promised_starts.borrow().iter().copied().max();
        let start = self.log.log_start_offset();
        promised.map_or(start, |promised| promised.max(start))
    }

    /// Lets go of the log so that another shard can open it. What was submitted before is appended first, also where it
    /// was held for another log to take this one's place: the metadata does not take that any more. The caller sees to
    /// it that nothing more is submitted.
    ///
    /// # Errors
    /// When the log has failed.
    pub(crate) async fn hand_over(self: &Rc<Self>) -> Result<LastKnown, Fenced> {
        self.is_leaving.set(true);
        self.release();
        self.drained().await;
        self.log.hand_over().await
    }

    /// Waits until everything that was submitted is in the log, or held.
    pub(crate) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if !self.draining.get() {
                return;
            }
            drained.await;
        }
    }

    /// Appends batches that came before the log was here, before any others.
    pub(crate) fn begin_with(self: &Rc<Self>, queue: AppendQueue<I>) {
        assert!(
            self.queue.borrow().is_empty(),
            "nobody could submit anything before"
        );
        self.queue.replace(queue);
        self.start_draining();
    }

    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch.get()
    }

    /// Checks the leader epoch that a client believes in; -1 is "does not say".
    ///
    /// # Errors
    /// FENCED_LEADER_EPOCH for an older one, UNKNOWN_LEADER_EPOCH for one that this broker has not heard of.
    pub(crate) fn check_epoch(&self, client: LeaderEpoch) -> Result<(), ErrorCode> {
        if client == LeaderEpoch::NONE || client == self.leader_epoch() {
            return Ok(());
        }
        Err(if client < self.leader_epoch() {
            ErrorCode::FencedLeaderEpoch
        } else {
            ErrorCode::UnknownLeaderEpoch
        })
    }

    /// Waits until a batch is as durable as its topic demands.
    ///
    /// # Errors
    /// KAFKA_STORAGE_ERROR when the log stops before.
    pub(crate) async fn wait_durable(&self, at: AppendedAt) -> AppendResult {
        match self.log.wait_durable(at.next_offset).await {
            Ok(()) => Ok(at),
            Err(_fenced) => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// Takes over the epoch of the metadata.
    pub(crate) fn set_leader_epoch(&self, epoch: LeaderEpoch) {
        if epoch > self.leader_epoch.replace(epoch) {
            self.log.assign_leader_epoch(epoch);
        }
    }

    /// Takes over a changed configuration.
    pub(crate) fn configure(&self, config: &LogConfig) {
        if *self.config.borrow() != *config {
            self.config.replace(config.clone());
            self.log.update_config(config.clone());
        }
    }

    /// Ends the log, and deletes its files if the topic is gone.
    pub(crate) async fn let_go(self: Rc<Self>, is_deleted: bool) {
        if is_deleted {
            return self.delete().await;
        }
        if let Err(error) = self.log.close().await {
            tracing::error!(dir = %self.log.dir().display(), %error, "cannot close a log");
        }
    }

    /// Deletes the log. What the disk refuses again and again is completed when a topic of the same name is created, or
    /// at the next start.
    async fn delete(&self) {
        for attempt in 1..=DELETE_ATTEMPTS_MAX {
            let Err(error) = self.log.delete().await else {
                return;
            };
            tracing::error!(dir = %self.log.dir().display(), %error, attempt, "a deleted log keeps its name");
            let pause = DELETE_AGAIN_AFTER * attempt;
            self.io.sleep_until(self.io.now() + pause).await;
        }
    }

    /// Appends a batch, or queues it behind earlier ones. The call itself fixes its place in the order.
    pub(crate) fn submit(self: &Rc<Self>, job: AppendJob) -> Submitted<I> {
        let successor = self.successor.borrow().as_ref().map(Rc::clone);
        if let Some(successor) = successor {
            return successor.submit(job);
        }
        if self.queue.borrow().is_empty() && !self.is_held.get() {
            match self.log.admit(job.batch.len()).now_or_never() {
                Some(Ok(())) => return Submitted::Done(self.append(&job)),
                Some(Err(error)) => return Submitted::Done(Err(errors::append(&error))),
                None => {}
            }
        }
        let (promise, answer) = oneshot();
        self.queue.borrow_mut().push_back((job, promise));
        self.start_draining();
        Submitted::Queued(answer)
    }

    /// Lets appends wait from here on, until [`Partition::release`] or [`Partition::succeed`]. Returns `false`, and does
    /// nothing, when the partition is on its way to another shard.
    #[must_use]
    pub(crate) fn hold(&self) -> bool {
        self.is_held.set(!self.is_leaving.get());
        self.is_held.get()
    }

    /// Whether appends wait for another log.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held.get()
    }

    /// Lets appends go on.
    pub(crate) fn release(self: &Rc<Self>) {
        self.is_held.set(false);
        self.start_draining();
    }

    /// Hands everything that is and will be submitted to `successor`, which has taken this partition's place.
    pub(crate) fn succeed(&self, successor: &Rc<Self>) {
        self.is_held.set(true);
        let queue = std::mem::take(&mut *self.queue.borrow_mut());
        successor.queue.borrow_mut().extend(queue);
        self.successor.replace(Some(Rc::clone(successor)));
        successor.start_draining();
    }

    /// Whether another log has taken the place of this one's.
    pub(crate) fn has_successor(&self) -> bool {
        self.successor.borrow().is_some()
    }

    fn start_draining(self: &Rc<Self>) {
        let is_idle = self.is_held.get() || self.queue.borrow().is_empty();
        if is_idle || self.draining.replace(true) {
            return;
        }
        let partition = Rc::clone(self);
        self.io
            .spawn(
                TaskClass::Foreground,
                async move { partition.drain().await },
            )
            .detach();
    }

    async fn drain(self: &Rc<Self>) {
        loop {
            let len = match self.queue.borrow().front() {
                Some((job, _)) if !self.is_held.get() => job.batch.len(),
                _ => break,
            };
            let admitted = self.log.admit(len).await;
            if self.is_held.get() {
                break;
            }
            let (job, promise) = self
                .queue
                .borrow_mut()
                .pop_front()
                .expect("only this task takes from the queue");
            // A batch whose client has gone is appended all the same: it may have sent others behind it.
            promise.fulfil(match admitted {
                Ok(()) => self.append(&job),
                Err(error) => Err(errors::append(&error)),
            });
        }
        self.draining.set(false);
        self.drained.notify_all();
    }

    fn append(self: &Rc<Self>, job: &AppendJob) -> Landing<I> {
        let epoch = self.leader_epoch();
        let append = || self.log.append(&job.batch, &job.valid, epoch, job.now);
        let appended = self.meter.spend(&self.io, append);
        let appended = appended.map_err(|error| errors::append(&error))?;
        self.meter.count_in(job.batch.len());
        if !appended.duplicate {
            let records = job.valid.header.record_count;
            self.traffic.count_in(records, job.batch.len());
        }
        let at = AppendedAt {
            base_offset: appended.base_offset,
            next_offset: Offset(appended.last_offset.0 + 1),
            append_time: appended.append_time,
            log_start_offset: appended.log_start_offset,
        };
        Ok((Rc::clone(self), at))
    }
}
