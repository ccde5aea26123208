//! What the tests of the whole share: the real broker as a process, connections that send what no client would, and
//! a neighbour that notices when others are harmed.
//!
//! Everything here runs on ordinary threads and blocks. Whatever goes wrong with the environment (no binary, no
//! directory, a broker that does not start) fails the test at once, with the broker's own words.

mod admin;
mod binary;
mod broker;
mod chance;
mod mount;
mod neighbour;
mod volatile_disk;
mod wait;
mod wire;

pub use admin::admin_verdicts;
pub use binary::logan as broker_binary;
pub use broker::{Broker, Ended, Launch, Signal};
pub use chance::{Chance, number_from_environment};
pub use mount::{Mount, skip};
pub use neighbour::{Neighbour, batch_of, create_topic, read_values};
pub use volatile_disk::VolatileDisk;
pub use wait::{eventually, within};
pub use wire::{Wire, error_of};

use std::path::PathBuf;

/// A directory below cargo's, removed with everything in it when it is dropped.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn temporary_directory() -> tempfile::TempDir {
    let parent = binary::target_directory().join("tmp");
    std::fs::create_dir_all(&parent).expect("cargo's directory for temporary files");
    tempfile::tempdir_in(parent).expect("a directory")
}

/// Where cargo puts what it builds.
#[must_use]
pub fn target_directory() -> PathBuf {
    binary::target_directory()
}
