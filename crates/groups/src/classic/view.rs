//! What administrators see of a classic group, and what may be deleted of it.

use protocol::Str;
use protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use types::{ErrorCode, TimestampMs};

use super::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, State};

/// From when on the retention of a group's offsets counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetentionFrom {
    /// They are kept.
    Never,
    /// From their commits on.
    Commit,
    /// From when the group became empty.
    Since(TimestampMs),
}

impl ClassicGroup {
    /// A group of consumers without members that takes the place of one of the other protocol, which has been empty
    /// since then. Nothing is known of it until somebody joins.
    pub(crate) fn after(empty_since: Option<TimestampMs>) -> Self {
        let mut group = Self {
            protocol_type: Some(Str::from_static(CONSUMER_PROTOCOL_TYPE)),
            state_since: empty_since,
            ..Self::default()
        };
        group.update_subscribed_topics();
        group
    }

    /// Kafka's name of its state.
    pub(crate) fn state_name(&self) -> &'static str {
        self.state.name()
    }

    /// Its protocol type; empty for a group that only has offsets.
    pub(crate) fn protocol_type(&self) -> Str {
        self.protocol_type.clone().unwrap_or_default()
    }

    /// What DescribeGroups says of it. Subscriptions are shown while the protocol is settled, assignments until they are
    /// replaced.
    pub(crate) fn describe(&self, group_id: &Str) -> DescribedGroup {
        let protocol = match self.state {
            State::Stable => self.protocol.clone(),
            State::Empty | State::PreparingRebalance | State::CompletingRebalance => None,
        };
        let members = self.members.values().map(|member| {
            let settled = protocol.as_ref();
            DescribedGroupMember {
                member_id: member.id.clone(),
                group_instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                member_metadata: settled
                    .map(|name| member.metadata(name))
                    .unwrap_or_default(),
                member_assignment: member.assignment.clone(),
            }
        });
        DescribedGroup {
            group_id: group_id.clone(),
            group_state: Str::from_static(self.state_name()),
            protocol_type: self.protocol_type(),
            protocol_data: protocol.clone().unwrap_or_default(),
            members: members.collect(),
            ..DescribedGroup::default()
        }
    }

    /// Whether it may be deleted.
    pub(crate) fn check_delete(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Empty => Ok(()),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                Err(ErrorCode::NonEmptyGroup)
            }
        }
    }

    /// Whether offsets of topics that it is not subscribed to may be deleted. What other members than consumers
    /// subscribe to is not known.
    pub(crate) fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        if self.state == State::Empty || self.is_of_consumers() {
            Ok(())
        } else {
            Err(ErrorCode::NonEmptyGroup)
        }
    }

    /// From when on offsets of topics that it is not subscribed to are kept for the retention time (KIP-211).
    pub(crate) fn retention_from(&self) -> RetentionFrom {
        if self.protocol_type.is_none() {
            return RetentionFrom::Commit;
        }
        match self.state {
            State::Empty => self
                .state_since
                .map_or(RetentionFrom::Commit, RetentionFrom::Since),
            State::Stable if self.is_of_consumers() && self.subscribed_topics.is_some() => {
                RetentionFrom::Commit
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                RetentionFrom::Never
            }
        }
    }
}
