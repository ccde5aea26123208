//! Keeps a panic from leaving the piece of work that caused it.
//!
//! Only work that touches nothing of the shard runs here: decoding a request, encoding a response. What it leaves
//! half-done is dropped with it. Any other panic ends the process; see the panic hook of `runtime`, which asks
//! [`is_contained`].

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

thread_local! {
    /// How many contained calls are on this thread's stack.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A panic that was caught, with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

impl Panicked {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|&text| text.to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        Self { message }
    }
}

struct Entered;

impl Entered {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Whether a panic of this thread would now be caught by [`contain`] or [`contain_future`].
#[must_use]
pub fn is_contained() -> bool {
    DEPTH.get() > 0
}

/// Runs `work` and catches its panic. `work` must own whatever a panic could leave inconsistent.
///
/// # Errors
/// [`Panicked`] when it panicked.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let entered = Entered::enter();
    let result = catch_unwind(AssertUnwindSafe(work));
    drop(entered);
    result.map_err(|payload| Panicked::new(&*payload))
}

/// Runs `work` to its end and catches its panic, which drops it. Cancellation drops it too.
///
/// # Errors
/// [`Panicked`] when it panicked.
pub async fn contain_future<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = pin!(work);
    poll_fn(
        move |context| match contain(|| work.as_mut().poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panicked) => Poll::Ready(Err(panicked)),
        },
    )
    .await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "panics are what is tested")]

    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let result: Result<(), _> = contain(|| panic!("field {}", 7));
        assert_eq!(result.expect_err("it panicked").message, "field 7");
        assert!(!is_contained());
    }

    #[test]
    fn work_knows_that_it_is_contained() {
        assert!(!is_contained());
        assert_eq!(contain(is_contained), Ok(true));
        assert!(!is_contained());
    }

    #[test]
    fn a_future_that_panics_ends_with_an_error() {
        let mut work = pin!(contain_future(async { panic!("here") }));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Err(panicked)) = work.as_mut().poll(&mut context) else {
            panic!("it should have ended");
        };
        assert_eq!(panicked.message, "here");
    }
}
