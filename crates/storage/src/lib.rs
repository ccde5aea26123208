//! One partition's log: segments, indexes, recovery, durability and the batch cache.
//!
//! [`ShardStorage`] is what the logs of one shard share; [`Log`] is the log of one partition. Everything lives on one
//! shard, does its I/O through the seam `io`, and blocks nobody.
//!
//! The path of a batch: [`Log::admit`] waits for room, [`Log::append`] copies it into the tail's staging chunk and gives it
//! its offsets, a task writes it and another one syncs it, [`Log::wait_durable`] tells, and the chunk goes on as part of
//! the batch cache from which [`Log::read`] serves it without a copy.
//!
//! Damage on disk is bounded: a batch that cannot be read is refused with the offsets of its range, everything else is
//! served; [`Scrubber`] looks for such batches before somebody needs them.
//!
//! Old segments leave it in two steps, [`Log::expire`] and [`Log::remove_expired`]; their files go slowly, in the background.
//!
//! [`Cleaner`] compacts logs.
//!
//! Deliberately absent: replication; memory maps; anything that is shared between shards.

mod cache;
pub mod checkpoint;
pub mod cleaner;
mod config;
mod damage;
mod disk;
pub mod epochs;
mod error;
mod files;
mod group_sync;
pub mod index;
mod log;
mod lru;
pub mod producer_state;
mod scan;
mod scrub;
mod segment;
mod shard;
pub mod snapshot;
mod space;
mod staging;
mod trash;

pub use cleaner::{Cleaner, CleanerConfig, CleanerTotals, CleaningReport};
pub use config::{Durability, LogConfig, StorageConfig, WRITE_SIZES};
pub use damage::DamagedRange;
pub use disk::{DiskTotals, OperationTotals};
pub use error::{
    AppendError, CopyError, DeleteRecordsError, Fenced, FormatError, OpenError, ReadError,
};
pub use log::{
    Appended, CleaningPause, FetchData, LastKnown, Log, LogFacts, LogIdentity, ReadRequest,
    TimestampOffset, future_name, parse_future_name,
};
pub use producer_state::ActiveProducer;
pub use scrub::{ScrubTotals, Scrubber};
pub use shard::{CacheTotals, MemoryUse, Pace, ShardStorage};
