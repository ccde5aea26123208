//! A shard's memory for the records of responses that have not left.
//!
//! It is taken before records are read, as much as the response may have, and what it does not have is given back then. Who waits is
//! served in order of arrival, but no address gets all of it: clients that ask for much and do not read it hold up those of their own
//! address, and leave the others room for at least one whole response. Lives on one shard; plain values.
//!
//! Deliberately absent: a limit for each connection, of which a client has as many as it likes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use io::sync::{Permit, Semaphore};

/// The parts of the memory, of which one address may take all but one.
const PARTS: usize = 4;

/// The budget; clones are handles of the same one.
#[derive(Clone, Debug)]
pub(crate) struct RecordBudget {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit_bytes: usize,
    all: Semaphore,
    /// What each address may have, of those that have or want any.
    by_address: RefCell<BTreeMap<IpAddr, Semaphore>>,
}

/// The memory of one response. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct RecordCharge {
    all: Permit,
    own: OwnPart,
}

/// What is taken of an address's part. The part is forgotten with the last of them.
#[derive(Debug)]
struct OwnPart {
    shared: Rc<Shared>,
    address: IpAddr,
    permit: Option<Permit>,
}

impl RecordBudget {
    /// Makes a budget of `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            shared: Rc::new(Shared {
                limit_bytes,
                all: Semaphore::new(limit_bytes),
                by_address: RefCell::default(),
            }),
        }
    }

    /// Waits for `bytes`, at most what an address may have: such a response is the only one of its address. Cancellation
    /// takes nothing.
    pub(crate) async fn acquire(&self, address: IpAddr, bytes: usize) -> RecordCharge {
        let limit = self.shared.limit_bytes;
        let part = self
            .shared
            .by_address
            .borrow_mut()
            .entry(address)
            .or_insert_with(|| Semaphore::new(limit - limit / PARTS))
            .clone();
        let permit = part.acquire(bytes).await;
        let units = permit.units();
        let own = OwnPart {
            shared: Rc::clone(&self.shared),
            address,
            permit: Some(permit),
        };
        RecordCharge {
            all: self.shared.all.acquire(units).await,
            own,
        }
    }

    /// Bytes that are taken now.
    pub(crate) fn used_bytes(&self) -> usize {
        self.limit_bytes()
            .saturating_sub(self.shared.all.available())
    }

    /// Bytes that may be taken.
    pub(crate) fn limit_bytes(&self) -> usize {
        self.shared.limit_bytes
    }

    /// Whether so much is taken that somebody may be waiting, be it one address that has all of its part.
    pub(crate) fn is_short(&self) -> bool {
        self.shared.all.available() <= self.shared.limit_bytes / PARTS
    }
}

impl RecordCharge {
    /// The bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.all.units()
    }

    /// Gives back all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let unused = self.all.units().saturating_sub(bytes);
        self.all.release(unused);
        if let Some(own) = &mut self.own.permit {
            own.release(unused);
        }
    }
}

impl Drop for OwnPart {
    fn drop(&mut self) {
        // Who waits for it gets it now.
        drop(self.permit.take());
        let limit = self.shared.limit_bytes;
        let mut by_address = self.shared.by_address.borrow_mut();
        let is_whole = |part: &Semaphore| part.available() == limit - limit / PARTS;
        if by_address.get(&self.address).is_some_and(is_whole) {
            by_address.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::FutureExt as _;

    use super::{RecordBudget, RecordCharge};

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

    fn take(budget: &RecordBudget, last: u8, bytes: usize) -> Option<RecordCharge> {
        budget.acquire(address(last), bytes).now_or_never()
    }

    #[test]
    fn an_address_whose_clients_read_nothing_leaves_room_for_others() {
        let budget = RecordBudget::new(64);
        let held: Vec<_> = (0..3).map(|_| take(&budget, 1, 16)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(budget.is_short());
        assert!(take(&budget, 1, 16).is_none(), "it has its part");
        let other = take(&budget, 2, 16).expect("the other address has none");
        assert_eq!((other.bytes(), budget.used_bytes()), (16, 64));
        drop(held);
        assert!(take(&budget, 1, 16).is_some());
    }

    #[test]
    fn those_that_wait_at_their_own_address_do_not_stand_before_others() {
        let budget = RecordBudget::new(64);
        let held = take(&budget, 1, 48).expect("there is room");
        let mut waiting = Box::pin(budget.acquire(address(1), 16));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(take(&budget, 2, 16).is_some());
        drop(held);
        assert!(waiting.now_or_never().is_some(), "its turn has come");
    }

    #[test]
    fn what_a_response_does_not_have_is_given_back_at_once() {
        let budget = RecordBudget::new(64);
        let mut charge = take(&budget, 1, 16).expect("there is room");
        charge.shrink_to(5);
        charge.shrink_to(9);
        assert_eq!((charge.bytes(), budget.used_bytes()), (5, 5));
        assert!(take(&budget, 1, 43).is_some());
        drop(charge);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_wish_beyond_the_part_of_an_address_is_cut_to_it() {
        let budget = RecordBudget::new(64);
        assert_eq!(take(&budget, 1, 1_000).map(|it| it.bytes()), Some(48));
    }

    #[test]
    fn addresses_without_anything_are_forgotten() {
        let budget = RecordBudget::new(64);
        let first = take(&budget, 1, 16);
        let second = take(&budget, 1, 16);
        let cancelled = budget.acquire(address(1), 48).now_or_never();
        assert!(first.is_some() && second.is_some() && cancelled.is_none());
        drop(first);
        assert_eq!(budget.shared.by_address.borrow().len(), 1);
        drop(second);
        assert!(budget.shared.by_address.borrow().is_empty());
    }
}
