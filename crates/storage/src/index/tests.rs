//! Lookups against a linear search, and damaged files.

use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
use types::{Offset, TimestampMs};

use super::{OffsetEntry, OffsetIndex, TimeEntry, TimeIndex, relative_offset};

fn offset_entries() -> impl Strategy<Value = Vec<OffsetEntry>> {
    proptest::collection::vec((1..50u32, 1..50u32), 0..40).prop_map(|steps| {
        let mut last = OffsetEntry {
            relative_offset: 0,
            position: 0,
        };
        steps
            .into_iter()
            .map(|(offset, position)| {
                last.relative_offset += offset;
                last.position += position;
                last
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn an_offset_is_looked_up_as_by_linear_search(entries in offset_entries(), wanted in 0..2500u32) {
        let mut index = OffsetIndex::default();
        for entry in &entries {
            assert!(index.append(*entry));
        }
        let expected = entries.iter().rfind(|entry| entry.relative_offset <= wanted).copied();
        prop_assert_eq!(index.lookup(wanted), expected);
        prop_assert_eq!(OffsetIndex::decode(&index.encode(), 1 << 20), Ok(index));
    }

    #[test]
    fn a_timestamp_is_looked_up_as_by_linear_search(entries in offset_entries(), wanted in 0..2500i64) {
        let mut index = TimeIndex::default();
        for entry in &entries {
            let timestamp = TimestampMs(i64::from(entry.position));
            index.append(TimeEntry { timestamp, relative_offset: entry.relative_offset });
        }
        let expected = entries.iter().rfind(|entry| i64::from(entry.position) < wanted);
        prop_assert_eq!(
            index.lookup_below(TimestampMs(wanted)).map(|entry| entry.relative_offset),
            expected.map(|entry| entry.relative_offset)
        );
        prop_assert_eq!(TimeIndex::decode(&index.encode()), Ok(index));
    }

    #[test]
    fn no_bytes_make_decoding_panic(file in proptest::collection::vec(any::<u8>(), 0..96)) {
        if let Ok(index) = OffsetIndex::decode(&file, 1 << 30) {
            prop_assert_eq!(index.encode(), file.clone());
        }
        if let Ok(index) = TimeIndex::decode(&file) {
            prop_assert_eq!(index.encode(), file);
        }
    }
}

#[test]
fn an_entry_behind_the_segment_is_refused() {
    let mut index = OffsetIndex::default();
    index.append(OffsetEntry {
        relative_offset: 9,
        position: 4097,
    });
    let file = index.encode();
    assert!(OffsetIndex::decode(&file, 4098).is_ok());
    assert!(OffsetIndex::decode(&file, 4097).is_err());
    assert!(OffsetIndex::decode(&[file.as_slice(), &[0; 8]].concat(), 1 << 20).is_err());
}

#[test]
fn offsets_that_do_not_fit_an_entry_demand_a_roll() {
    let base = Offset(1000);
    assert_eq!(relative_offset(base, Offset(1000)), Some(0));
    assert_eq!(relative_offset(base, Offset(999)), None);
    let last = i64::from(i32::MAX) + 1000;
    assert_eq!(relative_offset(base, Offset(last)), Some(0x7fff_ffff));
    assert_eq!(relative_offset(base, Offset(last + 1)), None);
}
