//! Record batches: views, validation, checksums, compression, building, and leaving records out.
//!
//! A batch is a slice of bytes in Kafka's format v2 (magic 2). Nothing here owns a log or does I/O; the functions
//! run on whichever core calls them, and the memory they need between calls lives in a [`Scratch`].
//!
//! # Invariants
//! - Walking records allocates nothing per record, compressed or not.
//! - Decompression stops at a stated number of bytes.
//! - Patching the base offset and the leader epoch leaves the CRC as it is: both lie outside of what it covers.
//!
//! Source: Kafka's protocol guide, "Record Batch"; KIP-98, KIP-110 (zstd), KIP-32 (timestamps).

mod batch;
mod builder;
pub mod compression;
mod cursor;
mod filter;
mod record;
mod search;
mod validate;
mod walk;

pub use batch::{
    BATCH_HEADER_BYTES, BatchError, BatchHeader, BatchIter, MAGIC_V2, TimestampType, crc_of,
    set_offset_and_epoch, set_timestamps, verify_crc,
};
pub use builder::{BatchBuilder, NewRecord};
pub use compression::{Compression, CompressionLevels};
pub use filter::{BatchFilter, FilterRules, Filtered, WhenEmpty};
pub use record::{BatchReader, Header, HeaderIter, Record, RecordIter, decompressed_records};
pub use search::{RecordTime, TimestampSearch};
pub use validate::{
    InvalidBatch, ProduceRules, RecordFault, Scratch, ValidBatch, Validation, ValidationLevel,
    validate_produce,
};
