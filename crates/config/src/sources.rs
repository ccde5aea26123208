//! Where values come from: the embedded development configuration or a file, the environment over it, and `--override`
//! over both.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::ConfigError;
use crate::environment::UnknownVariable;
use crate::file;
use crate::measured::Unmeasured;
use crate::properties;

/// The configuration of a broker that is started without a file.
const DEVELOPMENT: &str = include_str!("../development.properties");

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On this line of the configuration that is built in for a start without a file.
    Development(usize),
    /// In this file, on this line.
    File(Arc<str>, usize),
    /// In this environment variable.
    Environment(Arc<str>),
    /// In an `--override` argument.
    Override,
    /// By a client while brokers ran, for all of them.
    Cluster,
    /// By a client while this broker ran, for it alone.
    Broker,
    /// Nowhere: Kafka's or Logan's default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Development(line) => write!(f, "built-in development configuration:{line}"),
            Self::File(path, line) => write!(f, "{path}:{line}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Override => f.write_str("--override"),
            Self::Cluster => f.write_str("set for all brokers"),
            Self::Broker => f.write_str("set for this broker"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The text, not checked yet.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

/// Everything that was written, the strongest source of each key: what is added later beats what is there, and a later
/// line of a file an earlier one, as in Kafka. The order is: file, environment, overrides; what was measured of the disks
/// ([`Sources::add_measured`]) lies below them all, and is added last.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub(crate) settings: BTreeMap<String, Setting>,
    pub(crate) shadowed: Vec<(String, Setting)>,
    pub(crate) unknown_variables: Vec<UnknownVariable>,
    pub(crate) unmeasured: Vec<Unmeasured>,
}

impl Sources {
    /// No source: every key has its default.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The built-in configuration of a start without a file: loopback only, `./logan-data`, little memory.
    ///
    /// # Panics
    ///
    /// If the text that is compiled in were no `.properties` file (a test reads it).
    #[must_use]
    pub fn development() -> Self {
        let mut sources = Self::empty();
        let properties = properties::parse(DEVELOPMENT).expect("the embedded text is valid");
        for property in properties {
            let origin = Origin::Development(property.line);
            sources.set(
                property.key,
                Setting {
                    value: property.value,
                    origin,
                },
            );
        }
        sources
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Read`], [`ConfigError::NoConfiguration`] and [`ConfigError::Syntax`], naming the file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = file::read_text(path)?;
        Self::from_text(&path.display().to_string(), &text)
    }

    /// Reads a text as if it stood in the file `name`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Syntax`].
    pub fn from_text(name: &str, text: &str) -> Result<Self, ConfigError> {
        let path: Arc<str> = name.into();
        let mut sources = Self::empty();
        let properties = properties::parse(text).map_err(|source| ConfigError::Syntax {
            path: name.to_owned(),
            source,
        })?;
        for property in properties {
            let origin = Origin::File(Arc::clone(&path), property.line);
            let setting = Setting {
                value: property.value,
                origin,
            };
            if let Some(earlier) = sources.set(property.key.clone(), setting) {
                sources.shadowed.push((property.key, earlier));
            }
        }
        Ok(sources)
    }

    /// Adds what `--override` says: `key=value`. A later override of a key beats an earlier one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Override`] if there is no `=` or nothing before it.
    pub fn add_override(&mut self, argument: &str) -> Result<(), ConfigError> {
        match argument.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let setting = Setting {
                    value: value.trim().to_owned(),
                    origin: Origin::Override,
                };
                self.set(key.trim().to_owned(), setting);
                Ok(())
            }
            _ => Err(ConfigError::Override {
                argument: argument.to_owned(),
            }),
        }
    }

    pub(crate) fn set(&mut self, key: String, setting: Setting) -> Option<Setting> {
        self.settings.insert(key, setting)
    }
}
