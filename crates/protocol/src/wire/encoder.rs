//! Writing into chunks.

use bytes::{BufMut as _, Bytes, BytesMut};
use types::Uuid;

use super::decoder::STRING_BYTES_MAX;
use super::{ChunkList, EncodeError, Records, Str};

/// Byte strings up to this size are copied next to their neighbours; longer ones become chunks of their own.
const COPIED_MAX_BYTES: usize = 1024;

/// Writes the fields of one message.
#[derive(Debug, Default)]
pub struct Encoder {
    done: ChunkList,
    current: BytesMut,
}

/// The tagged fields of a structure, in ascending order of their tags.
#[derive(Debug, Default)]
pub struct Tags {
    fields: Vec<(u32, ChunkList)>,
}

impl Tags {
    /// Adds a field; `write` encodes its content.
    pub(crate) fn add(
        &mut self,
        tag: u32,
        write: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut encoder = Encoder::default();
        write(&mut encoder)?;
        self.fields.push((tag, encoder.finish()));
        Ok(())
    }
}

impl Encoder {
    /// Begins with room for `capacity` bytes beside records.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            done: ChunkList::default(),
            current: BytesMut::with_capacity(capacity),
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.done.len() + self.current.len()
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chunks.
    #[must_use]
    pub fn finish(mut self) -> ChunkList {
        self.close_chunk();
        self.done
    }

    fn close_chunk(&mut self) {
        let chunk = self.current.split().freeze();
        self.done.push(chunk);
    }

    fn append(&mut self, chunk: Bytes) {
        if chunk.len() <= COPIED_MAX_BYTES {
            self.current.put_slice(&chunk);
        } else {
            self.close_chunk();
            self.done.push(chunk);
        }
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.current.put_u8(u8::from(value));
    }

    /// Writes an 8-bit number.
    pub fn i8(&mut self, value: i8) {
        self.current.put_i8(value);
    }

    /// Writes a 16-bit number.
    pub fn i16(&mut self, value: i16) {
        self.current.put_i16(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.current.put_u16(value);
    }

    /// Writes a 32-bit number.
    pub fn i32(&mut self, value: i32) {
        self.current.put_i32(value);
    }

    /// Writes a 64-bit number.
    pub fn i64(&mut self, value: i64) {
        self.current.put_i64(value);
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.current.put_f64(value);
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.current.put_slice(&value.0);
    }

    /// Writes an unsigned variable-length number.
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.current.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.current.put_u8((value & 0x7f) as u8);
    }

    fn compact_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let Some(length) = length else {
            self.unsigned_varint(0);
            return Ok(());
        };
        let coded = u32::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(1));
        self.unsigned_varint(coded.ok_or(EncodeError::TooLong(length))?);
        Ok(())
    }

    fn length_32(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        match length {
            None => self.i32(-1),
            Some(length) => self.i32(i32::try_from(length).or(Err(EncodeError::TooLong(length)))?),
        }
        Ok(())
    }

    fn length_16(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        match length {
            None => self.i16(-1),
            Some(length) => self.i16(i16::try_from(length).or(Err(EncodeError::TooLong(length)))?),
        }
        Ok(())
    }

    pub(crate) fn nullable_string(
        &mut self,
        value: Option<&Str>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let length = value.map(|text| text.as_bytes().len());
        if flexible {
            // Kafka's strings are limited to what 16 bits can say, in either encoding.
            if let Some(length) = length.filter(|length| *length > STRING_BYTES_MAX) {
                return Err(EncodeError::TooLong(length));
            }
            self.compact_length(length)?;
        } else {
            self.length_16(length)?;
        }
        if let Some(text) = value {
            self.current.put_slice(text.as_bytes());
        }
        Ok(())
    }

    pub(crate) fn string(&mut self, value: &Str, flexible: bool) -> Result<(), EncodeError> {
        self.nullable_string(Some(value), flexible)
    }

    pub(crate) fn nullable_bytes(
        &mut self,
        value: Option<&Bytes>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let length = value.map(Bytes::len);
        if flexible {
            self.compact_length(length)?;
        } else {
            self.length_32(length)?;
        }
        if let Some(bytes) = value {
            self.append(bytes.clone());
        }
        Ok(())
    }

    pub(crate) fn bytes(&mut self, value: &Bytes, flexible: bool) -> Result<(), EncodeError> {
        self.nullable_bytes(Some(value), flexible)
    }

    pub(crate) fn nullable_records(
        &mut self,
        value: Option<&Records>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let length = value.map(Records::len);
        if flexible {
            self.compact_length(length)?;
        } else {
            self.length_32(length)?;
        }
        for chunk in value.map(Records::chunks).unwrap_or_default() {
            self.append(chunk.clone());
        }
        Ok(())
    }

    pub(crate) fn records(&mut self, value: &Records, flexible: bool) -> Result<(), EncodeError> {
        self.nullable_records(Some(value), flexible)
    }

    pub(crate) fn nullable_array<T>(
        &mut self,
        items: Option<&[T]>,
        flexible: bool,
        mut write: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let count = items.map(<[T]>::len);
        if flexible {
            self.compact_length(count)?;
        } else {
            self.length_32(count)?;
        }
        for item in items.unwrap_or_default() {
            write(self, item)?;
        }
        Ok(())
    }

    pub(crate) fn array<T>(
        &mut self,
        items: &[T],
        flexible: bool,
        write: impl FnMut(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.nullable_array(Some(items), flexible, write)
    }

    pub(crate) fn nullable_struct<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        match value {
            None => {
                self.i8(-1);
                Ok(())
            }
            Some(value) => {
                self.i8(1);
                write(self, value)
            }
        }
    }

    /// As [`Self::nullable_struct`], in a tagged field: there the marker is a varint, 0 for null.
    pub(crate) fn nullable_tagged_struct<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&mut Self, &T) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.unsigned_varint(u32::from(value.is_some()));
        value.map_or(Ok(()), |value| write(self, value))
    }

    pub(crate) fn no_tags(&mut self) {
        self.unsigned_varint(0);
    }

    pub(crate) fn tags(&mut self, tags: Tags) {
        self.unsigned_varint(u32::try_from(tags.fields.len()).expect("a schema has few tags"));
        for (tag, content) in tags.fields {
            self.unsigned_varint(tag);
            self.unsigned_varint(
                u32::try_from(content.len()).expect("tagged fields hold no records"),
            );
            for chunk in content.into_chunks() {
                self.append(chunk);
            }
        }
    }
}
