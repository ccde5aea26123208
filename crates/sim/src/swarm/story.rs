//! What happened in a run, to be counted and, if wanted, told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::rng::mix;
use crate::shard::SimIo;

const NANOSECONDS_PER_MICROSECOND: u64 = 1_000;
const MICROSECONDS_PER_SECOND: u64 = 1_000_000;

/// How often each kind of thing happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests that were answered, by what they asked for.
    pub operations: BTreeMap<&'static str, u64>,
    /// Faults, by what they did.
    pub faults: BTreeMap<&'static str, u64>,
    /// Ends of the broker, by how it ended.
    pub crashes: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds another run's.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.operations, &other.operations),
            (&mut self.faults, &other.faults),
            (&mut self.crashes, &other.crashes),
        ];
        for (sums, counts) in pairs {
            for (what, count) in counts {
                *sums.entry(what).or_default() += count;
            }
        }
    }
}

/// The log of a run.
pub(crate) struct Story {
    io: SimIo,
    is_told: bool,
    tally: RefCell<Tally>,
    hash: Cell<u64>,
}

impl Story {
    pub(crate) fn new(io: SimIo, is_told: bool) -> Self {
        Self {
            io,
            is_told,
            tally: RefCell::default(),
            hash: Cell::default(),
        }
    }

    /// Tells a line, if anybody listens.
    #[expect(clippy::print_stdout, reason = "the story is what --trace asks for")]
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if self.is_told {
            let now_us = io::Io::now(&self.io).0 / NANOSECONDS_PER_MICROSECOND;
            let (seconds, rest) = (
                now_us / MICROSECONDS_PER_SECOND,
                now_us % MICROSECONDS_PER_SECOND,
            );
            println!("{seconds:>5}.{rest:06}  {}", line());
        }
    }

    pub(crate) fn operation(&self, what: &'static str) {
        *self.tally.borrow_mut().operations.entry(what).or_default() += 1;
        self.note(what);
    }

    pub(crate) fn fault(&self, what: &'static str) {
        *self.tally.borrow_mut().faults.entry(what).or_default() += 1;
        self.note(what);
    }

    pub(crate) fn crash(&self, what: &'static str) {
        *self.tally.borrow_mut().crashes.entry(what).or_default() += 1;
        self.note(what);
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    /// A hash of everything that was counted, in its order and with its times.
    pub(crate) fn hash(&self) -> u64 {
        self.hash.get()
    }

    fn note(&self, what: &str) {
        let now = io::Io::now(&self.io).0;
        let words = what.bytes().map(u64::from).chain([now]);
        let hash = words.fold(self.hash.get(), |hash, word| mix(hash ^ word));
        self.hash.set(hash);
    }
}
