//! Values of options: spans of time, sizes, cores.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A span of time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = humantime::parse_duration(text);
        span.map(Self)
            .map_err(|error| format!("{error}; write 500ms, 30s or 2m"))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A span that something is repeated by.
pub(crate) fn parse_span_above_zero(text: &str) -> Result<Span, String> {
    command_line::parse_duration(text).map(Span)
}

/// The cores of the worker threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// The last ones that the process may use: brokers take the first.
    Auto,
    /// Threads are not pinned.
    None,
    List(Vec<usize>),
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            list => {
                let cores: Result<Vec<usize>, _> = list.split(',').map(str::parse).collect();
                cores
                    .map(Self::List)
                    .or(Err("write auto, none or a list such as 2,3".to_owned()))
            }
        }
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::List(cores) => {
                let cores: Vec<String> = cores.iter().map(ToString::to_string).collect();
                f.write_str(&cores.join(","))
            }
        }
    }
}

impl Serialize for Cores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number of bytes, such as 65536, 64KiB or 2GB.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    let text = text.trim();
    let unit = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (digits, factor) = unit.unwrap_or((text, 1));
    let number = digits.trim().replace('_', "").parse::<u64>().ok();
    number
        .filter(|number| *number > 0)
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "write a number of bytes such as 65536, 64KiB or 2GB".to_owned())
}

/// How many times smaller a codec makes records.
pub(crate) fn parse_ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse::<f64>().ok();
    ratio
        .filter(|ratio| (1.0..=64.0).contains(ratio))
        .ok_or_else(|| "write a number from 1 (nothing to gain) to 64".to_owned())
}

/// How sure one must be.
pub(crate) fn parse_confidence(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok();
    share
        .filter(|share| *share > 0.5 && *share < 1.0)
        .ok_or_else(|| "write a number above 0.5 and below 1, such as 0.95".to_owned())
}

/// A share in percent.
pub(crate) fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = text.trim_end_matches('%').parse::<f64>().ok();
    percent
        .filter(|percent| (0.0..100.0).contains(percent))
        .ok_or_else(|| "write a number from 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("2 GB"), Ok(2_000_000_000));
        assert_eq!(parse_bytes("1_000"), Ok(1000));
        for wrong in ["", "0", "-1", "5 parsecs", "99999999999GiB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_and_cores_are_written_as_they_are_read() {
        assert_eq!(
            "1m 30s".parse::<Span>().map(|span| span.to_string()),
            Ok("1m 30s".to_owned())
        );
        for text in ["auto", "none", "1,2"] {
            assert_eq!(
                text.parse::<Cores>().map(|cores| cores.to_string()),
                Ok(text.to_owned())
            );
        }
        assert!("a".parse::<Cores>().is_err());
    }
}
