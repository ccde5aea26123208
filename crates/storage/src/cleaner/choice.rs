//! Which part of a log may be cleaned, and how much it needs it.
//!
//! Source: `LogCleanerManager.cleanableOffsets`, `maxCompactionDelay` and `LogToClean` of Kafka 4.3.1.

use std::rc::Rc;

use io::Io;
use types::{DurationMs, Offset, TimestampMs};

use super::error::CleaningError;
use crate::log::LogInner;
use crate::log::read::Place;
use crate::segment::Segment;

/// A log that has something to clean.
pub(crate) struct Candidate<I: Io> {
    pub(crate) log: Rc<LogInner<I>>,
    /// Below it everything was cleaned.
    pub(crate) first_dirty: Offset,
    /// From here on nothing may be cleaned: the begin of a segment.
    pub(crate) first_uncleanable: Offset,
    clean_bytes: u64,
    cleanable_bytes: u64,
}

/// What of a segment counts here.
#[derive(Clone, Copy, Debug)]
struct Extent {
    base_offset: Offset,
    end_offset: Offset,
    size_bytes: u64,
}

impl<I: Io> Candidate<I> {
    /// The share of dirty bytes in what would be written anew, from 0 to 1.
    pub(crate) fn ratio(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let ratio =
            self.cleanable_bytes as f64 / (self.clean_bytes + self.cleanable_bytes).max(1) as f64;
        ratio
    }
}

/// Looks at a log; `None` when it is not compacted, not to be cleaned any more, or clean enough.
///
/// # Errors
/// [`CleaningError`] when the times of its segments cannot be read.
pub(crate) async fn candidate<I: Io>(
    log: &Rc<LogInner<I>>,
) -> Result<Option<Candidate<I>>, CleaningError> {
    let (config, first_dirty, sealed) = {
        let state = log.state.borrow();
        let is_wanted = state.config.compacts && state.cleaning.uncleanable.is_none();
        if !is_wanted || state.must_not_clean() {
            return Ok(None);
        }
        let start = state.log_start_offset;
        let first_dirty = state.cleaning.first_dirty.unwrap_or(start);
        let sealed = sealed_extents(&state.segments, state.high_watermark);
        (state.config.clone(), first_dirty.max(start), sealed)
    };
    if sealed.last().is_none_or(|it| it.end_offset <= first_dirty) {
        return Ok(None);
    }
    let now = log.shard.io().wall_clock();
    let dirty = |it: &&Extent| it.end_offset > first_dirty;
    let mut cleanable = sealed.as_slice();
    if config.min_compaction_lag_ms.0 > 0 {
        let youngest = TimestampMs(now.0.saturating_sub(config.min_compaction_lag_ms.0));
        for extent in sealed.iter().filter(dirty) {
            let newest = log.newest_of(extent.base_offset).await?;
            if newest.is_some_and(|(timestamp, _)| timestamp > youngest) {
                let until = sealed.partition_point(|it| it.base_offset < extent.base_offset);
                cleanable = &sealed[..until];
                break;
            }
        }
    }
    let bytes = |wanted: &dyn Fn(&&Extent) -> bool| -> u64 {
        let wanted = cleanable.iter().filter(wanted);
        wanted.map(|it| it.size_bytes).sum()
    };
    let end_offset = cleanable.last().map_or(first_dirty, |it| it.end_offset);
    let candidate = Candidate {
        log: Rc::clone(log),
        first_dirty,
        first_uncleanable: end_offset.max(first_dirty),
        clean_bytes: bytes(&|it| it.base_offset < first_dirty),
        cleanable_bytes: bytes(&dirty),
    };
    if candidate.cleanable_bytes == 0 {
        return Ok(None);
    }
    let is_filthy = candidate.ratio() > config.min_cleanable_dirty_ratio;
    let is_due = is_filthy || {
        let oldest = oldest_dirty(
            log,
            sealed.iter().filter(dirty),
            config.max_compaction_lag_ms,
        );
        let lag = now.0.saturating_sub(config.max_compaction_lag_ms.0);
        oldest.await?.is_some_and(|oldest| oldest.0 < lag)
    };
    Ok(is_due.then_some(candidate))
}

/// The sealed segments from the first one on whose records are all below the high watermark.
fn sealed_extents(segments: &[Segment], high_watermark: Offset) -> Vec<Extent> {
    let pairs = segments.windows(2).map(|pair| (&pair[0], &pair[1]));
    pairs
        .take_while(|(segment, next)| {
            segment.growing().is_none() && next.base_offset <= high_watermark
        })
        .map(|(segment, next)| Extent {
            base_offset: segment.base_offset,
            end_offset: next.base_offset,
            size_bytes: segment.size_bytes,
        })
        .collect()
}

/// The oldest timestamp among the first batches of dirty segments, if any age is too old.
async fn oldest_dirty<I: Io>(
    log: &Rc<LogInner<I>>,
    dirty: impl Iterator<Item = &Extent>,
    lag_max: DurationMs,
) -> Result<Option<TimestampMs>, CleaningError> {
    let mut oldest: Option<TimestampMs> = None;
    if lag_max == DurationMs(i64::MAX) {
        return Ok(None);
    }
    for extent in dirty.filter(|it| it.size_bytes > 0) {
        let place = Place {
            segment: extent.base_offset,
            position: 0,
        };
        let first = log.batch_at(place, 0).await?.header.max_timestamp;
        if first.0 > 0 && oldest.is_none_or(|oldest| first < oldest) {
            oldest = Some(first);
        }
    }
    Ok(oldest)
}
