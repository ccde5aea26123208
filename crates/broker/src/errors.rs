//! The one place where failures become Kafka's error codes.

use records::InvalidBatch;
use storage::{AppendError, DeleteRecordsError, ReadError};
use types::ErrorCode;

/// The code for a batch that was refused before it reached its log.
///
/// Source: the exceptions of Kafka 4.3.1's `LogValidator`, `ProduceRequest.validateRecords` and `UnifiedLog.append`.
pub(crate) fn batch(error: &InvalidBatch) -> ErrorCode {
    match error {
        InvalidBatch::NotOneBatch
        | InvalidBatch::UnsupportedMagic(_)
        | InvalidBatch::InvalidHeader(_)
        | InvalidBatch::Malformed(_)
        | InvalidBatch::DecompressedTooLarge
        | InvalidBatch::MissingKey(_) => ErrorCode::InvalidRecord,
        InvalidBatch::ZstdTooEarly | InvalidBatch::UnknownCompression => {
            ErrorCode::UnsupportedCompressionType
        }
        InvalidBatch::Corrupt(_) => ErrorCode::CorruptMessage,
        InvalidBatch::TooLarge { .. } => ErrorCode::MessageTooLarge,
        InvalidBatch::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
    }
}

/// The code for a batch that its log refused.
pub(crate) fn append(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Fenced(_) | AppendError::DiskFull => ErrorCode::KafkaStorageError,
        AppendError::RecordTooLarge { .. } => ErrorCode::RecordListTooLarge,
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        // Kafka has no such bound. It is met only when every producer that is remembered has an open transaction.
        AppendError::TooManyProducers { .. } => ErrorCode::UnknownProducerId,
    }
}

/// The code for a read that failed.
pub(crate) fn read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Corrupt { .. } => ErrorCode::CorruptMessage,
        ReadError::Io(_) => ErrorCode::KafkaStorageError,
    }
}

/// The code for records that were not deleted.
pub(crate) fn delete_records(error: &DeleteRecordsError) -> ErrorCode {
    match error {
        DeleteRecordsError::Fenced(_) => ErrorCode::KafkaStorageError,
        DeleteRecordsError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
    }
}
