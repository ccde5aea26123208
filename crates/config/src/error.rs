//! What can be wrong with a configuration.

use crate::properties::SyntaxError;
use crate::sources::Origin;

/// Why a broker cannot start with its configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read configuration file {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no text of a bearable length, says nothing, or does not stand still.
    #[error("configuration file {path}: {problem}")]
    NoConfiguration {
        /// The file.
        path: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The file is no `.properties` file.
    #[error("configuration file {path}:{source}")]
    Syntax {
        /// The file.
        path: String,
        /// The line and its fault.
        source: SyntaxError,
    },
    /// An environment variable is no text.
    #[error("environment variable {name}: its value is not UTF-8")]
    Environment {
        /// The variable.
        name: String,
    },
    /// An `--override` is no `key=value`.
    #[error("--override {argument}: expected key=value, for example --override num.partitions=4")]
    Override {
        /// The argument.
        argument: String,
    },
    /// Values that are impossible, all of them, not only the first.
    #[error("{}", join(.0))]
    Invalid(Vec<InvalidValue>),
}

/// A value that is impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({origin})")]
pub struct InvalidValue {
    /// The key that should be changed.
    pub key: String,
    /// A sentence with the key, the value and what would be right, in Kafka's words where Kafka has some.
    pub message: String,
    /// Where the value stands.
    pub origin: Origin,
}

fn join(values: &[InvalidValue]) -> String {
    values
        .iter()
        .map(InvalidValue::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
