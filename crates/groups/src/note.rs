//! What operators look for in a log: rebalances and why, members that go, groups and offsets that are deleted.
//!
//! Plain data that the host logs, or does not. Neither written nor answered, and bounded by decision.

use protocol::Str;

/// Notes of one decision; further ones are left out.
pub(crate) const NOTES_MAX: usize = 64;

/// Something that has happened to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The group.
    pub group: Str,
    /// What has happened.
    pub what: Happened,
}

/// What has happened to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Its members have to agree anew.
    Rebalance {
        /// The generation of a classic group before it, or the epoch of a consumer group after it.
        generation: i32,
        /// How many members there are.
        members: usize,
        /// Why.
        reason: &'static str,
    },
    /// A member is gone.
    Removed {
        /// Its id.
        member: Str,
        /// Why.
        reason: &'static str,
    },
    /// Committed offsets were deleted by request.
    OffsetsDeleted {
        /// Of so many partitions.
        partitions: usize,
    },
    /// The group was deleted by request, with its offsets.
    Deleted,
}
