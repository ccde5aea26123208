//! A shard's memory for requests that have not arrived in full, and for responses that have not left.
//!
//! Bytes are charged in steps as they arrive, not when a client announces them. When the budget is used up, one
//! connection at a time may go on beyond it (the *overdraft*), so that clients that hold half a frame each cannot
//! block one another for ever; memory is therefore bounded by the budget plus one frame of the largest size.
//! A client that stalls is closed by its minimum progress rate (see `connection::sweep`).

use std::cell::Cell;
use std::rc::Rc;

use io::sync::{Notify, Permit, Semaphore};
use protocol::ApiKey;
use protocol::wire::{MEMORY_BASE_BYTES, MEMORY_PER_FRAME_BYTE};

/// The budget; clones are handles of the same one.
#[derive(Clone, Debug)]
pub(crate) struct RequestBudget {
    shared: Rc<BudgetShared>,
}

#[derive(Debug)]
struct BudgetShared {
    limit_bytes: usize,
    used_bytes: Cell<usize>,
    overdraft_taken: Cell<bool>,
    freed: Notify,
}

/// The bytes that one frame has been charged so far. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Reservation {
    shared: Rc<BudgetShared>,
    bytes: usize,
    holds_overdraft: bool,
}

impl RequestBudget {
    /// Makes a budget of `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            shared: Rc::new(BudgetShared {
                limit_bytes,
                used_bytes: Cell::new(0),
                overdraft_taken: Cell::new(false),
                freed: Notify::new(),
            }),
        }
    }

    /// An empty reservation to be grown.
    pub(crate) fn reservation(&self) -> Reservation {
        Reservation {
            shared: Rc::clone(&self.shared),
            bytes: 0,
            holds_overdraft: false,
        }
    }

    /// Whether somebody has had to go beyond the budget, so that others may be waiting for it.
    pub(crate) fn is_short(&self) -> bool {
        self.shared.overdraft_taken.get()
    }

    /// Bytes charged now.
    #[cfg(test)]
    pub(crate) fn used_bytes(&self) -> usize {
        self.shared.used_bytes.get()
    }
}

impl Reservation {
    /// Charges `bytes` more, waiting until there is room or the overdraft is free. Cancellation charges nothing.
    pub(crate) async fn grow(&mut self, bytes: usize) {
        loop {
            let freed = self.shared.freed.notified();
            if self.try_grow(bytes) {
                return;
            }
            freed.await;
        }
    }

    /// Charges `bytes` more if that needs no waiting.
    pub(crate) fn try_grow(&mut self, bytes: usize) -> bool {
        let used = self.shared.used_bytes.get();
        let fits = used.saturating_add(bytes) <= self.shared.limit_bytes;
        if !fits && !self.holds_overdraft {
            if self.shared.overdraft_taken.get() {
                return false;
            }
            self.shared.overdraft_taken.set(true);
            self.holds_overdraft = true;
        }
        self.shared.used_bytes.set(used.saturating_add(bytes));
        self.bytes += bytes;
        true
    }

    /// The bytes charged so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes == 0 && !self.holds_overdraft {
            return;
        }
        self.shared
            .used_bytes
            .set(self.shared.used_bytes.get() - self.bytes);
        if self.holds_overdraft {
            self.shared.overdraft_taken.set(false);
        }
        self.shared.freed.notify_all();
    }
}

/// Frames up to this size are decoded without a charge: what they become is bounded by their number.
const DECODED_FREE_FRAME_BYTES: usize = 8 << 10;

/// Decoded requests up to this size keep no charge either.
const DECODED_FREE_BYTES: usize = 64 << 10;

/// A shard's memory for large requests between their decoding and their answer, by class: long polls wait for
/// appends, so neither may stand in the way of the other.
#[derive(Debug)]
pub(crate) struct DecodedBudget {
    request_max_bytes: usize,
    appends: Semaphore,
    fetches: Semaphore,
    others: Semaphore,
}

impl DecodedBudget {
    /// Makes budgets of `limit_bytes` for each class, of requests that take at most `request_max_bytes`.
    pub(crate) fn new(limit_bytes: usize, request_max_bytes: usize) -> Self {
        Self {
            request_max_bytes,
            appends: Semaphore::new(limit_bytes),
            fetches: Semaphore::new(limit_bytes),
            others: Semaphore::new(limit_bytes),
        }
    }

    /// Waits until a frame of `frame_bytes` may be decoded, and charges the most that it can become.
    pub(crate) async fn admit(&self, key: ApiKey, frame_bytes: usize) -> Option<Permit> {
        if frame_bytes <= DECODED_FREE_FRAME_BYTES {
            return None;
        }
        let class = match key {
            ApiKey::Produce => &self.appends,
            ApiKey::Fetch => &self.fetches,
            _ => &self.others,
        };
        let most = frame_bytes
            .saturating_mul(MEMORY_PER_FRAME_BYTE)
            .saturating_add(MEMORY_BASE_BYTES);
        Some(class.acquire(most.min(self.request_max_bytes)).await)
    }

    /// Gives back what the request, as it turned out, does not take.
    pub(crate) fn settle(charged: Option<Permit>, taken_bytes: usize) -> Option<Permit> {
        let mut charged = charged.filter(|_| taken_bytes > DECODED_FREE_BYTES)?;
        charged.release(charged.units().saturating_sub(taken_bytes));
        Some(charged)
    }
}

/// A shard's memory for encoded responses. How long an answer becomes is known when it is there, so it is charged then;
/// while that has gone beyond the limit, no further request that is answered at once is taken up. Clones are handles of the
/// same budget.
#[derive(Clone, Debug)]
pub(crate) struct AnswerBudget {
    shared: Rc<AnswersShared>,
}

#[derive(Debug)]
struct AnswersShared {
    limit_bytes: usize,
    used_bytes: Cell<usize>,
    freed: Notify,
}

/// What one response was charged. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct AnswerCharge {
    shared: Rc<AnswersShared>,
    bytes: usize,
}

impl AnswerBudget {
    /// Makes a budget of `limit_bytes`; one answer may go beyond it.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            shared: Rc::new(AnswersShared {
                limit_bytes,
                used_bytes: Cell::new(0),
                freed: Notify::new(),
            }),
        }
    }

    /// Waits until another answer may be made.
    pub(crate) async fn has_room(&self) {
        loop {
            let freed = self.shared.freed.notified();
            if !self.is_short() {
                return;
            }
            freed.await;
        }
    }

    /// Whether requests wait for answers to be sent.
    pub(crate) fn is_short(&self) -> bool {
        self.shared.used_bytes.get() >= self.shared.limit_bytes
    }

    /// Charges an answer of this length.
    pub(crate) fn charge(&self, bytes: usize) -> AnswerCharge {
        let used = &self.shared.used_bytes;
        used.set(used.get().saturating_add(bytes));
        AnswerCharge {
            shared: Rc::clone(&self.shared),
            bytes,
        }
    }
}

impl Drop for AnswerCharge {
    fn drop(&mut self) {
        let used = &self.shared.used_bytes;
        used.set(used.get() - self.bytes);
        self.shared.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::{AnswerBudget, RequestBudget};

    fn is_ready(future: impl Future) -> bool {
        pin!(future)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn one_stalled_client_beyond_the_budget_does_not_stop_the_others_for_ever() {
        let budget = RequestBudget::new(100);
        let mut first = budget.reservation();
        let mut second = budget.reservation();
        assert!(is_ready(first.grow(60)));
        assert!(is_ready(second.grow(40)));
        assert!(!budget.is_short());
        assert!(is_ready(first.grow(30)), "the first goes into overdraft");
        assert!(budget.is_short());
        assert!(!is_ready(second.grow(10)), "only one may");
        assert!(is_ready(first.grow(1_000)), "and it may finish");
        drop(first);
        assert!(!budget.is_short());
        assert!(is_ready(second.grow(10)));
        drop(second);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_cancelled_wait_charges_nothing() {
        let budget = RequestBudget::new(10);
        let mut overdrawn = budget.reservation();
        assert!(is_ready(overdrawn.grow(20)));
        let mut waiting = budget.reservation();
        assert!(!is_ready(waiting.grow(1)));
        assert_eq!(waiting.bytes(), 0);
        assert_eq!(budget.used_bytes(), 20);
    }

    #[test]
    fn answers_beyond_the_limit_hold_up_the_next_until_they_are_sent() {
        let budget = AnswerBudget::new(100);
        let first = budget.charge(90);
        assert!(is_ready(budget.has_room()));
        let second = budget.charge(1_000);
        assert!(!is_ready(budget.has_room()));
        drop(first);
        assert!(!is_ready(budget.has_room()));
        drop(second);
        assert!(is_ready(budget.has_room()));
    }
}
