//! Waiting for what happens in another process.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until `condition` holds; `false` when `time_max` passes without.
pub fn within(time_max: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time_max;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Waits until `look` finds something; `None` when `time_max` passes without.
pub fn eventually<T>(time_max: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let mut found = None;
    within(time_max, || {
        found = look();
        found.is_some()
    });
    found
}
