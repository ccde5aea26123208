//! What a coordinator has done since it was made: plain numbers that its host shows as metrics.

use std::time::Duration;

/// Sums since the coordinator was made; they do not survive it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rebalances of classic groups that ended with an assignment.
    pub classic_rebalances: u64,
    /// How long those took, together: each from the moment at which members were to join until the assignment was there.
    pub classic_rebalance_time: Duration,
    /// How long the longest of them took.
    pub classic_rebalance_time_max: Duration,
    /// Members of classic groups that were removed since they were not heard of for their session.
    pub classic_sessions_expired: u64,
    /// Members of classic groups that were removed since they did not join or sync within the rebalance timeout.
    pub classic_rebalances_missed: u64,
    /// Partitions for which an offset was committed.
    pub offsets_committed: u64,
    /// Committed offsets that were deleted since their retention was over.
    pub offsets_expired: u64,
    /// Committed offsets that were deleted with their topics.
    pub offsets_of_deleted_topics: u64,
}

impl Counters {
    /// Counts a rebalance of a classic group that has ended.
    pub(crate) fn classic_rebalanced(&mut self, took: Duration) {
        self.classic_rebalances += 1;
        self.classic_rebalance_time += took;
        self.classic_rebalance_time_max = self.classic_rebalance_time_max.max(took);
    }
}
