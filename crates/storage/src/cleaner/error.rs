//! Why a pass over a log ended early, split by what happens to the log next.

use std::io::ErrorKind;

use records::InvalidBatch;
use types::Offset;

use crate::error::ReadError;

/// Why a log was not cleaned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CleaningError {
    /// The log is closed, deleted or fenced, somebody wants it left alone, or its segments are not those any more that the pass began with.
    #[error("the log has stopped or changed")]
    Stopped,
    /// The disk has no room for the cleaned segments. It is tried again.
    #[error("the disk is full")]
    DiskFull,
    /// Something is short for the moment. It is tried again.
    #[error("{0}")]
    Busy(String),
    /// Damage, or a failing disk. It is not tried again before the log is opened anew.
    #[error("{0}")]
    Uncleanable(String),
}

impl CleaningError {
    /// For `map_err`: `act` failed.
    pub(crate) fn io(act: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        /// Linux's ENFILE and EMFILE, which `ErrorKind` has no names for.
        const TOO_MANY_OPEN: [i32; 2] = [23, 24];
        move |error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull,
            // Retention has taken a segment away meanwhile.
            ErrorKind::NotFound => Self::Busy(format!("{act}: {error}")),
            _ if error
                .raw_os_error()
                .is_some_and(|it| TOO_MANY_OPEN.contains(&it)) =>
            {
                Self::Busy(format!("{act}: {error}"))
            }
            _ => Self::Uncleanable(format!("{act}: {error}")),
        }
    }

    /// A batch cannot be read.
    pub(crate) fn damaged(segment: Offset, position: u64, detail: &str) -> Self {
        Self::Uncleanable(format!(
            "segment {segment}: damaged batch at byte {position}: {detail}"
        ))
    }

    /// For `map_err`: the records of a batch cannot be read.
    pub(crate) fn records(segment: Offset, position: u64) -> impl FnOnce(InvalidBatch) -> Self {
        move |error| Self::damaged(segment, position, &error.to_string())
    }
}

impl From<ReadError> for CleaningError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt { .. } => Self::Uncleanable(error.to_string()),
            // Perhaps a segment has gone since. The pass itself meets a disk that fails.
            ReadError::OffsetOutOfRange { .. } | ReadError::Io(_) => Self::Busy(error.to_string()),
        }
    }
}
