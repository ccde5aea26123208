//! Pauses between attempts.

use std::time::{Duration, Instant};

use crate::RetryPolicy;

/// The pauses of one operation.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    pause_max: Duration,
    deadline: Instant,
}

impl Backoff {
    /// Begins at the first attempt.
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self::starting_at(policy, Instant::now())
    }

    fn starting_at(policy: RetryPolicy, now: Instant) -> Self {
        Self {
            next: policy.pause_min,
            pause_max: policy.pause_max,
            deadline: now + policy.total_max,
        }
    }

    /// The pause before the next attempt, or `None` when the time is over.
    fn next_pause(&mut self, now: Instant) -> Option<Duration> {
        let left = self.deadline.checked_duration_since(now)?;
        let pause = self.next.min(left);
        self.next = self.next.saturating_mul(2).min(self.pause_max);
        (!left.is_zero()).then_some(pause)
    }

    /// Sleeps before the next attempt; `false` when there shall be none.
    pub(crate) fn pause(&mut self) -> bool {
        let pause = self.next_pause(Instant::now());
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        pause.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        pause_min: Duration::from_millis(10),
        pause_max: Duration::from_millis(40),
        total_max: Duration::from_millis(100),
    };

    #[test]
    fn pauses_double_up_to_the_longest() {
        let start = Instant::now();
        let mut backoff = Backoff::starting_at(POLICY, start);
        let pauses: Vec<_> = (0..4)
            .filter_map(|_| backoff.next_pause(start))
            .map(|pause| pause.as_millis())
            .collect();
        assert_eq!(pauses, [10, 20, 40, 40]);
    }

    #[test]
    fn pauses_end_with_the_time() {
        let start = Instant::now();
        let mut backoff = Backoff::starting_at(POLICY, start);
        let late = start + Duration::from_millis(95);
        assert_eq!(backoff.next_pause(late), Some(Duration::from_millis(5)));
        assert_eq!(backoff.next_pause(start + POLICY.total_max), None);
    }
}
