//! Timers on the virtual clock.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::world::World;

/// Completes when the clock has reached a time. Dropping it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Sleep {
    world: Rc<World>,
    deadline: u64,
    event: Option<(u64, u64, u64)>,
    waker: Rc<RefCell<Option<Waker>>>,
}

impl Sleep {
    pub(crate) fn until(world: &Rc<World>, deadline: u64) -> Self {
        Self {
            world: Rc::clone(world),
            deadline,
            event: None,
            waker: Rc::default(),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.world.now() >= self.deadline {
            return Poll::Ready(());
        }
        *self.waker.borrow_mut() = Some(context.waker().clone());
        if self.event.is_none() {
            let waker = Rc::clone(&self.waker);
            let event = self.world.at(self.deadline, move || {
                let waker = waker.borrow_mut().take();
                waker.expect("a timer is set by a poll").wake();
            });
            self.event = Some(event);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(event) = self.event {
            self.world.withdraw(event);
        }
    }
}
