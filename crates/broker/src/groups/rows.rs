//! The groups of a shard as rows for the control thread: members, and what they have committed.
//!
//! One group after the other, with looks at the clock in between. How far a group lags behind is for those to find who know
//! the high watermarks of all shards.

use std::sync::Arc;

use io::Io;
use types::{GroupRow, OffsetRow};

use crate::shard::Shard;
use crate::slice::Steps;

/// Committed offsets and groups that one answer has, together. Clients can make up any number of either.
const ROWS_MAX: usize = 50_000;

/// The longest name of a group that is told. Kafka allows 32,767 bytes; each offset would repeat them.
const NAME_BYTES_MAX: usize = 256;

impl<I: Io> Shard<I> {
    /// The groups, and how many of them and their offsets did not fit, or have too long a name.
    pub(crate) async fn group_rows(&self) -> (Vec<GroupRow>, u64) {
        let mut rows: Vec<GroupRow> = Vec::new();
        let mut room = ROWS_MAX;
        let mut left_out = 0;
        let mut steps = Steps::new(&self.io);
        for coordinator in self.coordinators.all() {
            let mut after = None;
            while let Some(facts) = coordinator.facts_after(after.as_ref()) {
                steps.look().await;
                let size = 1 + facts.offsets.iter().map(|(_, it)| it.len()).sum::<usize>();
                after = Some(facts.id.clone());
                let room_left = room
                    .checked_sub(size)
                    .filter(|_| facts.id.len() <= NAME_BYTES_MAX);
                let Some(rest) = room_left else {
                    left_out += size as u64;
                    continue;
                };
                room = rest;
                let offsets = facts.offsets.iter().flat_map(|(topic, partitions)| {
                    let topic: Arc<str> = Arc::from(&**topic);
                    partitions.iter().map(move |(partition, offset)| OffsetRow {
                        topic: Arc::clone(&topic),
                        partition: *partition,
                        offset: offset.0,
                    })
                });
                rows.push(GroupRow {
                    group: facts.id.to_string(),
                    protocol: facts.type_name,
                    state: facts.state,
                    members: facts.members as u64,
                    offsets: offsets.collect(),
                });
            }
        }
        (rows, left_out)
    }
}
