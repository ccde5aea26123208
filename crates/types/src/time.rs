//! Wall-clock times and spans as Kafka writes them: whole milliseconds.

use std::fmt;

/// A wall-clock time in milliseconds since the Unix epoch; [`TimestampMs::NONE`] (-1) is "no timestamp".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// Kafka's "no timestamp".
    pub const NONE: Self = Self(-1);
}

impl fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A span in whole milliseconds. Kafka's configurations use -1 or `i64::MAX` for "unlimited".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationMs(pub i64);
