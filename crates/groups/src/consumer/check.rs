//! Whether a commit or a fetch of offsets comes from who may ask for it.
//!
//! Members commit under the epoch that they are at. A commit under an older epoch is taken for partitions that the
//! member got at that epoch or before and has still, so that nothing is lost while a reply with a new epoch is on its
//! way; for any other partition somebody else may have gone on, and the commit is refused.
//!
//! Source: KIP-848, KIP-1251; `ConsumerGroup.validateOffsetCommit` of Apache Kafka 4.3.1.

use std::rc::Rc;

use types::{ErrorCode, Uuid};

use super::ConsumerGroup;
use super::member::Member;

/// The first version of OffsetCommit with member epochs.
const MEMBER_EPOCH_VERSION: i16 = 9;

/// What is left to check of a commit: each of its partitions.
#[derive(Debug)]
pub(crate) struct CommitCheck(Option<(Rc<Member>, i32)>);

impl CommitCheck {
    /// Whether the commit of this partition may be taken. An error means that none of the request may.
    pub(crate) fn check(&self, topic: Uuid, partition: i32) -> Result<(), ErrorCode> {
        let Some((member, epoch)) = &self.0 else {
            return Ok(());
        };
        match member.assignment_epoch(topic, partition) {
            Some(assigned) if *epoch >= assigned => Ok(()),
            _ => Err(stale(member)),
        }
    }
}

impl ConsumerGroup {
    /// Whether this commit may be taken.
    pub(crate) fn check_commit(
        &self,
        member_id: &str,
        epoch: i32,
        version: i16,
    ) -> Result<CommitCheck, ErrorCode> {
        // Without members anybody may commit who does not claim to be one: consumers that assign their own
        // partitions, and administrators.
        if epoch < 0 && self.is_empty() {
            return Ok(CommitCheck(None));
        }
        let member = self
            .state
            .member(member_id)
            .ok_or(ErrorCode::UnknownMemberId)?;
        if member.classic.is_none() && version < MEMBER_EPOCH_VERSION {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if epoch > member.epoch {
            return Err(stale(member));
        }
        if epoch == member.epoch {
            return Ok(CommitCheck(None));
        }
        Ok(CommitCheck(Some((Rc::clone(member), epoch))))
    }

    /// Whether this member may fetch the group's offsets.
    pub(crate) fn check_fetch(
        &self,
        member_id: Option<&str>,
        member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        let Some(member_id) = member_id else {
            return if member_epoch < 0 {
                Ok(())
            } else {
                Err(ErrorCode::UnknownMemberId)
            };
        };
        let member = self
            .state
            .member(member_id)
            .ok_or(ErrorCode::UnknownMemberId)?;
        if member.epoch == member_epoch {
            Ok(())
        } else {
            Err(stale(member))
        }
    }
}

/// How a member learns, in its own protocol, that its epoch is not the one to use.
fn stale(member: &Member) -> ErrorCode {
    if member.classic.is_some() {
        ErrorCode::IllegalGeneration
    } else {
        ErrorCode::StaleMemberEpoch
    }
}
