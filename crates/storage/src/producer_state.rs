//! What a log remembers of its idempotent producers: Kafka's `ProducerStateManager`.
//!
//! A pure value of one log: it reads no clock and does no I/O. A batch is first [checked](ProducerStates::check),
//! which changes nothing, and [recorded](ProducerStates::record) once its offsets are assigned; replaying a log
//! records without checking. Transaction coordination is absent: transactional batches are recorded like others
//! and only the first offset of an open transaction is kept, for the snapshot.
//!
//! Source: KIP-98, KIP-360; `org.apache.kafka.storage.internals.log.ProducerStateManager` of Kafka 4.3.1.

use std::collections::VecDeque;

use records::BatchHeader;
use rustc_hash::FxHashMap;
use types::{DurationMs, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::error::AppendError;

/// Batches of a producer that are recognised when they are sent again.
pub const BATCHES_REMEMBERED: usize = 5;

/// The part of a batch that concerns its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
    /// The sequence number of the first record; -1 in a control batch.
    pub first_sequence: i32,
    /// Records in the batch, less one, by offset.
    pub offset_delta: i32,
    /// The largest timestamp of its records.
    pub timestamp: TimestampMs,
    /// Whether it is part of a transaction.
    pub transactional: bool,
    /// Whether it is a control batch, which ends a transaction.
    pub control: bool,
}

impl ProducerBatch {
    /// What the header of a batch says of its producer.
    #[must_use]
    pub fn of(header: &BatchHeader) -> Self {
        Self {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            first_sequence: header.base_sequence,
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
            transactional: header.is_transactional(),
            control: header.is_control(),
        }
    }
}

/// A batch that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMetadata {
    /// The sequence number of its last record.
    pub last_sequence: i32,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Records in the batch, less one, by offset.
    pub offset_delta: i32,
    /// The largest timestamp of its records.
    pub timestamp: TimestampMs,
}

impl BatchMetadata {
    /// The sequence number of its first record.
    #[must_use]
    pub fn first_sequence(&self) -> i32 {
        sequence_before(self.last_sequence, self.offset_delta)
    }

    /// The offset of its first record.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.offset_delta))
    }
}

/// What is remembered of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    /// Its newest incarnation.
    pub epoch: ProducerEpoch,
    /// Its last batches, oldest first.
    pub batches: VecDeque<BatchMetadata>,
    /// When it was last seen: the larger of its records' timestamp and the time of the append.
    pub last_timestamp: TimestampMs,
    /// The coordinator epoch of its last control batch.
    pub coordinator_epoch: i32,
    /// Where its open transaction began.
    pub transaction_first_offset: Option<Offset>,
}

/// A producer as DescribeProducers shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// The producer.
    pub producer_id: ProducerId,
    /// Its newest incarnation.
    pub epoch: ProducerEpoch,
    /// The sequence number of its last record; -1 when no batch is remembered.
    pub last_sequence: i32,
    /// The largest timestamp of its last batch.
    pub last_timestamp: TimestampMs,
    /// The coordinator epoch of its last control batch; -1 when there was none.
    pub coordinator_epoch: i32,
    /// Where its open transaction began.
    pub transaction_first_offset: Option<Offset>,
}

/// Where a producer goes on, as far as the log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// The offset of its last record; `None` when only a marker is left of it.
    pub data_offset: Option<Offset>,
    /// Its newest incarnation.
    pub epoch: ProducerEpoch,
}

/// What [`ProducerStates::check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceCheck {
    /// The batch is next in line, or not idempotent.
    New,
    /// The batch is in the log already.
    Duplicate(BatchMetadata),
}

/// What part of the producers is forgotten at once where there are too many, so that the search pays.
const FORGOTTEN_DIVISOR: usize = 16;

/// The producers of one log.
#[derive(Clone, Debug)]
pub struct ProducerStates {
    producers: FxHashMap<ProducerId, ProducerEntry>,
    producers_max: usize,
    expiration: DurationMs,
}

impl ProducerStates {
    /// Makes an empty one that remembers at most `producers_max` producers, each for `expiration` after its last batch.
    #[must_use]
    pub fn new(producers_max: usize, expiration: DurationMs) -> Self {
        Self {
            producers: FxHashMap::default(),
            producers_max,
            expiration,
        }
    }

    /// How many producers are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// What is remembered of a producer.
    #[must_use]
    pub fn get(&self, producer_id: ProducerId) -> Option<&ProducerEntry> {
        self.producers.get(&producer_id)
    }

    /// All producers by id.
    #[must_use]
    pub fn sorted(&self) -> Vec<(ProducerId, &ProducerEntry)> {
        let mut all: Vec<_> = self
            .producers
            .iter()
            .map(|(id, entry)| (*id, entry))
            .collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// All producers by id, as DescribeProducers shows them.
    #[must_use]
    pub fn active(&self) -> Vec<ActiveProducer> {
        let shown = |(producer_id, entry): (ProducerId, &ProducerEntry)| {
            let last = entry.batches.back();
            ActiveProducer {
                producer_id,
                epoch: entry.epoch,
                last_sequence: last.map_or(-1, |batch| batch.last_sequence),
                last_timestamp: last.map_or(entry.last_timestamp, |batch| batch.timestamp),
                coordinator_epoch: entry.coordinator_epoch,
                transaction_first_offset: entry.transaction_first_offset,
            }
        };
        self.sorted().into_iter().map(shown).collect()
    }

    /// Where each producer goes on.
    #[must_use]
    pub fn last_records(&self) -> FxHashMap<ProducerId, LastRecord> {
        let last = |entry: &ProducerEntry| LastRecord {
            data_offset: entry.batches.back().map(|batch| batch.last_offset),
            epoch: entry.epoch,
        };
        let producers = self.producers.iter();
        producers.map(|(id, entry)| (*id, last(entry))).collect()
    }

    /// Whether a batch of a client may be appended at `now`. Forgets expired producers when there is no room.
    ///
    /// # Errors
    /// [`AppendError::InvalidProducerEpoch`], [`AppendError::OutOfOrderSequence`] and
    /// [`AppendError::TooManyProducers`].
    pub fn check(
        &mut self,
        batch: &ProducerBatch,
        now: TimestampMs,
    ) -> Result<SequenceCheck, AppendError> {
        if batch.producer_id == ProducerId::NONE {
            return Ok(SequenceCheck::New);
        }
        let Some(entry) = self.producers.get(&batch.producer_id) else {
            // Kafka accepts any sequence number of a producer it does not know: its records may have expired.
            return self.check_room(now).map(|()| SequenceCheck::New);
        };
        if batch.producer_epoch < entry.epoch {
            return Err(AppendError::InvalidProducerEpoch {
                producer_id: batch.producer_id,
                current: entry.epoch,
                found: batch.producer_epoch,
            });
        }
        if batch.control {
            return Ok(SequenceCheck::New);
        }
        if batch.producer_epoch > entry.epoch {
            return in_order(batch, -1, batch.first_sequence == 0);
        }
        let last_sequence = sequence_after(batch.first_sequence, batch.offset_delta);
        let duplicate = entry.batches.iter().find(|known| {
            known.first_sequence() == batch.first_sequence && known.last_sequence == last_sequence
        });
        if let Some(duplicate) = duplicate {
            return Ok(SequenceCheck::Duplicate(*duplicate));
        }
        let last = entry.batches.back().map_or(-1, |known| known.last_sequence);
        let expected = if last == -1 {
            0
        } else {
            sequence_after(last, 1)
        };
        in_order(batch, last, batch.first_sequence == expected)
    }

    /// Remembers a batch whose last record got `last_offset`, seen at `now`. Replays pass the batch's timestamp.
    pub fn record(&mut self, batch: &ProducerBatch, last_offset: Offset, now: TimestampMs) {
        if batch.producer_id == ProducerId::NONE {
            return;
        }
        let entry = self
            .producers
            .entry(batch.producer_id)
            .or_insert_with(|| ProducerEntry::new(batch.producer_epoch));
        if entry.epoch != batch.producer_epoch {
            entry.epoch = batch.producer_epoch;
            entry.batches.clear();
        }
        entry.last_timestamp = entry.last_timestamp.max(batch.timestamp).max(now);
        if batch.control {
            entry.transaction_first_offset = None;
            return;
        }
        if entry.batches.len() == BATCHES_REMEMBERED {
            entry.batches.pop_front();
        }
        let metadata = BatchMetadata {
            last_sequence: sequence_after(batch.first_sequence, batch.offset_delta),
            last_offset,
            offset_delta: batch.offset_delta,
            timestamp: batch.timestamp,
        };
        if batch.transactional && entry.transaction_first_offset.is_none() {
            entry.transaction_first_offset = Some(metadata.first_offset());
        }
        entry.batches.push_back(metadata);
    }

    /// Puts an entry of a snapshot in, behind those of the same incarnation of the producer.
    pub fn restore(&mut self, producer_id: ProducerId, entry: ProducerEntry) {
        let Some(known) = self.producers.get_mut(&producer_id) else {
            self.producers.insert(producer_id, entry);
            return;
        };
        let earlier = std::mem::replace(known, entry);
        if earlier.epoch == known.epoch {
            let last = std::mem::replace(&mut known.batches, earlier.batches);
            known.batches.extend(last);
            let surplus = known.batches.len().saturating_sub(BATCHES_REMEMBERED);
            known.batches.drain(..surplus);
        }
    }

    /// Remembers each producer for this long from now on.
    pub fn set_expiration(&mut self, expiration: DurationMs) {
        self.expiration = expiration;
    }

    /// Forgets the producers that have been silent for the expiration span. Open transactions keep theirs.
    pub fn expire(&mut self, now: TimestampMs) {
        let expiration = self.expiration;
        self.producers.retain(|_, entry| {
            entry.transaction_first_offset.is_some()
                || now.0.saturating_sub(entry.last_timestamp.0) < expiration.0
        });
    }

    /// As [`ProducerStates::expire`], if there are more than may be remembered.
    pub fn expire_surplus(&mut self, now: TimestampMs) {
        if self.producers.len() > self.producers_max {
            self.expire(now);
        }
    }

    /// Forgets the [`FORGOTTEN_DIVISOR`]th part that has been silent longest. Open transactions keep theirs.
    fn forget_silent(&mut self) {
        let idle = self
            .producers
            .iter()
            .filter(|(_, entry)| entry.transaction_first_offset.is_none());
        let mut by_age: Vec<_> = idle
            .map(|(id, entry)| (entry.last_timestamp, *id))
            .collect();
        by_age.sort_unstable();
        let count = (self.producers_max / FORGOTTEN_DIVISOR).max(1);
        for (_, id) in by_age.iter().take(count) {
            self.producers.remove(id);
        }
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        self.producers.clear();
    }

    /// Makes room for one more: the expired are forgotten, and if that is not enough those that have been silent
    /// longest. A producer that is forgotten and comes back may go on with any sequence number, as in Kafka; what it
    /// loses is that a repeated batch is recognised.
    fn check_room(&mut self, now: TimestampMs) -> Result<(), AppendError> {
        if self.producers.len() >= self.producers_max {
            self.expire(now);
        }
        if self.producers.len() >= self.producers_max {
            self.forget_silent();
        }
        if self.producers.len() >= self.producers_max {
            return Err(AppendError::TooManyProducers {
                limit: self.producers_max,
            });
        }
        Ok(())
    }
}

impl ProducerEntry {
    fn new(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            batches: VecDeque::new(),
            last_timestamp: TimestampMs::NONE,
            coordinator_epoch: LeaderEpoch::NONE.0,
            transaction_first_offset: None,
        }
    }
}

fn in_order(
    batch: &ProducerBatch,
    expected_after: i32,
    follows: bool,
) -> Result<SequenceCheck, AppendError> {
    if follows {
        return Ok(SequenceCheck::New);
    }
    Err(AppendError::OutOfOrderSequence {
        producer_id: batch.producer_id,
        expected_after,
        found: batch.first_sequence,
    })
}

/// The sequence number `count` records after `sequence`; after `i32::MAX` comes 0.
///
/// # Panics
/// Never: the wrapped sum fits.
#[must_use]
pub fn sequence_after(sequence: i32, count: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(count);
    let wrapped = if sum > i64::from(i32::MAX) {
        sum - i64::from(i32::MAX) - 1
    } else {
        sum
    };
    i32::try_from(wrapped).expect("the sum of two i32 less 2^31 fits")
}

/// The sequence number `count` records before `sequence`; before 0 comes `i32::MAX`.
#[must_use]
pub fn sequence_before(sequence: i32, count: i32) -> i32 {
    let difference = i64::from(sequence) - i64::from(count);
    let wrapped = if difference < 0 && sequence >= 0 {
        difference + i64::from(i32::MAX) + 1
    } else {
        difference
    };
    i32::try_from(wrapped).unwrap_or(i32::MIN)
}

#[cfg(test)]
mod tests;
