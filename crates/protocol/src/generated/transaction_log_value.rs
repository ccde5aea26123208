// Generated from crates/protocol/schema/kafka-4.3.1.schema by `cargo xtask generate`. Do not edit.
//! `TransactionLogValue`

use crate::wire::prelude::{DecodeError, Decoder, EncodeError, Encoder, Message, Str, Tags, Wire};

#[derive(Clone, Debug, PartialEq)]
pub struct TransactionLogValue {
    pub producer_id: i64,
    pub previous_producer_id: i64,
    pub next_producer_id: i64,
    pub producer_epoch: i16,
    pub next_producer_epoch: i16,
    pub transaction_timeout_ms: i32,
    pub transaction_status: i8,
    pub transaction_partitions: Option<Vec<PartitionsSchema>>,
    pub transaction_last_update_timestamp_ms: i64,
    pub transaction_start_timestamp_ms: i64,
    pub client_transaction_version: i16,
}

impl Default for TransactionLogValue {
    fn default() -> Self {
        Self {
            producer_id: 0,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch: 0,
            next_producer_epoch: -1,
            transaction_timeout_ms: 0,
            transaction_status: 0,
            transaction_partitions: Some(Vec::new()),
            transaction_last_update_timestamp_ms: 0,
            transaction_start_timestamp_ms: 0,
            client_transaction_version: 0,
        }
    }
}

impl Wire for TransactionLogValue {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 1;
        let mut it = Self::default();
        it.producer_id = d.i64()?;
        it.producer_epoch = d.i16()?;
        it.transaction_timeout_ms = d.i32()?;
        it.transaction_status = d.i8()?;
        it.transaction_partitions = d.nullable_array(flexible, |d| PartitionsSchema::decode(d, version))?;
        it.transaction_last_update_timestamp_ms = d.i64()?;
        it.transaction_start_timestamp_ms = d.i64()?;
        if flexible {
            d.tags(|tag, d| {
            match tag {
                0 => it.previous_producer_id = d.i64()?,
                1 => it.next_producer_id = d.i64()?,
                3 => it.next_producer_epoch = d.i16()?,
                2 => it.client_transaction_version = d.i16()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 1;
        e.i64(self.producer_id);
        e.i16(self.producer_epoch);
        e.i32(self.transaction_timeout_ms);
        e.i8(self.transaction_status);
        e.nullable_array(self.transaction_partitions.as_deref(), flexible, |e, item| { item.encode(e, version)?; Ok(()) })?;
        e.i64(self.transaction_last_update_timestamp_ms);
        e.i64(self.transaction_start_timestamp_ms);
        if flexible {
            let mut tags = Tags::default();
            if self.previous_producer_id != -1 {
                tags.add(0, |e| { e.i64(self.previous_producer_id); Ok(()) })?;
            }
            if self.next_producer_id != -1 {
                tags.add(1, |e| { e.i64(self.next_producer_id); Ok(()) })?;
            }
            if self.client_transaction_version != 0 {
                tags.add(2, |e| { e.i16(self.client_transaction_version); Ok(()) })?;
            }
            if self.next_producer_epoch != -1 {
                tags.add(3, |e| { e.i16(self.next_producer_epoch); Ok(()) })?;
            }
            e.tags(tags);
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionsSchema {
    pub topic: Str,
    pub partition_ids: Vec<i32>,
}

impl Wire for PartitionsSchema {
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        let flexible = version == 1;
        let mut it = Self::default();
        it.topic = d.string(flexible)?;
        it.partition_ids = d.array(flexible, |d| d.i32())?;
        if flexible {
            d.skip_tags()?;
        }
        Ok(it)
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        let flexible = version == 1;
        e.string(&self.topic, flexible)?;
        e.array(&self.partition_ids, flexible, |e, item| { e.i32(*item); Ok(()) })?;
        if flexible {
            e.no_tags();
        }
        Ok(())
    }
}

impl Message for TransactionLogValue {
    const NAME: &'static str = "TransactionLogValue";
    const FIRST_VERSION: i16 = 0;
    const LAST_VERSION: i16 = 1;
    const SCHEMA_KEY: Option<i16> = Some(0);

    fn is_flexible(version: i16) -> bool {
        version == 1
    }
}
