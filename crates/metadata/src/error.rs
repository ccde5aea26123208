//! Why a request is refused, and why a log or snapshot cannot be read.

use types::{ErrorCode, Offset};

/// Why a request is not carried out, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// A sentence, in Kafka's words where Kafka has some.
    pub message: String,
}

impl Refusal {
    /// A refusal with this sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Why a metadata log or snapshot cannot be used. None of these is the trace of a crash: a torn tail is no error.
/// The broker must not start, since it would lose or misread what it once acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A record that this version does not know: the log is of a newer Logan, or of Kafka.
    #[error(
        "metadata record at offset {offset} is of {what}, which this version of Logan does not know: a newer Logan or Apache Kafka wrote it, whose data directories Logan does not take over; start the broker that wrote it, or name another directory in log.dirs"
    )]
    UnknownRecord {
        /// The record's offset.
        offset: Offset,
        /// The record's type or version.
        what: String,
    },
    /// A record whose bytes make no sense although its batch is intact.
    #[error("metadata record at offset {offset} is malformed: {problem}")]
    MalformedRecord {
        /// The record's offset.
        offset: Offset,
        /// What is wrong.
        problem: String,
    },
    /// A record that contradicts those before it.
    #[error("metadata record at offset {offset} contradicts the log before it: {problem}")]
    Contradiction {
        /// The record's offset.
        offset: Offset,
        /// What is wrong.
        problem: String,
    },
    /// A batch in the middle of the log whose bytes have changed.
    #[error(
        "the metadata log is damaged at byte {position}, before its end: {problem}; restore the file, or remove it together with the snapshots to lose all topics"
    )]
    Damaged {
        /// Where the batch begins.
        position: usize,
        /// What is wrong.
        problem: String,
    },
    /// A snapshot that is incomplete or whose bytes have changed.
    #[error("the metadata snapshot is damaged at byte {position}: {problem}")]
    DamagedSnapshot {
        /// Where the batch begins.
        position: usize,
        /// What is wrong.
        problem: String,
    },
    /// A log that does not go on where the snapshot ends.
    #[error(
        "the metadata log begins at offset {found}, but the snapshot before it ends at {expected}; a file is missing"
    )]
    Gap {
        /// Where the snapshot ends.
        expected: Offset,
        /// Where the log begins.
        found: Offset,
    },
}
