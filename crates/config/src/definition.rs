//! What one configuration key is: its name, type, default, permitted values, and when a change takes effect.
//!
//! Keys are declared once, in [`crate::broker_keys`] and [`crate::topic_keys`], by the macro here, which makes both
//! the table and the struct of typed values out of the same rows. Messages follow Kafka's `ConfigException`, since
//! clients show them to people who know Kafka.
//!
//! Source: `org.apache.kafka.common.config.ConfigDef`.

use crate::value::{ConfigType, Value};

/// A key of `server.properties` or of a topic.
#[derive(Debug)]
pub struct Definition {
    /// The key, for example `log.segment.bytes`.
    pub name: &'static str,
    /// The type of its values.
    pub config_type: ConfigType,
    /// The value where none is set, as one would write it; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// Which values of the type are permitted.
    pub validator: Validator,
    /// When a change takes effect.
    pub update: UpdateMode,
    /// Whether Logan acts on the value.
    pub effect: Effect,
    /// The keys of `server.properties` that give a topic key its default, strongest first; empty for broker keys.
    pub broker_keys: &'static [BrokerKey],
    /// One or two sentences for people.
    pub documentation: &'static str,
}

/// A broker key that stands behind a topic key.
#[derive(Clone, Copy, Debug)]
pub struct BrokerKey {
    /// The broker key.
    pub name: &'static str,
    /// How many of the topic key's units one unit of the broker key has: 3,600,000 for hours behind milliseconds.
    pub factor: i64,
}

/// When a change of a broker key takes effect. `DescribeConfigs` reports all but the last one as "read-only".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    /// At the next start.
    Restart,
    /// At once when it is written in the file; clients cannot set it, as in Kafka.
    Reload,
    /// At once, whether it is written in the file or set by a client.
    Dynamic,
}

impl UpdateMode {
    /// Whether clients cannot change the value while the broker runs.
    pub(crate) fn is_read_only(self) -> bool {
        self != Self::Dynamic
    }

    /// In words, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Dynamic => "dynamic",
        }
    }
}

/// Whether Logan acts on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The value is acted on.
    Honoured,
    /// The value is checked, kept and described, and nothing acts on it yet.
    Stored,
    /// Nothing could act on it: every value but the default is refused, with the reason.
    Refused,
}

/// Which values of a key's type are permitted.
#[derive(Clone, Copy, Debug)]
pub enum Validator {
    /// All.
    Any,
    /// Whole numbers from `min` to `max`, both inclusive.
    Between(i64, i64),
    /// Numbers from `min` to `max`, both inclusive.
    BetweenDouble(f64, f64),
    /// One of these texts, in the letter case given.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any letter case.
    OneOfAnyCase(&'static [&'static str]),
    /// A list of these texts.
    ListOf(&'static [&'static str]),
    /// A list of at least one text, or a text of at least one character.
    NotEmpty,
    /// A whole number of the range, both ends inclusive, or -1.
    BetweenOrMinusOne(i64, i64),
    /// Whatever the function accepts; its error goes on after the key's name: "must be ...".
    Custom(fn(&Value) -> Result<(), String>),
}

/// Numbers from `min` on.
pub(crate) const fn at_least(min: i64) -> Validator {
    Validator::Between(min, i64::MAX)
}

/// Numbers from `min` to `max`, both inclusive.
pub(crate) const fn between(min: i64, max: i64) -> Validator {
    Validator::Between(min, max)
}

impl Definition {
    /// Parses and checks a text that somebody wrote for this key.
    ///
    /// # Errors
    ///
    /// Kafka's sentence for the fault, for example `Invalid value 0 for configuration num.partitions: Value must be
    /// at least 1`.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        self.parse_for(self.name, text)
    }

    /// As [`Definition::parse`], for a text that was written for the key `name`.
    pub(crate) fn parse_for(&self, name: &str, text: &str) -> Result<Value, String> {
        let value = self
            .config_type
            .parse(text)
            .map_err(|problem| sentence(name, text, &problem))?;
        check(self.validator, name, &value)?;
        Ok(value)
    }

    /// The parsed default.
    ///
    /// # Panics
    ///
    /// If the table's own default does not satisfy the table's own type and validator (a test holds the tables to it).
    #[must_use]
    pub fn default_value(&self) -> Value {
        match self.default {
            None => Value::Null,
            Some(text) => self
                .parse(text)
                .expect("the tables' defaults satisfy their own validators"),
        }
    }
}

fn sentence(name: &str, value: &str, problem: &str) -> String {
    format!("Invalid value {value} for configuration {name}: {problem}")
}

fn check(validator: Validator, name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Integer(number) => check_number(validator, *number)
            .map_err(|problem| sentence(name, &value.to_string(), &problem)),
        Value::List(items) => check_list(validator, name, items),
        _ => check_other(validator, name, value),
    }
}

fn check_number(validator: Validator, number: i64) -> Result<(), String> {
    match validator {
        Validator::Between(min, _) if number < min => Err(format!("Value must be at least {min}")),
        Validator::Between(_, max) if number > max => {
            Err(format!("Value must be no more than {max}"))
        }
        Validator::BetweenOrMinusOne(min, max)
            if number != -1 && !(min..=max).contains(&number) =>
        {
            Err(format!(
                "Value must be between {min} and {max} or equal to -1"
            ))
        }
        Validator::Custom(check) => {
            check(&Value::Integer(number)).map_err(|problem| format!("Value {problem}"))
        }
        _ => Ok(()),
    }
}

fn check_list(validator: Validator, name: &str, items: &[String]) -> Result<(), String> {
    if items.iter().any(String::is_empty) {
        return Err(format!("Configuration '{name}' values must not be empty."));
    }
    match validator {
        Validator::NotEmpty if items.is_empty() => Err(format!(
            "Configuration '{name}' must not be empty. Valid values include: any non-empty value"
        )),
        Validator::ListOf(texts) => match items.iter().find(|item| !texts.contains(&item.as_str()))
        {
            Some(item) => Err(sentence(name, item, &one_of(texts))),
            None => Ok(()),
        },
        Validator::Custom(check) => check(&Value::List(items.to_vec())).map_err(|problem| {
            sentence(
                name,
                &format!("[{}]", items.join(", ")),
                &format!("{name} {problem}"),
            )
        }),
        _ => Ok(()),
    }
}

fn check_other(validator: Validator, name: &str, value: &Value) -> Result<(), String> {
    let verdict = match (validator, value) {
        (Validator::BetweenDouble(min, _), Value::Double(number)) if *number < min => {
            Err(format!("Value must be at least {min}"))
        }
        (Validator::BetweenDouble(_, max), Value::Double(number)) if *number > max => {
            Err(format!("Value must be no more than {max}"))
        }
        (Validator::OneOf(texts), Value::Text(text)) if !texts.contains(&text.as_str()) => {
            Err(one_of(texts))
        }
        (Validator::OneOfAnyCase(texts), Value::Text(text))
            if !texts.contains(&text.to_ascii_uppercase().as_str()) =>
        {
            Err(format!(
                "String must be one of (case insensitive): {}",
                texts.join(", ")
            ))
        }
        (Validator::NotEmpty, Value::Text(text)) if text.is_empty() => {
            Err("String must be non-empty".to_owned())
        }
        (Validator::Custom(check), value) => {
            check(value).map_err(|problem| format!("{name} {problem}"))
        }
        _ => Ok(()),
    };
    verdict.map_err(|problem| sentence(name, &value.to_string(), &problem))
}

fn one_of(texts: &[&str]) -> String {
    format!("String must be one of: {}", texts.join(", "))
}

/// Declares keys: the table of [`Definition`]s, and the struct of their typed values.
macro_rules! keys {
    (
        $(#[$meta:meta])*
        pub struct $values:ident from $table:ident;
        $($name:literal => $field:ident: $kind:ty = $default:expr, $validator:expr, $update:ident, $effect:ident,
            [$($broker_key:literal * $factor:literal),*], $documentation:literal;)+
    ) => {
        /// The definitions of the keys, in the order of their names.
        pub static $table: &[$crate::definition::Definition] = &[$($crate::definition::Definition {
            name: $name,
            config_type: <$kind as $crate::value::FromValue>::TYPE,
            default: $default,
            validator: $validator,
            update: $crate::definition::UpdateMode::$update,
            effect: $crate::definition::Effect::$effect,
            broker_keys: &[$($crate::definition::BrokerKey { name: $broker_key, factor: $factor }),*],
            documentation: $documentation,
        }),+];

        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $values {
            $(#[doc = concat!("`", $name, "`: ", $documentation)] pub $field: $kind,)+
        }

        impl $values {
            /// Takes the values in the order of the table.
            pub(crate) fn from_values(values: &[$crate::value::Value]) -> Self {
                let mut values = values.iter();
                Self {
                    $($field: <$kind as $crate::value::FromValue>::from_value(
                        values.next().expect("one value for every row of the table"),
                    ),)+
                }
            }
        }
    };
}

pub(crate) use keys;
