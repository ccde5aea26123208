//! What threads tell each other through atomics: that there is news, that something happens, and when a shard answered.
//!
//! Pure protocols without clocks and channels. The tests in `tests/loom` compile this file with loom's atomics and go through
//! the orders in which threads may see them.

use crate::atomics::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Delays are counted in powers of two of a microsecond; the last bucket holds what is longer.
pub(crate) const BUCKETS: usize = 32;

/// Whether somebody has been told that there is news, and has not looked yet.
#[derive(Debug, Default)]
pub(crate) struct Pending(AtomicBool);

impl Pending {
    /// Notes news that was made before; whether somebody is to be told of it. If not, who is told already will see it.
    pub(crate) fn raise(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// From here on other news is to be told. Who looks at the news afterwards sees all that was not told anew: a plain
    /// store would not do, since the look could come before it.
    pub(crate) fn take(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}

/// The watchdog pings seldom.
const CALM: u8 = 0;
/// Nothing has happened since the last ping.
const QUIET: u8 = 1;
/// Something has.
const BUSY: u8 = 2;

/// Whether anything has happened since the watchdog last looked, and whether it waits to be called.
#[derive(Debug, Default)]
pub(crate) struct Stir(AtomicU8);

impl Stir {
    /// Notes that something has happened; whether the watchdog is to be called. Costs a load while it happens all the time:
    /// one that is out of date misses a beginning that the watchdog then sees with its next look, in its own time.
    pub(crate) fn note(&self) -> bool {
        self.0.load(Ordering::Relaxed) != BUSY && self.0.swap(BUSY, Ordering::AcqRel) == CALM
    }

    /// Goes over to waiting for a call, unless something has happened; whether it did.
    pub(crate) fn settle(&self) -> bool {
        let settled = self
            .0
            .compare_exchange(QUIET, CALM, Ordering::AcqRel, Ordering::Acquire);
        settled.is_ok()
    }

    /// Whether something has happened since the last look.
    pub(crate) fn look(&self) -> bool {
        self.0.swap(QUIET, Ordering::AcqRel) == BUSY
    }

    /// Whether the watchdog waits to be called.
    #[cfg(test)]
    pub(crate) fn is_calm(&self) -> bool {
        self.0.load(Ordering::Acquire) == CALM
    }
}

/// Pings of the watchdog, and how late their shard saw them. All times in nanoseconds of the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    /// When the last ping was sent; 0 before the first.
    sent_at: AtomicU64,
    /// The last ping that the shard saw.
    seen: AtomicU64,
    /// How late it was seen.
    delay: AtomicU64,
    ended: AtomicBool,
}

impl Beats {
    /// The watchdog's side: the last ping and how late it was seen, if it was; `None` for the latter if it is open.
    pub(crate) fn last(&self) -> (u64, Option<u64>) {
        // Only the watchdog changes it.
        let sent_at = self.sent_at.load(Ordering::Relaxed);
        // With the ping comes its delay.
        let is_seen = self.seen.load(Ordering::Acquire) == sent_at;
        let delay = is_seen.then(|| self.delay.load(Ordering::Relaxed));
        (sent_at, delay)
    }

    /// The watchdog's side: sends the next ping.
    pub(crate) fn send(&self, now: u64) {
        self.sent_at.store(now.max(1), Ordering::Release);
    }

    /// The shard's side: sees the last ping, and how late. `now` is asked for only if it has not been seen before.
    pub(crate) fn answer(&self, now: impl FnOnce() -> u64) -> Option<u64> {
        let sent_at = self.sent_at.load(Ordering::Acquire);
        if sent_at == self.seen.load(Ordering::Relaxed) {
            return None;
        }
        let delay = now().saturating_sub(sent_at);
        self.delay.store(delay, Ordering::Relaxed);
        self.seen.store(sent_at, Ordering::Release);
        Some(delay)
    }

    /// The shard has ended in order.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether it has.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Anybody's side: how long the shard has not answered by `now`; nothing after it has ended in order.
    pub(crate) fn silence(&self, now: u64) -> u64 {
        // In this order: an answer to an earlier ping than the one that is looked at must not count for it.
        let seen = self.seen.load(Ordering::Acquire);
        let sent_at = self.sent_at.load(Ordering::Acquire);
        if seen == sent_at || self.has_ended() {
            return 0;
        }
        now.saturating_sub(sent_at)
    }
}

/// Counts of delays, which one thread adds to and any reads.
#[derive(Debug, Default)]
pub(crate) struct DelayCounts {
    counts: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
    max_nanos: AtomicU64,
    stalls: AtomicU64,
}

/// What was counted, as of one moment but for what is being added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) counts: [u64; BUCKETS],
    pub(crate) sum_nanos: u64,
    pub(crate) max_nanos: u64,
    pub(crate) stalls: u64,
}

impl DelayCounts {
    pub(crate) fn add(&self, delay_nanos: u64, is_stall: bool) {
        let micros = delay_nanos / 1000;
        let bucket = usize::try_from(u64::BITS - micros.leading_zeros()).unwrap_or(BUCKETS);
        self.counts[bucket.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(delay_nanos, Ordering::Relaxed);
        self.max_nanos.fetch_max(delay_nanos, Ordering::Relaxed);
        if is_stall {
            // Last, and with `Release`: who sees a stall sees its length too.
            self.stalls.fetch_add(1, Ordering::Release);
        }
    }

    pub(crate) fn read(&self) -> Counted {
        let stalls = self.stalls.load(Ordering::Acquire);
        Counted {
            stalls,
            counts: self
                .counts
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed)),
            sum_nanos: self.sum_nanos.load(Ordering::Relaxed),
            max_nanos: self.max_nanos.load(Ordering::Relaxed),
        }
    }
}
