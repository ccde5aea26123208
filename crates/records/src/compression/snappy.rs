//! Snappy as Kafka's clients write it: blocks in xerial's framing, or (from some clients) one raw block.
//!
//! The framing: 8 bytes of magic, a 32-bit version, a 32-bit lowest compatible version, then blocks, each a big-endian
//! 32-bit size and that many bytes of raw Snappy. Source: snappy-java, `SnappyOutputStream`.

use std::io::{Error, ErrorKind, Read, Result};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const FRAME_HEADER_BYTES: usize = 16;

/// What snappy-java compresses at a time.
const BLOCK_BYTES: usize = 32 << 10;

/// The largest block that is decompressed. Writers use 32 KiB; a raw block may be a whole batch.
const BLOCK_MAX_BYTES: usize = 16 << 20;

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

/// Decompresses block by block.
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    is_framed: bool,
    block: Vec<u8>,
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Looks at the beginning of `data` to tell framed from raw.
    pub(super) fn new(data: &'a [u8]) -> Result<Self> {
        let is_framed = data.starts_with(&MAGIC);
        let rest = if is_framed {
            data.get(FRAME_HEADER_BYTES..)
                .ok_or_else(|| invalid("a cut snappy header"))?
        } else {
            data
        };
        Ok(Self {
            rest,
            is_framed,
            block: Vec::new(),
            at: 0,
        })
    }

    fn next_block(&mut self) -> Result<()> {
        let block = if self.is_framed {
            let (size, after) = self
                .rest
                .split_first_chunk()
                .ok_or_else(|| invalid("a cut snappy block size"))?;
            let size = usize::try_from(i32::from_be_bytes(*size))
                .or(Err(invalid("a negative snappy block size")))?;
            if size > after.len() {
                return Err(invalid("a cut snappy block"));
            }
            let (block, after) = after.split_at(size);
            self.rest = after;
            block
        } else {
            std::mem::take(&mut self.rest)
        };
        let len = snap::raw::decompress_len(block).or(Err(invalid("a damaged snappy block")))?;
        if len > BLOCK_MAX_BYTES {
            return Err(invalid("a snappy block that is too large"));
        }
        self.block.resize(len, 0);
        self.at = 0;
        let written = snap::raw::Decoder::new().decompress(block, &mut self.block);
        written.or(Err(invalid("a damaged snappy block")))?;
        Ok(())
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, target: &mut [u8]) -> Result<usize> {
        while self.at == self.block.len() {
            if self.rest.is_empty() {
                return Ok(0);
            }
            self.next_block()?;
        }
        let len = target.len().min(self.block.len() - self.at);
        target[..len].copy_from_slice(&self.block[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

/// Appends `data`, compressed and framed, to `target`.
pub(super) fn compress(data: &[u8], target: &mut Vec<u8>) -> Result<()> {
    target.extend_from_slice(&MAGIC);
    target.extend_from_slice(&1i32.to_be_bytes());
    target.extend_from_slice(&1i32.to_be_bytes());
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
