//! Ways to fail: what is said, what is advised, and the exit code.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use client::ClientError;
use thiserror::Error;
use types::ErrorCode;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const EXISTS: u8 = 4;
const NO_BROKER: u8 = 5;
const DAMAGED: u8 = 6;

/// Why a command ends early.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Whoever read the output has gone: no failure to speak of.
    #[error("the reader of the output is gone")]
    ReaderGone,
    /// A file or stream of this machine.
    #[error("{act}: {source}")]
    Local {
        act: &'static str,
        source: io::Error,
    },
    /// The input or the options make no sense.
    #[error("{problem}")]
    Usage { problem: String, advice: String },
    /// Something that was named is not there.
    #[error("{problem}")]
    NotFound { problem: String, advice: String },
    /// The broker refused, and there is more to say than it does.
    #[error("{problem}")]
    Refused { problem: String, advice: String },
    /// A file or directory of this machine.
    #[error("{act} {}: {source}", path.display())]
    File {
        act: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Records of a log are damaged.
    #[error("{problem}")]
    Damaged { problem: String, advice: String },
    /// Broker or network.
    #[error("{}", plain(.0))]
    Client(#[from] ClientError),
    /// Reported already, for one of several things to do.
    #[error("already reported")]
    Reported { exit_code: u8 },
}

impl Failure {
    /// A failure to write results.
    pub(crate) fn output(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Local {
                act: "write to standard output",
                source,
            },
        }
    }

    /// A failure about a file, for `map_err`.
    pub(crate) fn file<'a>(act: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Self + 'a {
        move |source| Self::File {
            act,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn usage(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Usage {
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// Whether there is anything to say.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::ReaderGone | Self::Reported { .. })
    }

    /// The number that the process ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Local { .. } | Self::Refused { .. } => FAILED,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::File { .. } => FAILED,
            Self::Damaged { .. } => DAMAGED,
            Self::Usage { .. } => USAGE,
            Self::NotFound { .. } => NOT_FOUND,
            Self::Client(error) => code_of(error),
            Self::Reported { exit_code } => *exit_code,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// What would be right, where that is known.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Usage { advice, .. }
            | Self::NotFound { advice, .. }
            | Self::Refused { advice, .. }
            | Self::Damaged { advice, .. } => Some(advice.clone()),
            Self::Client(error) => advice_for(error).map(str::to_owned),
            Self::ReaderGone | Self::Local { .. } | Self::File { .. } | Self::Reported { .. } => {
                None
            }
        }
    }
}

fn code_of(error: &ClientError) -> u8 {
    match error {
        ClientError::InvalidConfig(_) => USAGE,
        ClientError::UnknownPartition { .. } => NOT_FOUND,
        _ if error.is_connection() => NO_BROKER,
        _ => match error.code() {
            Some(
                ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
                | ErrorCode::OffsetOutOfRange,
            ) => NOT_FOUND,
            Some(ErrorCode::TopicAlreadyExists) => EXISTS,
            _ => FAILED,
        },
    }
}

/// The error in words; codes that users meet often are explained.
fn plain(error: &ClientError) -> String {
    let ClientError::Broker { subject, code, .. } = error else {
        return error.to_string();
    };
    let subject = ["of ", "to ", "from "]
        .iter()
        .find_map(|word| subject.strip_prefix(word))
        .unwrap_or(subject);
    match code {
        ErrorCode::UnknownTopicOrPartition => format!("{subject} does not exist"),
        ErrorCode::TopicAlreadyExists => format!("{subject} exists already"),
        _ => error.to_string(),
    }
}

fn advice_for(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::Connect { .. } => Some(
            "is a broker running there? Start one with `logan`, or name another by --bootstrap-server HOST:PORT",
        ),
        ClientError::TimedOut { .. } => {
            Some("the broker is overloaded, or it is no Kafka broker; --timeout waits longer")
        }
        ClientError::BadResponse { .. } | ClientError::ConnectionLost { .. } => Some(
            "is this a Kafka listener without TLS? If it is, the broker's log says why it closed the connection",
        ),
        ClientError::Unsupported { .. } => {
            Some("the broker is older than this command, or does without what it needs")
        }
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

    fn refused(code: ErrorCode, subject: &str) -> Failure {
        Failure::Client(ClientError::Broker {
            api: "Metadata",
            subject: subject.to_owned(),
            code,
            message: None,
        })
    }

    #[test]
    fn exit_codes_are_those_that_the_help_lists() {
        let io = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::output(io()).code(), 0);
        assert_eq!(Failure::usage("x", "y").code(), 2);
        assert_eq!(refused(ErrorCode::UnknownTopicOrPartition, "t").code(), 3);
        assert_eq!(refused(ErrorCode::TopicAlreadyExists, "t").code(), 4);
        assert_eq!(refused(ErrorCode::PolicyViolation, "t").code(), 1);
        let lost = ClientError::Connect {
            address: "a:1".to_owned(),
            source: io(),
        };
        assert_eq!(Failure::Client(lost).code(), 5);
    }

    #[test]
    fn a_missing_topic_is_named_and_the_way_out_with_it() {
        let failure = refused(ErrorCode::UnknownTopicOrPartition, "of topic t");
        assert_eq!(failure.to_string(), "topic t does not exist");
        assert!(
            failure
                .advice()
                .is_some_and(|text| text.contains("topics list"))
        );
    }

    #[test]
    fn other_codes_keep_kafkas_name() {
        let failure = refused(ErrorCode::InvalidPartitions, "t");
        assert_eq!(failure.to_string(), "Metadata t: INVALID_PARTITIONS");
        assert_eq!(failure.advice(), None);
    }
}
