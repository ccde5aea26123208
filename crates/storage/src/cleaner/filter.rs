//! What stays of a batch, by Kafka's rules.
//!
//! Decisions only. A batch is shown to [`BatchPolicy`] in the order of the log; what it says is carried out by
//! [`records::BatchFilter`].
//!
//! Source: `Cleaner.cleanInto` and `Cleaner.shouldRetainRecord` of Kafka 4.3.1.

use records::{BatchHeader, FilterRules, Record, WhenEmpty};
use rustc_hash::FxHashMap;
use types::{DurationMs, Offset, ProducerId, TimestampMs};

use super::offset_map::OffsetMap;
use super::transactions::{CleanedTransactions, Marker};
use crate::producer_state::LastRecord;

/// What a pass holds records against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention<'a> {
    pub(crate) map: &'a OffsetMap,
    /// The time of the pass.
    pub(crate) now: TimestampMs,
    /// `delete.retention.ms`.
    pub(crate) delete_retention: DurationMs,
    /// Records of one batch are decompressed up to this many bytes.
    pub(crate) records_bytes_max: usize,
    /// Whether tombstones stay for good: a batch before them was too large to be read, and may have what they delete.
    pub(crate) keeps_tombstones: bool,
}

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BatchFate {
    /// It goes, unread.
    Drop,
    /// Its records are asked about.
    Filter(BatchPolicy),
}

/// How the records of a batch are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPolicy {
    pub(crate) rules: FilterRules,
    keeps: Keeps,
    horizon: Option<TimestampMs>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    All,
    NewestOfKeys,
    Nothing,
}

impl Retention<'_> {
    /// Decides about the next batch. `marker` is what a control batch says; `must_stay` holds for batches that stay as
    /// headers at least, for the sake of the last offset.
    pub(crate) fn decide(
        &self,
        header: &BatchHeader,
        marker: Option<Marker>,
        transactions: &mut CleanedTransactions,
        producers: &FxHashMap<ProducerId, LastRecord>,
        must_stay: bool,
    ) -> BatchFate {
        let horizon = header.delete_horizon();
        let is_past_horizon = horizon.is_some_and(|horizon| horizon <= self.now);
        let (is_marker_of_nothing, keeps) = match marker {
            Some(marker) => {
                let is_of_nothing = transactions.is_marker_of_nothing(header, marker);
                let keeps = if is_of_nothing && is_past_horizon {
                    Keeps::Nothing
                } else {
                    Keeps::All
                };
                (is_of_nothing, keeps)
            }
            None if transactions.is_aborted(header) => (false, Keeps::Nothing),
            None => (false, Keeps::NewestOfKeys),
        };
        let stays = must_stay || is_last_of_producer(header, producers);
        if keeps == Keeps::Nothing && !stays {
            return BatchFate::Drop;
        }
        BatchFate::Filter(BatchPolicy {
            rules: FilterRules {
                when_empty: if stays {
                    WhenEmpty::Keep
                } else {
                    WhenEmpty::Drop
                },
                delete_horizon: TimestampMs(self.now.0.saturating_add(self.delete_retention.0)),
                is_marker_of_nothing,
                decompressed_max_bytes: self.records_bytes_max,
            },
            keeps,
            horizon,
        })
    }

    /// Whether a record of the batch stays.
    pub(crate) fn retains(&self, policy: &BatchPolicy, record: &Record<'_>) -> bool {
        match policy.keeps {
            Keeps::All => return true,
            Keeps::Nothing => return false,
            Keeps::NewestOfKeys => {}
        }
        if Some(record.offset) > self.map.latest() {
            return true;
        }
        // A topic that is compacted takes no records without a key; those from before it was are of no use in it.
        let Some(key) = record.key else {
            return false;
        };
        let is_newest = Some(record.offset) >= self.map.get(key);
        let is_needed = record.value.is_some()
            || self.keeps_tombstones
            || policy.horizon.is_none_or(|it| self.now < it);
        is_newest && is_needed
    }
}

/// Whether the batch tells where its producer goes on: the last sequence number, or the epoch that a marker fenced.
fn is_last_of_producer(
    header: &BatchHeader,
    producers: &FxHashMap<ProducerId, LastRecord>,
) -> bool {
    let last = producers.get(&header.producer_id);
    header.has_producer_id()
        && last.is_some_and(|last| match last.data_offset {
            Some(offset) => header.last_offset() == offset,
            None => header.is_control() && header.producer_epoch == last.epoch,
        })
}

/// Whether the last offset of the batch must stay known, though its records may go.
pub(crate) fn ends_at(header: &BatchHeader, end: Offset) -> bool {
    header.last_offset().0 + 1 == end.0
}

#[cfg(test)]
mod tests;
