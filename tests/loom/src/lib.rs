//! Every order in which threads may see what they tell each other, for the real code of `runtime::crossing` and `io`'s lent
//! memory: it is compiled here with loom's atomics and counts of references in place of the standard library's.
//!
//! Loom runs a test once for each interleaving that it tells apart, and for each value that the orderings allow a load to see.
//! Seen to fail: the test of nudges with a plain store in `Pending::take` (as it was once), that of the watchdog's call with a load
//! and a store in `Stir::settle`, that of stalls with `Relaxed` in `DelayCounts::add`. The tests of pings have not been seen to fail:
//! loom 0.7 goes through few interleavings of plain loads and stores, and missed both a `Relaxed` store in `Beats::answer` and
//! the loads of `Beats::silence` in the other order.
#![cfg(test)]
#![expect(dead_code, reason = "not everything of the modules is looked at")]

/// What `crossing` counts with.
mod atomics {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
}

#[path = "../../../crates/runtime/src/crossing.rs"]
mod crossing;

/// What lent memory is counted by.
mod buffer {
    use loom::sync::Arc;

    #[path = "../../../../crates/io/src/buffer/memory.rs"]
    pub(crate) mod memory;

    pub(crate) mod tests;
}

mod tests;
