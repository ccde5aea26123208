//! A simulation, its machines, and what can happen to them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use types::TimestampMs;

use crate::disk::Disk;
use crate::rng::{Rng, mix};
use crate::shard::{Shard, SimIo};
use crate::world::{Life, Stuck, World};

/// The wall clock at the start of every simulation: 2026-01-01T00:00:00Z in milliseconds.
const WALL_CLOCK_START_MS: i64 = 1_767_225_600_000;
const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// The virtual time after which a simulation has failed, unless it was told otherwise.
pub const DEFAULT_TIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// A world of its own: machines, networks and one virtual clock, all driven by one seed.
///
/// The same code run from the same seed does the same, to the last step: [`Simulation::trace_hash`] tells.
#[derive(Debug)]
pub struct Simulation {
    world: Rc<World>,
    machines: Cell<u32>,
}

impl Simulation {
    /// Makes an empty world.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed, nanoseconds(DEFAULT_TIME_MAX)),
            machines: Cell::new(0),
        }
    }

    /// Changes the virtual time that may pass until [`Simulation::run`] gives up.
    pub fn set_time_max(&self, time_max: Duration) {
        self.world.set_time_max(nanoseconds(time_max));
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.world.seed
    }

    /// Random numbers for the test itself. Streams of different purposes are independent of each other.
    #[must_use]
    pub fn rng(&self, purpose: u64) -> Rng {
        Rng::fork(self.world.seed, mix(purpose))
    }

    /// Adds a machine with an empty disk.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let node = self.machines.get();
        self.machines.set(node + 1);
        Machine {
            world: Rc::clone(&self.world),
            disk: Disk::new(&self.world, mix(u64::from(node)) | 1),
            node,
            incarnation: Cell::new(0),
            wall_clock: WallClock::default(),
        }
    }

    /// Runs everything until `root` is ready. `root` belongs to no machine: it survives their crashes.
    ///
    /// # Errors
    /// [`Stuck`] when `root` will never be ready, or not in time.
    ///
    /// # Panics
    /// When the code under test broke a rule of the seam, runs in circles, or panicked; with the seed.
    pub fn run<T>(&self, root: impl Future<Output = T>) -> Result<T, Stuck> {
        self.world.run(root)
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.world.now())
    }

    /// A hash of every scheduling decision and event so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.world.trace_hash()
    }

    /// Takes the violations of the seam seen so far, and no longer panics at them.
    #[must_use]
    pub fn take_violations(&self) -> Vec<String> {
        self.world.take_violations()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.world.clear();
    }
}

/// A machine: a disk that stays, and at most one process with shards that comes and goes.
#[derive(Debug)]
pub struct Machine {
    world: Rc<World>,
    disk: Disk,
    node: u32,
    incarnation: Cell<u64>,
    wall_clock: WallClock,
}

impl Machine {
    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// A handle of shard `number` of the process that runs now.
    #[must_use]
    pub fn shard(&self, number: u32) -> SimIo {
        let life = self.life();
        let purpose = [u64::from(life.node), life.incarnation, u64::from(number)];
        SimIo::new(Shard {
            world: Rc::clone(&self.world),
            disk: self.disk.clone(),
            life,
            number,
            wall_clock: self.wall_clock.clone(),
            rng: Rng::fork_for(self.world.seed, purpose),
        })
    }

    /// Ends the process at once, as `kill -9` does: its tasks vanish, its connections close, writes that it
    /// has submitted happen whole or in part, and nothing that was written is lost. [`Machine::shard`] then makes shards of a new process.
    pub fn kill(&self) {
        self.world.end_life(self.life());
        self.incarnation.set(self.incarnation.get() + 1);
        self.disk.end_process();
    }

    /// Ends the process and cuts the power: the fate of all that was not synced is drawn from the seed.
    pub fn cut_power(&self) {
        self.kill();
        self.disk.lose_power();
    }

    /// Lets a shard of the process that runs now stand still, as a thread that the kernel does not run.
    pub fn stall(&self, number: u32) {
        self.world.stall(self.life(), number);
    }

    /// Ends the stall of a shard, if the process that it was part of still runs.
    pub fn resume(&self, number: u32) {
        self.world.resume(self.life(), number);
    }

    /// How many tasks the process has, by the place that spawned them.
    #[must_use]
    pub fn tasks(&self) -> BTreeMap<String, usize> {
        self.world.tasks_of(self.life())
    }

    /// Lets the wall clock jump.
    pub fn shift_wall_clock(&self, shift_ms: i64) {
        self.wall_clock.shift(shift_ms);
    }

    fn life(&self) -> Life {
        Life {
            node: self.node,
            incarnation: self.incarnation.get(),
        }
    }
}

/// A machine's wall clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct WallClock {
    shift_ms: Rc<Cell<i64>>,
}

impl WallClock {
    pub(crate) fn at(&self, now_ns: u64) -> TimestampMs {
        let elapsed_ms = i64::try_from(now_ns / NANOSECONDS_PER_MILLISECOND)
            .expect("a 64-bit clock in nanoseconds has fewer milliseconds");
        TimestampMs(WALL_CLOCK_START_MS + elapsed_ms + self.shift_ms.get())
    }

    fn shift(&self, shift_ms: i64) {
        self.shift_ms.set(self.shift_ms.get() + shift_ms);
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
