//! A simulated disk with one file system: it takes its time, forgets what was not synced, fills up and fails.
//!
//! # Invariants
//! - An operation takes effect at one instant of virtual time after it was submitted, whether or not anybody still waits
//!   for it, unless the process dies or the power fails first. A write that is under way then may happen in part, and
//!   other operations do not happen.
//! - Overlapping writes under way and buffers that change under a write are violations of the seam.
//!
//! A file takes its length, rounded up to blocks, from the capacity: there are no holes. Names take nothing.

pub(crate) mod image;
pub(crate) mod names;

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use io::ALIGNMENT;
use io::sync::oneshot;

use self::image::Content;
use self::names::{Inode, Names, ROOT};
use crate::fault::{Fault, Operation};
use crate::fault_points::{FaultPoints, Hit};
use crate::rng::Rng;
use crate::world::World;

/// Room on a new disk.
pub const DEFAULT_CAPACITY_BYTES: u64 = 64 << 30;

/// One operation in this many takes far longer than the others.
const SLOW_ONE_IN: u64 = 64;
const SLOW_FACTOR: u64 = 30;
/// Changes of names between two collections of files that are gone.
const CHANGES_PER_COLLECTION: u64 = 200;

/// What a sync does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syncs {
    /// It makes durable what it promises.
    #[default]
    Honest,
    /// It reports success and does nothing: as a broker that leaves syncs out, or a device with a volatile cache.
    Lies,
}

/// How many operations a disk has completed, failed ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files opened.
    pub opens: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes that writes were asked to write.
    pub written_bytes: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes that reads returned.
    pub read_bytes: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of directories.
    pub directory_syncs: u64,
    /// Allocations and changes of a length.
    pub resizes: u64,
    /// Creations, renames and removals.
    pub name_changes: u64,
    /// Power cuts.
    pub power_cuts: u64,
}

/// A disk and the control over it. Clones are handles of the same disk.
#[derive(Clone, Debug)]
pub struct Disk {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    world: Rc<World>,
    rng: Rng,
    /// Processes that have ended on this disk.
    ended: Cell<u64>,
    syncs: Cell<Syncs>,
    capacity_bytes: Cell<u64>,
    /// How many times longer than usual everything takes.
    slowness: Cell<u64>,
    /// One write in this many is done in part only; 0 is none.
    short_one_in: Cell<u64>,
    /// Operations that were begun, and those of them that have not taken effect.
    begun: Cell<u64>,
    under_way: RefCell<BTreeMap<u64, (Operation, PathBuf)>>,
    fault_points: RefCell<FaultPoints>,
    counts: Cell<Counts>,
    faults: RefCell<Vec<Fault>>,
    state: RefCell<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) names: Names,
    pub(crate) files: BTreeMap<Inode, Content>,
    /// When each file was last changed, in virtual time.
    pub(crate) modified_ns: BTreeMap<Inode, u64>,
    /// Open handles of each file.
    open: BTreeMap<Inode, u32>,
    /// Changes of names that had been made at the last collection.
    collected: u64,
}

impl Disk {
    pub(crate) fn new(world: &Rc<World>, number: u64) -> Self {
        Self {
            shared: Rc::new(Shared {
                world: Rc::clone(world),
                rng: Rng::fork(world.seed, number),
                ended: Cell::default(),
                syncs: Cell::default(),
                capacity_bytes: Cell::new(DEFAULT_CAPACITY_BYTES),
                slowness: Cell::new(1),
                short_one_in: Cell::default(),
                begun: Cell::default(),
                under_way: RefCell::default(),
                fault_points: RefCell::default(),
                counts: Cell::default(),
                faults: RefCell::default(),
                state: RefCell::new(State {
                    names: Names::new(),
                    files: BTreeMap::new(),
                    modified_ns: BTreeMap::new(),
                    open: BTreeMap::new(),
                    collected: 0,
                }),
            }),
        }
    }

    /// Changes what syncs do from now on.
    pub fn set_syncs(&self, syncs: Syncs) {
        self.shared.syncs.set(syncs);
    }

    /// Changes how many bytes fit, whatever is there already.
    pub fn set_capacity_bytes(&self, capacity_bytes: u64) {
        self.shared.capacity_bytes.set(capacity_bytes);
    }

    /// Makes every operation from now on take `factor` times as long as usual.
    pub fn set_slowness(&self, factor: u64) {
        self.shared.slowness.set(factor.max(1));
    }

    /// Lets one write in `one_in` write fewer bytes than it was given, as kernels may; 0 ends it.
    pub fn set_short_writes(&self, one_in: u64) {
        self.shared.short_one_in.set(one_in);
    }

    /// How many of `blocks` a write does.
    pub(crate) fn draw_blocks(&self, blocks: usize) -> usize {
        let one_in = self.shared.short_one_in.get();
        if one_in == 0 || blocks < 2 || !self.rng().chance(1, one_in) {
            return blocks;
        }
        1 + self.rng().index(blocks - 1)
    }

    /// What faults and crashes have hit so far, and how often.
    #[must_use]
    pub fn fault_points(&self) -> FaultPoints {
        self.shared.fault_points.borrow().clone()
    }

    /// All files that names lead to, with their lengths in bytes, by their paths.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state();
        let mut found = Vec::new();
        let mut unvisited = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, directory)) = unvisited.pop() {
            for (name, inode) in state.names.list(directory) {
                let path = path.join(name);
                if state.names.is_directory(inode) {
                    unvisited.push((path, inode));
                } else if let Some(content) = state.files.get(&inode) {
                    found.push((path, content.current().len_bytes()));
                }
            }
        }
        found.sort_unstable();
        found
    }

    /// Handles of files that are open.
    #[must_use]
    pub fn open_files(&self) -> u32 {
        self.state().open.values().sum()
    }

    /// Makes operations fail.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.borrow_mut().push(fault);
    }

    /// Ends all faults that were injected.
    pub fn repair(&self) {
        self.shared.faults.borrow_mut().clear();
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts.get()
    }

    /// Bytes that files take.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Changes one byte of a file on the platter, as a failing medium does.
    ///
    /// # Errors
    /// `NotFound`, and `UnexpectedEof` when the file is not that long.
    pub fn corrupt(&self, path: &Path, position: u64) -> Result<()> {
        let mut state = self.state_mut();
        let inode = state.names.find(path)?;
        let content = state.files.get_mut(&inode).ok_or(ErrorKind::NotFound)?;
        if position >= content.current().len_bytes() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        content.current_mut().flip(position);
        content.durable_mut().flip(position);
        Ok(())
    }

    /// What a reader sees of a file now, without an operation of the disk; for checks in tests.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn peek(&self, path: &Path) -> Result<Vec<u8>> {
        let state = self.state();
        let inode = state.names.find(path)?;
        let content = state.files.get(&inode).ok_or(ErrorKind::NotFound)?;
        let image = content.current();
        let len = usize::try_from(image.len_bytes()).map_err(Error::other)?;
        let mut bytes = vec![0; len];
        image.read(0, &mut bytes);
        Ok(bytes)
    }

    /// The process has died. The kernel is done with what was under way before another one can start.
    pub(crate) fn end_process(&self) {
        self.shared.ended.set(self.shared.ended.get() + 1);
        for (operation, path) in self.shared.under_way.take().into_values() {
            self.hit(Hit::Crash, operation, &path);
        }
        for content in self.state_mut().files.values_mut() {
            content.end_process(&self.shared.rng);
        }
    }

    /// Draws the fate of all that was not synced, after the process has ended.
    pub(crate) fn lose_power(&self) {
        self.count(|counts| counts.power_cuts += 1);
        let rng = &self.shared.rng;
        let mut state = self.state_mut();
        let State { names, files, .. } = &mut *state;
        names.lose_power(rng);
        for content in files.values_mut() {
            content.lose_power(rng);
        }
        let reachable = names.reachable();
        files.retain(|inode, _| reachable.contains(inode));
    }

    pub(crate) fn state(&self) -> Ref<'_, State> {
        self.shared.state.borrow()
    }

    pub(crate) fn state_mut(&self) -> RefMut<'_, State> {
        self.shared.state.borrow_mut()
    }

    pub(crate) fn world(&self) -> &World {
        &self.shared.world
    }

    pub(crate) fn rng(&self) -> &Rng {
        &self.shared.rng
    }

    pub(crate) fn lies(&self) -> bool {
        self.shared.syncs.get() == Syncs::Lies
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.shared.counts.get();
        change(&mut counts);
        self.shared.counts.set(counts);
    }

    /// The error that a fault has for an operation on `path`.
    pub(crate) fn check(&self, operation: Operation, path: &Path) -> Result<()> {
        let mut faults = self.shared.faults.borrow_mut();
        let struck: Result<()> = faults
            .iter_mut()
            .try_for_each(|fault| fault.strike(operation, path));
        if struck.is_err() {
            self.hit(Hit::Error, operation, path);
        }
        struck
    }

    /// Notes what has hit an operation.
    pub(crate) fn hit(&self, hit: Hit, operation: Operation, path: &Path) {
        let mut points = self.shared.fault_points.borrow_mut();
        points.count(hit, operation, path);
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.shared.capacity_bytes.get()
    }

    /// Blocks that are free; as many as fit the disk where there is room for `wanted` of them anyway.
    pub(crate) fn free_blocks(&self, wanted: u64) -> u64 {
        let all_blocks = self.total_bytes() / ALIGNMENT as u64;
        let taken = self.state().kept_bytes() / ALIGNMENT as u64;
        if taken.saturating_add(wanted) <= all_blocks {
            return all_blocks;
        }
        self.free_bytes() / ALIGNMENT as u64
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        let used = self.state().used_bytes();
        self.shared.capacity_bytes.get().saturating_sub(used)
    }

    /// Lets `effect` happen after a while. It happens even if the returned future is dropped, unless the process ends
    /// first.
    pub(crate) fn after<T: 'static, E: FnOnce(&Self) -> Result<T> + 'static>(
        &self,
        operation: Operation,
        path: &Path,
        effect: E,
    ) -> impl Future<Output = Result<T>> + use<T, E> {
        let (promise, answer) = oneshot();
        let disk = self.clone();
        let ended = self.shared.ended.get();
        let (low, high) = operation.latency_ns();
        let mut latency = self.shared.rng.between(low, high);
        if self.shared.rng.chance(1, SLOW_ONE_IN) {
            latency *= SLOW_FACTOR;
        }
        latency *= self.shared.slowness.get();
        let number = self.shared.begun.get();
        self.shared.begun.set(number + 1);
        let begun = (operation, path.to_path_buf());
        self.shared.under_way.borrow_mut().insert(number, begun);
        let world = &self.shared.world;
        world.at(world.now() + latency, move || {
            if disk.shared.ended.get() == ended {
                disk.shared.under_way.borrow_mut().remove(&number);
                promise.fulfil(effect(&disk));
            }
        });
        async move {
            let lost = || Err(Error::other("the process has ended"));
            answer.await.unwrap_or_else(lost)
        }
    }

    /// Notes that a file's content changes now.
    pub(crate) fn modified(&self, inode: Inode) {
        let now = self.shared.world.now();
        self.state_mut().modified_ns.insert(inode, now);
    }

    pub(crate) fn opened(&self, inode: Inode) {
        *self.state_mut().open.entry(inode).or_default() += 1;
    }

    pub(crate) fn closed(&self, inode: Inode) {
        let mut state = self.state_mut();
        if let Some(count) = state.open.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                state.open.remove(&inode);
            }
        }
    }
}

impl State {
    pub(crate) fn content(&mut self, inode: Inode) -> Result<&mut Content> {
        // A handle from before a power cut may name a file that never became durable.
        let content = self.files.get_mut(&inode);
        content.ok_or_else(|| Error::other("the file went with the power"))
    }

    /// Forgets files that neither a name, now or after a power cut, nor a handle leads to, now and then: a walk through all
    /// names at each sync would take longer than everything else.
    pub(crate) fn collect(&mut self) {
        let changes = self.names.changes();
        if changes < self.collected + CHANGES_PER_COLLECTION {
            return;
        }
        self.collected = changes;
        let named = self.names.referenced();
        let open = &self.open;
        self.files
            .retain(|inode, _| named.contains(inode) || open.contains_key(inode));
        let files = &self.files;
        self.modified_ns
            .retain(|inode, _| files.contains_key(inode));
    }

    /// What all files take, those too that only a power cut can bring back: at least as much as [`State::used_bytes`], and
    /// told without a walk through the names.
    fn kept_bytes(&self) -> u64 {
        let lengths = self.files.values().map(|it| it.current().len_bytes());
        lengths.map(io::align_up).sum()
    }

    fn used_bytes(&self) -> u64 {
        let reachable = self.names.reachable();
        let used = |inode: &Inode| reachable.contains(inode) || self.open.contains_key(inode);
        self.files
            .iter()
            .filter(|&(inode, _)| used(inode))
            .map(|(_, content)| io::align_up(content.current().len_bytes()))
            .sum()
    }
}
