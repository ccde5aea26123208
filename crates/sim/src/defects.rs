//! The deliberate defect of the simulation that runs on this thread.
//!
//! # Invariants
//! - There is none unless somebody holds a [`DeliberateDefect`].

use std::cell::RefCell;

use io::Defect;

use crate::rng::Rng;

/// One message between shards out of this many is lost.
const MESSAGES_PER_LOSS: u64 = 400;

thread_local! {
    static PRESENT: RefCell<Option<(Defect, Rng)>> = const { RefCell::new(None) };
}

/// Lets the code under test of this thread have a defect, as long as it lives.
#[derive(Debug)]
pub struct DeliberateDefect(());

impl DeliberateDefect {
    /// Begins; what is left to chance depends on `seed`.
    #[must_use]
    pub fn begin(defect: Defect, seed: u64) -> Self {
        PRESENT.replace(Some((defect, Rng::fork(seed, 0x00de_fec7))));
        Self(())
    }
}

impl Drop for DeliberateDefect {
    fn drop(&mut self) {
        PRESENT.replace(None);
    }
}

/// Whether it strikes now.
pub(crate) fn strikes(wanted: Defect) -> bool {
    PRESENT.with_borrow(|present| match present {
        Some((defect, rng)) if *defect == wanted => {
            *defect != Defect::LoseMessage || rng.chance(1, MESSAGES_PER_LOSS)
        }
        _ => false,
    })
}
