//! One partition's log: segments, indexes, recovery, durability and the batch cache.
