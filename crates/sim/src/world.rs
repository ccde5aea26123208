//! The scheduler of a simulation: tasks of all nodes, the virtual clock, events, and the trace of what happened.
//!
//! # Invariants
//! - Which runnable task runs next is drawn from the seed; nothing else decides.
//! - The clock stands still while a task can run, and then jumps to the next event.
//! - No borrow of the scheduler's state is held while a task, an event or a destructor runs.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use io::TaskClass;
use io::sync::Notify;

use crate::rng::{Rng, mix};

/// Polls at one instant after which the simulation counts as running in circles.
const POLLS_PER_INSTANT_MAX: u64 = 1_000_000;
/// The last of them, whose tasks are named.
const CIRCLING_POLLS: u64 = 1_000;
/// Looks at the clock during one poll after which a task counts as waiting for time that cannot pass.
const CLOCK_READS_PER_POLL_MAX: u64 = 1_000_000;
/// The future that [`World::run`] drives itself.
const ROOT: TaskId = TaskId(0);

type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;
/// The time, a random number that orders what happens at one time, and a number that makes the key unique.
type EventKey = (u64, u64, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId(u64);

/// A life of a node: from a start to a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) node: u32,
    pub(crate) incarnation: u64,
}

/// Why a simulation cannot reach its end. The text names the seed, the time, and the tasks that wait, by the place
/// that spawned them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// No task can run, no timer is set and no operation is under way, but what was waited for has not happened.
    #[error("{0}")]
    Deadlock(String),
    /// The virtual time that was allowed has passed.
    #[error("{0}")]
    OutOfTime(String),
}

/// Tells the owner of a task that it has ended, by itself or by force.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    pub(crate) ended: Cell<bool>,
    pub(crate) notify: Notify,
}

struct Slot {
    /// Absent while it is polled.
    future: Option<TaskFuture>,
    flag: Arc<Flag>,
    life: Life,
    shard: u32,
    class: TaskClass,
    spawned_at: &'static Location<'static>,
    cancelled: bool,
    ending: Rc<Ending>,
}

/// A task's waker. Wakers have to be `Send`, hence the lock, which is never contended.
struct Flag {
    task: TaskId,
    queued: AtomicBool,
    woken: Arc<Mutex<Vec<TaskId>>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            woken.push(self.task);
        }
    }
}

/// Everything that one simulation shares.
pub(crate) struct World {
    pub(crate) seed: u64,
    now: Cell<u64>,
    time_max: Cell<u64>,
    polled: Cell<TaskId>,
    clock_reads: Cell<u64>,
    scheduler: Rng,
    pub(crate) latencies: Rng,
    tasks: RefCell<BTreeMap<TaskId, Slot>>,
    ended_lives: RefCell<BTreeSet<Life>>,
    events: RefCell<BTreeMap<EventKey, Box<dyn FnOnce()>>>,
    numbers: Cell<u64>,
    woken: Arc<Mutex<Vec<TaskId>>>,
    runnable: RefCell<Vec<TaskId>>,
    /// Shards that do not run now.
    stalled: RefCell<BTreeSet<(Life, u32)>>,
    /// Tasks of theirs that could.
    parked: RefCell<Vec<TaskId>>,
    running: Cell<bool>,
    trace: Cell<u64>,
    violations: RefCell<Vec<String>>,
    violations_tolerated: Cell<bool>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(seed: u64, time_max: u64) -> Rc<Self> {
        Rc::new(Self {
            seed,
            now: Cell::new(0),
            time_max: Cell::new(time_max),
            polled: Cell::new(ROOT),
            clock_reads: Cell::default(),
            scheduler: Rng::fork(seed, 1),
            latencies: Rng::fork(seed, 2),
            tasks: RefCell::default(),
            ended_lives: RefCell::default(),
            events: RefCell::default(),
            numbers: Cell::new(ROOT.0),
            woken: Arc::default(),
            runnable: RefCell::default(),
            stalled: RefCell::default(),
            parked: RefCell::default(),
            running: Cell::new(false),
            trace: Cell::new(seed),
            violations: RefCell::default(),
            violations_tolerated: Cell::new(false),
        })
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// The time, for code under test.
    ///
    /// # Panics
    /// When a task asks again and again without waiting: no time will pass before it does.
    pub(crate) fn read_clock(&self) -> u64 {
        self.clock_reads.set(self.clock_reads.get() + 1);
        if self.clock_reads.get() > CLOCK_READS_PER_POLL_MAX {
            self.clock_reads.set(0);
            let spawned_at = self.place_of(self.polled.get());
            unreachable!("seed {}: spins without waiting: {spawned_at}", self.seed);
        }
        self.now()
    }

    pub(crate) fn set_time_max(&self, time_max: u64) {
        self.time_max.set(time_max);
    }

    /// A number that no other call gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    /// Makes `word` part of the trace.
    pub(crate) fn note(&self, word: u64) {
        self.trace.set(mix(self.trace.get() ^ word));
    }

    pub(crate) fn trace_hash(&self) -> u64 {
        self.trace.get()
    }

    /// Records that the code under test broke a rule of the seam.
    pub(crate) fn violation(&self, what: String) {
        self.violations.borrow_mut().push(what);
    }

    pub(crate) fn take_violations(&self) -> Vec<String> {
        self.violations_tolerated.set(true);
        std::mem::take(&mut *self.violations.borrow_mut())
    }

    /// Runs `event` at `time`, or now if that has passed.
    pub(crate) fn at(&self, time: u64, event: impl FnOnce() + 'static) -> EventKey {
        let key = (
            time.max(self.now()),
            self.scheduler.next(),
            self.next_number(),
        );
        self.events.borrow_mut().insert(key, Box::new(event));
        key
    }

    pub(crate) fn withdraw(&self, key: EventKey) {
        let event = self.events.borrow_mut().remove(&key);
        drop(event);
    }

    pub(crate) fn spawn(
        &self,
        (life, shard): (Life, u32),
        class: TaskClass,
        spawned_at: &'static Location<'static>,
        future: TaskFuture,
    ) -> (TaskId, Rc<Ending>) {
        let task = TaskId(self.next_number());
        let ending = Rc::new(Ending::default());
        if !self.is_alive(life) {
            // A destructor that runs while its process is killed starts nothing any more.
            ending.ended.set(true);
            drop(future);
            return (task, ending);
        }
        let flag = self.flag(task);
        flag.wake_by_ref();
        let slot = Slot {
            future: Some(future),
            flag,
            life,
            shard,
            class,
            spawned_at,
            cancelled: false,
            ending: Rc::clone(&ending),
        };
        self.tasks.borrow_mut().insert(task, slot);
        (task, ending)
    }

    /// Drops the task's future when its turn comes.
    pub(crate) fn cancel(&self, task: TaskId) {
        if let Some(slot) = self.tasks.borrow_mut().get_mut(&task) {
            slot.cancelled = true;
            slot.flag.wake_by_ref();
        }
    }

    /// Lets a shard stand still: what it has begun goes on, and none of its tasks runs.
    pub(crate) fn stall(&self, life: Life, shard: u32) {
        self.stalled.borrow_mut().insert((life, shard));
    }

    /// Lets it run on.
    pub(crate) fn resume(&self, life: Life, shard: u32) {
        self.stalled.borrow_mut().remove(&(life, shard));
        let parked = self.parked.take();
        self.runnable.borrow_mut().extend(parked);
    }

    /// How many tasks of a life there are, by the place that spawned them.
    pub(crate) fn tasks_of(&self, life: Life) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for slot in self.tasks.borrow().values() {
            if slot.life == life {
                *counts.entry(slot.spawned_at.to_string()).or_default() += 1;
            }
        }
        counts
    }

    fn is_stalled(&self, task: TaskId) -> bool {
        let stalled = self.stalled.borrow();
        if stalled.is_empty() {
            return false;
        }
        let tasks = self.tasks.borrow();
        let slot = tasks.get(&task);
        slot.is_some_and(|slot| stalled.contains(&(slot.life, slot.shard)))
    }

    /// Whether a process has not crashed yet.
    pub(crate) fn is_alive(&self, life: Life) -> bool {
        !self.ended_lives.borrow().contains(&life)
    }

    pub(crate) fn must_be_alive(&self, life: Life) -> std::io::Result<()> {
        if self.is_alive(life) {
            Ok(())
        } else {
            Err(std::io::Error::other("the process is gone"))
        }
    }

    /// Drops every task of a life at once, as a crash does.
    pub(crate) fn end_life(&self, life: Life) {
        self.ended_lives.borrow_mut().insert(life);
        self.stalled
            .borrow_mut()
            .retain(|(stalled, _)| *stalled != life);
        let tasks: Vec<TaskId> = self
            .tasks
            .borrow()
            .iter()
            .filter(|(_, slot)| slot.life == life)
            .map(|(&task, _)| task)
            .collect();
        for task in tasks {
            self.finish(task);
        }
    }

    /// Drops everything, so that handles inside tasks do not keep the world alive.
    pub(crate) fn clear(&self) {
        // Destructors may spawn tasks and set timers.
        for _ in 0..4 {
            let tasks: Vec<TaskId> = self.tasks.borrow().keys().copied().collect();
            for task in tasks {
                self.finish(task);
            }
            let events = std::mem::take(&mut *self.events.borrow_mut());
            drop(events);
        }
    }

    /// Runs until `root` is ready.
    pub(crate) fn run<T>(&self, root: impl Future<Output = T>) -> Result<T, Stuck> {
        assert!(
            !self.running.replace(true),
            "a simulation is not run from within"
        );
        let running = Running(&self.running);
        let mut root = std::pin::pin!(root);
        let flag = self.flag(ROOT);
        flag.wake_by_ref();
        let waker = Waker::from(Arc::clone(&flag));
        let mut polls = 0;
        let mut circling = BTreeMap::new();
        loop {
            self.check_violations();
            let Some(task) = self.pick() else {
                polls = 0;
                self.advance()?;
                continue;
            };
            polls += 1;
            if polls + CIRCLING_POLLS > POLLS_PER_INSTANT_MAX {
                *circling.entry(self.place_of(task)).or_insert(0_u64) += 1;
            }
            assert!(
                polls < POLLS_PER_INSTANT_MAX,
                "seed {}: tasks run in circles without letting time pass: {circling:?}",
                self.seed
            );
            self.polled.set(task);
            self.clock_reads.set(0);
            if task == ROOT {
                flag.queued.store(false, Ordering::Relaxed);
                if let Poll::Ready(value) = root.as_mut().poll(&mut Context::from_waker(&waker)) {
                    drop(running);
                    self.check_violations();
                    return Ok(value);
                }
            } else {
                self.run_task(task);
            }
        }
    }

    /// The place that spawned a task.
    fn place_of(&self, task: TaskId) -> String {
        let tasks = self.tasks.borrow();
        let slot = tasks.get(&task);
        slot.map_or_else(|| "the root".into(), |slot| slot.spawned_at.to_string())
    }

    fn flag(&self, task: TaskId) -> Arc<Flag> {
        Arc::new(Flag {
            task,
            queued: AtomicBool::new(false),
            woken: Arc::clone(&self.woken),
        })
    }

    /// Draws the task that runs next.
    fn pick(&self) -> Option<TaskId> {
        let mut runnable = self.runnable.borrow_mut();
        {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            runnable.append(&mut woken);
        }
        while !runnable.is_empty() {
            let index = self.scheduler.index(runnable.len());
            let task = runnable.swap_remove(index);
            if !self.is_stalled(task) {
                self.note(task.0);
                return Some(task);
            }
            self.parked.borrow_mut().push(task);
        }
        None
    }

    fn run_task(&self, task: TaskId) {
        let (future, waker) = {
            let mut tasks = self.tasks.borrow_mut();
            let Some(slot) = tasks.get_mut(&task) else {
                return;
            };
            slot.flag.queued.store(false, Ordering::Relaxed);
            let waker = Waker::from(Arc::clone(&slot.flag));
            (slot.future.take_if(|_| !slot.cancelled), waker)
        };
        let Some(mut future) = future else {
            self.finish(task);
            return;
        };
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut future = Some(future);
        if polled.is_pending()
            && let Some(slot) = self.tasks.borrow_mut().get_mut(&task)
        {
            slot.future = future.take();
            return;
        }
        drop(future);
        self.finish(task);
    }

    fn finish(&self, task: TaskId) {
        let slot = self.tasks.borrow_mut().remove(&task);
        if let Some(slot) = slot {
            drop(slot.future);
            slot.ending.ended.set(true);
            slot.ending.notify.notify_all();
        }
    }

    /// Lets time pass until the next event, and runs it.
    fn advance(&self) -> Result<(), Stuck> {
        let next = self.events.borrow_mut().pop_first();
        let Some(((time, _, number), event)) = next else {
            let what = "nothing can run and nothing will happen";
            return Err(Stuck::Deadlock(self.report(what)));
        };
        if time > self.time_max.get() {
            self.events.borrow_mut().insert((time, 0, number), event);
            return Err(Stuck::OutOfTime(self.report("the time is up")));
        }
        self.now.set(self.now().max(time));
        self.note(time);
        self.note(number);
        event();
        Ok(())
    }

    fn check_violations(&self) {
        if self.violations_tolerated.get() {
            return;
        }
        let violations = self.violations.borrow();
        assert!(
            violations.is_empty(),
            "seed {}: the rules of the seam were broken: {violations:?}",
            self.seed
        );
    }

    fn report(&self, what: &str) -> String {
        let mut report = format!(
            "seed {}: {what} at {} ns; waiting: the root",
            self.seed,
            self.now()
        );
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        for slot in self.tasks.borrow().values() {
            let place = format!(
                "{} (machine {}, {:?})",
                slot.spawned_at, slot.life.node, slot.class
            );
            *places.entry(place).or_default() += 1;
        }
        for (place, count) in places {
            write!(report, ", {count} of {place}").expect("a string grows");
        }
        report
    }
}

/// Allows the next run, also after a panic.
struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
