//! What the conversion between classic and consumer groups needs of a classic group.

use protocol::Str;
use protocol::messages::GroupMetadataValue;
use types::ErrorCode;

use super::roster::answer_both;
use super::{ClassicGroup, rebalance};
use crate::consumer::{ClassicMemberView, ClassicView};
use crate::group::Turn;

impl ClassicGroup {
    /// The group as its conversion to a consumer group sees it.
    pub(crate) fn view(&self) -> ClassicView {
        let members = self.members.values();
        ClassicView {
            uses_consumer_protocol: self.is_of_consumers(),
            generation: self.generation,
            protocol_name: self.protocol.clone(),
            members: members
                .map(|member| ClassicMemberView {
                    member_id: member.id.clone(),
                    instance_id: member.instance_id.clone(),
                    client_id: member.client_id.clone(),
                    client_host: member.client_host.clone(),
                    session_timeout_ms: member.session_timeout_ms,
                    rebalance_timeout_ms: member.rebalance_timeout_ms,
                    protocols: member
                        .protocols
                        .iter()
                        .map(|protocol| (protocol.name.clone(), protocol.metadata.clone()))
                        .collect(),
                    assignment: member.assignment.clone(),
                })
                .collect(),
        }
    }

    /// Answers everybody who waits that there is a rebalance: they ask again, of the consumer group that this is now.
    pub(crate) fn abandon(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            let id = member.id.clone();
            answer_both(member, &id, ErrorCode::RebalanceInProgress, turn);
        }
    }

    /// The group that the log is about to describe so, with sessions that begin now.
    pub(crate) fn restored(value: &GroupMetadataValue, turn: &mut Turn<'_>) -> Self {
        let mut group = Self::default();
        group.restore(value, turn);
        group
    }

    /// Has the members agree anew.
    pub(crate) fn begin_rebalance(&mut self, group_id: &Str, turn: &mut Turn<'_>) {
        let reason = "the last member of the newer protocol has gone";
        rebalance::prepare_or_complete(self, group_id, turn, reason);
    }
}
