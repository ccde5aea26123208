//! The content of one simulated file: what a reader sees, what is certainly on the platter, and what lies between.
//!
//! # Invariants
//! - Bytes beyond an image's length are zero, so that an extension never brings back what was cut off.
//! - What a failed sync or a power cut leaves is drawn sector by sector: each keeps its old content or gets one of the
//!   versions written since the last sync. A sector itself is never torn.
//! - Changes of the length are journalled: those that survive are a prefix of those that were made, and data written
//!   into room that a lost cut would have freed is lost with it.

use std::collections::BTreeMap;
use std::rc::Rc;

use io::{ALIGNMENT, align_down};

use crate::rng::Rng;

/// What a device writes whole or not at all.
pub(crate) const SECTOR_BYTES: usize = 512;
const BLOCK_BYTES: u64 = ALIGNMENT as u64;

pub(crate) type Block = Rc<[u8; ALIGNMENT]>;

fn zeroes() -> Block {
    Rc::new([0; ALIGNMENT])
}

/// A length and the blocks that are not zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    len_bytes: u64,
    blocks: BTreeMap<u64, Block>,
}

impl Image {
    pub(crate) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Fills `target` with the bytes at `position`, an aligned one; they lie within the length.
    pub(crate) fn read(&self, position: u64, target: &mut [u8]) {
        for (index, part) in (position / BLOCK_BYTES..).zip(target.chunks_mut(ALIGNMENT)) {
            match self.blocks.get(&index) {
                Some(block) => part.copy_from_slice(&block[..part.len()]),
                None => part.fill(0),
            }
        }
    }

    /// Changes one byte, as a failing medium does.
    pub(crate) fn flip(&mut self, position: u64) {
        let within = usize::try_from(position % BLOCK_BYTES).expect("below a block");
        let block = self.blocks.entry(position / BLOCK_BYTES);
        let block = block.or_insert_with(zeroes);
        Rc::make_mut(block)[within] ^= 0x55;
    }

    fn clear_beyond_the_end(&mut self) {
        let len_bytes = self.len_bytes;
        let removed = self.blocks.split_off(&len_bytes.div_ceil(BLOCK_BYTES));
        drop(removed);
        let within = usize::try_from(len_bytes - align_down(len_bytes)).expect("below a block");
        if within > 0
            && let Some(block) = self.blocks.get_mut(&(len_bytes / BLOCK_BYTES))
        {
            Rc::make_mut(block)[within..].fill(0);
        }
    }

    fn put_sectors(&mut self, index: u64, source: &Block, wanted: impl Fn() -> bool) {
        let block = self.blocks.entry(index);
        let block = Rc::make_mut(block.or_insert_with(zeroes));
        let sectors = block
            .chunks_mut(SECTOR_BYTES)
            .zip(source.chunks(SECTOR_BYTES));
        for (old, new) in sectors {
            if wanted() {
                old.copy_from_slice(new);
            }
        }
    }

    fn apply(&mut self, change: &Change) {
        self.len_bytes = change.end(self.len_bytes);
        match change {
            Change::Write(write) => {
                for (index, block) in (write.first_block..).zip(&write.blocks) {
                    self.blocks.insert(index, Rc::clone(block));
                }
            }
            Change::Reserve(_) => {}
            Change::Resize(_) => self.clear_beyond_the_end(),
        }
    }
}

/// Whole blocks on their way to a file.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    first_block: u64,
    blocks: Vec<Block>,
    /// Where the file ends at least, once this is written.
    end: u64,
}

impl Write {
    /// `bytes` at the aligned `position`; a last block that is not full is padded with zeroes.
    pub(crate) fn new(position: u64, bytes: &[u8]) -> Self {
        let blocks = bytes
            .chunks(ALIGNMENT)
            .map(|part| {
                let mut block = [0; ALIGNMENT];
                block[..part.len()].copy_from_slice(part);
                Rc::new(block)
            })
            .collect();
        Self {
            first_block: position / BLOCK_BYTES,
            blocks,
            end: position + u64::try_from(bytes.len()).expect("lengths fit 64 bits"),
        }
    }

    /// Whether both touch one block.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.first_block < other.past_the_end() && other.first_block < self.past_the_end()
    }

    /// Whether `bytes` are still what was to be written.
    pub(crate) fn is_of(&self, bytes: &[u8]) -> bool {
        let blocks = self.blocks.iter().map(|block| block.as_slice());
        blocks.eq(bytes.chunks(ALIGNMENT))
    }

    /// Drops all blocks but the first `count`, which a full disk still takes.
    pub(crate) fn cut(&mut self, count: usize) {
        self.blocks.truncate(count);
        self.end = self.end.min(self.past_the_end() * BLOCK_BYTES);
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The first block behind it.
    pub(crate) fn past_the_end(&self) -> u64 {
        self.first_block + u64::try_from(self.blocks.len()).expect("lengths fit 64 bits")
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write(Write),
    /// Room up to this position.
    Reserve(u64),
    Resize(u64),
}

impl Change {
    fn is_journalled(&self, len_bytes: u64) -> bool {
        match self {
            Self::Write(write) => write.end > len_bytes,
            Self::Reserve(end) => *end > len_bytes,
            Self::Resize(_) => true,
        }
    }

    /// Where a file that ended at `len_bytes` ends once this is done.
    pub(crate) fn end(&self, len_bytes: u64) -> u64 {
        match self {
            Self::Write(Write { end, .. }) | Self::Reserve(end) => len_bytes.max(*end),
            Self::Resize(len_bytes) => *len_bytes,
        }
    }
}

/// One file's content.
#[derive(Debug, Default)]
pub(crate) struct Content {
    current: Image,
    durable: Image,
    /// Completed and not synced, each with the number of its completion.
    unsynced: Vec<(u64, Change)>,
    /// Submitted and not completed, by the number of their submission.
    in_flight: BTreeMap<u64, Write>,
    numbers: u64,
}

impl Content {
    pub(crate) fn current(&self) -> &Image {
        &self.current
    }

    pub(crate) fn current_mut(&mut self) -> &mut Image {
        &mut self.current
    }

    pub(crate) fn durable_mut(&mut self) -> &mut Image {
        &mut self.durable
    }

    /// A number above all completions so far: what a sync that is submitted now covers.
    pub(crate) fn completed(&self) -> u64 {
        self.numbers
    }

    /// Whether a write under way touches the same block.
    pub(crate) fn collides(&self, write: &Write) -> bool {
        self.in_flight.values().any(|other| other.overlaps(write))
    }

    pub(crate) fn submit(&mut self, write: Write) -> u64 {
        self.numbers += 1;
        self.in_flight.insert(self.numbers, write);
        self.numbers
    }

    pub(crate) fn take_submitted(&mut self, number: u64) -> Write {
        let write = self.in_flight.remove(&number);
        write.expect("a write completes once")
    }

    pub(crate) fn complete(&mut self, change: Change) {
        self.current.apply(&change);
        self.unsynced.push((self.numbers, change));
        self.numbers += 1;
    }

    /// A write that failed: each of its sectors may or may not have been written.
    pub(crate) fn complete_torn(&mut self, write: Write, rng: &Rng) {
        let mut torn = self.current.clone();
        for (index, block) in (write.first_block..).zip(&write.blocks) {
            torn.put_sectors(index, block, || rng.chance(1, 2));
        }
        torn.clear_beyond_the_end();
        let mut write = write;
        for (index, block) in (write.first_block..).zip(&mut write.blocks) {
            *block = torn.blocks.get(&index).map_or_else(zeroes, Rc::clone);
        }
        write.end = write.end.min(torn.len_bytes);
        self.complete(Change::Write(write));
    }

    /// Makes durable what had completed before `completed`.
    pub(crate) fn sync(&mut self, completed: u64) {
        for change in self.take_unsynced(completed) {
            self.durable.apply(&change);
        }
    }

    /// A failed sync: the fate of what it covered is drawn now, and no later sync will change it.
    pub(crate) fn fail_sync(&mut self, completed: u64, rng: &Rng) {
        let changes = self.take_unsynced(completed);
        self.settle(&changes, rng);
    }

    /// The process has died: what it had under way happens, whole or in part.
    pub(crate) fn end_process(&mut self, rng: &Rng) {
        for write in std::mem::take(&mut self.in_flight).into_values() {
            if rng.chance(1, 2) {
                self.complete(Change::Write(write));
            } else {
                self.complete_torn(write, rng);
            }
        }
    }

    /// A power cut: the fate of everything unsynced is drawn, and that is the file from now on.
    pub(crate) fn lose_power(&mut self, rng: &Rng) {
        let changes = self.take_unsynced(u64::MAX);
        self.settle(&changes, rng);
        self.current = self.durable.clone();
    }

    fn take_unsynced(&mut self, completed: u64) -> Vec<Change> {
        let count = self
            .unsynced
            .partition_point(|&(number, _)| number < completed);
        self.unsynced
            .drain(..count)
            .map(|(_, change)| change)
            .collect()
    }

    fn settle(&mut self, changes: &[Change], rng: &Rng) {
        let image = &mut self.durable;
        // Out of four. Now and then all or nothing survives.
        let (sector_odds, journal_odds) = (rng.below(5), rng.below(5));
        let mut journal_goes_on = true;
        let mut freed_from = u64::MAX;
        for change in changes {
            if change.is_journalled(image.len_bytes) {
                journal_goes_on = journal_goes_on && rng.chance(journal_odds, 4);
                if journal_goes_on {
                    image.len_bytes = change.end(image.len_bytes);
                }
            }
            match change {
                Change::Resize(_) if journal_goes_on => image.clear_beyond_the_end(),
                Change::Resize(len_bytes) => freed_from = freed_from.min(*len_bytes),
                Change::Reserve(_) => {}
                Change::Write(write) => {
                    let reachable = freed_from.min(image.len_bytes);
                    for (index, block) in (write.first_block..).zip(&write.blocks) {
                        if index * BLOCK_BYTES < reachable {
                            image.put_sectors(index, block, || rng.chance(sector_odds, 4));
                        }
                    }
                    image.clear_beyond_the_end();
                }
            }
        }
    }
}
