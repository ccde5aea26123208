//! One LZ4 frame, as strictly as Kafka's Java clients read it.
//!
//! They refuse blocks that depend on one another, dictionaries and unknown flags, and check the checksums of header
//! and blocks; so a frame that they could not read never enters a log. A second frame, which they would not see, is
//! refused too. Source: the LZ4 frame format, version 1.6.4; KIP-57.

use std::hash::Hasher as _;

use twox_hash::XxHash32;

use super::stream::room;
use crate::cursor::Malformed;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();

const VERSION_MASK: u8 = 0xc0;
const VERSION_1: u8 = 0x40;
const IS_INDEPENDENT: u8 = 0x20;
const HAS_BLOCK_CHECKSUMS: u8 = 0x10;
const HAS_CONTENT_SIZE: u8 = 0x08;
const HAS_CONTENT_CHECKSUM: u8 = 0x04;
const RESERVED_OR_DICTIONARY: u8 = 0x03;

/// The bit of a block's size that says that the block is stored as it is.
const IS_STORED: u32 = 1 << 31;

/// A byte of LZ4 stands for at most this many: one more byte of a match's length.
const RATIO_MAX: usize = 255;

/// Decompresses block by block.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    rest: &'a [u8],
    flags: u8,
    block_len_max: usize,
    content_size: Option<u64>,
    /// Of the content, if its checksum was promised.
    content: Option<XxHash32>,
    content_len: u64,
    is_done: bool,
}

impl<'a> Frame<'a> {
    /// Reads the frame's header.
    pub(super) fn new(data: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse(data).ok_or(Malformed::Compression)
    }

    fn parse(data: &'a [u8]) -> Option<Self> {
        let descriptor = data.strip_prefix(&MAGIC)?;
        let ([flags, block_size], mut rest) = descriptor.split_first_chunk::<2>()?;
        let is_readable = flags & VERSION_MASK == VERSION_1
            && flags & IS_INDEPENDENT != 0
            && flags & RESERVED_OR_DICTIONARY == 0;
        let block_len_max = match block_size {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return None,
        };
        let mut content_size = None;
        if flags & HAS_CONTENT_SIZE != 0 {
            let (size, after) = rest.split_first_chunk()?;
            content_size = Some(u64::from_le_bytes(*size));
            rest = after;
        }
        let descriptor = &descriptor[..descriptor.len() - rest.len()];
        let (checksum, rest) = rest.split_first()?;
        let [_, expected, ..] = XxHash32::oneshot(0, descriptor).to_le_bytes();
        (is_readable && *checksum == expected).then(|| Self {
            rest,
            flags: *flags,
            block_len_max,
            content_size,
            content: (flags & HAS_CONTENT_CHECKSUM != 0).then(XxHash32::default),
            content_len: 0,
            is_done: false,
        })
    }

    /// Decompresses the next block of at most `left` bytes into `target`; 0 at the end.
    pub(super) fn next(&mut self, target: &mut Vec<u8>, left: usize) -> Result<usize, Malformed> {
        // A block may be empty, which is not the end.
        while !self.is_done {
            let size = self.u32()?;
            if size == 0 {
                self.finish()?;
                break;
            }
            let len = self.block(size, target, left)?;
            if let Some(content) = &mut self.content {
                content.write(&target[..len]);
            }
            self.content_len += len as u64;
            if len > 0 {
                return Ok(len);
            }
        }
        Ok(0)
    }

    fn block(&mut self, size: u32, target: &mut Vec<u8>, left: usize) -> Result<usize, Malformed> {
        let len = (size & !IS_STORED) as usize;
        if len > self.block_len_max || len > self.rest.len() {
            return Err(Malformed::Compression);
        }
        let (block, after) = self.rest.split_at(len);
        self.rest = after;
        if self.flags & HAS_BLOCK_CHECKSUMS != 0 && self.u32()? != XxHash32::oneshot(0, block) {
            return Err(Malformed::Compression);
        }
        if size & IS_STORED != 0 {
            if len > left {
                return Err(Malformed::TooLarge);
            }
            room(target, len).copy_from_slice(block);
            return Ok(len);
        }
        // One byte more than is allowed tells too much from damaged.
        let room_len = self
            .block_len_max
            .min(len.saturating_mul(RATIO_MAX))
            .min(left.saturating_add(1));
        match lz4_flex::block::decompress_into(block, room(target, room_len)) {
            Ok(len) => Ok(len),
            Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room_len > left => {
                Err(Malformed::TooLarge)
            }
            Err(_) => Err(Malformed::Compression),
        }
    }

    /// Checks what follows the last block.
    fn finish(&mut self) -> Result<(), Malformed> {
        self.is_done = true;
        if let Some(content) = self.content.take() {
            let expected = content.finish_32();
            if self.u32()? != expected {
                return Err(Malformed::Compression);
            }
        }
        let is_size_right = self
            .content_size
            .is_none_or(|size| size == self.content_len);
        if is_size_right && self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Compression)
        }
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        let (number, after) = self
            .rest
            .split_first_chunk()
            .ok_or(Malformed::Compression)?;
        self.rest = after;
        Ok(u32::from_le_bytes(*number))
    }
}
