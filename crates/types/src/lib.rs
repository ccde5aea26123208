//! Identifiers, offsets, epochs and error codes that every other crate shares.
//!
//! The types are plain values: they do no I/O, allocate nothing on their own (but for labels of metrics) and live on any core.

mod error_code;
mod ids;
mod metrics;
mod time;

pub use error_code::ErrorCode;
pub use ids::{
    LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, ShardId, Uuid,
};
pub use metrics::{Metric, MetricKind, Sample};
pub use time::{DurationMs, TimestampMs};
