//! Snappy as Kafka's clients write it: blocks in xerial's framing, or (from some clients) one raw block.
//!
//! The framing: 8 bytes of magic, a 32-bit version, a 32-bit lowest compatible version, then blocks, each a big-endian
//! 32-bit size and that many bytes of raw Snappy. Source: snappy-java, `SnappyOutputStream`.

use std::io::{Error, ErrorKind, Result as IoResult};

use super::stream::room;
use crate::cursor::Malformed;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const FRAME_HEADER_BYTES: usize = 16;

/// What snappy-java compresses at a time.
const BLOCK_BYTES: usize = 32 << 10;

/// A byte of Snappy stands for fewer bytes than this: a copy of 64 bytes takes three.
const RATIO_MAX: usize = 22;

/// Decompresses block by block.
#[derive(Debug)]
pub(super) struct Blocks<'a> {
    rest: &'a [u8],
    is_framed: bool,
}

impl<'a> Blocks<'a> {
    /// Looks at the beginning of `data` to tell framed from raw.
    pub(super) fn new(data: &'a [u8]) -> Result<Self, Malformed> {
        let is_framed = data.starts_with(&MAGIC);
        let header = if is_framed { FRAME_HEADER_BYTES } else { 0 };
        let rest = data.get(header..).ok_or(Malformed::Compression)?;
        Ok(Self { rest, is_framed })
    }

    /// Decompresses the next block of at most `left` bytes into `target`; 0 at the end.
    pub(super) fn next(&mut self, target: &mut Vec<u8>, left: usize) -> Result<usize, Malformed> {
        // A block may be empty, which is not the end.
        while !self.rest.is_empty() {
            let block = self.take_block().ok_or(Malformed::Compression)?;
            let len = snap::raw::decompress_len(block).or(Err(Malformed::Compression))?;
            if len > block.len().saturating_mul(RATIO_MAX) {
                return Err(Malformed::Compression);
            }
            if len > left {
                return Err(Malformed::TooLarge);
            }
            let written = snap::raw::Decoder::new().decompress(block, room(target, len));
            if written.or(Err(Malformed::Compression))? > 0 {
                return Ok(len);
            }
        }
        Ok(0)
    }

    fn take_block(&mut self) -> Option<&'a [u8]> {
        if !self.is_framed {
            return Some(std::mem::take(&mut self.rest));
        }
        let (size, after) = self.rest.split_first_chunk()?;
        let size = usize::try_from(i32::from_be_bytes(*size)).ok()?;
        let (block, after) = after.split_at_checked(size)?;
        self.rest = after;
        Some(block)
    }
}

/// Appends what comes before the first block.
pub(super) fn begin(target: &mut Vec<u8>) {
    target.extend_from_slice(&MAGIC);
    target.extend_from_slice(&1i32.to_be_bytes());
    target.extend_from_slice(&1i32.to_be_bytes());
}

/// Appends `data`, compressed and framed, to `target`. Each call begins a block.
pub(super) fn compress(data: &[u8], target: &mut Vec<u8>) -> IoResult<()> {
    let invalid = |what| Error::new(ErrorKind::InvalidData, what);
    let mut encoder = snap::raw::Encoder::new();
    for block in data.chunks(BLOCK_BYTES) {
        let compressed = encoder
            .compress_vec(block)
            .or(Err(invalid("snappy refused a block")))?;
        let size =
            i32::try_from(compressed.len()).or(Err(invalid("a snappy block of over 2 GiB")))?;
        target.extend_from_slice(&size.to_be_bytes());
        target.extend_from_slice(&compressed);
    }
    Ok(())
}
