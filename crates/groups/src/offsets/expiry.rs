//! Offsets that are deleted on their own: those that have expired (KIP-211), and those of deleted topics.

use types::TimestampMs;

use super::{CommittedOffset, current_id, tombstone};
use crate::classic::RetentionFrom;
use crate::group::{Group, Turn};

/// Deletes the offsets that have expired. `true` if nothing is left.
///
/// An offset expires `offsets.retention.minutes` after its group became empty; in a group with members, that long after
/// its commit, and only if nobody subscribes to its topic, however long nothing was committed. The log does not say when
/// a consumer group became empty: of one that was loaded without members it is the time of its loading.
pub(crate) fn expire(group: &Group, turn: &mut Turn<'_>) -> bool {
    let from = group.retention_from();
    let mut all = true;
    for (topic, partitions) in &group.offsets.topics {
        let is_kept = from == RetentionFrom::Never || group.is_subscribed(topic);
        for (partition, committed) in partitions {
            if !is_kept && has_expired(committed, from, turn) {
                turn.write(tombstone(&group.id, topic, *partition));
                turn.counters.offsets_expired += 1;
            } else {
                all = false;
            }
        }
    }
    all
}

fn has_expired(committed: &CommittedOffset, from: RetentionFrom, turn: &Turn<'_>) -> bool {
    let now = turn.context.wall_clock;
    if let Some(expires_at) = committed.expires_at {
        return now >= expires_at;
    }
    let TimestampMs(from) = match from {
        RetentionFrom::Never => return false,
        RetentionFrom::Commit => committed.committed_at,
        // An offset can be committed to a group that has been empty for long.
        RetentionFrom::Since(since) => since.max(committed.committed_at),
    };
    let retention_ms = i64::try_from(turn.config.offsets_retention.as_millis());
    now.0.saturating_sub(from) >= retention_ms.unwrap_or(i64::MAX)
}

/// Deletes the offsets of topics that are no more, also where another topic has taken the name since.
pub(crate) fn forget_deleted_topics(group: &Group, turn: &mut Turn<'_>) {
    for (topic, partitions) in &group.offsets.topics {
        let current = current_id(turn.context.topics, topic);
        for (partition, committed) in partitions {
            if committed.is_stale(current) {
                turn.write(tombstone(&group.id, topic, *partition));
                turn.counters.offsets_of_deleted_topics += 1;
            }
        }
    }
}
