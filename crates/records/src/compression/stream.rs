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
pub(super) const STEP_BYTES: usize = 64 << 10;

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
    /// Begins to decompress `data`, of which at most `len_max` bytes may come.
    pub(crate) fn open<'a>(
        &'a mut self,
        codec: Compression,
        data: &'a [u8],
        len_max: usize,
    ) -> Result<Stream<'a>, Malformed> {
        if self.block.len() > BLOCK_RETAINED_MAX_BYTES {
            self.block = Vec::new();
        }
        let source = match codec {
            Compression::None => Source::Plain(data),
            Compression::Gzip => {
                let inflater = self.gzip.get_or_insert_with(|| Decompress::new(false));
                Source::Gzip(gzip::Member::new(data, inflater)?)
            }
            Compression::Snappy => Source::Snappy(snappy::Blocks::new(data)?),
            Compression::Lz4 => Source::Lz4(lz4::Frame::new(data)?),
            Compression::Zstd => {
                if self
                    .zstd
                    .as_ref()
                    .is_some_and(|it| it.sizeof() > ZSTD_RETAINED_MAX_BYTES)
                {
                    self.zstd = None;
                }
                let context = self.zstd.get_or_insert_with(DCtx::create);
                Source::Zstd(zstd_frames::Frames::new(data, context)?)
            }
        };
        Ok(Stream {
            source,
            block: &mut self.block,
            filled: 0,
            left: len_max,
        })
    }
}

enum Source<'a> {
    Plain(&'a [u8]),
    Gzip(gzip::Member<'a>),
    Snappy(snappy::Blocks<'a>),
    Lz4(lz4::Frame<'a>),
    Zstd(zstd_frames::Frames<'a>),
}

/// What one compressed batch holds, block by block.
pub(crate) struct Stream<'a> {
    source: Source<'a>,
    block: &'a mut Vec<u8>,
    filled: usize,
    left: usize,
}

impl Stream<'_> {
    /// The current block; empty before the first one and at the end.
    #[inline]
    pub(crate) fn block(&self) -> &[u8] {
        &self.block[..self.filled]
    }

    /// Replaces the block by the next one; `false` at the end, when everything has been checked.
    pub(crate) fn advance(&mut self) -> Result<bool, Malformed> {
        self.filled = 0;
        self.filled = match &mut self.source {
            Source::Plain(rest) => {
                let (step, after) = rest.split_at(rest.len().min(STEP_BYTES));
                room(self.block, step.len()).copy_from_slice(step);
                *rest = after;
                step.len()
            }
            Source::Gzip(member) => member.next(room(self.block, STEP_BYTES))?,
            Source::Snappy(blocks) => blocks.next(self.block, self.left)?,
            Source::Lz4(frame) => frame.next(self.block, self.left)?,
            Source::Zstd(frames) => frames.next(room(self.block, STEP_BYTES))?,
        };
        self.left = self
            .left
            .checked_sub(self.filled)
            .ok_or(Malformed::TooLarge)?;
        Ok(self.filled > 0)
    }
}

/// The first `len` bytes of a buffer that grows if it must.
pub(super) fn room(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    &mut buffer[..len]
}
