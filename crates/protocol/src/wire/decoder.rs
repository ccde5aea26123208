//! Reading, with every length checked before it is used.

use bytes::{Buf as _, Bytes};
use types::Uuid;

use super::{DecodeError, Records, Str};

/// Decoding allocates at most this many bytes for each byte of the frame, beyond [`MEMORY_BASE_BYTES`].
///
/// The element with the worst honest ratio is a short string (2 to 3 bytes in the frame, 32 in memory).
pub const MEMORY_PER_FRAME_BYTE: usize = 16;

/// What decoding may allocate for any frame, however small.
pub const MEMORY_BASE_BYTES: usize = 64 << 10;

/// The longest encodings of 32- and 64-bit variable-length numbers.
const VARINT_32_BYTES_MAX: u32 = 5;

/// Reads the fields of one frame.
#[derive(Debug)]
pub struct Decoder {
    bytes: Bytes,
    /// Bytes that elements of arrays may still take in memory.
    memory_left: usize,
}

impl Decoder {
    /// Begins at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        let memory_left = bytes
            .len()
            .saturating_mul(MEMORY_PER_FRAME_BYTE)
            .saturating_add(MEMORY_BASE_BYTES);
        Self { bytes, memory_left }
    }

    /// Bytes that have not been read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Checks that everything has been read.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`].
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes(left)),
        }
    }

    fn need(&self, needed: usize) -> Result<(), DecodeError> {
        if needed <= self.bytes.len() {
            return Ok(());
        }
        Err(DecodeError::Truncated {
            needed,
            remaining: self.bytes.len(),
        })
    }

    fn take(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        self.need(len)?;
        Ok(self.bytes.split_to(len))
    }

    pub(crate) fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// Reads an 8-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.need(1)?;
        Ok(self.bytes.get_i8())
    }

    /// Reads a 16-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.need(2)?;
        Ok(self.bytes.get_i16())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.need(2)?;
        Ok(self.bytes.get_u16())
    }

    /// Reads a 32-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.need(4)?;
        Ok(self.bytes.get_i32())
    }

    /// Reads a 64-bit number.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.need(8)?;
        Ok(self.bytes.get_i64())
    }

    pub(crate) fn f64(&mut self) -> Result<f64, DecodeError> {
        self.need(8)?;
        Ok(self.bytes.get_f64())
    }

    pub(crate) fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.need(16)?;
        let mut bytes = [0; 16];
        self.bytes.copy_to_slice(&mut bytes);
        Ok(Uuid(bytes))
    }

    /// Reads an unsigned variable-length number of at most 32 bits.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::VarintTooLong`].
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value: u32 = 0;
        for index in 0..VARINT_32_BYTES_MAX {
            self.need(1)?;
            let byte = self.bytes.get_u8();
            let bits = u32::from(byte & 0x7f);
            if index == VARINT_32_BYTES_MAX - 1 && bits > 0x0f {
                return Err(DecodeError::VarintTooLong);
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintTooLong)
    }

    /// A compact length: 0 is null, else one more than the length.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(self
            .unsigned_varint()?
            .checked_sub(1)
            .map(|length| length as usize))
    }

    fn length_16(&mut self) -> Result<Option<usize>, DecodeError> {
        Self::plain_length(i64::from(self.i16()?))
    }

    fn length_32(&mut self) -> Result<Option<usize>, DecodeError> {
        Self::plain_length(i64::from(self.i32()?))
    }

    /// A plain length: -1 is null.
    fn plain_length(length: i64) -> Result<Option<usize>, DecodeError> {
        match length {
            -1 => Ok(None),
            length => usize::try_from(length)
                .map(Some)
                .or(Err(DecodeError::InvalidLength(length))),
        }
    }

    pub(crate) fn nullable_string(&mut self, flexible: bool) -> Result<Option<Str>, DecodeError> {
        let length = if flexible {
            self.compact_length()?
        } else {
            self.length_16()?
        };
        length
            .map(|length| Str::from_utf8(self.take(length)?))
            .transpose()
    }

    pub(crate) fn string(&mut self, flexible: bool) -> Result<Str, DecodeError> {
        self.nullable_string(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    pub(crate) fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        let length = if flexible {
            self.compact_length()?
        } else {
            self.length_32()?
        };
        length.map(|length| self.take(length)).transpose()
    }

    pub(crate) fn bytes(&mut self, flexible: bool) -> Result<Bytes, DecodeError> {
        self.nullable_bytes(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    pub(crate) fn nullable_records(
        &mut self,
        flexible: bool,
    ) -> Result<Option<Records>, DecodeError> {
        Ok(self.nullable_bytes(flexible)?.map(Records::from))
    }

    pub(crate) fn records(&mut self, flexible: bool) -> Result<Records, DecodeError> {
        self.nullable_records(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    pub(crate) fn nullable_array<T>(
        &mut self,
        flexible: bool,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let count = if flexible {
            self.compact_length()?
        } else {
            self.length_32()?
        };
        let Some(count) = count else { return Ok(None) };
        // An element takes at least a byte, so a greater count is forged.
        self.need(count)?;
        self.charge(count.saturating_mul(size_of::<T>()))?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(Some(items))
    }

    pub(crate) fn array<T>(
        &mut self,
        flexible: bool,
        item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_array(flexible, item)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    pub(crate) fn nullable_struct<T>(
        &mut self,
        item: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.i8()? < 0 {
            return Ok(None);
        }
        item(self).map(Some)
    }

    /// Reads the tagged fields of a structure. `known` reads a field it knows and returns `false` for others, whose
    /// bytes are passed over.
    pub(crate) fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.unsigned_varint()?;
        let mut previous = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(DecodeError::TagsOutOfOrder);
            }
            previous = Some(tag);
            let size = self.unsigned_varint()? as usize;
            let content = self.take(size)?;
            let rest = std::mem::replace(&mut self.bytes, content);
            let was_known = known(tag, self)?;
            let unread = std::mem::replace(&mut self.bytes, rest);
            if was_known && !unread.is_empty() {
                return Err(DecodeError::TagSizeMismatch);
            }
        }
        Ok(())
    }

    pub(crate) fn skip_tags(&mut self) -> Result<(), DecodeError> {
        self.tags(|_, _| Ok(false))
    }

    fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.memory_left = self
            .memory_left
            .checked_sub(bytes)
            .ok_or(DecodeError::TooMuchMemory)?;
        Ok(())
    }
}
