//! What is wrong with a record of `__consumer_offsets`.

use protocol::DecodeError;

/// Why a record is not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// A type that this version does not know, as a newer broker, share groups or streams groups write it. Kafka
    /// skips such records, and so must the host.
    #[error("unknown record type {0}")]
    UnknownType(i16),
    /// A record without a key, or one whose key or value is no encoding of its type.
    #[error("malformed record: {0}")]
    Malformed(&'static str),
    /// A key or value that cannot be decoded.
    #[error("malformed record of type {key_type}: {source}")]
    Undecodable {
        /// The type.
        key_type: i16,
        /// What is wrong.
        source: DecodeError,
    },
}
