//! How fast logs are copied between directories.
//!
//! Kafka's keys, as of now, so a change counts at once: `replica.alter.log.dirs.io.max.bytes.per.second` holds
//! for every copy, `leader.replication.throttled.rate` and `follower.replication.throttled.rate` for the partitions that
//! their topics name as throttled. They bound the process; each shard takes its equal part. The smallest counts.
//!
//! Source: KIP-73, KIP-113.

use std::cell::Cell;
use std::time::Duration;

use io::{Instant, Io};

use super::Shard;
use super::directory_move::DirectoryMove;
use crate::message::PartitionKey;

/// The topics' keys that name what the rates of leaders and of followers bound.
const LEADERS_KEY: &str = "leader.replication.throttled.replicas";
const FOLLOWERS_KEY: &str = "follower.replication.throttled.replicas";

/// How long a copy sleeps at most before it looks at the keys again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What the copies of a shard have taken ahead of their rate.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    owed_bytes: Cell<u64>,
    paid_until: Cell<Instant>,
}

impl Throttle {
    fn take(&self, len_bytes: u64) {
        self.owed_bytes.set(self.owed_bytes.get() + len_bytes);
    }

    /// Lets the time until `now` pay, and says how long the rest takes.
    fn pay(&self, now: Instant, bytes_per_second: u64) -> Duration {
        let passed = now.saturating_since(self.paid_until.get());
        let earned = u128::from(bytes_per_second) * passed.as_nanos() / 1_000_000_000;
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        let owed = self.owed_bytes.get().saturating_sub(earned);
        // What is less than a byte goes on counting.
        if earned > 0 {
            self.paid_until.set(now);
        }
        self.owed_bytes.set(owed);
        Duration::from_secs(owed) / u32::try_from(bytes_per_second).unwrap_or(u32::MAX)
    }

    fn forgive(&self) {
        self.owed_bytes.set(0);
    }
}

/// Waits until `len_bytes` more may be copied, or the move has ended.
pub(super) async fn wait<I: Io>(shard: &Shard<I>, moving: &DirectoryMove<I>, len_bytes: usize) {
    let throttle = &shard.copy_throttle;
    throttle.take(len_bytes as u64);
    while !moving.is_cancelled() && !shard.is_draining() {
        let Some(rate) = rate(shard, moving.key) else {
            return throttle.forgive();
        };
        let now = shard.io.now();
        let left = throttle.pay(now, rate);
        if left.is_zero() {
            return;
        }
        shard.io.sleep_until(now + left.min(LOOK_AGAIN_AFTER)).await;
    }
}

/// Bytes per second of this shard, if the copy of a partition is throttled.
fn rate<I: Io>(shard: &Shard<I>, key: PartitionKey) -> Option<u64> {
    let view = shard.view();
    let values = &view.config.values;
    let topic = view.image.topic(key.topic_id)?;
    let is_named = |replicas: &str| {
        let named = topic.configs.get(replicas);
        named.is_some_and(|named| {
            names(named, key.index, |node| {
                shard.advertise().is_this_machine(node)
            })
        })
    };
    let named = [
        (LEADERS_KEY, values.leader_replication_throttled_rate),
        (FOLLOWERS_KEY, values.follower_replication_throttled_rate),
    ];
    let named = named.iter().filter(|(replicas, _)| is_named(replicas));
    let of_all = values.replica_alter_log_dirs_io_max_bytes_per_second;
    let smallest = named.map(|(_, rate)| *rate).fold(of_all, i64::min);
    let rate = u64::try_from(smallest)
        .ok()
        .filter(|_| smallest < i64::MAX)?;
    let shards = shard.mesh.shards().count() as u64;
    Some((rate / shards).max(1))
}

/// Whether a list such as `0:1,3:1`, or `*`, names a partition on this machine.
fn names(list: &str, partition: i32, is_here: impl Fn(types::NodeId) -> bool) -> bool {
    list.split(',').map(str::trim).any(|entry| {
        let replica = entry.split_once(':').and_then(|(partition, node)| {
            Some((partition.parse::<i32>().ok()?, node.parse().ok()?))
        });
        entry == "*"
            || replica.is_some_and(|(of, node)| of == partition && is_here(types::NodeId(node)))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use io::Instant;
    use types::NodeId;

    use super::{Throttle, names};

    #[test]
    fn a_throttle_lets_its_rate_pass() {
        let throttle = Throttle::default();
        let start = Instant(1_000_000_000);
        assert_eq!(throttle.pay(start, 1000), Duration::ZERO);
        throttle.take(3000);
        assert_eq!(throttle.pay(start, 1000), Duration::from_secs(3));
        let later = start + Duration::from_secs(1);
        assert_eq!(throttle.pay(later, 1000), Duration::from_secs(2));
        assert_eq!(throttle.pay(later, 4000), Duration::from_millis(500));
        let end = later + Duration::from_secs(1);
        assert_eq!(throttle.pay(end, 4000), Duration::ZERO);
        throttle.take(4000);
        assert_eq!(
            throttle.pay(end, 4000),
            Duration::from_secs(1),
            "nothing is saved up"
        );
    }

    #[test]
    fn replicas_are_named_by_partition_and_node() {
        let here = |node: NodeId| node == NodeId(7);
        let table = [
            ("*", true),
            ("3:7", true),
            ("0:7, 3:7", true),
            ("3:8", false),
            ("4:7", false),
            ("", false),
            ("x:y", false),
        ];
        for (list, expected) in table {
            assert_eq!(names(list, 3, here), expected, "{list}");
        }
    }
}
