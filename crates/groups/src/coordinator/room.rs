//! Room in memory: how much there is, and which groups make way when it gets short.

use protocol::Str;

use super::GroupCoordinator;
use crate::context::Context;
use crate::decision::Decision;
use crate::group::GroupKind;
use crate::memory::{Admission, GROUP_BYTES};
use crate::record::GroupRecord;

/// Groups that make way for one request, at most.
const MAKE_WAY_MAX: usize = 64;

/// The part of a batch, as a divisor, that the tombstones of groups that make way may take, but for the last of them.
const MAKE_WAY_LEN_DIVISOR: usize = 16;

impl GroupCoordinator {
    /// Makes a group its user's that nobody has used since it was loaded, given what it took before the request and what
    /// was written for that. What is refused changes nothing, and a request that lets the group grow without a word in
    /// the log, as one for a member id does, lends it until another uses it.
    pub(super) fn adopt(
        &mut self,
        (id, used_bytes): (&Str, Option<usize>),
        user: &Str,
        written: &[GroupRecord],
    ) {
        let Some(group) = self.groups.get_mut(id).filter(|it| !it.entry.is_kept()) else {
            return;
        };
        let is_used = written.iter().any(shows_use);
        if is_used || used_bytes.is_some_and(|before| group.entry.used_bytes() > before) {
            self.account.adopt(group, user, is_used);
        }
    }

    /// Bytes that groups may take more than they do.
    pub(super) fn room_bytes(&self, context: &Context<'_>) -> usize {
        let used_bytes = self.account.used_bytes();
        let used_bytes = used_bytes.saturating_add(context.memory_elsewhere_bytes);
        self.config.memory_max_bytes.saturating_sub(used_bytes)
    }

    /// Whether this address may make a group of this id. Others have made way for it then.
    pub(super) fn admit(
        &mut self,
        context: &Context<'_>,
        out: &mut Decision,
        id: &Str,
        maker: &Str,
    ) -> bool {
        let new_bytes = GROUP_BYTES + id.len();
        let max_bytes = self.config.memory_max_bytes;
        loop {
            let room_bytes = self.room_bytes(context);
            match self.account.admit(maker, new_bytes, room_bytes, max_bytes) {
                Admission::Granted => return true,
                Admission::Refused => return false,
                Admission::InPlaceOf(other) => {
                    if !self.delete_for_room(context, out, &other) {
                        return false;
                    }
                }
            }
        }
    }

    /// Lets groups with nothing to lose make way for one that exists, if little is left.
    pub(super) fn make_room(
        &mut self,
        context: &Context<'_>,
        out: &mut Decision,
        (id, user): (&Str, &Str),
    ) {
        let max_bytes = self.config.memory_max_bytes;
        while let Some(group) = self.groups.get(id) {
            let room_bytes = self.room_bytes(context);
            let other = self
                .account
                .excess(&group.entry, user, room_bytes, max_bytes);
            let Some(other) = other.filter(|other| *other != *id) else {
                return;
            };
            if !self.delete_for_room(context, out, &other) {
                return;
            }
        }
    }

    /// Deletes a group that has nothing to lose, unless that has been done for this decision often enough.
    fn delete_for_room(&mut self, context: &Context<'_>, out: &mut Decision, id: &Str) -> bool {
        let records = out.records.iter();
        let len_bytes: usize = records.map(GroupRecord::len_in_batch_bytes_bound).sum();
        if out.records.len() >= MAKE_WAY_MAX
            || len_bytes > self.config.batch_len_max_bytes / MAKE_WAY_LEN_DIVISOR
        {
            return false;
        }
        self.with_group(context, out, id, |group, turn| {
            group.tombstones(&mut turn.out.records);
            // Nothing soft keeps it.
            group.kind = GroupKind::default();
        });
        self.counters.groups_made_way += 1;
        true
    }
}

/// Whether a record tells of a member or of an offset: not one that only says that there is a group.
fn shows_use(record: &GroupRecord) -> bool {
    match record {
        GroupRecord::GroupMetadata {
            value: Some(value), ..
        } => !value.members.is_empty(),
        record => !record.is_tombstone(),
    }
}
