//! What several commands ask first: which partitions, and what time it is.

use std::time::SystemTime;

use client::Client;
use command_line::Failure;
use types::{PartitionIndex, TimestampMs};

/// The partitions of a topic that were asked for in their order, or all of them if none was.
pub(crate) fn chosen_partitions(
    client: &mut Client,
    topic: &str,
    asked: &[i32],
) -> Result<Vec<PartitionIndex>, Failure> {
    let description = client.describe_topic(topic)?;
    let there: Vec<_> = description.partitions.keys().copied().collect();
    if asked.is_empty() {
        return Ok(there);
    }
    let mut chosen: Vec<_> = asked.iter().copied().map(PartitionIndex).collect();
    chosen.sort_unstable();
    chosen.dedup();
    match chosen.iter().find(|partition| !there.contains(partition)) {
        None => Ok(chosen),
        Some(missing) => Err(Failure::NotFound {
            problem: format!("topic {topic} has no partition {missing}"),
            advice: format!("it has {}, numbered from 0", there.len()),
        }),
    }
}

/// The time of this machine.
pub(crate) fn now() -> TimestampMs {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    TimestampMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
