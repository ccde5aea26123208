//! Decompression, block by block, with memory that is used again for the next batch.
//!
//! # Invariants
//! - A step yields one block, and a block that declares more bytes than are still allowed is refused before memory is
//!   taken for it.
//! - A stream ends where its data ends: cut streams, wrong checksums and bytes behind the end are errors, because
//!   clients differ in what they make of them.
//! - Between batches no more is kept than [`BLOCK_RETAINED_MAX_BYTES`], an inflater of about 40 KiB, and a Zstandard
//!   context of at most [`ZSTD_RETAINED_MAX_BYTES`].

use flate2::Decompress;
use zstd::zstd_safe::DCtx;

use super::{Compression, gzip, lz4, snappy, zstd_frames};
use crate::cursor::Malformed;

/// What a codec without blocks of its own yields at a time.
pub(crate) const STEP_BYTES: usize = 64 << 10;

/// Larger blocks (a raw snappy block can be a whole batch) are given back when the next batch begins.
const BLOCK_RETAINED_MAX_BYTES: usize = 1 << 20;

/// A larger Zstandard context, which only unusual windows need, is replaced when the next batch begins. Twice the window
/// of level 19.
const ZSTD_RETAINED_MAX_BYTES: usize = 16 << 20;

/// The decompressors' state. Nothing is allocated before a codec is first met.
#[derive(Default)]
pub(crate) struct Decompressors {
    block: Vec<u8>,
    gzip: Option<Decompress>,
    zstd: Option<DCtx<'static>>,
}

impl std::fmt::Debug for Decompressors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressors")
            .field("block_bytes", &self.block.len())
            .finish_non_exhaustive()
    }
}

impl Decompressors {
    /// Gives back what unusual batches needed.
    fn trim(&mut self) {
        if self.block.len() > BLOCK_RETAINED_MAX_BYTES {
            self.block = Vec::new();
        }
        if self
            .zstd
            .as_ref()
            .is_some_and(|context| context.sizeof() > ZSTD_RETAINED_MAX_BYTES)
        {
            self.zstd = None;
        }
    }

    fn inflater(&mut self) -> &mut Decompress {
        self.gzip.get_or_insert_with(|| Decompress::new(false))
    }

    fn zstd(&mut self) -> &mut DCtx<'static> {
        self.zstd.get_or_insert_with(DCtx::create)
    }
}

#[derive(Debug)]
enum Source<'a> {
    Plain(&'a [u8]),
    Gzip(gzip::Member<'a>),
    Snappy(snappy::Blocks<'a>),
    Lz4(lz4::Frame<'a>),
    Zstd(zstd_frames::Frames<'a>),
}

/// What one compressed batch holds, block by block.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    /// An error is that of the stream's beginning.
    source: Result<Source<'a>, Malformed>,
    decompressors: Decompressors,
    filled: usize,
    left: usize,
}

impl<'a> Stream<'a> {
    /// Begins to decompress `data`, of which at most `len_max` bytes may come.
    pub(crate) fn new(
        mut decompressors: Decompressors,
        codec: Compression,
        data: &'a [u8],
        len_max: usize,
    ) -> Self {
        decompressors.trim();
        let source = match codec {
            Compression::None => Ok(Source::Plain(data)),
            Compression::Gzip => {
                gzip::Member::new(data, decompressors.inflater()).map(Source::Gzip)
            }
            Compression::Snappy => snappy::Blocks::new(data).map(Source::Snappy),
            Compression::Lz4 => lz4::Frame::new(data).map(Source::Lz4),
            Compression::Zstd => {
                zstd_frames::Frames::new(data, decompressors.zstd()).map(Source::Zstd)
            }
        };
        Self {
            source,
            decompressors,
            filled: 0,
            left: len_max,
        }
    }

    /// The state, for the next batch.
    pub(crate) fn into_decompressors(self) -> Decompressors {
        self.decompressors
    }

    /// The current block; empty before the first one and at the end.
    #[inline]
    pub(crate) fn block(&self) -> &[u8] {
        &self.decompressors.block[..self.filled]
    }

    /// Replaces the block by the next one; `false` at the end, when everything has been checked.
    pub(crate) fn advance(&mut self) -> Result<bool, Malformed> {
        self.filled = 0;
        // The block is moved out for a moment, because the codecs' state stands beside it.
        let mut block = std::mem::take(&mut self.decompressors.block);
        let filled = self.fill(&mut block);
        self.decompressors.block = block;
        self.filled = filled?;
        self.left = self
            .left
            .checked_sub(self.filled)
            .ok_or(Malformed::TooLarge)?;
        Ok(self.filled > 0)
    }

    fn fill(&mut self, block: &mut Vec<u8>) -> Result<usize, Malformed> {
        let state = &mut self.decompressors;
        match self.source.as_mut().map_err(|error| *error)? {
            Source::Plain(rest) => {
                let (step, after) = rest.split_at(rest.len().min(STEP_BYTES));
                room(block, step.len()).copy_from_slice(step);
                *rest = after;
                Ok(step.len())
            }
            Source::Gzip(member) => member.next(state.inflater(), room(block, STEP_BYTES)),
            Source::Snappy(blocks) => blocks.next(block, self.left),
            Source::Lz4(frame) => frame.next(block, self.left),
            Source::Zstd(frames) => frames.next(state.zstd(), room(block, STEP_BYTES)),
        }
    }
}

/// The first `len` bytes of a buffer that grows if it must.
pub(super) fn room(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    &mut buffer[..len]
}
