//! Makes batches: for clients, for internal topics and for recompression.

use std::io::Result;

use types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};

use crate::batch::set_crc;
use crate::compression::compress;
use crate::{BATCH_HEADER_BYTES, Compression, CompressionLevels, MAGIC_V2};

/// A record to be added.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Its time.
    pub timestamp: TimestampMs,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Header keys and values, in order.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// Collects records into one batch. Memory grows with the records; the caller decides when it is large enough.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    codec: Compression,
    levels: CompressionLevels,
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    producer: (ProducerId, ProducerEpoch, i32),
    attributes: i16,
    base_timestamp: Option<TimestampMs>,
    max_timestamp: TimestampMs,
    count: i32,
    records: Vec<u8>,
    body: Vec<u8>,
}

impl BatchBuilder {
    /// An empty batch at offset 0 without a producer id.
    #[must_use]
    pub fn new(codec: Compression) -> Self {
        Self {
            codec,
            levels: CompressionLevels::default(),
            base_offset: Offset(0),
            leader_epoch: LeaderEpoch::NONE,
            producer: (ProducerId::NONE, ProducerEpoch::NONE, -1),
            attributes: codec.id(),
            base_timestamp: None,
            max_timestamp: TimestampMs::NONE,
            count: 0,
            records: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Sets the codecs' levels.
    #[must_use]
    pub fn levels(mut self, levels: CompressionLevels) -> Self {
        self.levels = levels;
        self
    }

    /// Sets the offset of the first record and the leader's epoch.
    #[must_use]
    pub fn at(mut self, base_offset: Offset, leader_epoch: LeaderEpoch) -> Self {
        self.base_offset = base_offset;
        self.leader_epoch = leader_epoch;
        self
    }

    /// Sets the producer and the sequence number of the first record.
    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.producer = (id, epoch, base_sequence);
        self
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes |= 0x10;
        self
    }

    /// Marks the batch as one of control records.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.attributes |= 0x20;
        self
    }

    /// Records so far.
    #[must_use]
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Bytes of the batch if it were built now without compression.
    #[must_use]
    pub fn uncompressed_len_bytes(&self) -> usize {
        BATCH_HEADER_BYTES + self.records.len()
    }

    /// Adds a record behind the others.
    ///
    /// # Panics
    /// When a key, value or header is longer than 2 GiB, or there are more than 2³¹ records.
    pub fn push(&mut self, record: &NewRecord<'_>) {
        let base = *self.base_timestamp.get_or_insert(record.timestamp);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        let body = &mut self.body;
        body.clear();
        body.push(0);
        put_varlong(body, record.timestamp.0.wrapping_sub(base.0));
        put_varlong(body, i64::from(self.count));
        put_sized(body, record.key);
        put_sized(body, record.value);
        put_len(body, record.headers.len());
        for (key, value) in record.headers {
            put_sized(body, Some(key));
            put_sized(body, *value);
        }
        put_len(&mut self.records, self.body.len());
        self.records.extend_from_slice(&self.body);
        self.count = self
            .count
            .checked_add(1)
            .expect("fewer than 2^31 records a batch");
    }

    /// The finished batch, its checksum included.
    ///
    /// # Errors
    /// Those of the codec.
    ///
    /// # Panics
    /// When there is no record, or the batch is larger than 2 GiB.
    pub fn build(self) -> Result<Vec<u8>> {
        assert!(self.count > 0, "a batch has at least one record");
        let head = Vec::with_capacity(BATCH_HEADER_BYTES + self.records.len());
        let mut batch = compress(
            self.codec,
            self.levels,
            &self.records,
            self.header_into(head),
        )?;
        let length = i32::try_from(batch.len() - 12).expect("a batch is smaller than 2 GiB");
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        set_crc(&mut batch);
        Ok(batch)
    }

    fn header_into(&self, mut head: Vec<u8>) -> Vec<u8> {
        let (id, epoch, sequence) = self.producer;
        head.extend_from_slice(&self.base_offset.0.to_be_bytes());
        head.extend_from_slice(&[0; 4]);
        head.extend_from_slice(&self.leader_epoch.0.to_be_bytes());
        head.extend_from_slice(&MAGIC_V2.to_be_bytes());
        head.extend_from_slice(&[0; 4]);
        head.extend_from_slice(&self.attributes.to_be_bytes());
        head.extend_from_slice(&(self.count - 1).to_be_bytes());
        head.extend_from_slice(
            &self
                .base_timestamp
                .unwrap_or(TimestampMs::NONE)
                .0
                .to_be_bytes(),
        );
        head.extend_from_slice(&self.max_timestamp.0.to_be_bytes());
        head.extend_from_slice(&id.0.to_be_bytes());
        head.extend_from_slice(&epoch.0.to_be_bytes());
        head.extend_from_slice(&sequence.to_be_bytes());
        head.extend_from_slice(&self.count.to_be_bytes());
        debug_assert_eq!(head.len(), BATCH_HEADER_BYTES);
        head
    }
}

fn put_sized(target: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varlong(target, -1),
        Some(bytes) => {
            put_len(target, bytes.len());
            target.extend_from_slice(bytes);
        }
    }
}

fn put_len(target: &mut Vec<u8>, len: usize) {
    put_varlong(
        target,
        i64::from(i32::try_from(len).expect("record fields are smaller than 2 GiB")),
    );
}

pub(crate) fn put_varlong(target: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        target.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    target.push((zigzag & 0x7f) as u8);
}
