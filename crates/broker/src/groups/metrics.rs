//! What the coordinators of a shard have done, for the control thread.
//!
//! Sums over all groups: a number for each group would be as many as clients like to make up. What a coordinator has counted
//! stays counted when its partition moves to another shard.

use std::collections::BTreeMap;

use groups::Counters;
use io::Io;
use types::{Metric, Sample};

use crate::shard::Shard;

static REBALANCES: Metric = Metric::counter(
    "logan_group_rebalances",
    "Rebalances of groups that have ended with every member having its assignment, by the groups' protocol.",
);
static REBALANCE_TIME: Metric = Metric::counter(
    "logan_group_rebalance_seconds",
    "How long those rebalances took, together, by the groups' protocol.",
);
static REBALANCE_TIME_MAX: Metric = Metric::gauge(
    "logan_group_rebalance_longest_seconds",
    "How long the longest of them took, by the groups' protocol.",
);
static PARTITIONS_MOVED: Metric = Metric::counter(
    "logan_group_partitions_moved",
    "Partitions that a new target assignment of a consumer group gave to another member, or to the first.",
);
static SESSIONS_EXPIRED: Metric = Metric::counter(
    "logan_group_sessions_expired",
    "Members that were removed since they were not heard of for their session, by the groups' protocol.",
);
static REBALANCES_MISSED: Metric = Metric::counter(
    "logan_group_rebalances_missed",
    "Members that were removed since they did not take part in a rebalance in time, by the groups' protocol.",
);
static OFFSETS_COMMITTED: Metric = Metric::counter(
    "logan_group_offsets_committed",
    "Partitions for which an offset was committed.",
);
static OFFSETS_EXPIRED: Metric = Metric::counter(
    "logan_group_offsets_expired",
    "Committed offsets that were deleted since their retention was over.",
);
static OFFSETS_OF_DELETED_TOPICS: Metric = Metric::counter(
    "logan_group_offsets_of_deleted_topics",
    "Committed offsets that were deleted with their topics.",
);
static MEMORY_REFUSALS: Metric = Metric::counter(
    "logan_group_memory_refusals",
    "Requests that were refused since groups would have taken more memory than `logan.group.memory.bytes`.",
);
static GROUPS_MADE_WAY: Metric = Metric::counter(
    "logan_group_made_way",
    "Groups with neither members nor offsets that were deleted since others needed their memory.",
);
static GROUPS: Metric = Metric::gauge(
    "logan_groups",
    "Groups that there are, by their type and state.",
);
static OFFSETS: Metric = Metric::gauge(
    "logan_group_offsets",
    "Partitions of groups for which an offset is committed now.",
);
static MEMORY_BYTES: Metric = Metric::gauge(
    "logan_group_memory_bytes",
    "About how many bytes groups and their committed offsets take in memory.",
);

/// Types and states that are shown whether or not there are such groups.
const KINDS: [(&str, &str); 8] = [
    ("classic", "CompletingRebalance"),
    ("classic", "Empty"),
    ("classic", "PreparingRebalance"),
    ("classic", "Stable"),
    ("consumer", "Assigning"),
    ("consumer", "Empty"),
    ("consumer", "Reconciling"),
    ("consumer", "Stable"),
];

impl<I: Io> Shard<I> {
    /// The values of this moment.
    pub(crate) fn group_samples(&self) -> impl Iterator<Item = Sample> {
        let mut sum = self.coordinators.past.get();
        for coordinator in self.coordinators.all() {
            sum.add(&coordinator.counters());
        }
        let mut groups: BTreeMap<(&str, &str), u64> = KINDS.map(|kind| (kind, 0)).into();
        let mut offsets = 0;
        for census in self.coordinators.all().iter().map(|it| it.census()) {
            offsets += census.offsets as u64;
            let classic = census.classic.into_iter();
            let classic = classic.map(|(state, count)| (("classic", state), count));
            let consumer = census.consumer.into_iter();
            let consumer = consumer.map(|(state, count)| (("consumer", state), count));
            for (kind, count) in classic.chain(consumer) {
                *groups.entry(kind).or_default() += count as u64;
            }
        }
        let groups = groups
            .into_iter()
            .map(|((kind, state), count)| GROUPS.is(count).with("type", kind).with("state", state));
        let memory_bytes = self.coordinators.memory_bytes();
        let memory_bytes = u64::try_from(memory_bytes).unwrap_or(u64::MAX);
        let samples = samples(&sum).into_iter();
        let gauges = [OFFSETS.is(offsets), MEMORY_BYTES.is(memory_bytes)];
        samples.chain(gauges).chain(groups)
    }
}

fn samples(sum: &Counters) -> [Sample; 16] {
    let classic = |metric: &'static Metric, value| metric.is(value).with("protocol", "classic");
    let consumer = |metric: &'static Metric, value| metric.is(value).with("protocol", "consumer");
    let classic_time =
        |metric: &'static Metric, time| metric.lasts(time).with("protocol", "classic");
    let consumer_time =
        |metric: &'static Metric, time| metric.lasts(time).with("protocol", "consumer");
    [
        classic(&REBALANCES, sum.classic_rebalances),
        consumer(&REBALANCES, sum.consumer_rebalances_ended),
        classic_time(&REBALANCE_TIME, sum.classic_rebalance_time),
        consumer_time(&REBALANCE_TIME, sum.consumer_rebalance_time),
        classic_time(&REBALANCE_TIME_MAX, sum.classic_rebalance_time_max),
        consumer_time(&REBALANCE_TIME_MAX, sum.consumer_rebalance_time_max),
        PARTITIONS_MOVED.is(sum.consumer_partitions_moved),
        classic(&SESSIONS_EXPIRED, sum.classic_sessions_expired),
        consumer(&SESSIONS_EXPIRED, sum.consumer_sessions_expired),
        classic(&REBALANCES_MISSED, sum.classic_rebalances_missed),
        consumer(&REBALANCES_MISSED, sum.consumer_rebalances_missed),
        OFFSETS_COMMITTED.is(sum.offsets_committed),
        OFFSETS_EXPIRED.is(sum.offsets_expired),
        OFFSETS_OF_DELETED_TOPICS.is(sum.offsets_of_deleted_topics),
        MEMORY_REFUSALS.is(sum.memory_refusals),
        GROUPS_MADE_WAY.is(sum.groups_made_way),
    ]
}
