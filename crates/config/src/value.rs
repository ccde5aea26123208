//! Types and values of configuration keys, and Kafka's way to read and write them.
//!
//! Source: `org.apache.kafka.common.config.ConfigDef#parseType` and `#convertToString`.

use std::fmt;

/// The type of a key's values, with the number that `DescribeConfigs` carries.
///
/// Source: `org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigType {
    /// `true` or `false`, in any letter case.
    Boolean = 1,
    /// Text.
    String = 2,
    /// A whole number of 32 bits.
    Int = 3,
    /// A whole number of 16 bits.
    Short = 4,
    /// A whole number of 64 bits.
    Long = 5,
    /// A number.
    Double = 6,
    /// Texts with commas between them.
    List = 7,
}

impl ConfigType {
    /// The number in a `DescribeConfigs` response.
    #[must_use]
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// Kafka's name of the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
        }
    }

    /// Reads a text, white space around it apart.
    ///
    /// # Errors
    ///
    /// What the text would have to be, in Kafka's words.
    pub(crate) fn parse(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let not_a_number = || format!("Not a number of type {}", self.name());
        let whole = |min: i64, max: i64| match text.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(Value::Integer(number)),
            _ => Err(not_a_number()),
        };
        match self {
            Self::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            Self::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            Self::Boolean => Err("Expected value to be either true or false".to_owned()),
            Self::String => Ok(Value::Text(text.to_owned())),
            Self::Short => whole(i64::from(i16::MIN), i64::from(i16::MAX)),
            Self::Int => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
            Self::Long => whole(i64::MIN, i64::MAX),
            // Unlike Kafka, nothing that is not a number is taken for one: NaN is within every range.
            Self::Double => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Double(number)),
                _ => Err(not_a_number()),
            },
            Self::List if text.is_empty() => Ok(Value::List(Vec::new())),
            Self::List => Ok(Value::List(
                text.split(',').map(|item| item.trim().to_owned()).collect(),
            )),
        }
    }
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Kafka's null: nothing is set, and there is no default.
    Null,
    /// A [`ConfigType::Boolean`].
    Boolean(bool),
    /// A [`ConfigType::Short`], [`ConfigType::Int`] or [`ConfigType::Long`].
    Integer(i64),
    /// A [`ConfigType::Double`].
    Double(f64),
    /// A [`ConfigType::String`].
    Text(String),
    /// A [`ConfigType::List`].
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            // Debug keeps the ".0" of whole numbers, as Java does; Java's exponents have a capital E.
            Self::Double(value) => format!("{value:?}").replace('e', "E").fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::List(items) => items.join(",").fmt(f),
        }
    }
}

/// A Rust type that holds the values of a key.
pub(crate) trait FromValue {
    /// The key's type as Kafka names it.
    const TYPE: ConfigType;

    /// Takes a value that has passed the key's type and validator.
    fn from_value(value: &Value) -> Self;
}

const CHECKED: &str = "the value has passed the type and validator of its definition";

impl FromValue for bool {
    const TYPE: ConfigType = ConfigType::Boolean;

    fn from_value(value: &Value) -> Self {
        matches!(value, Value::Boolean(true))
    }
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
    .expect(CHECKED)
}

impl FromValue for i16 {
    const TYPE: ConfigType = ConfigType::Short;

    fn from_value(value: &Value) -> Self {
        Self::try_from(integer(value)).expect(CHECKED)
    }
}

impl FromValue for i32 {
    const TYPE: ConfigType = ConfigType::Int;

    fn from_value(value: &Value) -> Self {
        Self::try_from(integer(value)).expect(CHECKED)
    }
}

impl FromValue for i64 {
    const TYPE: ConfigType = ConfigType::Long;

    fn from_value(value: &Value) -> Self {
        integer(value)
    }
}

impl FromValue for f64 {
    const TYPE: ConfigType = ConfigType::Double;

    fn from_value(value: &Value) -> Self {
        match value {
            Value::Double(number) => Some(*number),
            _ => None,
        }
        .expect(CHECKED)
    }
}

impl FromValue for String {
    const TYPE: ConfigType = ConfigType::String;

    fn from_value(value: &Value) -> Self {
        value.to_string()
    }
}

impl FromValue for Vec<String> {
    const TYPE: ConfigType = ConfigType::List;

    fn from_value(value: &Value) -> Self {
        match value {
            Value::List(items) => items.clone(),
            _ => Self::new(),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const TYPE: ConfigType = T::TYPE;

    fn from_value(value: &Value) -> Self {
        (*value != Value::Null).then(|| T::from_value(value))
    }
}
