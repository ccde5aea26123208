//! So many records a second and no more.

use std::time::{Duration, Instant};

/// Pauses that are shorter are not worth a flush: they are made up for by a later one.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// Holds a command to a rate.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Option<u32>,
    started: Instant,
    /// Records that may have gone, or are going now.
    records: u64,
}

impl Pace {
    /// At most `rate` records a second from now on; any number if there is none.
    pub(crate) fn new(rate: Option<u32>) -> Self {
        Self {
            rate,
            started: Instant::now(),
            records: 0,
        }
    }

    /// Whether [`Pace::pause`] is going to sleep, so that what is ready should go before.
    pub(crate) fn must_pause(&self) -> bool {
        self.ahead(self.started.elapsed()).is_some()
    }

    /// Sleeps until the next record may go, and counts it.
    pub(crate) fn pause(&mut self) {
        if let Some(pause) = self.ahead(self.started.elapsed()) {
            std::thread::sleep(pause);
        }
        self.records += 1;
    }

    /// How much too early the next record would be after `elapsed`.
    fn ahead(&self, elapsed: Duration) -> Option<Duration> {
        let rate = u128::from(self.rate?);
        let due_ns = u128::from(self.records) * 1_000_000_000 / rate;
        let early_ns = due_ns.checked_sub(elapsed.as_nanos())?;
        let early = Duration::from_nanos(u64::try_from(early_ns).unwrap_or(u64::MAX));
        (early >= PAUSE_MIN).then_some(early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(rate: Option<u32>, records: u64, elapsed_ms: u64) -> Option<Duration> {
        let pace = Pace {
            records,
            ..Pace::new(rate)
        };
        pace.ahead(Duration::from_millis(elapsed_ms))
    }

    #[test]
    fn a_record_waits_for_its_turn() {
        assert_eq!(ahead(Some(10), 0, 0), None);
        assert_eq!(ahead(Some(10), 1, 0), Some(Duration::from_millis(100)));
        assert_eq!(ahead(Some(10), 5, 450), Some(Duration::from_millis(50)));
        assert_eq!(ahead(Some(10), 5, 500), None);
    }

    #[test]
    fn what_came_late_is_made_up_for() {
        assert_eq!(ahead(Some(1000), 50, 10_000), None);
    }

    #[test]
    fn no_rate_is_no_pause() {
        assert_eq!(ahead(None, u64::MAX, 0), None);
    }

    #[test]
    fn short_pauses_are_saved_up() {
        assert_eq!(ahead(Some(1000), 5, 0), None);
        assert_eq!(ahead(Some(1000), 10, 0), Some(PAUSE_MIN));
    }
}
