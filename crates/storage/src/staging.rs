//! The tail of one log in memory: chunks that are filled by appends and written by commits.
//!
//! Lives on the log's shard inside its state. Invariants:
//! - A chunk begins at a multiple of [`ALIGNMENT`] of its segment's file, so a full one is written in place.
//! - Chunks of one segment follow each other without a gap, oldest first; segments follow in offset order.
//! - What is claimed by a write is written before anything more is claimed: at most one group of writes is in flight, so
//!   two writes never overlap one block.
//!
//! It starts no I/O itself: [`Staging::claim`] says what to write, [`Staging::written`] takes the chunks out that are done.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use io::{ALIGNMENT, Buffer, ChunkWriter, Instant, Pool, align_down};
use types::Offset;

use crate::config::WRITE_SIZES;

/// The sizes of chunks in bytes, smallest first: a log that is written slowly pins little.
pub(crate) const CHUNK_CLASSES: [usize; 5] = WRITE_SIZES;

/// Unused chunks of each class that a shard keeps.
const FREE_CHUNKS_MAX: [usize; 5] = [64, 64, 64, 128, 32];

/// A chunk that was filled faster than this is followed by one of the next class.
const GROW_WITHIN: Duration = Duration::from_millis(50);

/// A chunk is written in place if at most this part of it, as a divisor, was written before.
const REWRITE_DIVISOR: usize = 4;

/// The staging memory of one shard.
#[derive(Debug)]
pub(crate) struct ChunkPools<B: Buffer> {
    pools: [Pool<B>; CHUNK_CLASSES.len()],
}

impl<B: Buffer> ChunkPools<B> {
    pub(crate) fn new() -> Self {
        Self {
            pools: std::array::from_fn(|class| {
                Pool::new(CHUNK_CLASSES[class], FREE_CHUNKS_MAX[class])
            }),
        }
    }

    /// The pool of the largest chunks; reads are shared through it too.
    pub(crate) fn largest(&self) -> &Pool<B> {
        &self.pools[CHUNK_CLASSES.len() - 1]
    }

    /// The pool of the chunks that writes of at most `write_bytes` grow to.
    pub(crate) fn up_to(&self, write_bytes: usize) -> &Pool<B> {
        &self.pools[class_of(write_bytes)]
    }

    /// Bytes lent by all pools.
    pub(crate) fn lent_bytes(&self) -> usize {
        self.pools.iter().map(Pool::lent_bytes).sum()
    }

    /// Takes every lent chunk back that nobody uses.
    pub(crate) fn reclaim(&self) {
        for pool in &self.pools {
            pool.reclaim(usize::MAX);
        }
    }

    fn chunk(&self, class: usize, allocate: &dyn Fn(usize) -> B) -> ChunkWriter<B> {
        self.pools[class].chunk(allocate)
    }
}

/// What an append needs besides its bytes.
pub(crate) struct Supply<'a, B: Buffer> {
    pub(crate) pools: &'a ChunkPools<B>,
    pub(crate) allocate: &'a dyn Fn(usize) -> B,
    pub(crate) now: Instant,
    /// The largest class of chunks that the log may grow to; see [`class_of`].
    pub(crate) class_max: usize,
}

/// The class of the largest chunks that writes of at most `write_bytes` allow.
pub(crate) fn class_of(write_bytes: usize) -> usize {
    CHUNK_CLASSES
        .partition_point(|size| *size <= write_bytes)
        .saturating_sub(1)
}

/// One chunk of the tail.
struct StagedChunk<B: Buffer> {
    segment: Offset,
    start: u64,
    class: usize,
    opened: Instant,
    writer: ChunkWriter<B>,
    /// Bytes of it that are on disk.
    written: usize,
    /// Bytes of it that are on disk or in a write.
    claimed: usize,
}

/// A write that a commit submits.
pub(crate) struct WriteJob<B> {
    pub(crate) segment: Offset,
    pub(crate) position: u64,
    pub(crate) buffer: B,
}

/// A chunk that leaves the tail for the cache.
pub(crate) struct Retired {
    pub(crate) segment: Offset,
    pub(crate) start: u64,
    pub(crate) bytes: Bytes,
    /// Bytes of memory that `bytes` keeps alive.
    pub(crate) memory_bytes: usize,
}

/// The tail of one log.
pub(crate) struct Staging<B: Buffer> {
    chunks: VecDeque<StagedChunk<B>>,
}

impl<B: Buffer> Default for Staging<B> {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
        }
    }
}

impl<B: Buffer> Staging<B> {
    /// Whether appends at `position` of `segment` can go on without [`Staging::begin`].
    pub(crate) fn ends_at(&self, segment: Offset, position: u64) -> bool {
        self.chunks
            .back()
            .is_some_and(|chunk| chunk.segment == segment && chunk.end() == position)
    }

    /// Starts a tail at `position` of `segment`. `block` is what the file holds before it in the same block.
    pub(crate) fn begin(
        &mut self,
        supply: &Supply<'_, B>,
        segment: Offset,
        position: u64,
        block: &[u8],
    ) {
        let start = align_down(position);
        assert!(
            start + block.len() as u64 == position,
            "the block's begin comes with it"
        );
        let mut chunk = StagedChunk::new(supply, segment, start, 0);
        chunk.writer.append(block, |_| ());
        chunk.written = block.len();
        chunk.claimed = block.len();
        self.chunks.push_back(chunk);
    }

    /// Copies `bytes` to the end.
    pub(crate) fn append(&mut self, supply: &Supply<'_, B>, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let last = self
                .chunks
                .back_mut()
                .expect("a tail was begun before appends");
            if last.writer.remaining() == 0 {
                let next = last.successor(supply, bytes.len());
                self.chunks.push_back(next);
                continue;
            }
            let taken = last.writer.append(bytes, |_| ());
            bytes = &bytes[taken..];
        }
    }

    /// Everything that is not on disk, as writes that do not overlap. They are in flight from now on.
    pub(crate) fn claim(&mut self, allocate: &dyn Fn(usize) -> B) -> Vec<WriteJob<B>> {
        let mut jobs = Vec::new();
        for chunk in &mut self.chunks {
            assert!(
                chunk.claimed == chunk.written,
                "one group of writes at a time"
            );
            if chunk.written < chunk.writer.published() {
                jobs.push(chunk.claim(allocate));
            }
        }
        jobs
    }

    /// Notes that every claimed write has completed, and gives the chunks that are done to `retire`.
    pub(crate) fn written(&mut self, mut retire: impl FnMut(Retired)) {
        for chunk in &mut self.chunks {
            chunk.written = chunk.claimed;
        }
        while let Some(front) = self.chunks.front() {
            let done = front.written == front.writer.published();
            // The last one stays even when it is full: its successor's size depends on it.
            if !done || self.chunks.len() == 1 {
                return;
            }
            if let Some(chunk) = self.chunks.pop_front() {
                retire(chunk.retired());
            }
        }
    }

    /// Gives the partial last chunk away if everything in it is written. Returns whether the tail is empty now.
    pub(crate) fn retire_tail(&mut self, retire: impl FnOnce(Retired)) -> bool {
        let idle =
            self.chunks.len() == 1 && self.chunks[0].written == self.chunks[0].writer.published();
        if idle && let Some(chunk) = self.chunks.pop_front() {
            retire(chunk.retired());
        }
        self.chunks.is_empty()
    }

    /// The published bytes from the chunk's begin on that holds `position` of `segment`, with that begin.
    pub(crate) fn find(&self, segment: Offset, position: u64) -> Option<(u64, Bytes)> {
        let key = (segment, position);
        let after = self
            .chunks
            .partition_point(|chunk| (chunk.segment, chunk.start) <= key);
        let chunk = &self.chunks[after.checked_sub(1)?];
        let found = chunk.segment == segment && position < chunk.end();
        found.then(|| (chunk.start, chunk.writer.slice(0..chunk.writer.published())))
    }

    /// Bytes of memory that it holds.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.writer.capacity())
            .sum()
    }
}

impl<B: Buffer> StagedChunk<B> {
    fn new(supply: &Supply<'_, B>, segment: Offset, start: u64, class: usize) -> Self {
        Self {
            segment,
            start,
            class,
            opened: supply.now,
            writer: supply.pools.chunk(class, supply.allocate),
            written: 0,
            claimed: 0,
        }
    }

    /// The chunk that follows this full one; larger when this one was filled fast or much is to come.
    fn successor(&self, supply: &Supply<'_, B>, len_bytes: usize) -> Self {
        let fast = supply.now.saturating_since(self.opened) < GROW_WITHIN;
        let class = if fast {
            self.class + 1
        } else {
            self.class.saturating_sub(1)
        };
        let fitting = CHUNK_CLASSES.partition_point(|size| *size < len_bytes);
        let class = class.max(fitting).min(supply.class_max);
        Self::new(supply, self.segment, self.end(), class)
    }

    fn end(&self) -> u64 {
        self.start + self.writer.published() as u64
    }

    fn claim(&mut self, allocate: &dyn Fn(usize) -> B) -> WriteJob<B> {
        let full = self.writer.remaining() == 0;
        let from = self.written - self.written % ALIGNMENT;
        let to = self.writer.published();
        self.claimed = to;
        if full && from <= self.writer.capacity() / REWRITE_DIVISOR {
            return WriteJob {
                segment: self.segment,
                position: self.start,
                buffer: self.writer.full_buffer(),
            };
        }
        let content = &self.writer.as_slice()[from..to];
        let mut buffer = allocate(content.len().next_multiple_of(ALIGNMENT));
        let (target, padding) = buffer.as_mut_slice().split_at_mut(content.len());
        target.copy_from_slice(content);
        padding.fill(0);
        WriteJob {
            segment: self.segment,
            position: self.start + from as u64,
            buffer,
        }
    }

    /// A chunk that is less than half full is copied, so that the cache does not pin what holds nothing.
    fn retired(&self) -> Retired {
        let published = self.writer.published();
        let sparse = published * 2 < self.writer.capacity();
        let bytes = if sparse {
            Bytes::copy_from_slice(self.writer.as_slice())
        } else {
            self.writer.slice(0..published)
        };
        Retired {
            segment: self.segment,
            start: self.start,
            bytes,
            memory_bytes: if sparse {
                published
            } else {
                self.writer.capacity()
            },
        }
    }
}
