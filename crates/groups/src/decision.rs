//! What the coordinator is asked, and what it decides.

use protocol::Str;
use protocol::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
    HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    SyncGroupRequest, SyncGroupResponse,
};

use crate::context::Ticket;
use crate::note::{Happened, NOTES_MAX, Note};
use crate::record::GroupRecord;

/// A request, or one group's part of a request that names several.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "the names are those of Kafka's requests, and the protocol guide explains them"
)]
pub enum Request {
    JoinGroup(JoinGroupRequest),
    SyncGroup(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    LeaveGroup(LeaveGroupRequest),
    OffsetCommit(OffsetCommitRequest),
    /// One group of an OffsetFetch; the host gives versions before 8 this form.
    OffsetFetch {
        group: OffsetFetchRequestGroup,
        require_stable: bool,
    },
    OffsetDelete(OffsetDeleteRequest),
    /// One group of a DeleteGroups.
    DeleteGroup(Str),
    /// One group of a DescribeGroups.
    DescribeGroup(Str),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest),
    /// One group of a ConsumerGroupDescribe.
    ConsumerGroupDescribe(Str),
}

/// The answer to a [`Request`] of the same name.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "the names are those of Kafka's responses, and the protocol guide explains them"
)]
pub enum Reply {
    JoinGroup(JoinGroupResponse),
    SyncGroup(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    LeaveGroup(LeaveGroupResponse),
    OffsetCommit(OffsetCommitResponse),
    OffsetFetch(OffsetFetchResponseGroup),
    OffsetDelete(OffsetDeleteResponse),
    DeleteGroup(DeletableGroupResult),
    DescribeGroup(DescribedGroup),
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatResponse),
    ConsumerGroupDescribe(DescribedConsumerGroup),
}

/// What to write and what to answer.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// To append in this order, and to apply at once, in this order, before the next call. Those of a
    /// [batch](Self::batches) get there together or not at all.
    pub records: Vec<GroupRecord>,
    /// Where in `records` another batch begins: ascending, neither at the beginning nor at the end. Hardly any decision
    /// has one: only what no single batch has room for is split, and where it is, a log that ends in between makes sense.
    pub breaks: Vec<usize>,
    /// To send once the log is durable up to and including `records` and all that was appended before.
    pub replies: Vec<(Ticket, Reply)>,
    /// What operators may want to know of it: a bounded part.
    pub notes: Vec<Note>,
}

impl Decision {
    /// The records, batch by batch; none is empty.
    pub fn batches(&self) -> impl Iterator<Item = &[GroupRecord]> {
        let mut rest = self.records.as_slice();
        let mut at = 0;
        let ends = self.breaks.iter().copied().chain([self.records.len()]);
        ends.filter_map(move |end| {
            let (batch, left) = rest.split_at_checked(end.checked_sub(at)?)?;
            (rest, at) = (left, end);
            (!batch.is_empty()).then_some(batch)
        })
    }

    /// Notes what has happened to a group, while there is room.
    pub(crate) fn note(&mut self, group: &Str, what: Happened) {
        if self.notes.len() < NOTES_MAX {
            let group = group.clone();
            self.notes.push(Note { group, what });
        }
    }

    /// Answers a request.
    pub(crate) fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.replies.push((ticket, reply));
    }
}
