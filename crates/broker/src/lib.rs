//! The broker: one [`run_shard`] for each core, which serves connections, owns partitions and talks to the others.
//!
//! Everything here runs on a shard's own thread and is generic over the seam `io::Io`; the real machine and the
//! simulator run the same code. Shards share nothing: what one needs of another travels through [`mesh`].
//!
//! # Invariants
//! - No `RefCell` is borrowed across an `.await`.
//! - A response is sent only after what it promises is durable, and responses leave in the order of their requests.
//! - Every queue has a bound: per connection (responses), per shard (request and response memory), per pair of shards
//!   (credits).
//!
//! Deliberately absent: transactions, replication; they get modules of their
//! own beside these.

mod advertise;
mod anywhere;
mod api;
mod budget;
mod connection;
mod controller;
mod errors;
mod groups;
mod limits;
mod load;
mod lookup;
mod mesh;
mod message;
mod metrics;
mod partition;
mod producer_ids;
mod record_budget;
mod requests;
mod shard;
mod slice;
mod topics;
mod trace;
mod traffic;

pub use advertise::{Advertise, ports_per_listener};
pub use connection::Accepted;
pub use mesh::{MeshCredits, MeshPort, mesh};
pub use metrics::Scrape;
pub use shard::{
    LogDirectory, OnChange, ShardCommand, ShardEvent, ShardSeed, ShardSetup, open_files_max,
    run_shard,
};

use std::path::{Path, PathBuf};

use config::BrokerConfig;

/// The APIs that are served, in the order of their keys.
pub const APIS: &[protocol::ApiKey] = api::IMPLEMENTED;

/// The name of the API with this key.
#[must_use]
pub fn api_name(key: i16) -> Option<&'static str> {
    protocol::ApiKey::from_code(key).map(protocol::ApiKey::name)
}

/// Where the metadata log is, in the first of the log directories.
#[must_use]
pub fn metadata_log(log_directory: &Path) -> PathBuf {
    let directory = log_directory.join(metadata::log::DIRECTORY);
    directory.join(metadata::log::FILE)
}

/// Control messages that one shard may have under way to one other shard.
const CONTROL_CREDITS: usize = 64;

/// The credits that a configuration gives to each pair of shards: `logan.inbox.credits` for requests, and what
/// remains of `logan.inbox.capacity` for long polls.
#[must_use]
pub fn mesh_credits(config: &BrokerConfig, shard_count: usize) -> MeshCredits {
    let count = |value: i32| usize::try_from(value).unwrap_or(0);
    let requests = count(config.values.logan_inbox_credits).max(1);
    let share = config.inbox_capacity(shard_count) / shard_count.saturating_sub(1).max(1);
    MeshCredits {
        requests,
        watches: share.saturating_sub(requests).max(1),
        control: CONTROL_CREDITS,
    }
}
