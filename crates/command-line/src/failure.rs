//! Ways to fail: what is said, what is advised, and the exit code.
//!
//! Exit codes are part of what the programs promise; each lists in its `--help` those that it ends with.

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
const INTERRUPTED: u8 = 7;
const WORSE: u8 = 8;

/// What a program advises about a broker's error, where it knows more than this crate does.
pub type Advice = fn(&ClientError) -> Option<&'static str>;

/// Why a command ends early.
#[derive(Debug, Error)]
pub enum Failure {
    /// Whoever read the output has gone: no failure to speak of.
    #[error("the reader of the output is gone")]
    ReaderGone,
    /// Something on this machine.
    #[error("{act}: {source}")]
    Local {
        /// What was being done.
        act: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The input or the options make no sense.
    #[error("{problem}")]
    Usage {
        /// What is wrong.
        problem: String,
        /// What would be right.
        advice: String,
    },
    /// Something that was named is not there.
    #[error("{problem}")]
    NotFound {
        /// What is missing.
        problem: String,
        /// Where to look.
        advice: String,
    },
    /// It cannot be done, or it went wrong; for a broker's answer, that there is more to say than it does.
    #[error("{problem}")]
    Refused {
        /// What is wrong.
        problem: String,
        /// What would be right.
        advice: String,
    },
    /// A file or directory of this machine.
    #[error("{act} {}: {source}", path.display())]
    File {
        /// What was being done.
        act: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Records of a log are damaged.
    #[error("{problem}")]
    Damaged {
        /// What is damaged.
        problem: String,
        /// How to go on.
        advice: String,
    },
    /// Broker or network.
    #[error("{}", plain(.0))]
    Client(#[from] ClientError),
    /// The user has seen enough.
    #[error("interrupted")]
    Interrupted,
    /// A build is worse than the one that it was held against.
    #[error("{problem}")]
    Worse {
        /// What became worse.
        problem: String,
        /// How to look closer.
        advice: String,
    },
    /// Reported already, for one of several things to do.
    #[error("already reported")]
    Reported {
        /// What is left of it.
        exit_code: u8,
    },
}

impl Failure {
    /// A failure to write results.
    pub fn output(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Local {
                act: "write to standard output",
                source,
            },
        }
    }

    /// A failure of the system, for `map_err`.
    pub fn local(act: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Local { act, source }
    }

    /// A failure about a file, for `map_err`.
    pub fn file<'a>(act: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Self + 'a {
        move |source| Self::File {
            act,
            path: path.to_owned(),
            source,
        }
    }

    /// Input or options that make no sense.
    pub fn usage(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Usage {
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// What cannot be done, or went wrong.
    pub fn refused(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Refused {
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// Whether there is anything to say.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::ReaderGone | Self::Reported { .. })
    }

    /// The number that the process ends with.
    pub fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Local { .. } | Self::Refused { .. } => FAILED,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::File { .. } => FAILED,
            Self::Damaged { .. } => DAMAGED,
            Self::Usage { .. } => USAGE,
            Self::NotFound { .. } => NOT_FOUND,
            Self::Client(error) => code_of(error),
            Self::Interrupted => INTERRUPTED,
            Self::Worse { .. } => WORSE,
            Self::Reported { exit_code } => *exit_code,
        }
    }

    /// The same for `main`.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// What would be right, where that is known; the program's own advice comes first.
    pub fn advice(&self, own: Advice) -> Option<String> {
        match self {
            Self::Usage { advice, .. }
            | Self::NotFound { advice, .. }
            | Self::Refused { advice, .. }
            | Self::Damaged { advice, .. }
            | Self::Worse { advice, .. } => Some(advice.clone()),
            Self::Client(error) => own(error).or_else(|| advice_for(error)).map(str::to_owned),
            Self::Interrupted => {
                Some("results of a run until then are marked as partial".to_owned())
            }
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
                | ErrorCode::GroupIdNotFound
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
        ErrorCode::UnknownTopicOrPartition | ErrorCode::GroupIdNotFound => {
            format!("{subject} does not exist")
        }
        ErrorCode::NonEmptyGroup => format!("{subject} has members"),
        // Who commits from outside is no member of a group that has some.
        ErrorCode::UnknownMemberId => format!("{subject}: the group has members"),
        ErrorCode::GroupSubscribedToTopic => {
            format!("{subject}: members of the group subscribe to the topic")
        }
        ErrorCode::TopicAlreadyExists => format!("{subject} exists already"),
        _ => error.to_string(),
    }
}

/// Advice that fits every program.
fn advice_for(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::Connect { .. } => Some(
            "is a broker running there? Start one with `logan`, or name another by --bootstrap-server HOST:PORT",
        ),
        ClientError::TimedOut { .. } => {
            Some("the broker is overloaded, or it is no Kafka broker; --timeout waits longer")
        }
        ClientError::Unsupported { .. } => {
            Some("the broker is older than this command, or does without what it needs")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_error: &ClientError) -> Option<&'static str> {
        None
    }

    fn refused(code: ErrorCode, subject: &str) -> Failure {
        Failure::Client(ClientError::Broker {
            api: "Metadata",
            subject: subject.to_owned(),
            code,
            message: None,
        })
    }

    #[test]
    fn exit_codes_are_those_that_the_programs_promise() {
        let io = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::output(io()).code(), 0);
        assert_eq!(Failure::refused("x", "y").code(), 1);
        assert_eq!(Failure::usage("x", "y").code(), 2);
        assert_eq!(refused(ErrorCode::UnknownTopicOrPartition, "t").code(), 3);
        assert_eq!(refused(ErrorCode::TopicAlreadyExists, "t").code(), 4);
        assert_eq!(refused(ErrorCode::PolicyViolation, "t").code(), 1);
        let lost = ClientError::Connect {
            address: "a:1".to_owned(),
            source: io(),
        };
        assert_eq!(Failure::Client(lost).code(), 5);
        assert_eq!(Failure::Interrupted.code(), 7);
    }

    #[test]
    fn a_missing_topic_is_named() {
        let failure = refused(ErrorCode::UnknownTopicOrPartition, "of topic t");
        assert_eq!(failure.to_string(), "topic t does not exist");
    }

    #[test]
    fn other_codes_keep_kafkas_name() {
        let failure = refused(ErrorCode::InvalidPartitions, "t");
        assert_eq!(failure.to_string(), "Metadata t: INVALID_PARTITIONS");
        assert_eq!(failure.advice(nothing), None);
    }

    #[test]
    fn the_programs_own_advice_comes_first() {
        let slow = || {
            Failure::Client(ClientError::TimedOut {
                address: "a:1".to_owned(),
                api: "Fetch",
                waited: std::time::Duration::ZERO,
            })
        };
        let general = slow().advice(nothing).expect("it is known");
        assert!(general.contains("--timeout"), "{general}");
        let own = slow().advice(|_| Some("look there"));
        assert_eq!(own.as_deref(), Some("look there"));
    }
}
