//! The newest offset of each key, in memory of a fixed size.
//!
//! Lives on one shard for the length of a pass. Keys are known by 128 bits of SipHash-2-4 alone, under keys that the
//! process draws at random: two different keys would have to collide for a record to be lost, which nobody can provoke
//! without knowing the hash's keys, and which chance does once in 10²⁰ passes over a billion keys (ADR 0008). Open addressing
//! with linear probing; an entry takes 24 bytes, as in Kafka.
//!
//! Deliberately absent: growth, removal, iteration.

use siphasher::sip128::{Hasher128 as _, SipHasher24};
use std::hash::Hasher as _;
use types::Offset;

/// Bytes of an entry: 16 of hash, 8 of offset.
pub(crate) const ENTRY_BYTES: usize = size_of::<Entry>();

/// Hash and offset + 1; all zero is an empty one, so that untouched memory needs no pages.
type Entry = [u64; 3];

const EMPTY: Entry = [0; 3];

/// What keys are hashed under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashKeys(pub(crate) [u64; 2]);

/// Keys and their newest offsets.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    keys: HashKeys,
    entries: Vec<Entry>,
    len: usize,
    len_max: usize,
    latest: Option<Offset>,
}

impl OffsetMap {
    /// Makes an empty one of at most `memory_bytes_max`, of which `load_factor` may be filled, with room for
    /// `keys_expected` where that is less. It holds one key at least.
    pub(crate) fn new(
        keys: HashKeys,
        memory_bytes_max: usize,
        load_factor: f64,
        keys_expected: u64,
    ) -> Self {
        let load_factor = load_factor.clamp(0.01, 0.99);
        let slots_max = (memory_bytes_max / ENTRY_BYTES).max(2);
        let slots_needed = scale(
            usize::try_from(keys_expected).unwrap_or(usize::MAX),
            1.0 / load_factor,
        );
        let slots = slots_max.min(slots_needed.saturating_add(2));
        Self {
            keys,
            entries: vec![EMPTY; slots],
            len: 0,
            len_max: scale(slots, load_factor).clamp(1, slots - 1),
            latest: None,
        }
    }

    /// Notes that `key` has a record at `offset`, unless it has one further on. Returns `false`, with nothing noted,
    /// when the map is full.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        // As in Kafka, a full map takes no known key either: where it ends must not depend on what comes after.
        if self.len == self.len_max {
            return false;
        }
        let (slot, hash) = self.find(key);
        let stored = stored(offset);
        let entry = &mut self.entries[slot];
        if *entry == EMPTY {
            self.len += 1;
            *entry = [hash[0], hash[1], stored];
        } else {
            entry[2] = entry[2].max(stored);
        }
        true
    }

    /// The newest offset of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let (slot, _) = self.find(key);
        let stored = self.entries[slot][2].checked_sub(1)?;
        Some(Offset(i64::try_from(stored).unwrap_or(i64::MAX)))
    }

    /// The offset up to which every record is in the map.
    pub(crate) fn latest(&self) -> Option<Offset> {
        self.latest
    }

    /// Notes that every record up to `offset` is in the map.
    pub(crate) fn reaches(&mut self, offset: Offset) {
        self.latest = self.latest.max(Some(offset));
    }

    /// Different keys in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory that it takes at most.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES
    }

    /// The slot of `key`, or the one that it would get; there always is an empty one.
    fn find(&self, key: &[u8]) -> (usize, [u64; 2]) {
        let mut hasher = SipHasher24::new_with_keys(self.keys.0[0], self.keys.0[1]);
        hasher.write(key);
        let hash = hasher.finish128();
        let hash = [hash.h1, hash.h2];
        // The upper bits of a product spread as evenly as the hash does, without a division.
        let spread = u128::from(hash[0]) * self.entries.len() as u128;
        let mut slot = usize::try_from(spread >> 64).expect("below the number of slots");
        loop {
            let entry = &self.entries[slot];
            if *entry == EMPTY || entry[..2] == hash {
                return (slot, hash);
            }
            slot = if slot + 1 == self.entries.len() {
                0
            } else {
                slot + 1
            };
        }
    }
}

fn stored(offset: Offset) -> u64 {
    u64::try_from(offset.0).expect("records of a log have offsets from 0 on") + 1
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate, and clamped: the factor is positive"
)]
fn scale(count: usize, factor: f64) -> usize {
    (count as f64 * factor) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use types::Offset;

    use super::{ENTRY_BYTES, HashKeys, OffsetMap};

    const KEYS: HashKeys = HashKeys([3, 4]);

    proptest! {
        #[test]
        fn the_newest_offset_of_each_key_is_found(
            puts in proptest::collection::vec((0u8..50, 0i64..1000), 0..300),
        ) {
            let mut map = OffsetMap::new(KEYS, 1 << 20, 0.9, 300);
            let mut expected: BTreeMap<u8, i64> = BTreeMap::new();
            for (key, offset) in puts {
                prop_assert!(map.put(&[key], Offset(offset)));
                let newest = expected.entry(key).or_insert(offset);
                *newest = (*newest).max(offset);
            }
            for key in 0..60 {
                prop_assert_eq!(map.get(&[key]), expected.get(&key).map(|it| Offset(*it)));
            }
            prop_assert_eq!(map.len(), expected.len());
        }
    }

    #[test]
    fn it_is_full_at_its_load_factor_and_keeps_what_it_has() {
        let mut map = OffsetMap::new(KEYS, 100 * ENTRY_BYTES, 0.9, u64::MAX);
        assert_eq!(map.memory_bytes(), 100 * ENTRY_BYTES);
        let taken = (0..1000i64).take_while(|at| map.put(&at.to_be_bytes(), Offset(*at)));
        assert_eq!(taken.count(), 90);
        assert!(
            !map.put(&5i64.to_be_bytes(), Offset(1000)),
            "not even a known one"
        );
        assert_eq!(map.get(&89i64.to_be_bytes()), Some(Offset(89)));
        assert_eq!(map.get(&90i64.to_be_bytes()), None);
    }

    #[test]
    fn it_takes_no_more_memory_than_the_records_can_need() {
        let map = OffsetMap::new(KEYS, 128 << 20, 0.9, 1000);
        assert!(map.memory_bytes() < 30_000, "{}", map.memory_bytes());
        let mut tiny = OffsetMap::new(KEYS, 0, 0.9, 0);
        assert!(tiny.put(b"one", Offset(0)));
        assert!(!tiny.put(b"two", Offset(1)));
    }

    #[test]
    fn the_empty_key_is_a_key() {
        let mut map = OffsetMap::new(KEYS, 1000, 0.5, 10);
        assert!(map.put(b"", Offset(0)));
        assert_eq!(map.get(b""), Some(Offset(0)));
        assert_eq!(map.get(b"\0"), None);
    }
}
