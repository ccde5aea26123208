//! Which leader epoch began at which offset: Kafka's leader epoch cache.
//!
//! A pure value of one log. Invariant: epochs and start offsets both rise strictly from entry to entry.
//! Writing the checkpoint file is the log's business; see [`crate::checkpoint`].

use types::{LeaderEpoch, Offset};

/// The begin of one leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset of its first record.
    pub start_offset: Offset,
}

/// The leader epochs of one log, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// Takes what a checkpoint says, leaving out entries that do not rise.
    #[must_use]
    pub fn from_entries(entries: impl IntoIterator<Item = EpochEntry>) -> Self {
        let mut epochs = Self::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start_offset);
        }
        epochs
    }

    /// The entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest epoch, [`LeaderEpoch::NONE`] when there is none.
    #[must_use]
    pub fn latest(&self) -> LeaderEpoch {
        self.entries
            .last()
            .map_or(LeaderEpoch::NONE, |entry| entry.epoch)
    }

    /// Notes that records from `start_offset` on belong to `epoch`. Returns whether anything changed.
    ///
    /// As in Kafka, entries that the new one contradicts (a greater or equal epoch or start offset) are removed,
    /// and an epoch that is already the latest changes nothing.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        if epoch.0 < 0 || start_offset.0 < 0 {
            return false;
        }
        if let Some(last) = self.entries.last()
            && last.epoch == epoch
            && last.start_offset <= start_offset
        {
            return false;
        }
        while self
            .entries
            .last()
            .is_some_and(|last| last.epoch >= epoch || last.start_offset >= start_offset)
        {
            self.entries.pop();
        }
        self.entries.push(EpochEntry {
            epoch,
            start_offset,
        });
        true
    }

    /// The epoch to which the record at `offset` belongs.
    #[must_use]
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self
            .entries
            .partition_point(|entry| entry.start_offset <= offset);
        after.checked_sub(1).map(|index| self.entries[index].epoch)
    }

    /// Kafka's answer to "where does this epoch end": the largest known epoch that is at most `requested`, and the
    /// start offset of the one after it, or `log_end_offset` for the latest. (-1, -1) when nothing is known.
    #[must_use]
    pub fn end_offset_for(
        &self,
        requested: LeaderEpoch,
        log_end_offset: Offset,
    ) -> (LeaderEpoch, Offset) {
        let none = (LeaderEpoch::NONE, Offset(-1));
        if requested == LeaderEpoch::NONE {
            return none;
        }
        if requested == self.latest() {
            return (requested, log_end_offset);
        }
        let after = self
            .entries
            .partition_point(|entry| entry.epoch <= requested);
        let Some(next) = self.entries.get(after) else {
            // Newer than everything here, or nothing here at all.
            return none;
        };
        match after.checked_sub(1) {
            Some(index) => (self.entries[index].epoch, next.start_offset),
            // Older than everything here: the epoch itself is answered, ending where the first known begins.
            None => (requested, next.start_offset),
        }
    }

    /// Forgets epochs that begin at or after `end_offset`. Returns whether anything changed.
    pub fn truncate_end(&mut self, end_offset: Offset) -> bool {
        let kept = self
            .entries
            .partition_point(|entry| entry.start_offset < end_offset);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Forgets epochs that end at or before `start_offset`; the one that covers it then begins there.
    /// Returns whether anything changed.
    pub fn truncate_start(&mut self, start_offset: Offset) -> bool {
        let covering = self
            .entries
            .partition_point(|entry| entry.start_offset <= start_offset);
        let Some(covering) = covering.checked_sub(1) else {
            return false;
        };
        let changed = covering > 0 || self.entries[covering].start_offset < start_offset;
        self.entries.drain(..covering);
        self.entries[0].start_offset = start_offset;
        changed
    }
}

#[cfg(test)]
mod tests;
