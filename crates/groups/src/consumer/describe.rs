//! What ConsumerGroupDescribe and ListGroups say about a consumer group.

use std::collections::BTreeMap;

use protocol::Str;
use protocol::messages::consumer_group_describe_response::{
    Assignment as DescribedAssignment, DescribedGroup, Member as DescribedMember, TopicPartitions,
};
use types::Uuid;

use super::ConsumerGroup;
use super::member::Member;
use crate::config::ConsumerGroupConfig;
use crate::context::Topics;

/// [`DescribedMember::member_type`] of members that speak the classic protocol, and of the others.
const MEMBER_TYPE_CLASSIC: i8 = 0;
const MEMBER_TYPE_CONSUMER: i8 = 1;

impl ConsumerGroup {
    /// Kafka's name of its state.
    pub(crate) fn state_name(&self) -> &'static str {
        let state = &self.state;
        if !state.exists {
            "Dead"
        } else if state.members.is_empty() {
            "Empty"
        } else if state.epoch > state.target_epoch {
            "Assigning"
        } else if state
            .members
            .values()
            .all(|member| member.is_reconciled_to(state.target_epoch))
        {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// The same, of a group that was loaded while its members were on their way to what they are to have, only once
    /// something has happened. It takes no longer the more members there are.
    pub(crate) fn census_state_name(&self) -> &'static str {
        let state = &self.state;
        if state.members.is_empty() {
            "Empty"
        } else if state.epoch > state.target_epoch {
            "Assigning"
        } else if self.soft.rebalance.is_some() {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    /// What ConsumerGroupDescribe says of it.
    pub(crate) fn describe(
        &self,
        group_id: &Str,
        config: &ConsumerGroupConfig,
        topics: &dyn Topics,
    ) -> DescribedGroup {
        let state = &self.state;
        let assignor = state.preferred_assignor().or(config.assignors.first());
        DescribedGroup {
            group_id: group_id.clone(),
            group_state: Str::from(self.state_name()),
            group_epoch: state.epoch,
            assignment_epoch: state.target_epoch,
            assignor_name: assignor.cloned().unwrap_or_default(),
            members: state
                .members
                .values()
                .map(|member| self.describe_member(member, topics))
                .collect(),
            ..DescribedGroup::default()
        }
    }

    fn describe_member(&self, member: &Member, topics: &dyn Topics) -> DescribedMember {
        let held: BTreeMap<Uuid, Vec<i32>> = member
            .assigned
            .iter()
            .map(|(topic, partitions)| (*topic, partitions.keys().copied().collect()))
            .collect();
        let target = self.state.targets.get(&*member.member_id);
        DescribedMember {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            member_epoch: member.epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topic_names: member.names.iter().cloned().collect(),
            subscribed_topic_regex: member.regex.clone(),
            assignment: described(&held, topics),
            target_assignment: target
                .map(|target| described(target, topics))
                .unwrap_or_default(),
            member_type: if member.classic.is_some() {
                MEMBER_TYPE_CLASSIC
            } else {
                MEMBER_TYPE_CONSUMER
            },
        }
    }
}

/// Topics that are gone are left out: they have no name any more.
fn described(partitions: &BTreeMap<Uuid, Vec<i32>>, topics: &dyn Topics) -> DescribedAssignment {
    DescribedAssignment {
        topic_partitions: partitions
            .iter()
            .filter_map(|(topic_id, partitions)| {
                let (name, _) = topics.by_id(*topic_id)?;
                Some(TopicPartitions {
                    topic_id: *topic_id,
                    topic_name: Str::from(name),
                    partitions: partitions.clone(),
                })
            })
            .collect(),
    }
}
