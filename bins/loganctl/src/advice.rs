//! What `loganctl` advises about a broker's errors, beyond what fits every program.

use client::ClientError;
use types::ErrorCode;

/// The way out, where this program has one.
pub(crate) fn advice(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::BadResponse { .. } | ClientError::ConnectionLost { .. } => Some(
            "is this a Kafka listener without TLS? If it is, the broker's log says why it closed the connection",
        ),
        ClientError::UnknownPartition { .. } => {
            Some("`loganctl topics describe TOPIC` shows the partitions")
        }
        _ => advice_for_code(error.code()?),
    }
}

fn advice_for_code(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::UnknownTopicOrPartition => Some(
            "`loganctl topics list` shows what there is, `loganctl topics create` makes a new one",
        ),
        ErrorCode::GroupIdNotFound => Some("`loganctl groups list` shows what there is"),
        ErrorCode::NonEmptyGroup
        | ErrorCode::UnknownMemberId
        | ErrorCode::GroupSubscribedToTopic => {
            Some("stop its consumers first: `loganctl groups describe GROUP --members` shows them")
        }
        ErrorCode::TopicAlreadyExists => Some("--if-not-exists accepts that"),
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
            Some("send smaller records, or raise max.message.bytes of the topic")
        }
        ErrorCode::OffsetOutOfRange => {
            Some("`loganctl topics describe TOPIC` shows the first and the end offset")
        }
        ErrorCode::InvalidReplicaAssignment => Some(
            "`loganctl partitions list` shows the nodes; with Logan each partition has one of them",
        ),
        ErrorCode::NoReassignmentInProgress => {
            Some("`loganctl partitions list --moving` shows what is being moved")
        }
        ErrorCode::LogDirNotFound => {
            Some("name one of the broker's log.dirs: `loganctl partitions list` shows those in use")
        }
        ErrorCode::InvalidReplicationFactor => {
            Some("there can be as many copies as there are brokers")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_topic_comes_with_the_way_out() {
        let missing = ClientError::Broker {
            api: "Metadata",
            subject: "of topic t".to_owned(),
            code: ErrorCode::UnknownTopicOrPartition,
            message: None,
        };
        assert!(advice(&missing).is_some_and(|text| text.contains("topics list")));
    }
}
