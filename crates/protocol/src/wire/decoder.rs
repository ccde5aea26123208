//! Reading, with every length checked before it is used.
//!
//! # The memory bound
//! A decoder of n bytes has a budget of [`MEMORY_PER_FRAME_BYTE`] × n + [`MEMORY_BASE_BYTES`]. Arrays are all that
//! decoding allocates (strings, bytes and records are slices of the frame), and each of their allocations is taken
//! from the budget before it is made. A count from the wire is never believed: it may not exceed the bytes that
//! remain, and the first allocation takes no more bytes than remain. Only elements that were really read let an array
//! grow, by doubling; while it moves, both its old and its new place are charged. A forged frame therefore costs at
//! most its own size again before its first missing byte is noticed.

use bytes::{Buf as _, Bytes};
use types::Uuid;

use super::{DecodeError, Records, Str};

/// Decoding allocates at most this many bytes for each byte of the frame, beyond [`MEMORY_BASE_BYTES`].
///
/// The element with the worst honest ratio is a short string: a name of four letters takes 5 or 6 bytes in the frame
/// and 32 in memory, half as much again while its array grows.
pub const MEMORY_PER_FRAME_BYTE: usize = 16;

/// What decoding may allocate for any frame, however small.
pub const MEMORY_BASE_BYTES: usize = 64 << 10;

/// The longest encoding of a 32-bit variable-length number.
const VARINT_32_BYTES_MAX: u32 = 5;

/// The longest string, in bytes; compact encodings could say more, and Kafka refuses it there too.
pub(super) const STRING_BYTES_MAX: usize = i16::MAX as usize;

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

    /// Lets the arrays of this frame take at most `memory_max_bytes`, however long it is.
    #[must_use]
    pub fn with_memory_max(mut self, memory_max_bytes: usize) -> Self {
        self.memory_left = self.memory_left.min(memory_max_bytes);
        self
    }

    /// What arrays may still take; what decoding has taken is how much it has gone down.
    #[must_use]
    pub fn memory_left(&self) -> usize {
        self.memory_left
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

    /// A length or count, `None` for null: a compact one, or a plain one of 32 bits, in which every negative number is
    /// null and not only -1, as Kafka's own reader takes it.
    fn length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            self.compact_length()
        } else {
            Ok(usize::try_from(self.i32()?).ok())
        }
    }

    /// The length of a string, which has only 16 bits where it is not compact.
    fn string_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            self.compact_length()
        } else {
            Ok(usize::try_from(self.i16()?).ok())
        }
    }

    /// A compact length: 0 is null, else one more than the length.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let encoded = self.unsigned_varint()?;
        let Some(length) = encoded.checked_sub(1) else {
            return Ok(None);
        };
        usize::try_from(length)
            .map(Some)
            .or(Err(DecodeError::InvalidLength(i64::from(length))))
    }

    pub(crate) fn nullable_string(&mut self, flexible: bool) -> Result<Option<Str>, DecodeError> {
        let Some(length) = self.string_length(flexible)? else {
            return Ok(None);
        };
        if length > STRING_BYTES_MAX {
            let length = i64::try_from(length).unwrap_or(i64::MAX);
            return Err(DecodeError::InvalidLength(length));
        }
        let bytes = self.take(length)?;
        Str::from_utf8(bytes).map(Some)
    }

    pub(crate) fn string(&mut self, flexible: bool) -> Result<Str, DecodeError> {
        self.nullable_string(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    pub(crate) fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        let length = self.length(flexible)?;
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
        let Some(count) = self.length(flexible)? else {
            return Ok(None);
        };
        // An element takes at least a byte, so a greater count is forged.
        self.need(count)?;
        let mut items = Vec::new();
        for read in 0..count {
            if read == items.capacity() {
                self.grow(&mut items, count)?;
            }
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

    /// Makes room in a full array on its way to `count` elements.
    fn grow<T>(&mut self, items: &mut Vec<T>, count: usize) -> Result<(), DecodeError> {
        let element = size_of::<T>();
        let held = items.capacity();
        let wished = match held {
            0 => self.remaining() / element.max(1),
            held => held.saturating_mul(2),
        };
        let capacity = wished.clamp(held + 1, count);
        let allocated = capacity.saturating_mul(element);
        self.memory_left = self
            .memory_left
            .checked_sub(allocated)
            .ok_or(DecodeError::TooMuchMemory)?;
        items.reserve_exact(capacity - items.len());
        // The old place is free again.
        self.memory_left += held * element;
        Ok(())
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

    /// As [`Self::nullable_struct`], in a tagged field: there the marker is a varint, 0 for null.
    pub(crate) fn nullable_tagged_struct<T>(
        &mut self,
        item: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.unsigned_varint()? == 0 {
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
}
