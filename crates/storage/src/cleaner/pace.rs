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
const BURST: Duration = Duration::from_millis(100);

/// How soon a pass that waits sees that its log stops, or that the rate has changed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The bytes of all passes of a shard, at a rate that may change at any time: what is owed then counts at the new one.
#[derive(Debug)]
pub(crate) struct Throttle {
    bytes_per_second_max: Cell<f64>,
    /// Bytes that time has not paid for yet; below 0 what was saved up.
    owed_bytes: Cell<f64>,
    /// The time until which `owed_bytes` counts.
    settled_at: Cell<Instant>,
}

impl Throttle {
    pub(crate) fn new(bytes_per_second_max: f64) -> Self {
        let throttle = Self {
            bytes_per_second_max: Cell::default(),
            owed_bytes: Cell::default(),
            settled_at: Cell::default(),
        };
        throttle.set_rate(bytes_per_second_max);
        throttle
    }

    /// Takes another rate, which counts from the next look on.
    pub(crate) fn set_rate(&self, bytes_per_second_max: f64) {
        self.bytes_per_second_max.set(bytes_per_second_max.max(1.0));
    }

    /// Counts `bytes`.
    fn spend(&self, bytes: u64, now: Instant) {
        self.settle(now);
        #[expect(clippy::cast_precision_loss, reason = "precise enough for a rate")]
        let bytes = bytes as f64;
        self.owed_bytes.set(self.owed_bytes.get() + bytes);
    }

    /// How long to wait, at the rate of this moment.
    fn wait(&self, now: Instant) -> Duration {
        self.settle(now);
        let seconds = self.owed_bytes.get().max(0.0) / self.bytes_per_second_max.get();
        // A span of centuries is cut.
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    fn settle(&self, now: Instant) {
        let rate = self.bytes_per_second_max.get();
        let elapsed = now.saturating_since(self.settled_at.replace(now));
        let paid = elapsed.as_secs_f64() * rate;
        let saved_max = BURST.as_secs_f64() * rate;
        let owed_bytes = (self.owed_bytes.get() - paid).max(-saved_max);
        self.owed_bytes.set(owed_bytes);
    }
}

/// The pace of one pass.
pub(crate) struct Pace<'a, I: Io> {
    log: &'a LogInner<I>,
    throttle: &'a Throttle,
    slice_began: Instant,
    steps: u32,
}

impl<'a, I: Io> Pace<'a, I> {
    pub(crate) fn new(log: &'a LogInner<I>, throttle: &'a Throttle) -> Self {
        Self {
            slice_began: log.shard.io().now(),
            log,
            throttle,
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
        self.throttle.spend(bytes, io.now());
        loop {
            let wait = self.throttle.wait(io.now());
            if wait.is_zero() {
                break;
            }
            io.sleep_until(io.now() + wait.min(LOOK_AGAIN)).await;
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

    const START: Instant = Instant(100_000_000_000);

    /// To the millisecond.
    fn wait_ms(throttle: &Throttle, now: Instant) -> u128 {
        (throttle.wait(now) + Duration::from_micros(500)).as_millis()
    }

    #[test]
    fn bytes_are_paid_for_by_time_and_rest_saves_only_a_burst() {
        let throttle = Throttle::new(1e6);
        throttle.spend(1_000_000, START);
        let saved = BURST.as_millis();
        assert_eq!(wait_ms(&throttle, START), 1000 - saved);
        throttle.spend(500_000, START);
        assert_eq!(wait_ms(&throttle, START), 1500 - saved);
        let later = START + Duration::from_secs(60);
        throttle.spend(10, later);
        assert_eq!(throttle.wait(later), Duration::ZERO);
        throttle.set_rate(f64::MAX);
        throttle.spend(u64::MAX, later);
        assert_eq!(throttle.wait(later), Duration::ZERO);
    }

    #[test]
    fn what_is_owed_counts_at_the_rate_of_the_moment() {
        let throttle = Throttle::new(1.0);
        throttle.spend(1_000_000, START);
        assert!(throttle.wait(START) > Duration::from_secs(900_000));
        throttle.set_rate(1e6);
        assert_eq!(wait_ms(&throttle, START), 1000);
        throttle.set_rate(1e5);
        assert_eq!(wait_ms(&throttle, START), 10_000);
    }
}
