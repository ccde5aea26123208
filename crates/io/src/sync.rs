//! Waiting between tasks of one shard. Nothing here is shared between threads.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use std::collections::VecDeque;

use slab::Slab;

/// Wakes tasks that wait for a condition. There is no lost wake-up: a waiter made by [`Notify::notified`]
/// before a [`Notify::notify_all`] completes even if it is first polled afterwards.
///
/// Use it in a loop: make the waiter, check the condition, await the waiter.
#[derive(Debug, Default, Clone)]
pub struct Notify {
    shared: Rc<NotifyShared>,
}

#[derive(Debug, Default)]
struct NotifyShared {
    generation: Cell<u64>,
    wakers: RefCell<Slab<Waker>>,
}

impl Notify {
    /// Makes one with no waiters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A future that completes after the next [`Notify::notify_all`]. Dropping it leaves nothing behind.
    #[must_use]
    pub fn notified(&self) -> Notified {
        Notified {
            generation: self.shared.generation.get(),
            shared: Rc::clone(&self.shared),
            key: None,
        }
    }

    /// Completes every waiter made so far.
    pub fn notify_all(&self) {
        self.shared.generation.set(self.shared.generation.get() + 1);
        if self.shared.wakers.borrow().is_empty() {
            return;
        }
        let mut wakers = std::mem::take(&mut *self.shared.wakers.borrow_mut());
        for waker in wakers.drain() {
            waker.wake();
        }
        // Keep the allocation, unless a waker was registered meanwhile.
        let mut current = self.shared.wakers.borrow_mut();
        if current.is_empty() {
            *current = wakers;
        }
    }
}

/// The future of [`Notify::notified`].
#[derive(Debug)]
pub struct Notified {
    shared: Rc<NotifyShared>,
    generation: u64,
    /// Where its waker stands; valid while the generation is unchanged.
    key: Option<usize>,
}

impl Notified {
    /// Whether the notification has come.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.shared.generation.get() != self.generation
    }
}

impl Future for Notified {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_done() {
            self.key = None;
            return Poll::Ready(());
        }
        let shared = Rc::clone(&self.shared);
        let mut wakers = shared.wakers.borrow_mut();
        match self.key {
            Some(key) => wakers[key].clone_from(context.waker()),
            None => self.key = Some(wakers.insert(context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Notified {
    fn drop(&mut self) {
        if let Some(key) = self.key
            && !self.is_done()
        {
            self.shared.wakers.borrow_mut().remove(key);
        }
    }
}

/// Makes a channel for one value.
#[must_use]
pub fn oneshot<T>() -> (Promise<T>, Answer<T>) {
    let shared = Rc::new(OneshotShared {
        state: RefCell::new(OneshotState::Waiting(None)),
    });
    (
        Promise {
            shared: Rc::clone(&shared),
        },
        Answer { shared },
    )
}

#[derive(Debug)]
enum OneshotState<T> {
    Waiting(Option<Waker>),
    Ready(T),
    Closed,
}

#[derive(Debug)]
struct OneshotShared<T> {
    state: RefCell<OneshotState<T>>,
}

/// The side of [`oneshot`] that gives the value. Dropped without a value, it completes the answer with `None`.
#[derive(Debug)]
pub struct Promise<T> {
    shared: Rc<OneshotShared<T>>,
}

impl<T> Promise<T> {
    /// Gives the value. It is dropped if nobody waits for it any more.
    pub fn fulfil(self, value: T) {
        self.finish(OneshotState::Ready(value));
    }

    /// Whether nobody waits for the value any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        Rc::strong_count(&self.shared) == 1
    }

    fn finish(&self, next: OneshotState<T>) {
        let previous = self.shared.state.replace(next);
        if let OneshotState::Waiting(Some(waker)) = previous {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let waiting = matches!(*self.shared.state.borrow(), OneshotState::Waiting(_));
        if waiting {
            self.finish(OneshotState::Closed);
        }
    }
}

/// The side of [`oneshot`] that waits; `None` when the promise was dropped.
#[derive(Debug)]
pub struct Answer<T> {
    shared: Rc<OneshotShared<T>>,
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.shared.state.borrow_mut();
        if let OneshotState::Waiting(waker) = &mut *state {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, OneshotState::Closed) {
            OneshotState::Ready(value) => Poll::Ready(Some(value)),
            OneshotState::Closed | OneshotState::Waiting(_) => Poll::Ready(None),
        }
    }
}

/// Counts units of a bounded resource (bytes, slots). Waiters are served in order of arrival.
#[derive(Debug, Clone)]
pub struct Semaphore {
    shared: Rc<SemaphoreShared>,
}

#[derive(Debug)]
struct SemaphoreShared {
    capacity: usize,
    available: Cell<usize>,
    queue: RefCell<VecDeque<(usize, Promise<Permit>)>>,
}

/// Units taken from a [`Semaphore`], given back when dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Rc<SemaphoreShared>,
    units: usize,
}

impl Semaphore {
    /// Makes one with `capacity` units.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            shared: Rc::new(SemaphoreShared {
                capacity,
                available: Cell::new(capacity),
                queue: RefCell::default(),
            }),
        }
    }

    /// Units that nobody holds now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.shared.available.get()
    }

    /// Takes `units` now, or nothing. It does not overtake waiters, even cancelled ones.
    #[must_use]
    pub fn try_acquire(&self, units: usize) -> Option<Permit> {
        let free = self.shared.available.get();
        if units > free || !self.shared.queue.borrow().is_empty() {
            return None;
        }
        self.shared.available.set(free - units);
        Some(Permit {
            shared: Rc::clone(&self.shared),
            units,
        })
    }

    /// Takes `units`, waiting behind those that came earlier. More than the capacity is cut to the capacity:
    /// such a request runs alone. Cancellation gives up the place in the queue.
    ///
    /// # Panics
    /// Never: every queued promise is fulfilled before it is dropped.
    pub async fn acquire(&self, units: usize) -> Permit {
        let units = units.min(self.shared.capacity);
        if let Some(permit) = self.try_acquire(units) {
            return permit;
        }
        let (promise, answer) = oneshot();
        self.shared.queue.borrow_mut().push_back((units, promise));
        answer
            .await
            .expect("the queue keeps a promise until it is fulfilled")
    }
}

impl Permit {
    /// The units it holds.
    #[must_use]
    pub fn units(&self) -> usize {
        self.units
    }

    /// Gives `units` of it back early; at most what it holds.
    pub fn release(&mut self, units: usize) {
        let units = units.min(self.units);
        self.units -= units;
        SemaphoreShared::give_back(&self.shared, units);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        SemaphoreShared::give_back(&self.shared, self.units);
    }
}

impl SemaphoreShared {
    fn give_back(shared: &Rc<Self>, units: usize) {
        shared.available.set(shared.available.get() + units);
        while let Some((wanted, promise)) = Self::next_that_fits(shared) {
            if promise.is_abandoned() {
                continue;
            }
            shared.available.set(shared.available.get() - wanted);
            promise.fulfil(Permit {
                shared: Rc::clone(shared),
                units: wanted,
            });
        }
    }

    fn next_that_fits(shared: &Rc<Self>) -> Option<(usize, Promise<Permit>)> {
        let mut queue = shared.queue.borrow_mut();
        let (wanted, promise) = queue.front()?;
        let takeable = promise.is_abandoned() || *wanted <= shared.available.get();
        takeable.then(|| queue.pop_front()).flatten()
    }
}

#[cfg(test)]
mod tests;
