//! One gzip member (RFC 1952), its header and checksums included.
//!
//! A second member is refused: some clients read it and others end before it.

use flate2::{Decompress, FlushDecompress, Status};

use crate::cursor::Malformed;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const METHOD_DEFLATE: u8 = 8;
const HEADER_BYTES: usize = 10;

const HAS_HEADER_CRC: u8 = 0x02;
const HAS_EXTRA: u8 = 0x04;
const HAS_NAME: u8 = 0x08;
const HAS_COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

/// Inflates step by step.
#[derive(Debug)]
pub(super) struct Member<'a> {
    rest: &'a [u8],
    crc: crc32fast::Hasher,
    is_done: bool,
}

impl<'a> Member<'a> {
    /// Reads the header; `inflater` is to be used for this member from now on.
    pub(super) fn new(data: &'a [u8], inflater: &mut Decompress) -> Result<Self, Malformed> {
        let rest = skip_header(data).ok_or(Malformed::Compression)?;
        inflater.reset(false);
        Ok(Self {
            rest,
            crc: crc32fast::Hasher::new(),
            is_done: false,
        })
    }

    /// Fills `block` as far as it can; 0 at the end, where the trailer has been checked.
    pub(super) fn next(
        &mut self,
        inflater: &mut Decompress,
        block: &mut [u8],
    ) -> Result<usize, Malformed> {
        let mut filled = 0;
        while filled < block.len() && !self.is_done {
            let (read_before, written_before) = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress(self.rest, &mut block[filled..], FlushDecompress::None)
                .or(Err(Malformed::Compression))?;
            let read = difference(inflater.total_in(), read_before);
            let written = difference(inflater.total_out(), written_before);
            self.rest = &self.rest[read..];
            self.crc.update(&block[filled..filled + written]);
            filled += written;
            match status {
                Status::StreamEnd => {
                    self.check_trailer(inflater.total_out())?;
                    self.is_done = true;
                }
                // No progress with room left: the stream is cut.
                _ if read == 0 && written == 0 => return Err(Malformed::Compression),
                Status::Ok | Status::BufError => {}
            }
        }
        Ok(filled)
    }

    fn check_trailer(&self, content_len: u64) -> Result<(), Malformed> {
        let crc = self.crc.clone().finalize().to_le_bytes();
        // The length modulo 2^32.
        let [l0, l1, l2, l3, ..] = content_len.to_le_bytes();
        if self.rest == [crc, [l0, l1, l2, l3]].as_flattened() {
            Ok(())
        } else {
            Err(Malformed::Compression)
        }
    }
}

fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after - before).expect("a step stays inside of its buffers")
}

fn skip_header(data: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = data.split_first_chunk::<HEADER_BYTES>()?;
    let [m0, m1, method, flags, ..] = *header;
    if [m0, m1] != MAGIC || method != METHOD_DEFLATE || flags & RESERVED != 0 {
        return None;
    }
    if flags & HAS_EXTRA != 0 {
        let (len, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for text in [HAS_NAME, HAS_COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & HAS_HEADER_CRC != 0 {
        let header = &data[..data.len() - rest.len()];
        let (stored, after) = rest.split_first_chunk::<2>()?;
        let [c0, c1, ..] = crc32fast::hash(header).to_le_bytes();
        if *stored != [c0, c1] {
            return None;
        }
        rest = after;
    }
    Some(rest)
}
