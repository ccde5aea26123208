//! Every order in which threads may see what they tell each other, for the real code of `runtime::crossing` and `io`'s lent
//! memory: it is compiled here with loom's atomics and counts of references in place of the standard library's.
//!
//! Loom runs a test once for each interleaving, and for each value that the orderings allow a load to see. A test that fails
//! names a promise that an ordering breaks; each of them has been seen to fail with a weaker one.
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
