//! Asking the coordinator of a group, wherever it is.
//!
//! The call itself fixes the request's place among those of its connection: a coordinator of this shard decides
//! within it, and for another shard it returns when the request is in that shard's mailbox. The answer comes later.

use std::rc::Rc;

use groups::{Reply as GroupReply, Request as GroupRequest};
use io::Io;
use protocol::Str;
use protocol::messages::ListGroupsRequest;
use protocol::messages::list_groups_response::ListedGroup;
use types::{ErrorCode, ShardId};

use super::coordinator::InHand;
use crate::mesh::PendingReply;
use crate::message::{PartitionKey, Reply, Request};
use crate::shard::{OWNERS_TRIED_MAX, Shard};

/// A request for one group, with who sent it. It crosses shards, and refers to nothing but its own copy of its frame.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) version: i16,
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
            let may = if asked.may_wait() {
                self.mesh.may_watch(owner).await
            } else {
                self.mesh.may_request(owner).await
            };
            // Waiting for a credit takes time, in which the partition may have moved.
            if self.view().owner(key) == Some(owner) {
                let job = Request::Group(Box::new(GroupJob { key, asked }));
                return Asking::There(self.mesh.request_now(may, job, None));
            }
        }
        Asking::Done(Err(ErrorCode::NotCoordinator))
    }

    /// The groups whose coordinators are on this shard.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS while one of them is being loaded.
    pub(crate) fn list_groups_here(self: &Rc<Self>, asked: &ListGroupsRequest) -> ListedGroups {
        let mut listed = Vec::new();
        for coordinator in self.coordinators.all() {
            listed.extend(coordinator.list(self, asked)?);
        }
        Ok(listed)
    }

    /// The groups of another shard.
    ///
    /// # Errors
    /// As [`Shard::list_groups_here`].
    pub(crate) async fn list_groups_of(
        &self,
        shard: ShardId,
        asked: ListGroupsRequest,
    ) -> ListedGroups {
        let reply = self
            .mesh
            .request(shard, Request::ListGroups(Box::new(asked)))
            .await;
        match reply.await {
            Some(Reply::ListedGroups(listed)) => listed,
            _ => Err(ErrorCode::CoordinatorNotAvailable),
        }
    }
}
