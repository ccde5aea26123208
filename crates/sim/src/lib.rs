//! The simulated implementation of `io`: one thread, a virtual clock, a seeded scheduler, and a disk and a network that
//! do everything they are allowed to do.
//!
//! A test makes a [`Simulation`] from a seed, adds a [`Machine`], and runs the real storage or the real broker on its
//! shards: `Shard<SimIo>` in place of glommio's. What it does then is a function of the seed: which runnable task runs
//! next, how long each operation takes, how connections fragment, and what a power cut leaves of all that was written
//! and not synced.
//!
//! # Invariants
//! - Nothing here reads a real clock, draws real randomness or starts a thread.
//! - What the seam's documentation does not promise, the simulator does not do out of kindness.
//!
//! With the feature `node` it also runs whole brokers: [`node`] starts one, [`client`] talks to it, and [`swarm`] puts it
//! under random load and random faults, which is what the program `sim` does from thousands of seeds.
//!
//! Deliberately absent: partitions between machines, clock drift, and clusters.

#[cfg(feature = "node")]
pub mod client;
mod defects;
mod disk;
mod fault;
mod fault_points;
mod file;
mod machine;
mod mailbox;
mod net;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod oracle;
mod rng;
mod seeds;
mod shard;
#[cfg(feature = "node")]
pub mod swarm;
mod task;
mod time;
mod world;

pub use defects::DeliberateDefect;
pub use disk::{Counts, DEFAULT_CAPACITY_BYTES, Disk, Syncs};
pub use fault::{Fault, Operation};
pub use fault_points::{FaultPoints, Hit};
pub use file::File;
pub use machine::{DEFAULT_TIME_MAX, Machine, Simulation};
pub use mailbox::{MailboxProbe, Receiver, Sender, mailboxes};
pub use net::{Link, Listener, Network, ReadHalf, Socket, Stream, Wire, WriteHalf, connect};
pub use rng::Rng;
pub use seeds::{SEED_VARIABLE, SEEDS_VARIABLE, for_each_seed};
pub use shard::SimIo;
pub use task::Task;
pub use world::Stuck;
