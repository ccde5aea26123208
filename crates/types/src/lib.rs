//! Identifiers, offsets, epochs and error codes that every other crate shares.
//!
//! The types are plain values: they do no I/O, allocate nothing on their own (but for what metrics, events and spans tell) and live on any core.

mod error_code;
mod event;
mod ids;
mod metrics;
mod span;
mod time;

pub use error_code::ErrorCode;
pub use event::{
    CloseReason, EVENT_WORDS, Event, EventValue, LogName, MessageLane, NAME_BYTES_MAX, RequestName,
    ShortName,
};
pub use ids::{
    LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerEpoch, ProducerId, ShardId, Uuid,
};
pub use metrics::{
    Distribution, GroupRow, Histogram, Metric, MetricKind, OffsetRow, PartitionRow, Sample, Series,
    Snapshot, TopicRow, Value,
};
pub use span::{RequestSpan, SPAN_LINKS_MAX, TraceContext};
pub use time::{DurationMs, TimestampMs};
