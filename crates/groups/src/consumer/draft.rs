//! What a decision makes of a group before anything of it is written.

use protocol::Str;

use super::member::Member;
use super::records::{
    assignment_tombstone, epoch_record, metadata_tombstone, regex_record, target_record,
};
use super::soft::Looked;
use super::state::State;
use crate::group::Turn;
use crate::record::{BATCH_OVERHEAD_BYTES, GroupRecord};

/// What a decision would make of a group, and the records that say so.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) group_id: Str,
    pub(super) state: State,
    pub(super) looked: Looked,
    pub(super) records: Vec<GroupRecord>,
    /// Where in `records` another batch begins.
    pub(super) breaks: Vec<usize>,
    /// The length of the first batch before this decision, of the one that is being filled, and of the longest, at most.
    first_len_bytes: usize,
    batch_len_bytes: usize,
    longest_len_bytes: usize,
    /// How often the group epoch was raised, and how many partitions have another owner to come.
    pub(super) epochs_raised: u64,
    pub(super) partitions_moved: u64,
}

impl Draft {
    pub(super) fn new(group_id: &Str, state: &State, looked: &Looked, turn: &Turn<'_>) -> Self {
        // Groups that have made way have left records, too.
        let written = turn.out.records.iter();
        let written: usize = written.map(GroupRecord::len_in_batch_bytes_bound).sum();
        let first_len_bytes = BATCH_OVERHEAD_BYTES + written;
        Self {
            group_id: group_id.clone(),
            state: state.clone(),
            looked: looked.clone(),
            records: Vec::new(),
            breaks: Vec::new(),
            first_len_bytes,
            batch_len_bytes: first_len_bytes,
            longest_len_bytes: 0,
            epochs_raised: 0,
            partitions_moved: 0,
        }
    }

    /// Writes a record, and goes on as if it had been applied.
    pub(super) fn write(&mut self, record: GroupRecord) {
        self.state.apply(&record);
        self.push(record);
    }

    /// Writes a record that does not change the state of a consumer group.
    pub(super) fn push(&mut self, record: GroupRecord) {
        self.batch_len_bytes += record.len_in_batch_bytes_bound();
        self.longest_len_bytes = self.longest_len_bytes.max(self.batch_len_bytes);
        self.records.push(record);
    }

    /// The same in another batch than the records before it, if they leave no room for it in a batch of this length.
    /// A log that ends before it must make sense.
    pub(super) fn write_apart(&mut self, record: GroupRecord, batch_len_max_bytes: usize) {
        let len_bytes = record.len_in_batch_bytes_bound();
        let at = self.records.len();
        if self.batch_len_bytes + len_bytes > batch_len_max_bytes && at > 0 {
            if self.breaks.last() != Some(&at) {
                self.breaks.push(at);
            }
            self.batch_len_bytes = BATCH_OVERHEAD_BYTES;
        }
        self.write(record);
    }

    /// Forgets what was written, and what it made of the state.
    pub(super) fn discard_records(&mut self) {
        self.records.clear();
        self.breaks.clear();
        self.batch_len_bytes = self.first_len_bytes;
        self.longest_len_bytes = 0;
    }

    /// Whether every batch is as long as it may be.
    pub(super) fn fits(&self, batch_len_max_bytes: usize) -> bool {
        self.longest_len_bytes <= batch_len_max_bytes
    }

    /// Raises the group epoch.
    pub(super) fn bump_epoch(&mut self, metadata_hash: i64) {
        let epoch = self.state.epoch.saturating_add(1);
        self.epochs_raised += 1;
        self.write(epoch_record(&self.group_id, epoch, metadata_hash));
    }

    /// Removes a member, in Kafka's order of records.
    pub(super) fn remove_member(&mut self, member_id: &Str) {
        let group_id = self.group_id.clone();
        self.write(assignment_tombstone(&group_id, member_id));
        self.write(target_record(&group_id, member_id, None));
        self.write(metadata_tombstone(&group_id, member_id));
        if self.state.members.is_empty() {
            // What did not fit was the assignment of those who are gone.
            self.looked.target_put_off = None;
        }
    }

    /// What a new group epoch adds to a batch, at most.
    pub(super) fn epoch_len_bytes_bound(&self) -> usize {
        epoch_record(&self.group_id, 0, 0).len_in_batch_bytes_bound()
    }

    /// What removing a member adds to a batch, at most: its tombstones, and that of its expression.
    pub(super) fn removal_len_bytes_bound(&self, member: &Member) -> usize {
        let (group_id, member_id) = (&self.group_id, &member.member_id);
        let regex = member.regex();
        let records = [
            Some(assignment_tombstone(group_id, member_id)),
            Some(target_record(group_id, member_id, None)),
            Some(metadata_tombstone(group_id, member_id)),
            regex.map(|regex| regex_record(group_id, regex, None)),
        ];
        let records = records.iter().flatten();
        records.map(GroupRecord::len_in_batch_bytes_bound).sum()
    }
}
