//! Future logs: copies of a partition's log in another log directory, which grow while the log is written and take its
//! place once they hold the same.
//!
//! A future log is a log like any other, in a directory of Kafka's name `<topic>-<partition>.<32 hex digits>-future`.
//! Batches keep their offsets and epochs; where segments begin is the copy's own. What cannot be copied from batches
//! (producers whose batches are gone, the log start) is taken over at the end, when the log itself stands still.
//!
//! It decides nothing: when to copy, how fast and when to swap is the broker's to say.

use std::path::Path;

use io::Io;
use records::BatchIter;
use types::{Offset, PartitionIndex};

use super::{FetchData, Log, ReadRequest};
use crate::error::{AppendError, CopyError, Fenced, OpenError};
use crate::shard::ShardStorage;

/// What Kafka appends to the name of a future log's directory.
const FUTURE_SUFFIX: &str = "-future";

/// The longest name of a directory.
const NAME_LEN_MAX: usize = 255;

/// Hex digits of the random part of a name.
const RANDOM_DIGITS: usize = 32;

/// The name of a new future log's directory; the topic's name is cut if need be.
#[must_use]
pub fn future_name(topic: &str, partition: PartitionIndex, random: [u64; 2]) -> String {
    let [high, low] = random;
    let rest = format!("-{partition}.{high:016x}{low:016x}{FUTURE_SUFFIX}");
    let kept = topic.get(..NAME_LEN_MAX - rest.len()).unwrap_or(topic);
    format!("{kept}{rest}")
}

/// The partition in the name of a future log's directory. Its topic is what `partition.metadata` says.
#[must_use]
pub fn parse_future_name(name: &str) -> Option<PartitionIndex> {
    let (rest, random) = name.strip_suffix(FUTURE_SUFFIX)?.rsplit_once('.')?;
    let is_random =
        random.len() == RANDOM_DIGITS && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (_, partition) = rest.rsplit_once('-').filter(|_| is_random)?;
    let partition = partition.parse().ok().filter(|index| *index >= 0)?;
    Some(PartitionIndex(partition))
}

impl<I: Io> Log<I> {
    /// Where a copy of this log begins: at the batch that holds the log start offset.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn copy_base(&self) -> Result<Offset, CopyError> {
        loop {
            let start = self.log_start_offset();
            match self.read_for_copy(start, 0).await {
                Ok(first) => return Ok(first.first_offset.min(start)),
                // What was to be read has been deleted meanwhile.
                Err(_) if start < self.log_start_offset() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends what `source` has beyond this log's end, about `len_bytes_max` of it, up to its high watermark. What is
    /// deleted there meanwhile is left out. Returns the bytes appended; none when there is nothing more, and then this log
    /// ends where `source` does, or did. Cancellation leaves what was appended.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn copy_from(&self, source: &Self, len_bytes_max: usize) -> Result<usize, CopyError> {
        loop {
            let found = source.log_end_offset().min(source.high_watermark());
            let start = source.log_start_offset();
            let next = self.log_end_offset().max(start);
            if next >= found {
                if self.log_end_offset() <= start {
                    self.begin_anew_at(start).await?;
                }
                return Ok(0);
            }
            match source.read_for_copy(next, len_bytes_max).await {
                Ok(data) => return self.append_all(&data).await,
                // Each time it begins further on, and never beyond the high watermark.
                Err(_) if next < source.log_start_offset() => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn append_all(&self, data: &FetchData) -> Result<usize, CopyError> {
        // A batch may lie in two chunks.
        let bytes = data.chunks.concat();
        for batch in BatchIter::new(&bytes) {
            let (header, batch) = batch.map_err(|error| CopyError::Malformed(error.to_string()))?;
            if header.base_offset < self.log_end_offset() {
                let detail = format!("it begins at offset {} again", header.base_offset);
                return Err(CopyError::Malformed(detail));
            }
            self.admit(batch.len()).await?;
            self.append_copy(&header, batch)?;
        }
        Ok(bytes.len())
    }

    /// Lets go of everything, which the log that is copied has deleted, and begins anew at `start`, at this log's end or
    /// beyond it. May be called again after an error.
    async fn begin_anew_at(&self, start: Offset) -> Result<(), CopyError> {
        let inner = &self.inner;
        if self.log_end_offset() < start {
            self.flush().await.map_err(not_written)?;
            let mut state = inner.state.borrow_mut();
            state.check_running().map_err(not_written)?;
            // Nobody else appends to a copy, so nothing is under way that would end before.
            state.next_offset = start;
            state.written_offset = start;
            state.durable_offset = start;
            state.high_watermark = start;
            state.log_start_offset = start;
            state.epochs_changed |= state.epochs.truncate_start(start);
            state.is_changed = true;
            inner.roll(&mut state);
        }
        // The name of the new segment's file is what remembers the place; it is there before the others go.
        match self.remove_expired(start).await {
            Ok(_) => Ok(()),
            Err(error) if error.lacks_room() => Err(AppendError::DiskFull.into()),
            Err(error) => Err(CopyError::Files(error.to_string())),
        }
    }

    async fn read_for_copy(
        &self,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<FetchData, CopyError> {
        let request = ReadRequest {
            offset,
            max_bytes,
            min_one_batch: true,
            end_offset: self.high_watermark(),
        };
        Ok(self.read(request).await?)
    }

    /// Takes over what batches do not tell: all that `source` knows of producers and epochs, and its log start. Both logs
    /// end at the same offset.
    ///
    /// # Panics
    /// When they do not.
    pub fn adopt(&self, source: &Self) {
        let (producers, epochs, start, end) = {
            let state = source.inner.state.borrow();
            (
                state.producers.clone(),
                state.epochs.clone(),
                state.log_start_offset,
                state.next_offset,
            )
        };
        let mut state = self.inner.state.borrow_mut();
        assert!(state.next_offset == end, "the copy is complete");
        state.producers = producers;
        state.epochs = epochs;
        state.epochs_changed = true;
        state.log_start_offset = start.max(state.log_start_offset);
        state.is_changed = true;
    }
}

fn not_written(fenced: Fenced) -> CopyError {
    CopyError::Append(if fenced.lacks_room {
        AppendError::DiskFull
    } else {
        AppendError::Fenced(fenced)
    })
}

impl<I: Io> ShardStorage<I> {
    /// Gives a closed future log its partition's name, durably.
    ///
    /// # Errors
    /// [`OpenError::Io`].
    pub async fn promote(&self, future: &Path, log: &Path) -> Result<(), OpenError> {
        let renamed = self.io().rename(future, log).await;
        renamed.map_err(OpenError::io("rename directory", future))?;
        let parent = log.parent().unwrap_or(log);
        let synced = self.io().sync_dir(parent).await;
        synced.map_err(OpenError::io("sync directory", parent))
    }
}

#[cfg(test)]
mod tests {
    use types::PartitionIndex;

    use super::{future_name, parse_future_name};

    #[test]
    fn names_are_kafkas_and_are_recognised() {
        let name = future_name("topic", PartitionIndex(3), [1, 2]);
        assert_eq!(name, "topic-3.00000000000000010000000000000002-future");
        assert_eq!(parse_future_name(&name), Some(PartitionIndex(3)));
        let long = future_name(&"t".repeat(249), PartitionIndex(17), [1, 2]);
        assert_eq!(long.len(), 255);
        assert_eq!(parse_future_name(&long), Some(PartitionIndex(17)));
        let others = [
            "topic-3",
            "topic-3-future",
            "topic-3.1-future",
            "topic-x.00000000000000010000000000000002-future",
            "topic-3.00000000000000010000000000000002-delete",
        ];
        for other in others {
            assert_eq!(parse_future_name(other), None, "{other}");
        }
    }
}
