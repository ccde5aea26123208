//! Asking the coordinator of a group, wherever it is.
//!
//! The call itself fixes the request's place among those of its connection: a coordinator of this shard decides
//! within it, and for another shard it returns when the request is in that shard's mailbox. The answer comes later.
//!
//! A JoinGroup or SyncGroup may wait for its answer as long as a rebalance lasts, and for other requests of the same
//! kind. It must not keep a credit of the mesh all the while: the last member that a group waits for would find none.
//! Such a request is acknowledged when the coordinator has it, and its answer comes as a request of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use groups::{GroupFilter, Reply as GroupReply, Request as GroupRequest};
use io::sync::{Answer, Promise, oneshot};
use io::{Io, TaskClass};
use protocol::Str;
use protocol::messages::list_groups_response::ListedGroup;
use rustc_hash::FxHashMap;
use types::{ErrorCode, ShardId};

use super::coordinator::InHand;
use crate::budget::Reservation;
use crate::mesh::{PendingReply, ReturnAddress};
use crate::message::{PartitionKey, Reply, Request};
use crate::shard::{OWNERS_TRIED_MAX, Shard};
use crate::slice::Steps;

/// Frames up to this length go to other shards without a charge: how many do is bounded by the credits of the mesh.
const UNCHARGED_BYTES_MAX: usize = 8 << 10;

/// A request for one group, with who sent it. It crosses shards, and refers to nothing but its own copy of its frame.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) version: i16,
    /// The length of the frame.
    pub(crate) frame_bytes: usize,
    pub(crate) client_id: Str,
    /// As Kafka writes it: `/127.0.0.1`.
    pub(crate) client_host: Str,
    pub(crate) request: GroupRequest,
}

impl Asked {
    /// Whether the answer may take as long as a rebalance.
    fn may_wait(&self) -> bool {
        matches!(
            self.request,
            GroupRequest::JoinGroup(_) | GroupRequest::SyncGroup(_)
        )
    }
}

/// A request for a group whose coordinator is on the receiving shard.
#[derive(Debug)]
pub(crate) struct GroupJob {
    pub(crate) key: PartitionKey,
    pub(crate) asked: Asked,
    /// Under which number the sender waits, if the answer may take long.
    pub(crate) awaited: Option<u64>,
}

/// The answer to a [`GroupJob`] that could take long.
#[derive(Debug)]
pub(crate) struct GroupAnswer {
    awaited: u64,
    answered: Answered,
}

/// Who of this shard waits for a coordinator of another one, for as long as a rebalance may take.
#[derive(Debug, Default)]
pub(super) struct Awaiting {
    promises: RefCell<FxHashMap<u64, Promise<Answered>>>,
    next: Cell<u64>,
}

/// An answer that another shard's coordinator will send. Dropping it leaves the answer to be discarded.
pub(crate) struct Awaited<I: Io> {
    shard: Rc<Shard<I>>,
    number: u64,
    answer: Answer<Answered>,
}

impl<I: Io> Awaited<I> {
    fn new(shard: &Rc<Shard<I>>) -> Self {
        let awaiting = &shard.coordinators.awaiting;
        let number = awaiting.next.get();
        awaiting.next.set(number + 1);
        let (promise, answer) = oneshot();
        awaiting.promises.borrow_mut().insert(number, promise);
        Self {
            shard: Rc::clone(shard),
            number,
            answer,
        }
    }
}

impl<I: Io> Drop for Awaited<I> {
    fn drop(&mut self) {
        let awaiting = &self.shard.coordinators.awaiting;
        awaiting.promises.borrow_mut().remove(&self.number);
    }
}

/// The coordinator's answer, or why there is none: LOAD_IN_PROGRESS, NOT_COORDINATOR or NOT_AVAILABLE.
pub(crate) type Answered = Result<GroupReply, ErrorCode>;

/// The groups of a shard.
pub(crate) type ListedGroups = Result<Vec<ListedGroup>, ErrorCode>;

/// A request that a coordinator has.
pub(crate) enum Asking<I: Io> {
    /// It is answered.
    Done(Answered),
    /// A coordinator of this shard will answer.
    Here(InHand<I>),
    /// Another shard's will.
    There(PendingReply),
    /// Another shard's will, when a rebalance ends.
    Awaited(Awaited<I>),
}

impl<I: Io> Asking<I> {
    /// Waits for the answer. Dropping it leaves the answer to be discarded.
    pub(crate) async fn answer(self) -> Answered {
        match self {
            Self::Done(answered) => answered,
            Self::Here(in_hand) => in_hand.answer().await,
            Self::There(reply) => match reply.await {
                Some(Reply::Group(answered)) => *answered,
                _ => Err(ErrorCode::CoordinatorNotAvailable),
            },
            Self::Awaited(mut awaited) => {
                let answer = &mut awaited.answer;
                answer
                    .await
                    .unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
            }
        }
    }
}

impl<I: Io> Shard<I> {
    /// Asks a coordinator of this shard.
    pub(crate) fn ask_here(self: &Rc<Self>, key: PartitionKey, asked: Asked) -> Asking<I> {
        match self.coordinator(key) {
            Ok(coordinator) => coordinator.ask(self, asked),
            Err(code) => Asking::Done(Err(code)),
        }
    }

    /// Asks a coordinator of this shard for another shard.
    pub(crate) fn ask_for(self: &Rc<Self>, to: ReturnAddress, job: GroupJob) {
        let asking = self.ask_here(job.key, job.asked);
        let shard = Rc::clone(self);
        let sender = to.shard();
        if job.awaited.is_some() {
            shard.mesh.reply_to(to, Reply::Done);
        }
        self.spawn(TaskClass::Foreground, async move {
            let answered = asking.answer().await;
            let Some(awaited) = job.awaited else {
                return shard.mesh.reply_to(to, Reply::Group(Box::new(answered)));
            };
            let answer = Box::new(GroupAnswer { awaited, answered });
            drop(
                shard
                    .mesh
                    .request(sender, Request::GroupAnswer(answer))
                    .await,
            );
        });
    }

    /// Gives an answer to who waits for it, if somebody still does.
    pub(crate) fn group_answered(&self, answer: GroupAnswer) {
        let awaiting = &self.coordinators.awaiting;
        let promise = awaiting.promises.borrow_mut().remove(&answer.awaited);
        if let Some(promise) = promise {
            promise.fulfil(answer.answered);
        }
    }

    /// Asks the coordinator of a group. With `redirects` one of another shard is not asked: the client is told to
    /// look for it.
    pub(crate) async fn ask(
        self: &Rc<Self>,
        group: &str,
        asked: Asked,
        redirects: bool,
    ) -> Asking<I> {
        let key = match self.require_group_partition(group).await {
            Ok(key) => key,
            Err(code) => return Asking::Done(Err(code)),
        };
        let mut charge: Option<Reservation> = None;
        for _ in 0..OWNERS_TRIED_MAX {
            let Some(owner) = self.view().owner(key) else {
                return Asking::Done(Err(ErrorCode::CoordinatorNotAvailable));
            };
            if owner == self.id() {
                return self.ask_here(key, asked);
            }
            if redirects {
                return Asking::Done(Err(ErrorCode::NotCoordinator));
            }
            if charge.is_none() && asked.frame_bytes > UNCHARGED_BYTES_MAX {
                let mut taken = self.forward_budget.reservation();
                taken.grow(asked.frame_bytes).await;
                charge = Some(taken);
            }
            let may = self.mesh.may_request(owner).await;
            // Waiting takes time, in which the partition may have moved.
            if self.view().owner(key) != Some(owner) {
                continue;
            }
            let awaited = asked.may_wait().then(|| Awaited::new(self));
            let job = Request::Group(Box::new(GroupJob {
                key,
                asked,
                awaited: awaited.as_ref().map(|it| it.number),
            }));
            let reply = self.mesh.request_now(may, job, charge);
            return match awaited {
                None => Asking::There(reply),
                Some(awaited) => Asking::Awaited(awaited),
            };
        }
        Asking::Done(Err(ErrorCode::NotCoordinator))
    }

    /// The groups whose coordinators are on this shard, stepping aside when that takes long.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS while one of them is being loaded.
    pub(crate) async fn list_groups_here(&self, filter: &GroupFilter) -> ListedGroups {
        let mut listed = Vec::new();
        let mut steps = Steps::new(&self.io);
        for coordinator in self.coordinators.all() {
            let mut after = None;
            loop {
                steps.look().await;
                let part = coordinator.list(filter, after.as_ref())?;
                listed.extend(part.groups);
                after = part.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(listed)
    }

    /// The groups of another shard.
    ///
    /// # Errors
    /// As [`Shard::list_groups_here`].
    pub(crate) async fn list_groups_of(&self, shard: ShardId, filter: GroupFilter) -> ListedGroups {
        let reply = self
            .mesh
            .request(shard, Request::ListGroups(Box::new(filter)))
            .await;
        match reply.await {
            Some(Reply::ListedGroups(listed)) => listed,
            _ => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }
}
