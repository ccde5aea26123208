//! Whole nodes under random load and random faults, with checkers that know nothing of how a broker works.
//!
//! A run is a function of its [`Case`]: the seed draws what it consists of ([`Part`]), what the clients do, what goes wrong
//! and when. The broker lives in rounds, each of which ends with a crash and begins with a whole reading of all that was
//! acknowledged; the last one ends in peace, and then everything must be there exactly once.
//!
//! # Invariants
//! - The same case gives the same run, to the last step.
//! - A run counts only if enough happened in it: [`Outcome::counts`].
//!
//! Deliberately absent: several machines, since the broker does not replicate yet; transactions; memory that no
//! budget of the broker counts.

mod admins;
mod consumers;
mod faults;
mod history;
mod kept;
mod members;
mod mix;
mod offsets;
mod ownership;
mod producers;
mod rest;
mod rot;
mod run;
mod saved;
mod sessions;
mod shrink;
mod stage;
mod story;
mod subscribers;
mod topics;

pub use mix::Part;
pub use run::{Case, Outcome, run};
pub use saved::{parse, print};
pub use shrink::shrink;
pub use story::Tally;

/// Operations that a run has at least, or it does not count.
pub const OPERATIONS_MIN: u64 = 100;
/// Faults that it has at least, those of connections included, or as many crashes more.
pub const FAULTS_MIN: u64 = 3;
/// Crashes that it has at least.
pub const CRASHES_MIN: u64 = 2;
