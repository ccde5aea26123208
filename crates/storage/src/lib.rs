//! One partition's log: segments, indexes, recovery, durability and the batch cache.

pub mod checkpoint;
mod config;
pub mod epochs;
mod error;
pub mod index;
mod lru;
pub mod producer_state;
pub mod snapshot;

pub use config::{Durability, LogConfig, StorageConfig};
pub use error::{AppendError, Fenced, FormatError, OpenError, ReadError};
