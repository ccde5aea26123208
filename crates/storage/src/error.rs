//! What can go wrong with a log, split by what the caller does next.

use std::path::{Path, PathBuf};

use types::{Offset, ProducerEpoch, ProducerId};

/// A log that failed a write or a sync, or was closed: it accepts and acknowledges nothing more.
/// Kafka's clients are told `KAFKA_STORAGE_ERROR`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log is fenced: {reason}")]
pub struct Fenced {
    /// Which operation failed and how, or that the log was closed.
    pub reason: String,
    /// Whether the disk lacks nothing but room.
    pub lacks_room: bool,
}

impl Fenced {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            lacks_room: false,
        }
    }

    pub(crate) fn without_room(reason: impl Into<String>) -> Self {
        Self {
            lacks_room: true,
            ..Self::new(reason)
        }
    }
}

/// Whether the device failed, not merely an operation for want of descriptors, memory, space or permission. After that
/// a later success of a sync proves nothing about what an earlier one was to cover.
pub(crate) fn is_device_failure(error: &std::io::Error) -> bool {
    /// Linux's EIO, which `ErrorKind` has no name for.
    const EIO: i32 = 5;
    error.raw_os_error() == Some(EIO) || error.kind() == std::io::ErrorKind::Other
}

/// Why a log could not be opened, created or deleted.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("{act} {}: {source}", path.display())]
    Io {
        /// What was being done, for example `open segment`.
        act: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Records that had been made durable are damaged or missing. Cutting them would lose acknowledged data, so a person
    /// decides. Nothing was changed.
    #[error(
        "{}: durable records are damaged or missing at byte {position}, from offset {offset} on (durable up to \
         {recovery_point} at least): {detail}. Nothing was changed: bring the partition's files back from a copy. To go on \
         without those records, stop the broker, cut the segment there (truncate -s) if its bytes are damaged, set later \
         segments aside, and remove the partition's lines from recovery-point-offset-checkpoint and \
         log-start-offset-checkpoint",
        path.display()
    )]
    Corrupt {
        /// The segment, or the directory where a segment is missing.
        path: PathBuf,
        /// Where the damaged batch begins.
        position: u64,
        /// The end of the intact records before it.
        offset: Offset,
        /// Everything below it was durable.
        recovery_point: Offset,
        /// What is wrong there.
        detail: String,
    },
    /// Something that this version does not read, such as an unfinished compaction of another broker.
    #[error("{}: {detail}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is and what to do about it.
        detail: String,
    },
}

impl OpenError {
    /// Whether the disk lacks nothing but room.
    #[must_use]
    pub fn lacks_room(&self) -> bool {
        let Self::Io { source, .. } = self else {
            return false;
        };
        matches!(
            source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    }

    /// For `map_err`: `act` on `path` failed.
    pub(crate) fn io(act: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { act, path, source }
    }
}

/// Why an append was refused. Nothing of the batch is in the log then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The log is fenced or closed.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The disk is full, or would cut into the reserve. Appends work again when space returns.
    #[error("the disk of the log is full")]
    DiskFull,
    /// The batch is larger than a segment may be.
    #[error("a batch of {size_bytes} bytes exceeds the segment limit of {limit_bytes}")]
    RecordTooLarge {
        /// The batch's size.
        size_bytes: usize,
        /// `segment.bytes`.
        limit_bytes: u32,
    },
    /// The sequence number does not follow the producer's last one.
    #[error("producer {producer_id} sent sequence {found} after {expected_after}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: ProducerId,
        /// The last sequence number in the log; -1 when there is none.
        expected_after: i32,
        /// The first sequence number of the batch.
        found: i32,
    },
    /// A newer incarnation of the producer has written.
    #[error("producer {producer_id} has epoch {current}, the batch has {found}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: ProducerId,
        /// The newest epoch in the log.
        current: ProducerEpoch,
        /// The batch's epoch.
        found: ProducerEpoch,
    },
    /// The partition remembers as many producers as it may, and none has expired.
    #[error("the partition already remembers {limit} producer ids")]
    TooManyProducers {
        /// The bound.
        limit: usize,
    },
}

/// Why records were not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteRecordsError {
    /// The log is fenced or closed.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The offset is none up to which records may be deleted.
    #[error("offset {offset} is not within 0..={high_watermark}")]
    OffsetOutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The high watermark: records from there on are not acknowledged.
        high_watermark: Offset,
    },
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The offset lies outside the log.
    #[error("offset {offset} is not within {start}..={end}")]
    OffsetOutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The log start offset.
        start: Offset,
        /// The log end offset.
        end: Offset,
    },
    /// A batch came from the disk damaged: Kafka calls it `CORRUPT_MESSAGE`. Its neighbours stay readable.
    #[error("segment {segment}: damaged batch at byte {position}: {detail}")]
    Corrupt {
        /// The base offset of the segment.
        segment: Offset,
        /// Where the batch begins.
        position: u64,
        /// What is wrong.
        detail: String,
    },
    /// The disk failed to read, or the log is gone.
    #[error("{0}")]
    Io(String),
}

/// Why a copy of a log cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// The log that is copied cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The copy cannot be written.
    #[error("cannot be written: {0}")]
    Append(#[from] AppendError),
    /// The copy's files cannot be changed.
    #[error("its files cannot be changed: {0}")]
    Files(String),
    /// What was read are no batches that follow the copy's.
    #[error("malformed batch: {0}")]
    Malformed(String),
}

/// A file whose content is not what its format demands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}: {detail}")]
pub struct FormatError {
    /// The kind of file, for example `producer snapshot`.
    pub what: &'static str,
    /// What is wrong, with its position.
    pub detail: String,
}

impl FormatError {
    pub(crate) fn new(what: &'static str, detail: impl Into<String>) -> Self {
        Self {
            what,
            detail: detail.into(),
        }
    }
}
