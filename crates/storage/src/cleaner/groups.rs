//! Which segments become one: neighbours are merged as long as the result is no larger than a segment may be.
//!
//! Pure. Source: `Cleaner.groupSegmentsBySize` of Kafka 4.3.1.

use types::Offset;

use crate::index::relative_offset;

/// A segment to be cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceSegment {
    pub(crate) base_offset: Offset,
    /// Where the segment after it begins.
    pub(crate) end_offset: Offset,
    pub(crate) size_bytes: u64,
    pub(crate) index_bytes: u64,
    pub(crate) time_index_bytes: u64,
}

/// What a segment may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    /// `segment.bytes`.
    pub(crate) size_bytes_max: u64,
    /// `segment.index.bytes`.
    pub(crate) index_bytes_max: u64,
}

/// Splits consecutive segments into groups, each of which becomes one segment. A segment that is too large by itself is
/// a group.
pub(crate) fn group(segments: &[SourceSegment], limits: GroupLimits) -> Vec<&[SourceSegment]> {
    let mut groups = Vec::new();
    let mut rest = segments;
    while let Some(first) = rest.first() {
        let (mut size, mut index, mut times) = (0, 0, 0);
        let fitting = rest.iter().take_while(|segment| {
            size += segment.size_bytes;
            index += segment.index_bytes;
            times += segment.time_index_bytes;
            let last_offset = Offset(segment.end_offset.0 - 1);
            size <= limits.size_bytes_max
                && index <= limits.index_bytes_max
                && times <= limits.index_bytes_max
                && relative_offset(first.base_offset, last_offset).is_some()
        });
        let count = fitting.count().max(1);
        let (group, after) = rest.split_at(count);
        groups.push(group);
        rest = after;
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::Offset;

    use super::{GroupLimits, SourceSegment, group};

    const LIMITS: GroupLimits = GroupLimits {
        size_bytes_max: 1000,
        index_bytes_max: 100,
    };

    fn segments(sizes: &[(u64, u64, i64)]) -> Vec<SourceSegment> {
        let mut base = 0;
        let segment = |(size_bytes, index_bytes, offsets): &(u64, u64, i64)| {
            let base_offset = Offset(base);
            base += offsets;
            SourceSegment {
                base_offset,
                end_offset: Offset(base),
                size_bytes: *size_bytes,
                index_bytes: *index_bytes,
                time_index_bytes: index_bytes / 2,
            }
        };
        sizes.iter().map(segment).collect()
    }

    fn lengths(sizes: &[(u64, u64, i64)]) -> Vec<usize> {
        let segments = segments(sizes);
        group(&segments, LIMITS).iter().map(|it| it.len()).collect()
    }

    #[test]
    fn size_index_and_offsets_bound_a_group() {
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[(500, 8, 10), (500, 8, 10), (1, 8, 10)]), [2, 1]);
        assert_eq!(lengths(&[(1, 60, 10), (1, 40, 10), (1, 1, 10)]), [2, 1]);
        assert_eq!(
            lengths(&[(5000, 8, 10), (1, 8, 10)]),
            [1, 1],
            "too large already"
        );
        let far = i64::from(i32::MAX);
        assert_eq!(lengths(&[(1, 8, far), (1, 8, 1)]), [2]);
        assert_eq!(lengths(&[(1, 8, far), (1, 8, 2)]), [1, 1]);
    }

    proptest! {
        #[test]
        fn groups_follow_each_other_and_neighbours_would_not_fit(
            sizes in proptest::collection::vec((0u64..800, 0u64..80, 1i64..1000), 0..30),
        ) {
            let segments = segments(&sizes);
            let groups = group(&segments, LIMITS);
            prop_assert_eq!(groups.concat(), segments.clone());
            for pair in groups.windows(2) {
                let size = |group: &[SourceSegment]| group.iter().map(|it| it.size_bytes).sum::<u64>();
                let index = |group: &[SourceSegment]| group.iter().map(|it| it.index_bytes).sum::<u64>();
                let together = [pair[0], &pair[1][..1]].concat();
                prop_assert!(size(&together) > 1000 || index(&together) > 100);
                prop_assert!(pair[0].len() == 1 || (size(pair[0]) <= 1000 && index(pair[0]) <= 100));
            }
        }
    }
}
