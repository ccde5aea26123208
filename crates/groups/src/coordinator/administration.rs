//! DescribeGroups, ConsumerGroupDescribe and DeleteGroups.

use protocol::Str;
use protocol::messages::consumer_group_describe_response::DescribedGroup as DescribedConsumerGroup;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::messages::describe_groups_response::DescribedGroup;
use types::ErrorCode;

use super::GroupCoordinator;
use crate::context::{Caller, Context};
use crate::decision::Decision;
use crate::group::{Group, GroupKind};
use crate::note::Happened;

/// The first version of DescribeGroups that says that a group is not there (KIP-1043); before, it is called dead.
const NOT_FOUND_VERSION: i16 = 6;

impl GroupCoordinator {
    pub(super) fn describe(&self, caller: &Caller, id: &Str) -> DescribedGroup {
        let problem = match self.groups.get(id).map(|group| &group.kind) {
            Some(GroupKind::Classic(classic)) => return classic.describe(id),
            Some(GroupKind::Consumer(_)) => format!("Group {id} is not a classic group."),
            None => format!("Group {id} not found."),
        };
        let dead = DescribedGroup {
            group_id: id.clone(),
            group_state: Str::from_static("Dead"),
            ..DescribedGroup::default()
        };
        if caller.version < NOT_FOUND_VERSION {
            return dead;
        }
        DescribedGroup {
            error_code: ErrorCode::GroupIdNotFound.code(),
            error_message: Some(Str::from(problem)),
            ..dead
        }
    }

    pub(super) fn describe_consumer_group(
        &self,
        context: &Context<'_>,
        id: &Str,
    ) -> DescribedConsumerGroup {
        if id.is_empty() {
            return DescribedConsumerGroup {
                error_code: ErrorCode::InvalidGroupId.code(),
                ..DescribedConsumerGroup::default()
            };
        }
        let problem = match self.groups.get(id).map(|group| &group.kind) {
            Some(GroupKind::Consumer(consumer)) => {
                let config = self.config.consumer_group(id);
                return consumer.describe(id, config, context.topics);
            }
            Some(GroupKind::Classic(_)) => format!("Group {id} is not a consumer group."),
            None => format!("Group {id} not found."),
        };
        DescribedConsumerGroup {
            error_code: ErrorCode::GroupIdNotFound.code(),
            error_message: Some(Str::from(problem)),
            group_id: id.clone(),
            ..DescribedConsumerGroup::default()
        }
    }

    /// Deletes a group that has no members, with its offsets.
    pub(super) fn delete_group(
        &mut self,
        context: &Context<'_>,
        id: &Str,
        out: &mut Decision,
    ) -> DeletableGroupResult {
        let deleted = self.with_group(context, out, id, |group, turn| {
            group.check_delete()?;
            group.offsets.tombstones(&group.id, &mut turn.out.records);
            group.tombstones(&mut turn.out.records);
            if let GroupKind::Classic(classic) = &mut group.kind {
                classic.forget_ids_given_out();
            }
            turn.out.note(&group.id, Happened::Deleted);
            Ok(())
        });
        let error = deleted.unwrap_or(Err(ErrorCode::GroupIdNotFound)).err();
        DeletableGroupResult {
            group_id: id.clone(),
            error_code: error.unwrap_or(ErrorCode::None).code(),
        }
    }
}

impl Group {
    fn check_delete(&self) -> Result<(), ErrorCode> {
        match &self.kind {
            GroupKind::Classic(classic) => classic.check_delete(),
            GroupKind::Consumer(consumer) if consumer.is_empty() => Ok(()),
            GroupKind::Consumer(_) => Err(ErrorCode::NonEmptyGroup),
        }
    }
}
