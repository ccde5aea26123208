//! A map that forgets what was used least recently once it weighs too much.
//!
//! Plain data on one shard; it runs no destructor work of its own beyond dropping what it forgets.

use std::collections::BTreeMap;
use std::hash::Hash;

use rustc_hash::FxHashMap;

/// A map bounded by the weight of its values.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    entries: FxHashMap<K, Entry<V>>,
    /// Keys by the tick of their last use; ticks are unique.
    by_use: BTreeMap<u64, K>,
    tick: u64,
    weight: usize,
    weight_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    tick: u64,
}

impl<K: Copy + Eq + Hash, V> Lru<K, V> {
    /// Makes one that keeps at most `weight_max`, but always the last value inserted.
    pub(crate) fn new(weight_max: usize) -> Self {
        Self {
            entries: FxHashMap::default(),
            by_use: BTreeMap::new(),
            tick: 0,
            weight: 0,
            weight_max,
        }
    }

    /// The weight of everything in it.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The value of `key`, which counts as a use.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.by_use.remove(&entry.tick);
        self.tick += 1;
        entry.tick = self.tick;
        self.by_use.insert(self.tick, *key);
        Some(&mut entry.value)
    }

    /// Puts a value in, replacing an older one, and forgets others as needed, telling `forgotten` each key.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize, mut forgotten: impl FnMut(K)) {
        self.remove(&key);
        self.tick += 1;
        self.by_use.insert(self.tick, key);
        self.weight += weight;
        let entry = Entry {
            value,
            weight,
            tick: self.tick,
        };
        self.entries.insert(key, entry);
        while self.weight > self.weight_max && self.entries.len() > 1 {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.remove(&oldest);
            forgotten(oldest);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_use.clear();
        self.weight = 0;
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.by_use.remove(&entry.tick);
        self.weight -= entry.weight;
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::Lru;

    #[test]
    fn the_least_recently_used_is_forgotten_first() {
        let mut lru = Lru::new(10);
        let mut forgotten = Vec::new();
        lru.insert(1, 'a', 4, |key| forgotten.push(key));
        lru.insert(2, 'b', 4, |key| forgotten.push(key));
        assert_eq!(lru.get(&1), Some(&mut 'a'));
        lru.insert(3, 'c', 4, |key| forgotten.push(key));
        assert_eq!(forgotten, [2]);
        assert_eq!(lru.weight(), 8);
        assert_eq!(lru.get(&2), None);
    }

    #[test]
    fn one_value_too_heavy_is_kept_alone() {
        let mut lru = Lru::new(10);
        lru.insert(1, 'a', 4, |_| ());
        lru.insert(2, 'b', 40, |_| ());
        assert_eq!(lru.get(&1), None);
        assert_eq!(lru.get(&2), Some(&mut 'b'));
        assert_eq!(lru.remove(&2), Some('b'));
        assert_eq!(lru.weight(), 0);
    }
}
