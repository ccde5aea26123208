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
    /// How often the epoch of a consumer group was raised.
    pub consumer_rebalances: u64,
    /// How often a consumer group has come to rest: every member has what it is to have.
    pub consumer_rebalances_ended: u64,
    /// How long it took, together: each from the first change until the group was at rest.
    pub consumer_rebalance_time: Duration,
    /// How long the longest of them took.
    pub consumer_rebalance_time_max: Duration,
    /// Partitions that a new target assignment gave to another member, or to the first.
    pub consumer_partitions_moved: u64,
    /// Members of consumer groups that were removed since they were not heard of for their session.
    pub consumer_sessions_expired: u64,
    /// Members of consumer groups that were removed since they did not give partitions away, or join again, in time.
    pub consumer_rebalances_missed: u64,
    /// Partitions for which an offset was committed.
    pub offsets_committed: u64,
    /// Committed offsets that were deleted since their retention was over.
    pub offsets_expired: u64,
    /// Committed offsets that were deleted with their topics.
    pub offsets_of_deleted_topics: u64,
    /// Requests that were refused since groups would have taken too much memory.
    pub memory_refusals: u64,
    /// Groups with neither members nor offsets that were deleted to make room for others.
    pub groups_made_way: u64,
}

impl Counters {
    /// Adds what another coordinator has done; of the longest rebalances the longer one counts.
    pub fn add(&mut self, other: &Self) {
        self.classic_rebalances += other.classic_rebalances;
        self.classic_rebalance_time += other.classic_rebalance_time;
        self.classic_rebalance_time_max = self
            .classic_rebalance_time_max
            .max(other.classic_rebalance_time_max);
        self.classic_sessions_expired += other.classic_sessions_expired;
        self.classic_rebalances_missed += other.classic_rebalances_missed;
        self.consumer_rebalances += other.consumer_rebalances;
        self.consumer_rebalances_ended += other.consumer_rebalances_ended;
        self.consumer_rebalance_time += other.consumer_rebalance_time;
        self.consumer_rebalance_time_max = self
            .consumer_rebalance_time_max
            .max(other.consumer_rebalance_time_max);
        self.consumer_partitions_moved += other.consumer_partitions_moved;
        self.consumer_sessions_expired += other.consumer_sessions_expired;
        self.consumer_rebalances_missed += other.consumer_rebalances_missed;
        self.offsets_committed += other.offsets_committed;
        self.offsets_expired += other.offsets_expired;
        self.offsets_of_deleted_topics += other.offsets_of_deleted_topics;
        self.memory_refusals += other.memory_refusals;
        self.groups_made_way += other.groups_made_way;
    }

    /// Counts a rebalance of a classic group that has ended.
    pub(crate) fn classic_rebalanced(&mut self, took: Duration) {
        self.classic_rebalances += 1;
        self.classic_rebalance_time += took;
        self.classic_rebalance_time_max = self.classic_rebalance_time_max.max(took);
    }

    /// Counts a consumer group that has come to rest.
    pub(crate) fn consumer_rebalanced(&mut self, took: Duration) {
        self.consumer_rebalances_ended += 1;
        self.consumer_rebalance_time += took;
        self.consumer_rebalance_time_max = self.consumer_rebalance_time_max.max(took);
    }
}
