//! Reading record fields from a slice or from a decompressor, with the same code.

use std::io::Read;

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

/// A cursor over a decompressor, through a window of fixed size.
pub(crate) struct WindowCursor<'w, R> {
    source: R,
    window: &'w mut [u8],
    at: usize,
    filled: usize,
    /// Bytes that went through earlier windows.
    before: usize,
    len_max: usize,
}

impl<'w, R: Read> WindowCursor<'w, R> {
    /// Reads from `source` until it ends or has given more than `len_max` bytes.
    pub(crate) fn new(source: R, window: &'w mut [u8], len_max: usize) -> Self {
        Self {
            source,
            window,
            at: 0,
            filled: 0,
            before: 0,
            len_max,
        }
    }

    /// Refills the window; `false` at the end.
    fn refill(&mut self) -> Result<bool, Malformed> {
        self.before += self.filled;
        self.at = 0;
        self.filled = 0;
        let read = self
            .source
            .read(self.window)
            .or(Err(Malformed::Compression))?;
        self.filled = read;
        if self.before + read > self.len_max {
            return Err(Malformed::TooLarge);
        }
        Ok(read > 0)
    }
}

impl<R: Read> Cursor for WindowCursor<'_, R> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Malformed> {
        if self.at == self.filled && !self.refill()? {
            return Err(Malformed::Truncated);
        }
        let byte = self.window[self.at];
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, mut len: usize) -> Result<(), Malformed> {
        while len > self.filled - self.at {
            len -= self.filled - self.at;
            if !self.refill()? {
                return Err(Malformed::Truncated);
            }
        }
        self.at += len;
        Ok(())
    }

    fn position(&self) -> usize {
        self.before + self.at
    }

    fn is_at_end(&mut self) -> Result<bool, Malformed> {
        if self.at < self.filled {
            return Ok(false);
        }
        Ok(!self.refill()?)
    }
}
