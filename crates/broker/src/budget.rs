//! A shard's memory for requests that have not arrived in full, and for responses that have not left.
//!
//! Bytes are charged in steps as they arrive, not when a client announces them. When the budget is used up, one
//! connection at a time may go on beyond it (the *overdraft*), so that clients that hold half a frame each cannot
//! block one another for ever; memory is therefore bounded by the budget plus one frame of the largest size.
//! A client that stalls is closed by its minimum progress rate (see `connection::sweep`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
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
    pub(crate) fn used_bytes(&self) -> usize {
        self.shared.used_bytes.get()
    }

    /// Bytes that may be charged.
    pub(crate) fn limit_bytes(&self) -> usize {
        self.shared.limit_bytes
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
    limit_bytes: usize,
    appends: Semaphore,
    fetches: Semaphore,
    others: Semaphore,
}

impl DecodedBudget {
    /// Makes budgets of `limit_bytes` for each class, of requests that take at most `request_max_bytes`.
    pub(crate) fn new(limit_bytes: usize, request_max_bytes: usize) -> Self {
        Self {
            request_max_bytes,
            limit_bytes,
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

    /// Bytes charged now, and how many may be, over all classes.
    pub(crate) fn used_and_limit_bytes(&self) -> (usize, usize) {
        let classes = [&self.appends, &self.fetches, &self.others];
        let left: usize = classes.iter().map(|class| class.available()).sum();
        let limit = classes.len() * self.limit_bytes;
        (limit.saturating_sub(left), limit)
    }

    /// Gives back what the request, as it turned out, does not take.
    pub(crate) fn settle(charged: Option<Permit>, taken_bytes: usize) -> Option<Permit> {
        let mut charged = charged.filter(|_| taken_bytes > DECODED_FREE_BYTES)?;
        charged.release(charged.units().saturating_sub(taken_bytes));
        Some(charged)
    }
}

/// The part of the memory for responses that one address may take before it waits for its own to be sent.
const ANSWERS_PART_OF_ADDRESS: usize = 2;

/// Descriptions of groups that are made at once: each may become long, and none is charged before it is there.
const LISTINGS_MAX: usize = 4;

/// A shard's memory for encoded responses. How long an answer becomes is known when it is there, so it is charged then;
/// while that has gone beyond the limit, no further request of the same class is taken up, and none of an address that
/// has half of it. An address to which no answer is on its way does not wait for those that do not read theirs: memory is
/// bounded by the limit and one answer for each address. Clones are handles of the same budget.
#[derive(Clone, Debug)]
pub(crate) struct AnswerBudget {
    shared: Rc<AnswersShared>,
}

#[derive(Debug)]
struct AnswersShared {
    limit_bytes: usize,
    used_bytes: Cell<usize>,
    /// The parts of it, of those addresses that have any.
    by_address: RefCell<BTreeMap<IpAddr, usize>>,
    waiting: Cell<usize>,
    freed: Notify,
}

/// What one response was charged. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct AnswerCharge {
    shared: Rc<AnswersShared>,
    address: IpAddr,
    bytes: usize,
}

/// Somebody waits, until this is dropped.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn count(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl AnswerBudget {
    /// Makes a budget of `limit_bytes`; one answer may go beyond it.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            shared: Rc::new(AnswersShared {
                limit_bytes,
                used_bytes: Cell::new(0),
                by_address: RefCell::default(),
                waiting: Cell::new(0),
                freed: Notify::new(),
            }),
        }
    }

    /// Waits until another answer to `address` may be made.
    pub(crate) async fn has_room(&self, address: IpAddr) {
        let mut waiting = None;
        loop {
            let freed = self.shared.freed.notified();
            if self.has_room_now(address) {
                return;
            }
            waiting.get_or_insert_with(|| Waiting::count(&self.shared.waiting));
            freed.await;
        }
    }

    fn has_room_now(&self, address: IpAddr) -> bool {
        let limit = self.shared.limit_bytes;
        let Some(own) = self.shared.by_address.borrow().get(&address).copied() else {
            return true;
        };
        self.shared.used_bytes.get() < limit && own < limit / ANSWERS_PART_OF_ADDRESS
    }

    /// Whether requests wait for answers to be sent.
    pub(crate) fn is_short(&self) -> bool {
        self.shared.waiting.get() > 0
    }

    /// Charges an answer of this length.
    pub(crate) fn charge(&self, address: IpAddr, bytes: usize) -> AnswerCharge {
        let used = &self.shared.used_bytes;
        used.set(used.get().saturating_add(bytes));
        *self
            .shared
            .by_address
            .borrow_mut()
            .entry(address)
            .or_default() += bytes;
        AnswerCharge {
            shared: Rc::clone(&self.shared),
            address,
            bytes,
        }
    }
}

impl Drop for AnswerCharge {
    fn drop(&mut self) {
        let used = &self.shared.used_bytes;
        used.set(used.get() - self.bytes);
        let mut by_address = self.shared.by_address.borrow_mut();
        if let Some(own) = by_address.get_mut(&self.address) {
            *own -= self.bytes;
            if *own == 0 {
                by_address.remove(&self.address);
            }
        }
        drop(by_address);
        self.shared.freed.notify_all();
    }
}

/// The answers of a shard, by what waits for room and what may not.
#[derive(Debug)]
pub(crate) struct Answers {
    /// To those who join groups and stay in them: what others ask for does not hold them up.
    members: AnswerBudget,
    others: AnswerBudget,
    listings: Semaphore,
}

impl Answers {
    /// Makes room for `limit_bytes` of each class.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            members: AnswerBudget::new(limit_bytes),
            others: AnswerBudget::new(limit_bytes),
            listings: Semaphore::new(LISTINGS_MAX),
        }
    }

    /// Waits until a request may be taken up whose answer may be much longer than itself. What it returns is held
    /// until the answer is charged.
    pub(crate) async fn admit(&self, key: ApiKey, address: IpAddr) -> Option<Permit> {
        match key {
            // Short, or no longer than the request, or of memory that is counted elsewhere. Sessions end while these wait.
            ApiKey::Produce
            | ApiKey::Fetch
            | ApiKey::ApiVersions
            | ApiKey::InitProducerId
            | ApiKey::Heartbeat
            | ApiKey::ConsumerGroupHeartbeat
            | ApiKey::LeaveGroup
            | ApiKey::SyncGroup
            | ApiKey::OffsetCommit
            | ApiKey::OffsetDelete => None,
            ApiKey::ListGroups | ApiKey::DescribeGroups | ApiKey::ConsumerGroupDescribe => loop {
                self.others.has_room(address).await;
                let permit = self.listings.acquire(1).await;
                if self.others.has_room_now(address) {
                    return Some(permit);
                }
            },
            _ => {
                self.of(key).has_room(address).await;
                None
            }
        }
    }

    /// Bytes charged now, and how many may be, over all classes.
    pub(crate) fn used_and_limit_bytes(&self) -> (usize, usize) {
        let classes = [&self.members, &self.others].map(|class| &class.shared);
        let used = classes.iter().map(|it| it.used_bytes.get()).sum();
        (used, classes.iter().map(|it| it.limit_bytes).sum())
    }

    /// The budget that answers to these requests are charged to.
    pub(crate) fn of(&self, key: ApiKey) -> &AnswerBudget {
        match key {
            ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::ConsumerGroupHeartbeat
            | ApiKey::FindCoordinator
            | ApiKey::OffsetCommit
            | ApiKey::OffsetFetch => &self.members,
            _ => &self.others,
        }
    }

    /// Whether requests wait for answers to be sent.
    pub(crate) fn are_short(&self) -> bool {
        self.members.is_short() || self.others.is_short()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::net::{IpAddr, Ipv4Addr};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use futures_util::FutureExt as _;
    use protocol::ApiKey;

    use super::{AnswerBudget, Answers, LISTINGS_MAX, RequestBudget};

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

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
        let first = budget.charge(address(1), 40);
        assert!(is_ready(budget.has_room(address(1))));
        let second = budget.charge(address(2), 1_000);
        assert!(!is_ready(budget.has_room(address(1))));
        assert!(
            is_ready(budget.has_room(address(3))),
            "it has nothing to read"
        );
        drop(first);
        assert!(!is_ready(budget.has_room(address(2))));
        drop(second);
        assert!(is_ready(budget.has_room(address(2))));
    }

    #[test]
    fn an_address_that_has_half_of_the_memory_for_answers_waits_alone() {
        let budget = AnswerBudget::new(100);
        let first = budget.charge(address(1), 50);
        assert!(!budget.is_short(), "nobody waits");
        let mut waits = pin!(budget.has_room(address(1)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        assert!(budget.is_short());
        assert!(is_ready(budget.has_room(address(2))));
        drop(first);
        assert!(waits.as_mut().poll(&mut context).is_ready());
        assert!(!budget.is_short());
    }

    #[test]
    fn members_of_groups_do_not_wait_for_answers_to_others_and_their_heartbeats_for_none() {
        let answers = Answers::new(100);
        let listing = answers.of(ApiKey::ListGroups).charge(address(1), 1_000);
        assert!(!is_ready(answers.admit(ApiKey::Metadata, address(1))));
        assert!(!is_ready(answers.admit(ApiKey::DescribeGroups, address(1))));
        assert!(is_ready(answers.admit(ApiKey::JoinGroup, address(1))));
        let join = answers.of(ApiKey::JoinGroup).charge(address(1), 1_000);
        assert!(!is_ready(answers.admit(ApiKey::JoinGroup, address(1))));
        for key in [
            ApiKey::Heartbeat,
            ApiKey::ConsumerGroupHeartbeat,
            ApiKey::OffsetCommit,
            ApiKey::SyncGroup,
        ] {
            assert!(is_ready(answers.admit(key, address(1))), "{key:?}");
        }
        drop((listing, join));
        assert!(is_ready(answers.admit(ApiKey::Metadata, address(1))));
    }

    #[test]
    fn only_a_few_descriptions_of_groups_are_made_at_once() {
        let answers = Answers::new(100);
        let admit = || answers.admit(ApiKey::ListGroups, address(1)).now_or_never();
        let held: Vec<_> = (0..LISTINGS_MAX).map(|_| admit()).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(admit().is_none());
        drop(held);
        assert!(admit().is_some());
    }
}
