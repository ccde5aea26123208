//! Keys that nobody here acts on: Kafka's, and misspelt ones.

use std::fmt;

use crate::broker_keys::BROKER_DEFINITIONS;
use crate::sources::Origin;

/// Kafka's own keys; the names are facts.
const KAFKA_KEYS: &str = include_str!("../kafka-4.3.1-keys.txt");

/// A name this far away from a misspelt key is still offered: more changes than these make another word.
const DISTANCE_MAX: usize = 4;

/// Something in the configuration that does not keep the broker from starting, but that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A key of Kafka that Logan has no use for.
    NotUsed {
        /// The key.
        key: String,
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
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUsed { key, origin } => write!(f, "{key} is not used by Logan ({origin})"),
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
        }
    }
}

/// What to say about a key that has no definition here.
pub(crate) fn warn_about(key: &str, origin: &Origin) -> Warning {
    let (key, origin) = (key.to_owned(), origin.clone());
    if key.starts_with("listener.name.") || kafka_broker_keys().any(|known| known == key) {
        Warning::NotUsed { key, origin }
    } else {
        let nearest = nearest(&key);
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

/// The key that was perhaps meant.
pub(crate) fn nearest(key: &str) -> Option<&'static str> {
    let names = BROKER_DEFINITIONS
        .iter()
        .map(|definition| definition.name)
        .chain(kafka_broker_keys());
    let (distance, name) = names
        .map(|name| (distance(key, name), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= DISTANCE_MAX && distance < key.chars().count()).then_some(name)
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
