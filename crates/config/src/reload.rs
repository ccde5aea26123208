//! A changed file under a running broker: which of its values take effect at once, and which wait for a restart.
//!
//! A new configuration is taken whole or not at all: it must be possible by itself, as at a start, and so must what comes
//! of it together with the values that stay until a restart. What clients have set lies over either.

use crate::broker::{BrokerConfig, Hosts};
use crate::broker_keys::BROKER_DEFINITIONS;
use crate::definition::{Definition, UpdateMode};
use crate::dynamic::DynamicValues;
use crate::sources::{Setting, Sources};
use crate::{ConfigError, Warning};

/// What a new file makes of a running configuration.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// What holds from now on; its warnings are those that are new.
    pub config: BrokerConfig,
    /// What takes effect.
    pub changed: Vec<Change>,
    /// What takes effect at the next start only.
    pub postponed: Vec<Change>,
}

/// A key whose written value is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: &'static str,
    /// Its value until now; `None` where there was none.
    pub before: Option<String>,
    /// Its new value; `None` where there is none.
    pub after: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| match value.as_deref() {
            None => "nothing".to_owned(),
            Some("") => "empty".to_owned(),
            Some(value) => value.to_owned(),
        };
        let (before, after) = (text(&self.before), text(&self.after));
        write!(f, "{} from {before} to {after}", self.key)
    }
}

impl BrokerConfig {
    /// Reads what is written anew. It must be called on a configuration without values that clients have set.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with every impossible value: nothing of the new configuration holds then.
    pub fn reloaded(&self, sources: &Sources) -> Result<Reloaded, ConfigError> {
        let new = Self::from_sources(sources)?;
        let mut written = new.written.clone();
        let (mut changed, mut postponed) = (Vec::new(), Vec::new());
        for definition in BROKER_DEFINITIONS {
            let before = self.written.get(definition.name);
            let change = change(definition, before, new.written.get(definition.name));
            let Some(change) = change else { continue };
            if definition.update != UpdateMode::Restart {
                changed.push(change);
                continue;
            }
            postponed.push(change);
            match before {
                Some(setting) => written.insert(definition.name.to_owned(), setting.clone()),
                None => written.remove(definition.name),
            };
        }
        // With nothing postponed this is `new` itself, addresses of host names included.
        let hosts = Hosts::Known(&new.connections_per_ip);
        let mut config = Self::build(written, DynamicValues::default(), hosts)?;
        let is_known = |warning: &Warning| {
            let mut known = self.warnings.iter();
            known.any(|known| known.subject() == warning.subject())
        };
        config.warnings = new.warnings;
        config.warnings.retain(|warning| !is_known(warning));
        Ok(Reloaded {
            config,
            changed,
            postponed,
        })
    }
}

/// What is different, if the values are and not only their texts.
fn change(
    definition: &'static Definition,
    before: Option<&Setting>,
    after: Option<&Setting>,
) -> Option<Change> {
    let value = |setting: Option<&Setting>| match setting {
        None => definition.default_value(),
        Some(setting) => {
            let parsed = definition.parse(&setting.value);
            parsed.expect("both configurations were built from these settings")
        }
    };
    let text = |setting: Option<&Setting>| match setting {
        None => definition.default.map(str::to_owned),
        Some(_) => Some(value(setting).to_string()),
    };
    let is_same = value(before) == value(after);
    (!is_same).then(|| Change {
        key: definition.name,
        before: text(before),
        after: text(after),
    })
}
