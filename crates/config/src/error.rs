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
    /// The file is no `.properties` file.
    #[error("configuration file {path}, {source}")]
    Syntax {
        /// The file.
        path: String,
        /// The line and its fault.
        source: SyntaxError,
    },
    /// An `--override` is no `key=value`.
    #[error("--override {argument}: expected key=value")]
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
