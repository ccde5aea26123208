//! Incremental fetch sessions (KIP-227): what a client wants, remembered between its requests.
//!
//! The cache is bounded in sessions and in partitions. A full one refuses new sessions (the client then sends full
//! requests) unless one has not been used for [`EVICTION_AGE`]: that one goes.

use std::time::Duration;

use io::Instant;
use rustc_hash::{FxHashMap, FxHashSet};
use types::{ErrorCode, LeaderEpoch, Offset};

use crate::message::PartitionKey;

/// Kafka's `min.incremental.fetch.session.eviction.ms`.
const EVICTION_AGE: Duration = Duration::from_secs(120);

/// Partitions that all sessions of a shard may name together.
const PARTITIONS_MAX: usize = 200_000;

/// The epoch of a request that begins a session.
pub(crate) const EPOCH_INITIAL: i32 = 0;

/// The epoch of a request outside of sessions, which also ends one.
pub(crate) const EPOCH_FINAL: i32 = -1;

/// What a client wants of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) key: PartitionKey,
    pub(crate) offset: Offset,
    pub(crate) max_bytes: usize,
    pub(crate) current_leader_epoch: LeaderEpoch,
    pub(crate) last_fetched_epoch: LeaderEpoch,
}

/// What the client was told of a partition last; it hears of the partition again when this changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: Offset,
    pub(crate) log_start_offset: Offset,
}

/// A partition of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionPartition {
    pub(crate) wanted: Wanted,
    pub(crate) told: Option<Told>,
}

#[derive(Debug)]
struct Session {
    epoch: i32,
    uses_ids: bool,
    last_used: Instant,
    /// In the order in which they are served.
    partitions: Vec<SessionPartition>,
}

/// The sessions of one shard.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    sessions_max: usize,
    partitions: usize,
    sessions: FxHashMap<i32, Session>,
}

impl FetchSessions {
    /// An empty cache for `sessions_max` sessions.
    pub(crate) fn new(sessions_max: usize) -> Self {
        Self {
            sessions_max,
            partitions: 0,
            sessions: FxHashMap::default(),
        }
    }

    /// Begins a session and returns its id, or 0 when there is no room. `id` is a random positive number.
    pub(crate) fn begin(
        &mut self,
        id: i32,
        uses_ids: bool,
        partitions: Vec<SessionPartition>,
        now: Instant,
    ) -> i32 {
        if partitions.is_empty() || id <= 0 || self.sessions.contains_key(&id) {
            return 0;
        }
        let count = partitions.len();
        while self.sessions.len() >= self.sessions_max || self.partitions + count > PARTITIONS_MAX {
            if !self.evict_stale(now) {
                return 0;
            }
        }
        self.partitions += count;
        self.sessions.insert(
            id,
            Session {
                epoch: 1,
                uses_ids,
                last_used: now,
                partitions,
            },
        );
        id
    }

    /// Ends a session, if it exists.
    pub(crate) fn end(&mut self, id: i32) {
        if let Some(session) = self.sessions.remove(&id) {
            self.partitions -= session.partitions.len();
        }
    }

    /// Takes up an incremental request: checks it, applies what it changes, and returns everything that the session
    /// wants now.
    ///
    /// # Errors
    /// Kafka's codes for an unknown session, a wrong epoch, and a change between topic names and ids.
    pub(crate) fn resume(
        &mut self,
        id: i32,
        epoch: i32,
        uses_ids: bool,
        change: &Change,
        now: Instant,
    ) -> Result<Vec<SessionPartition>, ErrorCode> {
        let session = self
            .sessions
            .get_mut(&id)
            .ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_ids != uses_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        if self.partitions + change.wanted.len() > PARTITIONS_MAX {
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        let before = session.partitions.len();
        change.apply(&mut session.partitions);
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        session.last_used = now;
        self.partitions = self.partitions - before + session.partitions.len();
        Ok(session.partitions.clone())
    }

    /// Notes what the client is being told. Partitions that had records move behind the others, so that each gets
    /// its turn.
    pub(crate) fn told(&mut self, id: i32, told: &[(PartitionKey, Told, bool)]) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let told: FxHashMap<PartitionKey, (Told, bool)> = told
            .iter()
            .map(|(key, told, had_records)| (*key, (*told, *had_records)))
            .collect();
        for partition in &mut session.partitions {
            if let Some((news, _)) = told.get(&partition.wanted.key) {
                partition.told = Some(*news);
            }
        }
        session.partitions.sort_by_key(|partition| {
            told.get(&partition.wanted.key)
                .is_some_and(|(_, had_records)| *had_records)
        });
    }

    fn evict_stale(&mut self, now: Instant) -> bool {
        let oldest = self
            .sessions
            .iter()
            .min_by_key(|(_, session)| session.last_used);
        let Some((id, session)) = oldest else {
            return false;
        };
        if now.saturating_since(session.last_used) < EVICTION_AGE {
            return false;
        }
        let id = *id;
        self.end(id);
        true
    }
}

/// What an incremental request changes.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) forgotten: Vec<PartitionKey>,
}

impl Change {
    fn apply(&self, partitions: &mut Vec<SessionPartition>) {
        if !self.forgotten.is_empty() {
            let forgotten: FxHashSet<PartitionKey> = self.forgotten.iter().copied().collect();
            partitions.retain(|partition| !forgotten.contains(&partition.wanted.key));
        }
        if self.wanted.is_empty() {
            return;
        }
        let mut known: FxHashMap<PartitionKey, usize> = partitions
            .iter()
            .enumerate()
            .map(|(index, it)| (it.wanted.key, index))
            .collect();
        for wanted in &self.wanted {
            match known.get(&wanted.key) {
                Some(index) => partitions[*index].wanted = *wanted,
                None => {
                    known.insert(wanted.key, partitions.len());
                    partitions.push(SessionPartition {
                        wanted: *wanted,
                        told: None,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use io::Instant;
    use types::{ErrorCode, LeaderEpoch, Offset, Uuid};

    use super::{Change, FetchSessions, SessionPartition, Told, Wanted};
    use crate::message::PartitionKey;

    const START: Instant = Instant(0);

    fn wanted(index: i32, offset: i64) -> Wanted {
        Wanted {
            key: PartitionKey {
                topic_id: Uuid([1; 16]),
                index,
            },
            offset: Offset(offset),
            max_bytes: 1,
            current_leader_epoch: LeaderEpoch::NONE,
            last_fetched_epoch: LeaderEpoch::NONE,
        }
    }

    fn partition(index: i32) -> SessionPartition {
        SessionPartition {
            wanted: wanted(index, 0),
            told: None,
        }
    }

    fn indexes(partitions: &[SessionPartition]) -> Vec<i32> {
        partitions.iter().map(|it| it.wanted.key.index).collect()
    }

    #[test]
    fn an_incremental_request_changes_adds_and_forgets() {
        let mut sessions = FetchSessions::new(4);
        assert_eq!(
            sessions.begin(7, true, vec![partition(0), partition(1)], START),
            7
        );
        let change = Change {
            wanted: vec![wanted(0, 5), wanted(2, 0)],
            forgotten: vec![wanted(1, 0).key],
        };
        let now = sessions
            .resume(7, 1, true, &change, START)
            .expect("the session goes on");
        assert_eq!(indexes(&now), [0, 2]);
        assert_eq!(now[0].wanted.offset, Offset(5));
        let same = sessions
            .resume(7, 2, true, &Change::default(), START)
            .expect("the epoch rose");
        assert_eq!(same.len(), 2);
    }

    #[test]
    fn wrong_sessions_epochs_and_topic_ids_get_kafkas_codes() {
        let mut sessions = FetchSessions::new(4);
        sessions.begin(7, true, vec![partition(0)], START);
        let mut resume = |id, epoch, ids| {
            sessions
                .resume(id, epoch, ids, &Change::default(), START)
                .err()
        };
        assert_eq!(resume(8, 1, true), Some(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(
            resume(7, 3, true),
            Some(ErrorCode::InvalidFetchSessionEpoch)
        );
        assert_eq!(
            resume(7, 1, false),
            Some(ErrorCode::FetchSessionTopicIdError)
        );
        assert_eq!(resume(7, 1, true), None);
    }

    #[test]
    fn a_full_cache_evicts_only_what_has_not_been_used_for_long() {
        let mut sessions = FetchSessions::new(1);
        assert_eq!(sessions.begin(1, true, vec![partition(0)], START), 1);
        assert_eq!(
            sessions.begin(
                2,
                true,
                vec![partition(0)],
                START + Duration::from_secs(119)
            ),
            0
        );
        assert_eq!(
            sessions.begin(
                2,
                true,
                vec![partition(0)],
                START + Duration::from_secs(120)
            ),
            2
        );
        assert_eq!(sessions.partitions, 1);
    }

    #[test]
    fn partitions_that_had_records_are_served_last() {
        let mut sessions = FetchSessions::new(1);
        sessions.begin(
            1,
            true,
            vec![partition(0), partition(1), partition(2)],
            START,
        );
        let told = Told {
            high_watermark: Offset(1),
            log_start_offset: Offset(0),
        };
        sessions.told(
            1,
            &[
                (wanted(0, 0).key, told, true),
                (wanted(1, 0).key, told, false),
            ],
        );
        let now = sessions
            .resume(1, 1, true, &Change::default(), START)
            .expect("the session goes on");
        assert_eq!(indexes(&now), [1, 2, 0]);
    }
}
