//! How long a task may keep its shard to itself.
//!
//! While any task of a shard can run, its reactor polls the rings only every 100 ms. A task that serves one request
//! after the other therefore steps aside when it has used up its slice. Lives on a shard's thread; knows the time and
//! nothing else: the stepping aside is its owner's.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use io::{Instant, Io};

/// How long a task may serve requests before it lets the reactor poll.
const TIME_SLICE: Duration = Duration::from_micros(100);

/// The slice of one task.
#[derive(Debug)]
pub(crate) struct TimeSlice<C> {
    clock: C,
    began: Instant,
}

impl<C: Fn() -> Instant> TimeSlice<C> {
    /// Begins now.
    pub(crate) fn new(clock: C) -> Self {
        let began = clock();
        Self { clock, began }
    }

    /// Begins again, after the reactor has polled.
    pub(crate) fn restart(&mut self) {
        self.began = (self.clock)();
    }

    /// Whether it is time to step aside.
    pub(crate) fn is_used_up(&self) -> bool {
        (self.clock)().saturating_since(self.began) > TIME_SLICE
    }

    /// Awaits what the reactor brings (a socket's bytes, another shard's message), and begins again if that took
    /// waiting: stepping aside once more would only cost a turn of the reactor.
    ///
    /// Cancellation leaves the slice as it was.
    pub(crate) async fn wait<T>(&mut self, arrival: impl Future<Output = T>) -> T {
        let mut arrival = pin!(arrival);
        let mut has_waited = false;
        let value = poll_fn(|context| {
            let poll = arrival.as_mut().poll(context);
            has_waited |= poll.is_pending();
            poll
        })
        .await;
        if has_waited {
            self.restart();
        }
        value
    }
}

/// Steps between two looks at the clock.
const STEPS_PER_LOOK: u32 = 16;

/// The slice of a loop over the parts of one request, of which there may be very many.
pub(crate) struct Steps<I: Io> {
    io: I,
    slice: Duration,
    began: Instant,
    count: u32,
}

impl<I: Io> Steps<I> {
    /// Begins now.
    pub(crate) fn new(io: &I) -> Self {
        Self::lasting(io, TIME_SLICE)
    }

    /// Begins now, with a slice of its own: each stepping aside costs about a usual slice itself.
    pub(crate) fn lasting(io: &I, slice: Duration) -> Self {
        Self {
            io: io.clone(),
            slice,
            began: io.now(),
            count: 0,
        }
    }

    /// To be called for every part: lets the reactor poll when the slice is used up.
    pub(crate) async fn step(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(STEPS_PER_LOOK) {
            self.look().await;
        }
    }

    /// To be called between parts that take some microseconds each: lets the reactor poll when the slice is used up.
    pub(crate) async fn look(&mut self) {
        if self.io.now().saturating_since(self.began) > self.slice {
            self.io.reschedule().await;
            self.began = self.io.now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{poll_fn, ready};
    use std::task::Poll;
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use io::Instant;

    use super::{TIME_SLICE, TimeSlice};

    const STEP: Duration = Duration::from_nanos(1);

    #[test]
    fn what_is_there_already_counts_against_the_slice() {
        let now = Cell::new(Instant(0));
        let mut slice = TimeSlice::new(|| now.get());
        now.set(now.get() + TIME_SLICE);
        assert!(!slice.is_used_up());

        now.set(now.get() + STEP);
        slice.wait(ready(())).now_or_never().expect("is ready");

        assert!(slice.is_used_up());
        slice.restart();
        assert!(!slice.is_used_up());
    }

    #[test]
    fn waiting_begins_a_new_slice() {
        let now = Cell::new(Instant(0));
        let mut slice = TimeSlice::new(|| now.get());
        let mut has_waited = false;
        let arrival = poll_fn(|_| {
            now.set(now.get() + TIME_SLICE + STEP);
            if std::mem::replace(&mut has_waited, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        {
            let mut waiting = std::pin::pin!(slice.wait(arrival));
            assert_eq!(waiting.as_mut().now_or_never(), None);
            waiting.now_or_never().expect("has arrived");
        }
        assert!(!slice.is_used_up());
    }
}
