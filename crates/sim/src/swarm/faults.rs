//! What goes wrong while a broker runs: the disk, the clock, its shards, and the inboxes between them. What goes wrong with
//! connections happens where they are made.
//!
//! # Invariants
//! - Faults of the disk strike logs and what lies beside them, and not the start of a broker. They end with it.
//! - After a failed sync the broker ends by a power cut: what the sync covered may be readable, and lost with the next one;
//!   nobody could tell.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use ::io::{Io as _, Task as _, TaskClass};

use super::mix::Part;
use super::stage::Actor;
use crate::client::TOPIC;
use crate::fault::{Fault, Operation};
use crate::machine::Machine;
use crate::mailbox::mailboxes;

const INTERVAL_MAX_MS: u64 = 250;
const SPAN_MAX_US: u64 = 200_000;
/// The largest difference between the wall clock and the time that has passed.
const CLOCK_STEP_MAX_MS: u64 = 20 * 60_000;
const SLOWNESS_MAX: u64 = 60;
const ROOM_MAX_BYTES: u64 = 256 << 10;
const SPARED_MAX: u64 = 6;
const SHORT_ONE_IN_MAX: u64 = 8;
const LOGS: [&str; 4] = [TOPIC, "__consumer_offsets", "fleeting", "kept"];
/// What lies beside the logs.
const CHECKPOINTS: &str = "checkpoint";
/// Where everything is.
const DIRECTORIES: &str = "/data";
const METADATA_LOG: &str = "__cluster_metadata";

/// What lets syncs fail.
const FAILED_SYNCS: [Part; 2] = [Part::SyncErrors, Part::MetadataErrors];

/// Makes faults.
pub(crate) struct Injector {
    actor: Actor,
    machine: Rc<Machine>,
    kinds: Vec<Part>,
    clock_shift_ms: Cell<i64>,
    /// Whether a sync may have failed since the broker was started.
    has_failed_sync: Cell<bool>,
}

impl Injector {
    pub(crate) fn new(actor: Actor, machine: &Rc<Machine>) -> Self {
        let all = [
            Part::WriteErrors,
            Part::SyncErrors,
            Part::ReadErrors,
            Part::FullDisks,
            Part::SlowDisks,
            Part::ClockSteps,
            Part::ShardStalls,
            Part::FullInboxes,
            Part::ShortWrites,
            Part::MetadataErrors,
            Part::NameErrors,
        ];
        let mix = &actor.stage.mix;
        let kinds = all
            .into_iter()
            .filter(|kind| mix.has(*kind))
            // Only a power cut ends what a failed sync began.
            .filter(|kind| !FAILED_SYNCS.contains(kind) || mix.has(Part::PowerCuts));
        Self {
            kinds: kinds.collect(),
            machine: Rc::clone(machine),
            clock_shift_ms: Cell::new(0),
            has_failed_sync: Cell::new(false),
            actor,
        }
    }

    /// Whether a sync may have failed since this was last asked.
    pub(crate) fn take_failed_sync(&self) -> bool {
        self.has_failed_sync.take()
    }

    /// Makes faults for `span_ms`.
    pub(crate) async fn live(&self, span_ms: u64) {
        let io = &self.actor.stage.io;
        let end = io.now() + Duration::from_millis(span_ms);
        loop {
            let pause = Duration::from_millis(self.actor.rng.between(1, INTERVAL_MAX_MS));
            let next = io.now() + pause;
            io.sleep_until(next.min(end)).await;
            if next >= end {
                return;
            }
            if !self.kinds.is_empty() {
                let kind = self.kinds[self.actor.rng.index(self.kinds.len())];
                self.strike(kind);
            }
        }
    }

    /// Ends all faults of the disk.
    pub(crate) fn repair(&self) {
        let disk = self.machine.disk();
        disk.repair();
        disk.set_slowness(1);
        disk.set_short_writes(0);
        disk.set_capacity_bytes(crate::disk::DEFAULT_CAPACITY_BYTES);
    }

    fn strike(&self, kind: Part) {
        match kind {
            Part::WriteErrors => self.fail(Operation::Write, self.log(), "write error"),
            Part::ReadErrors => self.fail(Operation::Read, self.log(), "read error"),
            Part::SyncErrors => {
                self.has_failed_sync.set(true);
                self.fail(Operation::Sync, self.log(), "sync error");
            }
            Part::MetadataErrors => self.fail_metadata(),
            Part::NameErrors => self.fail_names(),
            Part::ShortWrites => self.shorten_writes(),
            Part::FullDisks => self.fill(),
            Part::SlowDisks => self.slow_down(),
            Part::ClockSteps => self.step_clock(),
            Part::ShardStalls => self.stall_shard(),
            _ => self.hold_inbox(),
        }
    }

    fn log(&self) -> &'static str {
        LOGS[self.actor.rng.index(LOGS.len())]
    }

    /// The metadata log takes no more until the next start; what it was about to take may be there then.
    fn fail_metadata(&self) {
        self.actor.stage.is_metadata_unsure.set(true);
        if self.actor.rng.chance(1, 2) {
            self.fail(Operation::Write, METADATA_LOG, "metadata write error");
        } else {
            self.has_failed_sync.set(true);
            self.fail(Operation::Sync, METADATA_LOG, "metadata sync error");
        }
    }

    /// What is done to files beside reading, writing and syncing them. Only a power cut ends what a failed sync began.
    fn fail_names(&self) {
        let operations = [
            (Operation::Open, "open error"),
            (Operation::Resize, "resize error"),
            (Operation::Names, "name error"),
            (Operation::SyncDirectory, "directory sync error"),
        ];
        let can_sync_fail = self.actor.stage.mix.has(Part::PowerCuts);
        let count = operations.len() - usize::from(!can_sync_fail);
        let (operation, what) = operations[self.actor.rng.index(count)];
        let is_sync = operation == Operation::SyncDirectory;
        let place = match (self.actor.rng.chance(1, 4), is_sync) {
            (false, _) => self.log(),
            (true, false) => CHECKPOINTS,
            (true, true) => {
                // That of the metadata log is one of them.
                self.actor.stage.is_metadata_unsure.set(true);
                DIRECTORIES
            }
        };
        if is_sync {
            self.has_failed_sync.set(true);
        }
        self.fail(operation, place, what);
    }

    fn shorten_writes(&self) {
        let one_in = self.actor.rng.between(1, SHORT_ONE_IN_MAX);
        self.machine.disk().set_short_writes(one_in);
        self.actor.stage.story.fault("short writes");
        self.actor
            .tell(|| format!("one write in {one_in} is done in part"));
        let machine = Rc::clone(&self.machine);
        self.later(move || machine.disk().set_short_writes(0));
    }

    fn fail(&self, operation: Operation, log: &str, what: &'static str) {
        let rng = &self.actor.rng;
        let spared = u32::try_from(rng.below(SPARED_MAX)).expect("small");
        let fault = Fault::new(operation).on(log).after(spared);
        let fault = match rng.below(3) {
            0 if operation == Operation::Write => fault.error(ErrorKind::StorageFull).times(2),
            1 => fault,
            _ => fault.times(1),
        };
        self.machine.disk().inject(fault.clone());
        self.actor.stage.story.fault(what);
        self.actor.tell(|| format!("{fault:?}"));
    }

    fn fill(&self) {
        let disk = self.machine.disk();
        let room = self.actor.rng.below(ROOM_MAX_BYTES);
        disk.set_capacity_bytes(disk.used_bytes() + room);
        self.actor.stage.story.fault("full disk");
        self.actor
            .tell(|| format!("the disk has room for {room} bytes"));
    }

    fn slow_down(&self) {
        let factor = self.actor.rng.between(2, SLOWNESS_MAX);
        self.machine.disk().set_slowness(factor);
        self.actor.stage.story.fault("slow disk");
        self.actor
            .tell(|| format!("the disk is {factor} times slower"));
        let machine = Rc::clone(&self.machine);
        self.later(move || machine.disk().set_slowness(1));
    }

    fn step_clock(&self) {
        let away = i64::try_from(self.actor.rng.below(2 * CLOCK_STEP_MAX_MS)).expect("small");
        let away = away - i64::try_from(CLOCK_STEP_MAX_MS).expect("small");
        let step = away - self.clock_shift_ms.replace(away);
        self.machine.shift_wall_clock(step);
        self.actor.stage.story.fault("clock step");
        self.actor
            .tell(|| format!("the wall clock jumps by {step} ms"));
    }

    fn stall_shard(&self) {
        let shards = self
            .actor
            .stage
            .node
            .borrow()
            .as_ref()
            .map_or(1, |it| it.shards());
        let shard = u32::try_from(self.actor.rng.index(shards)).expect("few shards");
        self.machine.stall(shard);
        self.actor.stage.story.fault("shard stall");
        self.actor.tell(|| format!("shard {shard} stands still"));
        let machine = Rc::clone(&self.machine);
        self.later(move || machine.resume(shard));
    }

    fn hold_inbox(&self) {
        let inboxes = mailboxes();
        if inboxes.is_empty() {
            return;
        }
        let index = self.actor.rng.index(inboxes.len());
        let inbox = inboxes[index].clone();
        inbox.hold();
        self.actor.stage.story.fault("held inbox");
        self.actor
            .tell(|| format!("mailbox {index} is not emptied"));
        self.later(move || inbox.release());
    }

    fn later(&self, end: impl FnOnce() + 'static) {
        let span = Duration::from_micros(self.actor.rng.magnitude(SPAN_MAX_US));
        let io = self.actor.stage.io.clone();
        let ending = async move {
            io.sleep_until(io.now() + span).await;
            end();
        };
        let io = &self.actor.stage.io;
        io.spawn(TaskClass::Foreground, ending).detach();
    }
}
