//! Behaviour of the waiting primitives, polled by hand.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{Notify, Semaphore, oneshot};

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_notification_between_making_and_polling_a_waiter_is_not_lost() {
    let notify = Notify::new();
    let mut waiter = pin!(notify.notified());
    notify.notify_all();
    assert!(poll_once(waiter.as_mut()).is_ready());
}

#[test]
fn a_waiter_waits_for_a_notification_that_comes_after_it() {
    let notify = Notify::new();
    notify.notify_all();
    let mut waiter = pin!(notify.notified());
    assert!(poll_once(waiter.as_mut()).is_pending());
    notify.notify_all();
    assert!(poll_once(waiter.as_mut()).is_ready());
}

#[test]
fn a_dropped_waiter_leaves_nothing_behind() {
    let notify = Notify::new();
    {
        let mut first = pin!(notify.notified());
        let mut second = pin!(notify.notified());
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        assert_eq!(notify.shared.wakers.borrow().len(), 2);
    }
    assert!(notify.shared.wakers.borrow().is_empty());
    let mut late = pin!(notify.notified());
    assert!(poll_once(late.as_mut()).is_pending());
    notify.notify_all();
    assert!(poll_once(late.as_mut()).is_ready());
}

#[test]
fn a_dropped_promise_ends_the_wait() {
    let (promise, answer) = oneshot::<u8>();
    let mut answer = pin!(answer);
    assert!(poll_once(answer.as_mut()).is_pending());
    drop(promise);
    assert_eq!(poll_once(answer.as_mut()), Poll::Ready(None));
}

#[test]
fn a_fulfilled_promise_gives_its_value() {
    let (promise, answer) = oneshot();
    promise.fulfil(7);
    assert_eq!(poll_once(pin!(answer)), Poll::Ready(Some(7)));
}

#[test]
fn waiters_get_units_in_order_of_arrival() {
    let semaphore = Semaphore::new(10);
    let first = semaphore.try_acquire(8).expect("8 of 10 are free");
    let mut large = pin!(semaphore.acquire(9));
    let mut small = pin!(semaphore.acquire(1));
    assert!(poll_once(large.as_mut()).is_pending());
    assert!(
        poll_once(small.as_mut()).is_pending(),
        "a small request does not overtake"
    );
    drop(first);
    assert!(poll_once(large.as_mut()).is_ready());
    assert!(poll_once(small.as_mut()).is_ready());
}

#[test]
fn cancelled_waiters_give_up_their_place() {
    let semaphore = Semaphore::new(4);
    let held = semaphore.try_acquire(4).expect("all are free");
    {
        let mut cancelled = pin!(semaphore.acquire(4));
        assert!(poll_once(cancelled.as_mut()).is_pending());
    }
    let mut waiter = pin!(semaphore.acquire(4));
    assert!(poll_once(waiter.as_mut()).is_pending());
    drop(held);
    assert!(poll_once(waiter.as_mut()).is_ready());
    assert_eq!(
        semaphore.available(),
        4,
        "the completed acquire dropped its permit"
    );
}

#[test]
fn a_request_above_the_capacity_runs_alone() {
    let semaphore = Semaphore::new(4);
    let mut huge = pin!(semaphore.acquire(100));
    let Poll::Ready(permit) = poll_once(huge.as_mut()) else {
        unreachable!("nothing else holds units")
    };
    assert_eq!(permit.units(), 4);
    assert!(semaphore.try_acquire(1).is_none());
}
