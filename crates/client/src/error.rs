//! What can go wrong, split by what the caller does next.

use std::fmt;
use std::io;
use std::time::Duration;

use protocol::{DecodeError, EncodeError};
use thiserror::Error;
use types::{ErrorCode, Offset, PartitionIndex};

/// Why a call to a [`crate::Client`] failed. Retriable ones were retried before they came here.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The configuration makes no sense.
    #[error("{0}")]
    InvalidConfig(String),
    /// No connection could be made.
    #[error("connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// An established connection failed; whether the broker did what was asked is unknown.
    #[error("{api} to {address}: {source}")]
    ConnectionLost {
        /// `host:port`.
        address: String,
        /// The request's API.
        api: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// No whole response came in time; whether the broker did what was asked is unknown.
    #[error("{api} to {address}: no response within {} ms", waited.as_millis())]
    TimedOut {
        /// `host:port`.
        address: String,
        /// The request's API.
        api: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// The broker sent something that is no answer to the request.
    #[error("{api} to {address}: {fault}")]
    BadResponse {
        /// `host:port`.
        address: String,
        /// The request's API.
        api: &'static str,
        /// What is wrong with it.
        fault: ResponseFault,
    },
    /// Broker and client have no version of the API in common.
    #[error("{address} does not speak {api} in any version from {first} to {last}")]
    Unsupported {
        /// `host:port`.
        address: String,
        /// The API.
        api: &'static str,
        /// The first version that the client could use.
        first: i16,
        /// The last version that the client could use.
        last: i16,
    },
    /// The request cannot be said in the version that broker and client share.
    #[error("{api}: {source}")]
    Encode {
        /// The API.
        api: &'static str,
        /// Why not.
        source: EncodeError,
    },
    /// The broker refused.
    #[error("{api} {subject}: {code}{}", Detail(message))]
    Broker {
        /// The API.
        api: &'static str,
        /// What was asked for: a topic, a partition.
        subject: String,
        /// Kafka's error code.
        code: ErrorCode,
        /// The broker's own words, where it sent any.
        message: Option<String>,
    },
    /// The topic has no such partition.
    #[error("topic {topic} has {count} partitions, so there is no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: PartitionIndex,
        /// Partitions that the topic has.
        count: usize,
    },
    /// Records came that no broker should have stored.
    #[error("{topic}-{partition} at offset {offset}: {detail}")]
    CorruptRecords {
        /// The topic.
        topic: String,
        /// The partition.
        partition: PartitionIndex,
        /// The offset of the batch, or where reading began.
        offset: Offset,
        /// What is wrong with them.
        detail: String,
    },
    /// A record is larger than a batch may be.
    #[error(
        "a record of {size_bytes} bytes is larger than the {max_bytes} bytes that a batch may have"
    )]
    RecordTooLarge {
        /// The size of the batch that holds this record alone.
        size_bytes: usize,
        /// The largest batch.
        max_bytes: usize,
    },
    /// A codec failed.
    #[error("compress a batch: {0}")]
    Compress(#[source] io::Error),
}

/// What is wrong with a response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResponseFault {
    /// Its length field is negative or beyond the limit.
    #[error("a response of {length} bytes is announced, and 4 to {max} are accepted")]
    Length {
        /// The announced length.
        length: i32,
        /// The limit in bytes.
        max: usize,
    },
    /// It answers another request.
    #[error("a response to request {found} came where {expected} was next")]
    Correlation {
        /// The request that was next.
        expected: i32,
        /// The request that it names.
        found: i32,
    },
    /// It is not an encoding of the API's response.
    #[error("the response in version {version} cannot be read: {source}")]
    Decode {
        /// The version.
        version: i16,
        /// Why not.
        source: DecodeError,
    },
    /// It leaves out what was asked for.
    #[error("the response does not mention {0}")]
    Missing(String),
    /// It was skipped because a later request's response was read first.
    #[error("the response was passed over for a later one")]
    PassedOver,
}

/// The broker's own words behind a code.
struct Detail<'a>(&'a Option<String>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_deref() {
            None | Some("") => Ok(()),
            Some(message) => write!(f, " ({message})"),
        }
    }
}

impl ClientError {
    /// The error of a code in a response, or nothing for 0. A number that Kafka has not assigned counts as
    /// UNKNOWN_SERVER_ERROR.
    pub(crate) fn check(
        api: &'static str,
        code: i16,
        message: Option<&str>,
        subject: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        let known = ErrorCode::from_code(code);
        if known == Some(ErrorCode::None) {
            return Ok(());
        }
        let message = match known {
            Some(_) => message.map(str::to_owned),
            None => Some(format!("error code {code}, which Kafka 4.3 does not have")),
        };
        Err(Self::Broker {
            api,
            subject: subject(),
            code: known.unwrap_or(ErrorCode::UnknownServerError),
            message,
        })
    }

    /// Kafka's error code, if the broker sent one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether a connection could not be made, was lost or stayed silent: another broker, or a later time, may serve.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::ConnectionLost { .. } | Self::TimedOut { .. }
        )
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.is_connection() || self.code().is_some_and(is_retriable)
    }

    /// Whether what is known about leaders and topic ids may be stale.
    pub(crate) fn is_stale_metadata(&self) -> bool {
        self.is_connection() || self.code().is_some_and(is_stale_metadata)
    }
}

/// Codes that Kafka's own clients retry.
///
/// Source: `org.apache.kafka.common.errors.RetriableException` and what extends it, 4.3.1.
fn is_retriable(code: ErrorCode) -> bool {
    is_stale_metadata(code)
        || matches!(
            code,
            ErrorCode::CorruptMessage
                | ErrorCode::RequestTimedOut
                | ErrorCode::BrokerNotAvailable
                | ErrorCode::NetworkException
                | ErrorCode::NotController
                | ErrorCode::NotEnoughReplicas
                | ErrorCode::NotEnoughReplicasAfterAppend
                | ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::NotCoordinator
                | ErrorCode::OffsetNotAvailable
                | ErrorCode::ThrottlingQuotaExceeded
        )
}

/// Codes after which Kafka's own clients ask for metadata again.
///
/// Source: `org.apache.kafka.common.errors.InvalidMetadataException` and what extends it, 4.3.1.
fn is_stale_metadata(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_zero_is_no_error() {
        assert!(ClientError::check("Fetch", 0, None, String::new).is_ok());
    }

    #[test]
    fn the_message_names_api_subject_code_and_detail() {
        let error = ClientError::check("CreateTopics", 36, Some("it is there"), || "t".to_owned())
            .expect_err("36 is an error");
        assert_eq!(
            error.to_string(),
            "CreateTopics t: TOPIC_ALREADY_EXISTS (it is there)"
        );
        assert!(!error.is_retriable());
    }

    #[test]
    fn a_code_that_kafka_does_not_have_keeps_its_number() {
        let error =
            ClientError::check("Fetch", 999, None, || "t-0".to_owned()).expect_err("an error");
        assert_eq!(error.code(), Some(ErrorCode::UnknownServerError));
        assert!(error.to_string().contains("999"), "{error}");
    }

    #[test]
    fn a_moved_leader_is_retriable_and_stale() {
        let error = ClientError::check("Produce", 6, None, || "t-0".to_owned()).expect_err("6");
        assert!(error.is_retriable() && error.is_stale_metadata());
    }
}
