//! Which partition a record goes to.
//!
//! Records with a key follow Kafka's default partitioner, so that all clients agree; records without one stay with a
//! partition until the producer closes its batch (KIP-480), so that batches fill.

use types::PartitionIndex;

/// Kafka's 32-bit MurmurHash2 with its own seed.
///
/// Source: `org.apache.kafka.common.utils.Utils.murmur2`, 4.3.1; Austin Appleby's MurmurHash2.
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;
    // The hash is defined over the low 32 bits of the length; keys of 4 GiB do not occur.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        mixed ^= mixed >> SHIFT;
        hash = hash.wrapping_mul(FACTOR) ^ mixed.wrapping_mul(FACTOR);
    }
    if !tail.is_empty() {
        for (at, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

/// Chooses among a topic's partitions, which are numbered from 0 without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Partitioner {
    count: u32,
    sticky: u32,
}

impl Partitioner {
    /// For a topic of `count` partitions; records without a key begin at the partition that `seed` picks.
    ///
    /// # Panics
    /// When `count` is 0.
    #[must_use]
    pub fn new(count: u32, seed: u32) -> Self {
        assert!(count > 0, "a topic has a partition");
        let sticky = seed % count;
        Self { count, sticky }
    }

    /// The partition of a record with this key.
    #[must_use]
    pub fn partition(&self, key: Option<&[u8]>) -> PartitionIndex {
        let chosen = match key {
            Some(key) => (murmur2(key) & 0x7fff_ffff) % self.count,
            None => self.sticky,
        };
        PartitionIndex(i32::try_from(chosen).unwrap_or(i32::MAX))
    }

    /// Lets records without a key go on with the next partition.
    pub fn advance(&mut self) {
        self.sticky = (self.sticky + 1) % self.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_gives_the_values_of_the_java_client() {
        // Computed with org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 4.3.1.
        let known: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (text, hash) in known {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn equal_keys_meet_in_one_partition_and_keyless_records_move_on() {
        let mut partitioner = Partitioner::new(3, 5);
        let keyed = partitioner.partition(Some(b"abc"));
        assert_eq!(partitioner.partition(None), PartitionIndex(2));
        partitioner.advance();
        assert_eq!(partitioner.partition(None), PartitionIndex(0));
        assert_eq!(partitioner.partition(Some(b"abc")), keyed);
    }
}
