//! Readers and damage: what a shard remembers of this log's segments, and looking closely at what a reader has met.

use std::rc::Rc;

use io::Io;
use types::Offset;

use super::read::Place;
use super::{Log, LogInner};
use crate::damage::{Bounds, DamagedRange, delimit};
use crate::error::ReadError;
use crate::index::OffsetEntry;
use crate::scan::{Check, Scanner, Step};
use crate::segment::SegmentFile;

impl<I: Io> Log<I> {
    /// The ranges known to be damaged, in offset order. Fetches over one are refused; what is before and behind it is served.
    #[must_use]
    pub fn damaged_ranges(&self) -> Vec<DamagedRange> {
        let inner = &self.inner;
        let damages = inner.shard.shared.damages.borrow();
        let state = inner.state.borrow();
        let keys = state
            .segments
            .iter()
            .map(|it| (it.files_id.unwrap_or(inner.id), it.base_offset));
        let mut ranges: Vec<DamagedRange> = keys.flat_map(|key| damages.of(key)).copied().collect();
        ranges.sort_unstable_by_key(|range| (range.segment, range.position));
        ranges
    }
}

impl<I: Io> LogInner<I> {
    /// The damaged range that holds `place`, if one is known.
    pub(crate) fn damage_at(&self, place: Place) -> Option<DamagedRange> {
        let damages = self.shard.shared.damages.borrow();
        damages.at(self.key(place.segment), place.position)
    }

    /// Remembers a range and reports it, unless it is known.
    pub(crate) fn remember_damage(&self, range: DamagedRange) {
        let shared = &self.shard.shared;
        let mut damages = shared.damages.borrow_mut();
        if !damages.remember(self.key(range.segment), range) {
            return;
        }
        shared.scrub.borrow_mut().damaged_ranges += 1;
        let Some(suppressed) = damages.may_log(shared.io.now()) else {
            return;
        };
        let path = self.path(range.segment, SegmentFile::Log);
        tracing::error!(topic = %self.identity.topic, partition = self.identity.partition.0, path = %path.display(),
            position = range.position, end_position = range.end_position,
            first_offset = range.first_offset.0, last_offset = range.end_offset.0 - 1, suppressed,
            "damaged batches: fetches of these offsets are refused, all others are served");
    }

    /// What bounds damage in a segment; `None` when the segment is gone.
    pub(crate) fn bounds(&self, segment: Offset) -> Option<Bounds> {
        let state = self.state.borrow();
        let found = state.segment(segment)?;
        let after = state
            .segments
            .partition_point(|it| it.base_offset <= segment);
        let next = state.segments.get(after).map(|it| it.base_offset);
        Some(Bounds {
            segment,
            size_bytes: found.written_bytes,
            end_offset: next.unwrap_or(state.next_offset),
        })
    }

    /// Looks at what is on disk at `place`, where a reader found no intact batch. Returns the damaged range, which is
    /// remembered, or `None` when the batch is intact there, or none begins there.
    pub(crate) async fn look_closely(
        self: &Rc<Self>,
        place: Place,
    ) -> Result<Option<DamagedRange>, ReadError> {
        let Place { segment, position } = place;
        let to_error =
            |error: std::io::Error| ReadError::Io(format!("scan segment {segment}: {error}"));
        let Some(bounds) = self.bounds(segment) else {
            return Err(ReadError::Io(format!("segment {segment} is gone")));
        };
        // Before the file is taken: loading an index may need it too.
        let anchors = self.anchors(segment).await?;
        let file = self.file(segment).await.map_err(to_error)?;
        let mut scanner = Scanner::new(&*file, bounds.size_bytes);
        let before = anchors.partition_point(|entry| u64::from(entry.position) < position);
        let begin = before.checked_sub(1).map(|index| anchors[index]);
        scanner.seek(begin.map_or(0, |entry| u64::from(entry.position)));
        let mut next_offset = segment;
        loop {
            let at = Place {
                segment,
                position: scanner.position(),
            };
            if let Some(known) = self.damage_at(at) {
                if known.end_position > position {
                    return Ok(Some(known));
                }
                next_offset = known.end_offset;
                scanner.seek(known.end_position);
                continue;
            }
            if at.position > position {
                return Ok(None);
            }
            let check = if at.position == position {
                Check::Crc
            } else {
                Check::Header
            };
            let step = scanner.next(check).await.map_err(to_error)?;
            match step {
                Step::Batch(batch) if bounds.admits(&batch, next_offset) => {
                    next_offset = Offset(batch.header.last_offset().0 + 1);
                }
                Step::Batch(_) | Step::End | Step::Invalid(_) => {
                    let begin = (at.position, next_offset);
                    let range =
                        delimit(self.shard.io(), &mut scanner, &bounds, begin, &anchors).await;
                    let range = range.map_err(to_error)?;
                    self.remember_damage(range);
                    return Ok(Some(range));
                }
            }
        }
    }

    /// Where batches begin, as far as the offset index says.
    async fn anchors(self: &Rc<Self>, segment: Offset) -> Result<Vec<OffsetEntry>, ReadError> {
        let growing = {
            let state = self.state.borrow();
            let indexes = state.segment(segment).and_then(|it| it.growing());
            indexes.map(|indexes| indexes.offsets.entries().to_vec())
        };
        match growing {
            Some(entries) => Ok(entries),
            None => Ok(self.indexes(segment).await?.offsets.entries().to_vec()),
        }
    }
}
