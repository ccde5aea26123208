//! Keys that nobody here acts on: Kafka's, and misspelt ones.

use std::fmt;

use crate::broker_keys::BROKER_DEFINITIONS;
use crate::sources::Origin;
use crate::unused;

/// Kafka's own keys; the names are facts.
const KAFKA_KEYS: &str = include_str!("../kafka-4.3.1-keys.txt");

/// A name this far away from a misspelt key is still offered: more changes than these make another word.
const DISTANCE_MAX: usize = 4;

/// A longer name is no key that somebody misspelt, and comparing it with all of them would take long.
const NAME_LEN_MAX: usize = 128;

/// Something in the configuration that does not keep the broker from starting, but that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A key of Kafka that Logan has no use for.
    NotUsed {
        /// The key.
        key: String,
        /// Why.
        reason: &'static str,
        /// Where it stands.
        origin: Origin,
    },
    /// A key that is checked and described, and that nothing acts on yet.
    Stored {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
    },
    /// A key that neither Kafka nor Logan has.
    Unknown {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The key that was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// A line of the file that a later line makes void.
    Shadowed {
        /// The key.
        key: String,
        /// The line that counts for nothing.
        origin: Origin,
    },
    /// A listener that Logan does not open, since it is for Kafka's controllers.
    ControllerListener {
        /// The listener.
        listener: String,
    },
    /// The file is one for a controller without a broker; its listeners are opened for clients.
    ControllerOnly {
        /// The listeners.
        listeners: String,
        /// Where the roles stand.
        origin: Origin,
    },
    /// An environment variable that looks like one of Logan's and stands for no key.
    UnknownVariable {
        /// The variable.
        name: String,
        /// The variable that was perhaps meant.
        nearest: Option<String>,
    },
    /// What was measured of a log directory's disk, and does not count.
    Unmeasured {
        /// The file in the directory.
        path: String,
        /// Why.
        problem: String,
    },
}

impl Warning {
    /// What it is about: a key, a listener or a variable.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::NotUsed { key, .. }
            | Self::Stored { key, .. }
            | Self::Unknown { key, .. }
            | Self::Shadowed { key, .. } => key,
            Self::ControllerListener { listener } => listener,
            Self::ControllerOnly { .. } => "process.roles",
            Self::UnknownVariable { name, .. } => name,
            Self::Unmeasured { path, .. } => path,
        }
    }

    /// Whether somebody meant something that does not exist: an error for who checks strictly.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::UnknownVariable { .. })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUsed {
                key,
                reason,
                origin,
            } => write!(f, "{key} is not used by Logan: {reason} ({origin})"),
            Self::Stored { key, origin } => write!(
                f,
                "{key} is kept, but this version does not act on it ({origin})"
            ),
            Self::Unknown {
                key,
                origin,
                nearest: None,
            } => write!(f, "{key} is no known key ({origin})"),
            Self::Unknown {
                key,
                origin,
                nearest: Some(nearest),
            } => {
                write!(
                    f,
                    "{key} is no known key; did you mean {nearest}? ({origin})"
                )
            }
            Self::Shadowed { key, origin } => write!(
                f,
                "{key} is set again below; this line counts for nothing ({origin})"
            ),
            Self::ControllerListener { listener } => {
                write!(
                    f,
                    "listener {listener} is for Kafka's controllers and is not opened"
                )
            }
            Self::ControllerOnly { listeners, origin } => write!(
                f,
                "process.roles names a controller alone, but Logan has none apart from brokers: a whole broker starts, and serves clients at {listeners} ({origin})"
            ),
            Self::UnknownVariable { name, nearest } => {
                write!(f, "environment variable {name} stands for no key")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest}?"),
                    None => Ok(()),
                }
            }
            Self::Unmeasured { path, problem } => write!(
                f,
                "{path}: {problem}; `loganctl tune disk` measures the disk anew"
            ),
        }
    }
}

/// What to say about a key that has no definition here, with the nearest name if one is asked for.
pub(crate) fn warn_about(key: &str, origin: &Origin, suggests: bool) -> Warning {
    let (key, origin) = (key.to_owned(), origin.clone());
    if let Some(reason) = unused::reason(&key) {
        Warning::NotUsed {
            key,
            reason,
            origin,
        }
    } else {
        let nearest = suggests.then(|| nearest(&key)).flatten();
        Warning::Unknown {
            key,
            origin,
            nearest,
        }
    }
}

/// All broker keys of Kafka 4.3.1.
pub(crate) fn kafka_broker_keys() -> impl Iterator<Item = &'static str> {
    KAFKA_KEYS
        .lines()
        .filter_map(|line| line.strip_prefix("broker|")?.split('|').next())
}

/// Whether Kafka 4.3.1 takes a new value of this key while it runs; `None` for a key that it does not have.
pub(crate) fn is_dynamic_in_kafka(key: &str) -> Option<bool> {
    KAFKA_KEYS.lines().find_map(|line| {
        let mut fields = line.strip_prefix("broker|")?.split('|');
        (fields.next() == Some(key)).then(|| fields.next_back() == Some("dynamic"))
    })
}

/// The broker key that was perhaps meant by a name that is none.
#[must_use]
pub fn nearest(key: &str) -> Option<&'static str> {
    let names = BROKER_DEFINITIONS
        .iter()
        .map(|definition| definition.name)
        .chain(kafka_broker_keys());
    nearest_of(key, names)
}

/// The one of `names` that was perhaps meant.
pub(crate) fn nearest_of<T: AsRef<str>>(
    name: &str,
    names: impl IntoIterator<Item = T>,
) -> Option<T> {
    if name.len() > NAME_LEN_MAX {
        return None;
    }
    // Names of variables are upper case as a whole; of keys it is a mistake.
    let lower = name.to_ascii_lowercase();
    let (distance, nearest) = names
        .into_iter()
        .map(|known| {
            (
                distance(&lower, &known.as_ref().to_ascii_lowercase()),
                known,
            )
        })
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= DISTANCE_MAX && distance < name.chars().count()).then_some(nearest)
}

/// The characters to insert, delete or replace to make one text of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
