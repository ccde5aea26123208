//! The clocks. Readings of the monotonic clock are comparable between the shards of the process.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use types::TimestampMs;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The monotonic time since its first use in this process.
#[must_use]
pub fn now() -> io::Instant {
    io::Instant(0) + START.elapsed()
}

/// The wall clock; a time before 1970 reads as 0.
pub(crate) fn wall_clock() -> TimestampMs {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    TimestampMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
