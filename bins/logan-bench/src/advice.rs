//! What `logan-bench` advises about a broker's errors, beyond what fits every program.

use client::ClientError;
use types::ErrorCode;

/// The way out, where this program has one.
pub(crate) fn advice(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::BadResponse { .. } | ClientError::ConnectionLost { .. } => Some(
            "did the broker end, or is this no Kafka listener without TLS? The broker's log says why it closed the connection",
        ),
        _ => match error.code()? {
            ErrorCode::UnknownTopicOrPartition => {
                Some("leave out --topic to have topics made for the run, or create it before")
            }
            ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
                Some("use a smaller --batch-size, or --topic-config max.message.bytes=...")
            }
            _ => None,
        },
    }
}
