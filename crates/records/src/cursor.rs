//! Reading record fields from a slice or from a decompressor, with the same code.

use crate::compression::{Decompressors, Stream};

/// Bytes that are no records, or that end too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A field reaches beyond the end.
    Truncated,
    /// A number of more bytes than its type can need.
    Varint,
    /// A negative length, or lengths that disagree.
    Length,
    /// More bytes than the limit came out of the decompressor.
    TooLarge,
    /// The compressed data is damaged.
    Compression,
}

/// A source of record bytes.
pub(crate) trait Cursor {
    /// The next byte.
    fn byte(&mut self) -> Result<u8, Malformed>;

    /// Passes over `len` bytes.
    fn skip(&mut self, len: usize) -> Result<(), Malformed>;

    /// Bytes taken so far.
    fn position(&self) -> usize;

    /// Whether nothing follows.
    fn is_at_end(&mut self) -> Result<bool, Malformed>;

    /// A zigzag-coded number of up to 64 bits.
    fn varlong(&mut self) -> Result<i64, Malformed> {
        let mut value: u64 = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Malformed::Varint);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(unzigzag(value));
            }
        }
        Err(Malformed::Varint)
    }

    /// A zigzag-coded number of up to 32 bits.
    fn varint(&mut self) -> Result<i32, Malformed> {
        i32::try_from(self.varlong()?).or(Err(Malformed::Varint))
    }
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "zigzag decoding is defined on the bit pattern"
)]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A cursor over records in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SliceCursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> SliceCursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Goes back to an earlier position.
    pub(crate) fn rewind(&mut self, position: usize) {
        self.at = position.min(self.at);
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let rest = self.bytes.get(self.at..).ok_or(Malformed::Truncated)?;
        let taken = rest.get(..len).ok_or(Malformed::Truncated)?;
        self.at += len;
        Ok(taken)
    }
}

impl Cursor for SliceCursor<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn skip(&mut self, len: usize) -> Result<(), Malformed> {
        let end = self
            .at
            .checked_add(len)
            .filter(|end| *end <= self.bytes.len());
        self.at = end.ok_or(Malformed::Truncated)?;
        Ok(())
    }

    #[inline]
    fn position(&self) -> usize {
        self.at
    }

    #[inline]
    fn is_at_end(&mut self) -> Result<bool, Malformed> {
        Ok(self.at == self.bytes.len())
    }
}

/// A cursor over a decompressor, which holds one block at a time.
#[derive(Debug)]
pub(crate) struct StreamCursor<'a> {
    stream: Stream<'a>,
    at: usize,
    /// Bytes that went through earlier blocks.
    before: usize,
}

impl<'a> StreamCursor<'a> {
    pub(crate) fn new(stream: Stream<'a>) -> Self {
        Self {
            stream,
            at: 0,
            before: 0,
        }
    }

    /// The decompressors, for the next batch.
    pub(crate) fn into_decompressors(self) -> Decompressors {
        self.stream.into_decompressors()
    }

    /// Passes over at most `len` bytes, and not further than into the next block; how many it were.
    pub(crate) fn skip_some(&mut self, len: usize) -> Result<usize, Malformed> {
        if self.at == self.stream.block().len() && len > 0 && !self.refill()? {
            return Err(Malformed::Truncated);
        }
        let skipped = len.min(self.stream.block().len() - self.at);
        self.at += skipped;
        Ok(skipped)
    }

    /// Goes on to the next block; `false` at the end.
    #[cold]
    fn refill(&mut self) -> Result<bool, Malformed> {
        self.before += self.stream.block().len();
        self.at = 0;
        self.stream.advance()
    }
}

impl Cursor for StreamCursor<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Malformed> {
        loop {
            if let Some(byte) = self.stream.block().get(self.at) {
                self.at += 1;
                return Ok(*byte);
            }
            if !self.refill()? {
                return Err(Malformed::Truncated);
            }
        }
    }

    #[inline]
    fn skip(&mut self, mut len: usize) -> Result<(), Malformed> {
        loop {
            let here = self.stream.block().len() - self.at;
            if len <= here {
                self.at += len;
                return Ok(());
            }
            len -= here;
            if !self.refill()? {
                return Err(Malformed::Truncated);
            }
        }
    }

    #[inline]
    fn position(&self) -> usize {
        self.before + self.at
    }

    fn is_at_end(&mut self) -> Result<bool, Malformed> {
        if self.at < self.stream.block().len() {
            return Ok(false);
        }
        Ok(!self.refill()?)
    }
}
