//! How fast a pass may go: a slice of the shard's time, then everybody else's turn; and so many bytes a second.
//!
//! While any task of a shard can run its reactor rarely polls, so a pass waits on the reactor after each slice.

use std::cell::Cell;
use std::time::Duration;

use io::{Instant, Io};

use super::error::CleaningError;
use crate::log::LogInner;

/// How long a pass may go on before it lets others run.
const SLICE: Duration = Duration::from_micros(100);

/// Steps of a slice at most, whatever the clock says.
const STEPS_MAX: u32 = 4096;

/// Steps between two looks at the clock.
const STEPS_A_LOOK: u32 = 32;

/// What a pass may have saved up, so that it need not wait for every buffer.
const BURST: Duration = Duration::from_nanos(BURST_NANOS);
const BURST_NANOS: u64 = 100_000_000;

/// The bytes of all passes of a shard.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When the bytes so far are paid for.
    paid_at: Cell<Instant>,
}

impl Throttle {
    /// Counts `bytes`; returns when to go on.
    fn spend(&self, bytes: u64, bytes_per_second_max: f64, now: Instant) -> Instant {
        // Precise enough for a rate, and a span of centuries is cut.
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let seconds = bytes as f64 / bytes_per_second_max.max(1.0);
        let cost = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let earliest = Instant(now.0.saturating_sub(BURST_NANOS));
        let paid_at = self.paid_at.get().max(earliest) + cost;
        self.paid_at.set(paid_at);
        paid_at
    }
}

/// The pace of one pass.
pub(crate) struct Pace<'a, I: Io> {
    log: &'a LogInner<I>,
    throttle: &'a Throttle,
    bytes_per_second_max: f64,
    slice_began: Instant,
    steps: u32,
}

impl<'a, I: Io> Pace<'a, I> {
    pub(crate) fn new(
        log: &'a LogInner<I>,
        throttle: &'a Throttle,
        bytes_per_second_max: f64,
    ) -> Self {
        Self {
            slice_began: log.shard.io().now(),
            log,
            throttle,
            bytes_per_second_max,
            steps: 0,
        }
    }

    /// Counts a step as short as looking at one record. Returns whether it is time for [`Pace::turn`].
    pub(crate) fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps.is_multiple_of(STEPS_A_LOOK) && self.is_used_up()
    }

    fn is_used_up(&self) -> bool {
        let now = self.log.shard.io().now();
        self.steps >= STEPS_MAX || now.saturating_since(self.slice_began) >= SLICE
    }

    /// Lets others run if the slice is used up. To be called after each step that may be long.
    ///
    /// # Errors
    /// [`CleaningError::Stopped`] when the log has stopped.
    pub(crate) async fn turn(&mut self) -> Result<(), CleaningError> {
        if self.is_used_up() {
            self.log.shard.io().reschedule().await;
            self.restart();
        }
        self.check_running()
    }

    /// Counts bytes read or written, and waits as long as the rate demands.
    ///
    /// # Errors
    /// As for [`Pace::turn`].
    pub(crate) async fn spend(&mut self, bytes: u64) -> Result<(), CleaningError> {
        let io = self.log.shard.io();
        let go_on_at = self
            .throttle
            .spend(bytes, self.bytes_per_second_max, io.now());
        while io.now() < go_on_at {
            // A log that stops does not wait for its cleaner.
            let next_look = io.now() + BURST;
            io.sleep_until(go_on_at.min(next_look)).await;
            self.check_running()?;
        }
        self.restart();
        self.check_running()
    }

    fn restart(&mut self) {
        self.slice_began = self.log.shard.io().now();
        self.steps = 0;
    }

    fn check_running(&self) -> Result<(), CleaningError> {
        if self.log.state.borrow().must_not_clean() {
            return Err(CleaningError::Stopped);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use io::Instant;

    use super::{BURST, Throttle};

    #[test]
    fn bytes_are_paid_for_by_time_and_rest_saves_only_a_burst() {
        let throttle = Throttle::default();
        let start = Instant(0) + Duration::from_secs(100);
        let after = throttle.spend(1_000_000, 1e6, start);
        assert_eq!(after, start + (Duration::from_secs(1) - BURST));
        assert_eq!(
            throttle.spend(500_000, 1e6, start),
            after + Duration::from_millis(500)
        );
        let later = start + Duration::from_secs(60);
        assert!(throttle.spend(10, 1e6, later) < later);
        assert!(throttle.spend(u64::MAX, f64::MAX, later) < later + BURST);
    }
}
