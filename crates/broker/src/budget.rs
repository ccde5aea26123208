//! A shard's memory for requests that have not arrived in full.
//!
//! Bytes are charged in steps as they arrive, not when a client announces them. When the budget is used up, one
//! connection at a time may go on beyond it (the *overdraft*), so that clients that hold half a frame each cannot
//! block one another for ever; memory is therefore bounded by the budget plus one frame of the largest size.
//! A client that stalls is closed by its minimum progress rate (see `connection::sweep`).

use std::cell::Cell;
use std::rc::Rc;

use io::sync::Notify;

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

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::RequestBudget;

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
}
