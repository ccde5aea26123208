//! A worker thread: an event loop over its lanes.
//!
//! A lane is looked at when its socket is ready or its time has come; times lie in a heap, in which a lane may stand more
//! than once, and only the entry that it remembers counts. Deadlines of requests are looked at once a second.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::ClientError;
use command_line::Failure;
use core_affinity::CoreId;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::consumer::ConsumerLane;
use super::member::MemberLane;
use super::producer::ProducerLane;
use super::stats::SideStats;
use super::{DRAIN_MAX, Link, Shared, Window, nanos};
use crate::load::Nanos;

/// Events that are taken at once.
const EVENTS_MAX: usize = 256;

/// How long a worker sleeps at most, so that it notices when it should stop.
const SLEEP_MAX: Nanos = 50_000_000;

/// Between two looks at the deadlines of requests.
const DEADLINES_EVERY: Nanos = 1_000_000_000;

/// One connection and what is done on it.
#[derive(Debug)]
pub(crate) enum Lane {
    Producer(ProducerLane),
    Consumer(ConsumerLane),
    Member(MemberLane),
}

/// A thread's share of the lanes.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) lanes: Vec<Lane>,
    pub(crate) window: Window,
    pub(crate) shared: Arc<Shared>,
    /// The core that the thread stays on.
    pub(crate) core: Option<CoreId>,
}

/// What a worker leaves.
#[derive(Debug)]
pub(crate) struct WorkerResult {
    pub(crate) produced: SideStats,
    pub(crate) consumed: SideStats,
    /// Commits of groups: partitions are its records.
    pub(crate) committed: SideStats,
    /// Time of the processor that the thread took within the window.
    pub(crate) cpu: Duration,
    pub(crate) failure: Option<Failure>,
}

/// What the loop knows about a lane.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    wakes_at: Option<Nanos>,
    watches_write: bool,
    is_done: bool,
}

/// The loop's own state.
struct Loop {
    epoll: OwnedFd,
    slots: Vec<Slot>,
    times: BinaryHeap<Reverse<(Nanos, usize)>>,
    left: usize,
    produced: SideStats,
    consumed: SideStats,
    committed: SideStats,
}

impl Lane {
    fn link(&self) -> &Link {
        match self {
            Self::Producer(lane) => &lane.link,
            Self::Consumer(lane) => &lane.link,
            Self::Member(lane) => &lane.link,
        }
    }

    fn link_mut(&mut self) -> (&mut Link, &'static str) {
        match self {
            Self::Producer(lane) => (&mut lane.link, "Produce"),
            Self::Consumer(lane) => (&mut lane.link, "Fetch"),
            Self::Member(lane) => (&mut lane.link, "ConsumerGroupHeartbeat"),
        }
    }

    fn check_deadline(&self, now: Nanos) -> Result<(), ClientError> {
        match self {
            Self::Producer(lane) => lane.check_deadline(now),
            Self::Consumer(lane) => lane.check_deadline(now),
            Self::Member(lane) => lane.check_deadline(now),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Producer(lane) => lane.is_done(),
            Self::Consumer(lane) => lane.is_done(),
            Self::Member(lane) => lane.is_done(),
        }
    }
}

impl Worker {
    /// Works until all lanes are done, the run is stopped, or something fails.
    pub(crate) fn run(mut self) -> WorkerResult {
        if let Some(core) = self.core {
            // A core that is not allowed is the system's business; the report says what was asked for.
            core_affinity::set_for_current(core);
        }
        let mut state = match self.prepare() {
            Ok(state) => state,
            Err(error) => return self.failed(Failure::local("watch connections")(error)),
        };
        let mut cpu = CpuClock::default();
        let failure = self.turns(&mut state, &mut cpu).err();
        if failure.is_some() {
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        cpu.end();
        WorkerResult {
            produced: state.produced,
            consumed: state.consumed,
            committed: state.committed,
            cpu: cpu.used(),
            failure,
        }
    }

    fn failed(&self, failure: Failure) -> WorkerResult {
        self.shared.stop.store(true, Ordering::Relaxed);
        WorkerResult {
            produced: SideStats::new(),
            consumed: SideStats::new(),
            committed: SideStats::new(),
            cpu: Duration::ZERO,
            failure: Some(failure),
        }
    }

    fn prepare(&self) -> io::Result<Loop> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (lane, at) in self.lanes.iter().zip(0..) {
            epoll::add(
                &epoll,
                lane.link().fd(),
                EventData::new_u64(at),
                EventFlags::IN,
            )?;
        }
        let times = (0..self.lanes.len()).map(|at| Reverse((0, at)));
        Ok(Loop {
            epoll,
            slots: vec![
                Slot {
                    wakes_at: Some(0),
                    ..Slot::default()
                };
                self.lanes.len()
            ],
            times: times.collect(),
            left: self.lanes.len(),
            produced: SideStats::new(),
            consumed: SideStats::new(),
            committed: SideStats::new(),
        })
    }

    fn turns(&mut self, state: &mut Loop, cpu: &mut CpuClock) -> Result<(), Failure> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS_MAX);
        let mut deadlines_at = 0;
        let give_up = self.window.end.saturating_add(nanos(DRAIN_MAX));
        loop {
            let now = self.window.now();
            cpu.note(now, &self.window);
            self.wake_due(state, now)?;
            if now >= deadlines_at {
                deadlines_at = now + DEADLINES_EVERY;
                self.lanes
                    .iter()
                    .try_for_each(|lane| lane.check_deadline(now))?;
            }
            let is_stopped = self.shared.stop.load(Ordering::Relaxed);
            if state.left == 0 || is_stopped || now > give_up {
                return Ok(());
            }
            let next = state
                .times
                .peek()
                .map_or(Nanos::MAX, |Reverse((time, _))| *time);
            let sleep = next.saturating_sub(self.window.now()).min(SLEEP_MAX);
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: i64::try_from(sleep).unwrap_or(0),
            };
            events.clear();
            match epoll::wait(&state.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Failure::local("wait for answers")(error.into())),
            }
            for event in &events {
                let (data, flags) = (event.data, event.flags);
                let at = usize::try_from(data.u64()).expect("it was an index");
                self.ready(state, at, flags)?;
            }
        }
    }

    /// Looks at the lanes whose time has come.
    fn wake_due(&mut self, state: &mut Loop, now: Nanos) -> Result<(), Failure> {
        while let Some(Reverse((time, at))) = state.times.peek().copied() {
            if time > now {
                break;
            }
            state.times.pop();
            if state.slots[at].wakes_at == Some(time) {
                state.slots[at].wakes_at = None;
                self.tick(state, at)?;
            }
        }
        Ok(())
    }

    fn ready(&mut self, state: &mut Loop, at: usize, flags: EventFlags) -> Result<(), Failure> {
        if state.slots[at].is_done {
            return Ok(());
        }
        if flags.contains(EventFlags::OUT) {
            let (link, api) = self.lanes[at].link_mut();
            link.flush(api)?;
        }
        let has_input = EventFlags::IN | EventFlags::ERR | EventFlags::HUP;
        if flags.intersects(has_input) {
            match &mut self.lanes[at] {
                Lane::Producer(lane) => {
                    lane.receive(&self.window, &mut state.produced, &self.shared)?
                }
                Lane::Consumer(lane) => {
                    lane.receive(&self.window, &mut state.consumed, &self.shared)?
                }
                Lane::Member(lane) => lane.receive(&self.window, &mut state.committed)?,
            }
        }
        self.tick(state, at)
    }

    /// Lets a lane do what it can, and notes what it waits for.
    fn tick(&mut self, state: &mut Loop, at: usize) -> Result<(), Failure> {
        let lane = &mut self.lanes[at];
        let wakes_at: Result<_, ClientError> = match lane {
            Lane::Producer(lane) => lane.tick(&self.window, &mut state.produced, &self.shared),
            Lane::Consumer(lane) => lane.tick(&self.window, &self.shared),
            Lane::Member(lane) => lane.tick(&self.window, &self.shared),
        };
        let wakes_at = wakes_at?;
        let slot = &mut state.slots[at];
        if lane.is_done() {
            if !slot.is_done {
                slot.is_done = true;
                state.left -= 1;
                let open = match lane {
                    Lane::Producer(_) => Some(&self.shared.producers_open),
                    Lane::Consumer(_) => Some(&self.shared.consumers_open),
                    Lane::Member(_) => None,
                };
                if let Some(open) = open {
                    open.fetch_sub(1, Ordering::Release);
                }
                let removed = epoll::delete(&state.epoll, lane.link().fd());
                removed.map_err(|error| Failure::local("watch connections")(error.into()))?;
            }
            return Ok(());
        }
        if let Some(time) = wakes_at
            && slot.wakes_at.is_none_or(|known| time < known)
        {
            slot.wakes_at = Some(time);
            state.times.push(Reverse((time, at)));
        }
        let wants_write = lane.link().wants_write();
        if wants_write != slot.watches_write {
            slot.watches_write = wants_write;
            let flags = if wants_write {
                EventFlags::IN | EventFlags::OUT
            } else {
                EventFlags::IN
            };
            let data = EventData::new_u64(at as u64);
            let changed = epoll::modify(&state.epoll, lane.link().fd(), data, flags);
            changed.map_err(|error| Failure::local("watch connections")(error.into()))?;
        }
        Ok(())
    }
}

/// The thread's own use of the processor within the window.
#[derive(Debug, Default)]
struct CpuClock {
    begin: Option<Duration>,
    end: Option<Duration>,
}

impl CpuClock {
    fn note(&mut self, now: Nanos, window: &Window) {
        if self.begin.is_none() && now >= window.begin {
            self.begin = Some(thread_cpu());
        }
        if self.end.is_none() && now >= window.end {
            self.end = Some(thread_cpu());
        }
    }

    fn end(&mut self) {
        self.end.get_or_insert_with(thread_cpu);
    }

    fn used(&self) -> Duration {
        let end = self.end.unwrap_or_default();
        self.begin
            .map_or(Duration::ZERO, |begin| end.saturating_sub(begin))
    }
}

/// The processor time of this thread until now.
fn thread_cpu() -> Duration {
    cpu_of(ClockId::ThreadCPUTime)
}

/// The processor time of this process until now.
pub(crate) fn process_cpu() -> Duration {
    cpu_of(ClockId::ProcessCPUTime)
}

fn cpu_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}
