//! Records inside a batch.

use types::{Offset, TimestampMs};

use crate::compression::{Decompressors, Stream};
use crate::cursor::{Cursor as _, Malformed, SliceCursor};
use crate::{BATCH_HEADER_BYTES, BatchHeader, InvalidBatch, Scratch};

/// One record; keys, values and headers are slices of the decompressed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: Offset,
    /// Its time, by the batch's timestamp type.
    pub timestamp: TimestampMs,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value; a tombstone has none.
    pub value: Option<&'a [u8]>,
    header_count: usize,
    headers: &'a [u8],
    attributes: u8,
    /// Everything behind the offset: key, value and headers as they are stored.
    content: &'a [u8],
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key, UTF-8 by convention.
    pub key: &'a [u8],
    /// The value, if it has one.
    pub value: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Its attributes, of which Kafka has assigned none.
    pub(crate) fn attributes(&self) -> u8 {
        self.attributes
    }

    /// Key, value and headers as they are stored.
    pub(crate) fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Its headers, in order.
    #[must_use]
    pub fn headers(&self) -> HeaderIter<'a> {
        HeaderIter {
            left: self.header_count,
            cursor: SliceCursor::new(self.headers),
        }
    }
}

/// Iterates over a record's headers.
#[derive(Clone, Debug)]
pub struct HeaderIter<'a> {
    left: usize,
    cursor: SliceCursor<'a>,
}

impl<'a> Iterator for HeaderIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        // The framing was walked when the record was read, so nothing fails here.
        let key = sized(&mut self.cursor).ok()??;
        let value = sized(&mut self.cursor).ok()?;
        Some(Header { key, value })
    }
}

/// A length and that many bytes; -1 is null.
fn sized<'a>(cursor: &mut SliceCursor<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    match cursor.varint()? {
        -1 => Ok(None),
        length => cursor
            .take(usize::try_from(length).or(Err(Malformed::Length))?)
            .map(Some),
    }
}

/// The records of a batch, decompressed into `scratch` where needed; at most `len_max_bytes` of them.
///
/// # Errors
/// [`InvalidBatch::Malformed`] for damaged compressed data, [`InvalidBatch::DecompressedTooLarge`] for too much of it.
pub fn decompressed_records<'a>(
    header: &BatchHeader,
    batch: &'a [u8],
    scratch: &'a mut Vec<u8>,
    len_max_bytes: usize,
) -> Result<&'a [u8], InvalidBatch> {
    decompress(
        &mut Decompressors::default(),
        header,
        batch,
        scratch,
        len_max_bytes,
    )
}

/// See [`decompressed_records`].
pub(crate) fn decompress<'a>(
    decompressors: &mut Decompressors,
    header: &BatchHeader,
    batch: &'a [u8],
    scratch: &'a mut Vec<u8>,
    len_max_bytes: usize,
) -> Result<&'a [u8], InvalidBatch> {
    let mut unpacking = Unpacking::new(decompressors, header, batch, scratch, len_max_bytes)?;
    while unpacking.advance()? {}
    Ok(unpacking.records())
}

/// Reads the records of a batch in steps: whoever reads many batches can let others run between two blocks.
#[derive(Debug)]
pub struct BatchReader<'a> {
    header: BatchHeader,
    unpacking: Unpacking<'a, 'a>,
}

impl<'a> BatchReader<'a> {
    /// Begins with `batch`, whose header is `header`. At most `len_max_bytes` of records are decompressed.
    ///
    /// # Errors
    /// [`InvalidBatch::UnknownCompression`].
    pub fn new(
        header: &BatchHeader,
        batch: &'a [u8],
        scratch: &'a mut Scratch,
        len_max_bytes: usize,
    ) -> Result<Self, InvalidBatch> {
        let (decompressors, records) = scratch.parts();
        Ok(Self {
            header: *header,
            unpacking: Unpacking::new(decompressors, header, batch, records, len_max_bytes)?,
        })
    }

    /// Decompresses the next block; `false` when all is there, which for records that are not compressed is at once.
    ///
    /// # Errors
    /// As for [`decompressed_records`].
    pub fn advance(&mut self) -> Result<bool, InvalidBatch> {
        self.unpacking.advance()
    }

    /// The records, once [`BatchReader::advance`] has said that all are there.
    #[must_use]
    pub fn records(self) -> RecordIter<'a> {
        RecordIter::new(&self.header, self.unpacking.records())
    }
}

/// Decompresses the records of a batch, a block at a time.
#[derive(Debug)]
pub(crate) struct Unpacking<'a, 's> {
    plain: &'a [u8],
    target: &'a mut Vec<u8>,
    /// None for records that are not compressed.
    stream: Option<Stream<'a>>,
    decompressors: &'s mut Decompressors,
}

impl<'a, 's> Unpacking<'a, 's> {
    /// Begins; at most `len_max_bytes` may come.
    pub(crate) fn new(
        decompressors: &'s mut Decompressors,
        header: &BatchHeader,
        batch: &'a [u8],
        target: &'a mut Vec<u8>,
        len_max_bytes: usize,
    ) -> Result<Self, InvalidBatch> {
        let plain = &batch[BATCH_HEADER_BYTES..];
        let Some(codec) = header.compression() else {
            return Err(InvalidBatch::UnknownCompression);
        };
        target.clear();
        let stream = header
            .is_compressed()
            .then(|| Stream::new(std::mem::take(decompressors), codec, plain, len_max_bytes));
        Ok(Self {
            plain,
            target,
            stream,
            decompressors,
        })
    }

    /// Takes the next block; `false` when all is there.
    pub(crate) fn advance(&mut self) -> Result<bool, InvalidBatch> {
        let Some(stream) = &mut self.stream else {
            return Ok(false);
        };
        let advanced = stream.advance();
        if matches!(advanced, Ok(true)) {
            self.target.extend_from_slice(stream.block());
            return Ok(true);
        }
        if let Some(stream) = self.stream.take() {
            *self.decompressors = stream.into_decompressors();
            self.plain = &[];
        }
        Ok(advanced?)
    }

    /// All records, once [`Unpacking::advance`] has said so.
    pub(crate) fn records(self) -> &'a [u8] {
        if self.plain.is_empty() {
            self.target
        } else {
            self.plain
        }
    }
}

/// Iterates over decompressed records; it ends after the batch's count, or after the first error.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    header: BatchHeader,
    cursor: SliceCursor<'a>,
    left: i32,
}

impl<'a> RecordIter<'a> {
    /// Iterates over `records`, the bytes behind the header, decompressed.
    #[must_use]
    pub fn new(header: &BatchHeader, records: &'a [u8]) -> Self {
        Self {
            header: *header,
            cursor: SliceCursor::new(records),
            left: header.record_count,
        }
    }

    fn read(&mut self) -> Result<Record<'a>, Malformed> {
        let length = usize::try_from(self.cursor.varint()?).or(Err(Malformed::Length))?;
        let mut body = SliceCursor::new(self.cursor.take(length)?);
        let attributes = body.byte()?;
        let timestamp_delta = body.varlong()?;
        let offset_delta = body.varint()?;
        let content_at = body.position();
        let key = sized(&mut body)?;
        let value = sized(&mut body)?;
        let header_count = usize::try_from(body.varint()?).or(Err(Malformed::Length))?;
        let headers_at = body.position();
        for _ in 0..header_count {
            sized(&mut body)?.ok_or(Malformed::Length)?;
            sized(&mut body)?;
        }
        let headers_len = body.position() - headers_at;
        if !body.is_at_end()? {
            return Err(Malformed::Length);
        }
        let mut whole = body;
        whole.rewind(content_at);
        let content = whole.take(headers_at + headers_len - content_at)?;
        whole.rewind(headers_at);
        Ok(Record {
            offset: Offset(
                self.header
                    .base_offset
                    .0
                    .wrapping_add(i64::from(offset_delta)),
            ),
            timestamp: self.header.timestamp_of(timestamp_delta),
            key,
            value,
            header_count,
            headers: whole.take(headers_len)?,
            attributes,
            content,
        })
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, InvalidBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let record = self.read();
        if record.is_err() {
            self.left = 0;
        }
        Some(record.or(Err(InvalidBatch::Malformed(
            "a record's lengths do not fit",
        ))))
    }
}
