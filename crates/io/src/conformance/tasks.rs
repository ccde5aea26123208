//! Tasks, timers and what makes tasks of one shard wait for each other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::{Fixture, Suite};
use crate::sync::{Notify, Semaphore, oneshot};
use crate::{Elapsed, Io, Task as _, TaskClass, timeout};

const CLASSES: [TaskClass; 3] = [
    TaskClass::Foreground,
    TaskClass::Background,
    TaskClass::Control,
];

/// Sets a flag when a cancelled future is dropped.
struct OnDrop(Rc<Cell<bool>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl<I: Io, F: Fixture<I>> Suite<'_, I, F> {
    pub(super) async fn tasks(&self) {
        self.case("tasks of every class run and are joined", self.joined())
            .await;
        self.case("a detached task runs on", self.detached()).await;
        self.case("a dropped task is cancelled", self.cancelled())
            .await;
        self.case("timers fire in order", self.timers()).await;
        self.case("a time that has passed is not waited for", self.past())
            .await;
        self.case("a timeout drops its work", self.timed_out())
            .await;
        self.case("rescheduling lets others run", self.rescheduled())
            .await;
        self.case("clocks advance", self.clocks()).await;
        self.case("a notification reaches every waiter", self.notified())
            .await;
        self.case("a semaphore serves in order", self.semaphore())
            .await;
    }

    async fn joined(&self) {
        for class in CLASSES {
            let done = Rc::new(Cell::new(false));
            let set = Rc::clone(&done);
            let io = self.io.clone();
            let task = self.io.spawn(class, async move {
                io.reschedule().await;
                set.set(true);
            });
            task.join().await;
            assert!(done.get(), "joined before its end: {class:?}");
        }
    }

    async fn detached(&self) {
        let (promise, answer) = oneshot();
        let io = self.io.clone();
        let task = self.io.spawn(TaskClass::Background, async move {
            io.reschedule().await;
            promise.fulfil(7);
        });
        task.detach();
        assert_eq!(answer.await, Some(7));
    }

    async fn cancelled(&self) {
        let started = Notify::new();
        let dropped = Rc::new(Cell::new(false));
        let went_on = Rc::new(Cell::new(false));
        let waiter = started.notified();
        let task = {
            let (io, started) = (self.io.clone(), started.clone());
            let (guard, went_on) = (OnDrop(Rc::clone(&dropped)), Rc::clone(&went_on));
            self.io.spawn(TaskClass::Foreground, async move {
                let guard = guard;
                started.notify_all();
                io.sleep_until(io.now() + Duration::from_secs(3600)).await;
                went_on.set(true);
                drop(guard);
            })
        };
        waiter.await;
        drop(task);
        while !dropped.get() {
            self.io.reschedule().await;
        }
        assert!(!went_on.get(), "a cancelled task does not go on");
    }

    async fn timers(&self) {
        let order = Rc::new(RefCell::new(Vec::new()));
        let start = self.io.now();
        let spans_ms = [40, 10, 30, 20];
        let sleepers = spans_ms.map(|span_ms| {
            let (io, order) = (self.io.clone(), Rc::clone(&order));
            self.io.spawn(TaskClass::Foreground, async move {
                let deadline = start + Duration::from_millis(span_ms);
                io.sleep_until(deadline).await;
                assert!(io.now() >= deadline, "woke early");
                order.borrow_mut().push(span_ms);
            })
        });
        for sleeper in sleepers {
            sleeper.join().await;
        }
        assert_eq!(*order.borrow(), [10, 20, 30, 40]);
    }

    async fn past(&self) {
        let now = self.io.now();
        self.io.sleep_until(now).await;
        self.io.sleep_until(crate::Instant(0)).await;
    }

    async fn timed_out(&self) {
        let dropped = Rc::new(Cell::new(false));
        let guard = OnDrop(Rc::clone(&dropped));
        let work = async {
            let guard = guard;
            std::future::pending::<()>().await;
            drop(guard);
        };
        let outcome = timeout(self.io, Duration::from_millis(5), work).await;
        assert_eq!(outcome, Err(Elapsed));
        assert!(dropped.get(), "the work is dropped with the timeout");
        let in_time = timeout(self.io, Duration::from_secs(3600), async { 3 }).await;
        assert_eq!(in_time, Ok(3));
    }

    async fn rescheduled(&self) {
        let ran = Rc::new(Cell::new(false));
        let set = Rc::clone(&ran);
        self.io
            .spawn(TaskClass::Foreground, async move { set.set(true) })
            .detach();
        while !ran.get() {
            self.io.reschedule().await;
        }
    }

    async fn clocks(&self) {
        let (monotonic, wall) = (self.io.now(), self.io.wall_clock());
        let span = Duration::from_millis(20);
        self.io.sleep_until(monotonic + span).await;
        assert!(self.io.now().saturating_since(monotonic) >= span);
        assert!(wall.0 > 0, "the wall clock stands after 1970");
    }

    async fn notified(&self) {
        let notify = Notify::new();
        let before = notify.notified();
        let count = Rc::new(Cell::new(0));
        let waiters = [0; 3].map(|_| {
            let (waiter, count) = (notify.notified(), Rc::clone(&count));
            self.io.spawn(TaskClass::Foreground, async move {
                waiter.await;
                count.set(count.get() + 1);
            })
        });
        self.io.reschedule().await;
        assert_eq!(count.get(), 0, "nobody was notified yet");
        notify.notify_all();
        for waiter in waiters {
            waiter.join().await;
        }
        before.await;
        assert_eq!(count.get(), 3);
    }

    async fn semaphore(&self) {
        let semaphore = Semaphore::new(4);
        let held = semaphore.acquire(3).await;
        let order = Rc::new(RefCell::new(Vec::new()));
        let mut waiters = Vec::new();
        for units in [4, 1] {
            let (semaphore, order) = (semaphore.clone(), Rc::clone(&order));
            let waiter = self.io.spawn(TaskClass::Foreground, async move {
                let permit = semaphore.acquire(units).await;
                order.borrow_mut().push(units);
                drop(permit);
            });
            waiters.push(waiter);
            // Tasks start in any order. After this one has queued up, one unit is free, but it wants four.
            self.io
                .sleep_until(self.io.now() + Duration::from_millis(5))
                .await;
        }
        assert!(order.borrow().is_empty(), "nobody overtakes a waiter");
        drop(held);
        for waiter in waiters {
            waiter.join().await;
        }
        assert_eq!(*order.borrow(), [4, 1]);
        assert_eq!(semaphore.available(), 4);
    }
}
