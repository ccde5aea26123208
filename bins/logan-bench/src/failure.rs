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
const NO_BROKER: u8 = 5;
const INTERRUPTED: u8 = 7;

/// Why a run ends early.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// Whoever read the output has gone: no failure to speak of.
    #[error("the reader of the output is gone")]
    ReaderGone,
    /// Something on this machine.
    #[error("{act}: {source}")]
    Local {
        act: &'static str,
        source: io::Error,
    },
    /// The input or the options make no sense.
    #[error("{problem}")]
    Usage { problem: String, advice: String },
    /// It cannot be done, or it went wrong.
    #[error("{problem}")]
    Refused { problem: String, advice: String },
    /// A file or directory of this machine.
    #[error("{act} {}: {source}", path.display())]
    File {
        act: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Broker or network.
    #[error("{}", plain(.0))]
    Client(#[from] ClientError),
    /// The user has seen enough.
    #[error("interrupted")]
    Interrupted,
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

    /// A failure of the system, for `map_err`.
    pub(crate) fn local(act: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Local { act, source }
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

    pub(crate) fn refused(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Refused {
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// Whether there is anything to say.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::ReaderGone)
    }

    /// The number that the process ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Local { .. } | Self::Refused { .. } => FAILED,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::File { .. } => FAILED,
            Self::Usage { .. } => USAGE,
            Self::Client(error) => code_of(error),
            Self::Interrupted => INTERRUPTED,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// What would be right, where that is known.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Usage { advice, .. } | Self::Refused { advice, .. } => Some(advice.clone()),
            Self::Client(error) => advice_for(error).map(str::to_owned),
            Self::Interrupted => {
                Some("results of a run until then are marked as partial".to_owned())
            }
            Self::ReaderGone | Self::Local { .. } | Self::File { .. } => None,
        }
    }
}

fn code_of(error: &ClientError) -> u8 {
    match error {
        ClientError::InvalidConfig(_) => USAGE,
        ClientError::UnknownPartition { .. } => NOT_FOUND,
        _ if error.is_connection() => NO_BROKER,
        _ => match error.code() {
            Some(ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId) => NOT_FOUND,
            _ => FAILED,
        },
    }
}

/// The error in words; the code that users meet most often is explained.
fn plain(error: &ClientError) -> String {
    match error {
        ClientError::Broker { subject, code, .. }
            if *code == ErrorCode::UnknownTopicOrPartition =>
        {
            let subject = subject.strip_prefix("of ").unwrap_or(subject);
            format!("{subject} does not exist")
        }
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
            "did the broker end, or is this no Kafka listener without TLS? The broker's log says why it closed the connection",
        ),
        ClientError::Unsupported { .. } => {
            Some("the broker is older than this command, or does without what it needs")
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_that_the_help_lists() {
        let io = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::output(io()).code(), 0);
        assert_eq!(Failure::refused("x", "y").code(), 1);
        assert_eq!(Failure::usage("x", "y").code(), 2);
        let lost = ClientError::Connect {
            address: "a:1".to_owned(),
            source: io(),
        };
        assert_eq!(Failure::Client(lost).code(), 5);
        assert_eq!(Failure::Interrupted.code(), 7);
        let missing = ClientError::Broker {
            api: "Metadata",
            subject: "of topic t".to_owned(),
            code: ErrorCode::UnknownTopicOrPartition,
            message: None,
        };
        let missing = Failure::Client(missing);
        assert_eq!(
            (missing.code(), missing.to_string().as_str()),
            (3, "topic t does not exist")
        );
    }
}
