//! What coordinators tell the log: rebalances and why, members that are gone, groups and offsets that were deleted.
//!
//! On each shard, so many lines a second at most, however many clients come and go.

use groups::{Happened, Note};
use io::Io;
use protocol::Str;

use crate::limits::shortened;
use crate::shard::Shard;

/// Who has asked for what has happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub(super) client_id: &'a Str,
    pub(super) client_host: &'a Str,
}

impl<I: Io> Shard<I> {
    /// Logs what has happened to groups; without anybody it was a deadline, or the end of a topic.
    pub(super) fn log_groups(&self, notes: &[Note], by: Option<By<'_>>) {
        for note in notes {
            if self.groups_log_limit.admit(self.io.now()) {
                log(note, by);
            }
        }
    }
}

fn log(note: &Note, by: Option<By<'_>>) {
    let group = shortened(&note.group);
    let client_id = by.map(|by| shortened(by.client_id));
    let client_host = by.map(|by| by.client_host.as_str());
    match &note.what {
        Happened::Rebalance {
            generation,
            members,
            reason,
        } => {
            tracing::info!(
                group,
                generation,
                members,
                reason,
                client_id,
                client_host,
                "a group rebalances"
            );
        }
        Happened::Removed { member, reason } => {
            let member = shortened(member);
            tracing::info!(
                group,
                member,
                reason,
                client_id,
                client_host,
                "a member is removed from its group"
            );
        }
        Happened::OffsetsDeleted { partitions } => {
            tracing::info!(
                group,
                partitions,
                client_id,
                client_host,
                "deleted committed offsets"
            );
        }
        Happened::Deleted => {
            tracing::info!(group, client_id, client_host, "deleted a group");
        }
    }
}
