//! What one run consists of: workloads and faults, each there or not by the seed.
//!
//! Some faults hide others: where every disk fails at once nobody gets far enough to meet the rest. A run therefore has a
//! random half of all parts, as in Groce et al., "Swarm testing" (2012).
//!
//! # Invariants
//! - Leaving a part out changes no other part's draws.

use std::collections::BTreeSet;

use broker::MeshCredits;

use crate::node::{Crash, NodeConfig};
use crate::rng::Rng;

/// Something that a run has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Producers that are not idempotent.
    PlainProducers,
    /// Members of a classic group.
    Members,
    /// Topics that are created, written and deleted.
    Topics,
    /// Configurations that are altered.
    Configs,
    /// Partitions that move between shards.
    Moves,
    /// Logs that move between directories.
    DirectoryMoves,
    /// The power is cut.
    PowerCuts,
    /// The process is killed.
    Kills,
    /// The process ends in good order.
    Drains,
    /// It comes back with another number of shards.
    Reshards,
    /// Writes fail.
    WriteErrors,
    /// Syncs fail.
    SyncErrors,
    /// Reads fail.
    ReadErrors,
    /// The disk fills up.
    FullDisks,
    /// The disk becomes slow.
    SlowDisks,
    /// Bytes of closed files change.
    BitRot,
    /// Connections break.
    Cuts,
    /// Connections stall.
    Stalls,
    /// Connections deliver a few bytes at a time.
    Fragments,
    /// The wall clock jumps, forward and back.
    ClockSteps,
    /// Shards stand still.
    ShardStalls,
    /// Inboxes of shards are full, or nearly.
    FullInboxes,
    /// There is little memory for requests and for the cache.
    SmallMemory,
    /// Members of a consumer group of the new protocol.
    Subscribers,
    /// Consumers with fetch sessions.
    Sessions,
    /// Producers that want no acknowledgement.
    Unacknowledged,
    /// A log whose records are deleted by request.
    Trims,
    /// A log whose oldest segments are too much.
    Retention,
    /// A log that is compacted.
    Compaction,
    /// Writes are done in part only.
    ShortWrites,
    /// Writes and syncs of the metadata log fail.
    MetadataErrors,
    /// Files cannot be opened, named, listed, cut or extended, and directories not synced.
    NameErrors,
}

/// How many parts there were when the first cases were saved: all others are drawn after the sizes.
const FIRST_PARTS: usize = 23;

impl Part {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::PlainProducers,
        Self::Members,
        Self::Topics,
        Self::Configs,
        Self::Moves,
        Self::DirectoryMoves,
        Self::PowerCuts,
        Self::Kills,
        Self::Drains,
        Self::Reshards,
        Self::WriteErrors,
        Self::SyncErrors,
        Self::ReadErrors,
        Self::FullDisks,
        Self::SlowDisks,
        Self::BitRot,
        Self::Cuts,
        Self::Stalls,
        Self::Fragments,
        Self::ClockSteps,
        Self::ShardStalls,
        Self::FullInboxes,
        Self::SmallMemory,
        Self::Subscribers,
        Self::Sessions,
        Self::Unacknowledged,
        Self::Trims,
        Self::Retention,
        Self::Compaction,
        Self::ShortWrites,
        Self::MetadataErrors,
        Self::NameErrors,
    ];

    /// Its name in saved cases.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// The parts of one run and its sizes.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    parts: BTreeSet<Part>,
    pub(crate) rounds: u32,
    pub(crate) shards: u32,
    pub(crate) partitions: i32,
    pub(crate) producers: u64,
    pub(crate) is_aware: bool,
    directories: u8,
}

impl Mix {
    /// What the seed says, without the parts in `without` and with at most `rounds_max` rounds.
    pub(crate) fn drawn(rng: &Rng, without: &BTreeSet<Part>, rounds_max: u32) -> Self {
        let (first, later) = Part::ALL.split_at(FIRST_PARTS);
        let draw = |parts: &[Part]| -> Vec<Part> {
            let parts = parts.iter().copied();
            parts.filter(|_| rng.chance(1, 2)).collect()
        };
        let mut parts = BTreeSet::from_iter(draw(first));
        if !parts.contains(&Part::Kills) {
            parts.insert(Part::PowerCuts);
        }
        let small = |low, high| u32::try_from(rng.between(low, high)).expect("small");
        let mix = Self {
            rounds: small(3, 6).min(rounds_max),
            shards: small(1, 4),
            partitions: i32::try_from(rng.between(1, 4)).expect("small"),
            producers: rng.between(2, 6),
            is_aware: rng.chance(1, 2),
            directories: u8::try_from(rng.between(1, 3)).expect("small"),
            parts,
        };
        let mut parts = mix.parts.clone();
        parts.extend(draw(later));
        parts.retain(|part| !without.contains(part));
        Self { parts, ..mix }
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// What it consists of, in words.
    pub(crate) fn describe(&self) -> String {
        let parts: Vec<_> = self.parts.iter().map(|part| part.name()).collect();
        format!(
            "{} rounds, {} shards, {} partitions, {} idempotent producers, {} directories, {}: {}",
            self.rounds,
            self.shards,
            self.partitions,
            self.producers,
            self.directories,
            if self.is_aware { "per-shard" } else { "single" },
            parts.join(" ")
        )
    }

    pub(crate) fn directories(&self) -> u8 {
        self.directories
    }

    /// The ways in which the broker may end.
    pub(crate) fn crashes(&self) -> Vec<Crash> {
        let all = [
            (Part::PowerCuts, Crash::PowerCut),
            (Part::Kills, Crash::Kill),
            (Part::Drains, Crash::Drain),
        ];
        let wanted = all.into_iter().filter(|(part, _)| self.has(*part));
        wanted.map(|(_, crash)| crash).collect()
    }

    /// How a broker is started with this many shards.
    pub(crate) fn node(&self, shards: u32) -> NodeConfig {
        let mode = if self.is_aware { "per-shard" } else { "single" };
        let mut overrides = vec![
            format!("shard.advertise={mode}"),
            "offsets.topic.num.partitions=3".to_owned(),
            "group.initial.rebalance.delay.ms=0".to_owned(),
            "group.min.session.timeout.ms=100".to_owned(),
            "logan.disk.reserve.bytes=65536".to_owned(),
            // Segments end when their indexes are full, so that small logs have several.
            "log.index.interval.bytes=1024".to_owned(),
            "log.index.size.max.bytes=64".to_owned(),
            "log.segment.delete.delay.ms=1000".to_owned(),
            "log.retention.check.interval.ms=100".to_owned(),
            "log.cleaner.backoff.ms=20".to_owned(),
            "group.consumer.min.session.timeout.ms=100".to_owned(),
            "group.consumer.session.timeout.ms=300".to_owned(),
            "group.consumer.min.heartbeat.interval.ms=10".to_owned(),
            "group.consumer.heartbeat.interval.ms=30".to_owned(),
            "group.consumer.assignment.interval.ms=20".to_owned(),
        ];
        if self.has(Part::SmallMemory) {
            overrides.push("logan.request.memory.bytes=1048576".to_owned());
            overrides.push("logan.cache.bytes=65536".to_owned());
        }
        let tight = MeshCredits {
            requests: 2,
            watches: 2,
            control: 4,
        };
        NodeConfig {
            shards,
            directories: self.directories,
            credits: self.has(Part::FullInboxes).then_some(tight),
            overrides,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, without: &[Part]) -> Mix {
        let without = without.iter().copied().collect();
        Mix::drawn(&Rng::new(seed), &without, u32::MAX)
    }

    #[test]
    fn leaving_a_part_out_leaves_the_others() {
        for seed in 0..100 {
            let whole = drawn(seed, &[]);
            let less = drawn(seed, &[Part::Moves]);
            assert!(!less.has(Part::Moves));
            for part in Part::ALL.into_iter().filter(|part| *part != Part::Moves) {
                assert_eq!(whole.has(part), less.has(part));
            }
            assert_eq!(whole.shards, less.shards);
        }
    }

    #[test]
    fn every_run_has_a_way_to_crash() {
        assert!((0..100).all(|seed| {
            let crashes = drawn(seed, &[]).crashes();
            crashes.contains(&Crash::PowerCut) || crashes.contains(&Crash::Kill)
        }));
    }

    #[test]
    fn parts_are_found_by_their_names() {
        for part in Part::ALL {
            assert_eq!(Part::named(&part.name()), Some(part));
        }
    }
}
