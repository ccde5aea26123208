//! Moving partitions between the shards of this machine, as the shards see it; `docs/adr/0009` has the whole.
//!
//! A move has three steps, and the controller begins each when the one before has ended everywhere:
//! 1. *Announce*: every shard aims at the new owner, which holds what comes for the partition, and makes sure that
//!    nothing of its own is still on its way to the old owner.
//! 2. *Release*: the old owner appends what it was given, makes it durable, and ends the log.
//! 3. *Adopt*: the new owner opens the log, and serves what it has held in the order of its arrival.
//!
//! So at no moment two shards have the log open, and requests of one connection keep their order whichever way they
//! went.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use io::Io;
use io::sync::{Notify, oneshot};
use types::{ErrorCode, Event, ShardId};

use super::Shard;
use super::lifecycle::Checkpoints;
use crate::message::{Announcement, AppendJob, HandedOver, PartitionKey};
use crate::partition::{AppendQueue, Partition, Submitted};
use crate::topics::View;

/// How often a request follows a partition that moves while the request is on its way.
pub(crate) const OWNERS_TRIED_MAX: usize = 8;

/// Clients look at the metadata this often, unless they are told otherwise (`metadata.max.age.ms`): who has not been
/// refused may believe for so long that a partition is where it was.
const CLIENTS_KNOW_AFTER: Duration = Duration::from_secs(300);

/// A partition that its old owner has not let go of yet.
pub(super) struct Arriving<I: Io> {
    /// What came in the meantime, in order.
    queue: RefCell<AppendQueue<I>>,
    arrived: Notify,
}

impl<I: Io> Shard<I> {
    /// Appends a batch to a partition of this shard. The call itself fixes its place in the order.
    pub(crate) fn submit(&self, job: AppendJob) -> Submitted<I> {
        let partition = match self.partition(job.key) {
            Ok(partition) => partition,
            Err(code) => return self.submit_early(job, code),
        };
        partition.submit(job)
    }

    /// Holds a batch for a partition that is about to arrive.
    fn submit_early(&self, job: AppendJob, absence: ErrorCode) -> Submitted<I> {
        match self.arriving.borrow().get(&job.key) {
            Some(arriving) => {
                let (promise, answer) = oneshot();
                arriving.queue.borrow_mut().push_back((job, promise));
                Submitted::Queued(answer)
            }
            None => Submitted::Done(Err(absence)),
        }
    }

    /// A partition of this shard, once it has arrived.
    ///
    /// # Errors
    /// As [`Shard::partition`].
    pub(crate) async fn partition_here(
        &self,
        key: PartitionKey,
    ) -> Result<Rc<Partition<I>>, ErrorCode> {
        loop {
            let code = match self.partition(key) {
                Ok(partition) => return Ok(partition),
                Err(code) => code,
            };
            let arrived = match self.arriving.borrow().get(&key) {
                Some(arriving) => arriving.arrived.notified(),
                None => return Err(code),
            };
            arrived.await;
        }
    }

    /// Whether clients may still take another shard for the owner of a partition.
    pub(crate) fn has_moved_lately(&self, key: PartitionKey) -> bool {
        let moved = self.moved.borrow();
        let at = moved.get(&key);
        at.is_some_and(|at| self.io.now().saturating_since(*at) < CLIENTS_KNOW_AFTER)
    }

    fn note_moved(&self, announcement: &Announcement) {
        let now = self.io.now();
        let mut moved = self.moved.borrow_mut();
        moved.retain(|_, at| now.saturating_since(*at) < CLIENTS_KNOW_AFTER);
        moved.extend(announcement.moves.iter().map(|it| (it.into(), now)));
    }

    /// Aims at the new owners of partitions that are about to move, and expects those that are to be this shard's.
    pub(crate) async fn announce(&self, announcement: &Announcement) {
        for moved in &announcement.moves {
            if moved.to == self.id() {
                let arriving = Arriving {
                    queue: RefCell::default(),
                    arrived: Notify::new(),
                };
                self.arriving
                    .borrow_mut()
                    .insert(moved.into(), Rc::new(arriving));
            }
        }
        self.note_moved(announcement);
        let before = self.view();
        let view = View::new(
            Arc::clone(&announcement.image),
            Some(&before),
            &before.written,
        );
        *self.view.borrow_mut() = Rc::new(view);
        // From here on nothing of this shard is sent to the old owners. What was sent before has its place in their
        // queues when they answer, since they take requests in order.
        let losing: BTreeSet<ShardId> = announcement.moves.iter().map(|it| it.from).collect();
        for owner in losing.into_iter().filter(|owner| *owner != self.id()) {
            self.mesh.barrier(owner).await;
        }
    }

    /// Lets go of partitions. Who waits for them here is told who leads them now.
    pub(crate) async fn release(&self, keys: &[PartitionKey]) -> Vec<HandedOver> {
        self.end_coordinators(|key| keys.contains(&key));
        join_all(keys.iter().map(|key| self.release_one(*key))).await
    }

    async fn release_one(&self, key: PartitionKey) -> HandedOver {
        let offline = self.offline.borrow_mut().remove(&key);
        let partition = self.partitions.borrow_mut().remove(&key);
        let Some(partition) = partition else {
            // Its log could not be opened here, or it has failed before it came here.
            return HandedOver {
                key,
                last: None,
                has_failed: self.failed.borrow_mut().remove(&key),
                checkpoint: offline.flatten(),
            };
        };
        let log = partition.log.identity().log_name();
        let released = Event::PartitionReleased { log };
        self.io.record_now(released);
        let last = partition.hand_over().await;
        if let Err(error) = &last {
            tracing::error!(dir = %partition.log.dir().display(), %error,
                "a partition that moves has failed: it is offline");
        }
        HandedOver {
            key,
            has_failed: last.is_err(),
            last: last.ok(),
            checkpoint: self.checkpoint_of(&partition),
        }
    }

    /// Opens the logs of partitions that have arrived, and serves what was held for them.
    pub(crate) async fn adopt(self: &Rc<Self>, handed_over: Vec<HandedOver>) {
        let view = self.view();
        stream::iter(handed_over)
            .for_each_concurrent(None, |arrived| self.adopt_one(&view, arrived))
            .await;
        self.follow_groups();
    }

    async fn adopt_one(self: &Rc<Self>, view: &View, arrived: HandedOver) {
        let key = arrived.key;
        let checkpoint = arrived.checkpoint.clone();
        if arrived.has_failed {
            self.failed.borrow_mut().insert(key);
        }
        let opening = arrived.last.and_then(|_| self.opening_of(view, arrived));
        match opening {
            Some(opening) => self.open_log(opening, &Checkpoints::default()).await,
            None => {
                self.offline.borrow_mut().insert(key, checkpoint);
            }
        }
        let arriving = self.arriving.borrow_mut().remove(&key);
        let arriving = arriving.expect("a partition is announced before it arrives");
        let queue = arriving.queue.take();
        match self.partition(key) {
            Ok(partition) => partition.begin_with(queue),
            Err(code) => queue
                .into_iter()
                .for_each(|(_, promise)| promise.fulfil(Err(code))),
        }
        arriving.arrived.notify_all();
    }
}
